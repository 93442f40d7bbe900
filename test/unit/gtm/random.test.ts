import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { drawByWeight, weigh } from '../../../src/gtm/modes/by-weight.ts';
import { Candidates } from '../../../src/gtm/modes/candidates.ts';
import { type RandomSource, Xoshiro } from '../../../src/gtm/random.ts';
import { assertShares } from '../../support/chi-square.ts';
import { seedOf } from '../../support/gtm-rig.ts';

describe('the source of chance', () => {
  it('gives the numbers of the reference of xoshiro128** 1.1', () => {
    const random = new Xoshiro([1, 2, 3, 4]);
    const numbers = Array.from({ length: 10 }, () => random.next() >>> 0);
    assert.deepEqual(
      numbers,
      [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804],
    );
  });

  it('has every bit as often as not, and every octet alike often', () => {
    const random = new Xoshiro(seedOf(3));
    const octets = new Array<number>(256).fill(0);
    const bits = new Array<number>(32).fill(0);
    for (let draw = 0; draw < 50_000; draw++) {
      const number = random.next();
      octets[number >>> 24]!++;
      for (let bit = 0; bit < 32; bit++) bits[bit]! += (number >>> bit) & 1;
    }
    assertShares(octets, new Array<number>(256).fill(1));
    for (const count of bits) assertShares([count, 50_000 - count], [1, 1]);
  });
});

describe('a draw by weight', () => {
  const draw = (weights: readonly number[], random: RandomSource): number => {
    const candidates = new Candidates(weights.length);
    for (const [row, weight] of weights.entries()) candidates.add(row, weight);
    return drawByWeight(candidates, weigh(candidates), random);
  };
  const always = (number: number): RandomSource => ({ next: () => number });

  it('takes one with a weight whatever chance there is', () => {
    for (const weight of [1, 3, 65_535, 2 ** 31 - 1]) {
      assert.equal(draw([0, weight, 7, weight, 0, 0], always(-1)), 3);
      assert.equal(draw([0, weight, 7, weight, 0, 0], always(0)), 1);
    }
    const random = new Xoshiro(seedOf(4));
    for (let time = 0; time < 10_000; time++) {
      const count = (random.next() & 7) + 1;
      const weights = Array.from({ length: count }, () => ((random.next() & 1) === 0 ? 0 : random.next() >>> 1));
      const drawn = draw(weights, random);
      assert.ok(weights[drawn]! > 0 || weights.every((weight) => weight === 0), `${weights.join(' ')}: ${drawn}`);
    }
  });

  it('gives a small share of a large total what it should have', () => {
    // 2^-33 of all: 32 bits of chance could not say it.
    let number = 0;
    const exactly = (...numbers: number[]): RandomSource => ({ next: () => numbers[number++ % numbers.length]! });
    const weights = [1, 2 ** 33 - 1];
    assert.equal(draw(weights, exactly(0, 0x7fff_ffff)), 0);
    assert.equal(draw(weights, exactly(0, 0x8000_0000)), 1);
  });
});
