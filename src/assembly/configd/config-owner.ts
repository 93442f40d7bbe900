// The running configuration, its generation, and its file.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { diffObjects } from '../../config/change.ts';
import type { Generation, ObjectMap } from '../../config/change.ts';
import { emptyConfiguration } from '../../config/configuration.ts';
import type { Configuration } from '../../config/configuration.ts';
import { loadText } from '../../config/load-text.ts';
import type { Loaded } from '../../config/load-text.ts';
import { printPieces } from '../../config/print.ts';
import { sealedText } from '../../config/seal-text.ts';
import type { Committed } from '../../config/transaction.ts';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import {
  DIRECTORY_SYNC,
  StoreError,
  readFileIfThere,
  readOctetsIfThere,
  removeLeftovers,
  writeFileAtomic,
} from '../../store/atomic-file.ts';
import type { JournaledFile } from '../../store/journaled-file.ts';
import { VersionStore } from '../../store/version-store.ts';
import type { Save, Version } from '../../store/version-store.ts';
import { readRunning, runningFile } from './running-file.ts';
import type { Running } from './running-file.ts';

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

/** Files that saves have replaced: in this directory, so many of them. */
const HISTORY = 'history';
const KEPT_VERSIONS = 10;

export class ConfigOwner {
  readonly #options: ConfigOwnerOptions;
  readonly #runningPath: string;
  readonly #waiting = new Set<() => void>();
  readonly #epoch = Date.now();
  #number = 0;
  #change = { by: 'unknown', time: Date.now() };
  #configuration: Configuration = emptyConfiguration();
  /** Digest of the text that the file had when it was last read or written. */
  #origin = '';
  readonly #versions: VersionStore;
  /** The objects of the file as it was last read or written, if it is known that they are. */
  #saved: ObjectMap | undefined;
  readonly #running: JournaledFile<Running>;

