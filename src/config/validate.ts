// Validation of a whole configuration: what the definitions say of every property, then the checks across objects.

import { ConfigError } from '../core/errors.ts';
import type { ConfigCode, TextPosition } from '../core/errors.ts';
import { objectKey } from './change.ts';
import { MissingFolders, checkGoneFolders } from './check-folders.ts';
import { compareNames } from './configuration.ts';
import type { Configuration } from './configuration.ts';
import { relativeName } from './name.ts';
import { labelled } from './object-type.ts';
import type { AnyConfigObject, AnyObjectType, CheckContext, CheckDetails, TypedObject } from './object-type.ts';
import { OBJECT_TYPES, findObjectType } from './object-types.ts';
import type { Kind, PropertyMap, RecordsKind, ScalarKind } from './property.ts';
import { isList, isRecords, isTable, sameValue } from './value.ts';
import { byNameOf, viewChanges } from './view-changes.ts';
import type { ViewChanges } from './view-changes.ts';
import type { Properties, Value } from './value.ts';

export type ConfigWarning = {
  readonly object: string;
  readonly text: string;
  readonly hint?: string;
  readonly position?: TextPosition;
};

/** Object key → property → where it was written; the empty property is the object itself. */
export type Positions = ReadonlyMap<string, ReadonlyMap<string, TextPosition>>;

/** Stands for a property where the name of an object refers to others. */
const NAME = 'name';

/** Fewer types than these have some alike: whichever of them is created will do. */
const FEW_TYPES = 8;

type Reference = { readonly property: string; readonly value: string; readonly targets: readonly string[] };

export function validate(
  before: Configuration,
  after: Configuration,
  positions: Positions,
): { errors: ConfigError[]; warnings: ConfigWarning[] } {
  const errors: ConfigError[] = [];
  const warnings: ConfigWarning[] = [];
  const changes = viewChanges(before.views, after.views);
  const { byType, changed, gone } = changes;
  // Checks ask by name thousands of times: no key is put together for that.
  const names = new Map([...byType].map(([path, objects]) => [path, byNameOf(objects)]));
  const exists: Exists = (type, name) => names.get(type)?.has(name) === true;

  const placed = (object: AnyConfigObject, property?: string) => {
    const places = positions.get(objectKey(object));
    const position = (property === undefined ? undefined : places?.get(property)) ?? places?.get('');
    return position === undefined ? {} : { position };
  };
  const error = (object: AnyConfigObject, code: ConfigCode, text: string, details: CheckDetails = {}): void => {
    const place = placed(object, details.property);
    errors.push(new ConfigError(code, text, { object: objectKey(object), ...place, ...details }));
  };
  const warn = (object: AnyConfigObject, text: string, details: CheckDetails = {}): void => {
    const hint = details.hint === undefined ? {} : { hint: details.hint };
    warnings.push({ object: objectKey(object), text, ...hint, ...placed(object, details.property) });
  };
  // Checks see only objects that have what they must have: the others are reported, and any check would fail on them.
  const complete = new Map<string, readonly AnyConfigObject[]>();
  const incomplete = new Set<AnyConfigObject>();
  const context: CheckContext = {
    find: <Path extends string, M extends PropertyMap>(type: { path: Path }, name: string) => {
      const object = names.get(type.path)?.get(name);
      return (object !== undefined && incomplete.size > 0 && incomplete.has(object) ? undefined : object) as
        TypedObject<Path, M> | undefined;
    },
    all: <Path extends string, M extends PropertyMap>(type: { path: Path }) =>
      (complete.get(type.path) ?? []) as unknown as readonly TypedObject<Path, M>[],
    gone: <Path extends string, M extends PropertyMap>(type: { path: Path }) =>
      [...gone.values()].filter((object) => object.type === type.path) as unknown as readonly TypedObject<Path, M>[],
    inUse: (used, user, property) => refuseDeletion(used, user, property, used.name, error),
    error: (object, text, { code = 'configuration', ...details } = {}) => error(object, code, text, details),
    warn,
  };

  const changedTypes = new Set([...changed].map(({ type }) => type));
  checkNameSpaces(changes, after, error);
  checkInUse(changes, after, error);
  checkGoneFolders(changes, after, error);
  const missingFolders = new MissingFolders(before, after);
  for (const type of OBJECT_TYPES) {
    const all = byType.get(type.path)!;
    // What was valid by itself still is; objects that are gone have been looked for.
    if (!changedTypes.has(type.path)) {
      complete.set(type.path, all);
      continue;
    }
    const objects = all.filter((object) => {
      if (!changed.has(object)) return true;
      missingFolders.note(type, object);
      checkReferences(type, object, before, exists, error);
      warnOfInert(type, object, before, warn);
      const isComplete = hasRequired(type, object, error);
      if (!isComplete) incomplete.add(object);
      return isComplete;
    });
    complete.set(type.path, objects);
  }
  missingFolders.report(error);
  for (const type of OBJECT_TYPES) {
    const objects = complete.get(type.path)!;
    if (type.inheritsBy !== undefined && changedTypes.has(type.path)) checkInheritance(type, objects, after, error);
    type.check?.(lastChanged(objects, changed), context);
  }
  return { errors, warnings };
}

