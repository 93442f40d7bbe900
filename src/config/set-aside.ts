// Stanzas of a known type that lean on something that is not known: a tunnel whose profile is of another kind, a VLAN on a
// trunk. A text with them is valid on a BIG-IP, so it loads: such an object is kept as it was written, an item of a list
// or of records likewise inside its object, and both are written back in place.
//
// A rule over monitors is kept likewise without its object: whatever a monitor of another type would find, nothing is known.
//
// What counts is a name that the text gives to an unknown object of the same module, or that every BIG-IP ships. Any other
// name that leads nowhere stays the error that it is.

import type { TextPosition } from '../core/errors.ts';
import { objectKey } from './change.ts';
import type { Edit, PropertyEdit, RecordEdits } from './edit.ts';
import { SHIPPED_ELSEWHERE } from './foreign.ts';
import { COMMON, fullPath } from './name.ts';
import type { Property, PropertyMap, RecordsKind, ScalarKind } from './property.ts';
import type { Extra } from './read-properties.ts';
import { quote } from './scanner.ts';
import type { KnownStanza, UnknownStanza } from './stanza.ts';

export type Sorted = {
  readonly known: readonly KnownStanza[];
  /** Stanza → why it has no effect. */
  readonly aside: ReadonlyMap<KnownStanza, string>;
};

/** `unknown` are the headers of unknown objects; `exists` says whether there is an object without the text. */
export function setAside(
  stanzas: readonly KnownStanza[],
  unknown: readonly Pick<UnknownStanza, 'header'>[],
  exists: (key: string) => boolean,
): Sorted {
  // Where nothing is unknown and nothing foreign is named, no stanza is looked at twice.
  const foreign = new ForeignNames(unknown);
  const keys = new Set(stanzas.map(({ key }) => key));
  const isThere = (key: string) => keys.has(key) || exists(key);
  const aside = new Map<KnownStanza, string>();
  for (let isSettled = false; !isSettled;) {
    isSettled = true;
    for (const stanza of stanzas) {
      if (aside.has(stanza)) continue;
      const reason = reasonOf(stanza, foreign, isThere);
      if (reason === undefined) continue;
      aside.set(stanza, reason);
      keys.delete(stanza.key);
      foreign.add(stanza.key);
      isSettled = false;
    }
  }
  const known = stanzas.filter((stanza) => !aside.has(stanza));
  const find: Find = (name, targets) => foreign.find(name, targets, isThere);
  return {
    known: known.map((stanza) => withoutForeignItems(withoutForeignRules(stanza, find), foreign, isThere)),
    aside,
  };
}

/** What a name stands for that none of the types has. */
type Find = (name: string, targets: readonly string[]) => string | undefined;

type IsThere = (key: string) => boolean;

/** Names of objects that are kept without effect, with what they are. */
class ForeignNames {
  readonly #byName = new Map<string, Set<string>>();

  constructor(unknown: readonly Pick<UnknownStanza, 'header'>[]) {
    for (const [name, what] of SHIPPED_ELSEWHERE) this.#put(name, what);
    for (const { header } of unknown) this.add(header);
  }

  add(header: string): void {
    const name = header.slice(header.lastIndexOf(' ') + 1);
    this.#put(name, header);
    if (!name.startsWith('/')) this.#put(fullPath(name, COMMON), header);
  }

  #put(name: string, what: string): void {
    const known = this.#byName.get(name);
    if (known === undefined) this.#byName.set(name, new Set([what]));
    else known.add(what);
  }

  /** What a name stands for that none of the `targets` has; undefined where it stands for nothing. */
  find(name: string, targets: readonly string[], isThere: IsThere): string | undefined {
    const candidates = this.#byName.get(name);
    if (candidates === undefined) return undefined;
    if (targets.some((type) => isThere(objectKey({ type, name })))) return undefined;
    const modules = targets.map((target) => target.slice(0, target.indexOf(' ') + 1));
    return [...candidates].find((what) => modules.some((module) => what.startsWith(module)));
  }
}

function reasonOf(stanza: KnownStanza, foreign: ForeignNames, isThere: IsThere): string | undefined {
  const { type, name, edits } = stanza;
  if (type.companionOf !== undefined) {
    const owners = type.companionOf.map((owner) => owner.path);
    const what = foreign.find(name, owners, isThere);
    if (what !== undefined) return `belongs to ${what}, which has no effect in this version`;
  }
  for (const { property, edit } of edits) {
    const { kind } = type.properties[property]!;
    if (kind.shape !== 'scalar' || kind.refersTo === undefined) continue;
    if (edit.verb !== 'set' || typeof edit.value !== 'string') continue;
    const what = foreign.find(edit.value, kind.refersTo, isThere);
    if (what !== undefined) return `has ${property} ${edit.value}: ${what} is not known in this version`;
  }
  return undefined;
}