  constructor(options: ConfigOwnerOptions) {
    this.#options = options;
    const path = join(options.directory, RUNNING);
    this.#runningPath = path;
    this.#running = runningFile(path, options.version, (error) =>
      logEvent(options.log, 'snapshot-failed', errorText(error), { path }),
    );
    this.#versions = new VersionStore(join(options.directory, HISTORY), KEPT_VERSIONS);
  }

  get configuration(): Configuration {
    return this.#configuration;
  }

  get generation(): Generation {
    return { epoch: this.#epoch, number: this.#number };
  }

  /** Who made it what runs, and when in milliseconds since 1970. */
  get change(): { readonly by: string; readonly time: number } {
    return this.#change;
  }

  /** What the file holds, as far as that is known. */
  get saved(): ObjectMap | undefined {
    return this.#saved;
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
    await this.#cleanUp();
    const saved = await readFileIfThere(file);
    if (saved === undefined && mustExist) throw new Error(`there is no file ${file}`);
    this.#origin = digest(saved ?? '');
    const recovered = await this.#recover();
    const loaded = recovered ?? loadText(saved ?? '', emptyConfiguration(), { file });
    this.commit(loaded);
    if (recovered === undefined) this.#saved = loaded.configuration.views;
    const count = [...loaded.configuration.objects.values()].length;
    const from = saved === undefined ? `there is no ${file} yet: starting empty` : `loaded ${file}`;
    logEvent(log, 'config-loaded', from, { objects: count, epoch: this.#epoch, number: this.#number });
    return loaded;
  }

  /** Removes what a kill has left behind, and reads which versions there are. */
  async #cleanUp(): Promise<void> {
    const { file, log } = this.#options;
    for (const path of [file, this.#runningPath]) {
      for (const name of await removeLeftovers(path)) {
        logEvent(log, 'store-cleaned', `removed ${name}: it was being written when configd was killed`, { path });
      }
    }
    const problem = await this.#versions.open();
    if (problem !== undefined) logEvent(log, 'history-damaged', problem);
  }

  async #recover(): Promise<Loaded | undefined> {
    const { log, file, version } = this.#options;
    const path = this.#runningPath;
    try {
      const loaded = await readRunning(path, this.#origin, version);
      if (loaded === undefined) return undefined;
      const what = `configd did not end in order: it goes on with what ran then; load sys config goes back to ${file}`;
      logEvent(log, 'config-recovered', what, { path });
      return loaded;
    } catch (error) {
      logEvent(log, 'snapshot-failed', `what ran before the kill cannot be used: ${errorText(error)}`, { path });
      return undefined;
    }
  }

  /** `by` is for people. */
  commit({ configuration }: Committed, by = 'unknown'): void {
    this.#configuration = configuration;
    this.#change = { by, time: Date.now() };
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

  /**
   * Writes the running configuration; to its own file without a path, and then the file that is replaced becomes a kept
   * version. Throws a StoreError.
   */
  async save(path: string = this.#options.file, user?: string): Promise<string> {
    const { version, log } = this.#options;
    const configuration = this.#configuration;
    const hash = createHash('sha256');
    let octets = 0;
    const pieces = noting(printPieces(configuration, version), (piece) => {
      hash.update(piece);
      octets += Buffer.byteLength(piece);
    });
    if (path !== this.#options.file) {
      await writeFileAtomic(path, pieces);
    } else {
      let digest = '';
      try {
        await writeFileAtomic(path, pieces, {
          beforeRename: async () => {
            digest = hash.digest('hex');
            const known = {
              digest,
              savedAt: new Date().toISOString(),
              program: version,
              octets,
              objects: configuration.objects.size,
            };
            await this.#keepReplaced({ ...known, ...(user === undefined ? {} : { user }) }, configuration);
          },
        });
        this.#noteFile(digest, configuration);
      } catch (error) {
        const isInPlace = error instanceof StoreError && error.path === path && error.operation === DIRECTORY_SYNC;
        if (isInPlace) this.#noteFile(digest, configuration);
        throw error;
      }
      await this.#versions.prune().catch((error: unknown) => logEvent(log, 'history-damaged', errorText(error)));
    }
    logEvent(log, 'config-saved', `saved ${path}`, { path, octets });
    return path;
  }

  /** Keeps the file that a save is about to replace, unless it is the same. */
  async #keepReplaced(next: Save, configuration: Configuration): Promise<void> {
    const { file } = this.#options;
    try {
      const old = await readOctetsIfThere(file);
      if (old !== undefined && digest(old.octets) === next.digest) return;
      const changed =
        this.#saved === undefined ? {} : { changed: diffObjects(this.#saved, configuration.views).length };
      await this.#versions.keep(old && { ...old, octets: sealedOctets(old.octets) }, { ...next, ...changed });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const text = `cannot write ${file}: the version that it replaces cannot be kept: ${error.reason}`;
      throw new StoreError(file, `keeping (${error.operation})`, error.code, text, 'the old file is intact');
    }
  }

  /** The versions that can be loaded again, oldest first, and what is known of the file itself. */
  get history(): { versions: readonly Version[]; current: Save | undefined } {
    return { versions: this.#versions.versions, current: this.#versions.find(this.#origin) };
  }

  /** Path and text of a kept version; undefined when there is none of that number. Throws a StoreError. */
  async readVersion(number: number): Promise<{ path: string; text: string } | undefined> {
    const version = this.#versions.versions.find((candidate) => candidate.number === number);
    if (version === undefined) return undefined;
    const path = this.#versions.pathOf(version);
    const text = await readFileIfThere(path);
    if (text === undefined)
      throw new StoreError(path, 'open', 'ENOENT', `version ${number} is gone: there is no ${path}`);
    return { path, text };
  }

  /** Notes that what runs now is what the file holds. */
  noteLoaded(text: string): void {
    this.#noteFile(digest(text), this.#configuration);
  }

  #noteFile(origin: string, { views }: Configuration): void {
    this.#origin = origin;
    this.#saved = views;
    this.#keepRunning();
  }

  /** Resolves when what runs is on disk, or could not be written, which is logged. */
  kept(): Promise<void> {
    return this.#running.settled();
  }

  /** An end in order: what was not saved is gone, unless the files are kept for whoever goes on. */
  async close(isKept = false): Promise<void> {
    if (isKept) await this.#running.close();
    else await this.#running.remove();
  }

  #keepRunning(): void {
    this.#running.keep({
      configuration: this.#configuration,
      generation: this.generation,
      origin: this.#origin,
    });
  }
}

function* noting(pieces: Iterable<string>, note: (piece: string) => void): Generator<string, void> {
  for (const piece of pieces) {
    note(piece);
    yield piece;
  }
}

/** What somebody has written by hand may hold secrets in clear: the copy that is kept does not. */
function sealedOctets(octets: Uint8Array): Uint8Array {
  const text = Buffer.from(octets).toString('utf8');
  const sealed = sealedText(text);
  return sealed === text ? octets : Buffer.from(sealed);
}

function digest(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
