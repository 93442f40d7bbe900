// The topology of most interop tests: a host behind wideplane, a tunnel, a peer, a host behind the peer.
//
//   host-a ──── e1 [ site: wideplane ] e0 ════ e0 [ far: kernel or Open vSwitch ] e1 ──── host-b
//   172.16.0.1           10.9.1.1                  10.9.1.2                           172.16.0.2
//                        2001:db8:9::1             2001:db8:9::2   (with underlay 6)
//
// With a VLAN tag, an Open vSwitch stands between host-a and e1: host-a on an access port, wideplane on the trunk. (Not a VLAN
// device on host-a: many a small kernel has none.)

import { addKernelBridge, addKernelFdb, addKernelVxlan } from './kernel-vxlan.ts';
import { connect, Namespace } from './namespace.ts';
import { OpenVswitch, type OvsTunnelOptions } from './open-vswitch.ts';
import { Wideplane } from './wideplane.ts';

export type Adapter = 'packet-ring' | 'udp' | 'af-xdp' | 'pcap';

export type SiteOptions = {
  adapter: Adapter;
  /** Of the interface that host-a is behind. */
  hostAdapter: Exclude<Adapter, 'udp'>;
  peer: 'kernel' | 'open-vswitch';
  /** IP version between wideplane and the peer. */
  underlay: 4 | 6;
  /** Of every device that wideplane or a host uses; Open vSwitch never has them. */
  offloads: boolean;
  /** Over IPv6 without it both ends send and take zero checksums (RFC 6935). */
  udpChecksum: boolean;
  /** Remote address named in the tunnel, or `any` with static FDB entries at both ends. */
  mode: 'point-to-point' | 'static-fdb';
  /** VLAN tag between host-a and wideplane; 0: untagged. */
  hostTag: number;
  underlayMtu: number;
  port: number;
};

/** A tunnel of another kind. */
export type SiteForm = {
  /** A profile of the name `form`, or nothing for one that is built in. */
  profile: string;
  /** Profile and key of the tunnel. */
  tunnel: string;
  /** In front of the inner IP packet, the outer IP header counted as one of IPv4. */
  overheadOctets: number;
  peer: Omit<OvsTunnelOptions, 'remote'>;
};

export const DEFAULT_SITE: SiteOptions = {
  adapter: 'packet-ring',
  hostAdapter: 'packet-ring',
  peer: 'kernel',
  underlay: 4,
  offloads: false,
  udpChecksum: false,
  mode: 'point-to-point',
  hostTag: 0,
  underlayMtu: 1500,
  port: 4789,
};

export const VNI = 100;
export const SITE_ADDRESS = '10.9.1.1';
export const FAR_ADDRESS = '10.9.1.2';
export const HOST_A = '172.16.0.1';
export const HOST_B = '172.16.0.2';
/** Addresses of wideplane and of the peer, by IP version of the underlay. */
export const UNDERLAY = {
  4: { site: SITE_ADDRESS, far: FAR_ADDRESS, prefixBits: 24 },
  6: { site: '2001:db8:9::1', far: '2001:db8:9::2', prefixBits: 64 },
} as const;
/** Outer Ethernet aside: IPv4 20 or IPv6 40, UDP 8, VXLAN 8, inner Ethernet 14 (RFC 7348, section 5). */
export const VXLAN_OVERHEAD_OCTETS = { 4: 50, 6: 70 } as const;

export type Site = {
  options: SiteOptions;
  site: Namespace;
  far: Namespace;
  hostA: Namespace;
  hostB: Namespace;
  wideplane: Wideplane;
  /** Largest IP packet between the hosts. */
  innerMtu: number;
};

/**
 * The configuration of wideplane for the topology above. `macs`: stations that the static FDB knows behind the peer; `form`:
 * what is between the ends, if not VXLAN.
 */
