// What databases say of clients, as far as topology records ask for it. Clients that are alike in that are in one place; places
// get numbers as they come, and when there are too many all of them are forgotten.

import type { GeoDatabase } from './geo-database.ts';
import type { GeoFactKind } from './geo-facts.ts';
import type { TopologyFact } from './topology-tables.ts';
import type { TopologyTruth } from './topology-truth.ts';

/** Of each a place has a term; NOTHING where no statement has what is known. */
const KINDS: readonly GeoFactKind[] = ['continent', 'country', 'state', 'isp'];
const TERMS = KINDS.length;
const NOTHING = -1;
/** Slots by the records of databases, a power of two, and those that a key may be in. */
const SLOTS = 1 << 16;
const NEIGHBOURS = 4;
const FREE = -2;

export class TopologyGeography {
  /** Counts how often places have been forgotten. */
  generation = 0;
  readonly #databases: readonly GeoDatabase[];
  /** By kind and value. */
  readonly #terms = new Map<GeoFactKind, Map<string, number>>();
  /** For each slot the records of the databases, and the place. */
  readonly #slots: Int32Array;
  readonly #slotNumbers: number;
  /** Which of the neighbours has to go next. */
  #next = 0;
  readonly #leaves: Int32Array;
  readonly #most: number;
  /** By place, and how many there are. */
  readonly #places: Int32Array;
  #count = 0;
  /** Open addressing by the terms of a place: its number and one, or 0. */
  readonly #index: Int32Array;
  readonly #found = new Int32Array(TERMS);

  /** `most`: places. */
  constructor(facts: readonly TopologyFact[], databases: readonly GeoDatabase[], most: number) {
    this.#databases = databases;
    for (const { kind, value, term } of facts) {
      const terms = this.#terms.get(kind) ?? new Map<string, number>();
      this.#terms.set(kind, terms.set(value, term));
    }
    this.#slotNumbers = databases.length + 1;
    this.#slots = new Int32Array(databases.length === 0 ? 0 : (SLOTS + NEIGHBOURS) * this.#slotNumbers).fill(FREE);
    this.#leaves = new Int32Array(databases.length);
    this.#most = most;
    this.#places = new Int32Array(TERMS * most);
    this.#index = new Int32Array(2 ** Math.ceil(Math.log2(2 * most)));
  }

  /** The number of the place of an address of 4 or 16 octets; good as long as the generation is the same. */
  placeOf(octets: Uint8Array, at: number, length: number): number {
    const slots = this.#slots;
    const leaves = this.#leaves;
    let hash = 0;
    for (let index = 0; index < leaves.length; index++) {
      const leaf = this.#databases[index]!.find(octets, at, length);
      leaves[index] = leaf;
      hash = Math.imul(hash ^ leaf, 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    const first = (hash & (SLOTS - 1)) * this.#slotNumbers;
    const end = first + NEIGHBOURS * this.#slotNumbers;
    for (let slot = first; slot < end; slot += this.#slotNumbers) {
      if (this.#hasLeaves(slot)) return slots[slot + leaves.length]!;
    }
    this.#findTerms();
    const place = this.#intern();
    let slot = first;
    while (slot < end && slots[slot] !== FREE) slot += this.#slotNumbers;
    if (slot === end) {
      this.#next = (this.#next + 1) % NEIGHBOURS;
      slot = first + this.#next * this.#slotNumbers;
    }
    slots.set(leaves, slot);
    slots[slot + leaves.length] = place;
    return place;
  }

  #hasLeaves(slot: number): boolean {
    for (let index = 0; index < this.#leaves.length; index++) {
      if (this.#slots[slot + index] !== this.#leaves[index]) return false;
    }
    return true;
  }

  /** Makes true what is known of a place. */
  addTerms(place: number, truth: TopologyTruth): void {
    if (place >= this.#count) return;
    for (let at = TERMS * place; at < TERMS * (place + 1); at++) {
      if (this.#places[at] !== NOTHING) truth.addTerm(this.#places[at]!);
    }
  }

  /** The same of an address, without a place of its own. */
  addTermsOf(octets: Uint8Array, at: number, length: number, truth: TopologyTruth): void {
    if (length === 0) return;
    for (const [index, database] of this.#databases.entries()) this.#leaves[index] = database.find(octets, at, length);
    this.#findTerms();
    for (const term of this.#found) if (term !== NOTHING) truth.addTerm(term);
  }

  /** Terms of the records in `#leaves`; for each kind the first database counts that knows it. */
  #findTerms(): void {
    for (let kind = 0; kind < KINDS.length; kind++) this.#found[kind] = this.#findTerm(KINDS[kind]!);
  }

  #findTerm(kind: GeoFactKind): number {
    const terms = this.#terms.get(kind);
    if (terms === undefined) return NOTHING;
    for (let index = 0; index < this.#leaves.length; index++) {
      const leaf = this.#leaves[index]!;
      const value = leaf < 0 ? undefined : this.#databases[index]!.fact(leaf, kind);
      if (value !== undefined) return terms.get(value.toLowerCase()) ?? NOTHING;
    }
    return NOTHING;
  }

  /** The place with the terms in `#found`. */
  #intern(): number {
    const found = this.#found;
    const index = this.#index;
    let hash = 0;
    for (let kind = 0; kind < TERMS; kind++) {
      hash = Math.imul(hash ^ found[kind]!, 0x85ebca6b);
      hash ^= hash >>> 13;
    }
    let slot = hash & (index.length - 1);
    for (; index[slot] !== 0; slot = (slot + 1) & (index.length - 1)) {
      const place = index[slot]! - 1;
      if (this.#isFound(place)) return place;
    }
    if (this.#count === this.#most) {
      this.#forget();
      slot = hash & (index.length - 1);
    }
    const place = this.#count++;
    this.#places.set(found, TERMS * place);
    index[slot] = place + 1;
    return place;
  }

  #isFound(place: number): boolean {
    for (let kind = 0; kind < TERMS; kind++) if (this.#places[TERMS * place + kind] !== this.#found[kind]) return false;
    return true;
  }

  #forget(): void {
    this.generation++;
    this.#slots.fill(FREE);
    this.#index.fill(0);
    this.#count = 0;
  }
}
