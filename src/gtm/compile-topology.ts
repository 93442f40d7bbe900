// From topology records and regions to the numbers by which clients are scored.

import type { GtmDescription, TopologyRecord } from './description.ts';
import { addressNumber, groupOf, Groups, intervalsOf, subnetEffects } from './topology-groups.ts';
import type { Intervals, SubnetEffects } from './topology-groups.ts';
import { sortTopology } from './topology-order.ts';
import { HINT_SHIFT, PLACE_OCTETS } from './topology-tables.ts';
import type { NumberLists, TopologySubject, TopologyTables } from './topology-tables.ts';
import { TopologyTerms } from './topology-terms.ts';

export type TopologyInput = Pick<GtmDescription, 'regions' | 'topology'> & { readonly longestMatch: boolean };

const IPV4_OCTETS = 4;
const IPV6_OCTETS = 16;
const WORD_BITS = 32;
/** Scores above count as this. */
const MAX_SCORE = 0x7fff_ffff;

/** A statement as numbers. */
type Compiled = { readonly term: number; readonly isNegated: boolean };
type CompiledRecord = { readonly ldns: Compiled; readonly server: Compiled };

/** Subjects get the numbers that they have in the list. */
export function compileTopology(input: TopologyInput, subjects: readonly TopologySubject[]): TopologyTables {
  const terms = new TopologyTerms(input.regions);
  const sorted = sortTopology(input.topology, input.longestMatch);
  const records = sorted.map((record) => compileRecord(record, terms));
  const clients = new Side(
    terms,
    records.map(({ ldns }) => ldns),
  );
  const servers = new Side(
    terms,
    records.map(({ server }) => server),
  );
  const ipv4 = clients.intervals(IPV4_OCTETS);
  const ipv6 = clients.intervals(IPV6_OCTETS);
  return {
    records: sorted.map(({ name }) => name),
    scores: sharedInts(sorted.map(({ score }) => Math.min(score, MAX_SCORE))),
    servers: sharedInts(records.map(({ server }) => 2 * server.term + Number(server.isNegated))),
    terms: terms.terms.length,
    regions: sharedOctets(terms.isNegative.map(Number)),
    containers: sharedLists(terms.containers),
    ...ldnsRecords(records, terms.terms.length),
    ipv4Starts: sharedWords(ipv4.starts, 1),
    ipv4Groups: sharedInts(ipv4.groups),
    ipv4Hints: hintsOf(ipv4.starts, IPV4_OCTETS),
    ipv6Hints: hintsOf(ipv6.starts, IPV6_OCTETS),
    ipv6Starts: sharedWords(ipv6.starts, IPV6_OCTETS / IPV4_OCTETS),
    ipv6Groups: sharedInts(ipv6.groups),
    groups: sharedLists(clients.groups.sets),
    facts: terms.facts(),
    needsClientFacts: clients.needsFacts(),
    needsServerFacts: servers.needsFacts(),
    ...compileSubjects(subjects, servers),
  };
}

function compileRecord({ ldns, server }: TopologyRecord, terms: TopologyTerms): CompiledRecord {
  return {
    ldns: { term: terms.numberOf(ldns), isNegated: ldns.isNegated },
    server: { term: terms.numberOf(server), isNegated: server.isNegated },
  };
}

/** The statements of all records on one of their sides, and what is true of an address as far as they can tell. */
class Side {
  readonly groups = new Groups();
  readonly #terms: TopologyTerms;
  /** By term: whether a record has it; by region: whether one leads to it. */
  readonly #isSaid: Uint8Array;
  readonly #isReached: Uint8Array;
  readonly #intervals = new Map<number, Intervals>();
  #subnets: SubnetEffects[] | undefined;

  constructor(terms: TopologyTerms, statements: readonly Compiled[]) {
    this.#terms = terms;
    const said = statements.map(({ term }) => term);
    this.#isReached = terms.reachable(said);
    this.#isSaid = new Uint8Array(terms.terms.length);
    for (const term of said) this.#isSaid[term] = 1;
  }

