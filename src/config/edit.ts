// Edits: what a command or a stanza does to the properties of an object.

import { ConfigError } from '../core/errors.ts';
import type { TextPosition } from '../core/errors.ts';
import type { PropertyMap, RecordsKind } from './property.ts';
import { RecordTableBuilder } from './record-table.ts';
import type { RecordTable } from './record-table.ts';
import { isList, isRecords, isTable, recordsOf } from './value.ts';
import type { MutableProperties, Properties, Value } from './value.ts';

export type RecordEdits = {
  readonly key: string;
  readonly position: TextPosition;
  readonly edits: readonly PropertyEdit[];
  /** Its text in a file, without the indentation of its first line. */
  readonly source?: () => string;
};

export type Edit =
  | { readonly verb: 'set'; readonly value: Value }
  /** A table that was read as a whole; `twice` is the first key that stands in it twice. */
  | { readonly verb: 'set-table'; readonly table: RecordTable<Properties>; readonly twice: string | undefined }
  /** Back to the default, or to no value. */
  | { readonly verb: 'unset' }
  | { readonly verb: 'add-items' | 'delete-items'; readonly items: readonly string[] }
  | { readonly verb: 'delete-all' }
  /** Of a list of lines: takes the place of the item whose first word is `name`; undefined: takes it away. */
  | { readonly verb: 'set-line'; readonly name: string; readonly item: string | undefined }
  | { readonly verb: 'add-records' | 'modify-records' | 'replace-records'; readonly records: readonly RecordEdits[] }
  | { readonly verb: 'delete-records'; readonly keys: readonly string[] };

export type PropertyEdit = { readonly property: string; readonly position: TextPosition; readonly edit: Edit };

/** Makes the edits on `own`, the values that were set. Throws a ConfigError that names `object`. */
export function applyEdits(
  object: string,
  map: PropertyMap,
  own: MutableProperties,
  edits: readonly PropertyEdit[],
): void {
  for (const { property, position, edit } of edits) {
    const refuse = (code: 'notFound' | 'alreadyExists', value: string): never => {
      const what = code === 'notFound' ? 'was not found' : 'already exists';
      const hint =
        code === 'notFound' ? `list ${object} ${property} shows what is there.` : 'Use modify instead of add.';
      throw new ConfigError(code, `The requested ${property} (${value}) ${what} in ${object}.`, {
        object,
        property,
        value,
        position,
        hint,
      });
    };
    switch (edit.verb) {
      case 'set':
        own[property] = edit.value;
        break;
      case 'set-table':
        if (edit.twice !== undefined) refuse('alreadyExists', edit.twice);
        own[property] = edit.table;
        break;
      case 'unset':
      case 'delete-all':
        // Properties are plain objects that no hot path reads.
        // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
        delete own[property];
        break;
      case 'add-items': {
        const items = [...listOf(own[property])];
        for (const item of edit.items) {
          if (items.includes(item)) refuse('alreadyExists', item);
          items.push(item);
        }
        own[property] = items;
        break;
      }
      case 'delete-items': {
        const items = listOf(own[property]);
        for (const item of edit.items) if (!items.includes(item)) refuse('notFound', item);
        own[property] = items.filter((item) => !edit.items.includes(item));
        break;
      }
      case 'set-line': {
        const items = [...listOf(own[property])];
        const at = items.findIndex((item) => item.startsWith(`${edit.name} `));
        if (edit.item === undefined) {
          if (at < 0) refuse('notFound', edit.name);
          items.splice(at, 1);
        } else if (at < 0) {
          items.push(edit.item);
        } else {
          items[at] = edit.item;
        }
        own[property] = items;
        break;
      }
      default: {
        const kind = map[property]!.kind as RecordsKind;
        const edited = kind.isTable === true ? editTable : editRecords;
        own[property] = edited(object, property, kind, own[property], edit, refuse);
      }
    }
  }
}

type RecordsEdit = Extract<Edit, { verb: `${string}-records` }>;
type Refuse = (code: 'notFound' | 'alreadyExists', value: string) => never;

function editRecords(
  object: string,
  property: string,
  kind: RecordsKind,
  before: Value | undefined,
  edit: RecordsEdit,
  refuse: Refuse,
): Value {
  const old = before !== undefined && isRecords(before) && edit.verb !== 'replace-records' ? before : {};
  const records = new Map<string, Properties>(Object.entries(old));
  if (edit.verb === 'delete-records') {
    for (const key of edit.keys) if (!records.delete(key)) refuse('notFound', key);
    return recordsOf(records);
  }
  for (const { key, edits } of edit.records) {
    const record = records.get(key);
    if (edit.verb === 'modify-records') {
      if (record === undefined) refuse('notFound', key);
    } else if (record !== undefined) {
      refuse('alreadyExists', key);
    }
    const own: MutableProperties = { ...record };
    applyEdits(`${object} ${property} ${key}`, kind.properties, own, edits);
    records.set(key, own);
  }
  return recordsOf(records);
}

/** As editRecords, for a table. */
function editTable(
  object: string,
  property: string,
  kind: RecordsKind,
  before: Value | undefined,
  edit: RecordsEdit,
  refuse: Refuse,
): Value {
  const table = isTable(before) && edit.verb !== 'replace-records' ? before : undefined;
  const builder = new RecordTableBuilder<Properties>(table);
  if (edit.verb === 'delete-records') {
    for (const key of edit.keys) if (!builder.delete(key)) refuse('notFound', key);
    return builder.build();
  }
  for (const { key, edits } of edit.records) {
    const record = builder.get(key);
    if (edit.verb === 'modify-records') {
      if (record === undefined) refuse('notFound', key);
    } else if (record !== undefined) {
      refuse('alreadyExists', key);
    }
    const own: MutableProperties = { ...record };
    applyEdits(`${object} ${property} ${key}`, kind.properties, own, edits);
    builder.set(key, own);
  }
  return builder.build();
}

function listOf(value: Value | undefined): readonly string[] {
  return value !== undefined && isList(value) ? value : [];
}
