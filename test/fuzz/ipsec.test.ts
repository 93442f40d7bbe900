// time-out: 900 s
// Mutated packets through the opener: each is accepted or dropped by name, no octet outside of it is written, and no frame is
// kept. WIDEPLANE_FUZZ_FRAMES says how many (a million otherwise, ten in the long form), WIDEPLANE_FUZZ_SEED with which seed.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Drop, DROP_NAMES, FORWARD, type Verdict } from '../../src/core/drop-reason.ts';
import { InboundSa } from '../../src/ipsec/inbound-sa.ts';
import { Opener } from '../../src/ipsec/opener.ts';
import { OutboundSa } from '../../src/ipsec/outbound-sa.ts';
import { Sealer } from '../../src/ipsec/sealer.ts';
import { IpsecProtocol, type SecurityAssociationSpec } from '../../src/ipsec/security-association.ts';
import { DeflateCompressor } from '../../src/net/deflate.ts';
import { Frame } from '../../src/packet/frame.ts';
import { checkIpv4 } from '../../src/wire/ipv4.ts';
import { checkIpv6 } from '../../src/wire/ipv6.ts';
import { checkUdp } from '../../src/wire/udp.ts';
import { CheapCryptoBatch } from '../support/cheap-crypto-batch.ts';
import { ipv4Packet, ipv6Packet, octets, udp } from '../support/frames.ts';
import { AH_TRANSFORMS, ESP_TRANSFORMS, headerOf, specOf } from '../support/ipsec-rig.ts';
import { arenaWithPool, FILLER } from '../support/octets.ts';
import { type Field, type Layout, Mutator } from './mutator.ts';

const { WIDEPLANE_FUZZ_FRAMES, WIDEPLANE_FUZZ_SEED, WIDEPLANE_LONG } = process.env;
const FRAMES = Number(WIDEPLANE_FUZZ_FRAMES ?? (WIDEPLANE_LONG === undefined ? 1_000_000 : 10_000_000));
const SEED = Number(WIDEPLANE_FUZZ_SEED ?? 20_261_129);
const BATCH = 256;
/** Hits of each reason, and the share of packets that must be accepted. */
const HITS = 100;
const ACCEPTED = 0.1;

/** What a packet can meet here. The others follow from the state of the SA, of the pool or of the ciphers, in the unit tests. */
const REASONS: readonly Verdict[] = [
  Drop.ipsecTooShort,
  Drop.ipsecReplayed,
  Drop.ipsecTooOld,
  Drop.ipsecIcvInvalid,
  Drop.ipsecPaddingInvalid,
  Drop.ipsecDummy,
  Drop.ipsecNextHeaderInvalid,
  Drop.ipsecCompressionInvalid,
  Drop.ipsecUnsupported,
  Drop.ecnNotCapable,
];

const STRIDE = 16_384;
const HEADROOM = 144;
const GUARD = 64;
const POOL = { smallSlots: 300, largeSlots: 16, packetSlots: 4 };
const { arena, pool, offset } = arenaWithPool(BATCH * STRIDE, POOL);
const { bytes } = arena;
const crypto = new CheapCryptoBatch(bytes);
const compressor = new DeflateCompressor();

const one = (...values: number[]): Uint8Array[] => values.map((value) => Uint8Array.of(value));
const mutator = new Mutator(SEED, {
  // Protocols and next headers, pad lengths.
  small: one(0, 1, 2, 3, 4, 6, 17, 41, 43, 44, 50, 51, 59, 60, 108, 253, 255),
  flags: one(0x45, 0x46, 0x60, 0x4f, 3, 0x40, 0x20),
});
const { random } = mutator;

type Seed = { packet: Uint8Array; layout: Layout; header: number; sa: () => InboundSa; isUdp: boolean };

/** Packets of either version with everything that may stand in front of a payload. */
const PLAIN: readonly { family: 4 | 6; octets: Uint8Array }[] = [
  ipv4Packet({ source: '10.1.1.1', destination: '10.2.2.2', protocol: 17 }, udp(1, 2, Buffer.alloc(60, 3))),
  ipv4Packet({ source: '10.1.1.1', destination: '10.2.2.2', protocol: 253, tos: 2 }, Buffer.alloc(400)),
  ipv4Packet(
    { source: '10.1.1.1', destination: '10.2.2.2', protocol: 1, options: octets('94040000 07070400000000 01') },
    Buffer.alloc(33, 1),
  ),
  ipv6Packet({ source: '2001:db8:1::1', destination: '2001:db8:2::2', nextHeader: 17 }, udp(1, 2, Buffer.alloc(60, 3))),
  ipv6Packet(
    { source: '2001:db8:1::1', destination: '2001:db8:2::2', nextHeader: 0, trafficClass: 1 },
    Buffer.concat([octets('2b003e02ffff0100 3c00040000000000 fd00010400000000'), Buffer.alloc(300)]),
  ),
].map((packet) => ({ family: packet[0]! >>> 4 === 4 ? 4 : 6, octets: packet }));

