// Random and mutated packets to what reads the answers to probes: nothing throws, and none but the true answer counts.
// WIDEPLANE_FUZZ_PACKETS says how many (100,000 otherwise, ten times as many in the long form), WIDEPLANE_FUZZ_SEED with which seed.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAddress } from '../../src/core/address.ts';
import { type ProbeOutcome } from '../../src/health/probe.ts';
import { errorWords, message, readIcmpMessage } from '../../src/probe/icmp-message.ts';
import { IcmpProber } from '../../src/probe/icmp-prober.ts';
import type { IcmpListener } from '../../src/probe/raw-icmp.ts';
import { readSegment, segment, SegmentKind, SYN_OCTETS, writeSyn } from '../../src/probe/tcp-segment.ts';
import { naiveChecksum } from '../support/naive-checksum.ts';
import { errorAbout, ipv4Packet, octetsOf, replyTo, withChecksum } from '../support/probe-packets.ts';
import { Random } from './mutator.ts';

const { WIDEPLANE_FUZZ_PACKETS, WIDEPLANE_FUZZ_SEED, WIDEPLANE_LONG } = process.env;
const PACKETS = Number(WIDEPLANE_FUZZ_PACKETS ?? (WIDEPLANE_LONG === undefined ? 100_000 : 1_000_000));
const SEED = Number(WIDEPLANE_FUZZ_SEED ?? 20_261_130);
const HOST = '192.0.2.1';
const TARGET = '192.0.2.2';

const random = new Random(SEED);
const randomOctets = (most: number): Uint8Array =>
  Uint8Array.from({ length: random.below(most + 1) }, () => random.below(256));

/** One of the packets with some octets changed, cut off or longer; ICMP may get a checksum that is right. */
function mutated(packets: readonly Uint8Array[], icmpAt: number): Uint8Array {
  let packet: Uint8Array = Uint8Array.from(random.pick(packets));
  for (let changes = random.below(4); changes > 0; changes--) {
    if (packet.length > 0) packet[random.below(packet.length)] = random.below(256);
  }
  if (random.chance(20)) packet = packet.subarray(0, random.below(packet.length + 1));
  if (random.chance(10)) packet = octetsOf(packet, randomOctets(40));
  if (random.chance(70) && packet.length >= icmpAt + 4) {
    return octetsOf(packet.subarray(0, icmpAt), withChecksum(packet.subarray(icmpAt)));
  }
  return packet;
}

it(`of ${PACKETS} ICMP packets none counts that is not the reply`, async () => {
  let listener: IcmpListener | undefined;
  const sent: Buffer[] = [];
  const prober = new IcmpProber({
    listen: (added) => (listener = added),
    open: () => undefined,
    send: (_family, packet, octets) => void sent.push(Buffer.from(packet.subarray(0, octets))),
  });
  const outcomes: ProbeOutcome[] = [];
  const { words } = parseAddress(TARGET)!;
  const target = { family: 4, address: TARGET, words, port: 0, mark: 0 } as const;
  const PROBES = 50;
  const begin = async (): Promise<void> => {
    prober.probe(target, { count: 1, apart: 0, timeout: 3_600_000 }, (outcome) => outcomes.push(outcome));
    await sleep(0);
    await sleep(0);
  };
  for (let index = 0; index < PROBES; index++) await begin();
  assert.equal(sent.length, PROBES);

  const seeds = sent.flatMap((packet) => {
    const quote = ipv4Packet(HOST, TARGET, 1, packet);
    return [
      ipv4Packet(TARGET, HOST, 1, replyTo(packet)),
      ...[1, 3, 13].map((code) => ipv4Packet('192.0.2.254', HOST, 1, errorAbout(quote, 3, code))),
      ipv4Packet(TARGET, HOST, 1, errorAbout(quote, 3, 3)),
      ipv4Packet('192.0.2.254', HOST, 1, errorAbout(quote, 11, 0)),
    ];
  });
  let read = 0;
  let counted = 0;
  for (let index = 0; index < PACKETS; index++) {
    const packet = random.chance(20) ? randomOctets(120) : mutated(seeds, 20);
    const before = outcomes.length;
    if (readIcmpMessage(packet, packet.length, 4)) {
      read++;
      const at = message.at;
      assert.equal(naiveChecksum(packet.subarray(at)), 0);
      if (message.isError) assert.ok(errorWords(4).length > 0);
      listener?.(packet, packet.length, 4, [...packet.subarray(12, 16)].join('.'));
    }
    if (outcomes.length === before) continue;
    counted++;
    // It must be what the target itself says of a request that was sent, whatever has been changed in between.
    const { verdict } = outcomes.at(-1)!;
    const icmp = packet.subarray((packet[0]! & 15) * 4);
    assert.deepEqual([...packet.subarray(12, 16)], [192, 0, 2, 2]);
    const carried = verdict === 'up' ? icmp.subarray(4) : icmp.subarray(8 + (icmp[8]! & 15) * 4 + 4);
    assert.ok(sent.some((request) => request.subarray(4).equals(carried.subarray(0, request.length - 4))));
    await begin();
    const fresh = sent.at(-1)!;
    seeds.push(ipv4Packet(TARGET, HOST, 1, replyTo(fresh)));
  }
  assert.ok(read > PACKETS / 10 && counted >= 10, `${read} were read, ${counted} counted`);
  for (let index = 0; index < PACKETS; index++) {
    const packet = random.chance(50) ? randomOctets(120) : mutated(seeds, 20).subarray(20);
    if (readIcmpMessage(packet, packet.length, 6) && message.isError) assert.ok(errorWords(6).length > 0);
  }
  prober.close();
});

it(`of ${PACKETS} TCP segments those are read that answer a SYN`, () => {
  const syn = { family: 4, source: [0, 0, 0, 1], destination: [0, 0, 0, 2] } as const;
  const seed = new Uint8Array(SYN_OCTETS);
  writeSyn(seed, 0, { ...syn, sourcePort: 80, destinationPort: 40_000, sequence: 7 });
  seed.set([0x11, 0x22, 0x33, 0x44], 8);
  const seeds = [0x12, 0x14, 0x04, 0x02, 0x10].map((flags) => {
    const packet = Uint8Array.from(seed);
    packet[13] = flags;
    return packet;
  });
  let read = 0;
  for (let index = 0; index < PACKETS; index++) {
    const packet = random.chance(30) ? randomOctets(80) : mutated(seeds, 0);
    const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
    const header = packet.length < 20 ? 0 : (packet[12]! >> 4) * 4;
    const flags = packet[13] ?? 0;
    const isAnswer = header >= 20 && header <= packet.length && (flags & 0x10) !== 0 && (flags & 0x06) !== 0;
    assert.equal(readSegment(packet, 0, packet.length), isAnswer);
    if (!isAnswer) continue;
    read++;
    assert.equal(segment.kind, (flags & 4) !== 0 ? SegmentKind.refuses : SegmentKind.accepts);
    assert.equal(segment.sourcePort, view.getUint16(0));
    assert.equal(segment.destinationPort, view.getUint16(2));
    assert.equal((segment.answers + 1) >>> 0, view.getUint32(8));
  }
  assert.ok(read > PACKETS / 20, `${read} were read`);
});
