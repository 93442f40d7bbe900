// Objects of the configuration as lines of JSON, as updates and snapshots carry them.
//
// A table of records (config/record-table.ts) is too long for a line. The line of its object says how many rows it has and
// what they may say; lines of rows follow, their columns one after the other in base64: the MACs' first 16 bits, their
// last 32, and the number of what each says.

import * as z from 'zod';
import { RecordTable } from '../config/record-table.ts';
import type { AnyConfigObject } from '../config/object-type.ts';
import { isTable } from '../config/value.ts';
import type { MutableProperties, Properties } from '../config/value.ts';
import { objectSchema, tablesSchema } from './schema.ts';

/** Rows in one line: some 100 KB. */
const ROWS_PER_LINE = 8192;
const ROW_OCTETS = 10;

const rowsSchema = z.object({ rows: z.string() });
const headSchema = z.object({ object: objectSchema.extend({ tables: tablesSchema.optional() }) }).loose();

/** The lines of one object; `head` stands in the first beside it. */
export function* objectLines(object: AnyConfigObject, head: Record<string, unknown> = {}): Generator<string, void> {
  const properties: MutableProperties = {};
  const tables: [string, RecordTable<Properties>][] = [];
  for (const [name, value] of Object.entries(object.properties)) {
    if (isTable(value)) tables.push([name, value]);
    else properties[name] = value;
  }
  const { type, name } = object;
  const announced = tables.map(([property, { size, contents }]) => [property, { size, contents }]);
  const parts = tables.length === 0 ? {} : { tables: Object.fromEntries(announced) as unknown };
  yield JSON.stringify({ ...head, object: { type, name, properties, ...parts } });
  for (const [, table] of tables) {
    for (let row = 0; row < table.size; row += ROWS_PER_LINE) yield JSON.stringify({ rows: encodeRows(table, row) });
  }
}

function encodeRows({ columns }: RecordTable<Properties>, from: number): string {
  const parts = [columns.high, columns.low, columns.content].map((column) => {
    const { buffer, byteOffset, byteLength } = column.subarray(from, from + ROWS_PER_LINE);
    return Buffer.from(buffer, byteOffset, byteLength);
  });
  return Buffer.concat(parts).toString('base64');
}

/** An object that was read, and what stood beside it. */
export type ReadObject = { readonly object: AnyConfigObject; readonly head: Readonly<Record<string, unknown>> };

/** Puts objects together again, piece by piece as they come: nothing is held but the object at hand. Throws for what is none. */
export class ObjectReader {
  #rest = '';
  #unfinished: UnfinishedObject | undefined;

  /** The objects that this piece of text completes. */
  *push(text: string): Generator<ReadObject, void> {
    let start = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      const line = this.#rest + text.slice(start, end);
      this.#rest = '';
      start = end + 1;
      const read = line === '' ? undefined : this.#take(JSON.parse(line));
      if (read !== undefined) yield read;
    }
    this.#rest += text.slice(start);
  }

  /** To be called at the end: throws when something is missing. */
  finish(): void {
    if (this.#rest !== '' || this.#unfinished !== undefined) throw new Error('the last object is not complete');
  }

  #take(line: unknown): ReadObject | undefined {
    if (this.#unfinished === undefined) this.#unfinished = new UnfinishedObject(line);
    else this.#unfinished.addRows(Buffer.from(rowsSchema.parse(line).rows, 'base64'));
    const read = this.#unfinished.finished();
    if (read !== undefined) this.#unfinished = undefined;
    return read;
  }
}

class UnfinishedObject {
  readonly #read: { object: AnyConfigObject; head: Record<string, unknown> };
  readonly #tables: { table: RecordTable<Properties>; rows: number }[] = [];

  constructor(line: unknown) {
    const { object, ...head } = headSchema.parse(line);
    const { type, name, tables = {} } = object;
    const properties: MutableProperties = { ...object.properties };
    for (const [property, { size, contents }] of Object.entries(tables)) {
      const columns = { high: new Uint16Array(size), low: new Int32Array(size), content: new Uint32Array(size) };
      const table = new RecordTable(columns, contents);
      properties[property] = table;
      if (size > 0) this.#tables.push({ table, rows: 0 });
    }
    this.#read = { object: { type, name, properties }, head };
  }

  addRows(octets: Buffer): void {
    const unfinished = this.#tables[0]!;
    const { columns, size, contents } = unfinished.table;
    const count = octets.length / ROW_OCTETS;
    if (!Number.isInteger(count) || unfinished.rows + count > size) throw new Error('rows that belong to no table');
    for (let index = 0; index < count; index++) {
      const row = unfinished.rows + index;
      columns.high[row] = octets.readUInt16LE(2 * index);
      columns.low[row] = octets.readInt32LE(2 * count + 4 * index);
      const content = octets.readUInt32LE(6 * count + 4 * index);
      columns.content[row] = content;
      if (content >= contents.length) throw new Error('a row that says nothing known');
    }
    unfinished.rows += count;
    if (unfinished.rows === size) this.#tables.shift();
  }

  finished(): ReadObject | undefined {
    return this.#tables.length === 0 ? this.#read : undefined;
  }
}
