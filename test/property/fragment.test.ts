// Fragmentation against a model, and reassembly of what it makes: any order, any duplicates, any overlap.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FORWARD } from '../../src/core/drop-reason.ts';
import { Frame, FrameBatch } from '../../src/packet/frame.ts';
import { fragmentIpv4, fragmentIpv6, KEEP_IDENTIFICATION } from '../../src/packet/fragment.ts';
import { checkIpv4 } from '../../src/wire/ipv4.ts';
import { checkIpv6 } from '../../src/wire/ipv6.ts';
import { ipv4Fragment, ipv6Fragment, type Piece, piecesOf } from '../support/fragments.ts';
import { ipv4Packet, ipv6Packet } from '../support/frames.ts';
import { arenaWithPool } from '../support/octets.ts';
import { Reassembler } from '../support/reassembler.ts';

const SIZES = { smallSlots: 300, largeSlots: 300 };
const { arena, pool, offset: PLACE } = arenaWithPool(65_536, SIZES);

/** Options as (type, data), the copied flag among the bits of the type. */
const option = fc.oneof(
  fc.constant([1]),
  fc
    .tuple(fc.integer({ min: 2, max: 255 }), fc.uint8Array({ maxLength: 6 }))
    .map(([type, data]) => [type, data.length + 2, ...data]),
);
const options = fc.array(option, { maxLength: 5 }).filter((list) => list.flat().length <= 40);
const padded = (octets: readonly number[]): Buffer =>
  Buffer.from([...octets, ...new Array<number>((4 - (octets.length % 4)) % 4).fill(0)]);

const payload = fc.uint8Array({ minLength: 1, maxLength: 3000 }).map((octets) => Buffer.from(octets));
const mtu = fc.integer({ min: 68, max: 1500 });
const link = fc.constantFrom(0, 14, 18);
const addresses = { source: '192.0.2.1', destination: '192.0.2.2' };

/** The fragments of a packet behind `linkOctets` octets of link header. */
function cut(
  packet: Uint8Array,
  linkOctets: number,
  how: (frame: Frame, ip: number, into: FrameBatch) => number,
): Buffer[] {
  const frame = new Frame();
  frame.start = PLACE + 130;
  frame.end = frame.start + linkOctets + packet.length + 3;
  frame.member = 5;
  arena.bytes.fill(0x77, frame.start, frame.end);
  arena.bytes.set(packet, frame.start + linkOctets);
  const into = new FrameBatch();
  assert.equal(how(frame, frame.start + linkOctets, into), FORWARD);
  const out: Buffer[] = [];
  for (let index = 0; index < into.length; index++) {
    const piece = into.frames[index]!;
    assert.equal(piece.member, 5);
    const octets = Buffer.from(arena.bytes.slice(piece.start, piece.end));
    assert.ok(octets.subarray(0, linkOctets).every((octet) => octet === 0x77));
    out.push(octets.subarray(linkOctets));
    pool.release(piece);
  }
  assert.equal(pool.free, SIZES.smallSlots + SIZES.largeSlots);
  return out;
}