function specs(): SecurityAssociationSpec[] {
  const list: SecurityAssociationSpec[] = [];
  for (const family of [4, 6] as const) {
    for (const isTunnel of [true, false]) {
      const common = { family, isTunnel, extended: random.chance(30) };
      for (const transform of ESP_TRANSFORMS) {
        const replayWindow = random.pick([0, 0, 64]);
        const compression = random.pick([0, 0, 0, 2] as const);
        const port = random.pick([0, 0, 4500]);
        const ports = { udpSourcePort: port, udpDestinationPort: port };
        list.push(specOf({ ...common, transform, replayWindow, compression, ...ports }));
      }
      for (const transform of AH_TRANSFORMS) {
        const ahAlign8 = random.chance(50);
        list.push(specOf({ ...common, protocol: IpsecProtocol.ah, transform, replayWindow: 0, ahAlign8 }));
      }
    }
  }
  return list;
}

function place(index: number, packet: Uint8Array): Frame {
  const frame = new Frame();
  frame.headroomStart = offset + index * STRIDE;
  frame.start = frame.headroomStart + HEADROOM;
  frame.end = frame.start + packet.length;
  bytes.set(packet, frame.start);
  bytes.fill(FILLER, frame.end, frame.end + GUARD);
  return frame;
}

/** Where a mutation changes something that is looked at. */
function layoutOf(packet: Uint8Array, header: number, spec: SecurityAssociationSpec, icv: number): Layout {
  const isIpv4 = packet[0]! >>> 4 === 4;
  const field = (at: number, length: number, kind: Field['kind']): Field => ({ at, octets: length, kind });
  const fields = isIpv4
    ? [field(0, 1, 'flags'), field(1, 1, 'flags'), field(2, 2, 'length'), field(9, 1, 'small'), field(20, 4, 'any')]
    : [field(0, 2, 'flags'), field(4, 2, 'length'), field(6, 1, 'small'), field(40, 2, 'small'), field(42, 4, 'any')];
  if (header > (isIpv4 ? 20 : 40)) fields.push(field(header - 4, 2, 'length'));
  fields.push(
    field(header, 4, 'any'),
    field(header + 4, 4, 'any'),
    field(header + 1, 1, 'small'),
    field(header, 1, 'small'),
  );
  const tail = spec.protocol === IpsecProtocol.ah ? header + 12 : packet.length - icv;
  fields.push(field(tail, 4, 'any'));
  for (let times = 0; times < 4; times++) fields.push(field(tail - 2, 1, 'small'), field(tail - 1, 1, 'small'));
  for (const at of [header + 8, header + 16, header + 24, header + 28]) fields.push(field(at, 4, 'small'));
  const inside = fields.filter(({ at, octets: length }) => at >= 0 && at + length <= packet.length);
  return { fields: inside, ipv4Headers: isIpv4 ? [0] : [] };
}

/** Every packet through every SA, sealed without a mutation. */
function seeds(): Seed[] {
  const sealer = new Sealer(pool, crypto, compressor);
  const list: Seed[] = [];
  for (const spec of specs()) {
    const key = crypto.openKey(spec.transform);
    const outbound = new OutboundSa(spec, key, 0);
    outbound.reserve(1, 100);
    const open = new InboundSa({ ...spec }, key, 0);
    for (const { family, octets: packet } of PLAIN) {
      if (!spec.isTunnel && family !== spec.family) continue;
      sealer.add(place(0, packet), outbound);
      if (sealer.flush() === 0) continue;
      const sealed = sealer.sealed[0]!;
      const wire = bytes.slice(sealed.start, sealed.end);
      pool.release(sealed);
      sealer.clear();
      const header = headerOf(wire, outbound);
      const isFresh = spec.replayWindow !== 0 && random.chance(80);
      // Where numbers are looked at, most packets meet an SA that has seen none of them.
      const sa = isFresh ? (): InboundSa => new InboundSa(spec, key, 0) : (): InboundSa => open;
      list.push({
        packet: wire,
        layout: layoutOf(wire, header, spec, outbound.icvOctets),
        header,
        sa,
        isUdp: outbound.isUdp,
      });
    }
  }
  return list;
}

/** What whoever stands in front of the opener guarantees it. */
function isPresentable({ start, end }: Frame, header: number, isUdp: boolean): boolean {
  if (end - start < 20) return false;
  const version = bytes[start]! >>> 4;
  const verdict = version === 4 ? checkIpv4(bytes, start, end) : checkIpv6(bytes, start, end);
  if (version < 4 || verdict !== FORWARD || header > end) return false;
  return !isUdp || checkUdp(bytes, header - 8, end) === FORWARD;
}

