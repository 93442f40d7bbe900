// The running configuration, its generation, and its file.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Generation } from '../../config/change.ts';
import { emptyConfiguration } from '../../config/configuration.ts';
import type { Configuration } from '../../config/configuration.ts';
import { loadText } from '../../config/load-text.ts';
import type { Loaded } from '../../config/load-text.ts';
import { printPieces } from '../../config/print.ts';
import type { Committed } from '../../config/transaction.ts';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { readFileIfThere, removeFile, writeFileAtomic } from '../../store/atomic-file.ts';

export type ConfigOwnerOptions = {
  /** The file that is loaded at start and written by save. */
  readonly file: string;
  /** Whether the file must be there. */
  readonly mustExist: boolean;
  /** configd's own directory, which exists. */
  readonly directory: string;
  /** Version in the header of saved files. */
  readonly version: string;
  readonly log: Log;
};

/** The running configuration is also kept in a file of our own, so that a kill loses no change that was not saved yet. */
const RUNNING = 'running.conf';

/** The first line of that file: which text the running configuration came from. */
const ORIGIN = /^# running since (\S+)\n/;

export class ConfigOwner {
  readonly #options: ConfigOwnerOptions;
  readonly #runningPath: string;
  readonly #waiting = new Set<() => void>();
  readonly #epoch = Date.now();
  #number = 0;
  #configuration: Configuration = emptyConfiguration();
  /** Digest of the text that the file had when it was last read or written. */
  #origin = '';
  #isWriting = false;
  #isStale = false;
  #written: Promise<void> = Promise.resolve();

  constructor(options: ConfigOwnerOptions) {
    this.#options = options;
    this.#runningPath = join(options.directory, RUNNING);
  }

  get configuration(): Configuration {
    return this.#configuration;
  }

  get generation(): Generation {
    return { epoch: this.#epoch, number: this.#number };
  }

  get file(): string {
    return this.#options.file;
  }

  get version(): string {
    return this.#options.version;
  }

  /**
   * Loads the file; after a kill, what ran then, unless the file was edited since. Throws ConfigErrors, a
   * ConfigSyntaxError or a StoreError.
   */
  async load(): Promise<Loaded> {
    const { file, mustExist, log } = this.#options;
    const saved = await readFileIfThere(file);
    if (saved === undefined && mustExist) throw new Error(`there is no file ${file}`);
    this.#origin = digest(saved ?? '');
    const loaded = (await this.#recover()) ?? loadText(saved ?? '', emptyConfiguration(), { file });
    this.commit(loaded);
    const count = [...loaded.configuration.objects.values()].length;
    const from = saved === undefined ? `there is no ${file} yet: starting empty` : `loaded ${file}`;
    logEvent(log, 'config-loaded', from, { objects: count, epoch: this.#epoch, number: this.#number });
    return loaded;
  }

  async #recover(): Promise<Loaded | undefined> {
    const { log, file } = this.#options;
    const path = this.#runningPath;
    try {
      const text = await readFileIfThere(path);
      if (text === undefined || ORIGIN.exec(text)?.[1] !== this.#origin) return undefined;
      const loaded = loadText(text, emptyConfiguration(), { file: path });
      const what = `configd did not end in order: it goes on with what ran then; load sys config goes back to ${file}`;
      logEvent(log, 'config-recovered', what, { path });
      return loaded;
    } catch (error) {
      logEvent(log, 'snapshot-failed', `what ran before the kill cannot be used: ${errorText(error)}`, { path });
      return undefined;
    }
  }

  commit({ configuration }: Committed): void {
    this.#configuration = configuration;
    this.#number += 1;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
    this.#keepRunning();
  }

  /** Resolves when a generation after `number` runs, or when the signal is aborted. */
  async changed(number: number, signal: AbortSignal): Promise<void> {
    if (this.#number !== number || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', wake);
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake);
    });
  }

  /** Writes the running configuration; to its own file without a path. Throws a StoreError. */
  async save(path: string = this.#options.file): Promise<string> {
    const hash = createHash('sha256');
    let octets = 0;
    const pieces = printPieces(this.#configuration, this.#options.version);
    await writeFileAtomic(
      path,
      noting(pieces, (piece) => {
        hash.update(piece);
        octets += Buffer.byteLength(piece);
      }),
    );
    if (path === this.#options.file) {
      this.#origin = hash.digest('hex');
      this.#keepRunning();
    }
    logEvent(this.#options.log, 'config-saved', `saved ${path}`, { path, octets });
    return path;
  }

  /** Notes that what runs now is what the file holds. */
  noteLoaded(text: string): void {
    this.#origin = digest(text);
    this.#keepRunning();
  }

  /** An end in order: what was not saved is gone. */
  async close(): Promise<void> {
    await this.#written;
    await removeFile(this.#runningPath);
  }

  /** Writes what runs to our own file; changes that come meanwhile are written together afterwards. */
  #keepRunning(): void {
    this.#isStale = true;
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#written = this.#writeRunning().finally(() => (this.#isWriting = false));
  }

  *#runningText(): Generator<string, void> {
    yield `# running since ${this.#origin}\n`;
    yield* printPieces(this.#configuration, this.#options.version);
  }

  async #writeRunning(): Promise<void> {
    while (this.#isStale) {
      this.#isStale = false;
      try {
        await writeFileAtomic(this.#runningPath, this.#runningText());
      } catch (error) {
        logEvent(this.#options.log, 'snapshot-failed', errorText(error), { path: this.#runningPath });
      }
    }
  }
}

function* noting(pieces: Iterable<string>, note: (piece: string) => void): Generator<string, void> {
  for (const piece of pieces) {
    note(piece);
    yield piece;
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
