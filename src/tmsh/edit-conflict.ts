// Somebody else has changed what is open in an editor.

import { createHash } from 'node:crypto';
import type { Configuration } from '../config/configuration.ts';
import { ConfigError } from '../core/errors.ts';

/** The text of an editor was made from objects that are not so any more; nothing has changed. */
export class EditConflict extends ConfigError {}

/** A change to an object, as far as it is known. */
export type Change = { readonly user: string; readonly command: string; readonly at: Date };

/** Objects whose changes are remembered: an editor that was opened long before may have lost its place. */
const MOST_WATCHED = 1000;

/** Remembers who has changed objects that were opened for editing. */
export class EditWatch {
  /** Key of an object → its last change since it was opened. */
  readonly #changes = new Map<string, Change | undefined>();

  watch(keys: Iterable<string>): void {
    for (const key of keys) {
      this.#changes.delete(key);
      this.#changes.set(key, undefined);
    }
    for (const key of this.#changes.keys()) {
      if (this.#changes.size <= MOST_WATCHED) break;
      this.#changes.delete(key);
    }
  }

  /** Notes a change of the configuration; `describe` is asked when it concerns a watched object. */
  note(before: Configuration, after: Configuration, describe: () => Change): void {
    let change: Change | undefined;
    for (const key of this.#changes.keys()) {
      if (before.objects.get(key) === after.objects.get(key)) continue;
      this.#changes.set(key, (change ??= describe()));
    }
  }

  changeOf(key: string): Change | undefined {
    return this.#changes.get(key);
  }
}

/** What stands for a listing in the request that brings it back. */
export function listingDigest(listing: string): string {
  return createHash('sha256').update(listing).digest('hex');
}

/** What to say of an object that has changed. */
export function conflictOn(key: string, change: Change | undefined): EditConflict {
  const who =
    change === undefined
      ? ''
      : `: ${change.user} did "${change.command}" at ${change.at.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  return new EditConflict('configuration', `${key} has changed since it was opened for editing${who}.`, {
    object: key,
    hint: `Nothing was overwritten. list ${key} shows what it is now: edit it again, and put your changes in.`,
  });
}
