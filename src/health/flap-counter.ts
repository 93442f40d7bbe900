// How often a monitor has changed between up and down of late.

import type { FlapLimit } from './monitor.ts';

export class FlapCounter {
  readonly limit: FlapLimit;
  /** Times of the last changes, as many as the limit allows. */
  readonly #times: number[] = [];

  constructor(limit: FlapLimit) {
    this.limit = limit;
  }

  /** A change; whether it is one too many within the window. */
  note(now: number): boolean {
    this.#times.push(now);
    if (this.#times.length > this.limit.changes) this.#times.shift();
    return this.#times.length === this.limit.changes && now - this.#times[0]! <= this.limit.window;
  }

  clear(): void {
    this.#times.length = 0;
  }
}
