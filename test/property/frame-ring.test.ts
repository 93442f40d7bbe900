// The ring of frames between two threads against a plain queue.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { Arena } from '../../src/packet/arena.ts';
import { HEADROOM_OCTETS } from '../../src/packet/frame.ts';
import { createFrameRing, FrameRing, frameRingOctets } from '../../src/port/frame-ring.ts';

const SLOTS = 4;
const arena = new Arena(new ArrayBuffer(4096 + frameRingOctets(SLOTS)));

const step = fc.oneof(
  fc.uint8Array({ maxLength: 90 }).map((octets) => ({ fill: octets, empty: 0 })),
  fc.nat(SLOTS).map((empty) => ({ fill: undefined, empty })),
);

it('a frame ring gives what a queue of as many places gives, and counts what found none', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer(), (steps, turns) => {
      const memory = createFrameRing(4096, SLOTS);
      // Also where the numbers of slots go round.
      new Int32Array(memory.control).fill(turns, 0, 2);
      const filling = new FrameRing(arena, memory);
      const emptying = new FrameRing(arena, memory);
      const queue: Uint8Array[] = [];
      let lost = 0;
      for (const { fill, empty } of steps) {
        if (fill !== undefined) {
          const source = Uint8Array.from([9, ...fill, 9]);
          const isFilled = filling.fill(source, 1, fill.length);
          assert.equal(isFilled, queue.length < SLOTS);
          if (isFilled) queue.push(fill);
          else lost += 1;
        } else {
          const count = Math.min(empty, queue.length);
          emptying.empty(count);
          queue.splice(0, count);
        }
        assert.equal(emptying.waiting, queue.length);
        assert.equal(emptying.lost, lost);
        for (const [ahead, octets] of queue.entries()) {
          const slot = emptying.slot(ahead);
          const start = emptying.start(slot);
          assert.equal(start % 4, 2);
          assert.ok(start - HEADROOM_OCTETS >= 4096);
          assert.deepEqual(arena.bytes.slice(start, start + emptying.octets(slot)), octets);
        }
      }
    }),
    { numRuns: 1000 },
  );
});
