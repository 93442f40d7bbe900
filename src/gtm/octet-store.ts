// Octets that grow while tables are made, and lie in shared memory when they are done.

export class OctetStore {
  #octets = new Uint8Array(1 << 16);
  #length = 0;

  /** Where the octets stand. */
  add(octets: Uint8Array): number {
    const at = this.#length;
    this.#length += octets.length;
    if (this.#length > this.#octets.length) {
      const larger = new Uint8Array(Math.max(this.#length, 2 * this.#octets.length));
      larger.set(this.#octets);
      this.#octets = larger;
    }
    this.#octets.set(octets, at);
    return at;
  }

  /** What was added so far, to look at; good until more is added. */
  get octets(): Uint8Array {
    return this.#octets;
  }

  /** A copy in shared memory. */
  share(): Uint8Array {
    const shared = new Uint8Array(new SharedArrayBuffer(Math.max(1, this.#length)));
    shared.set(this.#octets.subarray(0, this.#length));
    return shared;
  }
}

export function sharedWords(words: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * words));
}

/** A copy of numbers in shared memory. */
export function shareWords(numbers: ArrayLike<number>): Int32Array {
  const words = sharedWords(numbers.length);
  words.set(numbers);
  return words;
}