/** The stanza, rules over monitors that name a foreign one kept as they are written. */
function withoutForeignRules(stanza: KnownStanza, find: Find): KnownStanza {
  const extras: Extra[] = [];
  const edits = withoutRules(stanza.type.properties, stanza.edits, [], find, extras);
  return extras.length === 0 ? stanza : { ...stanza, edits, extras: [...stanza.extras, ...extras] };
}

function withoutRules(
  map: PropertyMap,
  edits: readonly PropertyEdit[],
  path: readonly string[],
  find: Find,
  extras: Extra[],
): readonly PropertyEdit[] {
  const kept: PropertyEdit[] = [];
  let after: string | undefined;
  for (const each of edits) {
    const { property, position, edit } = each;
    const { kind } = map[property]!;
    const isRule = kind.shape === 'scalar' && kind.isPhrase === true && edit.verb === 'set';
    const rule = isRule && typeof edit.value === 'string' ? edit.value : '';
    const foreign = rule === '' ? undefined : foreignIn(rule, kind as ScalarKind, find);
    if (foreign !== undefined) {
      const text = `${property} ${rule}`;
      extras.push({
        path,
        after,
        name: property,
        reason: `${text}: ${foreign} is not known in this version`,
        text,
        position,
      });
      continue;
    }
    after = property;
    kept.push(
      kind.shape === 'records' ? { ...each, edit: withoutRulesWithin(kind, property, edit, path, find, extras) } : each,
    );
  }
  return kept.length === edits.length && kept.every((each, index) => each.edit === edits[index]!.edit) ? edits : kept;
}

function withoutRulesWithin(
  { properties }: RecordsKind,
  property: string,
  edit: Edit,
  path: readonly string[],
  find: Find,
  extras: Extra[],
): Edit {
  if (edit.verb !== 'replace-records') return edit;
  const records = edit.records.map((record) => {
    const edits = withoutRules(properties, record.edits, [...path, property, record.key], find, extras);
    return edits === record.edits ? record : { ...record, edits };
  });
  return records.every((record, index) => record === edit.records[index]) ? edit : { ...edit, records };
}

/** What a rule names that is foreign. */
function foreignIn(rule: string, { within }: ScalarKind, find: Find): string | undefined {
  for (const { name, types } of within?.of(rule) ?? []) {
    const what = find(name, types);
    if (what !== undefined) return what;
  }
  return undefined;
}

/** The stanza, items that name something foreign kept as they are written. */
function withoutForeignItems(stanza: KnownStanza, foreign: ForeignNames, isThere: IsThere): KnownStanza {
  let changed: KnownStanza = stanza;
  for (const { property, position, edit } of stanza.edits) {
    const targets = itemTargets(stanza.type.properties[property]!);
    if (targets === undefined) continue;
    const find = (name: string) => foreign.find(name, targets, isThere);
    const split = splitItems(property, position, edit, find);
    if (split === undefined) continue;
    const gone = new Set(split.extras.map((extra) => extra.name));
    const extras = changed.extras.filter(({ path }) => path[0] !== property || !gone.has(path[1]!));
    const edits = changed.edits.map((other) => (other.property === property ? { ...other, edit: split.edit } : other));
    changed = { ...changed, edits, extras: [...extras, ...split.extras] };
  }
  return changed;
}

/** Types of the objects that the items of a property name. */
function itemTargets({ kind }: Property): readonly string[] | undefined {
  if (kind.shape === 'list') return kind.item.refersTo;
  return kind.shape === 'records' && kind.isTable !== true ? kind.key.refersTo : undefined;
}

function splitItems(
  property: string,
  position: TextPosition,
  edit: Edit,
  find: (name: string) => string | undefined,
): { edit: Edit; extras: Extra[] } | undefined {
  const extras: Extra[] = [];
  let after: string | undefined;
  const isKept = (name: string, textOf: () => string, at: TextPosition): boolean => {
    const what = find(name);
    if (what === undefined) {
      after = name;
      return true;
    }
    const reason = `${property} names ${name}: ${what} is not known in this version`;
    extras.push({ path: [property], after, name, reason, text: textOf(), position: at });
    return false;
  };
  if (edit.verb === 'set' && Array.isArray(edit.value)) {
    const value = (edit.value as readonly string[]).filter((item) => isKept(item, () => quote(item), position));
    return extras.length === 0 ? undefined : { edit: { verb: 'set', value }, extras };
  }
  if (edit.verb !== 'replace-records') return undefined;
  const records = edit.records.filter(({ key, position: at, source }: RecordEdits) =>
    isKept(key, source ?? (() => quote(key)), at),
  );
  return extras.length === 0 ? undefined : { edit: { ...edit, records }, extras };
}
