// What databases say of clients, as far as topology records ask for it. Clients that are alike in that are in one place; places
// get numbers as they come, and when there are too many all of them are forgotten.

import type { GeoDatabase } from './geo-database.ts';
import type { TopologyFact } from './topology-tables.ts';
import type { TopologyTruth } from './topology-truth.ts';

/** Terms of a place: continent, country, state and provider; NOTHING where no statement has what is known. */
const KINDS = 4;
const NOTHING = -1;
/** Slots by the records of databases, a power of two. */
const SLOTS = 1 << 16;
const FREE = -2;

export class TopologyGeography {
  /** Counts how often places have been forgotten. */
  generation = 0;
  readonly #databases: readonly GeoDatabase[];
  /** By kind and value. */
  readonly #terms: ReadonlyMap<string, number>;
  /** For each slot the records of the databases, and the place. */
  readonly #slots: Int32Array;
  readonly #slotNumbers: number;
  readonly #leaves: Int32Array;
  readonly #most: number;
  /** By place, and how many there are. */
  readonly #places: Int32Array;
  #count = 0;
  /** Open addressing by the terms of a place: its number and one, or 0. */
  readonly #index: Int32Array;
  readonly #found = new Int32Array(KINDS);

  /** `most`: places. */
  constructor(facts: readonly TopologyFact[], databases: readonly GeoDatabase[], most: number) {
    this.#databases = databases;
    this.#terms = new Map(facts.map(({ kind, value, term }) => [`${kind} ${value}`, term]));
    this.#slotNumbers = databases.length + 1;
    this.#slots = new Int32Array(databases.length === 0 ? 0 : SLOTS * this.#slotNumbers).fill(FREE);
    this.#leaves = new Int32Array(databases.length);
    this.#most = most;
    this.#places = new Int32Array(KINDS * most);
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
    const slot = (hash & (SLOTS - 1)) * this.#slotNumbers;
    let isSame = true;
    for (let index = 0; index < leaves.length; index++) isSame &&= slots[slot + index] === leaves[index];
    if (isSame) return slots[slot + leaves.length]!;
    this.#findTerms();
    const place = this.#intern();
    slots.set(leaves, slot);
    slots[slot + leaves.length] = place;
    return place;
  }

  /** Makes true what is known of a place. */
  addTerms(place: number, truth: TopologyTruth): void {
    if (place >= this.#count) return;
    for (let at = KINDS * place; at < KINDS * (place + 1); at++) {
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
    let continent: string | undefined;
    let country: string | undefined;
    let state: string | undefined;
    let isp: string | undefined;
    for (const [index, database] of this.#databases.entries()) {
      const leaf = this.#leaves[index]!;
      if (leaf < 0) continue;
      const facts = database.facts(leaf);
      continent ??= facts.continent;
      country ??= facts.country;
      state ??= facts.state;
      isp ??= facts.isp;
    }
    this.#found[0] = this.#termOf('continent', continent);
    this.#found[1] = this.#termOf('country', country);
    this.#found[2] = this.#termOf('state', state);
    this.#found[3] = this.#termOf('isp', isp);
  }

  #termOf(kind: TopologyFact['kind'], value: string | undefined): number {
    return value === undefined ? NOTHING : (this.#terms.get(`${kind} ${value.toLowerCase()}`) ?? NOTHING);
  }

  /** The place with the terms in `#found`. */
  #intern(): number {
    const found = this.#found;
    const index = this.#index;
    let hash = 0;
    for (let kind = 0; kind < KINDS; kind++) {
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
    this.#places.set(found, KINDS * place);
    index[slot] = place + 1;
    return place;
  }

  #isFound(place: number): boolean {
    for (let kind = 0; kind < KINDS; kind++) if (this.#places[KINDS * place + kind] !== this.#found[kind]) return false;
    return true;
  }

  #forget(): void {
    this.generation++;
    this.#slots.fill(FREE);
    this.#index.fill(0);
    this.#count = 0;
  }
}
