// What differs between two configurations, object by object.

import type { AnyConfigObject, AnyObjectType } from './object-type.ts';
import { OBJECT_TYPES, findObjectType } from './object-types.ts';
import type { ConfigObject } from './object-types.ts';
import { isRecords, sameValue } from './value.ts';
import type { Value } from './value.ts';

/** A change as a daemon gets it; `changed` names properties, `rebuild` says that one of them cannot change in place. */
export type ConfigChange =
  | { readonly action: 'create'; readonly object: ConfigObject }
  | {
      readonly action: 'modify';
      readonly object: ConfigObject;
      readonly before: ConfigObject;
      readonly changed: readonly string[];
      readonly rebuild: boolean;
    }
  /** `object` is the one that goes. */
  | { readonly action: 'delete'; readonly object: ConfigObject };

/** The state of the configuration that a daemon runs: `epoch` changes when configd starts anew, `number` per commit. */
export type Generation = { readonly epoch: number; readonly number: number };

/** `net vlan /Common/wan`: an object's key in maps and its name in messages. */
export function objectKey(object: { readonly type: string; readonly name: string }): string {
  return object.name === '' ? object.type : `${object.type} ${object.name}`;
}

export type ObjectMap = ReadonlyMap<string, AnyConfigObject>;

export function mapObjects(objects: Iterable<AnyConfigObject>): Map<string, AnyConfigObject> {
  const map = new Map<string, AnyConfigObject>();
  for (const object of objects) map.set(objectKey(object), object);
  return map;
}

/**
 * The changes that lead from one configuration to another, in an order in which they can be applied: deletions first,
 * users before what they use; then the rest, what is used before its users.
 */
export function diffObjects(before: ObjectMap, after: ObjectMap): ConfigChange[] {
  const deleted: ConfigChange[] = [];
  const made: ConfigChange[] = [];
  for (const [key, object] of before) {
    if (!after.has(key)) deleted.push({ action: 'delete', object: object as ConfigObject });
  }
  for (const [key, object] of after) {
    const old = before.get(key);
    if (old === undefined) {
      made.push({ action: 'create', object: object as ConfigObject });
      continue;
    }
    if (old === object) continue;
    const changed = changedProperties(old, object);
    if (changed.length === 0) continue;
    made.push({
      action: 'modify',
      object: object as ConfigObject,
      before: old as ConfigObject,
      changed,
      rebuild: needsRebuild(findObjectType(object.type), changed),
    });
  }
  const order = new Map(OBJECT_TYPES.map((type, index) => [type.path, index]));
  const rank = (change: ConfigChange) => order.get(change.object.type) ?? OBJECT_TYPES.length;
  deleted.sort((a, b) => rank(b) - rank(a));
  made.sort((a, b) => rank(a) - rank(b));
  return [...deleted, ...made];
}

/** A copy of `objects` with the changes made. */
export function applyChanges(objects: ObjectMap, changes: readonly ConfigChange[]): Map<string, AnyConfigObject> {
  const map = new Map(objects);
  for (const { action, object } of changes) {
    if (action === 'delete') map.delete(objectKey(object));
    else map.set(objectKey(object), object);
  }
  return map;
}

function changedProperties(before: AnyConfigObject, after: AnyConfigObject): string[] {
  const names = new Set([...Object.keys(before.properties), ...Object.keys(after.properties)]);
  const type = findObjectType(after.type);
  return [...names].filter((name) => {
    const [old, value] = [before.properties[name], after.properties[name]];
    if (old === value) return false;
    return !sameValue(old, value) || (type?.properties[name]?.isOrdered === true && !sameOrder(old, value));
  });
}

/** Whether the keys of equal records stand in the same order. */
function sameOrder(before: Value | undefined, after: Value | undefined): boolean {
  if (before === undefined || after === undefined || !isRecords(before) || !isRecords(after)) return true;
  const keys = Object.keys(after);
  return Object.keys(before).every((key, index) => key === keys[index]);
}

function needsRebuild(type: AnyObjectType | undefined, changed: readonly string[]): boolean {
  return changed.some((name) => type?.properties[name]?.onChange === 'rebuild');
}
