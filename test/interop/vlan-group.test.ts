// time-out: 600 s
// VLAN groups between real hosts, in every mode, and what the hosts believe of each other.
//
//   host-a ──── e1, VLAN left [ wideplane ] VLAN right, e2 ──── host-b
//   172.16.0.1                172.16.0.9                        172.16.0.2

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Capture, countPackets, findComplaints } from './harness/capture.ts';
import { addKernelBridge, addKernelVxlan } from './harness/kernel-vxlan.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { plainFrame, sendRaw } from './harness/packets.ts';
import { Iperf3Server, ping, reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const [IP_A, IP_B, IP_SELF] = ['172.16.0.1', '172.16.0.2', '172.16.0.9'];
const [IP6_A, IP6_B] = ['2001:db8:16::1', '2001:db8:16::2'];

type Pair = { hostA: Namespace; hostB: Namespace; wideplane: Wideplane; macA: string; macB: string; macGroup: string };

/** The MAC with its local bit toggled. */
const toggled = (mac: string): string =>
  `${(Number.parseInt(mac.slice(0, 2), 16) ^ 2).toString(16).padStart(2, '0')}${mac.slice(2)}`;

async function buildPair(group: string, offloads: boolean): Promise<Pair> {
  const site = await Namespace.create('site');
  const hosts: [Namespace, Namespace] = [await Namespace.create('host-a'), await Namespace.create('host-b')];
  const [hostA, hostB] = hosts;
  for (const [index, host] of hosts.entries()) {
    await connect([host, 'e0'], [site, `e${index + 1}`], { offloads });
    await host.addAddress('e0', `172.16.0.${index + 1}/24`, `2001:db8:16::${index + 1}/64`);
  }
  const wideplane = await Wideplane.start(
    site,
    `
net interface 1.1 { device e1 }
net interface 1.2 { device e2 }
net vlan left { interfaces { 1.1 { untagged } } tag 10 }
net vlan right { interfaces { 1.2 { untagged } } tag 20 }
net vlan-group lan { members { left right } ${group} }
net self lan-self { address ${IP_SELF}/24 vlan lan allow-service none }
`,
  );
  const [macA, macB, macGroup] = await Promise.all([hostA.mac('e0'), hostB.mac('e0'), site.mac('e1')]);
  return { hostA, hostB, wideplane, macA, macB, macGroup };
}

/** The MAC that a host has for an address. */
async function believed(host: Namespace, address: string): Promise<string | undefined> {
  const [entry] = JSON.parse(await host.ip('-j', 'neighbour', 'show', address, 'dev', 'e0')) as { lladdr?: string }[];
  return entry?.lladdr;
}

async function exercise({ hostA, hostB }: Pair): Promise<void> {
  await reach(hostA, IP_B);
  for (const [from, to] of [
    [hostA, IP_B],
    [hostB, IP_A],
  ] as const) {
    for (const size of [56, 1472, 8000]) {
      const { sent, received, text } = await ping(from, to, { size });
      assert.equal(received, sent, text);
    }
  }
  const server = await Iperf3Server.start(hostB, IP_B);
  for (const reverse of [false, true]) {
    const { bitsPerSecond } = await server.measure(hostA, { reverse, seconds: 1 });
    assert.ok(bitsPerSecond > 20e6, `TCP: ${bitsPerSecond} bit/s`);
  }
  await server.stop();
}

async function exerciseIpv6({ hostA, hostB }: Pair): Promise<void> {
  await reach(hostA, IP6_B);
  const { sent, received, text } = await ping(hostB, IP6_A, { size: 1452 });
  assert.equal(received, sent, text);
}

async function exerciseSelf({ hostA, hostB, macGroup }: Pair): Promise<void> {
  for (const host of [hostA, hostB]) {
    await reach(host, IP_SELF);
    assert.equal(await believed(host, IP_SELF), macGroup);
  }
}

async function fdb(wideplane: Wideplane, vlan: string): Promise<unknown[]> {
  const [row] = await wideplane.show('net fdb vlan', vlan);
  return (row?.table?.rows ?? []).map(([mac]) => mac);
}

describe('a VLAN group', () => {
  for (const offloads of [false, true]) {
    it(`translucent, the default, offloads ${offloads ? 'on' : 'off'}: hosts see each other with the local bit toggled`, async () => {
      const pair = await buildPair('', offloads);
      const { hostA, hostB, wideplane, macA, macB } = pair;
      await exercise(pair);
      await exerciseIpv6(pair);
      await exerciseSelf(pair);
      assert.equal(await believed(hostA, IP_B), toggled(macB));
      assert.equal(await believed(hostB, IP_A), toggled(macA));
      assert.equal(await believed(hostA, IP6_B), toggled(macB));
      assert.equal(await believed(hostB, IP6_A), toggled(macA));
      assert.deepEqual(await fdb(wideplane, 'left'), [macA]);
      assert.deepEqual(await fdb(wideplane, 'right'), [macB]);
      assert.equal(await wideplane.stop(), 0, wideplane.log);
    });
  }

  it('translucent: tshark finds nothing wrong with what crosses', async () => {
    const pair = await buildPair('', false);
    await reach(pair.hostA, IP_B);
    const file = `${makeDirectory('capture')}/right.pcap`;
    const capture = await Capture.start(pair.hostB, 'e0', file, { direction: 'in' });
    await pair.hostA.ip('neighbour', 'flush', 'dev', 'e0');
    await exerciseIpv6(pair);
    await ping(pair.hostA, IP_B, { count: 3 });
    await capture.stop(8);
    assert.deepEqual(await findComplaints(file), []);
    await pair.wideplane.stop();
  });

  it('transparent: hosts see each other as they are', async () => {
    const pair = await buildPair('mode transparent', false);
    await exercise(pair);
    await exerciseIpv6(pair);
    await exerciseSelf(pair);
    assert.equal(await believed(pair.hostA, IP_B), pair.macB);
    assert.equal(await believed(pair.hostB, IP_A), pair.macA);
    await pair.wideplane.stop();
  });

  for (const offloads of [false, true]) {
    it(`opaque, offloads ${offloads ? 'on' : 'off'}: hosts see each other with the MAC of the group, one hop away`, async () => {
      const pair = await buildPair('mode opaque', offloads);
      const { hostA, hostB, wideplane, macGroup } = pair;
      await exercise(pair);
      await exerciseSelf(pair);
      assert.equal(await believed(hostA, IP_B), macGroup);
      assert.equal(await believed(hostB, IP_A), macGroup);
      assert.match((await ping(hostA, IP_B, { count: 1 })).text, /ttl=63/);
      await exerciseIpv6(pair);
      assert.equal(await believed(hostA, IP6_B), macGroup);
      assert.equal(await believed(hostB, IP6_A), macGroup);
      assert.match((await ping(hostA, IP6_B, { count: 1 })).text, /ttl=63/);
      // What the router knew is gone with the daemon; the hosts still believe in the MAC of the group.
      await wideplane.killDaemon('dataplaned');
      await reach(hostA, IP_B);
      await wideplane.stop();
    });
  }

  it('bridge-traffic: off, what is neither IP nor ARP is counted; on, it passes', async () => {
    const { hostA, hostB, wideplane, macA } = await buildPair('mode transparent', false);
    await reach(hostA, IP_B);
    const frames = Array.from({ length: 5 }, () => plainFrame('ff:ff:ff:ff:ff:ff', macA, 60));
    const file = `${makeDirectory('capture')}/frames.pcap`;
    const capture = await Capture.start(hostB, 'e0', file, { direction: 'in', filter: 'ether proto 0x88b5' });
    const drops = async (): Promise<number> => {
      const [row] = await wideplane.show('net vlan-group', 'lan');
      return row?.drops?.['traffic-not-bridged'] ?? 0;
    };
    await sendRaw(hostA, 'e0', frames);
    await waitFor('the frames are counted', 3, async () => (await drops()) === 5);
    await wideplane.tmsh('modify net vlan-group lan bridge-traffic enabled');
    await sendRaw(hostA, 'e0', frames.slice(0, 3));
    await capture.stop(3);
    assert.equal(await countPackets(file), 3);
    assert.equal(await drops(), 5);
    await wideplane.stop();
  });

  it('of a VLAN and a tunnel, translucent: the kernel behind the tunnel sees the local bit toggled', async () => {
    const [site, far, hostA, hostB] = (await Promise.all(
      ['site', 'far', 'host-a', 'host-b'].map((name) => Namespace.create(name)),
    )) as [Namespace, Namespace, Namespace, Namespace];
    await connect([site, 'e0'], [far, 'e0']);
    await connect([hostA, 'e0'], [site, 'e1']);
    await connect([hostB, 'e0'], [far, 'e1']);
    for (const [host, address] of [
      [hostA, IP_A],
      [hostB, IP_B],
    ] as const) {
      await host.ip('link', 'set', 'e0', 'mtu', '1450');
      await host.addAddress('e0', `${address}/24`);
    }
    await far.addAddress('e0', '10.9.1.2/24');
    const vxlan = await addKernelVxlan(far, { vni: 100, local: '10.9.1.2', remote: '10.9.1.1' });
    await addKernelBridge(far, 'br0', [vxlan, 'e1']);
    const wideplane = await Wideplane.start(
      site,
      `
net interface 1.1 { device e0 }
net interface 1.2 { device e1 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan inside { interfaces { 1.2 { untagged } } tag 10 }
net self wan-self { address 10.9.1.1/24 vlan wan allow-service none }
net tunnels tunnel vx1 { local-address 10.9.1.1 remote-address 10.9.1.2 key 100 profile vxlan-multipoint }
net vlan-group lan { members { inside vx1 } }
`,
    );
    await reach(hostA, IP_B);
    const { sent, received, text } = await ping(hostB, IP_A, { size: 1422 });
    assert.equal(received, sent, text);
    const [macA, macB] = [await hostA.mac('e0'), await hostB.mac('e0')];
    assert.match(await far.bridge('fdb', 'show', 'dev', vxlan), new RegExp(`^${toggled(macA)} .*master br0`, 'm'));
    assert.equal(await believed(hostA, IP_B), toggled(macB));
    // The devices of the far end speak too: the host is one of several stations.
    const [row] = await wideplane.show('net fdb tunnel', 'vx1');
    const stations = row?.table?.rows.map(([mac]) => mac) ?? [];
    assert.ok(stations.includes(macB), stations.join(' '));
    assert.ok(!stations.includes(toggled(macB)), stations.join(' '));
    await wideplane.stop();
  });
});
