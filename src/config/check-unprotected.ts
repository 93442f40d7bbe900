// Tunnels whose packets a traffic selector is for, but whose underlay is sockets of the kernel (adapters udp and raw-ip): there IPsec
// is not in their way. Where it is certain that they would leave in the clear the configuration is refused.

import {
  formatAddress,
  isUnspecified,
  parseAddress,
  parseAddressOrAny,
  parsePrefix,
  prefixContains,
} from '../core/address.ts';
import type { IpAddress, IpPrefix } from '../core/address.ts';
import { ANY_PROTOCOL } from './check-selectors.ts';
import type { CheckContext } from './object-type.ts';
import { encapsulationOf } from './tunnel-keys.ts';
import type { TunnelEnds } from './check-ipsec-tunnel.ts';
import { netInterface, usesHostStack } from './types/net-interface.ts';
import { netIpsecIpsecPolicy } from './types/net-ipsec-ipsec-policy.ts';
import { netIpsecTrafficSelector, type TrafficSelector } from './types/net-ipsec-traffic-selector.ts';
import { netVlan } from './types/net-vlan.ts';

type Adapter = { readonly name: string; readonly adapter: string };

/** A selector as it looks at packets that leave. */
type Outbound = {
  readonly name: string;
  readonly action: string;
  readonly source: IpPrefix;
  readonly destination: IpPrefix;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
};

/** What all outer packets of a tunnel have in common; `remote` undefined: they go to more than one end. */
type Outer = {
  readonly local: IpAddress;
  readonly remote: IpAddress | undefined;
  readonly protocol: number;
  readonly port: number;
};

const PROTOCOL = { vxlan: 17, gre: 47, teb: 47, nvgre: 47, etherip: 97 } as const;

/** What the search looks at: objects by name, and all of a type. */
export type Lookup = Pick<CheckContext, 'find' | 'all'>;

/** A tunnel whose packets leave in the clear although a selector is for them: for all of them, or for those to some ends. */
export type Unprotected = { tunnel: TunnelEnds; isAll: boolean; text: string; hint: string };

/** What is looked at of a self IP. */
export type SelfAddress = { readonly properties: { readonly address: string; readonly vlan: string } };

export function checkUnprotected(
  tunnels: readonly TunnelEnds[],
  selfs: readonly SelfAddress[],
  context: CheckContext,
): void {
  for (const { tunnel, isAll, text, hint } of unprotectedTunnels(tunnels, selfs, context)) {
    const details = { property: 'local-address', value: tunnel.properties['local-address'], hint };
    if (isAll) context.error(tunnel, `Tunnel (${tunnel.name}): ${text}.`, details);
    else context.warn(tunnel, `Tunnel (${tunnel.name}): ${text}.`, details);
  }
}

export function unprotectedTunnels(
  tunnels: Iterable<TunnelEnds>,
  selfs: Iterable<SelfAddress>,
  lookup: Lookup,
): Unprotected[] {
  if (lookup.all(netIpsecTrafficSelector).length === 0) return [];
  const adapters = hostAdapters(selfs, lookup);
  if (adapters.size === 0) return [];
  const selectors = outboundSelectors(lookup);
  return [...tunnels].flatMap((tunnel) => {
    const outer = outerOf(tunnel, lookup);
    const adapter = outer && adapters.get(formatAddress(outer.local));
    return (adapter && unprotected(tunnel, outer, adapter, selectors)) ?? [];
  });
}

/** The interfaces with such an adapter, by the self IPs that they are below. */
function hostAdapters(selfs: Iterable<SelfAddress>, context: Lookup): Map<string, Adapter> {
  const found = new Map<string, Adapter>();
  for (const { properties } of selfs) {
    const interfaces = Object.keys(context.find(netVlan, properties.vlan)?.properties.interfaces ?? {});
    for (const name of interfaces) {
      const adapter = context.find(netInterface, name)?.properties.adapter;
      if (adapter === undefined || !usesHostStack(adapter)) continue;
      const address = parseAddress(properties.address.split('/')[0]!);
      if (address !== undefined) found.set(formatAddress(address), { name, adapter });
    }
  }
  return found;
}

/** In the order in which they are asked; those of tunnels of IPsec are for other packets. */
function outboundSelectors(context: Lookup): Outbound[] {
  const order = ({ properties }: TrafficSelector): number => properties.order;
  return [...context.all(netIpsecTrafficSelector)]
    .sort((a, b) => order(a) - order(b))
    .flatMap(({ name, properties }) => {
      const mode = context.find(netIpsecIpsecPolicy, properties['ipsec-policy'])?.properties.mode;
      const source = parsePrefix(properties['source-address']);
      const destination = parsePrefix(properties['destination-address']);
      if (source === undefined || destination === undefined) return [];
      if (properties.direction === 'in' || mode === 'interface' || mode === 'isession') return [];
      return [
        {
          name,
          action: properties.action,
          source,
          destination,
          protocol: properties['ip-protocol'],
          sourcePort: properties['source-port'],
          destinationPort: properties['destination-port'],
        },
      ];
    });
}

function outerOf({ properties }: TunnelEnds, context: Lookup): Outer | undefined {
  const encapsulation = encapsulationOf(properties.profile, context);
  const local = parseAddressOrAny(properties['local-address']);
  const remote = parseAddressOrAny(properties['remote-address']);
  if (encapsulation === undefined || encapsulation.kind === 'ipsec' || local === undefined) return undefined;
  if (isUnspecified(local)) return undefined;
  const isOne = remote !== undefined && !isUnspecified(remote);
  const protocol = PROTOCOL[encapsulation.kind];
  return { local, remote: isOne ? remote : undefined, protocol, port: encapsulation.port ?? 0 };
}

function unprotected(
  tunnel: TunnelEnds,
  outer: Outer,
  { name, adapter }: Adapter,
  selectors: readonly Outbound[],
): Unprotected | undefined {
  for (const selector of selectors) {
    const fit = fitOf(selector, outer);
    if (fit === 'none') continue;
    if (selector.action === 'bypass') {
      if (fit === 'all') return undefined;
      continue;
    }
    const isAll = fit === 'all';
    const text =
      `Traffic selector (${selector.name}) is for ${isAll ? 'its packets' : 'some of its packets'}, but they leave in the clear, because ` +
      `adapter ${adapter} of Interface (${name}) hands them to the kernel`;
    const hint =
      'Choose adapter packet-ring for the interface, or say by a traffic selector with action bypass and a lower order that the ' +
      'packets are not to be protected here.';
    return { tunnel, isAll, text, hint };
  }
  return undefined;
}

/** Which of the outer packets a selector is for; one that names a source port is for no tunnel. */
function fitOf(selector: Outbound, { local, remote, protocol, port }: Outer): 'all' | 'some' | 'none' {
  const { source, destination, protocol: wanted, sourcePort, destinationPort } = selector;
  if (wanted !== ANY_PROTOCOL && wanted !== protocol) return 'none';
  if (sourcePort !== 0 || (destinationPort !== 0 && destinationPort !== port)) return 'none';
  if (!contains(source, local)) return 'none';
  if (remote !== undefined) return contains(destination, remote) ? 'all' : 'none';
  const isSameNet =
    destination.address.family === local.family && destination.address.routeDomain === local.routeDomain;
  if (!isSameNet) return 'none';
  return destination.length === 0 ? 'all' : 'some';
}

function contains(prefix: IpPrefix, address: IpAddress): boolean {
  const { family, routeDomain } = prefix.address;
  return family === address.family && routeDomain === address.routeDomain && prefixContains(prefix, address);
}
