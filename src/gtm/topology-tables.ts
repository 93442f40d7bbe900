// Topology as numbers: what a thread that scores is given.
//
// A term is what a statement says without its `not`: a subnet, a region, a country … Terms have numbers, those of regions first,
// and no region is before one that is nested in it. What is true of an address is a set of terms; as most subnets are only there
// because a region has them, an address is kept as its effects instead, which are the same for all subnets of a region: below
// 2 × regions an effect is 2 × region (a member of the region matches) or 2 × region + 1 (one that is negated does); above, it is
// 2 × regions + term (the term is true).

import type { WideIpType } from './description.ts';
import type { GeoFactKind } from './geo-facts.ts';

/** Where one member of a pool is. */
export type TopologyPlace = {
  readonly datacenter: string;
  /** 4 or 16 octets. */
  readonly address: Uint8Array;
};

/** What records are held against on their server side: a pool as a whole, or a member of one. */
export type TopologySubject = {
  readonly pool: { readonly type: WideIpType; readonly name: string };
  /** The member's one place, or those of all members of the pool; none where members are names. */
  readonly members: readonly TopologyPlace[];
};

/** Lists of numbers one behind the other: list n is `values` from `starts[n]` up to `starts[n + 1]`. */
export type NumberLists = { readonly starts: Int32Array; readonly values: Int32Array };

/** What a geographic database can say, and the term that is true then. */
export type TopologyFact = {
  readonly kind: GeoFactKind;
  /** In lower case. */
  readonly value: string;
  readonly term: number;
};

/** Plain data in shared memory. Records have numbers in the order in which they are looked at. */
export type TopologyTables = {
  /** Names of records. */
  readonly records: readonly string[];
  /** By record. */
  readonly scores: Int32Array;
  /** By record: 2 × the term of the server statement, and 1 more when it is negated. */
  readonly servers: Int32Array;
  readonly terms: number;
  /** By region: 1 for a region of negated members only, in which everything else is; otherwise 0. */
  readonly regions: Uint8Array;
  /** By term: the regions that have it as a member, as effects. */
  readonly containers: NumberLists;
  /** By term: records whose ldns statement is the term, not negated. */
  readonly plainRecords: NumberLists;
  /** Records whose ldns statement is negated, each with its term: two numbers. */
  readonly negatedRecords: Int32Array;
  /** Where addresses of clients begin to have other effects: one word, and the number of the group from there on. */
  readonly ipv4Starts: Uint32Array;
  readonly ipv4Groups: Int32Array;
  /** The same with four words each. */
  readonly ipv6Starts: Uint32Array;
  readonly ipv6Groups: Int32Array;
  /** By the first bits of an address: how many starts are not behind the first address with them; at the end all. */
  readonly ipv4Hints: Int32Array;
  readonly ipv6Hints: Int32Array;
  /** By group: effects. */
  readonly groups: NumberLists;
  readonly facts: readonly TopologyFact[];
  /** Whether ldns statements need facts of the client; whether server statements need those of members. */
  readonly needsClientFacts: boolean;
  readonly needsServerFacts: boolean;
  /** Where the places of each subject start, and at the end their count; each subject has one at least. */
  readonly subjects: Int32Array;
  /** By place: effects. */
  readonly places: NumberLists;
  /** By place: octets of the address (0: none, 4, 16), and the address. */
  readonly addresses: Uint8Array;
};

/** Bits of the first word of an address that are behind those of a hint. */
export const HINT_SHIFT = 16;

/** Octets of a place in `addresses`. */
export const PLACE_OCTETS = 17;
