// Derives the wanted state of the data plane from the configuration and from what the machine's devices are, defaults resolved.
// Built anew from scratch at every change, so that it depends on nothing but its input.

import {
  type AddressWords,
  formatBareAddress,
  type IpAddress,
  isMulticast,
  isUnspecified,
  parseAddress,
  parseAddressOrAny,
  parsePrefix,
  wordsAreIpv6,
  wordsShareNetwork,
} from '../../core/address.ts';
import { FDB_ENTRIES, MAX_STATIC_ENTRIES } from '../../bridge/fdb.ts';
import { BROADCAST_MAC, macHigh16, macLow32, parseMac } from '../../core/mac.ts';
import type { CrossingSpec } from '../../bridge/crossing.ts';
import { EtherType } from '../../wire/ethernet.ts';
import { serviceIsUdp, serviceNumber } from '../../tunnel/service.ts';
import { MssClamp } from '../../tunnel/mss.ts';
import { kindIsLayer3, TOS_PRESERVE, TunnelKind, UdpChecksum } from '../../tunnel/tunnel.ts';
import { tunnelOverhead } from '../../tunnel/overhead.ts';
import {
  carriesFrames,
  carriesPackets,
  makesDevice,
  ownsDevice,
  usesHostStack,
} from '../../config/types/net-interface.ts';
import {
  bareAddress,
  type ConfigView,
  type Interface,
  type Self,
  type Tunnel,
  type TunnelFdb,
  type Vlan,
  type VlanFdb,
  type VxlanProfile,
} from './config-view.ts';
import { allowedServices, buildHostPaths } from './host-path-model.ts';
import { madeMac } from './made-mac.ts';
import { parentsOf, RouteBuilder, routeDomainsOf } from './build-routes.ts';
import type { Mac } from './spec.ts';
import { addSockets, udpModel } from './build-sockets.ts';
import { shapeOf } from './tunnel-shape.ts';
import type { DeviceFacts, FilesModel, InterfaceMemberModel, Model, StaticTableModel, SubnetModel } from './model.ts';

type TunnelTable = TunnelFdb['properties']['records'];

