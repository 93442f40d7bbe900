// Files that people name in the configuration and change beside it: read once, and again when they have changed.

import { readFileSync, statSync } from 'node:fs';
import { errorText } from '../core/errors.ts';

/** How long a file is believed to be as it was, in milliseconds. */
const BELIEVED_MS = 1000;
/** Octets of the largest file that is read. */
const MOST_OCTETS = 4 * 1024 * 1024;

/** A file that cannot be read: the message names it. */
export class FileFault extends Error {
  override readonly name = 'FileFault';
}

type Known = { looked: number; stamp: string; content: Buffer | undefined; fault: string };

export class WatchedFiles {
  readonly #files = new Map<string, Known>();

  /** What changes when a file is another, or can be read, or cannot any more. */
  stampOf(path: string): string {
    return this.#look(path).stamp;
  }

  /** Throws a `FileFault`. */
  contentOf(path: string): Buffer {
    const { content, fault } = this.#look(path);
    if (content === undefined) throw new FileFault(fault);
    return content;
  }

  #look(path: string): Known {
    const now = performance.now();
    let known = this.#files.get(path);
    if (known !== undefined && now - known.looked < BELIEVED_MS) return known;
    try {
      const { mtimeMs, ctimeMs, size, ino } = statSync(path);
      const stamp = `${mtimeMs} ${ctimeMs} ${size} ${ino}`;
      if (known?.stamp !== stamp) {
        if (size > MOST_OCTETS) throw new Error('larger than 4 MiB');
        known = { looked: now, stamp, content: readFileSync(path), fault: '' };
      }
    } catch (error) {
      const fault = `cannot read ${path}: ${errorText(error)}`;
      known = { looked: now, stamp: fault, content: undefined, fault };
    }
    known.looked = now;
    this.#files.set(path, known);
    return known;
  }
}
