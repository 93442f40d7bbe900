// Numbers of things (0, 1, 2 …) by their hashes: open addressing over 32-bit words, no object per thing.

const EMPTY = -1;
const FIRST = 1024;
/** Of the slots at most so many are taken. */
const MAX_LOAD = 0.75;

export class HashIndex {
  #slots: Int32Array;
  /** By number. */
  #hashes: Int32Array;
  #count = 0;

  /** As many as are expected cost no copies. */
  constructor(expected = FIRST) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(expected, FIRST) / MAX_LOAD));
    this.#slots = new Int32Array(slots).fill(EMPTY);
    this.#hashes = new Int32Array(MAX_LOAD * slots);
  }

  get count(): number {
    return this.#count;
  }

  /** The first number of the hash that `isIt` accepts; -1 when there is none. */
  find(hash: number, isIt: (number: number) => boolean): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = this.#slots[slot]!;
      if (number === EMPTY) return -1;
      if (this.#hashes[number] === hash && isIt(number)) return number;
    }
  }

  /** Gives the next number to a hash. */
  add(hash: number): number {
    if (this.#count >= MAX_LOAD * this.#slots.length) this.#grow();
    const number = this.#count++;
    this.#hashes[number] = hash;
    this.#insert(number);
    return number;
  }

  #grow(): void {
    this.#slots = new Int32Array(2 * this.#slots.length).fill(EMPTY);
    const hashes = new Int32Array(MAX_LOAD * this.#slots.length);
    hashes.set(this.#hashes.subarray(0, this.#count));
    this.#hashes = hashes;
    for (let number = 0; number < this.#count; number++) this.#insert(number);
  }

  #insert(number: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#hashes[number]! & mask;
    while (this.#slots[slot] !== EMPTY) slot = (slot + 1) & mask;
    this.#slots[slot] = number;
  }
}

/** An array of numbers that grows. */
export class GrowingWords {
  words: Uint32Array;

  constructor(expected = FIRST) {
    this.words = new Uint32Array(Math.max(FIRST, expected));
  }

  set(index: number, value: number): void {
    if (index >= this.words.length) {
      const larger = new Uint32Array(2 * this.words.length);
      larger.set(this.words);
      this.words = larger;
    }
    this.words[index] = value;
  }
}
