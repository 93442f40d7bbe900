// A file that follows a state in memory: written whole, or, where that is much and what changed is little, by a record in
// its journal. Whoever reads it back takes the file and then the records.

import { join, dirname, basename } from 'node:path';
import { StoreError, removeFile, writeFileAtomic } from './atomic-file.ts';
import { Journal, readJournal } from './journal.ts';

/** Characters up to which a file is written whole whatever changed: that costs no more than a record. */
const SMALL_CHARACTERS = 64 * 1024;
/** The journal is given up for a whole file when it is longer than this part of it: reading it back stays cheap. */
const JOURNAL_PART = 1 / 2;

export type JournaledFileOptions<State> = {
  readonly path: string;
  /** The name of a state, which its text holds; no other state has it. */
  readonly idOf: (state: State) => string;
  readonly textOf: (state: State) => Iterable<string>;
  /** What a record says that leads from one state to another; undefined: nothing can, the file is to be written. */
  readonly changeOf: (from: State, to: State) => string | undefined;
  /** A state could not be written, and the files still hold an earlier one; or a record, and the file is written whole. */
  readonly failed: (error: unknown) => void;
};

export const journalOf = (path: string): string => join(dirname(path), `${basename(path)}.journal`);

/** The records behind a file that holds the state of this name. Throws a StoreError. */
export const readRecords = (path: string, id: string): Promise<string[]> => readJournal(journalOf(path), id);

export class JournaledFile<State> {
  readonly #options: JournaledFileOptions<State>;
  readonly #journal: Journal;
  /** The state that is still to be written. */
  #next: State | undefined;
  /** What file and journal hold together; undefined: that is not known. */
  #kept: State | undefined;
  /** Name of the state that the file alone holds, and its length. */
  #base = '';
  #characters = 0;
  #isWriting = false;
  #written: Promise<void> = Promise.resolve();

  constructor(options: JournaledFileOptions<State>) {
    this.#options = options;
    this.#journal = new Journal(journalOf(options.path));
  }

  /** Begins to write this state; those that come meanwhile are written together afterwards. */
  keep(state: State): void {
    this.#next = state;
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#written = this.#write().finally(() => (this.#isWriting = false));
  }

  /** Resolves when nothing is left to write. */
  settled(): Promise<void> {
    return this.#written;
  }

  /** Writes what is left and lets go of the files. */
  async close(): Promise<void> {
    await this.#written;
    this.#kept = undefined;
    await this.#journal.close().catch(() => undefined);
  }

  /** Removes file and journal. Throws a StoreError. */
  async remove(): Promise<void> {
    await this.close();
    await removeFile(this.#options.path);
    await this.#journal.remove();
  }

  async #write(): Promise<void> {
    while (this.#next !== undefined) {
      const state = this.#next;
      this.#next = undefined;
      const kept = this.#kept;
      this.#kept = undefined;
      try {
        if (kept === undefined || !(await this.#append(kept, state))) await this.#writeWhole(state);
        this.#kept = state;
      } catch (error) {
        this.#options.failed(error);
      }
    }
  }

  /** False when the file is to be written instead: also when the record could not be. */
  async #append(kept: State, state: State): Promise<boolean> {
    if (this.#characters <= SMALL_CHARACTERS) return false;
    const record = this.#options.changeOf(kept, state);
    if (record === undefined || this.#journal.octets + record.length > this.#characters * JOURNAL_PART) return false;
    try {
      await this.#journal.append(this.#base, record);
      return true;
    } catch (error) {
      // The next thing that such a disk refuses may be the whole file: whoever runs this should know.
      const { code = '', message } = error as NodeJS.ErrnoException;
      const reason = `cannot write a record of ${this.#options.path}: ${message}`;
      this.#options.failed(
        new StoreError(journalOf(this.#options.path), 'append', code, reason, 'the file is written whole instead'),
      );
      return false;
    }
  }

  async #writeWhole(state: State): Promise<void> {
    const { path, idOf, textOf } = this.#options;
    let characters = 0;
    function* counted(): Generator<string, void> {
      for (const piece of textOf(state)) {
        characters += piece.length;
        yield piece;
      }
    }
    await writeFileAtomic(path, counted());
    this.#base = idOf(state);
    this.#characters = characters;
  }
}
