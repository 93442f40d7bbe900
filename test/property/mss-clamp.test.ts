// The MSS option of a SYN is lowered, wherever it stands among the options, and the checksum stays what it was: right, wrong
// or unfinished.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { clampMss, findSyn, mssOfIpv4, mssOfIpv6 } from '../../src/packet/mss-clamp.ts';
import { guard, toHex } from '../support/octets.ts';
import { transportFrame } from '../support/transport-frames.ts';

const ETHERNET = 14;
const SYN = 0x02;

/** Options around one of the MSS; the number of octets in front of it may be odd. */
const around = fc.array(
  fc.oneof(fc.constant([1]), fc.constantFrom([4, 2], [3, 3, 7], [8, 10, 1, 2, 3, 4, 5, 6, 7, 8])),
  { maxLength: 4 },
);
const fields = fc.record({
  family: fc.constantFrom(4 as const, 6 as const),
  mss: fc.nat(0xffff),
  front: around,
  back: around,
  ipOptions: fc.nat(5).map((words) => new Uint8Array(words * 4).fill(1)),
  flags: fc.nat(0xff),
  payload: fc.uint8Array({ maxLength: 40 }),
  checksum: fc.constantFrom('complete' as const, 'partial' as const),
});
type Fields = typeof fields extends fc.Arbitrary<infer T> ? T : never;

function tcpFrame({ front, back, mss, ...rest }: Fields): { octets: Uint8Array; transportAt: number } {
  const list = [...front.flat(), 2, 4, mss >>> 8, mss & 255, ...back.flat()].slice(0, 40);
  while (list.length % 4 !== 0) list.push(0);
  const common = { tags: [], protocol: 'tcp' as const, identification: 1, sequence: 9 };
  return transportFrame({ ...common, ...rest, tcpOptions: Uint8Array.from(list) });
}

describe('the MSS of a SYN', () => {
  it('is lowered to the limit and never raised, and nothing else changes', () => {
    fc.assert(
      fc.property(fields, fc.integer({ min: 0, max: 0xffff }), fc.nat(3), (all, limit, at) => {
        const { octets } = tcpFrame(all);
        const { bytes, start, end } = guard(octets, at);
        const ip = start + ETHERNET;
        const tcp = findSyn(bytes, ip, end);
        assert.equal(tcp !== 0, (all.flags & SYN) !== 0);
        if (tcp === 0) return;
        clampMss(bytes, tcp, end, limit, all.checksum === 'complete');
        const expected = tcpFrame({ ...all, mss: Math.min(all.mss, limit) });
        const { octets: wanted, transportAt } = expected;
        const field = transportAt + 16;
        const made = bytes.slice(start, end);
        // Of a sum of zero there are two forms, and which one an update leaves is not said.
        const isZero = all.checksum === 'complete' && [0, 0xffff].includes((wanted[field]! << 8) | wanted[field + 1]!);
        if (isZero) for (const frame of [wanted, made]) frame.fill(0, field, field + 2);
        assert.equal(toHex(made), toHex(wanted));
      }),
      { numRuns: 2000 },
    );
  });

  it('is looked for in any octets without reading outside them', () => {
    fc.assert(
      fc.property(fields, fc.array(fc.tuple(fc.nat(100), fc.nat(255)), { maxLength: 4 }), fc.nat(120), (...args) => {
        const [all, changes, cut] = args;
        const whole = Uint8Array.from(tcpFrame({ ...all, flags: SYN }).octets.subarray(ETHERNET));
        for (const [index, value] of changes) if (index < whole.length) whole[index] = value;
        const { bytes, start, end } = guard(whole.subarray(0, Math.max(1, whole.length - cut)));
        const tcp = findSyn(bytes, start, end);
        if (tcp !== 0) clampMss(bytes, tcp, end, 500, true);
      }),
      { numRuns: 2000 },
    );
  });

  it('leaves room for the headers', () => {
    assert.deepEqual([mssOfIpv4(1500), mssOfIpv6(1500)], [1460, 1440]);
  });
});
