// The overlay as a layer 3 interface of the host: what the host sends by it is routed, and what is routed to it arrives.
//
//   host-a ──── e1 [ wideplane: 172.16.2.254, 172.16.1.254 ] tun0 ──── the host itself: 172.16.1.1
//   172.16.2.1                  fd00:2::fe     fd00:1::fe                               fd00:1::1

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readFields } from './harness/capture.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { Iperf3Server, ping, reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const CONFIGURATION = `
net interface 1.1 { device tun0 adapter tun }
net interface 1.2 { device e1 adapter packet-ring }
net vlan host { interfaces { 1.1 { untagged } } tag 4001 }
net vlan inside { interfaces { 1.2 { untagged } } tag 4002 }
net self host4 { address 172.16.1.254/24 vlan host allow-service none }
net self host6 { address fd00:1::fe/64 vlan host allow-service none }
net self inside4 { address 172.16.2.254/24 vlan inside allow-service none }
net self inside6 { address fd00:2::fe/64 vlan inside allow-service none }
`;
const HOST = { 4: '172.16.1.1', 6: 'fd00:1::1' } as const;
const FAR = { 4: '172.16.2.1', 6: 'fd00:2::1' } as const;

async function build({ offloads }: { offloads: boolean }) {
  const site = await Namespace.create('site');
  const hostA = await Namespace.create('host-a');
  await connect([hostA, 'e0'], [site, 'e1'], { offloads });
  await hostA.addAddress('e0', `${FAR[4]}/24`, `${FAR[6]}/64`);
  await hostA.ip('route', 'add', '172.16.1.0/24', 'via', '172.16.2.254');
  await hostA.ip('route', 'add', 'fd00:1::/64', 'via', 'fd00:2::fe');
  const wideplane = await Wideplane.start(site, CONFIGURATION);
  await waitFor('the device', 5, async () => (await site.ip('link', 'show')).includes(' tun0:'));
  await configureHost(site);
  return { site, hostA, wideplane };
}

async function configureHost(site: Namespace): Promise<void> {
  await site.addAddress('tun0', `${HOST[4]}/24`, `${HOST[6]}/64`);
  await site.ip('route', 'add', '172.16.2.0/24', 'via', '172.16.1.254', 'dev', 'tun0');
  await site.ip('route', 'add', 'fd00:2::/64', 'dev', 'tun0');
}

const hasTun = async (site: Namespace): Promise<boolean> => (await site.ip('link', 'show')).includes(' tun0:');

describe('the device of a tun interface', () => {
  for (const offloads of [false, true]) {
    it(`carries echoes, TCP and UDP both ways, offloads ${offloads ? 'on' : 'off'}`, async () => {
      const { site, hostA, wideplane } = await build({ offloads });
      for (const family of [4, 6] as const) {
        await reach(site, FAR[family]);
        for (const [from, to] of [
          [site, FAR[family]],
          [hostA, HOST[family]],
        ] as const) {
          for (const options of [{ count: 5 }, { count: 3, size: 1400 }]) {
            const { received, text } = await ping(from, to, options);
            assert.equal(received, options.count, text);
          }
        }
        const server = await Iperf3Server.start(hostA, FAR[family]);
        for (const reverse of [false, true]) {
          const tcp = await server.measure(site, { seconds: 1, reverse });
          assert.ok(tcp.bitsPerSecond > 20e6, `TCP over IPv${family}, reverse ${reverse}: ${tcp.bitsPerSecond} bit/s`);
          const udp = await server.measure(site, { seconds: 1, reverse, udpRate: '5M', length: 1400 });
          assert.ok(udp.packets > 50 && udp.lostPercent < 1, `UDP over IPv${family}, reverse ${reverse}`);
        }
        await server.stop();
      }
      // The self IP of its network answers by itself.
      assert.equal((await ping(site, '172.16.1.254', { count: 3 })).received, 3);
      const [vlan] = await wideplane.show('net vlan', 'host');
      assert.ok(Number(vlan?.stats?.['Incoming Frames']) > 100, JSON.stringify(vlan));
      assert.ok(Number(vlan?.stats?.['Outgoing Frames']) > 100, JSON.stringify(vlan));
      assert.equal(await wideplane.stop(), 0, wideplane.log);
      assert.equal(await hasTun(site), false);
    });
  }

  it('is captured with an Ethernet header, so that readers know what follows', async () => {
    const { site, wideplane } = await build({ offloads: false });
    const file = `${makeDirectory('capture')}/tun.pcapng`;
    const capture = site.start(wideplane.command('tcpdump', '-i', '1.1', '-c', '4', '-w', file));
    await waitFor('four packets', 10, async () => {
      await ping(site, FAR[4], { count: 1 });
      return !capture.isRunning;
    });
    const fields = await readFields(file, 'icmp', ['ip.src', 'ip.dst', 'icmp.type']);
    // It may begin between a request and its reply.
    const first = fields.findIndex(([, , type]) => type === '8');
    assert.deepEqual(fields.slice(first, first + 2), [
      [HOST[4], FAR[4], '8'],
      [FAR[4], HOST[4], '0'],
    ]);
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });

  it('outlives a killed dataplaned, and goes when up is killed', async () => {
    const { site, wideplane } = await build({ offloads: false });
    await reach(site, FAR[4]);
    await wideplane.killDaemon('dataplaned');
    await reach(site, FAR[4]);
    assert.match(await site.ip('address', 'show', 'dev', 'tun0'), /172\.16\.1\.1\/24/);
    wideplane.kill();
    await waitFor('no device', 5, async () => !(await hasTun(site)));
  });

  it('comes back when somebody deletes it, and goes with its interface', async () => {
    const { site, wideplane } = await build({ offloads: false });
    await reach(site, FAR[4]);
    await site.ip('link', 'delete', 'tun0');
    await waitFor('the device', 10, () => hasTun(site));
    await configureHost(site);
    await reach(site, FAR[4], 10);
    await wideplane.tmsh('delete net self host4');
    await wideplane.tmsh('delete net self host6');
    await wideplane.tmsh('modify net vlan host interfaces none');
    await wideplane.tmsh('delete net interface 1.1');
    await waitFor('no device', 5, async () => !(await hasTun(site)));
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });

  it('has to be a TUN device, and the failure names it', async () => {
    const site = await Namespace.create('site');
    await site.ip('tuntap', 'add', 'dev', 'tun0', 'mode', 'tap');
    const wideplane = await Wideplane.start(site, CONFIGURATION);
    await waitFor(
      'the reason in the log',
      5,
      () => wideplane.log.includes('property device, value tun0: exists and is no TUN device'),
      () => wideplane.log,
    );
    assert.equal(await wideplane.stop(), 0, wideplane.log);
    assert.ok(await hasTun(site));
  });
});
