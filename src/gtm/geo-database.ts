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
import { geoFacts } from './geo-facts.ts';
import type { GeoFacts } from './geo-facts.ts';

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
  /** Where addresses of IPv4 begin: a node, or already a record that is none. */
  readonly #ipv4Root: number;

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
    this.#ipv4Root = ipVersion === 6 ? this.#walkZeros() : 0;
  }

  /** Which record an address of 4 or 16 octets has: its offset in the data section; -1 when nothing is known of it. */
  find(octets: Uint8Array, at: number, length: number): number {
    let node = this.#ipv4Root;
    if (length !== IPV4_OCTETS) {
      if (this.metadata.ipVersion === 4) return -1;
      node = 0;
    }
    const nodes = this.#nodeCount;
    const end = at + length;
    for (let index = at; index < end && node < nodes; index++) {
      const octet = octets[index]!;
      for (let bit = 7; bit >= 0 && node < nodes; bit--) node = this.#record(node, (octet >>> bit) & 1);
    }
    const offset = node - nodes - SEPARATOR_OCTETS;
    return offset >= 0 && offset < this.#dataOctets ? offset : -1;
  }

  /** Of a record that `find` has given; what is damaged says nothing. */
  facts(leaf: number): GeoFacts {
    return geoFacts(this.#data, leaf);
  }

  /** All that the record says; undefined when it is damaged. */
  value(leaf: number): GeoValue | undefined {
    return this.#data.value(leaf);
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
