// Makes the table that a zone is served from: nodes for every owner and what lies between it and the origin, record sets side by
// side by node, and their answers rendered.

import { read32, write16, write32 } from '../core/octets.ts';
import { dataNames } from './data-names.ts';
import { equalNames, hashLabel, ROOT_HASH } from './name-hash.ts';
import { MAX_LABELS } from './name.ts';
import { HEADER_OCTETS, RecordClass } from './query.ts';
import type { RecordSet, Zone } from './record.ts';
import { TYPE } from './record-types.ts';
import { findSet, NODE_NUMBERS, NodeField, SET_NUMBERS, SetField, type ZoneTable } from './zone-table.ts';

/** C0 0C: the name that was asked for. */
const OWNER = 0xc000 | HEADER_OCTETS;
const FIRST_NODES = 64;
/** While a zone is read, of each node: its parent, and the head of the list of its record sets. */
const BUILD_NUMBERS = 2;
/** Of each record set: its node, the next one of that node, and what the table holds of it. */
const LIST_NUMBERS = 2 + SET_NUMBERS;

class Numbers {
  array = new Int32Array(1024);
  length = 0;

  /** Room for `count` more; returns where they start. */
  push(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.array.length) {
      const grown = new Int32Array(Math.max(this.length, this.array.length * 2));
      grown.set(this.array);
      this.array = grown;
    }
    return at;
  }
}

class ZoneBuilder {
  #octets = new Uint8Array(65_536);
  #at = 0;
  readonly #nodes = new Numbers();
  readonly #build = new Numbers();
  readonly #lists = new Numbers();
  #slots = new Int32Array(FIRST_NODES * 2);
  readonly #starts = new Int32Array(MAX_LABELS + 1);
  readonly #hashes = new Int32Array(MAX_LABELS + 1);
  readonly #originLabels: number;

  constructor(origin: Uint8Array) {
    this.#originLabels = this.#readName(origin);
    this.#addNode(origin, 0, -1);
  }

  add({ owner, type, ttl, data }: RecordSet): void {
    const node = this.#nodeOf(owner);
    const list = this.#lists.push(LIST_NUMBERS) / LIST_NUMBERS;
    const numbers = this.#lists.array;
    const base = list * LIST_NUMBERS;
    const build = this.#build.array;
    numbers[base] = node;
    numbers[base + 1] = build[node * BUILD_NUMBERS + 1]!;
    build[node * BUILD_NUMBERS + 1] = list;
    const set = base + 2;
    numbers[set + SetField.type] = type;
    numbers[set + SetField.ttl] = ttl;
    numbers[set + SetField.records] = data.length;
    numbers[set + SetField.at] = this.#at;
    // A question that a wildcard answers is for another name: only its owner can be pointed at.
    const isWildcard = owner[0] === 1 && owner[1] === 0x2a;
    for (const each of data) this.#render(type, ttl, each, isWildcard ? undefined : owner);
    numbers[set + SetField.octets] = this.#at - numbers[set + SetField.at]!;
  }

