// A configuration: an immutable value. Stored objects hold what was set; views hold every property.

import { objectKey } from './change.ts';
import { COMMON } from './name.ts';
import type { AnyConfigObject, AnyObjectType } from './object-type.ts';
import { OBJECT_TYPES, findObjectType } from './object-types.ts';
import type { Property, PropertyMap, RecordsKind } from './property.ts';
import type { Extra } from './read-properties.ts';
import type { UnknownObject } from './unknown.ts';
import { changeRecords, isRecords, isTable, sameProperties, sameValue } from './value.ts';
import type { MutableProperties, Properties, Value } from './value.ts';

/** An object as it is stored: canonical values, and only those that were set. */
export type StoredObject = {
  readonly type: string;
  readonly name: string;
  readonly own: Properties;
  /** Properties that this version does not know, and comments. */
  readonly extras: readonly Extra[];
  /** Comments that stand in front of it. */
  readonly lead?: string;
};

export type Configuration = {
  readonly objects: ReadonlyMap<string, StoredObject>;
  readonly views: ReadonlyMap<string, AnyConfigObject>;
  readonly unknown: readonly UnknownObject[];
};

/** What every system starts with: built-in objects and singletons. */
function initialObjects(): Map<string, StoredObject> {
  const objects = new Map<string, StoredObject>();
  for (const type of OBJECT_TYPES) {
    const names = type.naming === 'singleton' ? [''] : Object.keys(type.builtIn ?? {});
    for (const name of names) {
      const object = { type: type.path, name, own: type.builtIn?.[name] ?? {}, extras: [] };
      objects.set(objectKey(object), object);
    }
  }
  return objects;
}

let empty: Configuration | undefined;

/** Always the same one. */
export function emptyConfiguration(): Configuration {
  if (empty === undefined) {
    const objects = initialObjects();
    empty = { objects, views: materialise(objects, undefined), unknown: [] };
  }
  return empty;
}

export function isBuiltIn(type: AnyObjectType, name: string): boolean {
  return type.naming === 'singleton' || Object.hasOwn(type.builtIn ?? {}, name);
}

/** The objects of a type, sorted by name. */
export function objectsOf({ objects }: Pick<Configuration, 'objects'>, type: AnyObjectType): StoredObject[] {
  const found: StoredObject[] = [];
  for (const object of objects.values()) if (object.type === type.path) found.push(object);
  return found.sort((a, b) => compareNames(a.name, b.name));
}

const collator = new Intl.Collator('en', { numeric: true });

/** 1.2 before 1.10, and no two different names equal. */
export function compareNames(a: string, b: string): number {
  return collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}

/** All views; those of `before` are kept where nothing changed, so that identity says the same as equality. */
export function materialise(
  objects: ReadonlyMap<string, StoredObject>,
  before: Configuration | undefined,
): Map<string, AnyConfigObject> {
  const views = new Map<string, AnyConfigObject>();
  const changedTypes = before && typesOfChanges(before, objects);
  for (const [key, object] of objects) {
    const type = findObjectType(object.type)!;
    const old = before?.objects.get(key) === object ? before.views.get(key) : undefined;
    if (old !== undefined && !SOURCES.get(type)?.some((source) => changedTypes?.has(source))) {
      views.set(key, old);
      continue;
    }
    const view = viewOf(type, object, objects);
    views.set(key, old !== undefined && sameProperties(old.properties, view.properties) ? old : view);
  }
  return views;
}

function viewOf(
  type: AnyObjectType,
  object: StoredObject,
  objects: ReadonlyMap<string, StoredObject>,
): AnyConfigObject {
  const set = inheritedValues(type, object, objects);
  const properties = withDefaults(type.properties, { ...set, ...borrowedValues(type, set, objects) });
  return { type: object.type, name: object.name, properties };
}

/** Of types whose objects may look different although they themselves did not change: the types that they take values from. */
const SOURCES: ReadonlyMap<AnyObjectType, readonly string[]> = new Map(
  OBJECT_TYPES.flatMap((type) => {
    const lenders = Object.values(type.properties).flatMap(({ defaultFrom }) => defaultFrom?.type ?? []);
    const sources = new Set([...(type.inheritsBy === undefined ? [] : [type.path]), ...lenders]);
    return sources.size === 0 ? [] : [[type, [...sources]] as const];
  }),
);

