// Databases of places that the configuration names (`gtm global-settings general`, geoip-databases): read into memory that all threads
// share, and read again when a file is another one.

import { open, stat } from 'node:fs/promises';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { GeoDatabase } from '../../gtm/geo-database.ts';

type Kept = { readonly stamp: string; readonly octets: Uint8Array };

export class GeoFiles {
  /** Of the files that can be used, in the order of the configuration. */
  databases: readonly Uint8Array[] = [];
  /** What is wrong with files, by their paths. */
  failures: ReadonlyMap<string, string> = new Map();
  readonly #log: Log;
  #kept = new Map<string, Kept>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Goes over to these files; resolves to whether anything has changed. */
  async want(paths: readonly string[]): Promise<boolean> {
    const kept = new Map<string, Kept>();
    const failures = new Map<string, string>();
    for (const path of paths) {
      try {
        kept.set(path, await this.#read(path));
      } catch (error) {
        failures.set(path, errorText(error));
        if (this.failures.get(path) === errorText(error)) continue;
        logEvent(this.#log, 'geoip-refused', `${path} is not used: ${errorText(error)}`);
      }
    }
    const databases = [...kept.values()].map(({ octets }) => octets);
    const before = this.databases;
    this.#kept = kept;
    this.failures = failures;
    this.databases = databases;
    return before.length !== databases.length || databases.some((octets, index) => octets !== before[index]);
  }

  async #read(path: string): Promise<Kept> {
    const { size, mtimeMs, ino } = await stat(path);
    const stamp = `${size} ${mtimeMs} ${ino}`;
    const before = this.#kept.get(path);
    if (before?.stamp === stamp) return before;
    const octets = new Uint8Array(new SharedArrayBuffer(size));
    const file = await open(path);
    try {
      for (let at = 0; at < size;) {
        const { bytesRead } = await file.read(octets, at, size - at, at);
        if (bytesRead === 0) throw new Error(`it has ended at octet ${at} of ${size}`);
        at += bytesRead;
      }
    } finally {
      await file.close();
    }
    const { metadata } = new GeoDatabase(octets);
    const made = new Date(1000 * metadata.buildEpoch).toISOString().slice(0, 10);
    logEvent(this.#log, 'geoip-loaded', `${path}: ${metadata.databaseType}, of ${made}`);
    return { stamp, octets };
  }
}
