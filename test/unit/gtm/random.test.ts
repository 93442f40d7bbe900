import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { below, Xoshiro } from '../../../src/gtm/random.ts';
import { assertShares } from '../../support/chi-square.ts';

describe('the source of chance', () => {
  it('gives the numbers of the reference of xoshiro128** 1.1', () => {
    const random = new Xoshiro([1, 2, 3, 4]);
    const numbers = Array.from({ length: 10 }, () => random.next());
    assert.deepEqual(
      numbers,
      [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804],
    );
  });

  it('has shares below a limit that are alike, and never the limit', () => {
    for (const limit of [1, 3, 7, 100]) {
      const random = new Xoshiro([limit, 2, 3, 4]);
      const counts = new Array<number>(limit).fill(0);
      for (let draw = 0; draw < 50_000; draw++) counts[Math.floor(below(random, limit))]!++;
      assertShares(counts, new Array<number>(limit).fill(1), `below ${limit}`);
    }
  });

  it('stays below a limit with the highest numbers that there are, and gives small shares of a large one', () => {
    const highest = { next: () => 0xffff_ffff };
    for (const limit of [1, 3, 65_535, 2 ** 31 - 1, 2 ** 40 + 1]) assert.ok(below(highest, limit) < limit);
    // 32 bits of chance could not tell these apart.
    let number = 0;
    const numbers = [7, 0, 7, 0xffff_ffff];
    const two = { next: () => numbers[number++]! };
    assert.ok(below(two, 2 ** 32) < below(two, 2 ** 32));
  });
});
