// The file of a zone whose records are in the configuration. It holds the zone as it is served, its serial above all: whatever
// becomes of the configuration, the serial goes up when the records change (RFC 1982) and stays when they do not.

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { printZone } from '../../dns/master-file-writer.ts';
import { readMasterFile } from '../../dns/master-file.ts';
import { PackedSets } from '../../dns/packed-sets.ts';
import type { DomainName, Zone } from '../../dns/record.ts';
import { isSerialAfter, serialAfter, serialOf, setSerial } from '../../dns/serial.ts';
import { readFileIfThere, removeFile, removeLeftovers, StoreError, writeFileAtomic } from '../../store/atomic-file.ts';

const ENDING = '.zone';
/** The name of a temporary file (atomic-file.ts), with that of the file it was to become. */
const TEMPORARY = /^\.(.+\.zone)\.\d+\.\d+\.tmp$/;
/** Of a name of a file, before its ending; file systems take 255. */
const MAX_NAME_CHARACTERS = 200;
const KEPT_CHARACTERS = 100;
const DIGEST_CHARACTERS = 32;

/** What such a file begins with: no other is written over or removed. */
const MARK = '; Made by wideplane from the configuration, and made anew when that changes.\n';

/** The name of the file of an origin, in lower case: whatever stands in it, it is the name of one file. */
export function zoneFileName(origin: string): string {
  const plain = origin === '.' ? origin : origin.slice(0, -1);
  const escaped = plain.replaceAll(
    /[^a-z0-9_.-]|^[.-]/g,
    (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  if (escaped.length <= MAX_NAME_CHARACTERS) return escaped + ENDING;
  const digest = createHash('sha256').update(origin).digest('hex').slice(0, DIGEST_CHARACTERS);
  return `${escaped.slice(0, KEPT_CHARACTERS)}%%${digest}${ENDING}`;
}

/**
 * Removes the files of this kind in a directory that `keeps` does not want, and what killed writers of them have left. Throws a
 * StoreError.
 */
export async function removeWrittenZones(directory: string, keeps: (path: string) => boolean): Promise<void> {
  for (const name of await readdir(directory).catch(() => [])) {
    const path = join(directory, name);
    const temporary = TEMPORARY.exec(name)?.[1];
    if (temporary !== undefined) await removeLeftovers(join(directory, temporary));
    else if (name.endsWith(ENDING) && !keeps(path) && (await isOurs(path))) await removeFile(path);
  }
}

async function isOurs(path: string): Promise<boolean> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MARK.length));
      return buffer.toString('latin1', 0, bytesRead) === MARK;
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}

/** What is served, or was last. */
type Held = {
  readonly serial: number;
  /** Of the zone without its serial. */
  readonly digest: string;
  /** The file says the same. */
  readonly isWritten: boolean;
};

export class WrittenZone {
  readonly path: string;
  #held: Held | undefined;
  #isRead = false;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Gives the zone its serial, which what it has is the lower bound of, and writes it unless the file has it already. `served`
   * is the serial of what is served. Resolves to why writing failed; the zone is good all the same.
   */
  async take(zone: Zone, served: number | undefined): Promise<string | undefined> {
    const sets = packedSets(zone);
    const wanted = serialOf(sets);
    let failure = this.#isRead ? undefined : await this.#read(zone.origin);
    const digest = digestOf(zone);
    const held = this.#held;
    const last =
      held !== undefined && !(served !== undefined && isSerialAfter(served, held.serial)) ? held.serial : served;
    const isSame = held?.digest === digest && held.serial === last && !isSerialAfter(wanted, last);
    const serial = last === undefined ? wanted : isSame ? last : serialAfter(last, wanted);
    setSerial(sets, serial);
    if (isSame && held.isWritten) return undefined;
    failure ??= await this.#write(zone);
    this.#held = { serial, digest, isWritten: failure === undefined };
    return failure;
  }

  /** What the file holds from before; resolves to why it must not be written. */
  async #read(origin: DomainName): Promise<string | undefined> {
    let text: string | undefined;
    try {
      text = await readFileIfThere(this.path);
    } catch (error) {
      return reasonOf(error);
    }
    if (text !== undefined && !text.startsWith(MARK)) {
      return `${this.path} was not made by wideplane, and is left as it is: move it away`;
    }
    this.#isRead = true;
    const { zone } = text === undefined ? {} : readMasterFile(Buffer.from(text), { origin });
    if (zone === undefined) return undefined;
    const serial = serialOf(packedSets(zone));
    // What was served since is later.
    this.#held ??= { serial, digest: digestOf(zone), isWritten: true };
    return undefined;
  }

  async #write(zone: Zone): Promise<string | undefined> {
    try {
      await writeFileAtomic(this.path, linesOf(zone));
      return undefined;
    } catch (error) {
      return reasonOf(error);
    }
  }
}

function* linesOf(zone: Zone): Generator<string, void> {
  yield MARK;
  yield* printZone(zone);
}

function reasonOf(error: unknown): string {
  if (error instanceof StoreError) return error.message;
  throw error;
}

function packedSets({ sets }: Zone): PackedSets {
  if (sets instanceof PackedSets) return sets;
  throw new TypeError('a zone that is not packed');
}

/** The same for all zones that differ in their serial alone. The zone has none afterwards. */
function digestOf(zone: Zone): string {
  setSerial(packedSets(zone), 0);
  const hash = createHash('sha256');
  for (const line of printZone(zone)) hash.update(line);
  return hash.digest('hex');
}
