// How well a pool or a member suits a client, by topology records. Clients that are alike to all records are of one class; who
// answers asks for the class once and for scores by it. Both are found without a look at records, unless a class meets a subject
// for the first time.

import { read32 } from '../core/octets.ts';
import type { GeoDatabase } from './geo-database.ts';
import { TopologyGeography } from './topology-geography.ts';
import { HINT_SHIFT, PLACE_OCTETS } from './topology-tables.ts';
import type { TopologyTables } from './topology-tables.ts';
import { TermSet, TopologyTruth } from './topology-truth.ts';

/** How much is remembered. */
export type ScorerMemory = {
  /** Lines of scores; a power of two, at least 4. */
  readonly lines: number;
  /** Places that databases tell apart. */
  readonly places: number;
};
const MEMORY: ScorerMemory = { lines: 1 << 15, places: 1 << 14 };

/**
 * Numbers of a line: class, the number of a block of subjects, and a record for each of them. Members of a pool are subjects one
 * behind the other, so that the scores of an answer are in one line or two.
 */
const Line = { class: 0, block: 1, records: 2 } as const;
const BLOCK_BITS = 3;
const BLOCK = 1 << BLOCK_BITS;
const LINE_NUMBERS = Line.records + BLOCK;
/** Lines that a key may be in. */
const WAYS = 4;
const FREE = -1;
/** In the place of a record that nobody has looked for. */
const UNKNOWN = -2;

/** A bound of the number of a class. */
const MOST_CLASSES = 2 ** 30;

export class TopologyScorer {
  readonly #tables: TopologyTables;
  readonly #scores: Int32Array;
  readonly #lines: Int32Array;
  readonly #mask: number;
  /** The line that was looked at last. */
  #line = 0;
  /** Which of the ways has to go next. */
  #next = 0;
  readonly #client: TopologyTruth;
  readonly #place: TopologyTruth;
  /** Records of the class that was looked at last, in order, and how many they are. */
  readonly #matching: Int32Array;
  #matches = 0;
  #class = -1;
  /** What is true of one place at least of the subject that was looked at last. */
  readonly #ofSubject: TermSet;
  #subject = -1;
  /** Groups of addresses: a class is groups × what is known of the place + group. */
  readonly #groups: number;
  readonly #geography: TopologyGeography;
  readonly #locatesClients: boolean;
  readonly #locatesMembers: boolean;
  #generation = 0;