/** Where two objects exclude each other, the one that was changed is at fault: checks see it behind the others. */
function lastChanged(
  objects: readonly AnyConfigObject[],
  changed: ReadonlySet<AnyConfigObject>,
): readonly AnyConfigObject[] {
  const last = objects.filter((object) => changed.has(object));
  if (last.length === 0 || last.length === objects.length) return objects;
  return [...objects.filter((object) => !changed.has(object)), ...last];
}

type Report = (object: AnyConfigObject, code: ConfigCode, text: string, details?: CheckDetails) => void;

function hasRequired(type: AnyObjectType, object: AnyConfigObject, error: Report): boolean {
  let isComplete = true;
  for (const [property, { required, kind }] of Object.entries(type.properties)) {
    if (required !== true || object.properties[property] !== undefined) continue;
    isComplete = false;
    const expects = kind.shape === 'scalar' ? `: ${kind.expects}` : '';
    error(object, 'missingProperty', `${labelled(type, object.name)} must have a value for ${property}.`, {
      property,
      hint: `Add ${property}${expects}.`,
    });
  }
  return isComplete;
}

/** Whether there is an object of a type by a name. */
type Exists = (type: string, name: string) => boolean;

function checkReferences(
  type: AnyObjectType,
  object: AnyConfigObject,
  before: Configuration,
  exists: Exists,
  error: Report,
): void {
  visitReferences(type, object, (property, value, targets) => {
    for (const target of targets) if (exists(target, value)) return;
    // An object that was deleted by this very change is reported as in use instead.
    if (targets.some((target) => before.views.has(objectKey({ type: target, name: value })))) return;
    const labels = targets.map((target) => findObjectType(target)!.label);
    const shown = relativeName(value, '/Common');
    error(object, 'notFound', `The requested ${[...new Set(labels)].join(' or ')} (${value}) was not found.`, {
      property,
      value,
      hint: `${labelled(type, object.name)} names it as ${property}. ${whatToDo(targets, shown)}`,
    });
  });
}

/** Of many types, as those of monitors, nobody knows which one was meant. */
function whatToDo(targets: readonly string[], name: string): string {
  if (targets.length < FEW_TYPES) return `Create it first: create ${targets[0]} ${name}`;
  const [module, component] = targets[0]!.split(' ');
  return `list ${module} ${component} shows those that exist.`;
}

/** Objects that are gone and still referred to. */
function checkInUse({ byType, gone }: ViewChanges, after: Configuration, error: Report): void {
  if (gone.size === 0) return;
  const names = new Set([...gone.values()].map(({ name }) => name));
  for (const user of OBJECT_TYPES) {
    for (const object of byType.get(user.path)!) {
      const said = new Set<string>();
      for (const { property, value, targets } of knownReferences(user, object)) {
        if (!names.has(value) || said.has(`${property} ${value}`)) continue;
        if (targets.some((target) => after.views.has(objectKey({ type: target, name: value })))) continue;
        const target = targets.find((path) => gone.has(objectKey({ type: path, name: value })));
        if (target === undefined) continue;
        said.add(`${property} ${value}`);
        refuseDeletion(gone.get(objectKey({ type: target, name: value }))!, object, property, value, error);
      }
    }
  }
}

const references = new WeakMap<AnyConfigObject, readonly Reference[]>();

function knownReferences(type: AnyObjectType, object: AnyConfigObject): readonly Reference[] {
  let known = references.get(object);
  if (known === undefined) {
    const found: Reference[] = [];
    visitReferences(type, object, (property, value, targets) => found.push({ property, value, targets }));
    known = found;
    references.set(object, known);
  }
  return known;
}

function refuseDeletion(
  used: AnyConfigObject,
  user: AnyConfigObject,
  property: string,
  value: string,
  error: Report,
): void {
  const what = labelled(findObjectType(used.type)!, used.name);
  const who = labelled(findObjectType(user.type)!, user.name);
  error(used, 'inUse', `The ${what} cannot be deleted because it is in use by a ${who}.`, {
    property,
    value,
    hint: property === NAME ? `Delete the ${who} first.` : `Change ${property} of the ${who} first, or delete it.`,
  });
}

type VisitReference = (property: string, value: string, targets: readonly string[]) => void;

/** What an object refers to by its name, and by its properties. */
export function visitReferences(type: AnyObjectType, object: AnyConfigObject, visit: VisitReference): void {
  if (type.nameKind !== undefined) visitNames(type.nameKind, NAME, object.name, visit);
  visitIn(type.properties, object.properties, undefined, visit);
}

/** `within` is the property whose records these are. */
function visitIn(map: PropertyMap, properties: Properties, within: string | undefined, visit: VisitReference): void {
  for (const [name, kind] of referringOf(map)) {
    const value = properties[name];
    if (value === undefined) continue;
    const property = within ?? name;
    if (kind.shape === 'scalar') {
      if (typeof value === 'string') visitNames(kind, property, value, visit);
    } else if (kind.shape === 'list') {
      if (isList(value)) for (const item of value) visitNames(kind.item, property, item, visit);
    } else if (kind.shape === 'records') {
      visitRecords(kind, value, property, visit);
    }
  }
}

