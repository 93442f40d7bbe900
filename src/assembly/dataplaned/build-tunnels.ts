// The tunnels of the model, from the definitions of tunnels and from what each of them stands on: profile, self IPs, underlay.
//
// Of thousands of tunnels a change concerns few: what follows from a tunnel and what it stands on is kept for as long as all
// of that is the same.

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
} from '../../core/address.ts';
import { BROADCAST_MAC } from '../../core/mac.ts';
import { usesHostStack } from '../../config/types/net-interface.ts';
import { kept } from '../../core/kept.ts';
import { MssClamp } from '../../tunnel/mss.ts';
import { tunnelOverhead } from '../../tunnel/overhead.ts';
import { serviceIsUdp, serviceNumber } from '../../tunnel/service.ts';
import { TOS_PRESERVE, TunnelKind, UdpChecksum } from '../../tunnel/tunnel.ts';
import { isIpsecTunnel } from './build-ipsec.ts';
import { addSockets, udpModel } from './build-sockets.ts';
import {
  bareAddress,
  type ConfigView,
  type Interface,
  type Self,
  type Tunnel,
  type TunnelFdb,
  type VxlanProfile,
} from './config-view.ts';
import type { DeviceFacts, Model, SubnetModel, TunnelMemberModel } from './model.ts';
import { type ProfileMaps, shapeOf, type TunnelShape } from './tunnel-shape.ts';

type TunnelTable = TunnelFdb['properties']['records'];

/** Of an underlay that nobody has configured. */
const UNKNOWN_MTU = 1500;
const UDP_CHECKSUM = {
  auto: UdpChecksum.whenJoined,
  enabled: UdpChecksum.always,
  disabled: UdpChecksum.never,
} as const;

/** Adds tunnels and their sockets to a model that has its domains. */
export function addTunnels(view: ConfigView, devices: ReadonlyMap<string, DeviceFacts>, model: Model): void {
  new TunnelBuilder(view, devices, model).add();
}

/** The interface whose kernel has the address of a self IP, when the host owns it. */
export function hostInterfaceOf(view: ConfigView, self: Self): Interface | undefined {
  const vlan = view.vlans.get(self.properties.vlan);
  return Object.keys(vlan?.properties.interfaces ?? {})
    .map((name) => view.interfaces.get(name))
    .find((port) => port !== undefined && usesHostStack(port.properties.adapter));
}

/** A self IP, and what tunnels from it need to know of its VLAN. */
type End = {
  self: Self;
  /** Domain of the self IP. */
  domain: string | undefined;
  /** Largest IP packet of its VLAN and device. */
  mtu: number;
  /** The interface whose kernel has the address. */
  host: Interface | undefined;
};

/** What is said of a tunnel; without a member it cannot be carried. */
type Built = {
  failures: readonly string[];
  member: TunnelMemberModel | undefined;
  /** The multicast group that it floods to. */
  group: IpAddress | undefined;
};

/** What tunnels stand on: for as long as it is the same, so is what follows from a tunnel. */
type Ground = {
  readonly view: Pick<ConfigView, 'vlanGroups' | ProfileMaps>;
  /** By address; of two self IPs with one address the first counts. */
  readonly ends: ReadonlyMap<string, End>;
};

function groundOf(view: ConfigView, devices: ReadonlyMap<string, DeviceFacts>, { domainOf }: Model): Ground {
  const { selfs, vlanGroups, vxlanProfiles, greProfiles, etheripProfiles } = view;
  const ends = new Map<string, End>();
  for (const self of selfs.values()) {
    const address = bareAddress(self);
    if (!ends.has(address)) ends.set(address, endOf(self, view, devices, domainOf));
  }
  const facts = [...ends.values()].flatMap(({ self, domain, mtu, host }) => [self, domain, mtu, host]);
  const key = [vlanGroups, vxlanProfiles, greProfiles, etheripProfiles, ...facts];
  const known = grounds.get(selfs);
  if (known?.key.length === key.length && key.every((input, index) => input === known.key[index])) return known.ground;
  // Not the whole view: it would keep a configuration that is gone.
  const ground = { view: { vlanGroups, vxlanProfiles, greProfiles, etheripProfiles }, ends };
  grounds.set(selfs, { key, ground });
  return ground;
}

