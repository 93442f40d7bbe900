// Software segmentation against a model that builds each segment from scratch.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FORWARD } from '../../src/core/drop-reason.ts';
import { completeChecksum, completeUnannouncedChecksum } from '../../src/packet/complete-checksum.ts';
import { Frame, FrameBatch, Gso } from '../../src/packet/frame.ts';
import { GSO_ECN, segment } from '../../src/packet/segment.ts';
import { arenaWithPool, guard, toHex } from '../support/octets.ts';
import { transportFrame, type TransportFields } from '../support/transport-frames.ts';

const options = fc.nat(5).map((words) => new Uint8Array(words * 4).fill(1));
const fields: fc.Arbitrary<TransportFields> = fc.record({
  family: fc.constantFrom(4 as const, 6 as const),
  protocol: fc.constantFrom('tcp' as const, 'udp' as const),
  tags: fc.constantFrom(
    [],
    [[0x8100, 100]] as const,
    [
      [0x88a8, 7],
      [0x8100, 100],
    ] as const,
  ),
  ipOptions: options,
  identification: fc.nat(0xffff),
  sequence: fc.integer({ min: 0, max: 0xffff_ffff }),
  flags: fc.nat(0xff),
  tcpOptions: options,
  payload: fc.uint8Array({ minLength: 1, maxLength: 3000 }),
  checksum: fc.constantFrom('complete' as const, 'partial' as const),
});

const FIN_AND_PSH = 0x09;
const CWR = 0x80;

function model(whole: TransportFields, gsoSize: number): string[] {
  const segments: string[] = [];
  for (let at = 0, index = 0; at < whole.payload.length; at += gsoSize, index++) {
    const payload = whole.payload.subarray(at, at + gsoSize);
    const isLast = at + gsoSize >= whole.payload.length;
    const flags = whole.flags & (isLast ? 0xff : 0xff - FIN_AND_PSH) & (index === 0 ? 0xff : 0xff - CWR);
    const sequence = (whole.sequence + at) % 2 ** 32;
    const identification = (whole.identification + index) % 2 ** 16;
    const part = { ...whole, payload, flags, sequence, identification, checksum: 'complete' as const };
    segments.push(toHex(transportFrame(part).octets));
  }
  return segments;
}

describe('segmentation against the model', () => {
  const sizes = { smallSlots: 64, largeSlots: 64 };
  const { arena, pool, offset } = arenaWithPool(16_384, sizes);

  it('TCP and UDP on IPv4 and IPv6, tags, options, any segment size', () => {
    fc.assert(
      fc.property(fields, fc.integer({ min: 50, max: 3500 }), fc.nat(3), fc.boolean(), (whole, gsoSize, at, ecn) => {
        const { octets, transportAt } = transportFrame(whole);
        const frame = new Frame();
        frame.start = offset + 64 + at;
        frame.end = frame.start + octets.length;
        arena.bytes.set(octets, frame.start);
        frame.gsoType = whole.protocol === 'udp' ? Gso.udpL4 : whole.family === 4 ? Gso.tcp4 : Gso.tcp6;
        if (ecn) frame.gsoType |= GSO_ECN;
        frame.gsoSize = gsoSize;
        frame.checksumStart = frame.start + transportAt;
        frame.checksumOffset = whole.protocol === 'udp' ? 6 : 16;
        frame.member = 5;
        const into = new FrameBatch();
        assert.equal(segment(pool, frame, into), FORWARD);
        const segments: string[] = [];
        for (let index = 0; index < into.length; index++) {
          const part = into.frames[index]!;
          assert.deepEqual([part.gsoType, part.checksumStart, part.checksumVerified, part.member], [0, 0, 1, 5]);
          segments.push(toHex(arena.bytes.slice(part.start, part.end)));
          pool.release(part);
        }
        assert.deepEqual(segments, model(whole, gsoSize));
        assert.equal(
          toHex(arena.bytes.slice(frame.start, frame.end)),
          toHex(octets),
          'the super-frame stays as it was',
        );
        assert.equal(pool.free, sizes.smallSlots + sizes.largeSlots);
      }),
      { numRuns: 400 },
    );
  });
});

describe('unfinished checksums against the model', () => {
  it('are finished where they are announced', () => {
    fc.assert(
      fc.property(fields, fc.nat(3), (whole, at) => {
        const partial = transportFrame({ ...whole, checksum: 'partial' });
        const { arena, bytes, start, end } = guard(partial.octets, at);
        const frame = Object.assign(new Frame(), { start, end, checksumStart: start + partial.transportAt });
        frame.checksumOffset = whole.protocol === 'udp' ? 6 : 16;
        assert.equal(completeChecksum(arena, frame), FORWARD);
        assert.equal(frame.checksumStart, 0);
        assert.equal(toHex(bytes.slice(start, end)), toHex(transportFrame({ ...whole, checksum: 'complete' }).octets));
      }),
      { numRuns: 400 },
    );
  });

  it('are found where nothing announces them, and finished ones are left alone', () => {
    fc.assert(
      fc.property(fields, fc.nat(3), (whole, at) => {
        const { arena, bytes, start, end } = guard(transportFrame(whole).octets, at);
        completeUnannouncedChecksum(arena, Object.assign(new Frame(), { start, end }));
        assert.equal(toHex(bytes.slice(start, end)), toHex(transportFrame({ ...whole, checksum: 'complete' }).octets));
      }),
      { numRuns: 400 },
    );
  });
});
