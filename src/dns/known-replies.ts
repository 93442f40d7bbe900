// Whole replies that were given before, by the octets that asked for them: most of what a zone is asked it was asked a moment ago, and
// to copy a reply takes a quarter of the time that it takes to read a question and to look for it. Of a question that leads to a wide IP,
// whose replies differ, what was read is known, and the wide IP.
//
// Only what depends on nothing but the question and the sources is here (`Responder` decides). A question is compared from its flags to its
// end, so letters of either case are two questions, and nobody gets another's reply. Everything is looked at and
// copied by words as they lie in memory, the low octet first.

import { read16 } from '../core/octets.ts';
import { HEADER_OCTETS, type Query } from './query.ts';

/** Numbers of an entry. The words of the question behind its flags come after them, and the reply from its word `replyFrom` on. */
const Field = {
  /** That knows of it. */
  slot: 0,
  /** Octets of the question | of the reply << 8 | `replyFrom` << 16 | additional records of the reply << 24. */
  extent: 1,
  /**
   * Of the reply without its id, by halves of words (RFC 1071, section 2 B), 16 bits | its answers << 16 | its authorities << 24. Of a wide
   * IP what the question says: `Known` | octets up to its end << 8 | octets that its sender takes << 16.
   */
  sum: 2,
  /** What the rate limit takes it for. */
  kind: 3,
  /** Number of the zone << 2 | what that said; less than 0: -1 less the number of the wide IP. */
  zone: 4,
  /** Of the question | of the reply << 16. */
  flags: 5,
  /** Whose it is, by which sources. */
  generation: 6,
} as const;
/** Bits of what is known of a question. */
const Known = { hasEdns: 1, wantsDnssec: 2, wantsNsid: 4 } as const;
const HEAD_NUMBERS = 7;
/** Three lines of a cache, of which a short reply needs two. */
const ENTRY_NUMBERS = 48;
const ROOM = ENTRY_NUMBERS - HEAD_NUMBERS;
/** Together 3.1 MB, of which is used what was noted. */
const ENTRIES_BITS = 14;
const ENTRIES = 1 << ENTRIES_BITS;
/**
 * A slot is a number, so that all of them, 128 KB, stay near the core: the entry's place and one, and above that bits of the hash; 0: it is
 * free.
 */
const PLACE_MASK = (1 << (ENTRIES_BITS + 1)) - 1;
/** Slots that a hash may be in, side by side: a line of a cache has two such sets. */
const WAYS = 8;
const SETS_BITS = 12;
/** What the C library allocates in such sizes starts 16 octets behind a page, so that from here on lines of a cache begin. */
const FIRST = 12;
const MAX_OCTETS = 255;
/** Octets of a header, and of the least question behind it. */
const LEAST_OCTETS = 12 + 5;
/** Of questions that are not known so many are not noted: a flood of names that nobody asks for twice costs little. */
const PASSED_OVER = 3;

const NONE = -1;
/** The first word of counts as it lies in memory. */
const ONE_QUESTION = 0x0100;
const NO_WORDS = new Int32Array(0);

/** What all responders of a thread share: a hundred listeners take no more than one. Not made before there is something to note. */
const memory = { slots: NO_WORDS, entries: NO_WORDS, next: 0, filled: 0, generations: 0 };

export class KnownReplies {
  #slots = memory.slots;
  #entries = memory.entries;
  #generation = ++memory.generations;
  /** So that nobody knows which questions share a place. */
  readonly #seed = (Math.random() * 2 ** 32) | 0;
  #octets: Uint8Array = new Uint8Array(0);
  /** The memory of `#octets`. */
  #words: Int32Array = NO_WORDS;
  /** Of the question that was looked for last, and that question, if it is to be noted. */
  #hash = 0;
  readonly #question = new Int32Array((MAX_OCTETS + 1) >> 2);
  #questionOctets = 0;
  #passedOver = 0;
  #nextWay = 0;

  /** Forgets all of them. */
  clear(): void {
    this.#generation = ++memory.generations;
  }

