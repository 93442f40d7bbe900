// Values of properties as every process holds and exchanges them: plain JSON.
//
// Keys are tmsh names. A boolean is a pair (enabled and disabled, yes and no, tagged and untagged), a number an integer, a
// string anything else in canonical text: addresses, MACs, full paths of references. A list is an array of such strings;
// keyed records are an object of objects in the order in which they were written; those keyed by MAC address, of which there
// may be a million, are a table (record-table.ts).

import { RecordTable } from './record-table.ts';

export type Scalar = string | number | boolean;
export type Value = Scalar | readonly string[] | Records | RecordTable<Properties>;
export type Records = { readonly [key: string]: Properties };
export type Properties = { readonly [property: string]: Value };

/** A `Properties` under construction. */
export type MutableProperties = Record<string, Value>;

export function isList(value: Value): value is readonly string[] {
  return Array.isArray(value);
}

export function isRecords(value: Value): value is Records {
  return typeof value === 'object' && !isList(value) && !isTable(value);
}

export function isTable(value: Value | undefined): value is RecordTable<Properties> {
  return value instanceof RecordTable;
}

/**
 * Records of these entries. Their keys are names: an object that is made in the usual way gets a shape of its own for each order
 * of names, which takes a microsecond a key. One that has no prototype at first is a table, and stays one.
 */
export function recordsOf(entries: Iterable<readonly [string, Properties]>): Records {
  const records = Object.create(null) as Record<string, Properties>;
  for (const [key, record] of entries) records[key] = record;
  return Object.setPrototypeOf(records, Object.prototype) as Records;
}

/** The same records, each changed; the records themselves where none is another one then. */
export function changeRecords(records: Records, change: (record: Properties) => Properties): Records {
  const changed = Object.create(null) as Record<string, Properties>;
  let isSame = true;
  for (const key of Object.keys(records)) {
    const record = records[key]!;
    const next = change(record);
    isSame &&= next === record;
    changed[key] = next;
  }
  return isSame ? records : (Object.setPrototypeOf(changed, Object.prototype) as Records);
}

/** Deep equality. The order of a list counts, that of records and properties does not. */
export function sameValue(a: Value | undefined, b: Value | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || typeof a !== 'object' || typeof b !== 'object') return false;
  if (isList(a)) return isList(b) && a.length === b.length && a.every((item, index) => item === b[index]);
  if (isList(b)) return false;
  if (isTable(a)) return isTable(b) && a.equals(b, sameProperties);
  if (isTable(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => {
      const other = b[key];
      return other !== undefined && sameProperties(a[key]!, other);
    })
  );
}

export function sameProperties(a: Properties, b: Properties): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => sameValue(a[key], b[key]));
}
