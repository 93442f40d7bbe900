// A process beside dataplaned makes, replaces and deletes security associations under traffic, as a daemon of key exchange does: what
// receives first, then what sends, and then the old ones go. Nothing is lost, and no key is to be read anywhere.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { IpcClient } from '../../src/ipc/ipc-client.ts';
import { Capture, readFrames } from './harness/capture.ts';
import { dropsOf, dropsSince, gateway, HOST, IpsecPair, NETWORK, other, type Side } from './harness/ipsec-pair.ts';
import { makeDirectory } from './harness/namespace.ts';
import { ping, reach, UdpSequence } from './harness/traffic.ts';

const ROUNDS = process.env.WIDEPLANE_LONG === '1' ? 40 : 6;
const PER_SECOND = 1000;
const ESP_AT = 14 + 20;
const SIDES = ['a', 'b'] as const;

const spiOf = (from: Side, round: number): number => (from === 'a' ? 0x10000 : 0x20000) + round;
const keyOf = (from: Side, round: number): string => Buffer.alloc(20, `Key-of-${from}-${round}-`).toString('hex');

/** Policies and selectors; the associations come later. */
function policies(side: Side): string {
  return (['out', 'in'] as const)
    .map((way) => {
      const from = way === 'out' ? side : other(side);
      const [source, destination] = [gateway(from, 4), gateway(other(from), 4)];
      return `
net ipsec ipsec-policy p-${way} { mode tunnel tunnel-local-address ${source} tunnel-remote-address ${destination} }
net ipsec traffic-selector ts-${way} {
    source-address ${NETWORK[4][from]} destination-address ${NETWORK[4][other(from)]} direction ${way}
    ipsec-policy p-${way} order 10
}`;
    })
    .join('');
}

