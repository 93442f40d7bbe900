// time-out: 600 s
// `kill -9` of dataplaned under traffic: no nonce of a key is ever seen twice on the wire, and the other side takes the first packet
// of each new process for a new one. WIDEPLANE_LONG=1 kills a hundred times.

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Capture, readFrames } from './harness/capture.ts';
import { HOST, ipsec, IpsecPair, type IpsecSetup, SPIS } from './harness/ipsec-pair.ts';
import { makeDirectory } from './harness/namespace.ts';
import { reach, UdpSequence } from './harness/traffic.ts';
import { delay, waitFor } from './harness/wait.ts';
import type { Wideplane } from './harness/wideplane.ts';

const KILLS = process.env.WIDEPLANE_LONG === '1' ? 100 : 15;
const PER_SECOND = 2000;
const ETHERNET_OCTETS = 14;
const IPV4_OCTETS = 20;
const ASSOCIATION = 'net ipsec manual-security-association';

const SETUP: IpsecSetup = {
  auth: 'aes-gcm128',
  encrypt: 'aes-gcm128',
  encryptKeys: {
    a: '0x0102030405060708090a0b0c0d0e0f10aabbccdd',
    b: '0x1112131415161718191a1b1c1d1e1f20eeff0011',
  },
  association: 'replay-window-size 4096',
};

type Sent = { spi: number; sequence: number; iv: string };

/** What the ESP packets of a capture say in front of what is encrypted (RFC 4303, section 2; RFC 4106, section 3.1). */
function espOf(file: string): Sent[] {
  return readFrames(file).map((frame) => {
    const esp = frame.subarray(ETHERNET_OCTETS + IPV4_OCTETS);
    return { spi: esp.readUInt32BE(0), sequence: esp.readUInt32BE(4), iv: esp.subarray(8, 16).toString('hex') };
  });
}

const received = async (wideplane: Wideplane): Promise<number> =>
  Number((await wideplane.show(ASSOCIATION, 'sa-in'))[0]?.stats?.['Incoming Frames'] ?? 0);

describe('IPsec and the end of its process', () => {
  it('kill -9 under traffic, many times: no IV comes twice, and the other side drops nothing', async (context) => {
    const pair = await IpsecPair.start((side) => ipsec(side, SETUP));
    const { a, b } = pair.wideplanes;
    await reach(pair.hosts.a, HOST.b);
    const file = `${makeDirectory('capture')}/wan.pcap`;
    const before = await received(b);
    // The peer's own counters say what it has made of what the capture has.
    const traffic = await UdpSequence.start(pair.hosts.a, pair.hosts.b, HOST.b, { perSecond: PER_SECOND });
    const echoes = pair.hosts.a.start(['ping', '-n', '-q', '-i', '0.05', HOST.b]);
    const capture = await Capture.start(pair.sites.b, 'e0', file, { filter: 'esp', direction: 'in' });
    const started = performance.now();
    for (let kill = 0; kill < KILLS; kill++) {
      await a.killDaemon('dataplaned');
      const now = await received(b);
      await waitFor('packets go on', 5, async () => (await received(b)) > now);
      await delay(kill % 5 === 0 ? 150 : Math.random() * 20);
    }
    const each = (performance.now() - started) / KILLS;
    await echoes.stop('SIGINT');
    await traffic.stop();
    await capture.stop();

    const sent = espOf(file).filter(({ spi }) => spi === SPIS.a);
    const seen = new Set<string>();
    let last = 0;
    let jumps = 0;
    for (const { spi, sequence, iv } of sent) {
      const nonce = `${spi} ${iv}`;
      assert.ok(!seen.has(nonce), `SPI ${spi}, IV ${iv} twice`);
      seen.add(nonce);
      assert.ok(sequence > last, `sequence number ${sequence} behind ${last}`);
      if (sequence > last + 100_000) jumps += 1;
      last = sequence;
    }
    assert.equal(jumps, KILLS, 'each process has sent, from a block of its own');
    assert.ok(sent.length > KILLS * 10, `${sent.length} packets`);
    const [row] = await b.show(ASSOCIATION, 'sa-in');
    assert.deepEqual(row!.drops, {});
    assert.ok((await received(b)) - before >= sent.length, 'each has been taken');
    context.diagnostic(`${sent.length} packets, ${Math.round(each)} ms a kill, last number ${last}`);
    await pair.stop();
  });

  it('whose numbers are lost sends nothing, still receives, and says what to do; new keys make it send', async () => {
    const pair = await IpsecPair.start((side) => ipsec(side, SETUP));
    const { a, b } = pair.wideplanes;
    await reach(pair.hosts.a, HOST.b);
    rmSync(`${a.state}/dataplaned/sequence-numbers`);
    await a.killDaemon('dataplaned');
    const status = await waitFor('the status says so', 5, async () => {
      const text = await a.tmsh('show sys config status');
      return text.includes('sa-out') && text;
    });
    assert.match(
      status,
      /net ipsec manual-security-association \/Common\/sa-out +its sequence numbers are not on record/,
    );
    assert.match(status, /give it new keys on both sides/);
    const capture = await Capture.start(pair.sites.a, 'e0', `${makeDirectory('capture')}/lost.pcap`, {
      filter: 'esp',
      direction: 'out',
    });
    const towards = pair.hosts.b.start(['ping', '-n', '-q', '-i', '0.1', HOST.a]);
    const outwards = pair.hosts.a.start(['ping', '-n', '-q', '-i', '0.1', HOST.b]);
    const unreserved = async (): Promise<number> =>
      (await a.show(ASSOCIATION, 'sa-out'))[0]!.drops?.['ipsec-sequence-unreserved'] ?? 0;
    await waitFor('drops are counted', 5, async () => (await unreserved()) >= 5);
    await waitFor('what comes in is taken', 5, async () => (await received(a)) >= 5);
    await outwards.stop('SIGINT');
    await towards.stop('SIGINT');
    await capture.stop();
    assert.deepEqual(readFrames(capture.file), []);

    for (const [wideplane, name] of [
      [b, 'sa-in'],
      [a, 'sa-out'],
    ] as const) {
      await wideplane.tmsh(`modify ${ASSOCIATION} ${name} encrypt-key 0x${'77'.repeat(20)}`);
    }
    for (const [wideplane, name] of [
      [b, 'sa-out'],
      [a, 'sa-in'],
    ] as const) {
      await wideplane.tmsh(`modify ${ASSOCIATION} ${name} encrypt-key 0x${'78'.repeat(20)}`);
    }
    await reach(pair.hosts.a, HOST.b);
    const after = await a.tmsh('show sys config status');
    assert.doesNotMatch(after, /sequence numbers/);
    await pair.stop();
  });
});
