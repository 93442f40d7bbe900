// The kinds of fields that RDATA consists of: each from words to octets, from octets to words, and where it ends on the wire.

import { formatIpv4, formatIpv6, parseIpv6 } from '../core/address.ts';
import { read16, read32 } from '../core/octets.ts';
import { checkName, formatName, nameErrorText, octetText, unescapeAt, writeName } from './name.ts';
import type { DomainName } from './record.ts';
import { decodeBase64, decodeHex, formatBase64, formatHex } from './rdata-encodings.ts';
import { QUOTES, RecordTextError, wordText, type RdataBuffer, type Words } from './words.ts';

export type FieldKind = {
  /** A name, which comparisons and canonical forms treat without regard to case. */
  readonly isName?: true;
  /** Takes its words and appends its octets; throws RecordTextError. */
  read(words: Words, into: RdataBuffer, origin: DomainName | undefined): void;
  /** The offset behind the field in [at, end), or -1 where it does not stand there. */
  skip(octets: Uint8Array, at: number, end: number): number;
  /** What `read` takes, of the field that stands in [at, end), which `skip` has accepted. */
  print(octets: Uint8Array, at: number, end: number): string;
};

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const DOT = 0x2e;
const MAX_STRING_OCTETS = 255;
const ESCAPED_IN_STRINGS = new Set([QUOTE, BACKSLASH]);

/** Moves to a word that must be there and must not be quoted. */
export function nextWord(words: Words, what: string): void {
  if (!words.next(QUOTES.string)) throw new RecordTextError(`${what} is missing`);
  if (words.quoted) throw new RecordTextError(`${what} must not stand in quotes`);
}

/** Decimal digits and nothing else, up to `max`. */
export function readNumber(words: Words, what: string, max: number): number {
  const { text, start, end } = words;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = text[at]! - 0x30;
    if (digit < 0 || digit > 9) throw new RecordTextError(`${what} must be a number: "${wordText(words)}"`);
    value = value * 10 + digit;
    if (value > max) throw new RecordTextError(`${what} must not be greater than ${max}: "${wordText(words)}"`);
  }
  if (start === end) throw new RecordTextError(`${what} must be a number`);
  return value;
}

const UNITS = new Map(
  [
    ['w', 604_800],
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ].map(([unit, seconds]) => [(unit as string).charCodeAt(0), seconds as number]),
);

/** Seconds: a number, or numbers with units such as `1h30m`; -1 when the word is neither or has more than 32 bits. */
export function readSeconds(text: Uint8Array, start: number, end: number): number {
  let total = 0;
  let value = 0;
  let digits = 0;
  let units = 0;
  for (let at = start; at < end; at++) {
    const octet = text[at]!;
    if (octet >= 0x30 && octet <= 0x39) {
      value = value * 10 + octet - 0x30;
      digits++;
      continue;
    }
    const unit = UNITS.get(octet | 0x20);
    if (unit === undefined || digits === 0) return -1;
    total += value * unit;
    value = 0;
    digits = 0;
    units++;
  }
  if (digits > 0 ? units > 0 : units === 0) return -1;
  total += value;
  return total > 0xffff_ffff ? -1 : total;
}

function number(octets: 1 | 2 | 4, what: string): FieldKind {
  const max = 2 ** (8 * octets) - 1;
  return {
    read(words, into) {
      nextWord(words, what);
      const value = readNumber(words, what, max);
      if (octets === 1) into.put8(value);
      else if (octets === 2) into.put16(value);
      else into.put32(value);
    },
    skip: fixed(octets),
    print: (data, at) => String(octets === 1 ? data[at]! : octets === 2 ? read16(data, at) : read32(data, at) >>> 0),
  };
}

/** A field of as many octets as it says. */
export function fixed(octets: number): FieldKind['skip'] {
  return (_, at, end) => (at + octets > end ? -1 : at + octets);
}

/** Kinds of numbers, named as messages call them. */
export const u8 = (what: string): FieldKind => number(1, what);
export const u16 = (what: string): FieldKind => number(2, what);
export const u32 = (what: string): FieldKind => number(4, what);

