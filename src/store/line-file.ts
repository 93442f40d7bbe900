// A file of what is known at present: it is read once, and written whole some time after each change. One JSON value a line: a head that
// says what the file is, entries, and how many these are, so that a file which was cut off is noticed.

import { rename } from 'node:fs/promises';
import { errorText } from '../core/errors.ts';
import { readFileIfThere, removeLeftovers, writeFileAtomic } from './atomic-file.ts';

/** Between a change and the file that has it, at least. */
const WRITE_MS = 1000;
/** Of the time, writing takes one part in so many at most: a large file is written less often. */
const REST = 10;

export type LineFileOptions<Entry> = {
  readonly path: string;
  /** The first line. */
  readonly head: string;
  /** An entry of what a line says; undefined: it is none. */
  readonly entryOf: (json: unknown) => Entry | undefined;
  /** What the file shall have. */
  readonly entries: () => Iterable<Entry>;
  /** The file cannot be read, and was moved aside, or not: the text says so. */
  readonly damaged: (text: string) => void;
  /** Writing fails, for the first time since it did not. */
  readonly unwritten: (text: string) => void;
};

export class LineFile<Entry> {
  readonly #options: LineFileOptions<Entry>;
  #timer: NodeJS.Timeout | undefined;
  #lastMs = 0;
  #writing: Promise<void> = Promise.resolve();
  #hasFailed = false;

  constructor(options: LineFileOptions<Entry>) {
    this.#options = options;
  }

  /** What the file has; nothing where there is none, or where it is damaged, when it is moved to `PATH.damaged`. */
  async read(): Promise<Entry[]> {
    const { path, damaged } = this.#options;
    await removeLeftovers(path);
    try {
      const text = await readFileIfThere(path);
      return text === undefined ? [] : this.#parse(text);
    } catch (error) {
      const aside = `${path}.damaged`;
      const where = await rename(path, aside).then(
        () => `it is kept as ${aside}`,
        (failure: unknown) => `it cannot be kept aside: ${errorText(failure)}`,
      );
      damaged(`${path}: ${errorText(error)}; ${where}`);
      return [];
    }
  }

  /** Has the entries written soon, as they will be then. */
  touch(): void {
    this.#timer ??= setTimeout(() => void this.#write(), Math.max(WRITE_MS, REST * this.#lastMs));
  }

  /** Resolves when all that was touched is written, or has failed to be. */
  async close(): Promise<void> {
    const isDue = this.#timer !== undefined;
    clearTimeout(this.#timer);
    if (isDue) await this.#write();
    await this.#writing;
  }

  async #write(): Promise<void> {
    this.#timer = undefined;
    this.#writing = this.#writing.then(async () => {
      const start = performance.now();
      try {
        await writeFileAtomic(this.#options.path, this.#lines());
        this.#hasFailed = false;
      } catch (error) {
        // Once for as long as it fails: it is tried again with the next change.
        if (!this.#hasFailed) this.#options.unwritten(errorText(error));
        this.#hasFailed = true;
      }
      this.#lastMs = performance.now() - start;
    });
    await this.#writing;
  }

  *#lines(): Generator<string, void> {
    const { head, entries } = this.#options;
    yield `${head}\n`;
    let count = 0;
    for (const entry of entries()) {
      count += 1;
      yield `${JSON.stringify(entry)}\n`;
    }
    yield `{"entries":${count}}\n`;
  }

  /** Throws an Error that says what is wrong. */
  #parse(text: string): Entry[] {
    const lines = text.split('\n');
    if (lines[0] !== this.#options.head) throw new Error('line 1 is not the head of such a file');
    const count = lines.length - 3;
    if (lines.at(-1) !== '' || lines.at(-2) !== `{"entries":${count}}`) throw new Error('the end is missing');
    return lines.slice(1, count + 1).map((line, index) => this.#entry(line, index + 2));
  }

  #entry(line: string, number: number): Entry {
    let json: unknown;
    try {
      json = JSON.parse(line);
    } catch (error) {
      throw new Error(`line ${number}: ${errorText(error)}`, { cause: error });
    }
    const entry = this.#options.entryOf(json);
    if (entry === undefined) throw new Error(`line ${number} is nothing that such a file has`);
    return entry;
  }
}
