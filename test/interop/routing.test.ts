// time-out: 600 s
// wideplane as a router between hosts with real kernels.
//
//   host-a ── e1, VLAN a [ wideplane ] VLAN b, e2 ── host-b
//   10.1.0.10   10.1.0.1              10.2.0.1       10.2.0.20
//
// Two route domains have the same addresses twice. The manual's sample routes into a VXLAN tunnel without flooding, whose
// two remote ends are behind a router of the underlay.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Capture, findBadChecksums, readFields } from './harness/capture.ts';
import { addKernelVxlan } from './harness/kernel-vxlan.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { Iperf3Server, ping, reach } from './harness/traffic.ts';
import { Wideplane } from './harness/wideplane.ts';

const [IP_A, IP_B] = ['10.1.0.10', '10.2.0.20'];
const [IP6_A, IP6_B] = ['2001:db8:a::10', '2001:db8:b::20'];

type Host = { name: string; device: string; addresses: readonly string[]; gateways: readonly string[] };

const HOST_A: Host = {
  name: 'host-a',
  device: 'e1',
  addresses: [`${IP_A}/24`, `${IP6_A}/64`],
  gateways: ['10.1.0.1', '2001:db8:a::1'],
};
const HOST_B: Host = {
  name: 'host-b',
  device: 'e2',
  addresses: [`${IP_B}/24`, `${IP6_B}/64`],
  gateways: ['10.2.0.1', '2001:db8:b::1'],
};

async function addHost(
  site: Namespace,
  { name, device, addresses, gateways }: Host,
  offloads = true,
): Promise<Namespace> {
  const host = await Namespace.create(name);
  await connect([host, 'e0'], [site, device], { offloads });
  await host.addAddress('e0', ...addresses);
  for (const gateway of gateways) await host.ip('route', 'add', 'default', 'via', gateway, 'dev', 'e0');
  return host;
}

const VLANS = `
net interface 1.1 { device e1 }
net interface 1.2 { device e2 }
net vlan a { interfaces { 1.1 { untagged } } tag 10 }
net vlan b { interfaces { 1.2 { untagged } } tag 20 mtu 1400 }
net self a4 { address 10.1.0.1/24 vlan a allow-service none }
net self b4 { address 10.2.0.1/24 vlan b allow-service none }
net self a6 { address 2001:db8:a::1/64 vlan a allow-service none }
net self b6 { address 2001:db8:b::1/64 vlan b allow-service none }
`;

