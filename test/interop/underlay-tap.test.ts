// time-out: 900 s
// Super-frames that leave a packet ring whole, behind the outer headers of VXLAN, through an underlay TAP.
//
//   host-a ──── e1 [ site: wideplane ] e0 ════ e0 [ far: kernel VXLAN vx0 ]       (ring)
//               tap0: the site itself is the host                                 (tap)
//   172.16.0.1           10.9.1.1                  10.9.1.2   172.16.0.2

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Capture, findBadChecksums, readFields } from './harness/capture.ts';
import { largestEcho } from './harness/exercise.ts';
import { addKernelVxlan } from './harness/kernel-vxlan.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { HOST_A, HOST_B, UNDERLAY, VNI, VXLAN_OVERHEAD_OCTETS } from './harness/site.ts';
import { Iperf3Server, ping, reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';
import { Wideplane, type WideplaneOptions } from './harness/wideplane.ts';

type Options = {
  end: 'tap' | 'ring';
  underlay: 4 | 6;
  /** Of the underlay: where they are on, super-frames reach the peer whole. */
  offloads: boolean;
  checksum: boolean;
  tunnelOffload: 'auto' | 'enabled';
};

type Line = { wideplane: Wideplane; site: Namespace; host: Namespace; far: Namespace; innerMtu: number };

const MTU = 1500;

async function build(options: Options, wideplaneOptions: WideplaneOptions = {}): Promise<Line> {
  const { end, underlay, offloads, checksum, tunnelOffload } = options;
  const { site: own, far: remote, prefixBits } = UNDERLAY[underlay];
  const innerMtu = MTU - VXLAN_OVERHEAD_OCTETS[underlay];
  const site = await Namespace.create('site');
  const far = await Namespace.create('far');
  await connect([site, 'e0'], [far, 'e0'], { offloads, mtu: MTU });
  const host = end === 'tap' ? site : await Namespace.create('host');
  if (end === 'ring') {
    await connect([host, 'e0'], [site, 'e1'], { offloads: true, mtu: MTU });
    await host.ip('link', 'set', 'e0', 'mtu', String(innerMtu));
  }
  await far.addAddress('e0', `${remote}/${prefixBits}`);
  const vxlan = { vni: VNI, local: remote, remote: own, udpChecksum: checksum, mtu: innerMtu };
  await addKernelVxlan(far, { ...vxlan, address: `${HOST_B}/24` });
  const wideplane = await Wideplane.start(
    site,
    `
net interface 1.1 { device e0 tunnel-offload ${tunnelOffload} }
net interface 1.2 { ${end === 'tap' ? 'device tap0 adapter tap' : 'device e1'} }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 mtu ${MTU} }
net vlan inside { interfaces { 1.2 { untagged } } tag 4093 mtu ${MTU} }
net self wan-self { address ${own}/${prefixBits} vlan wan allow-service none }
net tunnels vxlan vx-profile { defaults-from vxlan udp-checksum ${checksum ? 'enabled' : 'disabled'} }
net tunnels tunnel vx1 { local-address ${own} remote-address ${remote} key ${VNI} profile vx-profile }
net vlan-group lan { members { inside vx1 } mode transparent bridge-traffic enabled }
`,
    wideplaneOptions,
  );
  await host.addAddress(end === 'tap' ? 'tap0' : 'e0', `${HOST_A}/24`);
  await reach(host, HOST_B);
  return { wideplane, site, host, far, innerMtu };
}

/** Underlay TAPs by name, with the packets that were written to each. */
async function underlayTaps(site: Namespace): Promise<Map<string, number>> {
  const links = JSON.parse(await site.ip('-json', '-statistics', 'link', 'show')) as {
    ifname: string;
    stats64: { rx: { packets: number } };
  }[];
  const taps = links.filter(({ ifname }) => ifname.startsWith('wideplane'));
  return new Map(taps.map(({ ifname, stats64 }) => [ifname, stats64.rx.packets]));
}

const writtenBy = async (site: Namespace): Promise<number> =>
  [...(await underlayTaps(site)).values()].reduce((sum, packets) => sum + packets, 0);

async function exerciseEchoes({ host, far, innerMtu }: Line): Promise<void> {
  const largest = largestEcho(innerMtu);
  for (const [from, to] of [
    [host, HOST_B],
    [far, HOST_A],
  ] as const) {
    for (const size of [1, 18, 56, largest - 1, largest, largest + 1, 8000, 30_001, 65_000]) {
      const { sent, received, text } = await ping(from, to, { count: 1, size });
      assert.equal(received, sent, `${size} octets to ${to}\n${text}`);
    }
  }
}

async function exerciseStreams({ host, far }: Line): Promise<void> {
  const server = await Iperf3Server.start(far, HOST_B);
  for (const reverse of [false, true]) {
    const tcp = await server.measure(host, { reverse, seconds: 2 });
    assert.ok(tcp.bitsPerSecond > 20e6, `TCP ${reverse ? 'to' : 'from'} wideplane: ${tcp.bitsPerSecond} bit/s`);
  }
  await server.stop();
}

/** TCP towards the peer, captured as it arrives there. */
async function captureStream({ host, far }: Line, packets: number): Promise<string> {
  const file = `${makeDirectory('capture')}/underlay.pcap`;
  const server = await Iperf3Server.start(far, HOST_B);
  const capture = await Capture.start(far, 'e0', file, { direction: 'in', filter: 'udp port 4789' });
  await server.measure(host, { octets: 5_000_000 });
  await capture.stop(packets);
  await server.stop();
  return file;
}

/** Octets of the largest packet on the underlay. */
async function largestFrame(file: string): Promise<number> {
  return Math.max(...(await readFields(file, 'frame', ['frame.len'])).map(([octets]) => Number(octets)));
}

async function assertNothingDropped({ wideplane }: Line): Promise<void> {
  for (const [type, name] of [
    ['net tunnels tunnel', 'vx1'],
    ['net interface', '1.1'],
  ] as const) {
    assert.deepEqual((await wideplane.show(type, name))[0]?.drops ?? {}, {}, name);
  }
}

const ROWS: Options[] = [];
for (const underlay of [4, 6] as const) {
  for (const offloads of [false, true]) {
    for (const checksum of [false, true]) {
      ROWS.push({ end: 'tap', underlay, offloads, checksum, tunnelOffload: offloads ? 'enabled' : 'auto' });
    }
  }
}
ROWS.push({ end: 'ring', underlay: 4, offloads: false, checksum: false, tunnelOffload: 'auto' });

describe('with a kernel VXLAN peer', () => {
  for (const row of ROWS) {
    const { end, underlay, offloads, checksum } = row;
    const what = `${end}, IPv${underlay}, offloads ${offloads ? 'on' : 'off'}, ${checksum ? 'UDP' : 'no UDP'} checksum`;
    it(`everything passes: ${what}`, async () => {
      const line = await build(row);
      await exerciseEchoes(line);
      await exerciseStreams(line);
      const before = await writtenBy(line.site);
      assert.ok(before > 100, `${before} super-frames left through the underlay TAP`);
      // Of super-frames there are some eighty, and tcpdump does not keep up with all of them.
      const file = await captureStream(line, offloads ? 10 : 1000);
      assert.deepEqual(await findBadChecksums(file, MTU + 14), []);
      const largest = await largestFrame(file);
      if (offloads) assert.ok(largest > 10_000, `the largest frame had ${largest} octets`);
      else assert.equal(largest, MTU + 14);
      await assertNothingDropped(line);
      assert.equal(await line.wideplane.stop(), 0, line.wideplane.log);
      assert.equal((await underlayTaps(line.site)).size, 0);
    });
  }
});

const SIMPLE: Options = { end: 'tap', underlay: 4, offloads: false, checksum: true, tunnelOffload: 'auto' };

describe('the underlay TAP', () => {
  it('is there once after dataplaned was killed, and carries on', async () => {
    const line = await build(SIMPLE);
    await exerciseStreams(line);
    await line.wideplane.killDaemon('dataplaned');
    await reach(line.host, HOST_B);
    await waitFor('one TAP', 5, async () => (await underlayTaps(line.site)).size === 1);
    const before = await writtenBy(line.site);
    await exerciseStreams(line);
    assert.ok((await writtenBy(line.site)) > before);
    assert.equal(await line.wideplane.stop(), 0, line.wideplane.log);
  });

  it('goes with its interface, and when everything is killed', async () => {
    const { wideplane, site } = await build(SIMPLE);
    await wideplane.tmsh('modify net interface 1.1 disabled');
    await waitFor('no TAP', 5, async () => (await underlayTaps(site)).size === 0);
    await wideplane.tmsh('modify net interface 1.1 enabled');
    await waitFor('the TAP', 5, async () => (await underlayTaps(site)).size === 1);
    await wideplane.tmsh('modify net interface 1.1 tunnel-offload disabled');
    await waitFor('no TAP', 5, async () => (await underlayTaps(site)).size === 0);
    await wideplane.tmsh('modify net interface 1.1 tunnel-offload enabled');
    await waitFor('the TAP', 5, async () => (await underlayTaps(site)).size === 1);
    const dataplaned = wideplane.daemonPid('dataplaned');
    wideplane.kill();
    process.kill(dataplaned, 'SIGKILL');
    await waitFor('no TAP', 5, async () => (await underlayTaps(site)).size === 0);
    assert.equal((await site.run(['tc', 'filter', 'show', 'dev', 'e0', 'ingress'])).trim(), '');
  });

  it('shows packets to whoever captures, and leaves super-frames whole again behind that', async () => {
    const line = await build(SIMPLE);
    const { wideplane, site, host, far } = line;
    const tcpdump = site.start(wideplane.command('tcpdump', '-i', '1.1'));
    await tcpdump.expect(/listening/, 5);
    const server = await Iperf3Server.start(far, HOST_B);
    const before = await writtenBy(site);
    await server.measure(host, { octets: 2_000_000 });
    assert.equal(await writtenBy(site), before, 'super-frames left whole beside a capture');
    await tcpdump.stop('SIGINT', 5);
    await waitFor('super-frames again', 10, async () => {
      await server.measure(host, { octets: 2_000_000 });
      return (await writtenBy(site)) > before;
    });
    await server.stop();
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });

  it('that cannot be made is done without, and the log says so where it was asked for', async () => {
    // A kernel without TAP devices, as far as dataplaned can tell.
    const wrapper = ['unshare', '--mount', 'sh', '-c', 'mount --bind /dev/null /dev/net/tun && exec "$@"', 'sh'];
    for (const tunnelOffload of ['auto', 'enabled'] as const) {
      const line = await build({ ...SIMPLE, end: 'ring', tunnelOffload }, { wrapper });
      await exerciseEchoes(line);
      await exerciseStreams(line);
      const file = await captureStream(line, 1000);
      assert.deepEqual(await findBadChecksums(file), []);
      assert.equal((await underlayTaps(line.site)).size, 0);
      const says = line.wideplane.log.includes('port 1.1: tunnel-offload: there is no underlay TAP');
      assert.equal(says, tunnelOffload === 'enabled', line.wideplane.log);
      await assertNothingDropped(line);
      assert.equal(await line.wideplane.stop(), 0, line.wideplane.log);
    }
  });
});
