// time-out: 600 s
// Packets that do not fit, against Linux: cut, reported and put together; path MTU through a router; TCP through a clamp.
//
//   host-a ── e1 [ site: wideplane ] e0 ════ r0 [ router: kernel ] r1 ════ e0 [ far: kernel VXLAN ] e1 ── host-b
//   172.16.0.1        10.9.1.1               10.9.1.254  10.9.2.254           10.9.2.2              172.16.0.2
//   2001:db8:16::1    lan: 172.16.0.254, 2001:db8:16::254                                           2001:db8:16::2

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Capture, findComplaints, readFields } from './harness/capture.ts';
import { addKernelBridge, addKernelVxlan } from './harness/kernel-vxlan.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { Iperf3Server, ping, reach } from './harness/traffic.ts';
import { Wideplane } from './harness/wideplane.ts';

const VNI = 100;
const [SITE, FAR] = ['10.9.1.1', '10.9.2.2'];
const [HOST_A, HOST_B, SELF] = ['172.16.0.1', '172.16.0.2', '172.16.0.254'];
const [HOST6_A, HOST6_B, SELF6] = ['2001:db8:16::1', '2001:db8:16::2', '2001:db8:16::254'];

type Options = {
  /** MTU of the links from wideplane to the router, and from there to the peer. */
  linkMtu: number;
  pathMtu: number;
  /** More properties of the tunnel. */
  tunnel?: string;
  offloads?: boolean;
};

type Site = {
  site: Namespace;
  router: Namespace;
  far: Namespace;
  hostA: Namespace;
  hostB: Namespace;
  wideplane: Wideplane;
};

async function build({ linkMtu, pathMtu, tunnel = '', offloads = false }: Options): Promise<Site> {
  const site = await Namespace.create('site');
  const router = await Namespace.create('router');
  const far = await Namespace.create('far');
  const hostA = await Namespace.create('host-a');
  const hostB = await Namespace.create('host-b');
  await connect([site, 'e0'], [router, 'r0'], { offloads, mtu: linkMtu });
  await connect([router, 'r1'], [far, 'e0'], { offloads, mtu: pathMtu });
  await connect([hostA, 'e0'], [site, 'e1'], { offloads });
  await connect([hostB, 'e0'], [far, 'e1'], { offloads });
  await router.addAddress('r0', '10.9.1.254/24');
  await router.addAddress('r1', '10.9.2.254/24');
  await router.sysctl({ 'net.ipv4.ip_forward': '1' });
  await far.addAddress('e0', `${FAR}/24`);
  await far.ip('route', 'add', '10.9.1.0/24', 'via', '10.9.2.254');
  await hostA.addAddress('e0', `${HOST_A}/24`, `${HOST6_A}/64`);
  await hostB.addAddress('e0', `${HOST_B}/24`, `${HOST6_B}/64`);
  // As large as what the hosts send: its outer packets may be fragmented, and are.
  const vxlan = await addKernelVxlan(far, { vni: VNI, local: FAR, remote: SITE, mtu: 1500 });
  await addKernelBridge(far, 'br0', [vxlan, 'e1']);
  const wideplane = await Wideplane.start(
    site,
    `
net interface 1.1 { device e0 adapter packet-ring }
net interface 1.2 { device e1 adapter packet-ring }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 mtu ${linkMtu} }
net vlan inside { interfaces { 1.2 { untagged } } tag 4093 }
net self wan-self { address ${SITE}/24 vlan wan allow-service none }
net route far { network 10.9.2.0/24 gw 10.9.1.254 }
net tunnels tunnel vx1 { local-address ${SITE} remote-address ${FAR} key ${VNI} profile vxlan-multipoint ${tunnel} }
net vlan-group lan { members { inside vx1 } mode transparent bridge-traffic enabled }
net self lan-self { address ${SELF}/24 vlan lan allow-service none }
net self lan-self6 { address ${SELF6}/64 vlan lan allow-service none }
`,
  );
  await reach(hostA, HOST_B);
  return { site, router, far, hostA, hostB, wideplane };
}

/** Echoes that may be cut on their way; none may be lost. */
async function echo(from: Namespace, to: string, sizes: readonly number[]): Promise<void> {
  for (const size of sizes) {
    const { sent, received, text } = await ping(from, to, { size, count: 3, forbidsNothing: true });
    assert.equal(received, sent, `${size} octets from ${from.name}\n${text}`);
  }
}

/** The MTU that a host is told of when it sends a packet of 1500 octets that must not be cut. */
async function toldMtu(from: Namespace, to: string): Promise<number> {
  const size = to.includes(':') ? 1452 : 1472;
  const { text } = await ping(from, to, { size, count: 4, intervalSeconds: 0.1, dontFragment: true });
  return Number(/mtu ?[=:] ?(\d+)/.exec(text)?.[1] ?? 0);
}

async function drops(wideplane: Wideplane, type = 'net tunnels tunnel', name = 'vx1'): Promise<object> {
  const [row] = await wideplane.show(type, name);
  return row?.drops ?? {};
}

it('echoes of every size pass a link that is smaller than those of the hosts', async () => {
  const { hostA, hostB, router, wideplane } = await build({ linkMtu: 1400, pathMtu: 1400 });
  const edges = [56, 1321, 1322, 1323, 1330, 1471, 1472, 1473, 2800, 9000, 30_000];
  await echo(hostA, HOST_B, edges);
  await echo(hostB, HOST_A, edges);
  await echo(router, SITE, [56, 1372, 1373, 5000, 9000]);
  assert.deepEqual(await drops(wideplane), {});
  assert.equal(await wideplane.stop(), 0, wideplane.log);
});

