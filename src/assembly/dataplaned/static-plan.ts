// Static stations, from one wanted state to the next: which rows of the forwarding database go, and which come.
//
// There may be a million, in tables that never change once they were built (config/record-table.ts). A table that is the
// same as before costs nothing; of one that is another, only the rows that differ are told to the worker, some hundred to
// an operation. Within a bridge domain two tables may name one MAC: then the last of them, by name, has it.

import type { AddressWords } from '../../core/address.ts';
import { BROADCAST_MAC } from '../../core/mac.ts';
import type { RecordTable } from '../../config/record-table.ts';
import { indexOf } from '../../config/record-table.ts';
import type { Operation, StaticTarget } from './spec.ts';

/** A table as the worker sees it: numbers instead of names. */
export type StaticSource = {
  readonly domain: number;
  readonly table: RecordTable<object>;
  /** By content of the table; undefined: such a record is no station. */
  readonly targets: readonly (StaticTarget | undefined)[];
};

/** Rows in one operation: a tenth of a millisecond for the worker. */
export const ROWS_PER_OPERATION = 512;

const BROADCAST_HIGH = Number.parseInt(BROADCAST_MAC.slice(0, 2).repeat(2), 16);

type Row = { readonly source: StaticSource; readonly row: number };
/** Rows of one table: some of them, or all. */
type Rows = { readonly source: StaticSource; readonly rows: Uint32Array | 'all' };
type Sources = ReadonlyMap<string, StaticSource>;

export class StaticPlan {
  /** By domain, then by key. */
  #current: ReadonlyMap<number, Sources> = new Map();
  /** Domains in which a MAC stands in several tables. */
  #overlapping = new Set<number>();

  /** The operations that lead from the sources of the call before to these: removals, and then what is set. */
  plan(wanted: ReadonlyMap<string, StaticSource>): { removals: Iterable<Operation>; settings: Iterable<Operation> } {
    const next = byDomain(wanted);
    const removed: Rows[] = [];
    const set: Rows[] = [];
    const before = this.#current;
    for (const domain of new Set([...before.keys(), ...next.keys()])) {
      const old = before.get(domain) ?? new Map<string, StaticSource>();
      const now = next.get(domain) ?? new Map<string, StaticSource>();
      if (sameSources(old, now)) continue;
      const changes = this.#compare(domain, old, now);
      removed.push(...changes.removed);
      set.push(...changes.set);
    }
    this.#current = next;
    return { removals: operations(removed, removal), settings: operations(set, setting) };
  }

  #compare(domain: number, old: Sources, now: Sources): { removed: Rows[]; set: Rows[] } {
    const overlapped = this.#overlapping.has(domain);
    const changes = overlapped ? undefined : compareTables(old, now);
    const overlaps = changes === undefined ? hasOverlap(now) : bringsOverlap(changes.set, now);
    if (overlaps) this.#overlapping.add(domain);
    else this.#overlapping.delete(domain);
    return changes === undefined || overlaps ? compareWhole(old, now) : changes;
  }
}

function byDomain(wanted: ReadonlyMap<string, StaticSource>): Map<number, Map<string, StaticSource>> {
  const domains = new Map<number, Map<string, StaticSource>>();
  for (const [key, source] of wanted) {
    const sources = domains.get(source.domain) ?? new Map<string, StaticSource>();
    domains.set(source.domain, sources.set(key, source));
  }
  return domains;
}

function sameSources(a: Sources, b: Sources): boolean {
  if (a.size !== b.size) return false;
  for (const [key, source] of a) if (!sameSource(source, b.get(key))) return false;
  return true;
}

function sameSource(a: StaticSource, b: StaticSource | undefined): boolean {
  if (a === b) return true;
  return a.table === b?.table && a.targets.every((target, content) => sameTarget(target, b.targets[content]));
}

function sameTarget(a: StaticTarget | undefined, b: StaticTarget | undefined): boolean {
  if (a === b) return true;
  return a !== undefined && a.member === b?.member && sameAddress(a.remote, b.remote);
}

function sameAddress(a: AddressWords | undefined, b: AddressWords | undefined): boolean {
  return a === b || (a !== undefined && b?.every((word, at) => word === a[at]) === true);
}

/** Whether a record is that of a station: the one of the broadcast address says where flooding goes. */
function isStation({ table, targets }: StaticSource, row: number): boolean {
  const { high, low, content } = table.columns;
  return targets[content[row]!] !== undefined && !(low[row] === -1 && high[row] === BROADCAST_HIGH);
}

const targetOf = ({ source, row }: Row): StaticTarget => source.targets[source.table.columns.content[row]!]!;

const macOf = ({ source, row }: Row): number =>
  source.table.columns.high[row]! * 2 ** 32 + (source.table.columns.low[row]! >>> 0);

/** Rows up to which each is looked for in all tables, rather than all of them sorted. */
const FEW_ROWS = 16;

/** Whether a MAC stands in more than one of the tables, where none did before these rows were set. */
function bringsOverlap(set: readonly Rows[], now: Sources): boolean {
  const count = set.reduce((total, { source, rows }) => total + (rows === 'all' ? source.table.size : rows.length), 0);
  if (count > FEW_ROWS) return hasOverlap(now);
  return set.some(({ source, rows }) =>
    (rows === 'all' ? Array.from({ length: source.table.size }, (_, row) => row) : [...rows]).some(
      (row) => isStation(source, row) && standsElsewhere({ source, row }, now),
    ),
  );
}

