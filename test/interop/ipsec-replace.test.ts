// alone
// Security associations are replaced under traffic: what receives first, then what sends, and then the old ones go. Nothing is lost.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Capture, readFrames } from './harness/capture.ts';
import { dropsOf, dropsSince, gateway, HOST, ipsec, IpsecPair, other, type Side } from './harness/ipsec-pair.ts';
import { makeDirectory } from './harness/namespace.ts';
import { Iperf3Server, reach, UdpSequence } from './harness/traffic.ts';
import { delay } from './harness/wait.ts';

const ROUNDS = process.env.WIDEPLANE_LONG === '1' ? 20 : 5;
/** How long each association has packets to carry, at least. */
const IN_USE_MS = 250;
const PER_SECOND = 1000;
const ESP_AT = 14 + 20;
const TYPE = 'net ipsec manual-security-association';
const SIDES = ['a', 'b'] as const;

const spiOf = (from: Side, round: number): number => (from === 'a' ? 0x10000 : 0x20000) + round;

/** Creates the association that `side` sends or receives by from this round on. */
function create(side: Side, way: 'in' | 'out', round: number): string {
  const from = way === 'out' ? side : other(side);
  const key = Buffer.alloc(20, spiOf(from, round)).fill(round, 10).fill(from, 19).toString('hex');
  const ends = `source-address ${gateway(from, 4)} destination-address ${gateway(other(from), 4)}`;
  const algorithms = 'auth-algorithm aes-gcm128 encrypt-algorithm aes-gcm128';
  return (
    `create ${TYPE} sa-${way}-${round} ${algorithms} encrypt-key 0x${key} ${ends} spi ${spiOf(from, round)} ` +
    `ipsec-policy p-${way} replay-window-size 1024`
  );
}

it('associations are replaced while UDP and TCP run: not one datagram is lost', async (context) => {
  const pair = await IpsecPair.start((side) =>
    ipsec(side, {
      auth: 'aes-gcm128',
      encrypt: 'aes-gcm128',
      encryptKeys: { a: `0x${'a0'.repeat(20)}`, b: `0x${'b0'.repeat(20)}` },
      association: 'replay-window-size 1024',
    }),
  );
  const { wideplanes, hosts } = pair;
  await reach(hosts.a, HOST.b);
  const capture = await Capture.start(pair.sites.b, 'e0', `${makeDirectory('capture')}/wan.pcap`, { filter: 'esp' });
  const dropped = { a: await dropsOf(wideplanes.a), b: await dropsOf(wideplanes.b) };
  // The next step follows when both data planes run what was said, as whoever does this by hand would look.
  const both = (commandOf: (side: Side) => string): Promise<string[]> =>
    Promise.all(SIDES.map((side) => wideplanes[side].tmsh(`${commandOf(side)}; show sys config status wait`)));
  const replace = async (round: number): Promise<void> => {
    const old = round === 1 ? '' : `-${round - 1}`;
    await both((side) => create(side, 'in', round));
    await both((side) => `${create(side, 'out', round)}; delete ${TYPE} sa-out${old}`);
    await delay(IN_USE_MS);
    await both(() => `delete ${TYPE} sa-in${old}`);
  };
  const there = await UdpSequence.start(hosts.a, hosts.b, HOST.b, { perSecond: PER_SECOND });
  const back = await UdpSequence.start(hosts.b, hosts.a, HOST.a, { perSecond: PER_SECOND });
  for (let round = 1; round <= ROUNDS; round++) await replace(round);
  const reports = [await there.stop(), await back.stop()];
  // Beside TCP, which fills every queue on the way: what is lost there is lost by a device, so only what we drop counts.
  const server = await Iperf3Server.start(hosts.b, HOST.b);
  let isDone = false;
  const running = (async () => {
    let runs = 0;
    for (; !isDone; runs++) await server.measure(hosts.a, { octets: 2e6, reverse: runs % 2 === 1 });
    return runs;
  })();
  for (let round = ROUNDS + 1; round <= 2 * ROUNDS; round++) await replace(round);
  isDone = true;
  const runs = await running;
  await server.stop();
  await capture.stop();
  // First, since it says where datagrams were lost.
  for (const side of SIDES) assert.deepEqual(dropsSince(dropped[side], await dropsOf(wideplanes[side])), {}, side);
  for (const report of reports) {
    assert.equal(report.lost, 0, JSON.stringify(report));
    assert.equal(report.duplicates, 0, JSON.stringify(report));
    assert.ok(report.received > PER_SECOND, JSON.stringify(report));
  }
  const spis = new Set(readFrames(capture.file).map((frame) => frame.readUInt32BE(ESP_AT)));
  for (let round = 1; round <= 2 * ROUNDS; round++) {
    for (const side of SIDES) assert.ok(spis.has(spiOf(side, round)), `nothing came by round ${round} from ${side}`);
  }
  const gap = Math.max(...reports.map(({ largestGapMs }) => largestGapMs));
  context.diagnostic(
    `${reports.map(({ received }) => received).join(' and ')} datagrams, largest gap ${gap} ms, ${runs} TCP runs`,
  );
  await pair.stop();
});
