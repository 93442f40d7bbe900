// The wanted state of the data plane, derived from the configuration and from what the machine's devices are: names instead
// of numbers, defaults resolved. Built anew from scratch at every change, so that it depends on nothing but its input.

import type { RecordTable } from '../../config/record-table.ts';
import { FDB_ENTRIES, MAX_STATIC_ENTRIES } from '../../bridge/fdb.ts';
import { type AddressWords, isUnspecified, parseAddress, parseAddressOrAny, parsePrefix } from '../../core/address.ts';
import { hashPair } from '../../core/pair-map.ts';
import { BROADCAST_MAC, macHigh16, macLow32, parseMac } from '../../core/mac.ts';
import type { TunnelSpec } from '../../tunnel/tunnel.ts';
import { TOS_PRESERVE, UdpChecksum } from '../../tunnel/tunnel.ts';
import { VXLAN_IPV4_OVERHEAD } from '../../tunnel/vxlan.ts';
import type { ConfigView, Self, Tunnel, TunnelFdb, Vlan, VlanFdb, VxlanProfile } from './config-view.ts';
import type { Mac } from './spec.ts';

/** What the kernel says of a network device. */
export type DeviceFacts = { mac: Mac; mtu: number; isUp: boolean };

export type InterfaceModel = { name: string; device: string; adapter: 'packet-ring' | 'udp' };

export type InterfaceMemberModel = {
  key: string;
  name: string;
  domain: string;
  interface: string;
  vlan: number;
  mtu: number;
  enabled: boolean;
};

export type TunnelMemberModel = {
  name: string;
  domain: string;
  splitHorizon: boolean;
  floods: boolean;
  replicates: boolean;
  floodRemotes: readonly AddressWords[];
  tunnel: Omit<TunnelSpec, 'member'>;
};

export type SocketModel = {
  key: string;
  /** Name of the self IP. */
  self: string;
  /** Canonical text of the local address. */
  localAddress: string;
  local: AddressWords;
  port: number;
  device: string;
  checksum: boolean;
  sourcePortMin: number;
  sourcePortMax: number;
  ttl: number;
};

export type SelfModel = { name: string; domain: string; words: AddressWords; isIpv6: boolean; prefixBits: number };

/** `member`: key of an interface member, or name of a tunnel. */
export type StaticTargetModel = { member: string; remote: AddressWords | undefined };

/** Static stations of one VLAN or tunnel; `targets` by content of the table, undefined where there is no such member. */
export type StaticTableModel = {
  domain: string;
  table: RecordTable<object>;
  targets: readonly (StaticTargetModel | undefined)[];
};

export type NeighbourModel = { domain: string; address: number; mac: Mac };

/** `object`: type and name, as in `net self /Common/wan`. */
export type Failure = { object: string; reason: string };

export type Model = {
  interfaces: Map<string, InterfaceModel>;
  /** By name of the VLAN, VLAN group or tunnel. */
  domains: Map<string, { name: string; mac: Mac | undefined }>;
  interfaceMembers: Map<string, InterfaceMemberModel>;
  tunnelMembers: Map<string, TunnelMemberModel>;
  sockets: Map<string, SocketModel>;
  selfs: Map<string, SelfModel>;
  /** By domain, type and name. */
  staticTables: Map<string, StaticTableModel>;
  neighbours: Map<string, NeighbourModel>;
  /** Domain by name of a VLAN, VLAN group or tunnel: several VLANs of a group share one. */
  domainOf: Map<string, string>;
  ageingSeconds: number;
  /** Stations that are learned at most. */
  learnedLimit: number;
  failures: Failure[];
};

type TunnelTable = TunnelFdb['properties']['records'];

const IPV4_MULTICAST = 0xe;
/** Seconds after which a learned station that is not heard is forgotten (`l2-cache-timeout`). */
const DEFAULT_AGEING_SECONDS = 300;
/** `l2-cache-limit`. */
const UDP_CHECKSUM = {
  auto: UdpChecksum.whenJoined,
  enabled: UdpChecksum.always,
  disabled: UdpChecksum.never,
} as const;
const DEFAULT_LEARNED_LIMIT = 65_536;

export function buildModel(view: ConfigView, devices: ReadonlyMap<string, DeviceFacts>): Model {
  return new ModelBuilder(view, devices).build();
}

