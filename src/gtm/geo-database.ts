// A database of places in the MaxMind DB format 2.0, read where it lies ("MaxMind DB File Format Specification").
//
//    +-------------+----------+--------------+----------------------------------+----------+
//    | search tree | 16 zeros | data section | AB CD EF "MaxMind.com"           | metadata |
//    +-------------+----------+--------------+----------------------------------+----------+
//
// The tree is an array of nodes of two records, for the next bit of an address. A record below the count of nodes is a node, the
// count itself says that nothing is known, and what is above points into the data section.

import { GeoDecoder } from './geo-decoder.ts';
import type { GeoValue } from './geo-decoder.ts';
import { geoFact } from './geo-facts.ts';
import type { GeoFactKind, GeoFacts } from './geo-facts.ts';

export type GeoMetadata = {
  /** As its maker calls it: `GeoLite2-City`. */
  readonly databaseType: string;
  /** Seconds since 1970; 0 when it is not said. */
  readonly buildEpoch: number;
  readonly ipVersion: 4 | 6;
  readonly nodeCount: number;
  readonly recordSize: 24 | 28 | 32;
};

const MARKER = Uint8Array.of(0xab, 0xcd, 0xef, ...new TextEncoder().encode('MaxMind.com'));
const MAX_METADATA_OCTETS = 128 * 1024;
const SEPARATOR_OCTETS = 16;
const MAJOR_VERSION = 2;
const IPV4_OCTETS = 4;
/** Of an address that are looked up at once. */
const FIRST_BITS = 16;
/** Of an IPv6 address that stands for one of IPv4, in ::/96. */
const IPV4_PREFIX_BITS = 96;

export class GeoDatabase {
  readonly metadata: GeoMetadata;
  readonly #octets: Uint8Array;
  readonly #nodeCount: number;
  readonly #recordSize: number;
  readonly #nodeOctets: number;
  readonly #data: GeoDecoder;
  readonly #dataOctets: number;
  /** By the first bits of an address of IPv4, and of IPv6: the record that they lead to, a node or not. */
  readonly #ipv4Records: Uint32Array;
  readonly #ipv6Records: Uint32Array;

  /** Throws an Error that says what is wrong with a file. The octets must not change. */
  constructor(octets: Uint8Array) {
    const marker = findMarker(octets);
    this.metadata = readMetadata(new GeoDecoder(octets, marker + MARKER.length, octets.length));
    const { nodeCount, recordSize, ipVersion } = this.metadata;
    this.#octets = octets;
    this.#nodeCount = nodeCount;
    this.#recordSize = recordSize;
    this.#nodeOctets = recordSize / 4;
    const dataAt = nodeCount * this.#nodeOctets + SEPARATOR_OCTETS;
    if (dataAt > marker) {
      throw new Error(`the search tree of ${nodeCount} nodes needs ${dataAt} octets, and there are ${marker}`);
    }
    this.#data = new GeoDecoder(octets, dataAt, marker);
    this.#dataOctets = marker - dataAt;
    this.#ipv4Records = this.#follow(ipVersion === 6 ? this.#walkZeros() : 0);
    this.#ipv6Records = ipVersion === 6 ? this.#follow(0) : new Uint32Array(2 ** FIRST_BITS).fill(nodeCount);
  }

  /** Which record an address of 4 or 16 octets has: its offset in the data section; -1 when nothing is known of it. */
  find(octets: Uint8Array, at: number, length: number): number {
    const records = length === IPV4_OCTETS ? this.#ipv4Records : this.#ipv6Records;
    const nodes = this.#nodeCount;
    const end = at + length;
    let node = records[(octets[at]! << 8) | octets[at + 1]!]!;
    for (let index = at + FIRST_BITS / 8; index < end && node < nodes; index++) {
      const octet = octets[index]!;
      for (let bit = 7; bit >= 0 && node < nodes; bit--) node = this.#record(node, (octet >>> bit) & 1);
    }
    const offset = node - nodes - SEPARATOR_OCTETS;
    return offset >= 0 && offset < this.#dataOctets ? offset : -1;
  }

