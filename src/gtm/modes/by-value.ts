// The choice of the highest value, where those that are equal take turns: of them the one that has been chosen least recently is
// next. So they have equal shares whichever of them are equal for one client and for the next, which a common place in the list,
// moved on by everybody, would not give.

import type { Candidates } from './candidates.ts';

/** Who was chosen when, by row. */
export class Turns {
  /** The number of the choice that a row had last; 0: none yet. */
  readonly last: Float64Array;
  #choices = 0;

  constructor(rows: number) {
    this.last = new Float64Array(rows);
  }

  note(row: number): void {
    this.last[row] = ++this.#choices;
  }

  /** Goes on where others were: `rowOf` tells for a row here which it was there, or -1. */
  carry(previous: Turns, rowOf: (row: number) => number): void {
    this.#choices = previous.#choices;
    for (let row = 0; row < this.last.length; row++) {
      const before = rowOf(row);
      if (before >= 0) this.last[row] = previous.last[before]!;
    }
  }
}

/** Where the one to be chosen stands: there is at least one candidate. */
export function highestOf(candidates: Candidates, turns: Turns): number {
  const { rows, values, count } = candidates;
  const { last } = turns;
  let best = 0;
  for (let index = 1; index < count; index++) {
    const value = values[index]!;
    const bestValue = values[best]!;
    if (value > bestValue) best = index;
    else if (value === bestValue) {
      const row = rows[index]!;
      const bestRow = rows[best]!;
      const lead = last[row]! - last[bestRow]!;
      if (lead < 0 || (lead === 0 && row < bestRow)) best = index;
    }
  }
  return best;
}
