// The zones that are served, by their origins: which of them a name is in.

import { equalNames } from './name-hash.ts';
import type { Query } from './query.ts';
import { TYPE } from './record-types.ts';
import { NodeField, type ZoneTable } from './zone-table.ts';

export class ZoneSet {
  /** A zone's number is its place here. */
  readonly tables: readonly ZoneTable[];
  /** Open addressing by the hash of the origin: the number of a table and one, or 0. */
  readonly #slots: Int32Array;
  /** Labels of the longest origin: longer suffixes of a name need not be looked for. */
  readonly #mostLabels: number;

  /** No two of the same origin. */
  constructor(tables: readonly ZoneTable[]) {
    this.tables = tables;
    let size = 2;
    while (size < tables.length * 2) size *= 2;
    this.#slots = new Int32Array(size);
    for (const [index, table] of tables.entries()) {
      let slot = table.nodes[NodeField.hash]! & (size - 1);
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (size - 1);
      this.#slots[slot] = index + 1;
    }
    this.#mostLabels = Math.max(-1, ...tables.map(({ labels }) => labels));
  }

  /**
   * The number of a question's zone, that of the longest origin; -1 without one. Of what a delegation hands out, its DS is in the zone above
   * (RFC 4035, section 3.1.4.1), if that is served here.
   */
  find(query: Query): number {
    const first = Math.max(0, query.labels - this.#mostLabels);
    for (let label = first; label <= query.labels; label++) {
      const table = this.at(query, label);
      if (table < 0) continue;
      if (label > 0 || query.type !== TYPE.DS) return table;
      for (let above = 1; above <= query.labels; above++) {
        const parent = this.at(query, above);
        if (parent >= 0) return parent;
      }
      return table;
    }
    return -1;
  }

  /** The number of the zone whose origin is what the query's name is from label `label` on; -1 without one. */
  at(query: Query, label: number): number {
    const mask = this.#slots.length - 1;
    const start = query.labelStarts[label]!;
    const length = query.nameOctets - (start - query.nameStart);
    for (let slot = query.hashes[label]! & mask; ; slot = (slot + 1) & mask) {
      const index = this.#slots[slot]! - 1;
      if (index < 0) return -1;
      const table = this.tables[index]!;
      if (
        table.nodes[NodeField.hash] === query.hashes[label] &&
        table.nodes[NodeField.nameOctets] === length &&
        equalNames(table.octets, table.nodes[NodeField.nameAt]!, query.octets, start, length)
      ) {
        return index;
      }
    }
  }
}