export function siteConfiguration(options: SiteOptions, macs: readonly string[] = [], form?: SiteForm): string {
  const { adapter, hostAdapter, udpChecksum, mode, hostTag, underlayMtu, port, underlay } = options;
  const { site, far, prefixBits } = UNDERLAY[underlay];
  const remote = mode === 'point-to-point' ? far : 'any';
  const records = macs.map((mac) => `${mac} { endpoint ${far} }`).join(' ');
  return `
net interface 1.1 { device e0 adapter ${adapter} }
net interface 1.2 { device e1 adapter ${hostAdapter} }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 mtu ${underlayMtu} }
net vlan inside { interfaces { 1.2 { ${hostTag === 0 ? 'untagged' : 'tagged'} } } tag ${hostTag === 0 ? 4093 : hostTag} mtu ${underlayMtu} }
net self wan-self { address ${site}/${prefixBits} vlan wan allow-service none }
net tunnels vxlan vx-profile {
    defaults-from vxlan
    flooding-type multipoint
    port ${port}
    udp-checksum ${udpChecksum ? 'enabled' : 'disabled'}
}
${form?.profile ?? ''}
net tunnels tunnel vx1 { local-address ${site} remote-address ${remote} ${form?.tunnel ?? `key ${VNI} profile vx-profile`} }
net vlan-group lan { members { inside vx1 } mode transparent bridge-traffic enabled }
${mode === 'static-fdb' ? `net fdb tunnel vx1 { records { ff:ff:ff:ff:ff:ff { endpoints { ${far} } } ${records} } }` : ''}
`;
}

/** Builds the topology, starts the peer and wideplane. With a `form` the peer is Open vSwitch. */
export async function buildSite(changes: Partial<SiteOptions> = {}, form?: SiteForm): Promise<Site> {
  const options = { ...DEFAULT_SITE, ...changes };
  const { adapter, offloads, hostTag, underlayMtu, underlay } = options;
  const ipv6Octets = underlay === 6 ? 20 : 0;
  const overhead = form === undefined ? VXLAN_OVERHEAD_OCTETS[underlay] : form.overheadOctets + ipv6Octets;
  const innerMtu = underlayMtu - overhead;
  const site = await Namespace.create('site');
  const far = await Namespace.create('far');
  const hostA = await Namespace.create('host-a');
  const hostB = await Namespace.create('host-b');
  await connect([site, 'e0'], [far, 'e0'], { offloads, mtu: underlayMtu });
  if (hostTag === 0) await connect([hostA, 'e0'], [site, 'e1'], { offloads, mtu: underlayMtu });
  else await connectTagged(hostA, site, hostTag, underlayMtu);
  await connect([hostB, 'e0'], [far, 'e1'], { offloads: offloads && options.peer === 'kernel', mtu: underlayMtu });
  for (const [host, address] of [
    [hostA, HOST_A],
    [hostB, HOST_B],
  ] as const) {
    await host.ip('link', 'set', 'e0', 'mtu', String(innerMtu));
    await host.addAddress('e0', `${address}/24`);
  }
  const { site: own, prefixBits } = UNDERLAY[underlay];
  if (adapter === 'udp') await site.addAddress('e0', `${own}/${prefixBits}`);

  const macA = await hostA.mac('e0');
  if (options.peer === 'kernel') await startKernelPeer(far, options, innerMtu, macA);
  else await startOpenVswitch(far, options, form);
  const configuration = siteConfiguration(options, [await hostB.mac('e0')], form);
  const wideplane = await Wideplane.start(site, configuration);
  return { options, site, far, hostA, hostB, wideplane, innerMtu };
}

async function connectTagged(host: Namespace, site: Namespace, tag: number, mtu: number): Promise<void> {
  const access = await Namespace.create('access');
  await connect([host, 'e0'], [access, 'host'], { mtu });
  await connect([access, 'trunk'], [site, 'e1'], { mtu });
  const ovs = await OpenVswitch.start(access);
  await ovs.addPort('host', tag);
  await ovs.addPort('trunk');
}

async function startKernelPeer(far: Namespace, options: SiteOptions, mtu: number, macA: string): Promise<void> {
  const { udpChecksum, port, underlay } = options;
  const { site, far: local, prefixBits } = UNDERLAY[underlay];
  await far.addAddress('e0', `${local}/${prefixBits}`);
  const ends = options.mode === 'point-to-point' ? { remote: site } : { flood: [site] };
  const vxlan = await addKernelVxlan(far, { vni: VNI, local, ...ends, port, udpChecksum, mtu });
  if (options.mode === 'static-fdb') await addKernelFdb(far, macA, site, vxlan);
  await addKernelBridge(far, 'br0', [vxlan, 'e1']);
}

async function startOpenVswitch(
  far: Namespace,
  { udpChecksum, port, underlay }: SiteOptions,
  form: SiteForm | undefined,
): Promise<void> {
  const { site, far: local, prefixBits } = UNDERLAY[underlay];
  const ovs = await OpenVswitch.start(far, { device: 'e0', addresses: [`${local}/${prefixBits}`] });
  await ovs.addTunnel('vx', { remote: site, ...(form?.peer ?? { key: VNI, port, udpChecksum }) });
  await ovs.addPort('e1');
}
