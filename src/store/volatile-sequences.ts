// Sequence numbers of keys that no restart survives: what a key exchange has made. As in sequence-store.ts two associations of one
// key share its numbers, but nothing is written.

import type { SequenceBlock } from './sequence-store.ts';

/** Keys that are remembered: those of a day in which a hundred thousand are made. */
const MAX_KEYS = 100_000;

export class VolatileSequences {
  /** By fingerprint: the first number that nobody has reserved; the key that was asked for last is at the end. */
  readonly #next = new Map<string, number>();

  reserve({ fingerprint, count }: { fingerprint: string; count: number }): SequenceBlock {
    const first = this.#next.get(fingerprint) ?? 1;
    this.#next.delete(fingerprint);
    this.#next.set(fingerprint, first + count);
    if (this.#next.size > MAX_KEYS) this.#next.delete(this.#next.keys().next().value!);
    return { first, end: first + count };
  }
}
