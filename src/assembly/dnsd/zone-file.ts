// Reads a master file from the disk and makes the table that is served: on whichever thread has the time.

import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { errorText } from '../../core/errors.ts';
import { readMasterFile } from '../../dns/master-file.ts';
import type { DomainName } from '../../dns/record.ts';
import { buildZoneTable } from '../../dns/zone-builder.ts';
import type { ZoneProblem } from '../../dns/zone-problem.ts';
import type { ZoneTable } from '../../dns/zone-table.ts';

export type LoadedZone = {
  /** Absent where there is an error. */
  readonly table?: ZoneTable;
  readonly problems: readonly ZoneProblem[];
};

class TooMuchText extends Error {}

/** Reads files until there would be more text than it may have. */
class TextReader {
  #left: number;
  isExhausted = false;

  constructor(most: number) {
    this.#left = most;
  }

  read(path: string): Uint8Array {
    if (this.isExhausted) return new Uint8Array(0);
    try {
      const text = readRegularFile(path, this.#left);
      this.#left -= text.length;
      return text;
    } catch (thrown) {
      if (!(thrown instanceof TooMuchText)) throw thrown;
      this.isExhausted = true;
      return new Uint8Array(0);
    }
  }
}

/**
 * Files are included relative to the one that names them. Gives undefined, and reads no further, where all of them together
 * have more than `most` octets.
 */
export function loadZoneFile(path: string, origin: DomainName, most = Infinity): LoadedZone | undefined {
  const reader = new TextReader(most);
  const include = (name: string, from = path) => {
    const file = resolve(dirname(from), name);
    return { file, text: reader.read(file) };
  };
  let text: Uint8Array;
  try {
    text = reader.read(path);
  } catch (thrown) {
    return { problems: [{ severity: 'error', text: `${path}: ${errorText(thrown)}` }] };
  }
  const { zone, problems } = readMasterFile(text, { origin, file: path, include });
  if (reader.isExhausted) return undefined;
  return zone === undefined ? { problems } : { table: buildZoneTable(zone), problems };
}

function readRegularFile(path: string, most: number): Uint8Array {
  // A pipe without a writer must not hold the thread.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = fstatSync(file);
    if (!status.isFile()) throw new Error('not a file');
    if (status.size > most) throw new TooMuchText();
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}