  finish(): ZoneTable {
    const { octets, nodes, sets } = this.#collect();
    const slots = new Int32Array(new SharedArrayBuffer(this.#slots.byteLength));
    slots.set(this.#slots);
    const table = { labels: this.#originLabels, negativeTtl: 0, serial: 0, octets, slots, nodes, sets };
    this.#markCuts(table);
    this.#markWildcards(table);
    return { ...table, ...startOfAuthority(table) };
  }

  /** The node of a name and those above it, made where they are missing. */
  #nodeOf(owner: Uint8Array): number {
    const labels = this.#readName(owner);
    const depth = labels - this.#originLabels;
    let label = 0;
    let node = -1;
    for (; label <= depth; label++) {
      node = this.#find(owner, label);
      if (node >= 0) break;
    }
    while (--label >= 0) node = this.#addNode(owner, label, node);
    return node;
  }

  /** Starts and hashes of the labels of a name; returns how many there are. */
  #readName(name: Uint8Array): number {
    let labels = 0;
    let at = 0;
    for (; name[at] !== 0; at += name[at]! + 1) this.#starts[labels++] = at;
    this.#starts[labels] = at;
    let hash = ROOT_HASH;
    this.#hashes[labels] = hash;
    for (let label = labels - 1; label >= 0; label--) {
      hash = hashLabel(hash, name, this.#starts[label]!);
      this.#hashes[label] = hash;
    }
    return labels;
  }

  #find(name: Uint8Array, label: number): number {
    const start = this.#starts[label]!;
    const length = name.length - start;
    const hash = this.#hashes[label]!;
    const nodes = this.#nodes.array;
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const node = this.#slots[slot]! - 1;
      if (node < 0) return -1;
      const base = node * NODE_NUMBERS;
      if (nodes[base + NodeField.hash] !== hash || nodes[base + NodeField.nameOctets] !== length) continue;
      if (equalNames(this.#octets, nodes[base + NodeField.nameAt]!, name, start, length)) return node;
    }
  }

  #addNode(name: Uint8Array, label: number, parent: number): number {
    const start = this.#starts[label]!;
    const node = this.#nodes.push(NODE_NUMBERS) / NODE_NUMBERS;
    const build = this.#build.push(BUILD_NUMBERS);
    this.#build.array[build] = parent;
    this.#build.array[build + 1] = -1;
    const base = node * NODE_NUMBERS;
    const nodes = this.#nodes.array;
    nodes[base + NodeField.hash] = this.#hashes[label]!;
    nodes[base + NodeField.nameAt] = this.#append(name, start, name.length);
    nodes[base + NodeField.nameOctets] = name.length - start;
    nodes[base + NodeField.firstSet] = nodes[base + NodeField.sets] = 0;
    nodes[base + NodeField.cut] = nodes[base + NodeField.wildcard] = -1;
    if ((node + 1) * 2 > this.#slots.length) this.#growSlots();
    this.#insert(node);
    return node;
  }

  #growSlots(): void {
    const nodes = this.#nodes.length / NODE_NUMBERS - 1;
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let node = 0; node < nodes; node++) this.#insert(node);
  }

  #insert(node: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#nodes.array[node * NODE_NUMBERS + NodeField.hash]! & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = node + 1;
  }

