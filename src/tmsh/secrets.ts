// Commands that hold a secret: they must not stand in a history.

import type { AnyObjectType } from '../config/object-type.ts';
import { OBJECT_TYPES } from '../config/object-types.ts';
import type { PropertyMap } from '../config/property.ts';

/** Whether a word of the command is a property whose value is secret in some type. */
export function mentionsSecret(command: string, types: readonly AnyObjectType[] = OBJECT_TYPES): boolean {
  const words = new Set(command.split(/[\s{}"]+/));
  return types.some((type) => hasSecret(type.properties, words));
}

function hasSecret(map: PropertyMap, words: ReadonlySet<string>): boolean {
  return Object.entries(map).some(
    ([name, { secret, kind }]) =>
      (secret === true && words.has(name)) || (kind.shape === 'records' && hasSecret(kind.properties, words)),
  );
}
