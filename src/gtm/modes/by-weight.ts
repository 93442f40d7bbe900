// The choice by chance, each candidate by its weight: `ratio` and `virtual-server-capacity`. Weight 0 gets nothing, unless all of
// them have that: then they are alike.

import type { RandomSource } from '../random.ts';
import type { Candidates } from './candidates.ts';

/** The sum of all values, which are weights; all become 1 when it would be 0. */
export function weigh(candidates: Candidates): number {
  const { values, count } = candidates;
  let total = 0;
  for (let index = 0; index < count; index++) total += values[index]!;
  if (total > 0) return total;
  values.fill(1, 0, count);
  return count;
}

/** Where the one to be chosen stands. `total`: of all weights, above 0. */
export function drawByWeight(candidates: Candidates, total: number, random: RandomSource): number {
  const { values, count } = candidates;
  if (count === 1) return 0;
  // By 53 bits of chance, so that also small shares of a large total are what they should be.
  const chance = ((random.next() >>> 0) * 0x20_0000 + (random.next() >>> 11)) / 2 ** 53;
  let left = chance * total;
  let index = 0;
  // Whole numbers are taken off exactly, so that what is left is below 0 at the last one with a weight.
  while ((left -= values[index]!) >= 0) index++;
  return index;
}