function standsElsewhere({ source, row }: Row, sources: Sources): boolean {
  const [high, low] = [source.table.columns.high[row]!, source.table.columns.low[row]!];
  for (const other of sources.values()) {
    if (other === source) continue;
    const { columns } = other.table;
    for (let at = columns.low.indexOf(low); at !== -1; at = columns.low.indexOf(low, at + 1)) {
      if (columns.high[at] === high && isStation(other, at)) return true;
    }
  }
  return false;
}

/** Whether a MAC stands in more than one of the tables. */
function hasOverlap(sources: Sources): boolean {
  if (sources.size < 2) return false;
  const macs = new Float64Array([...sources.values()].reduce((total, { table }) => total + table.size, 0));
  let count = 0;
  for (const source of sources.values()) {
    for (let row = 0; row < source.table.size; row++)
      if (isStation(source, row)) macs[count++] = macOf({ source, row });
  }
  const sorted = macs.subarray(0, count).sort();
  for (let index = 1; index < count; index++) if (sorted[index] === sorted[index - 1]) return true;
  return false;
}

/** Where no MAC stands twice, each table is compared with the one of the same key. */
function compareTables(old: Sources, now: Sources): { removed: Rows[]; set: Rows[] } {
  const removed: Rows[] = [];
  const set: Rows[] = [];
  for (const [key, source] of old) if (!now.has(key)) removed.push({ source, rows: 'all' });
  for (const [key, source] of now) {
    const before = old.get(key);
    if (before === undefined) {
      set.push({ source, rows: 'all' });
    } else if (!sameSource(before, source)) {
      const { gone, changed } = compareRows(before, source);
      removed.push({ source: before, rows: gone });
      set.push({ source, rows: changed });
    }
  }
  return { removed, set };
}

/** Rows of `before` that are gone, and rows of `after` that are new or say something else. */
function compareRows(before: StaticSource, after: StaticSource): { gone: Uint32Array; changed: Uint32Array } {
  const index = indexOf(before.table.columns);
  const isKept = new Uint8Array(before.table.size);
  const { high, low } = after.table.columns;
  const changed: number[] = [];
  for (let row = 0; row < after.table.size; row++) {
    if (!isStation(after, row)) continue;
    const at = index.get(high[row]!, low[row]!);
    const wasThere = at !== -1 && isStation(before, at);
    if (wasThere) isKept[at] = 1;
    const target = targetOf({ source: after, row });
    if (!wasThere || !sameTarget(targetOf({ source: before, row: at }), target)) changed.push(row);
  }
  const gone: number[] = [];
  for (let row = 0; row < before.table.size; row++) if (isKept[row] === 0) gone.push(row);
  return { gone: Uint32Array.from(gone), changed: Uint32Array.from(changed) };
}

/** Where a MAC stands in several tables, what counts is which of them has it in the end. */
function compareWhole(old: Sources, now: Sources): { removed: Rows[]; set: Rows[] } {
  const before = effective(old);
  const after = effective(now);
  const removed = new Map<StaticSource, number[]>();
  const set = new Map<StaticSource, number[]>();
  const note = (to: Map<StaticSource, number[]>, { source, row }: Row): void => {
    const rows = to.get(source);
    if (rows === undefined) to.set(source, [row]);
    else rows.push(row);
  };
  for (const [mac, place] of before) if (!after.has(mac)) note(removed, place);
  for (const [mac, place] of after) {
    const was = before.get(mac);
    if (was === undefined || !sameTarget(targetOf(was), targetOf(place))) note(set, place);
  }
  const rowsOf = (from: Map<StaticSource, number[]>): Rows[] =>
    [...from].map(([source, rows]) => ({ source, rows: Uint32Array.from(rows) }));
  return { removed: rowsOf(removed), set: rowsOf(set) };
}

/** The row that each MAC has in the end. */
function effective(sources: Sources): Map<number, Row> {
  const rows = new Map<number, Row>();
  for (const key of [...sources.keys()].sort()) {
    const source = sources.get(key)!;
    for (let row = 0; row < source.table.size; row++) {
      if (isStation(source, row)) rows.set(macOf({ source, row }), { source, row });
    }
  }
  return rows;
}

/** Operations for these rows, made when they are asked for. */
function* operations(
  changes: readonly Rows[],
  make: (source: StaticSource, rows: readonly number[]) => Operation,
): Generator<Operation, void> {
  for (const { source, rows } of changes) {
    const count = rows === 'all' ? source.table.size : rows.length;
    for (let from = 0; from < count; from += ROWS_PER_OPERATION) {
      const some: number[] = [];
      for (let index = from; index < Math.min(count, from + ROWS_PER_OPERATION); index++) {
        const row = rows === 'all' ? index : rows[index]!;
        if (isStation(source, row)) some.push(row);
      }
      if (some.length > 0) yield make(source, some);
    }
  }
}

function removal({ domain, table }: StaticSource, rows: readonly number[]): Operation {
  const { high, low } = table.columns;
  return {
    op: 'remove-static-entries',
    domain,
    high: Uint16Array.from(rows, (row) => high[row]!),
    low: Int32Array.from(rows, (row) => low[row]!),
  };
}

function setting({ domain, table, targets }: StaticSource, rows: readonly number[]): Operation {
  const { high, low, content } = table.columns;
  const numbers = new Map<number, number>();
  const used: StaticTarget[] = [];
  const target = Uint16Array.from(rows, (row) => {
    const known = numbers.get(content[row]!);
    if (known !== undefined) return known;
    numbers.set(content[row]!, used.length);
    return used.push(targets[content[row]!]!) - 1;
  });
  return {
    op: 'set-static-entries',
    domain,
    high: Uint16Array.from(rows, (row) => high[row]!),
    low: Int32Array.from(rows, (row) => low[row]!),
    target,
    targets: used,
  };
}