class ModelBuilder {
  readonly #view: ConfigView;
  readonly #devices: ReadonlyMap<string, DeviceFacts>;
  #staticEntries = 0;
  #selfByAddress: Map<string, Self> | undefined;
  readonly #model: Model = {
    interfaces: new Map(),
    domains: new Map(),
    interfaceMembers: new Map(),
    tunnelMembers: new Map(),
    sockets: new Map(),
    selfs: new Map(),
    staticTables: new Map(),
    neighbours: new Map(),
    domainOf: new Map(),
    ageingSeconds: DEFAULT_AGEING_SECONDS,
    learnedLimit: DEFAULT_LEARNED_LIMIT,
    failures: [],
  };

  constructor(view: ConfigView, devices: ReadonlyMap<string, DeviceFacts>) {
    this.#view = view;
    this.#devices = devices;
  }

  build(): Model {
    const general = this.#view.general?.properties;
    if (general !== undefined) {
      this.#model.ageingSeconds = general['l2-cache-timeout'];
      this.#model.learnedLimit = general['l2-cache-limit'];
    }
    this.#addInterfaces();
    this.#addDomains();
    this.#addInterfaceMembers();
    this.#addSelfs();
    for (const tunnel of this.#view.tunnels.values()) this.#addTunnel(tunnel);
    this.#addStaticTables();
    this.#addNeighbours();
    return this.#model;
  }

  #fail(object: { type: string; name: string }, reason: string): void {
    this.#model.failures.push({ object: `${object.type} ${object.name}`, reason });
  }

  #addInterfaces(): void {
    for (const { name, properties } of this.#view.interfaces.values()) {
      const { device, adapter, enabled } = properties;
      if (device === undefined || !enabled) continue;
      this.#model.interfaces.set(name, { name, device, adapter });
    }
  }

  #addDomains(): void {
    const { domains, domainOf } = this.#model;
    for (const { name, properties } of this.#view.vlanGroups.values()) {
      for (const member of properties.members) domainOf.set(member, name);
      domainOf.set(name, name);
    }
    for (const name of [...this.#view.vlans.keys(), ...this.#view.tunnels.keys()]) {
      if (!domainOf.has(name)) domainOf.set(name, name);
    }
    for (const name of new Set(domainOf.values())) domains.set(name, { name, mac: undefined });
    const vlansOf = new Map<string, Vlan[]>();
    for (const vlan of this.#view.vlans.values()) {
      const name = domainOf.get(vlan.name)!;
      vlansOf.set(name, [...(vlansOf.get(name) ?? []), vlan]);
    }
    // Our own MAC in a domain is that of the first device; without one it is made from the name.
    for (const [name, domain] of domains) {
      const vlans = vlansOf.get(name) ?? [];
      const device = vlans.flatMap((vlan) => this.#ringDevices(vlan))[0];
      domain.mac =
        device === undefined ? (vlans.length === 0 ? madeMac(name) : undefined) : this.#devices.get(device)?.mac;
    }
  }

  /** Devices of the VLAN that we own, in the order of its interfaces. */
  #ringDevices(vlan: Vlan): string[] {
    return Object.keys(vlan.properties.interfaces).flatMap((name) => {
      const port = this.#model.interfaces.get(name);
      return port?.adapter === 'packet-ring' ? [port.device] : [];
    });
  }

  #addInterfaceMembers(): void {
    for (const vlan of this.#view.vlans.values()) {
      const domain = this.#model.domainOf.get(vlan.name)!;
      for (const [name, { tagged }] of Object.entries(vlan.properties.interfaces)) {
        const port = this.#view.interfaces.get(name);
        if (port?.properties.adapter !== 'packet-ring') continue;
        const key = `${vlan.name} ${name}`;
        this.#model.interfaceMembers.set(key, {
          key,
          name: `${vlan.name} on ${name}`,
          domain,
          interface: name,
          vlan: tagged ? vlan.properties.tag : 0,
          mtu: vlan.properties.mtu,
          enabled: port.properties.enabled,
        });
      }
    }
  }

  #addSelfs(): void {
    for (const self of this.#view.selfs.values()) {
      const prefix = parsePrefix(self.properties.address);
      const domain = this.#model.domainOf.get(self.properties.vlan);
      if (prefix === undefined || domain === undefined || this.#hostDevice(self) !== undefined) continue;
      const { address, length } = prefix;
      if (address.routeDomain !== 0) {
        this.#fail(self, 'route domains other than 0 are not carried by this version');
        continue;
      }
      const isIpv6 = address.family === 6;
      this.#model.selfs.set(self.name, { name: self.name, domain, words: address.words, isIpv6, prefixBits: length });
    }
  }

  /** The device whose kernel address the self IP is, when the host owns it. */
  #hostDevice(self: Self): string | undefined {
    const vlan = this.#view.vlans.get(self.properties.vlan);
    if (vlan === undefined) return undefined;
    for (const name of Object.keys(vlan.properties.interfaces)) {
      const port = this.#view.interfaces.get(name);
      if (port?.properties.adapter === 'udp') return port.properties.device;
    }
    return undefined;
  }

  #addTunnel(tunnel: Tunnel): void {
    const { name, properties } = tunnel;
    const profile = this.#view.vxlanProfiles.get(properties.profile);
    const local = parseAddress(properties['local-address']);
    const end = parseAddressOrAny(properties['remote-address']);
    const remote = end === undefined || isUnspecified(end) ? undefined : end;
    if (profile === undefined) {
      this.#fail(tunnel, `no data path for profile ${properties.profile} in this version`);
      return;
    }
    const { port } = profile.properties;
    const range = profile.properties['source-port-range'].split('-').map(Number);
    const problem = unsupported(profile, local?.family, remote?.words);
    if (problem !== undefined || local === undefined) {
      this.#fail(tunnel, problem ?? `local-address ${properties['local-address']} is not an address`);
      return;
    }
    const self = this.#selfOf(properties['local-address']);
    if (self === undefined) {
      this.#fail(tunnel, `local-address ${properties['local-address']} is not the address of any self IP`);
    }
    const flooding = remote === undefined ? profile.properties['flooding-type'] : 'point-to-point';
    const remotes = flooding === 'multipoint' || flooding === 'replicator' ? this.#floodRemotes(name, flooding) : [];
    this.#model.tunnelMembers.set(name, {
      name,
      domain: this.#model.domainOf.get(name)!,
      splitHorizon: this.#splitsHorizon(name),
      floods: flooding !== 'none' && flooding !== 'multicast',
      replicates: flooding === 'multipoint' || flooding === 'replicator',
      floodRemotes: remotes,
      tunnel: {
        name,
        local: local.words,
        remote: remote?.words,
        key: properties.key,
        port,
        mtu: properties.mtu === 0 ? this.#underlayMtu(self) - VXLAN_IPV4_OVERHEAD : properties.mtu,
        tos: typeof properties.tos === 'number' ? properties.tos : TOS_PRESERVE,
        ttl: properties.ttl,
        udpChecksum: UDP_CHECKSUM[profile.properties['udp-checksum']],
        sourcePortMin: range[0]!,
        sourcePortMax: range[1]!,
        learnsEndpoints: flooding === 'multipoint' || flooding === 'replicator',
        receives: properties.mode !== 'outbound',
        sends: properties.mode !== 'inbound',
      },
    });
    const device = self === undefined ? undefined : this.#hostDevice(self);
    if (self !== undefined && device !== undefined) {
      this.#addSocket(self, local.words, profile, device, properties.ttl);
    }
  }

  #addSocket(self: Self, local: AddressWords, profile: VxlanProfile, device: string, ttl: number): void {
    const { port } = profile.properties;
    const [sourcePortMin, sourcePortMax] = profile.properties['source-port-range'].split('-').map(Number);
    const localAddress = bareAddress(self);
    const key = `${localAddress} ${port}`;
    this.#model.sockets.set(key, {
      key,
      self: self.name,
      localAddress,
      local,
      port,
      device,
      checksum: profile.properties['udp-checksum'] === 'enabled',
      sourcePortMin: sourcePortMin!,
      sourcePortMax: sourcePortMax!,
      ttl,
    });
  }

  #selfOf(address: string): Self | undefined {
    if (this.#selfByAddress === undefined) {
      this.#selfByAddress = new Map();
      for (const self of [...this.#view.selfs.values()].reverse()) this.#selfByAddress.set(bareAddress(self), self);
    }
    return this.#selfByAddress.get(address);
  }

  #underlayMtu(self: Self | undefined): number {
    const vlan = self === undefined ? undefined : this.#view.vlans.get(self.properties.vlan);
    const configured = vlan?.properties.mtu ?? 1500;
    const device = self === undefined ? undefined : this.#hostDevice(self);
    const own = device === undefined ? undefined : this.#devices.get(device)?.mtu;
    return own === undefined ? configured : Math.min(configured, own);
  }

  #splitsHorizon(tunnel: string): boolean {
    const group = this.#view.vlanGroups.get(this.#model.domainOf.get(tunnel)!);
    return group?.properties['split-horizon'] === 'tunnels';
  }

  #floodRemotes(tunnel: string, flooding: 'multipoint' | 'replicator'): AddressWords[] {
    const record = this.#view.tunnelFdbs.get(tunnel)?.properties.records.get(BROADCAST_MAC);
    const remotes = flooding === 'replicator' ? record?.replicators : record?.endpoints;
    return (remotes ?? []).map((text) => parseAddress(text)!.words);
  }

  #addStaticTables(): void {
    const { tunnelMembers, interfaceMembers } = this.#model;
    for (const fdb of this.#view.tunnelFdbs.values()) {
      if (!tunnelMembers.has(fdb.name)) continue;
      const remotes = endpointsOf(fdb.properties.records);
      this.#addStaticTable(
        fdb,
        remotes.map((remote) => (remote === undefined ? undefined : { member: fdb.name, remote })),
      );
    }
    for (const fdb of this.#view.vlanFdbs.values()) {
      const targets = fdb.properties.records.contents.map((record) => {
        const member = `${fdb.name} ${record.interface ?? ''}`;
        return interfaceMembers.has(member) ? { member, remote: undefined } : undefined;
      });
      this.#addStaticTable(fdb, targets);
    }
  }

  #addStaticTable(fdb: TunnelFdb | VlanFdb, targets: StaticTableModel['targets']): void {
    const { staticTables, domainOf } = this.#model;
    const domain = domainOf.get(fdb.name);
    const { records: table } = fdb.properties;
    if (domain === undefined || table.size === 0) return;
    const most = Math.min(MAX_STATIC_ENTRIES, FDB_ENTRIES - this.#model.learnedLimit);
    if (this.#staticEntries + table.size > most) {
      const limit = `${most} beside an l2-cache-limit of ${this.#model.learnedLimit}`;
      this.#fail(fdb, `with its ${table.size} records there would be more than ${limit}`);
      return;
    }
    this.#staticEntries += table.size;
    staticTables.set(`${domain} ${fdb.type} ${fdb.name}`, { domain, table, targets });
  }

  #addNeighbours(): void {
    for (const arp of this.#view.arps.values()) {
      const { properties } = arp;
      const address = parseAddress(properties['ip-address']);
      const mac = macOf(properties['mac-address']);
      if (address === undefined || mac === undefined) continue;
      if (address.family === 6) {
        this.#fail(arp, 'static neighbours over IPv6 are not carried by this version');
        continue;
      }
      const self = [...this.#model.selfs.values()].find(
        ({ isIpv6, words, prefixBits }) =>
          !isIpv6 && (prefixBits === 0 || (words[3] ^ address.words[3]) >>> (32 - prefixBits) === 0),
      );
      if (self === undefined) {
        this.#fail(arp, `ip-address ${properties['ip-address']} is on the network of no self IP`);
        continue;
      }
      const key = `${self.domain} ${properties['ip-address']}`;
      this.#model.neighbours.set(key, { domain: self.domain, address: address.words[3], mac });
    }
  }
}

