// Gathers records in any order into sets, and packs them. Nothing here is an object per record.

import { read16, write16, write32 } from '../core/octets.ts';
import { GrowingWords, HashIndex } from './hash-index.ts';
import { LOWER_CASE, nameOctets, sameName } from './name.ts';
import { hashName } from './name-hash.ts';
import { PackedSets, RDATA_LENGTH_OCTETS, SET_HEADER_OCTETS } from './packed-sets.ts';
import { hasNames, lowerRdata } from './record-types.ts';
import type { RecordSet } from './record.ts';

const FIRST_OCTETS = 64 * 1024;
/** Offsets have 32 bits. */
const MAX_OCTETS = 0xffff_ffff;
/** Behind the last record of a set. */
const NONE = 0xffff_ffff;

export class RecordCollector {
  /** Owners of sets as they come, and records: the length and RDATA. */
  #log: Uint8Array;
  #end = 0;
  readonly #sets: HashIndex;
  readonly #owners: GrowingWords;
  readonly #types: GrowingWords;
  readonly #ttls: GrowingWords;
  readonly #firsts: GrowingWords;
  readonly #lasts: GrowingWords;
  readonly #counts: GrowingWords;
  readonly #records: HashIndex;
  readonly #offsets: GrowingWords;
  readonly #nexts: GrowingWords;
  readonly #setsOfRecords: GrowingWords;
  // What is looked for: arguments of the two functions below, which would be closures made for each record otherwise.
  #owner: Uint8Array = new Uint8Array(0);
  #type = 0;
  #set = 0;
  #data: Uint8Array = new Uint8Array(0);
  #dataEnd = 0;
  readonly #isSet = (set: number) =>
    this.#types.words[set] === this.#type && sameName(this.#log, this.#owner, this.#owners.words[set], 0);
  readonly #isRecord = (record: number) =>
    this.#setsOfRecords.words[record] === this.#set &&
    sameRdata(this.#type, this.#log, this.#offsets.words[record]!, this.#data, this.#dataEnd);

  /** What is expected spares copies: octets, and sets or records. Too much costs little but addresses. */
  constructor(octets = FIRST_OCTETS, expected?: number) {
    this.#log = new Uint8Array(Math.max(FIRST_OCTETS, Math.min(octets, MAX_OCTETS)));
    this.#sets = new HashIndex(expected);
    this.#records = new HashIndex(expected);
    const words = () => new GrowingWords(expected);
    [this.#owners, this.#types, this.#ttls] = [words(), words(), words()];
    [this.#firsts, this.#lasts, this.#counts] = [words(), words(), words()];
    [this.#offsets, this.#nexts, this.#setsOfRecords] = [words(), words(), words()];
  }

  get records(): number {
    return this.#records.count;
  }

  get sets(): number {
    return this.#sets.count;
  }

  /** The set of an owner, whose name is at the start of `owner`, and a type; -1 when there is none. */
  find(owner: Uint8Array, type: number): number {
    this.#owner = owner;
    this.#type = type;
    return this.#sets.find(hashName(owner) ^ Math.imul(type, 0x9e37_79b1), this.#isSet);
  }

  /** A new set without records, of what `find` did not find. */
  addSet(owner: Uint8Array, type: number, ttl: number): number {
    const octets = nameOctets(owner);
    this.#reserve(octets);
    const set = this.#sets.add(hashName(owner) ^ Math.imul(type, 0x9e37_79b1));
    this.#owners.set(set, this.#end);
    for (let i = 0; i < octets; i++) this.#log[this.#end++] = owner[i]!;
    this.#types.set(set, type);
    this.#ttls.set(set, ttl);
    this.#firsts.set(set, NONE);
    this.#lasts.set(set, NONE);
    this.#counts.set(set, 0);
    return set;
  }

  ttlOf(set: number): number {
    return this.#ttls.words[set]!;
  }

  setTtl(set: number, ttl: number): void {
    this.#ttls.set(set, ttl);
  }

  /** Adds the RDATA [0, end) of `data` to a set; false when the set has it already. */
  add(set: number, data: Uint8Array, end: number): boolean {
    this.#set = set;
    this.#type = this.#types.words[set]!;
    this.#data = data;
    this.#dataEnd = end;
    const hash = hashRdata(data, end) ^ Math.imul(set + 1, 0x85eb_ca6b);
    if (this.#records.find(hash, this.#isRecord) >= 0) return false;
    this.#reserve(RDATA_LENGTH_OCTETS + end);
    const record = this.#records.add(hash);
    this.#offsets.set(record, this.#end);
    this.#nexts.set(record, NONE);
    this.#setsOfRecords.set(record, set);
    write16(this.#log, this.#end, end);
    this.#end += RDATA_LENGTH_OCTETS;
    // RDATA is short mostly, and then a loop is faster than `set` and the view that it needs.
    if (end < 64) for (let i = 0; i < end; i++) this.#log[this.#end + i] = data[i]!;
    else this.#log.set(data.subarray(0, end), this.#end);
    this.#end += end;
    const last = this.#lasts.words[set]!;
    if (last === NONE) this.#firsts.set(set, record);
    else this.#nexts.set(last, record);
    this.#lasts.set(set, record);
    this.#counts.set(set, this.#counts.words[set]! + 1);
    return true;
  }

  /** All sets, in the order in which they came. The collector is done with. */
  pack(): PackedSets {
    const sets = this.#sets.count;
    const octets = new Uint8Array(this.#end + sets * SET_HEADER_OCTETS);
    const starts = new Uint32Array(sets);
    let at = 0;
    for (let set = 0; set < sets; set++) {
      starts[set] = at;
      const owner = this.#owners.words[set]!;
      at = copy(this.#log, owner, owner + nameOctets(this.#log, owner), octets, at);
      write16(octets, at, this.#types.words[set]!);
      write32(octets, at + 2, this.#ttls.words[set]!);
      write32(octets, at + 6, this.#counts.words[set]!);
      at += SET_HEADER_OCTETS;
      for (let record = this.#firsts.words[set]!; record !== NONE; record = this.#nexts.words[record]!) {
        const from = this.#offsets.words[record]!;
        at = copy(this.#log, from, from + RDATA_LENGTH_OCTETS + read16(this.#log, from), octets, at);
      }
    }
    return new PackedSets(octets, starts);
  }

  #reserve(octets: number): void {
    const needed = this.#end + octets;
    if (needed + this.#sets.count * SET_HEADER_OCTETS > MAX_OCTETS) throw new RangeError('a zone of more than 4 GiB');
    if (needed <= this.#log.length) return;
    const larger = new Uint8Array(Math.min(MAX_OCTETS, 2 * Math.max(needed, this.#log.length)));
    larger.set(this.#log.subarray(0, this.#end));
    this.#log = larger;
  }
}

/** Sets as they may come from anywhere, packed. */
export function packSets(sets: Iterable<RecordSet>): PackedSets {
  const collector = new RecordCollector();
  for (const { owner, type, ttl, data } of sets) {
    const found = collector.find(owner, type);
    const set = found < 0 ? collector.addSet(owner, type, ttl) : found;
    for (const rdata of data) collector.add(set, rdata, rdata.length);
  }
  return collector.pack();
}

function copy(from: Uint8Array, start: number, end: number, into: Uint8Array, at: number): number {
  for (; start < end; start++) into[at++] = from[start]!;
  return at;
}

/** The same of all RDATA that differs in the case of letters only. */
function hashRdata(data: Uint8Array, end: number): number {
  let hash = 0x811c_9dc5 | 0;
  for (let i = 0; i < end; i++) hash = Math.imul(hash ^ LOWER_CASE[data[i]!]!, 0x0100_0193);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b_3c6d);
  return hash ^ (hash >>> 12);
}

/** Whether the record at `at`, its length first, has the RDATA [0, end): names without regard to case. */
function sameRdata(type: number, log: Uint8Array, at: number, data: Uint8Array, end: number): boolean {
  if (read16(log, at) !== end) return false;
  const first = at + RDATA_LENGTH_OCTETS;
  let i = 0;
  while (i < end && log[first + i] === data[i]) i++;
  if (i === end) return true;
  if (!hasNames(type)) return false;
  const a = log.slice(first, first + end);
  const b = data.slice(0, end);
  lowerRdata(type, a, 0, end);
  lowerRdata(type, b, 0, end);
  return a.every((octet, index) => octet === b[index]);
}
