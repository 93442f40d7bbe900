// Records written into a message with compressed names (RFC 1035, section 4.1.4): for answers that are not rendered beforehand.

import { write16, write32 } from '../core/octets.ts';
import { dataNames } from './data-names.ts';
import { equalNames, hashLabel, ROOT_HASH } from './name-hash.ts';
import { MAX_LABELS, MAX_NAME_OCTETS } from './name.ts';
import { HEADER_OCTETS, type Query, RecordClass } from './query.ts';

/** A pointer reaches this far. */
const POINTER_LIMIT = 0x4000;
/** Suffixes that are remembered; more names are written in full. */
const MAX_KNOWN = 512;

export class MessageWriter {
  /** The message: room for a header, the question and what is behind it. */
  readonly octets = new Uint8Array(65_535);
  /** Where the next record goes. */
  at = 0;
  /** Where the question ends. */
  tailAt = 0;
  readonly #knownHash = new Int32Array(MAX_KNOWN);
  readonly #knownAt = new Int32Array(MAX_KNOWN);
  #known = 0;
  #limit = 0;
  readonly #name = new Uint8Array(MAX_NAME_OCTETS);
  readonly #starts = new Int32Array(MAX_LABELS + 1);

  /** Starts a message behind the question of a query; nothing is written from `limit` octets of the message on. */
  start(query: Query, limit: number): void {
    const { octets } = this;
    const length = query.questionEnd - query.start;
    for (let index = HEADER_OCTETS; index < length; index++) octets[index] = query.octets[query.start + index]!;
    this.at = this.tailAt = length;
    this.#limit = Math.min(limit, octets.length);
    this.#known = 0;
    for (let label = 0; label < query.labels; label++) {
      this.#remember(query.hashes[label]!, query.labelStarts[label]! - query.start);
    }
  }

  #remember(hash: number, at: number): void {
    if (this.#known === MAX_KNOWN || at >= POINTER_LIMIT) return;
    this.#knownHash[this.#known] = hash;
    this.#knownAt[this.#known++] = at;
  }

  /** Octets behind the question. */
  get tailOctets(): number {
    return this.at - this.tailAt;
  }

  /** Octets as they are, with no names that others are to point at. False when they had no room. */
  append(from: Uint8Array, at: number, octets: number): boolean {
    return this.#copy(from, at, at + octets);
  }

  /** Takes back what was written since `at` had this value. */
  rewind(at: number): void {
    this.at = at;
    while (this.#known > 0 && this.#knownAt[this.#known - 1]! >= at) this.#known--;
  }

  /**
   * One record of class IN: owner without compression at `owner` of `names`, data without compression. False when it had no
   * room; then `rewind`.
   */
  record(
    names: Uint8Array,
    owner: number,
    type: number,
    ttl: number,
    data: Uint8Array,
    dataAt: number,
    dataEnd: number,
  ): boolean {
    if (!this.name(names, owner)) return false;
    const { octets, at } = this;
    const lengthAt = at + 8;
    if (at + 10 > this.#limit) return false;
    write16(octets, at, type);
    write16(octets, at + 2, RecordClass.in);
    write32(octets, at + 4, ttl);
    this.at = at + 10;
    const { skip, names: count } = dataNames(type);
    let from = dataAt;
    if (!this.#copy(data, from, from + skip)) return false;
    from += skip;
    for (let index = 0; index < count; index++) {
      if (!this.name(data, from)) return false;
      while (data[from] !== 0) from += data[from]! + 1;
      from++;
    }
    if (!this.#copy(data, from, dataEnd)) return false;
    write16(octets, lengthAt, this.at - lengthAt - 2);
    return true;
  }

  #copy(from: Uint8Array, start: number, end: number): boolean {
    if (this.at + end - start > this.#limit) return false;
    for (let index = start; index < end; index++) this.octets[this.at++] = from[index]!;
    return true;
  }

  /** A name, the longest suffix that stands somewhere already as a pointer. False when it had no room. */
  name(names: Uint8Array, start: number): boolean {
    const starts = this.#starts;
    let labels = 0;
    let end = start;
    for (; names[end] !== 0; end += names[end]! + 1) starts[labels++] = end;
    let hash = ROOT_HASH;
    let known = -1;
    let whole = labels;
    // From the right: the shortest suffix first, as long as it is known.
    for (let label = labels - 1; label >= 0; label--) {
      hash = hashLabel(hash, names, starts[label]!);
      const found = this.#find(hash, names, starts[label]!, end + 1 - starts[label]!);
      if (found < 0) continue;
      known = found;
      whole = label;
    }
    const prefixEnd = whole === labels ? end : starts[whole]!;
    const length = prefixEnd - start + (known < 0 ? 1 : 2);
    if (this.at + length > this.#limit) return false;
    this.#rememberAll(names, start, labels, whole);
    for (let index = start; index < prefixEnd; index++) this.octets[this.at++] = names[index]!;
    if (known < 0) {
      this.octets[this.at++] = 0;
    } else {
      write16(this.octets, this.at, 0xc000 | known);
      this.at += 2;
    }
    return true;
  }

  /** Remembers the suffixes of a name that is about to be written, up to label `whole`. */
  #rememberAll(names: Uint8Array, start: number, labels: number, whole: number): void {
    let hash = ROOT_HASH;
    for (let label = labels - 1; label >= 0; label--) {
      hash = hashLabel(hash, names, this.#starts[label]!);
      if (label < whole) this.#remember(hash, this.at + this.#starts[label]! - start);
    }
  }

  /** Where a name stands in the message; -1 when nowhere. */
  #find(hash: number, names: Uint8Array, at: number, length: number): number {
    for (let index = 0; index < this.#known; index++) {
      if (this.#knownHash[index] !== hash) continue;
      const place = this.#knownAt[index]!;
      if (expandName(this.octets, place, this.#name) === length && equalNames(this.#name, 0, names, at, length)) {
        return place;
      }
    }
    return -1;
  }
}

/**
 * Copies a name of a message that we wrote, pointers followed, and returns its octets. Pointers of ours go backwards only.
 */
function expandName(message: Uint8Array, at: number, into: Uint8Array): number {
  let length = 0;
  let from = at;
  for (;;) {
    const octet = message[from]!;
    if (octet >= 0xc0) {
      from = ((octet & 0x3f) << 8) | message[from + 1]!;
      continue;
    }
    for (let index = 0; index <= octet; index++) into[length++] = message[from++]!;
    if (octet === 0) return length;
  }
}
