// When whom to dial: everybody when it is due, but no two within DIAL_GAP_MS, however many are due at a time.

import type { MeshClock } from './mesh-transport.ts';

/** 20 a second: a handshake costs both sides a millisecond or two, and 200 peers are dialled in ten seconds. */
export const DIAL_GAP_MS = 50;

/** Timers may be a little early. */
const EARLY_MS = 1;

export class Dialer<T> {
  readonly #clock: MeshClock;
  readonly #dial: (item: T) => void;
  readonly #due = new Map<T, number>();
  /** Before that nobody is dialled. */
  #freeAt = 0;
  #timerAt = Infinity;
  #cancel: () => void = () => undefined;

  constructor(clock: MeshClock, dial: (item: T) => void) {
    this.#clock = clock;
    this.#dial = dial;
  }

  /** Milliseconds until it is due; undefined: it is not going to be dialled. */
  waitOf(item: T): number | undefined {
    const at = this.#due.get(item);
    return at === undefined ? undefined : Math.max(0, at - this.#clock.now());
  }

  dialIn(item: T, milliseconds: number): void {
    this.#due.set(item, this.#clock.now() + milliseconds);
    this.#arm();
  }

  /** If it is to be dialled at all. */
  dialSooner(item: T, milliseconds: number): void {
    const wait = this.waitOf(item);
    if (wait !== undefined && wait > milliseconds) this.dialIn(item, milliseconds);
  }

  cancel(item: T): void {
    this.#due.delete(item);
  }

  stop(): void {
    this.#due.clear();
    this.#cancel();
    this.#timerAt = Infinity;
  }

  #first(): [T, number] | undefined {
    let first: [T, number] | undefined;
    for (const one of this.#due) if (first === undefined || one[1] < first[1]) first = one;
    return first;
  }

  #arm(): void {
    const first = this.#first();
    if (first === undefined) return;
    const at = Math.max(first[1], this.#freeAt);
    if (at >= this.#timerAt) return;
    this.#cancel();
    this.#timerAt = at;
    this.#cancel = this.#clock.setTimer(Math.max(0, at - this.#clock.now()), () => this.#fire());
  }

  #fire(): void {
    this.#timerAt = Infinity;
    const now = this.#clock.now();
    const first = this.#first();
    if (first !== undefined && Math.max(first[1], this.#freeAt) <= now + EARLY_MS) {
      this.#due.delete(first[0]);
      this.#freeAt = now + DIAL_GAP_MS;
      this.#dial(first[0]);
    }
    this.#arm();
  }
}