const grounds = new WeakMap<ConfigView['selfs'], { key: readonly unknown[]; ground: Ground }>();

function endOf(
  self: Self,
  view: ConfigView,
  devices: ReadonlyMap<string, DeviceFacts>,
  domainOf: ReadonlyMap<string, string>,
): End {
  const host = hostInterfaceOf(view, self);
  const configured = view.vlans.get(self.properties.vlan)?.properties.mtu ?? UNKNOWN_MTU;
  const own = devices.get(host?.properties.device ?? '')?.mtu;
  const mtu = own === undefined ? configured : Math.min(configured, own);
  return { self, domain: domainOf.get(self.properties.vlan), mtu, host };
}

/** A tunnel as it stands there. */
type Standing = Built & { readonly shape: TunnelShape | undefined; readonly ends: readonly End[] };

const standing = kept((tunnel: Tunnel, { view, ends }: Ground, domain: string, records?: TunnelTable): Standing => {
  const { profile, 'local-address': local, 'secondary-address': secondary } = tunnel.properties;
  const shape = shapeOf(view, tunnel);
  if (shape === undefined) {
    const failures = [`no data path for profile ${profile} in this version`];
    return { failures, member: undefined, group: undefined, shape, ends: [] };
  }
  const end = ends.get(local);
  const second = ends.get(secondary);
  const built = buildTunnel(
    tunnel,
    shape,
    domain,
    end !== undefined,
    second !== undefined,
    end?.domain,
    end?.mtu ?? UNKNOWN_MTU,
    view.vlanGroups.get(domain)?.properties['split-horizon'] === 'tunnels',
    records,
  );
  return { ...built, shape, ends: [end, second].filter((each) => each !== undefined) };
});

class TunnelBuilder {
  readonly #view: ConfigView;
  readonly #model: Model;
  readonly #ground: Ground;

  constructor(view: ConfigView, devices: ReadonlyMap<string, DeviceFacts>, model: Model) {
    this.#view = view;
    this.#model = model;
    this.#ground = groundOf(view, devices, model);
  }

