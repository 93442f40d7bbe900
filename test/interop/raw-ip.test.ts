// alone
// time-out: 900 s
// GRE and EtherIP over an address that is the kernel's: by raw sockets of the addon, and without it by the package raw-socket.
//
//   host-a ──── e1 [ site: wideplane, raw-ip ] e0 ════ e0 [ far: Open vSwitch, or wideplane with packet-ring ] e1 ──── host-b
//   172.16.0.1                       10.9.1.1          10.9.1.2                                              172.16.0.2
//                                    2001:db8:9::1     2001:db8:9::2   (with underlay 6)

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Capture, findComplaints, readFields } from './harness/capture.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { OpenVswitch } from './harness/open-vswitch.ts';
import { exerciseEchoes } from './harness/exercise.ts';
import { buildSite, FAR_ADDRESS, HOST_A, HOST_B, SITE_ADDRESS, UNDERLAY } from './harness/site.ts';
import { Iperf3Server, ping, reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

type Kind = 'teb' | 'etherip';
type Row = {
  kind: Kind;
  peer: 'open-vswitch' | 'wideplane';
  underlay?: 4 | 6;
  offloads?: boolean;
  withoutAddon?: boolean;
};

const KEY = 100;
const PROFILES: Record<Kind, string> = {
  teb: 'net tunnels gre p { defaults-from gre encapsulation transparent-ethernet-bridging }',
  etherip: 'net tunnels etherip p { defaults-from etherip }',
};
/** Outer IP header, header of the tunnel with its key, inner Ethernet header. */
const OVERHEAD: Record<Kind, Record<4 | 6, number>> = {
  teb: { 4: 20 + 8 + 14, 6: 40 + 8 + 14 },
  etherip: { 4: 20 + 2 + 14, 6: 40 + 2 + 14 },
};

const configurationOf = (kind: Kind, adapters: readonly [string, string], local: string, remote: string): string => `
net interface 1.1 { device e0 adapter ${adapters[0]} }
net interface 1.2 { device e1 adapter ${adapters[1]} }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan inside { interfaces { 1.2 { untagged } } tag 4093 }
net self wan-self { address ${local}/${local.includes(':') ? 64 : 24} vlan wan allow-service none }
${PROFILES[kind]}
net tunnels tunnel t1 { local-address ${local} remote-address ${remote} ${kind === 'teb' ? `key ${KEY}` : ''} profile p }
net vlan-group lan { members { inside t1 } mode transparent bridge-traffic enabled }
`;

async function build({ kind, peer, underlay = 4, offloads = false, withoutAddon = false }: Row) {
  const names = ['site', 'far', 'host-a', 'host-b'];
  const [site, far, hostA, hostB] = (await Promise.all(names.map((name) => Namespace.create(name)))) as [
    Namespace,
    Namespace,
    Namespace,
    Namespace,
  ];
  const { site: local, far: remote, prefixBits } = UNDERLAY[underlay];
  const innerMtu = 1500 - OVERHEAD[kind][underlay];
  await connect([site, 'e0'], [far, 'e0'], { offloads });
  await connect([hostA, 'e0'], [site, 'e1'], { offloads });
  await connect([hostB, 'e0'], [far, 'e1'], { offloads: offloads && peer !== 'open-vswitch' });
  for (const [host, address] of [
    [hostA, HOST_A],
    [hostB, HOST_B],
  ] as const) {
    await host.ip('link', 'set', 'e0', 'mtu', String(innerMtu));
    await host.addAddress('e0', `${address}/24`);
  }
  await site.addAddress('e0', `${local}/${prefixBits}`);
  if (peer === 'open-vswitch') {
    const ovs = await OpenVswitch.start(far, { device: 'e0', addresses: [`${remote}/${prefixBits}`] });
    await ovs.addTunnel('gre1', { type: 'gre', remote: local, key: KEY });
    await ovs.addPort('e1');
  } else {
    await Wideplane.start(far, configurationOf(kind, ['packet-ring', 'packet-ring'], remote, local));
  }
  if (withoutAddon) process.env.WIDEPLANE_ADDON = '/nonexistent.node';
  const inside = withoutAddon ? 'pcap' : 'packet-ring';
  const wideplane = await Wideplane.start(site, configurationOf(kind, ['raw-ip', inside], local, remote)).finally(
    () => delete process.env.WIDEPLANE_ADDON,
  );
  assert.equal(wideplane.log.includes('cannot load /nonexistent.node'), withoutAddon);
  return { site, far, hostA, hostB, wideplane, innerMtu, local, remote };
}

const ROWS: Row[] = [
  { kind: 'teb', peer: 'open-vswitch' },
  { kind: 'teb', peer: 'wideplane' },
  { kind: 'teb', peer: 'wideplane', offloads: true },
  { kind: 'teb', peer: 'wideplane', underlay: 6 },
  { kind: 'etherip', peer: 'wideplane' },
  { kind: 'etherip', peer: 'wideplane', offloads: true },
  { kind: 'etherip', peer: 'wideplane', underlay: 6 },
  { kind: 'teb', peer: 'open-vswitch', withoutAddon: true },
  { kind: 'teb', peer: 'wideplane', withoutAddon: true },
  { kind: 'etherip', peer: 'wideplane', withoutAddon: true },
];

describe('tunnels through raw sockets', () => {
  for (const row of ROWS) {
    const { kind, peer, underlay = 4, offloads = false, withoutAddon = false } = row;
    const form = withoutAddon ? 'raw-socket' : 'addon';
    it(`${kind} with ${peer}, by ${form}, IPv${underlay}, offloads ${offloads ? 'on' : 'off'}`, async () => {
      const { far, hostA, hostB, wideplane, innerMtu, local } = await build(row);
      await reach(hostA, HOST_B, 10);
      for (const [from, to] of [
        [hostA, HOST_B],
        [hostB, HOST_A],
      ] as const) {
        for (const options of [
          { count: 10 },
          { count: 5, size: innerMtu - 28, dontFragment: true },
          { count: 3, size: 20_000 },
        ]) {
          const { received, sent, text } = await ping(from, to, options);
          assert.equal(received, sent, `${JSON.stringify(options)} from ${from.name}\n${text}`);
        }
      }
      const server = await Iperf3Server.start(hostB, HOST_B);
      for (const reverse of [false, true]) {
        const tcp = await server.measure(hostA, { reverse, seconds: 1 });
        assert.ok(tcp.bitsPerSecond > 10e6, `TCP, reverse ${reverse}: ${tcp.bitsPerSecond} bit/s`);
        const udp = await server.measure(hostA, { reverse, seconds: 1, udpRate: '3M', length: innerMtu - 28 });
        assert.ok(udp.packets > 50 && udp.lostPercent < 1, `UDP, reverse ${reverse}: ${udp.lostPercent} % lost`);
      }
      await server.stop();
      if (!offloads) {
        const capture = await Capture.start(far, 'e0', `${makeDirectory('capture')}/e0.pcap`, { direction: 'in' });
        await ping(hostA, HOST_B, { count: 5, size: innerMtu - 28 });
        await capture.stop(5);
        assert.deepEqual(await findComplaints(capture.file), []);
        const [source, protocol] = underlay === 4 ? ['ip.src', 'ip.proto'] : ['ipv6.src', 'ipv6.nxt'];
        const fields = await readFields(capture.file, kind === 'teb' ? 'gre' : 'etherip', [source, protocol]);
        assert.ok(fields.length >= 5);
        for (const [from, number] of fields) {
          assert.equal(from!.split(',')[0], local);
          assert.equal(number!.split(',')[0], kind === 'teb' ? '47' : '97');
        }
      }
      const [tunnel] = await wideplane.show('net tunnels tunnel', 't1');
      assert.ok(Number(tunnel?.stats?.['Incoming Frames']) > 100, JSON.stringify(tunnel));
      assert.ok(Number(tunnel?.stats?.['Outgoing Frames']) > 100, JSON.stringify(tunnel));
      assert.deepEqual(tunnel?.drops, {});
      assert.match(await wideplane.tmsh('show net interface 1.1'), /Status\s+up/);
      assert.equal(await wideplane.stop(), 0, wideplane.log);
    });
  }

  for (const withoutAddon of [false, true]) {
    it(`waits for an address that goes and comes back, ${withoutAddon ? 'by raw-socket' : 'by the addon'}`, async () => {
      const { site, hostA, wideplane } = await build({ kind: 'teb', peer: 'open-vswitch', withoutAddon });
      await reach(hostA, HOST_B, 10);
      await site.ip('address', 'del', `${SITE_ADDRESS}/24`, 'dev', 'e0');
      await waitFor('the loss in the log', 5, () =>
        wideplane.log.includes(`address ${SITE_ADDRESS} is no longer on device e0`),
      );
      assert.match(await wideplane.tmsh('show net tunnels tunnel t1'), /down: its local address or device is missing/);
      await site.addAddress('e0', `${SITE_ADDRESS}/24`);
      await reach(hostA, HOST_B, 10);
      await site.ip('link', 'set', 'e0', 'down');
      await waitFor('the link in the log', 5, () => wideplane.log.includes('the link of e0 is down'));
      await site.ip('link', 'set', 'e0', 'up');
      await reach(hostA, HOST_B, 10);
      assert.equal(await wideplane.stop(), 0, wideplane.log);
    });
  }

  it('leaves the kernel’s address and firewall alone, also when it is killed', async () => {
    const { site, hostA, wideplane, remote } = await build({ kind: 'teb', peer: 'open-vswitch' });
    const look = async (): Promise<string[]> => [await site.ip('address', 'show', 'dev', 'e0'), await site.ip('route')];
    await reach(hostA, HOST_B, 10);
    const before = await look();
    assert.doesNotMatch(await site.run(['nft', 'list', 'ruleset']), /"e0"/);
    await wideplane.killDaemon('dataplaned');
    await reach(hostA, HOST_B, 10);
    // One socket, of the local address and the protocol, both in hexadecimal.
    const sockets = async (): Promise<number> =>
      [...(await site.run(['cat', '/proc/net/raw'])).matchAll(/ 0101090A:002F /g)].length;
    assert.equal(await sockets(), 1);
    wideplane.kill();
    await waitFor('no raw socket', 5, async () => (await sockets()) === 0);
    assert.deepEqual(await look(), before);
    assert.equal((await ping(site, remote, { count: 2 })).received, 2);
  });

  it('leave VXLAN to UDP sockets on the same interface', async () => {
    const site = await buildSite({ adapter: 'raw-ip' });
    await reach(site.hostA, HOST_B);
    await exerciseEchoes(site);
    assert.equal(await site.wideplane.stop(), 0, site.wideplane.log);
  });

  it('are refused on an interface of adapter udp, by a message that names the way out', async () => {
    const site = await Namespace.create('site');
    await connect([site, 'e0'], [await Namespace.create('far'), 'e0']);
    await connect([site, 'e1'], [await Namespace.create('host'), 'e0']);
    await site.addAddress('e0', `${SITE_ADDRESS}/24`);
    const text = configurationOf('teb', ['udp', 'packet-ring'], SITE_ADDRESS, FAR_ADDRESS);
    const wideplane = await Wideplane.start(site, text);
    await waitFor(
      'the message',
      5,
      () =>
        wideplane.log.includes('interface 1.1 has adapter udp, which carries no IP protocol 47: adapter raw-ip does'),
      () => wideplane.log,
    );
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });
});
