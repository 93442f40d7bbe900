// Which wide IP has a name: exact names and aliases by the hashes that a query has already, patterns only below the names that they
// end in. An entry knows for each type of question which wide IP answers it, so that finding it is a look at one number.

import { LOWER_CASE } from '../dns/name.ts';
import { equalNames } from '../dns/name-hash.ts';
import type { Query } from '../dns/query.ts';
import { TYPE } from '../dns/record-types.ts';
import type { WideIpNameTables, WideIpTables } from './tables.ts';

/** NAPTR (RFC 3403): no type that zones treat in a way of its own. */
export const NAPTR = 35;

/** What questions are told apart by: the types of wide IPs, by their place in WIDE_IP_TYPES, and two more. */
export const Column = { a: 0, aaaa: 1, cname: 2, mx: 3, naptr: 4, srv: 5, other: 6, any: 7 } as const;
export type Column = (typeof Column)[keyof typeof Column];
export const COLUMNS = 8;

/** Numbers of a name that wide IPs have, or that is above such a name. */
const NameField = {
  hash: 0,
  /** Where the name stands in `octets`, and its octets. */
  at: 1,
  octets: 2,
  /** The most specific pattern that ends in this name, or -1. */
  firstPattern: 3,
  /** By `Column`: the wide IP that answers, or -1. */
  wideIps: 4,
} as const;
const NAME_NUMBERS = NameField.wideIps + COLUMNS;

/** Numbers of a pattern; a smaller number is a more specific one. */
export const PatternField = {
  /** Where its text stands in `octets`, in lower case, and its characters. */
  at: 0,
  octets: 1,
  /** The next less specific pattern that ends in the same name, or -1. */
  next: 2,
  wideIps: 3,
} as const;
export const PATTERN_NUMBERS = PatternField.wideIps + COLUMNS;

/** What `find` returns when no wide IP answers. */
export const NameFinding = {
  /** No wide IP has the name, nor one below it. */
  nothing: -1,
  /** The name is there, but has nothing of the type. */
  exists: -2,
} as const;

const DOT = 0x2e;
const STAR = 0x2a;
const QUESTION_MARK = 0x3f;

/** Octets as patterns have them: lower case, and a dot within a label is none of the dots between labels. */
const TEXT = Uint8Array.from(LOWER_CASE);
TEXT[DOT] = 0;

export function columnOf(type: number): Column {
  switch (type) {
    case TYPE.A:
      return Column.a;
    case TYPE.AAAA:
      return Column.aaaa;
    case TYPE.CNAME:
      return Column.cname;
    case TYPE.MX:
      return Column.mx;
    case NAPTR:
      return Column.naptr;
    case TYPE.SRV:
      return Column.srv;
    case TYPE.ANY:
      return Column.any;
    default:
      return Column.other;
  }
}

export class WideIpFinder {
  readonly #names: WideIpNameTables;
  readonly #octets: Uint8Array;
  readonly #hasPatterns: boolean;
  /** The name of the query as a text, once a pattern has to be held against it. */
  readonly #text = new Uint8Array(256);
  #textOctets = 0;
  #pattern = -1;

  constructor({ names, octets }: Pick<WideIpTables, 'names' | 'octets'>) {
    this.#names = names;
    this.#octets = octets;
    this.#hasPatterns = names.patterns.length > 0;
  }

  /** The pattern by which the last name was found; -1: by itself. */
  get pattern(): number {
    return this.#pattern;
  }

  /** The wide IP that answers a question, or a NameFinding. Its own type goes before an alias, and the name before patterns. */
  find(query: Query, column: Column): number {
    this.#pattern = -1;
    const entry = this.#entryAt(query, 0);
    if (entry < 0) return this.#hasPatterns ? this.#findPattern(query, column, false) : NameFinding.nothing;
    const { entries } = this.#names;
    const wideIps = entry * NAME_NUMBERS + NameField.wideIps;
    const found = entries[wideIps + column]!;
    if (found >= 0) return found;
    if (!this.#hasPatterns) return NameFinding.exists;
    // An alias by a pattern would stand beside the other records of the name.
    const byPattern = this.#findPattern(query, column, entries[wideIps + Column.any]! >= 0);
    return byPattern >= 0 ? byPattern : NameFinding.exists;
  }

  /** The entry of what the query's name is from label `label` on; -1 without one. */
  #entryAt(query: Query, label: number): number {
    const { slots, entries } = this.#names;
    const hash = query.hashes[label]!;
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot]! - 1;
      if (entry < 0) return -1;
      const base = entry * NAME_NUMBERS;
      if (entries[base + NameField.hash] !== hash) continue;
      const start = query.labelStarts[label]!;
      const octets = entries[base + NameField.octets]!;
      if (
        octets === query.nameOctets - (start - query.nameStart) &&
        equalNames(this.#octets, entries[base + NameField.at]!, query.octets, start, octets)
      ) {
        return entry;
      }
    }
  }

  /** The most specific pattern that the name is like and that has something of the type. */
  #findPattern(query: Query, column: Column, hasOthers: boolean): number {
    const { entries, patterns, patternLabels } = this.#names;
    this.#textOctets = 0;
    let best = 0x7fff_ffff;
    let found: number = NameFinding.nothing;
    // A wildcard stands for one label at least, or for a part of one.
    for (let label = Math.max(1, query.labels - patternLabels); label <= query.labels; label++) {
      const entry = this.#entryAt(query, label);
      if (entry < 0) continue;
      let pattern = entries[entry * NAME_NUMBERS + NameField.firstPattern]!;
      for (; pattern >= 0 && pattern < best; pattern = patterns[pattern * PATTERN_NUMBERS + PatternField.next]!) {
        if (this.#textOctets === 0) this.#readText(query);
        if (!this.#isLike(pattern)) continue;
        if (found === NameFinding.nothing) found = NameFinding.exists;
        const wideIps = pattern * PATTERN_NUMBERS + PatternField.wideIps;
        const wideIp = patterns[wideIps + column]!;
        const isAlias = column !== Column.cname && wideIp === patterns[wideIps + Column.cname];
        if (wideIp < 0 || (hasOthers && isAlias)) continue;
        best = this.#pattern = pattern;
        found = wideIp;
        break;
      }
    }
    return found;
  }

  #readText({ octets, labelStarts, labels, nameStart, nameOctets }: Query): void {
    const text = this.#text;
    const from = nameStart + 1;
    const length = nameOctets - 2;
    for (let index = 0; index < length; index++) text[index] = TEXT[octets[from + index]!]!;
    for (let label = 1; label < labels; label++) text[labelStarts[label]! - from] = DOT;
    this.#textOctets = length;
  }

  /** Whether `*`, any number of characters, and `?`, exactly one, make the pattern the name: the last `*` takes what is needed. */
  #isLike(pattern: number): boolean {
    const base = pattern * PATTERN_NUMBERS;
    const octets = this.#octets;
    const text = this.#text;
    const end = this.#textOctets;
    let at = this.#names.patterns[base + PatternField.at]!;
    const patternEnd = at + this.#names.patterns[base + PatternField.octets]!;
    let textAt = 0;
    let star = -1;
    let starText = 0;
    while (textAt < end) {
      const octet = at < patternEnd ? octets[at]! : -1;
      if (octet === STAR) {
        star = at++;
        starText = textAt;
      } else if (octet === text[textAt] || octet === QUESTION_MARK) {
        at++;
        textAt++;
      } else if (star >= 0) {
        at = star + 1;
        textAt = ++starText;
      } else {
        return false;
      }
    }
    while (at < patternEnd && octets[at] === STAR) at++;
    return at === patternEnd;
  }
}
