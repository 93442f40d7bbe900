// The lab of scripts/run: one network over three tunnels to three kinds of peer, in namespaces of its own.
//
//                                                    ┌─ 10.9.1.2  kernel: Linux kernel VXLAN ─────── host-b 172.16.0.2
//   host-a ── e1 [ site-1: wideplane ] e0 ── wan ────┼─ 10.9.1.3  switch: Open vSwitch ──────────── host-c 172.16.0.3
//   172.16.0.1      packet-ring       10.9.1.1       └─ 10.9.1.4  site-2: wideplane, adapter udp ── host-d 172.16.0.4

import { addKernelBridge, addKernelVxlan } from '../../test/interop/harness/kernel-vxlan.ts';
import { connect, Namespace } from '../../test/interop/harness/namespace.ts';
import { OpenVswitch } from '../../test/interop/harness/open-vswitch.ts';
import { ALL_DAEMONS, Wideplane } from '../../test/interop/harness/wideplane.ts';

/** IPv4 20, UDP 8, VXLAN 8 and the inner Ethernet header 14 leave this of an underlay of 1500 octets. */
const INNER_MTU = 1450;

export type Branch = {
  /** Name of the tunnel in site-1. */
  tunnel: string;
  vni: number;
  /** Underlay address of the other end. */
  remote: string;
  peer: string;
  host: Namespace;
  hostName: string;
  /** Address of the host behind the other end. */
  address: string;
};

export type Lab = {
  hostA: Namespace;
  hostAddress: string;
  branches: Branch[];
  sites: { name: string; wideplane: Wideplane }[];
};

const SITE_1 = `
net interface 1.1 { device e0 adapter packet-ring }
net interface 1.2 { device e1 adapter packet-ring }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan inside { interfaces { 1.2 { untagged } } tag 10 }
net self wan-self { address 10.9.1.1/24 vlan wan allow-service none }
net tunnels tunnel to-kernel { local-address 10.9.1.1 remote-address 10.9.1.2 key 100 profile vxlan-multipoint }
net tunnels tunnel to-switch { local-address 10.9.1.1 remote-address 10.9.1.3 key 200 profile vxlan-multipoint }
net tunnels tunnel to-site-2 { local-address 10.9.1.1 remote-address 10.9.1.4 key 300 profile vxlan-multipoint }
net vlan-group lan { members { inside to-kernel to-switch to-site-2 } mode transparent }
`;

const SITE_2 = `
net interface 1.1 { device e0 adapter udp }
net interface 1.2 { device e1 adapter packet-ring }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan inside { interfaces { 1.2 { untagged } } tag 10 }
net self wan-self { address 10.9.1.4/24 vlan wan allow-service none }
net tunnels tunnel to-site-1 { local-address 10.9.1.4 remote-address 10.9.1.1 key 300 profile vxlan-multipoint }
net vlan-group lan { members { inside to-site-1 } mode transparent }
`;

/** Makes the namespaces, starts the peers and both sites. */
export async function buildLab(): Promise<Lab> {
  const wan = await Namespace.create('wan');
  const [site1, kernel, openVswitch, site2] = await Promise.all(
    ['site-1', 'kernel', 'switch', 'site-2'].map((name) => Namespace.create(name)),
  );
  const sites = [site1!, kernel!, openVswitch!, site2!];
  for (const [index, site] of sites.entries()) await connect([wan, `p${index + 1}`], [site, 'e0']);
  await addKernelBridge(
    wan,
    'br0',
    sites.map((_, index) => `p${index + 1}`),
  );

  const hosts: Namespace[] = [];
  for (const [index, site] of sites.entries()) {
    const host = await Namespace.create(`host-${'abcd'[index]!}`);
    await connect([host, 'e0'], [site, 'e1']);
    await host.ip('link', 'set', 'e0', 'mtu', String(INNER_MTU));
    await host.addAddress('e0', `172.16.0.${index + 1}/24`);
    hosts.push(host);
  }

  await kernel!.addAddress('e0', '10.9.1.2/24');
  const vxlan = await addKernelVxlan(kernel!, { vni: 100, local: '10.9.1.2', remote: '10.9.1.1', mtu: INNER_MTU });
  await addKernelBridge(kernel!, 'br0', [vxlan, 'e1']);

  const ovs = await OpenVswitch.start(openVswitch!, { device: 'e0', addresses: ['10.9.1.3/24'] });
  await ovs.addTunnel('vx', { remote: '10.9.1.1', key: 200 });
  await ovs.addPort('e1');

  await site2!.addAddress('e0', '10.9.1.4/24');
  const daemons = { daemons: ALL_DAEMONS };
  const [first, second] = await Promise.all([
    Wideplane.start(site1!, SITE_1, daemons),
    Wideplane.start(site2!, SITE_2, daemons),
  ]);

  const branch = (index: number, tunnel: string, vni: number, peer: string): Branch => ({
    tunnel,
    vni,
    peer,
    remote: `10.9.1.${index + 1}`,
    host: hosts[index]!,
    hostName: `host-${'abcd'[index]!}`,
    address: `172.16.0.${index + 1}`,
  });
  return {
    hostA: hosts[0]!,
    hostAddress: '172.16.0.1',
    branches: [
      branch(1, 'to-kernel', 100, 'Linux kernel'),
      branch(2, 'to-switch', 200, 'Open vSwitch'),
      branch(3, 'to-site-2', 300, 'wideplane, udp'),
    ],
    sites: [
      { name: 'site-1', wideplane: first },
      { name: 'site-2', wideplane: second },
    ],
  };
}
