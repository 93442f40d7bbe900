// "There is none": the SOA of the zone, for as long as that may be kept (RFC 2308). It is rendered once for each place at which the
// origin can stand in a question, and points there.

import { write16, write32 } from '../core/octets.ts';
import { equalNames } from './name-hash.ts';
import { nameOctets } from './name.ts';
import { HEADER_OCTETS, type Query, RecordClass } from './query.ts';
import { TYPE } from './record-types.ts';
import { expandData } from './rendered-data.ts';
import type { Reply } from './reply.ts';
import { findSet, NodeField, type ZoneTable } from './zone-table.ts';

/** Places from the start of a name. */
const PLACES = 256;
/** Owner and the like, two names in full, five numbers. */
const MAX_OCTETS = 12 + 2 * 255 + 20;

type Rendered = {
  readonly octets: Uint8Array;
  /** By place: where the record starts in `octets`, and its octets; 0: not rendered yet. */
  readonly starts: Int32Array;
  readonly lengths: Int32Array;
  used: number;
};

export class NegativeAnswers {
  readonly #ofTables = new WeakMap<ZoneTable, Rendered>();
  readonly #data = new Uint8Array(MAX_OCTETS);
  #table: ZoneTable | undefined;
  #rendered: Rendered = newRendered(0);

  /** Makes the SOA of the zone the authority of a reply to a question about a name in it. */
  answer(table: ZoneTable, query: Query, reply: Reply): void {
    if (table !== this.#table) this.#choose(table);
    const rendered = this.#rendered;
    const place = query.nameOctets - table.nodes[NodeField.nameOctets]!;
    if (rendered.lengths[place] === 0) this.#render(table, rendered, place);
    reply.tail = rendered.octets;
    reply.tailAt = rendered.starts[place]!;
    reply.tailOctets = rendered.lengths[place]!;
    reply.authorities = 1;
  }

  #choose(table: ZoneTable): void {
    let rendered = this.#ofTables.get(table);
    if (rendered === undefined) {
      const length = expandData(table, 0, findSet(table, 0, TYPE.SOA), 0, this.#data);
      rendered = newRendered(PLACES * (12 + length));
      this.#ofTables.set(table, rendered);
    }
    this.#table = table;
    this.#rendered = rendered;
  }

  #render(table: ZoneTable, rendered: Rendered, place: number): void {
    const data = this.#data;
    const length = expandData(table, 0, findSet(table, 0, TYPE.SOA), 0, data);
    const { octets } = rendered;
    const start = rendered.used;
    const pointer = 0xc000 | (HEADER_OCTETS + place);
    write16(octets, start, pointer);
    write16(octets, start + 2, TYPE.SOA);
    write16(octets, start + 4, RecordClass.in);
    write32(octets, start + 6, table.negativeTtl);
    let at = start + 12;
    let from = 0;
    for (let name = 0; name < 2; name++) {
      const end = from + nameOctets(data, from);
      at = copyName(table, data, from, end, octets, at, pointer);
      from = end;
    }
    octets.set(data.subarray(from, length), at);
    at += length - from;
    write16(octets, start + 10, at - start - 12);
    rendered.starts[place] = start;
    rendered.lengths[place] = at - start;
    rendered.used = at;
  }
}

function newRendered(octets: number): Rendered {
  return { octets: new Uint8Array(octets), starts: new Int32Array(PLACES), lengths: new Int32Array(PLACES), used: 0 };
}

/** Copies a name, as a pointer from where the origin begins in it; returns where the copy ends. */
function copyName(
  { octets: names, nodes }: ZoneTable,
  data: Uint8Array,
  start: number,
  end: number,
  into: Uint8Array,
  at: number,
  pointer: number,
): number {
  const originOctets = nodes[NodeField.nameOctets]!;
  // The root as an origin: its one octet is shorter than a pointer to it.
  const origin = originOctets === 1 ? -1 : end - originOctets;
  for (let label = start; label < end; label += data[label]! + 1) {
    if (label !== origin || !equalNames(data, label, names, nodes[NodeField.nameAt]!, originOctets)) continue;
    into.set(data.subarray(start, label), at);
    write16(into, at + label - start, pointer);
    return at + label - start + 2;
  }
  into.set(data.subarray(start, end), at);
  return at + end - start;
}
