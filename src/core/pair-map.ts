// A map from a pair of 32-bit integers to a non-negative integer, in one typed array.
//
// Open addressing with linear probing and backward-shift deletion. Against a Map with a composed key it saves the heap
// number and half of the time of a look-up, which stands in the path of every received datagram.

const STRIDE = 4;
const EMPTY = -1;

export class PairMap {
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

  /** The value of (a, b), or -1. */
  get(a: number, b: number): number {
    const cells = this.#cells;
    let at = hashPair(a, b) & this.#mask;
    for (;;) {
      const cell = at * STRIDE;
      const value = cells[cell + 2]!;
      if (value === EMPTY || (cells[cell] === a && cells[cell + 1] === b)) return value;
      at = (at + 1) & this.#mask;
    }
  }

  /** `value` is at least 0. */
  set(a: number, b: number, value: number): void {
    if ((this.#size + 1) * 2 > this.#mask) this.#grow();
    const at = this.#find(a, b);
    const cell = at * STRIDE;
    if (this.#cells[cell + 2] === EMPTY) this.#size += 1;
    this.#cells[cell] = a;
    this.#cells[cell + 1] = b;
    this.#cells[cell + 2] = value;
  }

  delete(a: number, b: number): boolean {
    let hole = this.#find(a, b);
    const cells = this.#cells;
    if (cells[hole * STRIDE + 2] === EMPTY) return false;
    this.#size -= 1;
    // Move up whatever would no longer be found behind the hole.
    for (let at = (hole + 1) & this.#mask; cells[at * STRIDE + 2] !== EMPTY; at = (at + 1) & this.#mask) {
      const home = hashPair(cells[at * STRIDE]!, cells[at * STRIDE + 1]!) & this.#mask;
      if (((at - home) & this.#mask) >= ((at - hole) & this.#mask)) {
        cells.copyWithin(hole * STRIDE, at * STRIDE, at * STRIDE + STRIDE);
        hole = at;
      }
    }
    cells[hole * STRIDE + 2] = EMPTY;
    return true;
  }

  #find(a: number, b: number): number {
    const cells = this.#cells;
    let at = hashPair(a, b) & this.#mask;
    for (;;) {
      const cell = at * STRIDE;
      if (cells[cell + 2] === EMPTY || (cells[cell] === a && cells[cell + 1] === b)) return at;
      at = (at + 1) & this.#mask;
    }
  }

  #grow(): void {
    const old = this.#cells;
    const slots = (this.#mask + 1) * 2;
    this.#cells = emptyCells(slots);
    this.#mask = slots - 1;
    this.#size = 0;
    for (let cell = 0; cell < old.length; cell += STRIDE) {
      if (old[cell + 2] !== EMPTY) this.set(old[cell]!, old[cell + 1]!, old[cell + 2]!);
    }
  }
}

/** Mixes two integers into 32 bits whose low ones depend on all of the input. */
export function hashPair(a: number, b: number): number {
  let hash = Math.imul(a ^ Math.imul(b, 0x85ebca6b), 0x9e3779b1);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 13);
}

export function nextPowerOfTwo(value: number): number {
  let power = 1;
  while (power < value) power *= 2;
  return power;
}

function emptyCells(slots: number): Int32Array {
  const cells = new Int32Array(slots * STRIDE);
  for (let cell = 2; cell < cells.length; cell += STRIDE) cells[cell] = EMPTY;
  return cells;
}
