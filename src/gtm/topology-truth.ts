// Which terms are true of one address: what it has by itself, and the regions that follow from that.

import type { NumberLists, TopologyTables } from './topology-tables.ts';

/** Bits of a region: a plain member matches, a negated one does. */
const PLAIN = 1;
const NEGATED = 2;

export class TopologyTruth {
  /** By term: 1 when it is true. */
  readonly isTrue: Uint8Array;
  /** By region: PLAIN and NEGATED. */
  readonly #marks: Uint8Array;
  readonly #tables: TopologyTables;

  constructor(tables: TopologyTables) {
    this.#tables = tables;
    this.isTrue = new Uint8Array(tables.terms);
    this.#marks = new Uint8Array(tables.regions.length);
  }

  /** Nothing is true, and a region that has nothing but negated members has everything. */
  clear(): void {
    this.isTrue.fill(0);
    this.#marks.set(this.#tables.regions);
  }

  /** What a list of effects says. */
  addEffects({ starts, values }: NumberLists, list: number): void {
    const marks = 2 * this.#marks.length;
    const end = starts[list + 1]!;
    for (let index = starts[list]!; index < end; index++) {
      const effect = values[index]!;
      if (effect < marks) this.#mark(effect);
      else this.isTrue[effect - marks] = 1;
    }
  }

  addTerm(term: number): void {
    this.isTrue[term] = 1;
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