describe('routing between two VLANs', () => {
  for (const offloads of [true, false]) {
    it(`carries echo and TCP over both IP versions, with offloads ${offloads ? 'on' : 'off'}`, async () => {
      const site = await Namespace.create('site');
      const hostA = await addHost(site, HOST_A, offloads);
      const hostB = await addHost(site, HOST_B, offloads);
      const wideplane = await Wideplane.start(site, VLANS);
      const capture = await Capture.start(hostB, 'e0', `${makeDirectory('capture')}/b.pcap`, { direction: 'in' });
      for (const to of [IP_B, IP6_B]) {
        await reach(hostA, to);
        const { sent, received, text } = await ping(hostA, to, { size: 1200 });
        assert.equal(received, sent, text);
        const server = await Iperf3Server.start(hostB, to);
        for (const reverse of [false, true]) {
          // So few that the capture is soon read.
          const { bitsPerSecond } = await server.measure(hostA, { reverse, octets: 8e6 });
          assert.ok(
            bitsPerSecond > 20e6,
            `TCP to ${to}: ${bitsPerSecond} bit/s\n${await wideplane.tmsh('show net vlan')}`,
          );
        }
        await server.stop();
      }
      await capture.stop();
      // Between kernels of one machine nothing finishes what was left to a card.
      if (!offloads) assert.deepEqual(await findBadChecksums(capture.file), []);
    });
  }

  it('is seen by traceroute and tracepath', async () => {
    const site = await Namespace.create('site');
    const hostA = await addHost(site, HOST_A, false);
    await addHost(site, HOST_B, false);
    await Wideplane.start(site, VLANS);
    const capture = await Capture.start(hostA, 'e0', `${makeDirectory('capture')}/a.pcap`);
    for (const [to, own] of [
      [IP_B, '10.1.0.1'],
      [IP6_B, '2001:db8:a::1'],
    ] as const) {
      await reach(hostA, to);
      const trace = await hostA.run(['traceroute', '-n', '-q', '1', '-w', '2', to]);
      assert.match(trace, new RegExp(` 1 +${own} `), trace);
      assert.match(trace, new RegExp(` 2 +${to} `), trace);
      const path = await hostA.run(['tracepath', '-n', '-m', '4', to]);
      assert.match(path, /pmtu 1400/, path);
      assert.match(path, /Resume: pmtu 1400 hops 2/, path);
    }
    await capture.stop();
    assert.deepEqual(await findBadChecksums(capture.file), []);
    assert.deepEqual(await readFields(capture.file, '_ws.malformed', ['frame.number']), []);
  });

  it('is a router to neighbour discovery: hosts keep what they learned of the path behind it', async () => {
    const site = await Namespace.create('site');
    const hostA = await addHost(site, HOST_A);
    const hostB = await addHost(site, HOST_B);
    await hostB.ip('link', 'set', 'e0', 'mtu', '1400');
    const wideplane = await Wideplane.start(site, VLANS);
    await reach(hostA, IP6_B);
    // The first is told the MTU, the next one fits.
    await reach(hostA, IP6_B, 5, { size: 1452 });
    const route = (): Promise<string> => hostA.ip('-6', 'route', 'get', IP6_B);
    assert.match(await route(), /mtu 1400/);
    // Linux forgets the MTU behind a next hop that is no router, each time it tidies up.
    await hostA.sysctl({ 'net.ipv6.route.flush': '1' });
    assert.match(await route(), /mtu 1400/);
    const neighbours = await hostA.ip('-6', 'neighbour', 'show', '2001:db8:a::1', 'dev', 'e0');
    assert.match(neighbours, /lladdr .* router /);
    await wideplane.stop();
  });

  it('says when there is no route, and when a host does not answer', async () => {
    const site = await Namespace.create('site');
    const hostA = await addHost(site, HOST_A);
    const wideplane = await Wideplane.start(site, VLANS);
    await reach(hostA, '10.1.0.1');
    assert.match((await ping(hostA, '10.99.0.1', { count: 1 })).text, /From 10\.1\.0\.1 .*Net Unreachable/);
    assert.match(
      (await ping(hostA, '10.2.0.77', { count: 5, waitSeconds: 8 })).text,
      /From 10\.1\.0\.1 .*Host Unreachable/,
    );
    await wideplane.tmsh('create net route hole { network 10.99.0.0/16 blackhole }');
    const { received, text } = await ping(hostA, '10.99.0.1', { count: 1 });
    assert.equal(received, 0);
    assert.doesNotMatch(text, /Unreachable/);
    const [row] = await wideplane.show('net vlan', 'a');
    assert.equal(row?.drops?.['no-route'], 1, JSON.stringify(row));
    assert.equal(row.drops.blackhole, 1);
    assert.ok((row.drops['neighbour-unresolved'] ?? 0) > 0);
  });
});

describe('two route domains with the same addresses', () => {
  it('are strangers to each other', async () => {
    const site = await Namespace.create('site');
    const hosts = [
      await addHost(site, HOST_A),
      await addHost(site, HOST_B),
      await addHost(site, { ...HOST_A, name: 'host-c', device: 'e3' }),
      await addHost(site, { ...HOST_B, name: 'host-d', device: 'e4' }),
    ] as const;
    await Wideplane.start(
      site,
      `${VLANS}
net interface 1.3 { device e3 }
net interface 1.4 { device e4 }
net vlan c { interfaces { 1.3 { untagged } } tag 30 }
net vlan d { interfaces { 1.4 { untagged } } tag 40 }
net route-domain 7 { vlans { c d } }
net self c4 { address 10.1.0.1%7/24 vlan c allow-service none }
net self d4 { address 10.2.0.1%7/24 vlan d allow-service none }
`,
    );
    const captures = await Promise.all(
      [hosts[1], hosts[3]].map((host, at) => Capture.start(host, 'e0', `${makeDirectory('capture')}/${at}.pcap`)),
    );
    await reach(hosts[0], IP_B);
    await reach(hosts[2], IP_B);
    assert.equal((await ping(hosts[0], IP_B, { size: 100 })).received, 5);
    assert.equal((await ping(hosts[2], IP_B, { size: 200 })).received, 5);
    for (const [at, capture] of captures.entries()) {
      await capture.stop();
      const sizes = await readFields(capture.file, 'icmp.type == 8 && data.len > 56', ['data.len']);
      assert.deepEqual([...new Set(sizes.flat())], [at === 0 ? '92' : '192']);
    }
  });
});

