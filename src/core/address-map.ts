// A map from an IP address and a 32-bit integer beside it to a non-negative integer, in one typed array.
//
// What PairMap is for pairs, for both IP versions at once: an IPv4 address is four words like any other, the first three
// of them 0. Neither looking up nor entering allocates anything, but for the table when it grows.

import { hashPair, nextPowerOfTwo } from './pair-map.ts';

const STRIDE = 6;
const VALUE = 5;
const EMPTY = -1;

export class AddressMap {
  #cells: Int32Array;
  #mask: number;
  #size = 0;

  /** Room for at least `capacity` entries before the table grows. */
  constructor(capacity = 16) {
    const slots = nextPowerOfTwo(Math.max(16, capacity * 2));
    this.#cells = emptyCells(slots);
    this.#mask = slots - 1;
  }

  get size(): number {
    return this.#size;
  }

  /** The value of (tag, address), or -1. */
  get(tag: number, word0: number, word1: number, word2: number, word3: number): number {
    return this.#cells[this.#find(tag, word0, word1, word2, word3) + VALUE]!;
  }

  /** `value` is at least 0. */
  set(tag: number, word0: number, word1: number, word2: number, word3: number, value: number): void {
    if ((this.#size + 1) * 2 > this.#mask) this.#grow();
    const cell = this.#find(tag, word0, word1, word2, word3);
    const cells = this.#cells;
    if (cells[cell + VALUE] === EMPTY) this.#size += 1;
    cells[cell] = tag;
    cells[cell + 1] = word0;
    cells[cell + 2] = word1;
    cells[cell + 3] = word2;
    cells[cell + 4] = word3;
    cells[cell + VALUE] = value;
  }

  delete(tag: number, word0: number, word1: number, word2: number, word3: number): boolean {
    let hole = this.#find(tag, word0, word1, word2, word3) / STRIDE;
    const cells = this.#cells;
    const mask = this.#mask;
    if (cells[hole * STRIDE + VALUE] === EMPTY) return false;
    this.#size -= 1;
    // Move up whatever would no longer be found behind the hole.
    for (let at = (hole + 1) & mask; cells[at * STRIDE + VALUE] !== EMPTY; at = (at + 1) & mask) {
      const home = this.#home(at * STRIDE);
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        cells.copyWithin(hole * STRIDE, at * STRIDE, at * STRIDE + STRIDE);
        hole = at;
      }
    }
    cells[hole * STRIDE + VALUE] = EMPTY;
    return true;
  }

  /** The cell of the entry, or the empty one where it would stand. */
  #find(tag: number, word0: number, word1: number, word2: number, word3: number): number {
    const cells = this.#cells;
    let at = hashAddress(tag, word0, word1, word2, word3) & this.#mask;
    for (;;) {
      const cell = at * STRIDE;
      if (cells[cell + VALUE] === EMPTY) return cell;
      if (
        cells[cell + 4] === word3 &&
        cells[cell] === tag &&
        cells[cell + 3] === word2 &&
        cells[cell + 2] === word1 &&
        cells[cell + 1] === word0
      ) {
        return cell;
      }
      at = (at + 1) & this.#mask;
    }
  }

  /** Where the entry of a cell would stand if every place were free. */
  #home(cell: number): number {
    const cells = this.#cells;
    const hash = hashAddress(cells[cell]!, cells[cell + 1]!, cells[cell + 2]!, cells[cell + 3]!, cells[cell + 4]!);
    return hash & this.#mask;
  }

  #grow(): void {
    const old = this.#cells;
    const slots = (this.#mask + 1) * 2;
    this.#cells = emptyCells(slots);
    this.#mask = slots - 1;
    this.#size = 0;
    for (let cell = 0; cell < old.length; cell += STRIDE) {
      const value = old[cell + VALUE]!;
      if (value === EMPTY) continue;
      this.set(old[cell]!, old[cell + 1]!, old[cell + 2]!, old[cell + 3]!, old[cell + 4]!, value);
    }
  }
}

function hashAddress(tag: number, word0: number, word1: number, word2: number, word3: number): number {
  // Of IPv4 addresses the upper words are all 0 and cost one test.
  const upper = (word0 | word1 | word2) === 0 ? 0 : hashPair(hashPair(word0, word1), word2);
  return hashPair(tag ^ upper, word3);
}

function emptyCells(slots: number): Int32Array {
  const cells = new Int32Array(slots * STRIDE);
  for (let cell = VALUE; cell < cells.length; cell += STRIDE) cells[cell] = EMPTY;
  return cells;
}