/** 8 bits that may be written as one of these mnemonics, and are printed as a number. */
export function mnemonic8(what: string, mnemonics: Readonly<Record<string, number>>): FieldKind {
  return {
    ...u8(what),
    read(words, into) {
      nextWord(words, what);
      into.put8(mnemonics[wordText(words).toUpperCase()] ?? readNumber(words, what, 255));
    },
  };
}

/** A number that is read and printed by its mnemonic where it has one. */
export function named(octets: 1 | 2, what: string, mnemonics: Readonly<Record<string, number>>): FieldKind {
  const plain = number(octets, what);
  const names = new Map(Object.entries(mnemonics).map(([mnemonic, value]) => [value, mnemonic]));
  return {
    ...plain,
    read(words, into) {
      nextWord(words, what);
      const value = mnemonics[wordText(words).toUpperCase()] ?? readNumber(words, what, 2 ** (8 * octets) - 1);
      if (octets === 1) into.put8(value);
      else into.put16(value);
    },
    print: (data, at, end) => names.get(octets === 1 ? data[at]! : read16(data, at)) ?? plain.print(data, at, end),
  };
}

/** 32 bits of seconds, with or without units. */
export const period: FieldKind = {
  ...u32('a time'),
  read(words, into) {
    nextWord(words, 'a time');
    const seconds = readSeconds(words.text, words.start, words.end);
    if (seconds < 0) throw new RecordTextError(`not a time in seconds: "${wordText(words)}"`);
    into.put32(seconds);
  },
};

/** Dotted decimal of exactly four numbers without leading zeros; a signed integer, or undefined. */
function readIpv4(text: Uint8Array, start: number, end: number): number | undefined {
  let word = 0;
  let octet = -1;
  let dots = 0;
  for (let at = start; at < end; at++) {
    const digit = text[at]! - 0x30;
    if (digit >= 0 && digit <= 9) {
      // Behind a 0 nothing follows.
      if (octet === 0) return undefined;
      octet = octet < 0 ? digit : octet * 10 + digit;
      if (octet > 255) return undefined;
    } else {
      if (text[at] !== DOT || octet < 0 || ++dots > 3) return undefined;
      word = (word << 8) | octet;
      octet = -1;
    }
  }
  return octet < 0 || dots !== 3 ? undefined : (word << 8) | octet;
}

export const ipv4: FieldKind = {
  read(words, into) {
    nextWord(words, 'the address');
    const word = readIpv4(words.text, words.start, words.end);
    if (word === undefined) throw new RecordTextError(`not an IPv4 address: "${wordText(words)}"`);
    into.put32(word);
  },
  skip: fixed(4),
  print: (octets, at) => formatIpv4(read32(octets, at)),
};

export const ipv6: FieldKind = {
  read(words, into) {
    nextWord(words, 'the address');
    const address = parseIpv6(wordText(words));
    if (address === undefined) throw new RecordTextError(`not an IPv6 address: "${wordText(words)}"`);
    for (const word of address) into.put32(word);
  },
  skip: fixed(16),
  print: (octets, at) => {
    const word = (index: number) => read32(octets, at + 4 * index);
    return formatIpv6([word(0), word(1), word(2), word(3)]);
  },
};

export const name: FieldKind = {
  isName: true,
  read(words, into, origin) {
    nextWord(words, 'a name');
    const end = writeName(words.text, words.start, words.end, origin, into.octets, into.end);
    if (end < 0) throw new RecordTextError(`"${wordText(words)}": ${nameErrorText(end)}`);
    into.end = end;
    into.room(0);
  },
  skip: checkName,
  print: (octets, at) => formatName(octets, at),
};

/** Appends the octets of the current word, its escapes undone; at most `max`. */
function putUnescaped(words: Words, into: RdataBuffer, max: number, what: string): void {
  const { text, start, end } = words;
  const first = into.end;
  for (let at = start; at < end;) {
    let octet = text[at++]!;
    if (octet === BACKSLASH) {
      octet = unescapeAt(text, at, end);
      if (octet < 0) throw new RecordTextError(`${what} has a bad escape: \\DDD up to \\255, or \\ and a character`);
      at += text[at]! >= 0x30 && text[at]! <= 0x39 ? 3 : 1;
    }
    into.put8(octet);
  }
  if (into.end - first > max) throw new RecordTextError(`${what} is longer than ${max} octets`);
}