function visitRecords(kind: RecordsKind, value: Value, property: string, visit: VisitReference): void {
  if (isTable(value)) {
    // Its keys are MAC addresses, which name no object.
    for (const record of value.contents) visitIn(kind.properties, record, property, visit);
    return;
  }
  if (!isRecords(value)) return;
  const isDeep = referringOf(kind.properties).length > 0;
  for (const key of Object.keys(value)) {
    visitNames(kind.key, property, key, visit);
    if (isDeep) visitIn(kind.properties, value[key]!, property, visit);
  }
}

function visitNames({ refersTo, within }: ScalarKind, property: string, value: string, visit: VisitReference): void {
  if (refersTo !== undefined) visit(property, value, refersTo);
  if (within === undefined) return;
  for (const { types, name } of within.of(value)) visit(property, name, types);
}

const referring = new WeakMap<PropertyMap, readonly (readonly [string, Kind])[]>();

/** The properties that can name objects: of a record there are hundreds of thousands, and most of theirs cannot. */
function referringOf(map: PropertyMap): readonly (readonly [string, Kind])[] {
  let found = referring.get(map);
  if (found === undefined) {
    found = Object.entries(map).flatMap(([name, { kind }]) => (refers(kind) ? [[name, kind] as const] : []));
    referring.set(map, found);
  }
  return found;
}

function refers(kind: Kind): boolean {
  switch (kind.shape) {
    case 'scalar':
      return kind.refersTo !== undefined || kind.within !== undefined;
    case 'flag':
      return false;
    case 'list':
      return refers(kind.item);
    case 'records':
      return refers(kind.key) || referringOf(kind.properties).length > 0;
  }
}

/** Names of new objects that another type of the name space has too; those that were there before differ. */
function checkNameSpaces({ added }: ViewChanges, { views }: Configuration, error: Report): void {
  const types = OBJECT_TYPES.filter(({ nameSpace }) => nameSpace !== undefined);
  const paths = new Set(types.map(({ path }) => path));
  const newcomers = new Set(added.filter(({ type }) => paths.has(type)));
  const names = [...new Set([...newcomers].map(({ name }) => name))].sort(compareNames);
  const owners = new Map<string, AnyObjectType>();
  const found = types.flatMap((type) =>
    names.flatMap((name) => {
      const object = views.get(objectKey({ type: type.path, name }));
      return object === undefined ? [] : [{ type, name, object }];
    }),
  );
  // Who was there first has the name.
  for (const isNew of [false, true]) {
    for (const { type, name, object } of found) {
      if (newcomers.has(object) !== isNew) continue;
      const key = `${type.nameSpace!} ${name}`;
      const owner = owners.get(key);
      owners.set(key, owner ?? type);
      if (owner === undefined) continue;
      const partition = name.split('/')[1] ?? '';
      error(
        object,
        'alreadyExists',
        `The requested ${labelled(owner, name)} already exists in partition ${partition}.`,
        {
          value: name,
          hint: `${shareNoName(owner, type)}: choose another one.`,
        },
      );
    }
  }
}

function shareNoName(one: AnyObjectType, other: AnyObjectType): string {
  const [first, second] = one.label === other.label ? [one.path, other.path] : [one.label, other.label];
  return `A ${first} and a ${second} cannot share a name`;
}

/** No object may take its defaults from itself. */
function checkInheritance(
  type: AnyObjectType,
  objects: readonly AnyConfigObject[],
  after: Configuration,
  error: Report,
): void {
  const property = type.inheritsBy!;
  for (const object of objects) {
    const seen = new Set<string>();
    let at: AnyConfigObject | undefined = object;
    while (at !== undefined && !seen.has(at.name)) {
      seen.add(at.name);
      const parent: Value | undefined = at.properties[property];
      at = typeof parent === 'string' ? after.views.get(objectKey({ type: type.path, name: parent })) : undefined;
    }
    if (at !== object) continue;
    const value = object.name;
    error(object, 'configuration', `${labelled(type, object.name)}: ${property} leads back to itself.`, {
      property,
      value,
      hint: 'Name a profile that does not take its defaults from this one.',
    });
  }
}

/** A value that changes nothing deserves a word, once: when it is set. */
function warnOfInert(
  type: AnyObjectType,
  object: AnyConfigObject,
  before: Configuration,
  warn: (object: AnyConfigObject, text: string, details?: CheckDetails) => void,
): void {
  const old = before.views.get(objectKey(object));
  for (const [property, { inert, default: standard }] of Object.entries(type.properties)) {
    const value = object.properties[property];
    if (inert !== true || value === undefined || sameValue(value, old?.properties[property])) continue;
    if (sameValue(value, typeof standard === 'function' ? standard(object.properties) : standard)) continue;
    warn(object, `${labelled(type, object.name)}: ${property} is kept, but has no effect in this version.`, {
      property,
    });
  }
}
