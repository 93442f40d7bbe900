// Whether the folders are there that objects lie in, and whether those that go are empty.

import type { ConfigCode } from '../core/errors.ts';
import type { Configuration } from './configuration.ts';
import { FOLDER, ROOT, folderOf, folderKey, howToMake, leafOf } from './folders.ts';
import { labelled } from './object-type.ts';
import type { AnyConfigObject, AnyObjectType, CheckDetails } from './object-type.ts';
import { findObjectType } from './object-types.ts';
import { COMMENT } from './read-properties.ts';
import type { ViewChanges } from './view-changes.ts';

type Report = (object: AnyConfigObject, code: ConfigCode, text: string, details?: CheckDetails) => void;

/** Collects the objects whose folder is not there: one error for each folder, however many objects would lie in it. */
export class MissingFolders {
  readonly #before: Configuration;
  readonly #after: Configuration;
  readonly #first = new Map<string, { readonly object: AnyConfigObject; count: number }>();

  constructor(before: Configuration, after: Configuration) {
    this.#before = before;
    this.#after = after;
  }

  /** Looks at an object that is new or has changed. */
  note(type: AnyObjectType, object: AnyConfigObject): void {
    // What goes with another object lies where that one does.
    if (type.naming !== 'full-path' || type.companionOf !== undefined) return;
    const folder = folderOf(object.name);
    const key = folderKey(folder);
    // A folder that this very change takes away is not empty, which is said instead.
    if (this.#after.objects.has(key) || this.#before.objects.has(key)) return;
    const known = this.#first.get(folder);
    if (known === undefined) this.#first.set(folder, { object, count: 1 });
    else known.count++;
  }

  report(error: Report): void {
    for (const [folder, { object, count }] of this.#first) {
      const what = labelled(findObjectType(object.type)!, object.name);
      const others = count > 1 ? ` and ${count - 1} more` : '';
      error(object, 'notFound', `The requested folder (${folder}) was not found.`, {
        value: folder,
        hint: `${what}${others} would lie there. Create it first: ${howToMake(folder)}`,
      });
    }
  }
}

/** Folders that are gone, and still hold something. */
export function checkGoneFolders({ gone }: ViewChanges, after: Configuration, error: Report): void {
  for (const folder of gone.values()) {
    if (folder.type !== FOLDER) continue;
    const held = [...heldBy(folder.name, after)];
    const first = held[0];
    if (first === undefined) continue;
    const others = held.length > 1 ? ` and ${held.length - 1} more` : '';
    const hint = `It holds ${first}${others}: delete what lies there or mv it to-folder another one first. cd ${folder.name}; list recursive shows it.`;
    const isPartition = folderOf(folder.name) === ROOT;
    const text = isPartition
      ? `All objects must be removed from a partition (${leafOf(folder.name)}) before the partition may be removed.`
      : `The folder ${folder.name} cannot be deleted because it contains configuration item (${first}).`;
    error(folder, isPartition ? 'partitionNotEmpty' : 'folderNotEmpty', text, {
      value: folder.name,
      hint,
    });
  }
}

/** What lies in a folder or below it, as messages call it; also what is kept without being known. */
function* heldBy(folder: string, { views, unknown }: Configuration): Generator<string> {
  const start = `${folder}/`;
  for (const object of views.values()) {
    const type = findObjectType(object.type)!;
    const isIn = type.naming === 'full-path' && type.companionOf === undefined && object.name.startsWith(start);
    if (isIn) yield labelled(type, object.name);
  }
  for (const { header, key } of unknown) {
    const isIn = header !== COMMENT && header.slice(header.lastIndexOf(' ') + 1).startsWith(start);
    if (isIn && (key === undefined || !views.has(key))) yield `${header}, which is kept without effect`;
  }
}

/** The objects whose folder is not there, folder by folder from the top. */
export function folderlessObjects(objects: Configuration['objects']): Map<string, string> {
  const missing = new Map<string, string>();
  const look = (name: string, key: string): void => {
    const folder = folderOf(name);
    if (objects.has(folderKey(folder)) || missing.has(folder)) return;
    look(folder, key);
    missing.set(folder, key);
  };
  for (const [key, { type: path, name }] of objects) {
    const type = findObjectType(path)!;
    if (type.naming === 'full-path' && type.companionOf === undefined) look(name, key);
  }
  return missing;
}
