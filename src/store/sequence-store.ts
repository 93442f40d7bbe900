// Sequence numbers of security associations with manual keys, reserved on disk ahead of their use (RFC 4303, section 3.3.3).
//
// Keys that survive a restart must never see a number twice: AES-GCM fails altogether then, and a peer that looks for replays
// drops what it has seen. So numbers come in blocks, and a block is used only once the file that says so is safe on the disk; what
// was left of a block when the process died is skipped. Keys are known by a fingerprint, so that two associations of one key share
// its numbers, and an entry stays when its association goes: the key may come back.

import * as z from 'zod';
import { readFileIfThere, writeFileAtomic } from './atomic-file.ts';

const fileSchema = z.object({
  version: z.literal(1),
  /** By fingerprint: the first number that nobody has reserved. */
  next: z.record(z.string(), z.number().int().positive()),
});

/** Numbers from `first` to `end` - 1. */
export type SequenceBlock = { readonly first: number; readonly end: number };

export class SequenceStore {
  readonly #path: string;
  readonly #next: Map<string, number>;
  #turn: Promise<void> = Promise.resolve();

  private constructor(path: string, next: Map<string, number>) {
    this.#path = path;
    this.#next = next;
  }

  /** Reads the file, or begins a new one. Throws where there is one that cannot be read: numbers would be used twice. */
  static async open(path: string): Promise<SequenceStore> {
    const text = await readFileIfThere(path);
    const next = text === undefined ? {} : fileSchema.parse(JSON.parse(text)).next;
    const store = new SequenceStore(path, new Map(Object.entries(next)));
    if (text === undefined) await store.#write();
    return store;
  }

  /** Whether numbers of the key have ever been reserved here. */
  knows(fingerprint: string): boolean {
    return this.#next.has(fingerprint);
  }

  /**
   * Reserves `count` numbers for each key, in one write; resolves, in the same order, once they are safe on the disk. When that
   * fails nobody has got them, and they are there for whoever asks next.
   */
  async reserve(wanted: readonly { fingerprint: string; count: number }[]): Promise<SequenceBlock[]> {
    const taken = wanted.map(({ fingerprint, count }) => {
      const before = this.#next.get(fingerprint);
      const first = before ?? 1;
      this.#next.set(fingerprint, first + count);
      return { fingerprint, before, first, end: first + count };
    });
    const turn = this.#turn.catch(() => undefined).then(() => this.#write());
    this.#turn = turn;
    try {
      await turn;
    } catch (error) {
      for (const { fingerprint, before, end } of taken.reverse()) this.#giveBack(fingerprint, before, end);
      throw error;
    }
    return taken.map(({ first, end }) => ({ first, end }));
  }

  /** Not where somebody else has got the numbers behind them meanwhile. */
  #giveBack(fingerprint: string, before: number | undefined, end: number): void {
    if (this.#next.get(fingerprint) !== end) return;
    if (before === undefined) this.#next.delete(fingerprint);
    else this.#next.set(fingerprint, before);
  }

  async #write(): Promise<void> {
    await writeFileAtomic(this.#path, `${JSON.stringify({ version: 1, next: Object.fromEntries(this.#next) })}\n`);
  }
}
