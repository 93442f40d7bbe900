// How well a pool or a member suits a client, by topology records. Clients that are alike to all records are of one class; who
// answers asks for the class once and for scores by it. Both are found without a look at records, unless a class meets a subject
// for the first time.

import { read32 } from '../core/octets.ts';
import type { GeoDatabase } from './geo-database.ts';
import { TopologyGeography } from './topology-geography.ts';
import { IPV4_HINT_SHIFT, PLACE_OCTETS } from './topology-tables.ts';
import type { TopologyTables } from './topology-tables.ts';
import { TermSet, TopologyTruth } from './topology-truth.ts';

/** How much is remembered. */
export type ScorerMemory = {
  /** Scores; a power of two. */
  readonly scores: number;
  /** Places that databases tell apart. */
  readonly places: number;
};
const MEMORY: ScorerMemory = { scores: 1 << 16, places: 1 << 14 };

/** Numbers of a slot: class, subject, record; and slots that a key may be in. */
const SLOT_NUMBERS = 4;
const NEIGHBOURS = 4;
const FREE = -1;

/** A bound of the number of a class. */
const MOST_CLASSES = 2 ** 30;

export class TopologyScorer {
  readonly #tables: TopologyTables;
  readonly #slots: Int32Array;
  readonly #mask: number;
  /** Which of the neighbours has to go next. */
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
    this.#slots = new Int32Array((memory.scores + NEIGHBOURS) * SLOT_NUMBERS).fill(FREE);
    this.#mask = memory.scores - 1;
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
    return record < 0 ? -1 : this.#tables.scores[record]!;
  }

  /** Number of that record in the tables; -1: none. */
  recordOf(topologyClass: number, subject: number): number {
    const slots = this.#slots;
    let hash = Math.imul(topologyClass, 0x9e3779b1) ^ Math.imul(subject, 0x85ebca6b);
    hash ^= hash >>> 15;
    const first = (hash & this.#mask) * SLOT_NUMBERS;
    for (let at = first; at < first + NEIGHBOURS * SLOT_NUMBERS; at += SLOT_NUMBERS) {
      if (slots[at] === topologyClass && slots[at + 1] === subject) return slots[at + 2]!;
    }
    return this.#remember(first, topologyClass, subject);
  }

  /** The numbers of places mean others now. */
  #forget(): void {
    this.#generation = this.#geography.generation;
    this.#slots.fill(FREE);
    this.#class = -1;
  }

  #remember(first: number, topologyClass: number, subject: number): number {
    const slots = this.#slots;
    let at = first;
    while (at < first + NEIGHBOURS * SLOT_NUMBERS && slots[at] !== FREE) at += SLOT_NUMBERS;
    if (at === first + NEIGHBOURS * SLOT_NUMBERS) {
      this.#next = (this.#next + 1) % NEIGHBOURS;
      at = first + this.#next * SLOT_NUMBERS;
    }
    const record = this.#firstMatch(topologyClass, subject);
    slots[at] = topologyClass;
    slots[at + 1] = subject;
    slots[at + 2] = record;
    return record;
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
    let low = ipv4Hints[address >>> IPV4_HINT_SHIFT]!;
    let high = ipv4Hints[(address >>> IPV4_HINT_SHIFT) + 1]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ipv4Starts[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return ipv4Groups[low - 1]!;
  }

  #ipv6Group(octets: Uint8Array, at: number): number {
    const { ipv6Starts, ipv6Groups } = this.#tables;
    const first = read32(octets, at) >>> 0;
    let low = 1;
    let high = ipv6Groups.length;
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
