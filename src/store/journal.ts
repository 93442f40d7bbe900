// What was appended to a file's content since it was written: records behind the name of that content, each synced.
//
//   wideplane journal 1 BASE
//   RECORD OCTETS CRC
//   …text…
//
// A kill leaves at most a last record that is not whole: its checksum says so, and it counts as never written. A journal that
// names another content than the file has belongs to an earlier one and is as good as none.

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { readOctetsIfThere, removeFile, syncDirectory } from './atomic-file.ts';

const HEAD = 'wideplane journal 1 ';
const RECORD = /^RECORD (\d+) ([0-9a-f]{8})$/;
const LINE_FEED = 0x0a;

export class Journal {
  readonly #path: string;
  #file: FileHandle | undefined;
  /** Content that the open file belongs to. */
  #base = '';
  #octets = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Octets behind the present content. */
  get octets(): number {
    return this.#octets;
  }

  /**
   * Appends a record behind the content named `base`; what stood behind another one goes. Resolves when it is on the disk;
   * rejects with an error of the system, and then the journal has to begin behind a new content.
   */
  async append(base: string, text: string): Promise<void> {
    const isNew = this.#file === undefined || this.#base !== base;
    if (isNew) await this.#begin(base);
    const body = Buffer.from(text);
    const record = Buffer.concat([Buffer.from(`RECORD ${body.length} ${checksum(body)}\n`), body]);
    const octets = isNew ? Buffer.concat([Buffer.from(`${HEAD}${base}\n`), record]) : record;
    const file = this.#file!;
    for (let done = 0; done < octets.length;) {
      done += (await file.write(octets, done, octets.length - done, this.#octets + done)).bytesWritten;
    }
    await file.datasync();
    this.#octets += octets.length;
    if (isNew) await syncDirectory(dirname(this.#path));
  }

  async #begin(base: string): Promise<void> {
    await this.close();
    this.#file = await open(this.#path, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o600);
    this.#base = base;
    this.#octets = 0;
  }

  /** The next record begins a journal of its own. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#octets = 0;
    await file?.close();
  }

  /** Throws a StoreError. */
  async remove(): Promise<void> {
    await this.close();
    await removeFile(this.#path);
  }
}

/** The whole records behind the content named `base`, in their order. Throws a StoreError. */
export async function readJournal(path: string, base: string): Promise<string[]> {
  const octets = Buffer.from((await readOctetsIfThere(path))?.octets ?? []);
  const texts: string[] = [];
  let at = octets.indexOf(LINE_FEED) + 1;
  if (at === 0 || octets.toString('utf8', 0, at) !== `${HEAD}${base}\n`) return texts;
  for (;;) {
    const start = octets.indexOf(LINE_FEED, at) + 1;
    const head = start === 0 ? undefined : RECORD.exec(octets.toString('latin1', at, start - 1));
    if (head === null || head === undefined) return texts;
    const body = octets.subarray(start, start + Number(head[1]));
    if (body.length !== Number(head[1]) || checksum(body) !== head[2]) return texts;
    texts.push(body.toString('utf8'));
    at = start + body.length;
  }
}

const checksum = (octets: Buffer): string => crc32(octets).toString(16).padStart(8, '0');