/** The types of objects that came, went, or are others now. */
function typesOfChanges(before: Configuration, after: ReadonlyMap<string, StoredObject>): ReadonlySet<string> {
  const types = new Set<string>();
  let kept = 0;
  for (const [key, object] of after) {
    const old = before.objects.get(key);
    if (old !== undefined) kept++;
    if (old !== object || !before.views.has(key)) types.add(object.type);
  }
  if (kept === before.objects.size) return types;
  for (const [key, { type }] of before.objects) if (!after.has(key)) types.add(type);
  return types;
}

/** The values that other objects give to properties which were not set; what cannot be read there gives none. */
function borrowedValues(
  type: AnyObjectType,
  set: Properties,
  objects: ReadonlyMap<string, StoredObject>,
): MutableProperties {
  const values: MutableProperties = {};
  for (const [name, { defaultFrom, kind }] of Object.entries(type.properties)) {
    if (defaultFrom === undefined || set[name] !== undefined || kind.shape !== 'scalar') continue;
    const value = objects.get(objectKey(defaultFrom))?.own[defaultFrom.property];
    const reading = typeof value === 'string' ? kind.read(value, COMMON) : undefined;
    if (reading !== undefined && 'value' in reading) values[name] = reading.value;
  }
  return values;
}

/** What was set on the object and on those that it takes its defaults from, the nearest first. */
function inheritedValues(
  type: AnyObjectType,
  object: StoredObject,
  objects: ReadonlyMap<string, StoredObject>,
): Properties {
  const parentProperty = type.inheritsBy;
  if (parentProperty === undefined) return object.own;
  const values: MutableProperties = { ...object.own };
  const seen = new Set([object.name]);
  for (let from: StoredObject | undefined = object; from !== undefined;) {
    const parentName: Value | undefined = from.own[parentProperty];
    if (typeof parentName !== 'string' || seen.has(parentName)) break;
    seen.add(parentName);
    from = objects.get(objectKey({ type: type.path, name: parentName }));
    for (const [name, value] of Object.entries(from?.own ?? {})) {
      if (name !== parentProperty && name !== 'description') values[name] ??= value;
    }
  }
  return values;
}

/** The values in the order of the definition, defaults filled in, also in records. */
export function withDefaults(map: PropertyMap, own: Properties): Properties {
  const properties: MutableProperties = {};
  for (const name of Object.keys(map)) {
    const property = map[name]!;
    const value = own[name] ?? defaultOf(property, own, properties);
    if (value === undefined) continue;
    properties[name] = property.kind.shape === 'records' ? recordsWithDefaults(property, value) : value;
  }
  return properties;
}

function recordsWithDefaults(property: Property, value: Value): Value {
  return property.kind.shape === 'records' ? changeEach(property.kind, value, withDefaults) : value;
}

/** The same records, each changed by what the definition says of it. */
function changeEach(
  { properties }: RecordsKind,
  value: Value,
  change: (map: PropertyMap, record: Properties) => Properties,
): Value {
  if (isTable(value)) return value.mapContents((record) => change(properties, record));
  return isRecords(value) ? changeRecords(value, (record) => change(properties, record)) : value;
}

function defaultOf(property: Property, own: Properties, soFar: Properties): Value | undefined {
  const { default: value } = property;
  return typeof value === 'function' ? value({ ...soFar, ...own }) : value;
}

/**
 * What was set without what is default anyway, so that a configuration is the same before and after it was saved and read
 * again. In a type that inherits, a value that was set stays set: its default is another object's.
 */
export function normalised(type: AnyObjectType, own: Properties): Properties {
  return type.inheritsBy === undefined ? withoutDefaults(type.properties, own) : own;
}

function withoutDefaults(map: PropertyMap, own: Properties): Properties {
  const kept: MutableProperties = {};
  let isSame = true;
  for (const name of Object.keys(own)) {
    const value = own[name]!;
    const { kind, default: standard } = map[name]!;
    if (standard !== undefined && typeof standard !== 'function' && sameValue(value, standard)) {
      isSame = false;
      continue;
    }
    const next = kind.shape === 'records' ? changeEach(kind, value, withoutDefaults) : value;
    isSame &&= next === value;
    kept[name] = next;
  }
  return isSame ? own : kept;
}
