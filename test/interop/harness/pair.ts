// Two wideplanes, each with hosts behind it by a TAP device or by an interface of its own:
//
//   host-a ──── e1 [ site-1 ] e0 ════ e0 [ site-2 ] e1 ──── host-b        (ring)
//               tap0: 172.16.0.1            tap0: 172.16.0.2              (tap: the site itself is the host)

import { connect, Namespace } from './namespace.ts';
import {
  type Adapter,
  FAR_ADDRESS,
  HOST_A,
  HOST_B,
  SITE_ADDRESS,
  type SiteForm,
  VNI,
  VXLAN_OVERHEAD_OCTETS,
} from './site.ts';
import { Wideplane } from './wideplane.ts';

export type End = 'tap' | 'ring';

export type PairOptions = {
  ends: readonly [End, End];
  underlay: Adapter;
  /** Of the veth pairs. */
  offloads: boolean;
  underlayMtu: number;
  udpChecksum: boolean;
  /** What is between the ends, if not VXLAN. */
  form?: Pick<SiteForm, 'profile' | 'tunnel' | 'overheadOctets'>;
};

/** One side: its wideplane, where it runs, and the host behind it with its device. */
export type Side = { wideplane: Wideplane; site: Namespace; host: Namespace; device: string; address: string };

export type Pair = { sides: readonly [Side, Side]; innerMtu: number };

export async function buildPair(options: PairOptions): Promise<Pair> {
  const { underlay, offloads, underlayMtu } = options;
  const sites = [await Namespace.create('site-1'), await Namespace.create('site-2')] as const;
  await connect([sites[0], 'e0'], [sites[1], 'e0'], { offloads, mtu: underlayMtu });
  const underlayAddresses = [SITE_ADDRESS, FAR_ADDRESS] as const;
  const addresses = [HOST_A, HOST_B] as const;
  const innerMtu = underlayMtu - (options.form?.overheadOctets ?? VXLAN_OVERHEAD_OCTETS[4]);
  const sides: Side[] = [];
  for (const index of [0, 1] as const) {
    const site = sites[index];
    const end = options.ends[index];
    if (underlay === 'udp') await site.addAddress('e0', `${underlayAddresses[index]}/24`);
    const host = end === 'tap' ? site : await Namespace.create(`host-${index}`);
    if (end === 'ring') {
      await connect([host, 'e0'], [site, 'e1'], { offloads, mtu: underlayMtu });
      await host.ip('link', 'set', 'e0', 'mtu', String(innerMtu));
    }
    const configuration = pairConfiguration(options, end, underlayAddresses[index], underlayAddresses[1 - index]!);
    const wideplane = await Wideplane.start(site, configuration);
    const device = end === 'tap' ? 'tap0' : 'e0';
    await host.addAddress(device, `${addresses[index]}/24`);
    sides.push({ wideplane, site, host, device, address: addresses[index] });
  }
  return { sides: [sides[0]!, sides[1]!], innerMtu };
}

function pairConfiguration(options: PairOptions, end: End, local: string, remote: string): string {
  const { underlay, underlayMtu, udpChecksum, form } = options;
  const inside = end === 'tap' ? 'device tap0 adapter tap' : 'device e1 adapter packet-ring';
  return `
net interface 1.1 { device e0 adapter ${underlay} }
net interface 1.2 { ${inside} }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 mtu ${underlayMtu} }
net vlan inside { interfaces { 1.2 { untagged } } tag 4093 mtu ${underlayMtu} }
net self wan-self { address ${local}/24 vlan wan allow-service none }
net tunnels vxlan vx-profile {
    defaults-from vxlan
    flooding-type multipoint
    udp-checksum ${udpChecksum ? 'enabled' : 'disabled'}
}
${form?.profile ?? ''}
net tunnels tunnel vx1 { local-address ${local} remote-address ${remote} ${form?.tunnel ?? `key ${VNI} profile vx-profile`} }
net vlan-group lan { members { inside vx1 } mode transparent bridge-traffic enabled }
`;
}