  /** What follows from a term, in ascending order. */
  effectsOf(term: number): number[] {
    if (term < 0) return [];
    const effects = this.#terms.containers[term]!.filter((effect) => this.#isReached[effect >>> 1] === 1);
    effects.sort((a, b) => a - b);
    if (this.#isSaid[term] === 1) effects.push(2 * this.#terms.regions + term);
    return effects;
  }

  intervals(size: number): Intervals {
    let intervals = this.#intervals.get(size);
    if (intervals === undefined) {
      this.#subnets ??= this.#findSubnets();
      intervals = intervalsOf(this.#subnets, size, this.groups);
      this.#intervals.set(size, intervals);
    }
    return intervals;
  }

  effectsOfAddress(address: Uint8Array): readonly number[] {
    return this.groups.sets[groupOf(this.intervals(address.length), addressNumber(address))]!;
  }

  effectsOfName(kind: 'datacenter' | 'pool', value: string): number[] {
    return this.effectsOf(this.#terms.find({ kind, value }));
  }

  needsFacts(): boolean {
    return this.#terms.facts().some(({ term }) => this.effectsOf(term).length > 0);
  }

  #findSubnets(): SubnetEffects[] {
    const subnets: SubnetEffects[] = [];
    for (const [term, { kind, value }] of this.#terms.terms.entries()) {
      if (kind !== 'subnet') continue;
      const effects = this.effectsOf(term);
      const subnet = effects.length === 0 ? undefined : subnetEffects(value, effects);
      if (subnet !== undefined) subnets.push(subnet);
    }
    return subnets;
  }
}

function ldnsRecords(
  records: readonly CompiledRecord[],
  terms: number,
): Pick<TopologyTables, 'plainRecords' | 'negatedRecords'> {
  const plain: number[][] = Array.from({ length: terms }, () => []);
  const negated: number[] = [];
  for (const [record, { ldns }] of records.entries()) {
    if (ldns.isNegated) negated.push(record, ldns.term);
    else plain[ldns.term]!.push(record);
  }
  return { plainRecords: sharedLists(plain), negatedRecords: sharedInts(negated) };
}

function compileSubjects(
  subjects: readonly TopologySubject[],
  servers: Side,
): Pick<TopologyTables, 'subjects' | 'places' | 'addresses'> {
  const starts: number[] = [0];
  const places: number[][] = [];
  const addresses: Uint8Array[] = [];
  for (const { pool, members } of subjects) {
    const ofPool = servers.effectsOfName('pool', pool.name);
    for (const { datacenter, address } of members) {
      places.push([
        ...ofPool,
        ...servers.effectsOfName('datacenter', datacenter),
        ...servers.effectsOfAddress(address),
      ]);
      addresses.push(address);
    }
    if (members.length === 0) {
      places.push(ofPool);
      addresses.push(new Uint8Array());
    }
    starts.push(places.length);
  }
  const octets = new Uint8Array(new SharedArrayBuffer(addresses.length * PLACE_OCTETS));
  for (const [place, address] of addresses.entries()) octets.set([address.length, ...address], place * PLACE_OCTETS);
  return { subjects: sharedInts(starts), places: sharedLists(places), addresses: octets };
}

/** So that the search for an address begins near its end. */
function hintsOf(starts: readonly bigint[], octets: number): Int32Array {
  const count = 2 ** (WORD_BITS - HINT_SHIFT);
  const hints = new Int32Array(new SharedArrayBuffer(4 * (count + 1)));
  const bits = BigInt(octets * 8 - WORD_BITS + HINT_SHIFT);
  const rest = (1n << bits) - 1n;
  // A start counts for all hints that are not before it.
  for (const start of starts) hints[Number((start + rest) >> bits)]! += 1;
  for (let hint = 1; hint <= count; hint++) hints[hint]! += hints[hint - 1]!;
  return hints;
}

function sharedInts(numbers: readonly number[]): Int32Array {
  const ints = new Int32Array(new SharedArrayBuffer(4 * numbers.length));
  ints.set(numbers);
  return ints;
}

function sharedOctets(numbers: readonly number[]): Uint8Array {
  const octets = new Uint8Array(new SharedArrayBuffer(numbers.length));
  octets.set(numbers);
  return octets;
}

/** Each number as `words` words, the first one first. */
function sharedWords(numbers: readonly bigint[], words: number): Uint32Array {
  const all = new Uint32Array(new SharedArrayBuffer(4 * words * numbers.length));
  for (const [index, number] of numbers.entries()) {
    for (let word = 0; word < words; word++) {
      all[index * words + word] = Number((number >> BigInt(32 * (words - 1 - word))) & 0xffff_ffffn);
    }
  }
  return all;
}

function sharedLists(lists: readonly (readonly number[])[]): NumberLists {
  const starts = [0];
  for (const list of lists) starts.push(starts.at(-1)! + list.length);
  return { starts: sharedInts(starts), values: sharedInts(lists.flat()) };
}
