// The objects of a configuration, by their types.

import type { AnyConfigObject } from '../config/object-type.ts';

/** In the order of the configuration. */
export function objectsByType(objects: Iterable<AnyConfigObject>): Map<string, AnyConfigObject[]> {
  const groups = new Map<string, AnyConfigObject[]>();
  for (const object of objects) {
    const group = groups.get(object.type);
    if (group === undefined) groups.set(object.type, [object]);
    else group.push(object);
  }
  return groups;
}
