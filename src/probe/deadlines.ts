// The time limits of probes, of all of them in one wheel with one timer: a timer for each would cost more than a probe does.

import { DeadlineWheel, TICK_MS } from './deadline-wheel.ts';

/** Probes that run at a time, at most. */
const CAPACITY = 16_384;
const NONE = -1;

/** Something with a time limit; in one list at most. */
export abstract class Deadline {
  /** Its number in the wheel; -1: it is in none. */
  number = NONE;

  abstract expire(): void;

  /** Ends it without an outcome, and takes it out of the list. */
  abstract cancel(): void;
}

export class Deadlines {
  readonly #wheel = new DeadlineWheel(CAPACITY, performance.now());
  readonly #members: (Deadline | undefined)[] = [];
  /** Numbers that nobody has any more. */
  readonly #free: number[] = [];
  #timer: NodeJS.Timeout | undefined = undefined;

  get isFull(): boolean {
    return this.#wheel.size === CAPACITY;
  }

  /** Expires `milliseconds` from now, unless it is removed; also one that is in it already. */
  add(deadline: Deadline, milliseconds: number): void {
    if (deadline.number === NONE) {
      const number = this.#free.pop() ?? this.#members.length;
      deadline.number = number;
      this.#members[number] = deadline;
    }
    this.#wheel.set(deadline.number, performance.now() + milliseconds);
    this.#timer ??= setInterval(() => this.#wheel.advance(performance.now(), this.#passed), TICK_MS);
  }

  remove(deadline: Deadline): void {
    const { number } = deadline;
    if (number === NONE) return;
    deadline.number = NONE;
    this.#wheel.clear(number);
    this.#members[number] = undefined;
    this.#free.push(number);
    if (this.#wheel.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Cancels all that are in it. */
  cancelAll(): void {
    for (const deadline of this.#members) deadline?.cancel();
  }

  readonly #passed = (number: number): void => {
    const deadline = this.#members[number]!;
    this.remove(deadline);
    deadline.expire();
  };
}
