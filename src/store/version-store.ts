// The versions of a file that its owner has replaced: a bounded number of them, each a file of its own in one directory.
//
// `00007-20261124T141243Z.conf` is version 7, saved at that time, octet by octet as it was. Who saved it stands in
// `index.json`. The files are the truth: without the index they are still there, and still numbered.

import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { errorText } from '../core/errors.ts';
import {
  makeDirectory,
  readFileIfThere,
  readOctetsIfThere,
  removeFile,
  removeLeftovers,
  writeFileAtomic,
} from './atomic-file.ts';

const saveSchema = z.object({
  /** SHA-256 of the file, in hexadecimal. */
  digest: z.string(),
  /** ISO 8601. */
  savedAt: z.string(),
  /** Who saved it; absent: nobody that we know of. */
  user: z.string().optional(),
  /** Version of the program that wrote it. */
  program: z.string().optional(),
  octets: z.number().int().nonnegative(),
  objects: z.number().int().nonnegative().optional(),
  /** Objects that differ from those of the file that this one replaced. */
  changed: z.number().int().nonnegative().optional(),
});

const versionSchema = saveSchema.extend({ number: z.number().int().positive() });

const indexSchema = z.object({
  v: z.literal(1),
  versions: z.array(versionSchema),
  /** What is known of the file itself; it stands here before the file is replaced. */
  current: saveSchema.optional(),
});

/** What is known of one state of the file. */
export type Save = z.infer<typeof saveSchema>;
export type Version = z.infer<typeof versionSchema>;

const INDEX = 'index.json';
const NAME = /^(\d{5,})-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.conf$/;

export class VersionStore {
  readonly #directory: string;
  readonly #limit: number;
  /** Oldest first. */
  #versions: Version[] = [];
  #current: Save | undefined;

  /** Keeps `limit` versions in the directory, which is made when there is one to keep. */
  constructor(directory: string, limit: number) {
    this.#directory = directory;
    this.#limit = limit;
  }

  /** Oldest first. */
  get versions(): readonly Version[] {
    return this.#versions;
  }

  /** What is known of the file whose digest this is. */
  find(digest: string): Save | undefined {
    return this.#current?.digest === digest
      ? this.#current
      : this.#versions.findLast((version) => version.digest === digest);
  }

  pathOf(version: Version): string {
    return join(this.#directory, nameOf(version));
  }

  /**
   * Reads what there is and removes what a kill left behind. Resolves to a sentence when the index could not be used.
   * Throws a StoreError.
   */
  async open(): Promise<string | undefined> {
    const names = await readdir(this.#directory).catch(() => []);
    if (names.length === 0) return undefined;
    await removeLeftovers(join(this.#directory, INDEX));
    for (const name of names) {
      const of = /^\.(\d.*\.conf)\.\d+\.\d+\.tmp$/.exec(name)?.[1];
      if (of !== undefined) await removeLeftovers(join(this.#directory, of));
    }
    const { index, problem } = await this.#readIndex();
    const noted = new Map(index.versions.map((version) => [nameOf(version), version]));
    this.#current = index.current;
    this.#versions = [];
    for (const name of names.filter((candidate) => NAME.test(candidate)).sort(byNumber)) {
      const version = noted.get(name) ?? (await this.#inspect(name));
      if (version !== undefined) this.#versions.push(version);
    }
    await this.prune();
    return problem;
  }

  /** What a file without an entry in the index says itself. */
  async #inspect(name: string): Promise<Version | undefined> {
    const file = await readOctetsIfThere(join(this.#directory, name));
    if (file === undefined) return undefined;
    const [, number, year, month, day, hour, minute, second] = NAME.exec(name)!;
    const savedAt = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
    const seen = describeFile(file.octets, savedAt);
    return { ...(this.find(seen.digest) ?? seen), number: Number(number) };
  }

  async #readIndex(): Promise<{ index: z.infer<typeof indexSchema>; problem?: string }> {
    const path = join(this.#directory, INDEX);
    try {
      const text = await readFileIfThere(path);
      if (text !== undefined) return { index: indexSchema.parse(JSON.parse(text)) };
      return { index: { v: 1, versions: [] } };
    } catch (error) {
      const problem = `${path} cannot be used: who saved the kept versions is not known (${errorText(error)})`;
      return { index: { v: 1, versions: [] }, problem };
    }
  }

  /**
   * Keeps the file that is about to be replaced, and notes what is known of the one that replaces it. The version that
   * was kept last is not kept again: a save that did not come to its end left it. Throws a StoreError.
   */
  async keep(old: { octets: Uint8Array; modified: Date } | undefined, next: Save): Promise<void> {
    await makeDirectory(this.#directory);
    let versions = this.#versions;
    if (old !== undefined) {
      const seen = describeFile(old.octets, old.modified.toISOString());
      if (seen.digest !== versions.at(-1)?.digest) {
        const version = { ...(this.find(seen.digest) ?? seen), number: (versions.at(-1)?.number ?? 0) + 1 };
        await this.#write(this.pathOf(version), old.octets);
        versions = [...versions, version];
      }
    }
    const index = { v: 1, versions: versions.slice(-this.#limit), current: next };
    await writeFileAtomic(join(this.#directory, INDEX), `${JSON.stringify(index, undefined, 1)}\n`);
    this.#versions = versions;
    this.#current = next;
  }

  /** A version that is not kept for certain is not kept: its number is for the next one. */
  async #write(path: string, octets: Uint8Array): Promise<void> {
    try {
      await writeFileAtomic(path, octets);
    } catch (error) {
      await removeFile(path).catch(() => undefined);
      throw error;
    }
  }

  /** Removes what is more than the limit; call it when the file was replaced. Throws a StoreError. */
  async prune(): Promise<void> {
    while (this.#versions.length > this.#limit) {
      await removeFile(this.pathOf(this.#versions[0]!));
      this.#versions = this.#versions.slice(1);
    }
  }
}

function nameOf({ number, savedAt }: Version): string {
  const time = savedAt.replace(/\.\d+/, '').replaceAll(/[-:]/g, '');
  return `${String(number).padStart(5, '0')}-${time}.conf`;
}

function byNumber(a: string, b: string): number {
  return Number.parseInt(a, 10) - Number.parseInt(b, 10);
}

function describeFile(octets: Uint8Array, savedAt: string): Save {
  const head = Buffer.from(octets.subarray(0, 200)).toString('utf8');
  const program = /^#TMSH-VERSION: (\S+)/.exec(head)?.[1];
  return {
    digest: createHash('sha256').update(octets).digest('hex'),
    savedAt,
    octets: octets.length,
    ...(program === undefined ? {} : { program }),
  };
}
