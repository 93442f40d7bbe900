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
import { shapeOf, type TunnelShape } from './tunnel-shape.ts';

type TunnelTable = TunnelFdb['properties']['records'];

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

class TunnelBuilder {
  readonly #view: ConfigView;
  readonly #devices: ReadonlyMap<string, DeviceFacts>;
  readonly #model: Model;
  readonly #ends = new Map<string, End>();

  constructor(view: ConfigView, devices: ReadonlyMap<string, DeviceFacts>, model: Model) {
    this.#view = view;
    this.#devices = devices;
    this.#model = model;
    for (const self of view.selfs.values()) {
      const address = bareAddress(self);
      // Of two self IPs with one address the first counts.
      if (!this.#ends.has(address)) this.#ends.set(address, this.#endOf(self));
    }
  }

  #endOf(self: Self): End {
    const host = hostInterfaceOf(this.#view, self);
    const configured = this.#view.vlans.get(self.properties.vlan)?.properties.mtu ?? UNKNOWN_MTU;
    const own = this.#devices.get(host?.properties.device ?? '')?.mtu;
    const mtu = own === undefined ? configured : Math.min(configured, own);
    return { self, domain: this.#model.domainOf.get(self.properties.vlan), mtu, host };
  }

  add(): void {
    for (const tunnel of this.#view.tunnels.values()) this.#add(tunnel);
  }

  #fail({ type, name }: Tunnel, reason: string): void {
    this.#model.failures.push({ object: `${type} ${name}`, reason });
  }

  #add(tunnel: Tunnel): void {
    const { name, properties } = tunnel;
    const shape = shapeOf(this.#view, tunnel);
    if (shape === undefined) {
      this.#fail(tunnel, `no data path for profile ${properties.profile} in this version`);
      return;
    }
    const domain = this.#model.domainOf.get(name)!;
    const end = this.#ends.get(properties['local-address']);
    const second = this.#ends.get(properties['secondary-address']);
    const { failures, member, group } = buildTunnel(
      tunnel,
      shape,
      domain,
      end !== undefined,
      second !== undefined,
      end?.domain,
      end?.mtu ?? UNKNOWN_MTU,
      this.#view.vlanGroups.get(domain)?.properties['split-horizon'] === 'tunnels',
      this.#view.tunnelFdbs.get(name)?.properties.records,
    );
    for (const reason of failures) this.#fail(tunnel, reason);
    if (member === undefined) return;
    const isInbound = shape.kind === TunnelKind.nvgre && properties.mode === 'inbound';
    this.#model.tunnelMembers.set(name, isInbound ? { ...member, subnets: this.#subnetsOf(tunnel) } : member);
    for (const each of [end, second]) if (each !== undefined) this.#addSockets(tunnel, each, group, shape);
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

/** Of an underlay that nobody has configured. */
const UNKNOWN_MTU = 1500;

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