/** Seconds after which a learned station that is not heard is forgotten (`l2-cache-timeout`). */
const DEFAULT_AGEING_SECONDS = 300;
const UDP_CHECKSUM = {
  auto: UdpChecksum.whenJoined,
  enabled: UdpChecksum.always,
  disabled: UdpChecksum.never,
} as const;
/** `l2-cache-limit`. */
const DEFAULT_LEARNED_LIMIT = 65_536;
/** Of a TAP device that is in no VLAN. */
const ETHERNET_MTU = 1500;

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
    hostPaths: new Map(),
    routeDomains: new Map(),
    routes: [],
    staticTables: new Map(),
    neighbours: new Map(),
    tapMtus: new Map(),
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
    this.#addTapMtus();
    this.#addStaticTables();
    this.#addNeighbours();
    this.#addRoutes();
    this.#model.hostPaths = buildHostPaths(this.#view, this.#model);
    return this.#model;
  }

  #addRoutes(): void {
    this.#model.routeDomains = parentsOf(this.#view);
    const { routes, failures } = new RouteBuilder(this.#view, this.#model).build();
    this.#model.routes = routes;
    this.#model.failures.push(...failures);
  }

  #fail(object: { type: string; name: string }, reason: string): void {
    this.#model.failures.push({ object: `${object.type} ${object.name}`, reason });
  }

  #addInterfaces(): void {
    for (const { name, properties } of this.#view.interfaces.values()) {
      const { device, adapter, enabled, 'tunnel-offload': tunnelOffload } = properties;
      const files = adapter === 'capture-file' ? filesOf(properties) : undefined;
      if ((device === undefined && files === undefined) || !enabled) continue;
      this.#model.interfaces.set(name, {
        ...{ name, device: device ?? '', adapter, tunnelOffload, files },
        finishesFrames: properties['transmit-offloads'] === 'off',
        keepsPackets: properties['receive-offloads'] === 'off',
      });
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
    const routeDomainOf = routeDomainsOf(this.#view);
    for (const name of new Set(domainOf.values())) {
      const routeDomain = routeDomainOf.get(name) ?? 0;
      domains.set(name, {
        name,
        mac: undefined,
        crossing: this.#crossing(name),
        routeDomain,
        isLayer3: this.#isLayer3(name),
      });
    }
    const vlansOf = new Map<string, Vlan[]>();
    for (const vlan of this.#view.vlans.values()) {
      const name = domainOf.get(vlan.name)!;
      vlansOf.set(name, [...(vlansOf.get(name) ?? []), vlan]);
    }
    // The two ends of a tunnel often have one name for it; its local address tells them apart.
    const localsOf = new Map<string, string>();
    for (const tunnel of this.#view.tunnels.values()) {
      const name = domainOf.get(tunnel.name)!;
      localsOf.set(name, `${localsOf.get(name) ?? ''} ${tunnel.properties['local-address']}`);
    }
    // Our own MAC in a domain is that of the first device; without one it is made from the name.
    for (const [name, domain] of domains) {
      // A layer 3 tunnel has none: nothing that it carries is addressed by a MAC.
      if (domain.isLayer3) continue;
      const vlans = vlansOf.get(name) ?? [];
      if (vlans.some((vlan) => this.#carriesPackets(vlan))) {
        domain.isLayer3 = true;
        continue;
      }
      const device = vlans.flatMap((vlan) => this.#ringDevices(vlan))[0];
      const made = madeMac(name + (localsOf.get(name) ?? ''));
      domain.mac = device === undefined ? (this.#needsMac(vlans) ? made : undefined) : this.#devices.get(device)?.mac;
      // Without a MAC an opaque group could hide nobody behind it.
      if (domain.crossing?.mode === 'opaque') domain.mac ??= made;
    }
  }

  /** Whether the domain is that of a tunnel of packets. */
  #isLayer3(name: string): boolean {
    const tunnel = this.#view.tunnels.get(name);
    const shape = tunnel && shapeOf(this.#view, tunnel);
    return shape !== undefined && kindIsLayer3(shape.kind);
  }

  /** What holds between the members of a group; undefined for what is no group. */
  #crossing(name: string): CrossingSpec | undefined {
    const group = this.#view.vlanGroups.get(name);
    if (group === undefined) return undefined;
    const { mode, ...properties } = group.properties;
    if (mode === 'virtual-wire') {
      this.#fail(group, 'mode virtual-wire has no data path in this version: frames are bridged as with transparent');
    }
    return {
      mode: mode === 'virtual-wire' ? 'transparent' : mode,
      bridgesAll: properties['bridge-traffic'],
      bridgesMulticast: properties['bridge-multicast'],
      bridgesInStandby: properties['bridge-in-standby'],
    };
  }

  #carriesPackets(vlan: Vlan): boolean {
    return Object.keys(vlan.properties.interfaces).some((name) => {
      const port = this.#view.interfaces.get(name);
      return port !== undefined && carriesPackets(port.properties.adapter);
    });
  }

  /** Whether a domain of these VLANs has no device that could lend its MAC: that of a TAP is the host's behind it. */
  #needsMac(vlans: readonly Vlan[]): boolean {
    const interfaces = vlans.flatMap((vlan) => Object.keys(vlan.properties.interfaces));
    return vlans.length === 0 || interfaces.some((name) => this.#model.interfaces.get(name)?.adapter === 'tap');
  }

  /** Devices of the VLAN that we own, in the order of its interfaces. */
  #ringDevices(vlan: Vlan): string[] {
    return Object.keys(vlan.properties.interfaces).flatMap((name) => {
      const port = this.#model.interfaces.get(name);
      return port !== undefined && ownsDevice(port.adapter) ? [port.device] : [];
    });
  }

  #addInterfaceMembers(): void {
    for (const vlan of this.#view.vlans.values()) {
      const domain = this.#model.domainOf.get(vlan.name)!;
      for (const [name, { tagged, 'tag-mode': mode }] of Object.entries(vlan.properties.interfaces)) {
        const port = this.#view.interfaces.get(name);
        if (port === undefined || !carriesFrames(port.properties.adapter)) continue;
        const key = `${vlan.name} ${name}`;
        this.#model.interfaceMembers.set(key, {
          key,
          name: `${vlan.name} on ${name}`,
          domain,
          interface: name,
          ...wireTags(vlan, tagged, mode, Number(port.properties['qinq-ethertype'])),
          mtu: vlan.properties.mtu,
          enabled: port.properties.enabled,
          segment: vlan.name,
          checksSource: vlan.properties['source-checking'],
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
      const { words, routeDomain } = address;
      const isIpv6 = address.family === 6;
      const services = allowedServices(self);
      const prefixBits = length;
      this.#model.selfs.set(self.name, { name: self.name, domain, words, isIpv6, prefixBits, services, routeDomain });
    }
  }

  /** The device whose kernel address the self IP is, when the host owns it. */
  #hostDevice(self: Self): string | undefined {
    return this.#hostInterface(self)?.properties.device;
  }

  #hostInterface(self: Self): Interface | undefined {
    const vlan = this.#view.vlans.get(self.properties.vlan);
    return Object.keys(vlan?.properties.interfaces ?? {})
      .map((name) => this.#view.interfaces.get(name))
      .find((port) => port !== undefined && usesHostStack(port.properties.adapter));
  }

  #addTunnel(tunnel: Tunnel): void {
    const { name, properties } = tunnel;
    // Nothing listens to what such a tunnel is of: the router carries it, as it would without the tunnel.
    if (properties.transparent) return;
    const shape = shapeOf(this.#view, tunnel);
    const local = parseAddress(properties['local-address']);
    const end = parseAddressOrAny(properties['remote-address']);
    const group = end !== undefined && isMulticast(end) ? end : undefined;
    const remote = end === undefined || isUnspecified(end) || group !== undefined ? undefined : end;
    if (shape === undefined) {
      this.#fail(tunnel, `no data path for profile ${properties.profile} in this version`);
      return;
    }
    const { kind, key, service, vxlan } = shape;
    const clamp = properties['mss-clamp'];
    const range = (vxlan?.properties['source-port-range'] ?? '0-0').split('-').map(Number);
    const problem = unsupported(vxlan, local);
    if (problem !== undefined || local === undefined) {
      this.#fail(tunnel, problem ?? `local-address ${properties['local-address']} is not an address`);
      return;
    }
    const self = this.#selfOf(properties['local-address']);
    if (self === undefined) {
      this.#fail(tunnel, `local-address ${properties['local-address']} is not the address of any self IP`);
    }
    const isIpv6 = local.family === 6;
    const flooding = remote === undefined ? shape.flooding : 'point-to-point';
    const floodRemotes = this.#floodRemotes(name, flooding, group);
    const floodsToNobody = flooding === 'none' || (flooding === 'multicast' && group === undefined);
    const overhead = tunnelOverhead(shape, isIpv6);
    const checksum = UDP_CHECKSUM[vxlan?.properties['udp-checksum'] ?? 'disabled'];
    const underlay = self === undefined ? undefined : this.#model.domainOf.get(self.properties.vlan);
    this.#model.tunnelMembers.set(name, {
      name,
      domain: this.#model.domainOf.get(name)!,
      splitHorizon: this.#splitsHorizon(name),
      floods: !floodsToNobody,
      replicates: remote === undefined && !floodsToNobody,
      floodRemotes,
      subnets: kind === TunnelKind.nvgre && properties.mode === 'inbound' ? this.#subnetsOf(tunnel) : [],
      group: group === undefined || underlay === undefined ? undefined : { address: group.words, domain: underlay },
      tunnel: {
        kind,
        name,
        local: local.words,
        secondary: this.#secondaryOf(tunnel),
        routeDomain: local.routeDomain,
        remote: remote?.words,
        key,
        service,
        mtu: properties.mtu === 0 ? this.#underlayMtu(self) - overhead : properties.mtu,
        tos: typeof properties.tos === 'number' ? properties.tos : TOS_PRESERVE,
        ttl: properties.ttl,
        udpChecksum: isIpv6 && checksum === UdpChecksum.whenJoined ? UdpChecksum.always : checksum,
        sourcePortMin: range[0]!,
        sourcePortMax: range[1]!,
        learnsEndpoints: remote === undefined && !floodsToNobody,
        receives: properties.mode !== 'outbound',
        sends: properties.mode !== 'inbound',
        usesPathMtu: properties['use-pmtu'],
        mssClamp: typeof clamp === 'number' ? clamp : MssClamp[clamp],
        gre: shape.gre,
        etherIpForm: shape.etherIpForm,
      },
    });
    const ends = [self, this.#selfOf(properties['secondary-address'])];
    for (const end of ends) if (end !== undefined) this.#addSockets(tunnel, end, group, service, vxlan);
  }

  /** The networks of self IPs on NVGRE tunnels of the same local address and route domain. */
  #subnetsOf(inbound: Tunnel): SubnetModel[] {
    const { domains, domainOf } = this.#model;
    const routeDomainOf = (name: string): number | undefined => domains.get(domainOf.get(name) ?? '')?.routeDomain;
    return [...this.#view.selfs.values()].flatMap((self) => {
      const tunnel = this.#view.tunnels.get(self.properties.vlan);
      const prefix = parsePrefix(self.properties.address);
      if (tunnel === undefined || prefix === undefined || shapeOf(this.#view, tunnel)?.kind !== TunnelKind.nvgre)
        return [];
      if (tunnel.properties['local-address'] !== inbound.properties['local-address']) return [];
      if (tunnel.properties.mode === 'inbound' || routeDomainOf(tunnel.name) !== routeDomainOf(inbound.name)) return [];
      const { address, length } = prefix;
      return [{ words: address.words, isIpv6: address.family === 6, prefixBits: length, tunnel: tunnel.name }];
    });
  }

  #secondaryOf(tunnel: Tunnel): AddressWords | undefined {
    const text = tunnel.properties['secondary-address'];
    const address = parseAddressOrAny(text);
    if (address === undefined || isUnspecified(address)) return undefined;
    if (this.#selfOf(text) === undefined) {
      this.#fail(tunnel, `secondary-address ${text} is not the address of any self IP`);
      return undefined;
    }
    return address.words;
  }

  #addTapMtus(): void {
    const { interfaces, interfaceMembers, tunnelMembers, tapMtus } = this.#model;
    const least = new Map<string, number>();
    for (const member of interfaceMembers.values()) {
      const port = interfaces.get(member.interface);
      if (port === undefined || !makesDevice(port.adapter)) continue;
      const mtus = [...interfaceMembers.values(), ...tunnelMembers.values()].flatMap((other) =>
        other.domain !== member.domain ? [] : ['tunnel' in other ? other.tunnel.mtu : other.mtu],
      );
      least.set(member.interface, Math.min(...mtus, least.get(member.interface) ?? Infinity));
    }
    for (const { name, adapter } of interfaces.values()) {
      if (makesDevice(adapter)) tapMtus.set(name, least.get(name) ?? ETHERNET_MTU);
    }
  }

  #addSockets(
    tunnel: Tunnel,
    self: Self,
    group: IpAddress | undefined,
    service: number,
    vxlan: VxlanProfile | undefined,
  ): void {
    const port = this.#hostInterface(self);
    const device = port?.properties.device;
    if (port === undefined || device === undefined) return;
    if (!serviceIsUdp(service) && port.properties.adapter === 'udp') {
      const what = `IP protocol ${serviceNumber(service)}`;
      this.#fail(tunnel, `interface ${port.name} has adapter udp, which carries no ${what}: adapter raw-ip does`);
      return;
    }
    const { address: local } = parsePrefix(self.properties.address)!;
    const { ttl } = tunnel.properties;
    const domain = this.#model.domainOf.get(self.properties.vlan)!;
    const udp = vxlan && udpModel(vxlan, local);
    addSockets(this.#model.sockets, { self, local, group, domain, service, ttl, device, udp });
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

  /** Where a tunnel without a remote address of its own replicates what is flooded. */
  #floodRemotes(tunnel: string, flooding: string, group: IpAddress | undefined): AddressWords[] {
    if (flooding === 'multicast') return group === undefined ? [] : [group.words];
    if (flooding !== 'multipoint' && flooding !== 'replicator') return [];
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
    for (const entry of [...this.#view.arps.values(), ...this.#view.ndps.values()]) {
      const { properties } = entry;
      const address = parseAddress(properties['ip-address']);
      const mac = macOf(properties['mac-address']);
      if (address === undefined || mac === undefined) continue;
      const { words } = address;
      const self = [...this.#model.selfs.values()].find(
        ({ isIpv6, words: own, prefixBits, routeDomain }) =>
          isIpv6 === (address.family === 6) &&
          routeDomain === address.routeDomain &&
          wordsShareNetwork(own, words, prefixBits, isIpv6),
      );
      if (self === undefined) {
        this.#fail(entry, `ip-address ${properties['ip-address']} is on the network of no self IP`);
        continue;
      }
      const key = `${self.domain} ${properties['ip-address']}`;
      this.#model.neighbours.set(key, { domain: self.domain, address: words, mac });
    }
  }
}

/** The tags that frames of a VLAN carry on an interface. */
function wireTags(
  { properties }: Vlan,
  tagged: boolean,
  mode: 'none' | 'customer' | 'service' | 'double',
  serviceTpid: number,
): Pick<InterfaceMemberModel, 'vlan' | 'innerVlan' | 'tpid'> {
  const { tag, 'customer-tag': customer = 0 } = properties;
  if (!tagged) return { vlan: 0, innerVlan: 0, tpid: EtherType.vlan };
  if (mode === 'customer') return { vlan: customer, innerVlan: 0, tpid: EtherType.vlan };
  if (mode === 'none') return { vlan: tag, innerVlan: 0, tpid: EtherType.vlan };
  return { vlan: tag, innerVlan: mode === 'double' ? customer : 0, tpid: serviceTpid };
}
const filesOf = (properties: Interface['properties']): FilesModel => ({
  replay: properties['replay-file'],
  record: properties['record-file'],
  timed: properties['replay-timing'] === 'recorded',
  delayMs: properties['replay-delay'] * 1000,
});

/** Why this version has no data path for such a tunnel; undefined when it has. */
function unsupported(profile: VxlanProfile | undefined, local: IpAddress | undefined): string | undefined {
  if (profile?.properties['encapsulation-type'] === 'vxlan-gpe') return 'VXLAN-GPE has no data path in this version';
  if (local?.family === 6 && !wordsAreIpv6(local.words))
    return `local-address ${formatBareAddress(local)} is in ::/96, where no host has an address`;
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
