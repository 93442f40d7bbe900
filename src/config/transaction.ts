// A transaction: edits on a copy, then either a valid configuration or all errors. Nothing changes in between.

import { ConfigError } from '../core/errors.ts';
import type { ConfigSyntaxError, TextPosition } from '../core/errors.ts';
import { objectKey } from './change.ts';
import { emptyConfiguration, isBuiltIn, materialise, normalised, withDefaults } from './configuration.ts';
import type { Configuration, StoredObject } from './configuration.ts';
import { defaultRouteDomainOf, putInDomain, withShiftingDefaults } from './default-route-domain.ts';
import { applyEdits } from './edit.ts';
import type { PropertyEdit } from './edit.ts';
import { partitionOf } from './name.ts';
import { labelled, namingProblem, twinOf } from './object-type.ts';
import type { AnyObjectType, NamedProperties } from './object-type.ts';
import { OBJECT_TYPES } from './object-types.ts';
import { COMMENT } from './read-properties.ts';
import type { Extra } from './read-properties.ts';
import { RecordTable } from './record-table.ts';
import { namesInText, usersOf, withReference } from './rename.ts';
import type { UnknownObject } from './unknown.ts';
import { validate } from './validate.ts';
import { sameProperties } from './value.ts';
import type { ConfigWarning } from './validate.ts';

/** All reasons why a configuration was refused, in the order of the objects, of a text in its order. */
export class ConfigErrors extends Error {
  override readonly name = 'ConfigErrors';
  readonly errors: readonly (ConfigError | ConfigSyntaxError)[];
  /** How many more there are that are not among them. */
  readonly omitted: number;

  constructor(errors: readonly (ConfigError | ConfigSyntaxError)[], omitted = 0) {
    const lines = errors.map((error) => error.message);
    if (omitted > 0) lines.push(omittedText(omitted));
    super(lines.join('\n'));
    this.errors = errors;
    this.omitted = omitted;
  }
}

export function omittedText(omitted: number): string {
  return `There ${omitted === 1 ? 'is 1 more error' : `are ${omitted} more errors`}: correct these first.`;
}

export type Committed = { readonly configuration: Configuration; readonly warnings: readonly ConfigWarning[] };

export class Transaction {
  readonly #before: Configuration;
  readonly #objects: Map<string, StoredObject>;
  readonly #unknown: Map<string, UnknownObject>;
  readonly #created = new Set<string>();
  readonly #warnings: ConfigWarning[] = [];
  readonly #positions = new Map<string, Map<string, TextPosition>>();

  /** Starts from what runs, or with `isReplacing` from what every system has. */
  constructor(before: Configuration, isReplacing = false) {
    this.#before = isReplacing ? emptyConfiguration() : before;
    this.#objects = new Map(this.#before.objects);
    this.#unknown = new Map((isReplacing ? [] : before.unknown).map((object) => [object.header, object]));
  }

  /** What there is after the edits so far. */
  get objects(): ReadonlyMap<string, StoredObject> {
    return this.#objects;
  }

  has(type: AnyObjectType, name: string): boolean {
    return this.holds(objectKey({ type: type.path, name }));
  }

  holds(key: string): boolean {
    return this.#objects.has(key);
  }