  add(): void {
    for (const tunnel of this.#view.tunnels.values()) {
      // Nothing listens to what such a tunnel is of: the router carries it, as it would without the tunnel.
      if (tunnel.properties.transparent || isIpsecTunnel(this.#view, tunnel)) continue;
      const domain = this.#model.domainOf.get(tunnel.name)!;
      const records = this.#view.tunnelFdbs.get(tunnel.name)?.properties.records;
      this.#add(tunnel, standing(tunnel, this.#ground, domain, records));
    }
  }

  #fail({ type, name }: Tunnel, reason: string): void {
    this.#model.failures.push({ object: `${type} ${name}`, reason });
  }

  #add(tunnel: Tunnel, { failures, member, group, shape, ends }: Standing): void {
    for (const reason of failures) this.#fail(tunnel, reason);
    if (member === undefined || shape === undefined) return;
    const isInbound = shape.kind === TunnelKind.nvgre && tunnel.properties.mode === 'inbound';
    const own = isInbound ? { ...member, subnets: this.#subnetsOf(tunnel) } : member;
    this.#model.tunnelMembers.set(tunnel.name, own);
    for (const end of ends) this.#addSockets(tunnel, end, group, shape);
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

  #addSockets(tunnel: Tunnel, end: End, group: IpAddress | undefined, { service, vxlan }: TunnelShape): void {
    const { self, host } = end;
    const device = host?.properties.device;
    if (host === undefined || device === undefined) return;
    if (!serviceIsUdp(service) && host.properties.adapter === 'udp') {
      const what = `IP protocol ${serviceNumber(service)}`;
      this.#fail(tunnel, `interface ${host.name} has adapter udp, which carries no ${what}: adapter raw-ip does`);
      return;
    }
    const { address: local } = parsePrefix(self.properties.address)!;
    const { ttl } = tunnel.properties;
    const udp = vxlan && udpModel(vxlan, local);
    addSockets(this.#model.sockets, { self, local, group, domain: end.domain!, service, ttl, device, udp });
  }
}

const buildTunnel = kept(
  (
    tunnel: Tunnel,
    shape: TunnelShape,
    domain: string,
    hasSelf: boolean,
    hasSecond: boolean,
    underlay: string | undefined,
    underlayMtu: number,
    splitHorizon: boolean,
    records: TunnelTable | undefined,
  ): Built => {
    const { name, properties } = tunnel;
    const local = parseAddress(properties['local-address']);
    const end = parseAddressOrAny(properties['remote-address']);
    const group = end !== undefined && isMulticast(end) ? end : undefined;
    const remote = end === undefined || isUnspecified(end) || group !== undefined ? undefined : end;
    const { kind, key, service, vxlan } = shape;
    const clamp = properties['mss-clamp'];
    const range = (vxlan?.properties['source-port-range'] ?? '0-0').split('-').map(Number);
    const problem = unsupported(vxlan, local);
    if (problem !== undefined || local === undefined) {
      const failures = [problem ?? `local-address ${properties['local-address']} is not an address`];
      return { failures, member: undefined, group };
    }
    const failures: string[] = [];
    if (!hasSelf) failures.push(`local-address ${properties['local-address']} is not the address of any self IP`);
    const isIpv6 = local.family === 6;
    const flooding = remote === undefined ? shape.flooding : 'point-to-point';
    const floodsToNobody = flooding === 'none' || (flooding === 'multicast' && group === undefined);
    const checksum = UDP_CHECKSUM[vxlan?.properties['udp-checksum'] ?? 'disabled'];
    const member: TunnelMemberModel = {
      name,
      domain,
      splitHorizon,
      floods: !floodsToNobody,
      replicates: remote === undefined && !floodsToNobody,
      floodRemotes: floodRemotes(records, flooding, group),
      subnets: [],
      group: group === undefined || underlay === undefined ? undefined : { address: group.words, domain: underlay },
      tunnel: {
        kind,
        name,
        local: local.words,
        secondary: secondaryOf(tunnel, hasSecond, failures),
        routeDomain: local.routeDomain,
        remote: remote?.words,
        key,
        service,
        mtu: properties.mtu === 0 ? underlayMtu - tunnelOverhead(shape, isIpv6) : properties.mtu,
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
    };
    return { failures, member, group };
  },
);

function secondaryOf({ properties }: Tunnel, isThere: boolean, failures: string[]): AddressWords | undefined {
  const text = properties['secondary-address'];
  const address = parseAddressOrAny(text);
  if (address === undefined || isUnspecified(address)) return undefined;
  if (isThere) return address.words;
  failures.push(`secondary-address ${text} is not the address of any self IP`);
  return undefined;
}

/** Where a tunnel without a remote address of its own replicates what is flooded. */
function floodRemotes(
  records: TunnelTable | undefined,
  flooding: string,
  group: IpAddress | undefined,
): AddressWords[] {
  if (flooding === 'multicast') return group === undefined ? [] : [group.words];
  if (flooding !== 'multipoint' && flooding !== 'replicator') return [];
  const record = records?.get(BROADCAST_MAC);
  const remotes = flooding === 'replicator' ? record?.replicators : record?.endpoints;
  return (remotes ?? []).map((text) => parseAddress(text)!.words);
}

/** Why this version has no data path for such a tunnel; undefined when it has. */
function unsupported(profile: VxlanProfile | undefined, local: IpAddress | undefined): string | undefined {
  if (profile?.properties['encapsulation-type'] === 'vxlan-gpe') return 'VXLAN-GPE has no data path in this version';
  if (local?.family === 6 && !wordsAreIpv6(local.words))
    return `local-address ${formatBareAddress(local)} is in ::/96, where no host has an address`;
  return undefined;
}