it('another process replaces associations under traffic without losing a packet', async (context) => {
  const pair = await IpsecPair.start(policies);
  const { wideplanes, hosts } = pair;
  const clients = {
    a: await IpcClient.connect(`${wideplanes.a.state}/dataplaned.sock`),
    b: await IpcClient.connect(`${wideplanes.b.state}/dataplaned.sock`),
  };
  // A connection that stays open keeps the process alive.
  context.after(() => SIDES.forEach((side) => clients[side].close()));
  const add = async (side: Side, direction: 'in' | 'out', round: number): Promise<void> => {
    const from = direction === 'out' ? side : other(side);
    await clients[side].request('add-association', {
      spi: spiOf(from, round),
      source: gateway(from, 4),
      destination: gateway(other(from), 4),
      direction,
      policy: `/Common/p-${direction}`,
      protocol: 'esp',
      authAlgorithm: 'aes-gcm128',
      encryptAlgorithm: 'aes-gcm128',
      encryptKey: keyOf(from, round),
      extendedSequence: round % 2 === 1,
      replayWindow: 1024,
      hardLifetime: { seconds: 3600 },
    });
  };
  const remove = async (side: Side, from: Side, round: number): Promise<void> => {
    const filter = { spi: spiOf(from, round) };
    assert.deepEqual(await clients[side].request('delete-associations', { filter }), { associations: 1 });
  };
  const both = async (step: (side: Side) => Promise<void>): Promise<void> => {
    await Promise.all(SIDES.map((side) => step(side)));
  };
  const make = async (round: number): Promise<void> => {
    await both((side) => add(side, 'in', round));
    await both((side) => add(side, 'out', round));
  };

  const before = await ping(hosts.a, HOST.b, { count: 1 });
  assert.equal(before.received, 0);
  await make(1);
  await reach(hosts.a, HOST.b);
  const capture = await Capture.start(pair.sites.b, 'e0', `${makeDirectory('capture')}/wan.pcap`, { filter: 'esp' });
  const dropped = { a: await dropsOf(wideplanes.a), b: await dropsOf(wideplanes.b) };
  const there = await UdpSequence.start(hosts.a, hosts.b, HOST.b, { perSecond: PER_SECOND });
  const back = await UdpSequence.start(hosts.b, hosts.a, HOST.a, { perSecond: PER_SECOND });
  for (let round = 2; round <= ROUNDS; round++) {
    await make(round);
    // What was sent by the one before has come by now: both sides have answered since.
    await reach(hosts.a, HOST.b);
    await both((side) => remove(side, side, round - 1));
    await both((side) => remove(side, other(side), round - 1));
  }
  const reports = [await there.stop(), await back.stop()];
  await capture.stop();
  // First, since it says where datagrams were lost.
  for (const side of SIDES) assert.deepEqual(dropsSince(dropped[side], await dropsOf(wideplanes[side])), {}, side);
  for (const report of reports) {
    assert.equal(report.lost, 0, JSON.stringify(report));
    assert.equal(report.duplicates, 0, JSON.stringify(report));
    // A round takes a tenth of a second or less.
    assert.ok(report.received > 100, JSON.stringify(report));
  }
  const spis = new Set(readFrames(capture.file).map((frame) => frame.readUInt32BE(ESP_AT)));
  for (let round = 1; round <= ROUNDS; round++) {
    for (const side of SIDES) assert.ok(spis.has(spiOf(side, round)), `nothing came by round ${round} from ${side}`);
  }
  context.diagnostic(`${reports.map(({ received }) => received).join(' and ')} datagrams, ${ROUNDS} rounds`);

  // What is there is shown; what cannot be is refused, and shows no key.
  const { associations } = await clients.a.request('associations', { filter: {} });
  assert.deepEqual(
    associations.map(({ spi, direction, state, manual, hardLifetime }) => [
      spi,
      direction,
      state,
      manual,
      (hardLifetime.seconds ?? 0) > 3000,
    ]),
    [
      [spiOf('b', ROUNDS), 'in', 'mature', undefined, true],
      [spiOf('a', ROUNDS), 'out', 'mature', undefined, true],
    ],
  );
  assert.match(await wideplanes.a.tmsh('show net ipsec ipsec-sa all-properties'), new RegExp(String(ROUNDS)));
  await assert.rejects(add('a', 'in', ROUNDS), /belongs to an association already/);
  const short = 'Sentinel-of-a-key';
  const wrong = { spi: 999, source: gateway('a', 4), destination: gateway('b', 4), direction: 'out' } as const;
  const rest = { protocol: 'esp', extendedSequence: false, replayWindow: 0, authAlgorithm: 'aes-gcm128' } as const;
  const refused = { ...wrong, ...rest, encryptAlgorithm: 'aes-gcm128', policy: '/Common/p-out' } as const;
  const request = async (change: object): Promise<string> =>
    clients.a.request('add-association', { ...refused, ...change }).then(
      () => 'it was taken',
      (error: unknown) => (error as Error).message,
    );
  const octets = Buffer.from(short).toString('hex');
  assert.match(await request({ encryptKey: octets }), /needs a key of 20 octets.*, not of 17$/);
  assert.match(await request({ encryptKey: short }), /encryptKey/);
  assert.match(await request({ encryptKey: keyOf('a', 99), policy: '/Common/none' }), /no IPsec policy \/Common\/none/);
  for (const text of [octets, short]) {
    for (const change of [{ encryptKey: text }, { encryptKey: text, policy: '/Common/none' }]) {
      assert.ok(!(await request(change)).includes(text));
    }
  }

  // Without its policy an association goes; the process ends, and keys are in no log and no file.
  for (const client of [clients.a, clients.b]) client.close();
  await wideplanes.a.tmsh('delete net ipsec traffic-selector ts-out; delete net ipsec ipsec-policy p-out');
  await wideplanes.a.tmsh('show sys config status wait');
  assert.doesNotMatch(await wideplanes.a.tmsh('show net ipsec ipsec-sa'), new RegExp(spiOf('a', ROUNDS).toString(16)));
  for (const side of SIDES) {
    const { state, log } = wideplanes[side];
    const files = readdirSync(state, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'));
    for (const text of [log, ...files]) {
      for (let round = 1; round <= ROUNDS; round++) {
        for (const from of SIDES) {
          assert.ok(!text.includes(keyOf(from, round).slice(0, 20)));
          assert.ok(!text.includes(`Key-of-${from}`));
        }
      }
      assert.ok(!text.includes(short) && !text.includes(octets));
    }
  }
  await pair.stop();
});