  /** The first of the databases that says something counts. */
  constructor(tables: TopologyTables, databases: readonly GeoDatabase[] = [], memory = MEMORY) {
    this.#tables = tables;
    this.#scores = tables.scores;
    this.#lines = new Int32Array(memory.lines * LINE_NUMBERS).fill(FREE);
    this.#mask = memory.lines / WAYS - 1;
    this.#groups = tables.groups.starts.length - 1;
    const places = Math.min(memory.places, Math.ceil(MOST_CLASSES / this.#groups));
    this.#geography = new TopologyGeography(tables.facts, databases, databases.length === 0 ? 1 : places);
    this.#locatesClients = tables.needsClientFacts && databases.length > 0;
    this.#locatesMembers = tables.needsServerFacts && databases.length > 0;
    this.#client = new TopologyTruth(tables);
    this.#place = new TopologyTruth(tables);
    this.#matching = new Int32Array(tables.records.length);
    this.#ofSubject = new TermSet(tables.terms);
  }

  /** The class of a client by its address of 4 or 16 octets; good until the next call. */
  classOf(octets: Uint8Array, at: number, length: number): number {
    const group = length === 4 ? this.#ipv4Group(read32(octets, at) >>> 0) : this.#ipv6Group(octets, at);
    if (!this.#locatesClients) return group;
    const place = this.#geography.placeOf(octets, at, length);
    if (this.#geography.generation !== this.#generation) this.#forget();
    return place * this.#groups + group;
  }

  /** Score of a subject to clients of a class: that of the first record that matches; -1 when none does. */
  score(topologyClass: number, subject: number): number {
    const record = this.recordOf(topologyClass, subject);
    return record < 0 ? -1 : this.#scores[record]!;
  }

  /** Number of that record in the tables; -1: none. */
  recordOf(topologyClass: number, subject: number): number {
    const lines = this.#lines;
    const block = subject >>> BLOCK_BITS;
    if (lines[this.#line] !== topologyClass || lines[this.#line + Line.block] !== block) {
      this.#findLine(topologyClass, block);
    }
    const at = this.#line + Line.records + (subject & (BLOCK - 1));
    const record = lines[at]!;
    return record === UNKNOWN ? (lines[at] = this.#firstMatch(topologyClass, subject)) : record;
  }

  /** Makes the line of a key the one that was looked at last. */
  #findLine(topologyClass: number, block: number): void {
    const lines = this.#lines;
    let hash = Math.imul(topologyClass, 0x9e3779b1) ^ Math.imul(block, 0x85ebca6b);
    hash ^= hash >>> 15;
    const first = (hash & this.#mask) * WAYS * LINE_NUMBERS;
    for (let line = first; line < first + WAYS * LINE_NUMBERS; line += LINE_NUMBERS) {
      if (lines[line] !== topologyClass || lines[line + Line.block] !== block) continue;
      this.#line = line;
      return;
    }
    this.#next = (this.#next + 1) % WAYS;
    this.#line = first + this.#next * LINE_NUMBERS;
    lines.fill(UNKNOWN, this.#line, this.#line + LINE_NUMBERS);
    lines[this.#line] = topologyClass;
    lines[this.#line + Line.block] = block;
  }

  /** The numbers of places mean others now. */
  #forget(): void {
    this.#generation = this.#geography.generation;
    this.#lines.fill(FREE);
    this.#class = -1;
  }

  #firstMatch(topologyClass: number, subject: number): number {
    if (topologyClass !== this.#class) this.#lookAtClass(topologyClass);
    if (subject !== this.#subject) this.#lookAtSubject(subject);
    const { servers } = this.#tables;
    const { has } = this.#ofSubject;
    for (let index = 0; index < this.#matches; index++) {
      const record = this.#matching[index]!;
      const statement = servers[record]!;
      if (has[statement >>> 1] !== (statement & 1)) return record;
    }
    return -1;
  }

  #lookAtClass(topologyClass: number): void {
    const { groups, plainRecords, negatedRecords } = this.#tables;
    const client = this.#client;
    client.clear();
    client.addEffects(groups, topologyClass % this.#groups);
    this.#geography.addTerms(Math.floor(topologyClass / this.#groups), client);
    client.settle();
    const { has, terms, count } = client.set;
    let matches = 0;
    for (let each = 0; each < count; each++) {
      const term = terms[each]!;
      const end = plainRecords.starts[term + 1]!;
      for (let index = plainRecords.starts[term]!; index < end; index++) {
        this.#matching[matches++] = plainRecords.values[index]!;
      }
    }
    for (let index = 0; index < negatedRecords.length; index += 2) {
      if (has[negatedRecords[index + 1]!] === 0) this.#matching[matches++] = negatedRecords[index]!;
    }
    this.#matching.subarray(0, matches).sort();
    this.#matches = matches;
    this.#class = topologyClass;
  }

  /** A statement is true of a pool when it is true of one of its members. */
  #lookAtSubject(subject: number): void {
    const { subjects, places, addresses } = this.#tables;
    const ofSubject = this.#ofSubject;
    ofSubject.clear();
    const end = subjects[subject + 1]!;
    for (let place = subjects[subject]!; place < end; place++) {
      const truth = this.#place;
      truth.clear();
      truth.addEffects(places, place);
      const address = place * PLACE_OCTETS;
      if (this.#locatesMembers) this.#geography.addTermsOf(addresses, address + 1, addresses[address]!, truth);
      truth.settle();
      for (let each = 0; each < truth.set.count; each++) ofSubject.add(truth.set.terms[each]!);
    }
    this.#subject = subject;
  }

  /** The group of the last interval that does not start behind the address. */
  #ipv4Group(address: number): number {
    const { ipv4Starts, ipv4Groups, ipv4Hints } = this.#tables;
    let low = ipv4Hints[address >>> HINT_SHIFT]!;
    let high = ipv4Hints[(address >>> HINT_SHIFT) + 1]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ipv4Starts[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return ipv4Groups[low - 1]!;
  }

  #ipv6Group(octets: Uint8Array, at: number): number {
    const { ipv6Starts, ipv6Groups, ipv6Hints } = this.#tables;
    const first = read32(octets, at) >>> 0;
    let low = ipv6Hints[first >>> HINT_SHIFT]!;
    let high = ipv6Hints[(first >>> HINT_SHIFT) + 1]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const start = ipv6Starts[4 * middle]!;
      const isBehind = start === first ? startsBehind(ipv6Starts, 4 * middle, octets, at) : start > first;
      if (isBehind) high = middle;
      else low = middle + 1;
    }
    return ipv6Groups[low - 1]!;
  }
}

/** Whether a start whose first word is that of the address is behind it. */
function startsBehind(starts: Uint32Array, start: number, octets: Uint8Array, at: number): boolean {
  for (let word = 1; word < 4; word++) {
    const address = read32(octets, at + 4 * word) >>> 0;
    if (starts[start + word] !== address) return starts[start + word]! > address;
  }
  return false;
}
