// Numbers of what statements say, and which regions have it.

import type { Region, TopologyStatement } from './description.ts';
import type { TopologyFact } from './topology-tables.ts';

type TermKind = Exclude<TopologyStatement['kind'], 'geoip-isp'>;
export type Term = { readonly kind: TermKind; readonly value: string };

export class TopologyTerms {
  /** By number: regions first, none before one that is nested in it. */
  readonly terms: Term[] = [];
  /** How many of the terms are regions. */
  readonly regions: number;
  /** By region: whether it has negated members only. */
  readonly isNegative: boolean[] = [];
  /** By term: regions that have it as a member, as effects. */
  readonly containers: number[][] = [];
  /** By region: terms of its members. */
  readonly members: number[][] = [];
  readonly #numbers = new Map<string, number>();

  constructor(regions: readonly Region[]) {
    const order = nestedFirst(regions);
    for (const { name } of order) this.#add({ kind: 'region', value: name });
    this.regions = this.terms.length;
    for (const [number, region] of order.entries()) {
      this.members.push([]);
      for (const member of region.members) this.#addMember(number, member);
      this.isNegative.push(region.members.length > 0 && region.members.every(({ isNegated }) => isNegated));
    }
  }

  #addMember(region: number, member: TopologyStatement): void {
    const term = this.numberOf(member);
    // What closes a circle of regions matches nothing.
    if (term < this.regions && term >= region) return;
    this.members[region]!.push(term);
    this.containers[term]!.push(2 * region + Number(member.isNegated));
  }

  /** The term of a statement. */
  numberOf({ kind, value }: TopologyStatement): number {
    const term = { kind: kind === 'geoip-isp' ? 'isp' : kind, value: isFact(kind) ? value.toLowerCase() : value };
    return this.#numbers.get(keyOf(term)) ?? this.#add(term);
  }

  /** -1 when no statement has it. */
  find(term: Term): number {
    return this.#numbers.get(keyOf(term)) ?? -1;
  }

  /** The regions that statements lead to, from one to the other: 1 by region. */
  reachable(statements: readonly number[]): Uint8Array {
    const reached = new Uint8Array(this.regions);
    for (const term of statements) if (term < this.regions) reached[term] = 1;
    for (let region = this.regions - 1; region >= 0; region--) {
      if (reached[region] === 0) continue;
      for (const member of this.members[region]!) if (member < this.regions) reached[member] = 1;
    }
    return reached;
  }

  /** What a database of places can make true. */
  facts(): TopologyFact[] {
    return this.terms.flatMap(({ kind, value }, term) => (isFactKind(kind) ? [{ kind, value, term }] : []));
  }

  #add(term: Term): number {
    const number = this.terms.length;
    this.terms.push(term);
    this.containers.push([]);
    this.#numbers.set(keyOf(term), number);
    return number;
  }
}

const keyOf = ({ kind, value }: Term): string => `${kind} ${value}`;

function isFactKind(kind: TermKind): kind is TopologyFact['kind'] {
  return kind === 'continent' || kind === 'country' || kind === 'state' || kind === 'isp';
}

function isFact(kind: TopologyStatement['kind']): boolean {
  return kind === 'geoip-isp' || isFactKind(kind);
}

function nestedFirst(regions: readonly Region[]): Region[] {
  const byName = new Map(regions.map((region) => [region.name, region]));
  const seen = new Set<Region>();
  const order: Region[] = [];
  const visit = (region: Region): void => {
    if (seen.has(region)) return;
    seen.add(region);
    for (const { kind, value } of region.members) {
      const nested = kind === 'region' ? byName.get(value) : undefined;
      if (nested !== undefined) visit(nested);
    }
    order.push(region);
  };
  for (const region of byName.values()) visit(region);
  return order;
}
