// The choice by chance, each candidate by its weight: `ratio` and `virtual-server-capacity`.

import { below, type RandomSource } from '../random.ts';
import type { Candidates } from './candidates.ts';

/** Leaves those with a weight above 0; when there are none all stay, with the same weight. */
export function dropWithoutWeight(candidates: Candidates): void {
  const { rows, values } = candidates;
  let kept = 0;
  for (let index = 0; index < candidates.count; index++) {
    const value = values[index]!;
    if (value <= 0) continue;
    rows[kept] = rows[index]!;
    values[kept++] = value;
  }
  if (kept > 0) candidates.count = kept;
  else values.fill(1, 0, candidates.count);
}

/** Takes one of them, the values being weights above 0; returns its row. There is at least one. */
export function takeByWeight(candidates: Candidates, random: RandomSource): number {
  const { values, count } = candidates;
  if (count === 1) return candidates.take(0);
  let total = 0;
  for (let index = 0; index < count; index++) total += values[index]!;
  let left = below(random, total);
  let index = 0;
  // The last one needs no look: whatever is left is its.
  while (index < count - 1 && left >= values[index]!) left -= values[index++]!;
  return candidates.take(index);
}