  /** What a record says that `find` has given; undefined when it does not, or is damaged. */
  fact(leaf: number, kind: GeoFactKind): string | undefined {
    return geoFact(this.#data, leaf, kind);
  }

  facts(leaf: number): GeoFacts {
    const fact = (kind: GeoFactKind): string | undefined => this.fact(leaf, kind);
    return { continent: fact('continent'), country: fact('country'), state: fact('state'), isp: fact('isp') };
  }

  /** All that the record says; undefined when it is damaged. */
  value(leaf: number): GeoValue | undefined {
    return this.#data.value(leaf);
  }

  /** Where all first bits lead to from a record. */
  #follow(root: number): Uint32Array {
    const records = new Uint32Array(2 ** FIRST_BITS);
    const follow = (record: number, first: number, count: number): void => {
      if (count === 1 || record >= this.#nodeCount) {
        records.fill(record, first, first + count);
        return;
      }
      follow(this.#record(record, 0), first, count / 2);
      follow(this.#record(record, 1), first + count / 2, count / 2);
    };
    follow(root, 0, records.length);
    return records;
  }

  #walkZeros(): number {
    let node = 0;
    for (let bit = 0; bit < IPV4_PREFIX_BITS && node < this.#nodeCount; bit++) node = this.#record(node, 0);
    return node;
  }

  /** What a node has for a bit. In nodes of 28 bits the fourth octet has the highest bits of both. */
  #record(node: number, bit: number): number {
    const octets = this.#octets;
    const at = node * this.#nodeOctets;
    if (this.#recordSize === 24) {
      const record = at + 3 * bit;
      return (octets[record]! << 16) | (octets[record + 1]! << 8) | octets[record + 2]!;
    }
    const record = at + 4 * bit;
    if (this.#recordSize === 28) {
      const high = bit === 0 ? octets[at + 3]! >>> 4 : octets[at + 3]! & 15;
      return (high << 24) | (octets[record]! << 16) | (octets[record + 1]! << 8) | octets[record + 2]!;
    }
    const low = (octets[record + 1]! << 16) | (octets[record + 2]! << 8) | octets[record + 3]!;
    return octets[record]! * 0x100_0000 + low;
  }
}

/** Where the last one is. */
function findMarker(octets: Uint8Array): number {
  const first = Math.max(0, octets.length - MAX_METADATA_OCTETS - MARKER.length);
  for (let at = octets.length - MARKER.length; at >= first; at--) {
    if (MARKER.every((octet, index) => octets[at + index] === octet)) return at;
  }
  throw new Error('this is no MaxMind DB, or its end is missing: there is no metadata');
}

function readMetadata(decoder: GeoDecoder): GeoMetadata {
  const metadata = decoder.value(0);
  if (!(metadata instanceof Map)) throw new Error('the metadata is damaged');
  const fields = metadata as ReadonlyMap<string, GeoValue>;
  const number = (name: string): number => {
    const value = fields.get(name);
    if (typeof value !== 'number' || !Number.isInteger(value)) throw new Error(`the metadata has no ${name}`);
    return value;
  };
  const version = number('binary_format_major_version');
  if (version !== MAJOR_VERSION)
    throw new Error(`version ${version} of the format is not known, only ${MAJOR_VERSION}`);
  const ipVersion = number('ip_version');
  if (ipVersion !== 4 && ipVersion !== 6) throw new Error(`ip_version is 4 or 6, and not ${ipVersion}`);
  const recordSize = number('record_size');
  if (recordSize !== 24 && recordSize !== 28 && recordSize !== 32) {
    throw new Error(`record_size is 24, 28 or 32, and not ${recordSize}`);
  }
  const nodeCount = number('node_count');
  if (nodeCount < 0) throw new Error(`node_count is ${nodeCount}`);
  const databaseType = fields.get('database_type');
  if (typeof databaseType !== 'string') throw new Error('the metadata has no database_type');
  const buildEpoch = fields.get('build_epoch');
  return {
    databaseType,
    buildEpoch: typeof buildEpoch === 'bigint' || typeof buildEpoch === 'number' ? Number(buildEpoch) : 0,
    ipVersion,
    nodeCount,
    recordSize,
  };
}
