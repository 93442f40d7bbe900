// References that follow an object to its new name.

import type { AnyObjectType } from './object-type.ts';
import { OBJECT_TYPES } from './object-types.ts';
import type { Kind, PropertyMap, ScalarKind } from './property.ts';
import { isList, isRecords, isTable, recordsOf } from './value.ts';
import type { MutableProperties, Properties, Value } from './value.ts';

/** The same values with one name instead of another; the object itself where nothing names it. */
export function withReference(map: PropertyMap, own: Properties, type: string, from: string, to: string): Properties {
  const changed: MutableProperties = {};
  for (const [name, value] of Object.entries(own)) {
    const kind = map[name]?.kind;
    if (kind === undefined || !mentions(kind, type)) continue;
    const next = renamed(kind, value, type, from, to);
    if (next !== value) changed[name] = next;
  }
  return Object.keys(changed).length === 0 ? own : { ...own, ...changed };
}

/** Whether values of the kind can name objects of the type. */
function mentions(kind: Kind, type: string): boolean {
  switch (kind.shape) {
    case 'scalar':
      return kind.refersTo?.includes(type) === true || kind.within?.types.includes(type) === true;
    case 'flag':
      return false;
    case 'list':
      return mentions(kind.item, type);
    case 'records':
      return mentions(kind.key, type) || Object.values(kind.properties).some((inner) => mentions(inner.kind, type));
  }
}

function renamed(kind: Kind, value: Value, type: string, from: string, to: string): Value {
  if (kind.shape === 'scalar') return typeof value === 'string' ? renamedWord(kind, value, type, from, to) : value;
  if (kind.shape === 'list' && isList(value)) {
    const items = value.map((item) => renamedWord(kind.item, item, type, from, to));
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  if (kind.shape !== 'records') return value;
  const inside = (record: Properties): Properties => withReference(kind.properties, record, type, from, to);
  if (isTable(value)) {
    return value.contents.some((record) => inside(record) !== record) ? value.mapContents(inside) : value;
  }
  if (!isRecords(value)) return value;
  const isKey = mentions(kind.key, type);
  const entries = Object.entries(value).map(([key, record]): [string, Properties] => [
    isKey ? renamedWord(kind.key, key, type, from, to) : key,
    inside(record),
  ]);
  const isSame = entries.every(([key, record]) => value[key] === record);
  return isSame ? value : recordsOf(entries);
}

function renamedWord(kind: ScalarKind, word: string, type: string, from: string, to: string): string {
  if (kind.within !== undefined) return kind.within.renamed(word, type, from, to);
  return word === from ? to : word;
}

/** Types whose objects can name those of the type. */
export function usersOf(type: AnyObjectType): AnyObjectType[] {
  return OBJECT_TYPES.filter(
    ({ nameKind, properties }) =>
      nameKind?.within?.types.includes(type.path) === true ||
      Object.values(properties).some(({ kind }) => mentions(kind, type.path)),
  );
}

/** Whether a whole word of a text is the name; the text is not understood, and so neither is what the name stands for. */
export function namesInText(text: string, name: string): boolean {
  return text.includes(name) && text.split(/[\s{}"]+/).includes(name);
}
