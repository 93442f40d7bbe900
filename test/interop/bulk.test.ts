// alone
// time-out: 1500 s
// TCP, UDP and ICMP of every size between TAP devices and interfaces, over both underlays (topology: harness/pair.ts).

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Capture, findBadChecksums } from './harness/capture.ts';
import { largestEcho } from './harness/exercise.ts';
import { makeDirectory } from './harness/namespace.ts';
import { buildPair, type Pair, type PairOptions } from './harness/pair.ts';
import { Iperf3Server, ping, reach } from './harness/traffic.ts';

/** Octets of ICMP payload: around every limit on the way, and what fragments into many packets. */
const sizesFor = (innerMtu: number): number[] => {
  const largest = largestEcho(innerMtu);
  const around = [largest - 1, largest, largest + 1, 2 * largest];
  return [1, 2, 17, 18, 19, 56, 1000, ...around, 8000, 30_001, 65_000];
};

async function exerciseEchoes({ sides, innerMtu }: Pair): Promise<void> {
  const [a, b] = sides;
  await reach(a.host, b.address);
  // What one end sent before the other had started is no fault of the tunnel.
  for (const { wideplane } of sides) await wideplane.tmsh('reset-stats net tunnels tunnel');
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    for (const size of sizesFor(innerMtu)) {
      // One at a time: ping gives up on the last of several after one interval.
      const { sent, received, text } = await ping(from.host, to.address, { count: 1, size });
      assert.equal(received, sent, `${size} octets from ${from.address}\n${text}`);
    }
  }
}

async function exerciseStreams({ sides, innerMtu }: Pair): Promise<void> {
  const [a, b] = sides;
  const server = await Iperf3Server.start(b.host, b.address);
  for (const reverse of [false, true]) {
    const way = reverse ? 'from b to a' : 'from a to b';
    const tcp = await server.measure(a.host, { reverse, seconds: 1 });
    assert.ok(tcp.bitsPerSecond > 20e6, `TCP ${way}: ${tcp.bitsPerSecond} bit/s`);
    for (const length of [18, innerMtu - 28, 4000]) {
      const udpRate = length === 18 ? '200K' : '5M';
      const udp = await server.measure(a.host, { reverse, seconds: 1, udpRate, length });
      assert.ok(udp.packets > 50, `UDP of ${length} octets ${way}: ${udp.packets} packets`);
      assert.ok(udp.lostPercent < 1, `UDP of ${length} octets ${way}: ${udp.lostPercent} % lost`);
    }
  }
  await server.stop();
}

type Watched = { capture: Capture; largestOctets?: number };

/** Starts to capture what arrives on the underlay and at each host. */
async function startCaptures({ sides, innerMtu }: Pair): Promise<Watched[]> {
  const directory = makeDirectory('capture');
  const places = sides.flatMap(({ site, host, device }) => [[site, 'e0'] as const, [host, device] as const]);
  return Promise.all(
    places.map(async ([namespace, device], index) => {
      const capture = await Capture.start(namespace, device, `${directory}/${index}.pcap`, { direction: 'in' });
      // What reaches a kernel through a TAP device is joined to super-frames.
      return device === 'tap0' ? { capture, largestOctets: innerMtu + 14 } : { capture };
    }),
  );
}

/** Little enough that tcpdump loses nothing, of every kind. */
async function exchangeForCapture({ sides, innerMtu }: Pair): Promise<void> {
  const [a, b] = sides;
  const server = await Iperf3Server.start(b.host, b.address);
  for (const reverse of [false, true]) {
    await server.measure(a.host, { reverse, seconds: 1, udpRate: '1M', length: innerMtu - 28 });
    await server.measure(a.host, { reverse, octets: 3_000_000 });
  }
  await ping(a.host, b.address, { count: 2, size: 30_001 });
  await server.stop();
}

/** What tunnels counted as lost. */
async function dropsOf({ sides }: Pair): Promise<unknown[]> {
  return Promise.all(
    sides.map(async ({ wideplane }) => (await wideplane.show('net tunnels tunnel', 'vx1'))[0]?.drops ?? {}),
  );
}

type Row = Pick<PairOptions, 'ends' | 'underlay'> & Partial<PairOptions>;
const ROWS: Row[] = [];
for (const underlay of ['udp', 'packet-ring'] as const) {
  for (const first of ['tap', 'ring'] as const) {
    for (const second of ['tap', 'ring'] as const) ROWS.push({ ends: [first, second], underlay });
  }
}
ROWS.push({ ends: ['tap', 'ring'], underlay: 'udp', offloads: true });
ROWS.push({ ends: ['ring', 'tap'], underlay: 'packet-ring', offloads: true });
ROWS.push({ ends: ['tap', 'tap'], underlay: 'udp', underlayMtu: 9216 });
ROWS.push({ ends: ['tap', 'tap'], underlay: 'udp', udpChecksum: false });

for (const row of ROWS) {
  const options: PairOptions = { offloads: false, underlayMtu: 1500, udpChecksum: true, ...row };
  const { ends, underlay, offloads, underlayMtu, udpChecksum } = options;
  const extra = `${offloads ? ', offloads on' : ''}${underlayMtu === 1500 ? '' : `, MTU ${underlayMtu}`}${udpChecksum ? '' : ', no UDP checksum'}`;
  it(`${ends.join(' to ')} over ${underlay}${extra}`, async () => {
    const pair = await buildPair(options);
    await exerciseEchoes(pair);
    await exerciseStreams(pair);
    if (!offloads) {
      const captures = await startCaptures(pair);
      await exchangeForCapture(pair);
      await Promise.all(
        captures.map(async ({ capture, largestOctets }) => {
          await capture.stop(50);
          assert.deepEqual(await findBadChecksums(capture.file, largestOctets), [], capture.file);
        }),
      );
    }
    assert.deepEqual(await dropsOf(pair), [{}, {}]);
    for (const { wideplane } of pair.sides) assert.equal(await wideplane.stop(), 0, wideplane.log);
    for (const { site } of pair.sides) assert.doesNotMatch(await site.ip('link', 'show'), /tap0/);
  });
}
