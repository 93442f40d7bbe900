// Replaces whole objects by what a text says of them, and nothing else: what an editor has made of a listing.

import { ConfigError } from '../core/errors.ts';
import { objectKey } from './change.ts';
import type { Configuration, StoredObject } from './configuration.ts';
import { loadText, nameOf, nameTextOf, typeOf } from './load-text.ts';
import type { Loaded } from './load-text.ts';
import { COMMON } from './name.ts';
import type { AnyObjectType } from './object-type.ts';
import { findObjectType } from './object-types.ts';
import { Scanner } from './scanner.ts';
import type { Token } from './scanner.ts';

/**
 * `allowed` are the keys of the objects that the text may hold. One that it leaves out stays as it is. Throws ConfigErrors, a
 * ConfigError or a ConfigSyntaxError.
 */
export function replaceObjects(
  text: string,
  before: Configuration,
  allowed: ReadonlySet<string>,
  file: string,
): Loaded {
  const objects = new Map(before.objects);
  for (const { key, token } of stanzasOf(text, file)) {
    if (!allowed.has(key)) {
      throw new ConfigError('configuration', `${key} is not what was opened for editing.`, {
        object: key,
        position: token.position,
        hint: 'Take it out, and create or modify it by a command of its own.',
      });
    }
    const object = objects.get(key);
    if (object !== undefined) objects.set(key, emptied(object));
  }
  return loadText(text, before, { file, mergeInto: { ...before, objects } });
}

/** What is left is what cannot be changed, or was chosen by the system. */
function emptied(object: StoredObject): StoredObject {
  const { properties } = findObjectType(object.type)!;
  const kept = Object.entries(object.own).filter(
    ([name]) => properties[name]?.immutable === true || properties[name]?.assigned === true,
  );
  return { ...object, own: Object.fromEntries(kept) };
}

/** The keys of the objects of a text. A stanza of an unknown type goes by its header, and is so nobody's. */
export function* stanzasOf(
  text: string,
  file: string,
): Generator<{ readonly key: string; readonly token: Token; readonly type: AnyObjectType | undefined }> {
  const scanner = new Scanner(text, file);
  for (let first = scanner.next(); first !== undefined; first = scanner.next()) {
    const words = [first];
    let open: Token | undefined;
    for (let next = scanner.next(); next !== undefined; next = scanner.next()) {
      if (next.kind === 'open') {
        open = next;
        break;
      }
      words.push(next);
    }
    if (open !== undefined) scanner.skipBlock(open, false);
    const header = typeOf(words);
    const key =
      header === undefined
        ? words.map((word) => word.text).join(' ')
        : objectKey({
            type: header.type.path,
            name: nameOf(header.type, nameTextOf(header.type, header.rest), COMMON),
          });
    yield { key, token: first, type: header?.type };
  }
}