  /** The entry of the message between `start` and `end`; less than 0: none. */
  find(octets: Uint8Array, start: number, end: number): number {
    if (octets !== this.#octets) this.#view(octets);
    const words = this.#words;
    const first = start >> 2;
    const length = end - start;
    // A reply is copied by whole words, too.
    const isFit = length >= LEAST_OCTETS && length <= MAX_OCTETS && (start & 3) === 0;
    if (!isFit || first + (MAX_OCTETS >> 2) >= words.length) return this.#cannot();
    const last = (end - 1) >> 2;
    const lastWord = words[last]! & lastMask(end);
    const flags = words[first]! >>> 16;
    let hash = mixed(this.#seed ^ flags, length);
    for (let word = first + 3; word < last; word++) hash = mixed(hash, words[word]!);
    hash = mixed(hash, lastWord);
    // Low bits of a product know nothing of high ones.
    hash ^= hash >>> 15;
    this.#hash = hash;
    const slots = this.#slots;
    const set = setOf(hash);
    const tag = tagOf(hash);
    for (let slot = set; slot < set + WAYS; slot++) {
      const place = slots[slot]! ^ tag;
      if ((place & ~PLACE_MASK) !== 0) continue;
      const entry = entryAt(place);
      if (entry >= 0 && this.#is(entry, first, last, lastWord, flags, length)) return entry;
    }
    return NONE;
  }

  #is(entry: number, first: number, last: number, lastWord: number, flags: number, length: number): boolean {
    const entries = this.#entries;
    const words = this.#words;
    if (entries[entry + Field.generation] !== this.#generation) return false;
    if ((entries[entry + Field.extent]! & 0xff) !== length || (entries[entry + Field.flags]! & 0xffff) !== flags) {
      return false;
    }
    let at = entry + HEAD_NUMBERS;
    for (let word = first + 1; word < last; word++) if (entries[at++] !== words[word]) return false;
    return entries[at] === lastWord;
  }

  /** Writes the reply of an entry over the question that it was found for; returns where it ends. */
  write(entry: number, start: number): number {
    const entries = this.#entries;
    const words = this.#words;
    const extent = entries[entry + Field.extent]!;
    const first = start >> 2;
    words[first] = (words[first]! & 0xffff) | (entries[entry + Field.flags]! & 0xffff_0000);
    const counts = entries[entry + Field.sum]!;
    words[first + 1] = ONE_QUESTION | ((counts << 8) & 0xff00_0000);
    words[first + 2] = ((counts >>> 16) & 0xff00) | (extent & 0xff00_0000);
    let from = entry + HEAD_NUMBERS + questionWords(extent & 0xff);
    const octets = (extent >>> 8) & 0xff;
    const end = first + ((octets + 3) >> 2);
    for (let word = first + ((extent >>> 16) & 0xff); word < end; word++) words[word] = entries[from++]!;
    return start + octets;
  }

  sum(entry: number): number {
    return this.#entries[entry + Field.sum]! & 0xffff;
  }

  kind(entry: number): number {
    return this.#entries[entry + Field.kind]!;
  }

  zone(entry: number): number {
    return this.#entries[entry + Field.zone]! >> 2;
  }

  finding(entry: number): number {
    return this.#entries[entry + Field.zone]! & 3;
  }

  /** The wide IP that the question leads to, and then there is no reply; less than 0: none. */
  wideIp(entry: number): number {
    return -1 - this.#entries[entry + Field.zone]!;
  }

  /** Reads the question between `start` and `end` that the entry of a wide IP was found for, but for labels and hashes of its name. */
  recall(entry: number, octets: Uint8Array, start: number, end: number, query: Query): void {
    const facts = this.#entries[entry + Field.sum]!;
    const questionEnd = start + ((facts >>> 8) & 0xff);
    query.octets = octets;
    query.start = start;
    query.end = end;
    query.questionEnd = questionEnd;
    query.flags = read16(octets, start + 2);
    query.type = read16(octets, questionEnd - 4);
    query.class = read16(octets, questionEnd - 2);
    query.nameOctets = questionEnd - 4 - start - HEADER_OCTETS;
    query.hasEdns = (facts & Known.hasEdns) !== 0;
    query.wantsDnssec = (facts & Known.wantsDnssec) !== 0;
    query.wantsNsid = (facts & Known.wantsNsid) !== 0;
    query.udpOctets = facts >>> 16;
    query.subnetStart = query.subnetOctets = query.cookieStart = query.cookieOctets = query.tsigStart = 0;
  }

  /** Whether the reply to the question that was not found is to be noted: then `note` may follow. */
  keepQuestion(start: number, end: number): boolean {
    this.#questionOctets = 0;
    if (this.#hash === 0 || this.#passedOver++ < PASSED_OVER) return false;
    this.#passedOver = 0;
    const words = this.#words;
    const last = (end - 1) >> 2;
    this.#questionOctets = end - start;
    for (let word = start >> 2; word < last; word++) this.#question[word - (start >> 2)] = words[word]!;
    this.#question[last - (start >> 2)] = words[last]! & lastMask(end);
    return true;
  }

  /**
   * Notes the reply between `start` and `end` to the question that was kept, which is in it up to `questionEnd`; not if it is too
   * long. `zone`, `finding`, `kind`: for whoever finds it.
   */
  note(start: number, end: number, questionEnd: number, zone: number, finding: number, kind: number): void {
    const words = this.#words;
    const first = start >> 2;
    const replyFrom = (questionEnd - start) >> 2;
    const octets = end - start;
    const asked = questionWords(this.#questionOctets);
    if (octets > MAX_OCTETS || asked + ((octets + 3) >> 2) - replyFrom > ROOM) return;
    const entry = this.#place();
    const entries = this.#entries;
    // Records have eleven octets at least: none of the counts has a high octet.
    const counts = words[first + 1]!;
    const moreCounts = words[first + 2]!;
    entries[entry + Field.extent] =
      this.#questionOctets | (octets << 8) | (replyFrom << 16) | (moreCounts & 0xff00_0000);
    entries[entry + Field.kind] = kind;
    entries[entry + Field.zone] = (zone << 2) | finding;
    entries[entry + Field.flags] = (this.#question[0]! >>> 16) | (words[first]! & 0xffff_0000);
    let to = entry + HEAD_NUMBERS;
    for (let word = 1; word <= asked; word++) entries[to++] = this.#question[word]!;
    const last = (end - 1) >> 2;
    let sum = words[first]! >>> 16;
    for (let word = first + 1; word <= last; word++) {
      const value = word === last ? words[word]! & lastMask(end) : words[word]!;
      sum += (value & 0xffff) + (value >>> 16);
      if (word >= first + replyFrom) entries[to++] = value;
    }
    sum = (sum & 0xffff) + (sum >>> 16);
    sum = (sum & 0xffff) + (sum >>> 16);
    entries[entry + Field.sum] = sum | ((counts >>> 8) & 0xff_0000) | ((moreCounts & 0xff00) << 16);
  }

  /** Notes of the question that was kept that it was read as `query`, without cookie, subnet and TSIG, and leads to a wide IP. */
  noteWideIp(query: Query, wideIp: number): void {
    const asked = questionWords(this.#questionOctets);
    if (asked > ROOM) return;
    const entry = this.#place();
    const entries = this.#entries;
    const known =
      (query.hasEdns ? Known.hasEdns : 0) |
      (query.wantsDnssec ? Known.wantsDnssec : 0) |
      (query.wantsNsid ? Known.wantsNsid : 0);
    entries[entry + Field.extent] = this.#questionOctets;
    entries[entry + Field.sum] = known | ((query.questionEnd - query.start) << 8) | (query.udpOctets << 16);
    entries[entry + Field.zone] = -1 - wideIp;
    entries[entry + Field.flags] = this.#question[0]! >>> 16;
    for (let word = 1; word <= asked; word++) entries[entry + HEAD_NUMBERS + word - 1] = this.#question[word]!;
  }

  /** An entry for the hash, which has a slot from now on: of a full set one loses its own, and of a full table that of longest ago. */
  #place(): number {
    if (memory.entries.length === 0) {
      memory.slots = new Int32Array(FIRST + (WAYS << SETS_BITS));
      memory.entries = new Int32Array(FIRST + ENTRIES * ENTRY_NUMBERS);
    }
    this.#slots = memory.slots;
    this.#entries = memory.entries;
    const slots = this.#slots;
    const set = setOf(this.#hash);
    for (let slot = set; slot < set + WAYS; slot++) if (slots[slot] === 0) return this.#fill(slot, this.#take());
    this.#nextWay = (this.#nextWay + 1) % WAYS;
    const slot = set + this.#nextWay;
    return this.#fill(slot, slots[slot]! & PLACE_MASK);
  }

  /** The place of an entry, and one. */
  #take(): number {
    const place = memory.next + 1;
    if (memory.filled === ENTRIES) this.#slots[this.#entries[entryAt(place) + Field.slot]!] = 0;
    else memory.filled++;
    memory.next = place % ENTRIES;
    return place;
  }

  #fill(slot: number, place: number): number {
    const entry = entryAt(place);
    this.#slots[slot] = tagOf(this.#hash) | place;
    this.#entries[entry + Field.slot] = slot;
    this.#entries[entry + Field.generation] = this.#generation;
    return entry;
  }

  #view(octets: Uint8Array): void {
    this.#octets = octets;
    const isFit = (octets.byteOffset & 3) === 0;
    this.#words = isFit ? new Int32Array(octets.buffer, octets.byteOffset, octets.length >> 2) : NO_WORDS;
  }

  #cannot(): number {
    this.#hash = 0;
    return NONE;
  }
}

const setOf = (hash: number): number => FIRST + (hash >>> (32 - SETS_BITS)) * WAYS;
/** Of the bits that the set does not say. */
const tagOf = (hash: number): number => hash << (ENTRIES_BITS + 1);

/** `place`: that of the entry, and one; of 0 it is less than 0. */
const entryAt = (place: number): number => FIRST + (place - 1) * ENTRY_NUMBERS;

/** Words of a question behind that of its flags. */
const questionWords = (octets: number): number => ((octets + 3) >> 2) - 1;

/** Of the word in which a message ends, those octets that it has. */
const lastMask = (end: number): number => (-1 >>> (24 - (((end - 1) & 3) << 3))) | 0;

const mixed = (hash: number, word: number): number => Math.imul(((hash << 15) | (hash >>> 17)) ^ word, 0x9e37_79b1);
