// Where chance comes from when somebody is chosen: a source that is handed in, so that tests know what it gives.

export type RandomSource = {
  /** The next of numbers that are alike likely: 32 bits, signed, which needs no place in memory whoever calls. */
  next(): number;
};

/**
 * xoshiro128** 1.1 (Blackman and Vigna, 2018): fast, and good by all statistical tests that are known. Who has seen some of its
 * numbers can tell the next ones: it decides where clients are sent, and nothing that has to be secret.
 */
export class Xoshiro implements RandomSource {
  readonly #state: Int32Array;

  /** `seed`: four words, of which one at least is not 0; to be alike likely themselves, as a system's random source has them. */
  constructor(seed: ArrayLike<number>) {
    this.#state = Int32Array.of(seed[0]!, seed[1]!, seed[2]!, seed[3]!);
  }

  next(): number {
    const state = this.#state;
    const first = state[0]!;
    const second = state[1]!;
    const product = Math.imul(second, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9);
    const third = state[2]! ^ first;
    const fourth = state[3]! ^ second;
    state[1] = second ^ third;
    state[0] = first ^ fourth;
    state[2] = third ^ (second << 9);
    state[3] = (fourth << 11) | (fourth >>> 21);
    return result;
  }
}
