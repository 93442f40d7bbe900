// How long to wait before a peer is dialled again: 1 s, doubling to 30 s, a quarter more or less.

const FIRST_MS = 1000;
const LONGEST_MS = 30_000;
const JITTER = 0.25;
/** A connection that lasted this long was good: the next wait is the first again. */
const GOOD_MS = 60_000;

/** The longest wait of all. */
export const LONGEST_WAIT_MS = LONGEST_MS * (1 + JITTER);

export class BackOff {
  readonly #random: () => number;
  #next = FIRST_MS;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** After an attempt that came to nothing, or a connection that lasted `lastedMs`. */
  waitAfter(lastedMs: number): number {
    if (lastedMs >= GOOD_MS) this.#next = FIRST_MS;
    const wait = this.#next * (1 - JITTER + 2 * JITTER * this.#random());
    this.#next = Math.min(LONGEST_MS, 2 * this.#next);
    return wait;
  }
}