/** The address of a self IP without its length. */
export const bareAddress = (self: Self): string => self.properties.address.split('/')[0]!;

/** Why this version has no data path for such a tunnel; undefined when it has. */
function unsupported(
  profile: VxlanProfile,
  localFamily: 4 | 6 | undefined,
  remote: AddressWords | undefined,
): string | undefined {
  if (profile.properties['encapsulation-type'] !== 'vxlan') return 'VXLAN-GPE has no data path in this version';
  if (localFamily === 6) return 'an IPv6 underlay has no data path in this version';
  if (remote !== undefined && remote[3] >>> 28 === IPV4_MULTICAST)
    return 'multicast flooding has no data path in this version';
  return undefined;
}

function macOf(text: string): Mac | undefined {
  const octets = parseMac(text);
  return octets === undefined ? undefined : { high: macHigh16(octets), low: macLow32(octets) };
}

const endpoints = new WeakMap<TunnelTable, readonly (AddressWords | undefined)[]>();

/** The endpoint of each content of a table, read once for as long as the table lives. */
function endpointsOf(table: TunnelTable): readonly (AddressWords | undefined)[] {
  let known = endpoints.get(table);
  if (known === undefined) {
    known = table.contents.map(({ endpoint }) => (endpoint === undefined ? undefined : parseAddress(endpoint)?.words));
    endpoints.set(table, known);
  }
  return known;
}

/** A locally administered MAC that depends on the name alone, so that it is the same after a restart. */
function madeMac(name: string): Mac {
  let hash = 0;
  for (let index = 0; index < name.length; index++) hash = hashPair(hash, name.charCodeAt(index));
  return { high: 0x0200 | (hash >>> 24), low: hashPair(hash, name.length) };
}
