// Deadlines of many things at once, in the place of a timer for each: a wheel of buckets, with lists through flat arrays.
// Setting and taking away a deadline costs the same however many there are, and allocates nothing.

/** Deadlines are met so late at most, in milliseconds, when the clock is asked in time. */
export const TICK_MS = 20;
/** A power of two. What lies further away than a turn stays in its bucket for as many turns. */
const BUCKETS = 1024;
const NONE = -1;

export class DeadlineWheel {
  readonly #first = new Int32Array(BUCKETS).fill(NONE);
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** The tick of each deadline; NONE: it has none. */
  readonly #tick: Float64Array;
  /** All ticks up to this one have been looked at. */
  #done: number;
  #size = 0;

  /** Things are numbered from 0. */
  constructor(capacity: number, nowMs: number) {
    this.#next = new Int32Array(capacity).fill(NONE);
    this.#previous = new Int32Array(capacity).fill(NONE);
    this.#tick = new Float64Array(capacity).fill(NONE);
    this.#done = Math.floor(nowMs / TICK_MS);
  }

  /** How many deadlines there are. */
  get size(): number {
    return this.#size;
  }

  /** Sets the deadline of a thing, in the place of the one that it had. */
  set(thing: number, atMs: number): void {
    this.clear(thing);
    const tick = Math.max(this.#done + 1, Math.ceil(atMs / TICK_MS));
    const bucket = tick & (BUCKETS - 1);
    const first = this.#first[bucket]!;
    this.#tick[thing] = tick;
    this.#previous[thing] = NONE;
    this.#next[thing] = first;
    if (first !== NONE) this.#previous[first] = thing;
    this.#first[bucket] = thing;
    this.#size++;
  }

  clear(thing: number): void {
    const tick = this.#tick[thing]!;
    if (tick === NONE) return;
    const next = this.#next[thing]!;
    const previous = this.#previous[thing]!;
    if (next !== NONE) this.#previous[next] = previous;
    if (previous === NONE) this.#first[tick & (BUCKETS - 1)] = next;
    else this.#next[previous] = next;
    this.#tick[thing] = NONE;
    this.#size--;
  }

  /** Calls back for each thing whose deadline has passed, and which has none then; the callback may set and clear any. */
  advance(nowMs: number, passed: (thing: number) => void): void {
    const now = Math.floor(nowMs / TICK_MS);
    if (this.#size === 0) this.#done = Math.max(this.#done, now);
    // Buckets of more than a turn ago are the same ones again.
    for (let tick = Math.max(this.#done + 1, now - BUCKETS + 1); tick <= now; tick++) {
      this.#done = tick;
      this.#empty(tick & (BUCKETS - 1), now, passed);
    }
  }

  #empty(bucket: number, now: number, passed: (thing: number) => void): void {
    for (let thing = this.#first[bucket]!; thing !== NONE;) {
      if (this.#tick[thing]! > now) {
        thing = this.#next[thing]!;
        continue;
      }
      this.clear(thing);
      passed(thing);
      // What has been called may have changed the list.
      thing = this.#first[bucket]!;
    }
  }
}
