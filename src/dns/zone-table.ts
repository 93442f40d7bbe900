// A zone as it is served: flat arrays that a worker thread shares, with answers that were rendered when the zone was read. A change
// makes a new table, which takes the place of the old one between two queries.
//
// An answer stands behind a question that starts at octet 12 of the message, so what is rendered for a name points there: the
// owner of each record is C0 0C, and names in its data that end as the owner does point into the question (RFC 1035, section
// 4.1.4). The same octets serve whoever asks.

import { equalNames } from './name-hash.ts';
import type { Query } from './query.ts';

/** Numbers of a node, in `nodes`. */
export const NodeField = {
  hash: 0,
  /** Where the name stands in `octets`. */
  nameAt: 1,
  nameOctets: 2,
  /** The first of its record sets, and how many there are; they stand side by side. */
  firstSet: 3,
  sets: 4,
  /** The delegation at or above it, or the DNAME above it; -1: neither. */
  cut: 5,
  /** The node of its child `*`; -1: it has none. */
  wildcard: 6,
} as const;
/** One of them is for nothing but this: a node never lies in two lines of a cache. */
export const NODE_NUMBERS = 8;

/** Numbers of a record set, in `sets`. */
export const SetField = {
  type: 0,
  ttl: 1,
  records: 2,
  /** Where it stands rendered in `octets`, and its octets. */
  at: 3,
  octets: 4,
} as const;
export const SET_NUMBERS = 5;

export type ZoneTable = {
  /** Labels of the origin, the root's left out. */
  readonly labels: number;
  /** Seconds that an answer of "there is none" may be kept for (RFC 2308, section 3). */
  readonly negativeTtl: number;
  readonly serial: number;
  /** Names and rendered answers. */
  readonly octets: Uint8Array;
  /** Open addressing by hash: a node's number and one, or 0. Its length is a power of two. */
  readonly slots: Int32Array;
  /** NODE_NUMBERS each; node 0 is the origin. */
  readonly nodes: Int32Array;
  /** SET_NUMBERS each. */
  readonly sets: Int32Array;
};

/** The node of the name that the query has from label `label` on; -1 without one. */
export function findNode(table: ZoneTable, query: Query, label: number): number {
  const start = query.labelStarts[label]!;
  return findName(table, query.octets, start, query.nameOctets - (start - query.nameStart), query.hashes[label]!);
}

/** The node of a name without compression; -1 without one. */
export function findName(table: ZoneTable, octets: Uint8Array, at: number, length: number, hash: number): number {
  const { slots, nodes } = table;
  const mask = slots.length - 1;
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const node = slots[slot]! - 1;
    if (node < 0) return -1;
    const base = node * NODE_NUMBERS;
    if (
      nodes[base + NodeField.hash] === hash &&
      nodes[base + NodeField.nameOctets] === length &&
      equalNames(table.octets, nodes[base + NodeField.nameAt]!, octets, at, length)
    ) {
      return node;
    }
  }
}

/** The record set of a type at a node; -1 without one. */
export function findSet(table: ZoneTable, node: number, type: number): number {
  const base = node * NODE_NUMBERS;
  const first = table.nodes[base + NodeField.firstSet]!;
  const end = first + table.nodes[base + NodeField.sets]!;
  for (let set = first; set < end; set++) {
    if (table.sets[set * SET_NUMBERS + SetField.type] === type) return set;
  }
  return -1;
}

export function countRecords({ sets }: ZoneTable): number {
  let records = 0;
  for (let base = 0; base < sets.length; base += SET_NUMBERS) records += sets[base + SetField.records]!;
  return records;
}

/** What the table takes of memory. */
export function tableOctets({ octets, slots, nodes, sets }: ZoneTable): number {
  return octets.byteLength + slots.byteLength + nodes.byteLength + sets.byteLength;
}