describe('fragmentation of IPv4', () => {
  it('is that of the model: pieces, offsets, flags, options', () => {
    fc.assert(
      fc.property(options, payload, mtu, link, fc.nat(0xffff), fc.boolean(), fc.nat(500), (...args) => {
        const [list, data, limit, linkOctets, identification, more, before] = args;
        const all = padded(list.flat());
        const copied = padded(list.filter(([type]) => (type & 0x80) !== 0).flat());
        const body = more ? data.subarray(0, data.length & ~7) : data;
        if (body.length === 0) return;
        const fields = { ...addresses, protocol: 17, identification, tos: 3, ttl: 9 };
        const flags = (more ? 0x2000 : 0) | before;
        const packet = ipv4Packet({ ...fields, flags, options: all }, body);
        const expected: Buffer[] = [];
        for (let at = 0; at < body.length;) {
          const own = at === 0 ? all : copied;
          const most = limit - 20 - own.length;
          const octets = body.length - at <= most ? body.length - at : most - (most % 8);
          const isLast = at + octets === body.length;
          const own16 = (isLast && !more ? 0 : 0x2000) | (before + at / 8);
          expected.push(ipv4Packet({ ...fields, flags: own16, options: own }, body.subarray(at, at + octets)));
          at += octets;
        }
        const made = cut(packet, linkOctets, (frame, ip, into) =>
          fragmentIpv4(pool, frame, ip, limit, KEEP_IDENTIFICATION, into),
        );
        assert.deepEqual(made, expected);
        for (const fragment of made) {
          assert.ok(fragment.length <= limit);
          assert.equal(checkIpv4(fragment, 0, fragment.length), FORWARD);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('of fragments again gives the packet all the same, in any order', () => {
    fc.assert(
      fc.property(payload, mtu, mtu, fc.nat(0xffff), fc.infiniteStream(fc.nat()), (data, one, other, id, stream) => {
        const packet = ipv4Packet({ ...addresses, protocol: 17, flags: 0, identification: 0 }, data);
        const twice = (from: Uint8Array, limit: number, identification: number): Buffer[] =>
          cut(from, 14, (frame, ip, into) => fragmentIpv4(pool, frame, ip, limit, identification, into));
        const once = twice(packet, Math.max(one, 600), id);
        const all = once.flatMap((fragment) => twice(fragment, Math.max(other, 120), KEEP_IDENTIFICATION));
        const rig = new Reassembler();
        const order = shuffled(all, stream);
        const out = order.map((fragment) => whole(rig, fragment));
        const expected = ipv4Packet({ ...addresses, protocol: 17, flags: 0, identification: id }, data);
        assert.deepEqual(
          out.filter((one) => one !== undefined),
          [expected],
        );
      }),
      { numRuns: 300 },
    );
  });
});

describe('fragmentation of IPv6', () => {
  it('is that of the model', () => {
    fc.assert(
      fc.property(payload, fc.integer({ min: 64, max: 1500 }), link, fc.nat(), (data, limit, linkOctets, id) => {
        const fields = { source: '2001:db8::1', destination: '2001:db8::2', nextHeader: 17, trafficClass: 0x23 };
        const room = limit - 48;
        const made = cut(ipv6Packet(fields, data), linkOctets, (frame, ip, into) =>
          fragmentIpv6(pool, frame, ip, limit, id, into),
        );
        const pieces: Piece[] = [];
        for (let start = 0; start < data.length;) {
          const end = data.length - start <= room ? data.length : start + room - (room % 8);
          pieces.push({ start, end });
          start = end;
        }
        assert.deepEqual(
          made,
          pieces.map((piece) => ipv6Fragment({ ...fields, identification: id }, data, piece)),
        );
        for (const fragment of made) assert.equal(checkIpv6(fragment, 0, fragment.length), FORWARD);
      }),
      { numRuns: 500 },
    );
  });
});

/** What comes out; fragments of one piece have never been any. */
function whole(rig: Reassembler, fragment: Buffer): Buffer | undefined {
  const isPlain = fragment[0]! >>> 4 === 4 && (fragment.readUInt16BE(6) & 0x3fff) === 0;
  return isPlain ? fragment : rig.accept(fragment);
}

/** The items in an order that the numbers choose. */
function shuffled<T>(items: readonly T[], numbers: fc.Stream<number>): T[] {
  const rest = [...items];
  const out: T[] = [];
  while (rest.length > 0) out.push(...rest.splice((numbers.next().value ?? 0) % rest.length, 1));
  return out;
}

/** A packet of either version in fragments of this many octets. */
function fragmentsOf(
  isIpv4: boolean,
  data: Buffer,
  octets: number,
): { packet: Buffer; pieces: Piece[]; make: (piece: Piece, more?: boolean) => Buffer } {
  const pieces = piecesOf(data.length, octets);
  if (isIpv4) {
    const fields = { ...addresses, protocol: 17, identification: 77 };
    const packet = ipv4Packet({ ...fields, flags: 0 }, data);
    return { packet, pieces, make: (piece, more) => ipv4Fragment(fields, data, piece, more) };
  }
  const fields = { source: '2001:db8::1', destination: '2001:db8::2', nextHeader: 17, identification: 77 };
  return { packet: ipv6Packet(fields, data), pieces, make: (piece, more) => ipv6Fragment(fields, data, piece, more) };
}

/** A payload that is cut in three at least and 63 at most. */
const cuttable = fc
  .tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 3, max: 63 }), fc.integer({ min: 1, max: 8 }))
  .map(([units, pieces, last]) => ({ size: units * 8, octets: units * 8 * (pieces - 1) + last }))
  .filter(({ octets }) => octets < 9000)
  .chain(({ size, octets }) =>
    fc.record({ size: fc.constant(size), data: fc.uint8Array({ minLength: octets, maxLength: octets }) }),
  )
  .map(({ size, data }) => ({ size, data: Buffer.from(data) }));

describe('reassembly', () => {
  it('gives a packet back exactly once, whatever the order and however often fragments come', () => {
    fc.assert(
      fc.property(fc.boolean(), cuttable, fc.infiniteStream(fc.nat()), (isIpv4, { data, size }, stream) => {
        const { packet, pieces, make } = fragmentsOf(isIpv4, data, size);
        // One comes only once: a second set of all of them would be a second packet.
        const single = stream.next().value! % pieces.length;
        const copies = pieces.flatMap((piece, index) => {
          const count = index === single ? 1 : 1 + (stream.next().value! % 3);
          return new Array<Piece>(count).fill(piece);
        });
        const rig = new Reassembler();
        const out = shuffled(copies, stream).flatMap((piece) => rig.accept(make(piece)) ?? []);
        assert.deepEqual(out, [packet]);
        assert.ok(rig.held <= 1, 'duplicates that come late begin one that never ends');
        rig.reassembly.tick(rig.nowMs + 60_000);
        assert.equal(rig.used, 0);
        assert.deepEqual(
          Object.keys(rig.drops).filter((name) => name !== 'reassembly-timeout'),
          [],
        );
      }),
      { numRuns: 400 },
    );
  });

  it('is that of the model when fragments overlap', () => {
    const cuts = fc.record({ at: fc.nat(), octets: fc.nat() });
    fc.assert(
      fc.property(fc.boolean(), cuttable, fc.array(cuts, { maxLength: 3 }), fc.infiniteStream(fc.nat()), (...args) => {
        const [isIpv4, { data, size }, more, stream] = args;
        const { packet, pieces, make } = fragmentsOf(isIpv4, data, size);
        const units = Math.floor((data.length - 1) / 8);
        const others = more.map(({ at, octets }) => {
          const start = (at % units) * 8;
          return { start, end: start + 8 * (1 + (octets % (units - start / 8))) };
        });
        const rig = new Reassembler();
        const model = new Model(data.length);
        for (const piece of shuffled([...pieces, ...others], stream)) {
          assert.deepEqual(rig.accept(make(piece)), model.accept(piece) ? packet : undefined);
        }
        rig.reassembly.tick(rig.nowMs + 60_000);
        assert.equal(rig.used, 0);
      }),
      { numRuns: 500 },
    );
  });
});

/** One packet, put together by rote. */
class Model {
  readonly #octets: number;
  #pieces: Piece[] = [];
  #isCondemned = false;

  constructor(octets: number) {
    this.#octets = octets;
  }

  /** Whether the packet is whole with it. */
  accept({ start, end }: Piece): boolean {
    if (this.#pieces.some((piece) => piece.start === start && piece.end === end)) return false;
    this.#isCondemned ||= this.#pieces.some((piece) => start < piece.end && piece.start < end);
    if (this.#isCondemned) return false;
    this.#pieces.push({ start, end });
    const octets = this.#pieces.reduce((sum, piece) => sum + piece.end - piece.start, 0);
    if (octets < this.#octets) return false;
    this.#pieces = [];
    return true;
  }
}