it('hosts are told the MTU of the tunnel when their packets must not be cut', async () => {
  const { hostA, wideplane } = await build({ linkMtu: 1400, pathMtu: 1400 });
  assert.equal(await toldMtu(hostA, HOST_B), 1350);
  assert.equal(await toldMtu(hostA, HOST6_B), 1350);
  await hostA.ip('route', 'flush', 'cache');
  const traced = await hostA.run(['tracepath', '-n', HOST_B], { seconds: 30 });
  assert.match(traced, /pmtu 1350/);
  assert.match(traced, /Resume: pmtu 1350 hops 1/);
  assert.deepEqual(Object.keys(await drops(wideplane)), ['tunnel-mtu-exceeded']);
  await wideplane.stop();
});

it('a tunnel without use-pmtu sends fragments, which the kernel puts together', async () => {
  const tunnel = 'use-pmtu disabled mtu 1500';
  const { hostA, hostB, far, wideplane } = await build({ linkMtu: 1400, pathMtu: 1400, tunnel });
  const file = `${makeDirectory('capture')}/outer.pcap`;
  const capture = await Capture.start(far, 'e0', file);
  for (const [from, to] of [
    [hostA, HOST_B],
    [hostB, HOST_A],
  ] as const) {
    const isOurs = from === hostA;
    const options = { size: 1472, dontFragment: isOurs, forbidsNothing: !isOurs };
    const { sent, received, text } = await ping(from, to, options);
    assert.equal(received, sent, text);
  }
  const server = await Iperf3Server.start(hostB, HOST_B);
  const udp = await server.measure(hostA, { seconds: 2, udpRate: '4M', length: 1472 });
  assert.ok(udp.packets > 100 && udp.lostPercent < 1, JSON.stringify(udp));
  await server.stop();
  await capture.stop(20);
  assert.deepEqual(await findComplaints(file), []);
  const from = (address: string): Promise<string[][]> =>
    readFields(file, `ip.flags.mf == 1 && ip.src == ${address}`, ['ip.len'], ['-o', 'ip.defragment:FALSE']);
  assert.ok((await from(SITE)).length > 100, 'wideplane has sent fragments');
  assert.ok((await from(FAR)).length >= 5, 'the kernel has sent fragments');
  assert.deepEqual(await drops(wideplane), {});
  await wideplane.stop();
});

it('the path MTU is learned from a router on the way, and hosts are told', async () => {
  const { hostA, hostB, wideplane } = await build({ linkMtu: 1600, pathMtu: 1400 });
  assert.equal(await toldMtu(hostA, HOST_B), 1350, 'the first packet of this size is lost at the router');
  await echo(hostA, HOST_B, [1400, 3000]);
  await echo(hostB, HOST_A, [1400, 3000]);
  const server = await Iperf3Server.start(hostB, HOST_B);
  const tcp = await server.measure(hostA, { seconds: 2 });
  assert.ok(tcp.bitsPerSecond > 5e6, `${tcp.bitsPerSecond} bit/s`);
  await server.stop();
  await wideplane.stop();
});

it('sockets of the machine itself are told what the tunnel and the path carry', async () => {
  for (const linkMtu of [1400, 1600]) {
    const { site, hostB, wideplane } = await build({ linkMtu, pathMtu: 1400 });
    assert.equal(await toldMtu(site, HOST_B), 1350, `links of ${linkMtu}`);
    assert.equal(await toldMtu(site, HOST6_B), 1350, `links of ${linkMtu}`);
    const server = await Iperf3Server.start(hostB, HOST_B);
    await site.ip('route', 'flush', 'cache');
    const { bitsPerSecond } = await server.measure(site, { seconds: 2 });
    assert.ok(bitsPerSecond > 5e6, `${bitsPerSecond} bit/s`);
    await server.stop();
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  }
});

it('TCP passes with mss-clamp though nobody learns of the small link', async () => {
  const { hostA, hostB, wideplane } = await build({ linkMtu: 1400, pathMtu: 1400, tunnel: 'mss-clamp auto' });
  for (const host of [hostA, hostB]) {
    const hook = 'add chain ip silent in { type filter hook input priority 0; }';
    const rule = 'add rule ip silent in icmp type destination-unreachable drop';
    for (const command of ['add table ip silent', hook, rule]) await host.run(['nft', command]);
  }
  const file = `${makeDirectory('capture')}/syn.pcap`;
  const capture = await Capture.start(hostB, 'e0', file, { filter: 'tcp[tcpflags] & tcp-syn != 0' });
  const server = await Iperf3Server.start(hostB, HOST_B);
  for (const reverse of [false, true]) {
    const { bitsPerSecond } = await server.measure(hostA, { seconds: 2, reverse });
    assert.ok(bitsPerSecond > 5e6, `${reverse ? 'to' : 'from'} host-a: ${bitsPerSecond} bit/s`);
  }
  await server.stop();
  await capture.stop(8);
  const offered = await readFields(file, 'tcp.flags.syn == 1 && tcp.flags.ack == 0', ['tcp.options.mss_val']);
  assert.deepEqual(new Set(offered.flat()), new Set(['1310']), 'what host-a offers, as host-b gets it');
  assert.deepEqual(await drops(wideplane), {});
  await wideplane.stop();
});
