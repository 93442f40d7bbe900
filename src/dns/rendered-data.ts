// Rendered records of a zone taken apart again, for answers that are put together.

import { read16 } from '../core/octets.ts';
import { dataNames } from './data-names.ts';
import { HEADER_OCTETS } from './query.ts';
import { NODE_NUMBERS, NodeField, SET_NUMBERS, SetField, type ZoneTable } from './zone-table.ts';

/** Owner, type, class, TTL and length in front of rendered data. */
const RENDERED_OCTETS = 12;

/** The data of a rendered record of a node without compression, into `data`; returns its octets. */
export function expandData(table: ZoneTable, node: number, set: number, index: number, data: Uint8Array): number {
  const { octets } = table;
  const base = set * SET_NUMBERS;
  let at = table.sets[base + SetField.at]!;
  for (let skipped = 0; skipped < index; skipped++) at += RENDERED_OCTETS + read16(octets, at + 10);
  const end = at + RENDERED_OCTETS + read16(octets, at + 10);
  at += RENDERED_OCTETS;
  const { skip, names } = dataNames(table.sets[base + SetField.type]!);
  let length = 0;
  for (let count = 0; count < skip; count++) data[length++] = octets[at++]!;
  for (let count = 0; count < names; count++) {
    while (octets[at] !== 0 && octets[at]! < 0xc0) {
      for (let left = octets[at]!; left >= 0; left--) data[length++] = octets[at++]!;
    }
    if (octets[at] === 0) {
      data[length++] = octets[at++]!;
      continue;
    }
    // A pointer into the question: the owner from there on.
    const numbers = node * NODE_NUMBERS;
    const nameAt = table.nodes[numbers + NodeField.nameAt]!;
    const nameEnd = nameAt + table.nodes[numbers + NodeField.nameOctets]!;
    for (let from = nameAt + (read16(octets, at) & 0x3fff) - HEADER_OCTETS; from < nameEnd; from++) {
      data[length++] = octets[from]!;
    }
    at += 2;
  }
  while (at < end) data[length++] = octets[at++]!;
  return length;
}