/** In quotes, as master files write it. */
export function quotedText(octets: Uint8Array, at: number, end: number): string {
  let text = '"';
  for (; at < end; at++) text += octets[at] === 0x20 ? ' ' : octetText(octets[at]!, ESCAPED_IN_STRINGS);
  return `${text}"`;
}

function putString(words: Words, into: RdataBuffer): void {
  const length = into.end;
  into.put8(0);
  putUnescaped(words, into, MAX_STRING_OCTETS, 'a string');
  into.octets[length] = into.end - length - 1;
}

function skipString(octets: Uint8Array, at: number, end: number): number {
  return at >= end || at + 1 + octets[at]! > end ? -1 : at + 1 + octets[at]!;
}

/** A character-string (RFC 1035, section 3.3). */
export const string: FieldKind = {
  read(words, into) {
    if (!words.next(QUOTES.string)) throw new RecordTextError('a string is missing');
    putString(words, into);
  },
  skip: skipString,
  print: (octets, at, end) => quotedText(octets, at + 1, end),
};

/** One character-string or more, up to the end. */
export const strings: FieldKind = {
  read(words, into) {
    string.read(words, into, undefined);
    while (words.next(QUOTES.string)) putString(words, into);
  },
  skip(octets, at, end) {
    let next = at;
    do next = skipString(octets, next, end);
    while (next >= 0 && next < end);
    return next;
  },
  print(octets, at, end) {
    const texts: string[] = [];
    while (at < end) {
      const next = at + 1 + octets[at]!;
      texts.push(quotedText(octets, at + 1, next));
      at = next;
    }
    return texts.join(' ');
  },
};

/** All that is left, as one string without a length; URI takes it in quotes only. */
export function text(what: string, onlyQuoted: boolean): FieldKind {
  return {
    read(words, into) {
      if (!words.next(QUOTES.string)) throw new RecordTextError(`${what} is missing`);
      if (onlyQuoted && !words.quoted) throw new RecordTextError(`${what} must stand in quotes`);
      putUnescaped(words, into, Infinity, what);
    },
    skip: (_, __, end) => end,
    print: quotedText,
  };
}

/** A string of letters and digits with its length in front (RFC 8659, section 4.1). */
export const tag: FieldKind = {
  read(words, into) {
    nextWord(words, 'the tag');
    if (!/^[0-9A-Za-z]{1,255}$/.test(wordText(words))) throw new RecordTextError(`not a tag: "${wordText(words)}"`);
    putString(words, into);
  },
  skip(octets, at, end) {
    const next = skipString(octets, at, end);
    if (next <= at + 1) return -1;
    for (let i = at + 1; i < next; i++) if (!/[0-9A-Za-z]/.test(String.fromCharCode(octets[i]!))) return -1;
    return next;
  },
  print: (octets, at, end) => String.fromCharCode(...octets.subarray(at + 1, end)),
};

/** All words that are left, joined: encodings may be cut anywhere. */
export function joinedWords(words: Words, what: string): string {
  nextWord(words, what);
  let joined = wordText(words);
  while (words.next(QUOTES.string)) joined += wordText(words);
  return joined;
}

/** All octets that are left, one at least. */
function encoded(
  what: string,
  decode: (text: string) => Uint8Array | undefined,
  format: (octets: Uint8Array) => string,
): FieldKind {
  return {
    read(words, into) {
      const octets = decode(joinedWords(words, what));
      if (octets === undefined || octets.length === 0) throw new RecordTextError(`${what} is malformed`);
      into.putAll(octets);
    },
    skip: (_, at, end) => (at < end ? end : -1),
    print: (octets, at, end) => format(octets.subarray(at, end)),
  };
}

export const hex = (what: string): FieldKind => encoded(`${what} (hexadecimal)`, decodeHex, formatHex);
export const base64 = (what: string): FieldKind => encoded(`${what} (base 64)`, decodeBase64, formatBase64);
