// How a state that one thread writes gets to the threads that answer, whole changes at a time: each has a copy of its own, which
// it brings up to date between two answers from a journal in shared memory. So no answer sees half a change, nobody waits for
// anybody, and a change costs its own numbers only. Who has slept for longer than the journal remembers copies everything.

import type { StateLayout } from './state-layout.ts';

/** Words that the writer tells the readers by. */
const Control = {
  /** Odd while the state is written. */
  sequence: 0,
  /** Changes of numbers that are in the journal, as an unsigned count that goes round. */
  committed: 1,
  /** The same, of those that are being written. */
  reserved: 2,
} as const;
const CONTROL_WORDS = 4;
/** An index and a value. */
const ENTRY_WORDS = 2;
/** Changes that the journal remembers; a power of two. */
const ENTRIES = 1 << 16;

/** Memory that threads share. */
export type StateMemory = {
  readonly layout: StateLayout;
  readonly words: Int32Array;
  readonly journal: Int32Array;
  readonly control: Int32Array;
};

const shared = (words: number): Int32Array => new Int32Array(new SharedArrayBuffer(4 * Math.max(1, words)));

/** All numbers 0. `entries`: a power of two. */
export function newStateMemory(layout: StateLayout, entries = ENTRIES): StateMemory {
  return {
    layout,
    words: shared(layout.words),
    journal: shared(entries * ENTRY_WORDS),
    control: shared(CONTROL_WORDS),
  };
}

/** The one that writes: numbers are set, and all of them are there at once with `commit`. */
export class StateWriter {
  readonly memory: StateMemory;
  /** By index, what is not committed yet. */
  readonly #pending = new Map<number, number>();
  readonly #mask: number;
  #isUnread = false;

  constructor(memory: StateMemory) {
    this.memory = memory;
    this.#mask = memory.journal.length / ENTRY_WORDS - 1;
  }

  /** The number as it will be. */
  get(index: number): number {
    return (this.#pending.size === 0 ? undefined : this.#pending.get(index)) ?? this.memory.words[index]!;
  }

  /** Numbers that are set in `work` are there at once: in memory that nobody reads yet. */
  fill(work: () => void): void {
    this.#isUnread = true;
    work();
    this.#isUnread = false;
  }

  set(index: number, value: number): void {
    if (this.#isUnread) this.memory.words[index] = value;
    else if (this.get(index) !== value) this.#pending.set(index, value);
  }

  commit(): void {
    const { words, journal, control } = this.memory;
    const pending = this.#pending;
    if (pending.size === 0) return;
    const first = control[Control.committed]!;
    Atomics.store(control, Control.reserved, first + pending.size);
    Atomics.add(control, Control.sequence, 1);
    let entry = first;
    for (const [index, value] of pending) {
      const at = (entry & this.#mask) * ENTRY_WORDS;
      journal[at] = index;
      journal[at + 1] = value;
      words[index] = value;
      entry++;
    }
    Atomics.store(control, Control.committed, entry);
    Atomics.add(control, Control.sequence, 1);
    pending.clear();
  }
}

/** One that reads: `words` stays as it is until the next `catchUp`. */
export class StateReader {
  readonly layout: StateLayout;
  readonly words: Int32Array;
  readonly #memory: StateMemory;
  readonly #entries: number;
  #seen = 0;

  constructor(memory: StateMemory) {
    this.#memory = memory;
    this.layout = memory.layout;
    this.words = new Int32Array(memory.words.length);
    this.#entries = memory.journal.length / ENTRY_WORDS;
    this.#copy();
  }

  /** To be called before each answer: costs one look at a number while nothing has changed. */
  catchUp(): void {
    if (this.#memory.control[Control.committed] !== this.#seen) this.#follow();
  }

  #follow(): void {
    const { journal, control } = this.#memory;
    const { words } = this;
    const committed = Atomics.load(control, Control.committed);
    if (this.#isLost(committed)) {
      this.#copy();
      return;
    }
    for (let entry = this.#seen; entry !== committed; entry = (entry + 1) | 0) {
      const at = (entry & (this.#entries - 1)) * ENTRY_WORDS;
      words[journal[at]!] = journal[at + 1]!;
    }
    // What was written over while it was read here is no journal any more.
    if (this.#isLost(Atomics.load(control, Control.reserved))) this.#copy();
    else this.#seen = committed;
  }

  #isLost(count: number): boolean {
    return (count - this.#seen) >>> 0 > this.#entries;
  }

  /** The whole state as it is between two changes. */
  #copy(): void {
    const { words, control } = this.#memory;
    for (;;) {
      const sequence = Atomics.load(control, Control.sequence);
      if ((sequence & 1) !== 0) continue;
      const committed = Atomics.load(control, Control.committed);
      this.words.set(words);
      if (Atomics.load(control, Control.sequence) !== sequence) continue;
      this.#seen = committed;
      return;
    }
  }
}
