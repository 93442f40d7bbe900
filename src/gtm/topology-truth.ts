// Which terms are true of one address: what it has by itself, and the regions that follow from that.

import type { NumberLists, TopologyTables } from './topology-tables.ts';

/** Bits of a region: a plain member matches, a negated one does. */
const PLAIN = 1;
const NEGATED = 2;

/** A set of terms, which costs what is in it, however many terms there are. */
export class TermSet {
  /** By term: 1 when it is in the set. */
  readonly has: Uint8Array;
  /** Those that are, and how many. */
  readonly terms: Int32Array;
  count = 0;

  constructor(terms: number) {
    this.has = new Uint8Array(terms);
    this.terms = new Int32Array(terms);
  }

  add(term: number): void {
    if (this.has[term] === 1) return;
    this.has[term] = 1;
    this.terms[this.count++] = term;
  }

  clear(): void {
    for (let index = 0; index < this.count; index++) this.has[this.terms[index]!] = 0;
    this.count = 0;
  }
}

export class TopologyTruth {
  /** What is true. */
  readonly set: TermSet;
  /** By region: PLAIN and NEGATED. */
  readonly #marks: Uint8Array;
  readonly #tables: TopologyTables;

  constructor(tables: TopologyTables) {
    this.#tables = tables;
    this.set = new TermSet(tables.terms);
    this.#marks = new Uint8Array(tables.regions.length);
  }

  /** Nothing is true, and a region that has nothing but negated members has everything. */
  clear(): void {
    this.set.clear();
    this.#marks.set(this.#tables.regions);
  }

  /** What a list of effects says. */
  addEffects({ starts, values }: NumberLists, list: number): void {
    const marks = 2 * this.#marks.length;
    const end = starts[list + 1]!;
    for (let index = starts[list]!; index < end; index++) {
      const effect = values[index]!;
      if (effect < marks) this.#mark(effect);
      else this.set.add(effect - marks);
    }
  }

  addTerm(term: number): void {
    this.set.add(term);
    const { starts, values } = this.#tables.containers;
    const end = starts[term + 1]!;
    for (let index = starts[term]!; index < end; index++) this.#mark(values[index]!);
  }

  /** Makes regions true, the nested ones first, when everything else is there. */
  settle(): void {
    const marks = this.#marks;
    for (let region = 0; region < marks.length; region++) if (marks[region] === PLAIN) this.addTerm(region);
  }

  #mark(effect: number): void {
    this.#marks[effect >>> 1]! |= (effect & 1) === 0 ? PLAIN : NEGATED;
  }
}