describe("the manual's sample of routes through a VXLAN tunnel", () => {
  //   host ── e2, legacy5000 [ wideplane ] wan, e1 ── router ─┬─ 10.1.2.1, behind it 10.3.3.2 and 10.5.5.0/24
  //   10.4.4.10   10.4.4.1%5000    10.1.1.1        10.1.1.254 └─ 10.1.3.1, behind it 10.3.3.3 and 10.6.6.0/24
  it('reaches hosts behind remote ends that a route of the underlay leads to', async () => {
    const site = await Namespace.create('site');
    const router = await Namespace.create('router');
    await connect([router, 'r0'], [site, 'e1'], { mtu: 1600 });
    await router.addAddress('r0', '10.1.1.254/24');
    await router.sysctl({ 'net.ipv4.ip_forward': '1' });
    const remotes = await Promise.all([2, 3].map((number) => addRemote(router, number)));
    const host = await addHost(site, {
      name: 'host',
      device: 'e2',
      addresses: ['10.4.4.10/24'],
      gateways: ['10.4.4.1'],
    });
    const wideplane = await Wideplane.start(site, SAMPLE);
    for (const [number, remote] of remotes.entries()) {
      const far = `10.${5 + number}.${5 + number}.9`;
      await reach(host, far);
      const { sent, received, text } = await ping(remote, '10.4.4.10', { size: 1422 });
      assert.equal(received, sent, text);
      const server = await Iperf3Server.start(remote, far);
      for (const reverse of [false, true]) {
        const { bitsPerSecond } = await server.measure(host, { reverse, seconds: 1 });
        assert.ok(bitsPerSecond > 10e6, `TCP: ${bitsPerSecond} bit/s`);
      }
      await server.stop();
    }
    // The other route domain knows nothing of it.
    assert.equal((await ping(router, '10.4.4.10', { count: 1 })).received, 0);
    assert.match(await wideplane.tmsh('show net route'), /10\.5\.5\.0%5000\/24/);
  });
});

/** A remote end of the sample: a router for a network of its own, behind a kernel's VXLAN device. */
async function addRemote(router: Namespace, number: number): Promise<Namespace> {
  const remote = await Namespace.create(`remote-${number}`);
  await connect([remote, 'e0'], [router, `r${number}`], { mtu: 1600 });
  await remote.addAddress('e0', `10.1.${number}.1/24`);
  await router.addAddress(`r${number}`, `10.1.${number}.254/24`);
  await remote.ip('route', 'add', '10.1.1.0/24', 'via', `10.1.${number}.254`);
  await addKernelVxlan(remote, { vni: 5000, local: `10.1.${number}.1`, remote: '10.1.1.1', mtu: 1500 });
  await remote.ip('link', 'set', 'vx0', 'address', `00:ff:0a:03:03:0${number}`);
  await remote.addAddress('vx0', `10.3.3.${number}/24`);
  await remote.ip('route', 'add', '10.4.4.0/24', 'via', '10.3.3.1');
  const network = number + 3;
  await remote.addAddress('lo', `10.${network}.${network}.9/32`);
  return remote;
}

const SAMPLE = `
net interface 1.1 { device e1 }
net interface 2.1 { device e2 }
net vlan wan { interfaces { 1.1 { untagged } } mtu 1550 }
net self 10.1.1./24 { address 10.1.1.1/24 vlan wan }
net tunnels vxlan vxlan-static { flooding-type none }
net tunnels tunnel vxlan5000 { local-address 10.1.1.1 remote-address any profile vxlan-static key 5000 }
net vlan legacy5000 { interfaces { 2.1 { untagged } } }
net route-domain 5000 { id 5000 vlans { vxlan5000 legacy5000 } }
net self 10.3.3.1%5000/24 { address 10.3.3.1%5000/24 vlan vxlan5000 }
net self 10.4.4.1%5000/24 { address 10.4.4.1%5000/24 vlan legacy5000 }
net route 10.5.5.0%5000/24 { network 10.5.5.0%5000/24 gw 10.3.3.2%5000 }
net route 10.6.6.0%5000/24 { network 10.6.6.0%5000/24 gw 10.3.3.3%5000 }
net fdb tunnel vxlan5000 {
  records {
    00:FF:0A:03:03:02 { endpoint 10.1.2.1 }
    00:FF:0A:03:03:03 { endpoint 10.1.3.1 }
  }
}
net arp 10.3.3.2%5000 { mac-address 00:FF:0A:03:03:02 }
net arp 10.3.3.3%5000 { mac-address 00:FF:0A:03:03:03 }
net route underlay { network default gw 10.1.1.254 }
`;