/** The packet inside is one, and lies where it was received, or in the pool. */
function assertPacket(opened: Frame, source: Frame, before: number): void {
  const { start, end } = opened;
  const verdict = bytes[start]! >>> 4 === 4 ? checkIpv4(bytes, start, end) : checkIpv6(bytes, start, end);
  assert.equal(verdict, FORWARD);
  if (opened === source) assert.ok(start >= before && end <= source.headroomStart + STRIDE);
  else assert.ok(opened.slot >= 0 && end - start <= pool.roomOf(opened));
}

describe('mutated packets of security associations', () => {
  it('are accepted or dropped by name, and leave nothing behind', (t) => {
    const opener = new Opener(pool, crypto, compressor);
    const all = seeds();
    const counts = new Float64Array(DROP_NAMES.length);
    const { free } = pool;
    let refused = 0;
    let offered = 0;
    const starts = new Int32Array(BATCH);
    const ends = new Int32Array(BATCH);
    for (let batch = 0; batch * BATCH < FRAMES; batch++) {
      for (let index = 0; index < BATCH; index++) {
        const seed = random.pick(all);
        const frame = place(index, mutator.mutate(seed.packet, seed.layout, random.pick(all).packet));
        offered += 1;
        ends[index] = frame.end;
        const header = frame.start + seed.header;
        if (!isPresentable(frame, header, seed.isUdp)) {
          refused += 1;
          continue;
        }
        starts[opener.count] = frame.start;
        const verdict = opener.add(frame, seed.sa(), header);
        if (verdict !== FORWARD) counts[verdict]! += 1;
      }
      const queued = opener.flush();
      for (let entry = 0; entry < queued; entry++) {
        const verdict = opener.verdicts[entry]!;
        counts[verdict]! += 1;
        if (verdict !== FORWARD) continue;
        const opened = opener.opened[entry]!;
        assertPacket(opened, opener.sources[entry]!, starts[entry]!);
        pool.release(opened);
      }
      opener.clear();
      assert.equal(pool.free, free, `batch ${batch} of seed ${SEED}`);
      for (let index = 0; index < BATCH; index++) {
        for (let at = ends[index]!; at < ends[index]! + GUARD; at++)
          if (bytes[at] !== FILLER) assert.fail(`written behind the end of a frame, batch ${batch} of seed ${SEED}`);
      }
    }
    const named: Record<string, number> = {};
    for (const [verdict, count] of counts.entries()) if (count > 0) named[DROP_NAMES[verdict]!] = count;
    t.diagnostic(`${offered} packets, ${refused} refused in front, seed ${SEED}: ${JSON.stringify(named)}`);
    assert.equal(
      counts.reduce((sum, count) => sum + count, refused),
      offered,
    );
    assert.ok(counts[FORWARD]! / offered >= ACCEPTED);
    const unexpected = [...counts.keys()].filter(
      (v) => v !== FORWARD && counts[v]! > 0 && !REASONS.includes(v as Verdict),
    );
    assert.deepEqual(
      unexpected.map((verdict) => DROP_NAMES[verdict]),
      [],
    );
    const scarce = REASONS.filter((verdict) => counts[verdict]! < HITS).map((verdict) => DROP_NAMES[verdict]);
    assert.deepEqual(scarce, []);
  });

  it('on their way out are sealed, or refused by name', () => {
    const sealer = new Sealer(pool, crypto, compressor);
    const associations = specs().map((spec) => {
      const sa = new OutboundSa(spec, crypto.openKey(spec.transform), 0);
      sa.reserve(1, 100_000_000);
      return sa;
    });
    const layouts = PLAIN.map(({ octets: packet }) => layoutOf(packet, 20, specOf(), 0));
    const { free } = pool;
    let sealed = 0;
    const refusals = new Set<Verdict>();
    for (let batch = 0; batch * BATCH < FRAMES / 5; batch++) {
      for (let index = 0; index < BATCH; index++) {
        const which = random.below(PLAIN.length);
        const frame = place(index, mutator.mutate(PLAIN[which]!.octets, layouts[which]!, random.pick(PLAIN).octets));
        if (!isPresentable(frame, frame.start, false)) continue;
        const verdict = sealer.add(frame, random.pick(associations));
        if (verdict !== FORWARD) refusals.add(verdict);
      }
      const queued = sealer.flush();
      for (let entry = 0; entry < queued; entry++) {
        assert.equal(sealer.verdicts[entry], FORWARD);
        const frame = sealer.sealed[entry]!;
        assert.equal(isPresentable(frame, frame.start, false), true);
        pool.release(frame);
        sealed += 1;
      }
      sealer.clear();
      assert.equal(pool.free, free);
    }
    assert.deepEqual([...refusals], [Drop.ipsecUnsupported]);
    assert.ok(sealed > FRAMES / 10);
  });
});
