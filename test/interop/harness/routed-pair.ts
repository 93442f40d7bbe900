// Two wideplanes with a tunnel between them, each a router for the network of a host:
//
//   host-a ──── e1 [ site-1 ] e0 ══════ e0 [ site-2 ] e1 ──── host-b
//   172.16.1.2  172.16.1.1   10.9.1.1   10.9.1.2   172.16.2.1  172.16.2.2
//   2001:db8:1::2 ...        2001:db8:9::1 ...               2001:db8:2::2
//
//   in the tunnel: 172.16.0.1 and 172.16.0.2, 2001:db8:16::1 and 2001:db8:16::2

import { connect, Namespace } from './namespace.ts';
import { UNDERLAY } from './site.ts';
import { Wideplane } from './wideplane.ts';

/** How a tunnel is made: its profile, and whatever it has besides its ends. */
export type TunnelForm = {
  name: string;
  /** A profile of its own, or nothing for one that is built in. */
  profile?: string;
  /** Properties of the tunnel. */
  tunnel: string;
  /** Behind the outer IP header and in front of the inner one. */
  headerOctets: number;
  isLayer3?: boolean;
};

const TEB = 'encapsulation transparent-ethernet-bridging';

export const TUNNEL_FORMS: readonly TunnelForm[] = [
  { name: 'vxlan', tunnel: 'profile vxlan-multipoint key 100', headerOctets: 30 },
  { name: 'teb', profile: `net tunnels gre form { ${TEB} }`, tunnel: 'profile form', headerOctets: 18 },
  { name: 'teb-key', profile: `net tunnels gre form { ${TEB} }`, tunnel: 'profile form key 100', headerOctets: 22 },
  { name: 'nvgre', tunnel: 'profile nvgre key 5000', headerOctets: 22 },
  { name: 'etherip', tunnel: 'profile etherip', headerOctets: 16 },
  { name: 'gre', tunnel: 'profile gre', headerOctets: 4, isLayer3: true },
  { name: 'gre-key', tunnel: 'profile gre key 100', headerOctets: 8, isLayer3: true },
];

export type RoutedPairOptions = {
  form: TunnelForm;
  underlay: 4 | 6;
  adapter?: string;
  /** The only CPU that wideplane may use. */
  cpu?: number;
};

export type RoutedSide = {
  site: Namespace;
  host: Namespace;
  wideplane: Wideplane;
  /** By IP version: of the host, of the router towards it, of the router in the tunnel. */
  addresses: Record<4 | 6, { host: string; router: string; tunnel: string }>;
};

export type RoutedPair = { sides: readonly [RoutedSide, RoutedSide]; innerMtu: number };

const SIDES = [1, 2].map((number) => ({
  4: { host: `172.16.${number}.2`, router: `172.16.${number}.1`, tunnel: `172.16.0.${number}` },
  6: { host: `2001:db8:${number}::2`, router: `2001:db8:${number}::1`, tunnel: `2001:db8:16::${number}` },
}));

/** Ports that programs send from: tshark takes none of these for one of a protocol, and the payload of a probe for its message. */
const PORTS_OF_NO_PROTOCOL = { 'net.ipv4.ip_local_port_range': '61000 65000' };

export async function buildRoutedPair(options: RoutedPairOptions): Promise<RoutedPair> {
  const sites = [await Namespace.create('site-1'), await Namespace.create('site-2')] as const;
  await connect([sites[0], 'e0'], [sites[1], 'e0']);
  const innerMtu = 1500 - (options.underlay === 4 ? 20 : 40) - options.form.headerOctets;
  const sides: RoutedSide[] = [];
  for (const index of [0, 1] as const) {
    const site = sites[index];
    const addresses = SIDES[index]!;
    const host = await Namespace.create(index === 0 ? 'host-a' : 'host-b');
    await connect([host, 'e0'], [site, 'e1']);
    for (const namespace of [site, host]) await namespace.sysctl(PORTS_OF_NO_PROTOCOL);
    await host.addAddress('e0', `${addresses[4].host}/24`, `${addresses[6].host}/64`);
    await host.ip('route', 'add', 'default', 'via', addresses[4].router);
    await host.ip('-6', 'route', 'add', 'default', 'via', addresses[6].router);
    // A kernel is slow to answer a trace otherwise: one error a second and target.
    await host.sysctl({ 'net.ipv4.icmp_ratelimit': '0', 'net.ipv6.icmp.ratelimit': '0' });
    const wrapper = options.cpu === undefined ? [] : ['taskset', '-c', String(options.cpu)];
    const wideplane = await Wideplane.start(site, routedConfiguration(options, index), { wrapper });
    sides.push({ site, host, wideplane, addresses });
  }
  return { sides: [sides[0]!, sides[1]!], innerMtu };
}

function routedConfiguration({ form, underlay, adapter = 'packet-ring' }: RoutedPairOptions, index: 0 | 1): string {
  const { site, far, prefixBits } = UNDERLAY[underlay];
  const [local, remote] = index === 0 ? [site, far] : [far, site];
  const own = SIDES[index]!;
  const other = SIDES[1 - index]!;
  const network = 2 - index;
  return `
net interface 1.1 { device e0 adapter ${adapter} }
net interface 1.2 { device e1 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan inside { interfaces { 1.2 { untagged } } tag 10 }
net self wan-self { address ${local}/${prefixBits} vlan wan allow-service none }
${form.profile ?? ''}
net tunnels tunnel way { local-address ${local} remote-address ${remote} ${form.tunnel} }
net self inside-4 { address ${own[4].router}/24 vlan inside allow-service none }
net self inside-6 { address ${own[6].router}/64 vlan inside allow-service none }
net self tunnel-4 { address ${own[4].tunnel}/24 vlan way allow-service none }
net self tunnel-6 { address ${own[6].tunnel}/64 vlan way allow-service none }
net route far-4 { network 172.16.${network}.0/24 gw ${other[4].tunnel} }
net route far-6 { network 2001:db8:${network}::/64 gw ${other[6].tunnel} }
`;
}
