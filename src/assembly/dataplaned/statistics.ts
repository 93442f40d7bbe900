// What `show` tells of the data plane, read from shared memory while the worker goes on.

import { FDB_STATIC, FdbField } from '../../bridge/fdb.ts';
import { Column, COUNTERS } from '../../core/counters.ts';
import { DROP_NAMES } from '../../core/drop-reason.ts';
import { formatMacNumbers } from '../../core/mac.ts';
import type { ReadableCounters } from './relative-counters.ts';

export type Drops = Record<string, number>;

export type ObjectStatistics = { stats: Record<string, number>; drops: Drops };

/** Counters of one row under the names that `show` gives them. */
export function readRow(counters: ReadableCounters, row: number): ObjectStatistics {
  const stats: Record<string, number> = {};
  for (const { column, label } of COUNTERS) stats[label] = counters.read(row, column);
  return { stats, drops: readDrops(counters, row) };
}

export function readDrops(counters: ReadableCounters, row: number): Drops {
  const drops: Drops = {};
  for (let verdict = 1; verdict < DROP_NAMES.length; verdict++) {
    const count = counters.read(row, Column.drops + verdict);
    if (count > 0) drops[DROP_NAMES[verdict]!] = count;
  }
  return drops;
}

/** The sum of several rows. */
export function sum(all: readonly ObjectStatistics[]): ObjectStatistics {
  const total: ObjectStatistics = { stats: {}, drops: {} };
  for (const { stats, drops } of all) {
    for (const [label, value] of Object.entries(stats)) total.stats[label] = (total.stats[label] ?? 0) + value;
    for (const [label, value] of Object.entries(drops)) total.drops[label] = (total.drops[label] ?? 0) + value;
  }
  return total;
}

export type FdbEntry = {
  domain: number;
  mac: string;
  member: number;
  isStatic: boolean;
  /** Seconds since the station was heard; 0 for static entries. */
  ageSeconds: number;
  endpoint: number;
};

/** The entry at a word index of the table. */
export function readEntry(table: Int32Array, index: number, second: number): FdbEntry {
  const domainMacHigh = table[index + FdbField.domainMacHigh]!;
  const isStatic = table[index + FdbField.flags] === FDB_STATIC;
  return {
    domain: domainMacHigh >>> 16,
    mac: formatMacNumbers(domainMacHigh & 0xffff, table[index + FdbField.macLow]!),
    member: table[index + FdbField.memberPlusOne]! - 1,
    isStatic,
    ageSeconds: isStatic ? 0 : Math.max(0, second - table[index + FdbField.lastHeard]!),
    endpoint: table[index + FdbField.endpoint]!,
  };
}
