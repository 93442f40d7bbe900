// The time limits of probes, of all of them in one list: a timer per probe would cost more than the probe.
//
// A wheel of slots of TICK_MS. A deadline fires at the first tick at which it has passed, never before.

const TICK_MS = 50;
const SLOTS = 256;

/** Something with a time limit; in one list at most. */
export abstract class Deadline {
  /** Milliseconds of `performance.now()`. */
  due = 0;
  /** Neighbours in its slot; undefined: it is in none. */
  before: Deadline | undefined = undefined;
  behind: Deadline | undefined = undefined;

  abstract expire(): void;

  /** Ends it without an outcome, and takes it out of the list. */
  abstract cancel(): void;
}

/** The head of a slot: the list is a ring. */
class Slot extends Deadline {
  constructor() {
    super();
    this.before = this;
    this.behind = this;
  }

  expire(): void {
    throw new Error('a slot does not expire');
  }

  cancel(): void {
    throw new Error('a slot is not cancelled');
  }
}

export class Deadlines {
  readonly #slots = Array.from({ length: SLOTS }, () => new Slot());
  #timer: NodeJS.Timeout | undefined = undefined;
  /** The tick that has been looked at last. */
  #tick = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Expires `milliseconds` from now, unless it is removed. */
  add(deadline: Deadline, milliseconds: number): void {
    const now = performance.now();
    deadline.due = now + milliseconds;
    const head = this.#slots[Math.ceil(deadline.due / TICK_MS) % SLOTS]!;
    deadline.before = head.before!;
    deadline.behind = head;
    head.before!.behind = deadline;
    head.before = deadline;
    if (this.#size++ > 0) return;
    this.#tick = Math.floor(now / TICK_MS);
    this.#timer = setInterval(() => this.#look(), TICK_MS);
  }

  remove(deadline: Deadline): void {
    if (deadline.behind === undefined) return;
    deadline.before!.behind = deadline.behind;
    deadline.behind.before = deadline.before;
    deadline.before = deadline.behind = undefined;
    if (--this.#size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Cancels all that are in it. */
  cancelAll(): void {
    for (const head of this.#slots) while (head.behind !== head) head.behind!.cancel();
  }

  #look(): void {
    const now = performance.now();
    const last = Math.floor(now / TICK_MS);
    // Whoever has slept longer than a turn looks at each slot once.
    this.#tick = Math.max(this.#tick, last - SLOTS);
    while (this.#tick < last) {
      const head = this.#slots[++this.#tick % SLOTS]!;
      const due: Deadline[] = [];
      for (let each = head.behind!; each !== head; each = each.behind!) if (each.due <= now) due.push(each);
      // One that expires may remove another.
      for (const each of due) {
        if (each.behind === undefined || each.due > now) continue;
        this.remove(each);
        each.expire();
      }
    }
  }
}
