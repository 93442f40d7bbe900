// The record sets of a zone in one piece of memory: an object per set and per record would cost ten times as much as its octets.
//
//    +--------------+--------+-------+-----------+----------+- - - - -+--
//    | owner        | type 2 | TTL 4 | records 4 | length 2 | RDATA   |   length and RDATA again for each record
//    +--------------+--------+-------+-----------+----------+- - - - -+--

import { read16, read32 } from '../core/octets.ts';
import { nameOctets } from './name.ts';
import type { RecordSet, RecordSets } from './record.ts';

const TTL = 2;
const RECORDS = 6;
/** Octets between the owner and the length of the first record. */
export const SET_HEADER_OCTETS = 10;
export const RDATA_LENGTH_OCTETS = 2;

/** Whoever answers queries reads `octets` at the offsets that the methods give; `at` is for those who can afford objects. */
export class PackedSets implements RecordSets {
  readonly octets: Uint8Array;
  /** Where each set begins in `octets`: with its owner. */
  readonly starts: Uint32Array;

  constructor(octets: Uint8Array, starts: Uint32Array) {
    this.octets = octets;
    this.starts = starts;
  }

  get length(): number {
    return this.starts.length;
  }

  /** Offset of the type, behind the owner; the other offsets follow from it. */
  headerOf(index: number): number {
    const start = this.starts[index]!;
    return start + nameOctets(this.octets, start);
  }

  typeAt(header: number): number {
    return read16(this.octets, header);
  }

  ttlAt(header: number): number {
    return read32(this.octets, header + TTL) >>> 0;
  }

  recordsAt(header: number): number {
    return read32(this.octets, header + RECORDS);
  }

  at(index: number): RecordSet | undefined {
    const start = index < 0 || index >= this.starts.length ? undefined : this.starts[index];
    if (start === undefined) return undefined;
    const { octets } = this;
    const header = this.headerOf(index);
    const data: Uint8Array[] = [];
    let at = header + SET_HEADER_OCTETS;
    for (let left = this.recordsAt(header); left > 0; left--) {
      const length = read16(octets, at);
      at += RDATA_LENGTH_OCTETS;
      data.push(octets.subarray(at, at + length));
      at += length;
    }
    return { owner: octets.subarray(start, header), type: this.typeAt(header), ttl: this.ttlAt(header), data };
  }

  *[Symbol.iterator](): Generator<RecordSet, undefined> {
    for (let index = 0; index < this.length; index++) yield this.at(index)!;
    return undefined;
  }
}