  #room(octets: number): void {
    if (this.#at + octets <= this.#octets.length) return;
    const grown = new Uint8Array(Math.max(this.#at + octets, this.#octets.length * 2));
    grown.set(this.#octets);
    this.#octets = grown;
  }

  #append(from: Uint8Array, start: number, end: number): number {
    this.#room(end - start);
    const at = this.#at;
    for (let index = start; index < end; index++) this.#octets[this.#at++] = from[index]!;
    return at;
  }

  /** One record behind the question. `owner`: the name that is asked for, when it is known. */
  #render(type: number, ttl: number, data: Uint8Array, owner: Uint8Array | undefined): void {
    this.#room(12);
    const at = this.#at;
    write16(this.#octets, at, OWNER);
    write16(this.#octets, at + 2, type);
    write16(this.#octets, at + 4, RecordClass.in);
    write32(this.#octets, at + 6, ttl);
    this.#at = at + 12;
    const { skip, names } = owner === undefined ? { skip: 0, names: 0 } : dataNames(type);
    let from = skip;
    this.#append(data, 0, skip);
    for (let name = 0; name < names; name++) from = this.#renderName(data, from, owner!);
    this.#append(data, from, data.length);
    write16(this.#octets, at + 10, this.#at - at - 12);
  }

  /** A name of the data, as much of it as the owner ends with by a pointer into the question; returns where it ends. */
  #renderName(data: Uint8Array, start: number, owner: Uint8Array): number {
    let end = start;
    while (data[end] !== 0) end += data[end]! + 1;
    end++;
    for (let at = start; at < end - 1; at += data[at]! + 1) {
      const place = suffixAt(owner, data, at, end - at);
      if (place < 0) continue;
      this.#append(data, start, at);
      this.#room(2);
      write16(this.#octets, this.#at, 0xc000 | (HEADER_OCTETS + place));
      this.#at += 2;
      return end;
    }
    this.#append(data, start, end);
    return end;
  }

  /** The arrays of the table, record sets side by side by node, in the order in which they came. */
  #collect(): { octets: Uint8Array; nodes: Int32Array; sets: Int32Array } {
    const nodeCount = this.#nodes.length / NODE_NUMBERS;
    const nodes = new Int32Array(new SharedArrayBuffer(this.#nodes.length * 4));
    nodes.set(this.#nodes.array.subarray(0, this.#nodes.length));
    const setCount = this.#lists.length / LIST_NUMBERS;
    const sets = new Int32Array(new SharedArrayBuffer(setCount * SET_NUMBERS * 4));
    const lists = this.#lists.array;
    let next = 0;
    for (let node = 0; node < nodeCount; node++) {
      const first = next;
      for (let list = this.#build.array[node * BUILD_NUMBERS + 1]!; list >= 0; list = lists[list * LIST_NUMBERS + 1]!) {
        const from = list * LIST_NUMBERS + 2;
        sets.set(lists.subarray(from, from + SET_NUMBERS), next++ * SET_NUMBERS);
      }
      nodes[node * NODE_NUMBERS + NodeField.firstSet] = first;
      nodes[node * NODE_NUMBERS + NodeField.sets] = next - first;
    }
    const octets = new Uint8Array(new SharedArrayBuffer(this.#at));
    octets.set(this.#octets.subarray(0, this.#at));
    return { octets, nodes, sets };
  }

  /** Parents are made before their children, so each node's own parent is done when its turn comes. */
  #markCuts(table: ZoneTable): void {
    const { nodes } = table;
    for (let node = 0; node < nodes.length / NODE_NUMBERS; node++) {
      const parent = this.#build.array[node * BUILD_NUMBERS]!;
      if (parent < 0) continue;
      const above = nodes[parent * NODE_NUMBERS + NodeField.cut]!;
      const cut =
        above >= 0
          ? above
          : findSet(table, parent, TYPE.DNAME) >= 0
            ? parent
            : findSet(table, node, TYPE.NS) >= 0
              ? node
              : -1;
      nodes[node * NODE_NUMBERS + NodeField.cut] = cut;
    }
  }

  #markWildcards(table: ZoneTable): void {
    const { nodes, octets } = table;
    for (let base = 0, node = 0; base < nodes.length; base += NODE_NUMBERS, node++) {
      const at = nodes[base + NodeField.nameAt]!;
      if (octets[at] !== 1 || octets[at + 1] !== 0x2a) continue;
      const parent = this.#build.array[node * BUILD_NUMBERS]!;
      if (parent >= 0) nodes[parent * NODE_NUMBERS + NodeField.wildcard] = node;
    }
  }
}

/** Where in `owner` the name that `data` has at `at` stands as its end; -1 when the owner ends otherwise. */
function suffixAt(owner: Uint8Array, data: Uint8Array, at: number, length: number): number {
  const place = owner.length - length;
  if (place < 0 || !equalNames(owner, place, data, at, length)) return -1;
  // On a label of the owner, not in one.
  for (let label = 0; label <= place; label += owner[label]! + 1) if (label === place) return place;
  return -1;
}

/** The serial, and how long "there is none" may be kept: the lesser of the SOA's TTL and its last field (RFC 2308). */
function startOfAuthority(table: ZoneTable): { serial: number; negativeTtl: number } {
  const set = findSet(table, 0, TYPE.SOA);
  if (set < 0) return { serial: 0, negativeTtl: 0 };
  const base = set * SET_NUMBERS;
  // Serial, refresh, retry, expire and minimum are the last 20 octets of the data.
  const end = table.sets[base + SetField.at]! + table.sets[base + SetField.octets]!;
  const minimum = read32(table.octets, end - 4) >>> 0;
  return {
    serial: read32(table.octets, end - 20) >>> 0,
    negativeTtl: Math.min(minimum, table.sets[base + SetField.ttl]! >>> 0),
  };
}

/** The table of a sound zone. Costs the memory of the table twice, for as long as it takes. */
export function buildZoneTable(zone: Zone): ZoneTable {
  const builder = new ZoneBuilder(zone.origin);
  for (const set of zone.sets) builder.add(set);
  return builder.finish();
}