  /** Throws a ConfigError. */
  create(type: AnyObjectType, name: string, edits: readonly PropertyEdit[], position?: TextPosition): void {
    if (type.companionOf !== undefined || type.naming === 'singleton') {
      throw this.#refused(type, name, 'configuration', `The ${labelled(type, name)} cannot be created.`, position, {
        hint:
          type.companionOf === undefined
            ? `It is always there: modify ${type.path}`
            : `It comes with the ${type.companionOf[0]!.label}: modify ${type.path} ${name}`,
      });
    }
    const problem = namingProblem(type, name);
    if (problem !== undefined) {
      const text = `"${name}" is not a valid ${type.label} name: ${problem}.`;
      throw this.#refused(type, name, 'configuration', text, position);
    }
    if (this.has(type, name)) {
      if (this.#isAsShipped(type, name, edits)) return;
      const where = type.naming === 'plain' ? '' : ` in partition ${partitionOf(name)}`;
      const text = `The requested ${labelled(type, name)} already exists${where}.`;
      const hint = `Change it: modify ${type.path} ${name}`;
      throw this.#refused(type, name, 'alreadyExists', text, position, { hint });
    }
    this.#put(type, { type: type.path, name, own: {}, extras: [] }, edits, [], position);
    this.#created.add(objectKey({ type: type.path, name }));
    for (const companion of companionsOf(type)) {
      const object = { type: companion.path, name, own: {}, extras: [] };
      this.#objects.set(objectKey(object), object);
    }
    const twin = twinOf(type, name);
    if (twin !== undefined && !this.holds(objectKey(twin))) {
      this.#objects.set(objectKey(twin), { ...twin, own: {}, extras: [] });
    }
  }

  /** Throws a ConfigError. `extras` take the place of those of the object. */
  modify(
    type: AnyObjectType,
    name: string,
    edits: readonly PropertyEdit[],
    extras?: readonly Extra[],
    position?: TextPosition,
  ): void {
    const object = this.#find(type, name, position);
    for (const { property, position: at } of edits) {
      if (type.properties[property]?.immutable !== true || this.#created.has(objectKey(object))) continue;
      const trial = { ...object.own };
      applyEdits(`${type.path} ${name}`, type.properties, trial, edits);
      if (trial[property] === object.own[property]) continue;
      const text = `${labelled(type, name)}: ${property} cannot be changed.`;
      const hint = `Delete the ${type.label} and create it anew.`;
      throw this.#refused(type, name, 'configuration', text, at, { property, hint });
    }
    this.#put(type, object, edits, extras ?? withoutReplaced(object.extras, edits), position);
  }

  /**
   * Keeps what a command says and the definition does not have, in place of what was kept of the same name; `none` takes
   * that away.
   */
  keepExtras(type: AnyObjectType, name: string, extras: readonly Extra[]): void {
    const key = objectKey({ type: type.path, name });
    const object = this.#objects.get(key);
    if (object === undefined || extras.length === 0) return;
    const isSame = (a: Extra, b: Extra): boolean => a.name === b.name && a.path.join(' ') === b.path.join(' ');
    const others = object.extras.filter((old) => !extras.some((extra) => isSame(extra, old)));
    const kept = extras.filter(({ name: property, text }) => text !== `${property} none`);
    this.#objects.set(key, { ...object, extras: [...others, ...kept] });
    for (const extra of kept) {
      const text = `${[key, ...extra.path].join(' ')}: property "${extra.name}" is not known; it is kept and saved, but has no effect.`;
      this.#warnings.push({ object: key, text });
    }
  }

  /** Throws a ConfigError. */
  delete(type: AnyObjectType, name: string, position?: TextPosition): void {
    const object = this.#find(type, name, position);
    if (type.companionOf !== undefined) {
      const hint = `Empty it instead: modify ${type.path} ${name} records none`;
      const text = `The ${labelled(type, name)} cannot be deleted: it goes with its ${type.companionOf[0]!.label}.`;
      throw this.#refused(type, name, 'protectedObject', text, position, { hint });
    }
    if (isBuiltIn(type, name)) {
      const text = `The ${labelled(type, name)} is part of the system and cannot be deleted.`;
      throw this.#refused(type, name, 'protectedObject', text, position);
    }
    this.#objects.delete(objectKey(object));
    for (const companion of companionsOf(type)) this.#objects.delete(objectKey({ type: companion.path, name }));
    const twin = twinOf(type, name);
    if (twin !== undefined) this.#objects.delete(objectKey(twin));
  }

  /** Gives an object another name, which what refers to it follows. Throws a ConfigError. */
  rename(type: AnyObjectType, from: string, to: string, position?: TextPosition): void {
    if (isBuiltIn(type, from)) {
      const text = `The ${labelled(type, from)} is part of the system and cannot be renamed.`;
      throw this.#refused(type, from, 'protectedObject', text, position);
    }
    this.copy(type, from, to, position);
    this.delete(type, from, position);
    const [before, after] = [from, to].map((name) => objectKey({ type: type.path, name }));
    for (const [header, object] of this.#unknown) {
      if (object.after === before) this.#unknown.set(header, { ...object, after });
      if (namesInText(object.text, from)) this.#warnOfOldName(header, `${type.path} ${from}`, to);
    }
    for (const [key, { extras }] of this.#objects) {
      if (extras.some(({ text }) => namesInText(text, from))) this.#warnOfOldName(key, `${type.path} ${from}`, to);
    }
    for (const user of usersOf(type)) {
      for (const object of [...this.#objects.values()]) {
        if (object.type !== user.path) continue;
        const own = withReference(user.properties, object.own, type.path, from, to);
        const name = user.nameKind?.within?.renamed(object.name, type.path, from, to) ?? object.name;
        if (name !== object.name) this.#objects.delete(objectKey(object));
        if (own !== object.own || name !== object.name) {
          this.#objects.set(objectKey({ type: user.path, name }), { ...object, name, own });
        }
      }
    }
  }

  /** What is not known may name anything by a name: it is not rewritten. */
  #warnOfOldName(holder: string, old: string, to: string): void {
    const where = holder === COMMENT ? 'a comment at the end' : holder;
    const text = `${where} holds the name of ${old} in text that is not known, which stays as it is.`;
    this.#warnings.push({ object: holder, text, hint: `If it means this object, it has to say ${to} now.` });
  }

  /** Makes a second object of the same values, those of its companions as well. Throws a ConfigError. */
  copy(type: AnyObjectType, from: string, to: string, position?: TextPosition): void {
    const object = this.#find(type, from, position);
    if (type.twin !== undefined) {
      const text = `The ${labelled(type, from)} can be neither renamed nor copied: the names of what it holds begin with it.`;
      const hint = `Create the new one, mv each object to-folder it, and delete ${type.path} ${from} then.`;
      throw this.#refused(type, from, 'configuration', text, position, { hint });
    }
    this.create(type, to, [], position);
    for (const each of [type, ...companionsOf(type)]) {
      const source = each === type ? object : this.#objects.get(objectKey({ type: each.path, name: from }));
      if (source === undefined) continue;
      // Addresses stay where they are, whatever partition their object comes into.
      const domain = defaultRouteDomainOf(this.#objects, to);
      const view = withDefaults(each.properties, source.own);
      const own = domain === 0 ? source.own : withShiftingDefaults(each.properties, source.own, view);
      this.#objects.set(objectKey({ type: each.path, name: to }), { ...source, name: to, own });
    }
  }

  /** One of the same header is replaced, and keeps its place. */
  keepUnknown(object: UnknownObject): void {
    const known = this.#unknown.get(object.header);
    this.#unknown.set(object.header, known === undefined ? object : { ...object, after: known.after });
  }

  /** The comments in front of an object. */
  setLead(type: AnyObjectType, name: string, lead: string): void {
    const key = objectKey({ type: type.path, name });
    const object = this.#objects.get(key);
    if (object !== undefined) this.#objects.set(key, { ...object, lead });
  }

  /** The configuration that the edits lead to. Throws ConfigErrors. */
  finish(): Committed {
    this.#assign();
    const views = materialise(this.#objects, this.#before);
    // What was kept for a later version gives way to an object of this one.
    const unknown = [...this.#unknown.values()].filter(({ key }) => key === undefined || !this.#objects.has(key));
    const configuration = { objects: this.#objects, views, unknown };
    const { errors, warnings } = validate(this.#before, configuration, this.#positions);
    if (errors.length > 0) throw new ConfigErrors(errors);
    return { configuration, warnings: [...this.#warnings, ...warnings] };
  }

  /** Manuals create profiles that came to be built in later: whoever asks for such an object as it is, has it. */
  #isAsShipped(type: AnyObjectType, name: string, edits: readonly PropertyEdit[]): boolean {
    const object = this.#objects.get(objectKey({ type: type.path, name }))!;
    const shipped = type.builtIn?.[name];
    if (shipped === undefined || !sameProperties(object.own, shipped)) return false;
    const own = { ...shipped };
    applyEdits(objectKey(object), type.properties, own, edits);
    return sameProperties(normalised(type, own), shipped);
  }

  #find(type: AnyObjectType, name: string, position: TextPosition | undefined): StoredObject {
    const object = this.#objects.get(objectKey({ type: type.path, name }));
    if (object !== undefined) return object;
    const owner = type.companionOf?.[0] ?? type;
    const text = `The requested ${labelled(owner, name)} was not found.`;
    throw this.#refused(type, name, 'notFound', text, position, { hint: `list ${owner.path} shows those that exist.` });
  }

  #put(
    type: AnyObjectType,
    object: StoredObject,
    edits: readonly PropertyEdit[],
    extras: readonly Extra[],
    position: TextPosition | undefined,
  ): void {
    const own = { ...object.own };
    applyEdits(objectKey(object), type.properties, own, edits);
    const key = objectKey(object);
    const kept = extras.filter(({ path }) => path.length < 2 || isThere(own, path));
    const stored = withShiftingDefaults(type.properties, normalised(type, own), own);
    this.#objects.set(key, { ...object, own: stored, extras: kept });
    const positions = this.#positions.get(key) ?? new Map<string, TextPosition>();
    if (position !== undefined) positions.set('', position);
    for (const edit of edits) positions.set(edit.property, edit.position);
    this.#positions.set(key, positions);
  }

  /** Completes what was created. */
  #assign(): void {
    for (const key of this.#created) {
      const object = this.#objects.get(key);
      const type = object && OBJECT_TYPES.find((candidate) => candidate.path === object.type);
      if (object === undefined || type === undefined) continue;
      const domain = defaultRouteDomainOf(this.#objects, object.name);
      if (type.assign === undefined && domain === 0) continue;
      const own = { ...object.own };
      type.assign?.(object.name, own, () => this.#othersOf(object));
      if (domain !== 0) putInDomain(type.properties, own, object.own, object.name, domain);
      this.#objects.set(key, { ...object, own });
    }
  }

  #othersOf(object: StoredObject): NamedProperties[] {
    const others = [...this.#objects.values()].filter((other) => other.type === object.type && other !== object);
    return others.map(({ name, own: properties }) => ({ name, properties }));
  }

  #refused(
    type: AnyObjectType,
    name: string,
    code: ConfigError['code'],
    text: string,
    position: TextPosition | undefined,
    details: { hint?: string; property?: string } = {},
  ): ConfigError {
    const place = position === undefined ? {} : { position };
    return new ConfigError(code, text, { object: objectKey({ type: type.path, name }), ...place, ...details });
  }
}

function companionsOf(type: AnyObjectType): AnyObjectType[] {
  return OBJECT_TYPES.filter((candidate) => candidate.companionOf?.includes(type) === true);
}

/** Without the items that went with the list or the records that they stood in. */
function withoutReplaced(extras: readonly Extra[], edits: readonly PropertyEdit[]): readonly Extra[] {
  const verbs = new Set(['set', 'unset', 'delete-all', 'replace-records']);
  const replaced = new Set(edits.filter(({ edit }) => verbs.has(edit.verb)).map(({ property }) => property));
  return extras.filter(({ path }) => path.length !== 1 || !replaced.has(path[0]!));
}

/** Whether the record that an unknown property stands in still exists. */
function isThere(own: StoredObject['own'], path: readonly string[]): boolean {
  let properties: unknown = own;
  for (const part of path) {
    if (properties instanceof RecordTable) {
      properties = properties.get(part);
      continue;
    }
    if (typeof properties !== 'object' || properties === null || !Object.hasOwn(properties, part)) return false;
    properties = (properties as Record<string, unknown>)[part];
  }
  return properties !== undefined;
}
