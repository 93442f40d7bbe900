// The replay window against a set of big integers that forgets nothing.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Drop, FORWARD, type Verdict } from '../../src/core/drop-reason.ts';
import { ReplayWindow } from '../../src/ipsec/replay-window.ts';

const HALF = 1n << 32n;
const halves = (number: bigint): [number, number] => [Number(number / HALF), Number(number % HALF)];

/** What RFC 4303 asks for, for whole numbers. */
class Model {
  readonly seen = new Set<bigint>();
  top: bigint;
  readonly packets: bigint;

  constructor(packets: number, top: bigint) {
    this.packets = BigInt(packets);
    this.top = top;
  }

  receive(number: bigint): Verdict {
    if (number <= this.top - this.packets) return Drop.ipsecTooOld;
    if (this.seen.has(number) || (this.seen.size === 0 && number <= this.top)) return Drop.ipsecReplayed;
    this.seen.add(number);
    if (number > this.top) this.top = number;
    return FORWARD;
  }
}

/** Steps of a sender whose packets come early, late and twice. */
const steps = fc.array(
  fc.oneof(
    fc.constant(1),
    fc.integer({ min: -40, max: 40 }),
    fc.integer({ min: -5000, max: 5000 }),
    fc.integer({ min: 0, max: 100_000_000 }),
  ),
  { maxLength: 120 },
);
const packets = fc.integer({ min: 1, max: 128 }).map((words) => words * 32);

describe('the replay window', () => {
  it('is that of the model, with 64 bits, as long as no packet is further off than the estimate reaches', () => {
    const start = fc.oneof(
      fc.bigInt(0n, (1n << 64n) - (1n << 40n)),
      fc.bigInt(-200n, 200n).map((near) => 5n * HALF + near),
    );
    fc.assert(
      fc.property(packets, start, steps, (size, first, list) => {
        const window = new ReplayWindow(size, true);
        const model = new Model(size, first);
        window.moveTo(...halves(first));
        for (let low = first > BigInt(size) ? first - BigInt(size) + 1n : 0n; low <= first; low++) model.seen.add(low);
        let number = first;
        for (const step of list) {
          number += BigInt(step);
          // Older ones look like those of the next subspace, and their ICV is found wrong.
          if (number < 0n || number <= model.top - BigInt(size)) number = model.top;
          const [high, low] = halves(number);
          const expected = model.receive(number);
          const verdict = window.check(low);
          assert.equal(window.high, high);
          assert.equal(verdict === FORWARD ? window.accept(high, low) : verdict, expected);
          assert.equal(BigInt(window.topHigh) * HALF + BigInt(window.topLow), model.top);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('is that of the model with 32 bits', () => {
    fc.assert(
      fc.property(packets, fc.nat(0xffff_ffff), steps, (size, first, list) => {
        const window = new ReplayWindow(size, false);
        const model = new Model(size, 0n);
        model.seen.add(0n);
        let number = first;
        for (const step of [0, ...list]) {
          number = Math.min(0xffff_ffff, Math.max(0, number + step));
          const verdict = window.check(number);
          assert.equal(verdict === FORWARD ? window.accept(0, number) : verdict, model.receive(BigInt(number)));
        }
      }),
      { numRuns: 3000 },
    );
  });
});
