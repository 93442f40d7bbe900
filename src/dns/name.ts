// Domain names: master-file text to wire and back (RFC 1035, sections 2.3.4, 3.1 and 5.1), comparison without regard to case
// (RFC 4343), canonical order (RFC 4034, section 6.1).
//
// A name stands in some octets at an offset, uncompressed and checked: from there on the functions read freely. Compressed names
// of messages are not handled here.

import type { DomainName } from './record.ts';

export const MAX_LABEL_OCTETS = 63;
export const MAX_NAME_OCTETS = 255;
/** Of a name of 255 octets whose labels have one octet each; the root's is not counted. */
export const MAX_LABELS = 127;

export const ROOT_NAME: DomainName = Uint8Array.of(0);

/** Why a text is no name; `writeName` returns them. */
export const NAME_ERROR = {
  emptyLabel: -1,
  labelTooLong: -2,
  nameTooLong: -3,
  badEscape: -4,
  /** It does not end in a dot, and there is no origin. */
  noOrigin: -5,
} as const;

const NAME_ERROR_TEXT = new Map<number, string>([
  [NAME_ERROR.emptyLabel, 'a label of the name is empty'],
  [NAME_ERROR.labelTooLong, `a label of the name is longer than ${MAX_LABEL_OCTETS} octets`],
  [NAME_ERROR.nameTooLong, `the name is longer than ${MAX_NAME_OCTETS} octets`],
  [NAME_ERROR.badEscape, 'the name has a bad escape: \\DDD up to \\255, or \\ and a character'],
  [NAME_ERROR.noOrigin, 'the name does not end in a dot, and there is no origin'],
]);

const DOT = 0x2e;
const BACKSLASH = 0x5c;
const AT = 0x40;
const ZERO = 0x30;
const NINE = 0x39;
const STAR = 0x2a;
/** `"$().;@\`: what master files give a meaning. */
const ESCAPED_IN_NAMES = new Set([0x22, 0x24, 0x28, 0x29, DOT, 0x3b, AT, BACKSLASH]);

/** Upper-case letters of ASCII as lower case, everything else as it is. */
export const LOWER_CASE = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet,
);

/** What a NAME_ERROR says to a person. */
export function nameErrorText(error: number): string {
  return NAME_ERROR_TEXT.get(error) ?? 'no name';
}

/**
 * Writes the name whose text is the octets [start, end) of `text` to `into` at `at`, where 255 octets must be free: `@` is the
 * origin, and a text without a dot at its end goes on with it. Returns the offset behind the name, or a NAME_ERROR.
 */
export function writeName(
  text: Uint8Array,
  start: number,
  end: number,
  origin: DomainName | undefined,
  into: Uint8Array,
  at: number,
): number {
  if (end - start === 1) {
    if (text[start] === DOT) {
      into[at] = 0;
      return at + 1;
    }
    if (text[start] === AT) return writeOrigin(origin, into, at, at);
  }
  const limit = at + MAX_NAME_OCTETS - 1;
  let label = at;
  let to = at + 1;
  for (let from = start; from < end;) {
    let octet = text[from++]!;
    if (octet === DOT) {
      if (to === label + 1) return NAME_ERROR.emptyLabel;
      into[label] = to - label - 1;
      label = to++;
      continue;
    }
    if (octet === BACKSLASH) {
      octet = unescapeAt(text, from, end);
      if (octet < 0) return NAME_ERROR.badEscape;
      from += isDigit(text[from]!) ? 3 : 1;
    }
    if (to - label > MAX_LABEL_OCTETS) return NAME_ERROR.labelTooLong;
    if (to >= limit) return NAME_ERROR.nameTooLong;
    into[to++] = octet;
  }
  if (to > label + 1) {
    into[label] = to - label - 1;
    return writeOrigin(origin, into, at, to);
  }
  if (label === at) return NAME_ERROR.emptyLabel;
  into[label] = 0;
  return to;
}

function writeOrigin(origin: DomainName | undefined, into: Uint8Array, start: number, to: number): number {
  if (origin === undefined) return NAME_ERROR.noOrigin;
  if (to - start + origin.length > MAX_NAME_OCTETS) return NAME_ERROR.nameTooLong;
  into.set(origin, to);
  return to + origin.length;
}

function isDigit(octet: number): boolean {
  return octet >= ZERO && octet <= NINE;
}

/** The octet that the escape behind a backslash stands for, `DDD` or one character; -1 when it is none. */
export function unescapeAt(text: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  const first = text[at]!;
  if (!isDigit(first)) return first;
  if (at + 3 > end || !isDigit(text[at + 1]!) || !isDigit(text[at + 2]!)) return -1;
  const value = (first - ZERO) * 100 + (text[at + 1]! - ZERO) * 10 + text[at + 2]! - ZERO;
  return value > 255 ? -1 : value;
}

const scratch = new Uint8Array(MAX_NAME_OCTETS);
const encoder = new TextEncoder();

/** The name of a text, or a NAME_ERROR; characters beyond ASCII count as their UTF-8 octets. */
export function parseName(text: string, origin?: DomainName): DomainName | number {
  const octets = encoder.encode(text);
  const end = writeName(octets, 0, octets.length, origin, scratch, 0);
  return end < 0 ? end : scratch.slice(0, end);
}

/** The name of an absolute text that is known to be one. */
export function nameOf(text: string): DomainName {
  const name = parseName(text, ROOT_NAME);
  if (typeof name === 'number') throw new RangeError(`"${text}": ${nameErrorText(name)}`);
  return name;
}

/** An octet as master files write it; `escaped` says which printable ones need a backslash. */
export function octetText(octet: number, escaped: ReadonlySet<number>): string {
  if (octet <= 0x20 || octet >= 0x7f) return `\\${String(octet).padStart(3, '0')}`;
  const character = String.fromCharCode(octet);
  return escaped.has(octet) ? `\\${character}` : character;
}

/** The absolute text of the name that stands at `at`. */
export function formatName(octets: Uint8Array, at = 0): string {
  if (octets[at] === 0) return '.';
  return labelsText(octets, at, at + nameOctets(octets, at) - 1);
}

/** The same, relative to an origin where it is below: `@`, `www`, or an absolute text. */
export function formatRelativeName(name: DomainName, origin: DomainName): string {
  if (!isSubdomain(name, origin) || origin.length === 1) return formatName(name);
  if (name.length === origin.length) return '@';
  return labelsText(name, 0, name.length - origin.length).slice(0, -1);
}

function labelsText(octets: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end;) {
    const next = at + 1 + octets[at]!;
    for (at++; at < next; at++) text += octetText(octets[at]!, ESCAPED_IN_NAMES);
    text += '.';
  }
  return text;
}

/** Of the name that stands at `at`, the root's 0 included. */
export function nameOctets(octets: Uint8Array, at = 0): number {
  let end = at;
  while (octets[end] !== 0) end += 1 + octets[end]!;
  return end + 1 - at;
}

/** Whether [at, end) begins with a well-formed name, uncompressed; returns the offset behind it, or -1. */
export function checkName(octets: Uint8Array, at: number, end: number): number {
  let to = at;
  while (to < end) {
    const length = octets[to]!;
    if (length > MAX_LABEL_OCTETS) return -1;
    to += 1 + length;
    if (length === 0) return to - at > MAX_NAME_OCTETS ? -1 : to;
  }
  return -1;
}

/** Labels of the name at `at`, without the root's. */
export function countLabels(octets: Uint8Array, at = 0): number {
  let count = 0;
  for (let label = at; octets[label] !== 0; label += 1 + octets[label]!) count++;
  return count;
}

/**
 * Writes where each suffix of the name at `at` begins, the whole name first and the root last, relative to `at`. Returns how
 * many there are: the labels and the root. `into` has room for MAX_LABELS + 1.
 */
export function suffixOffsets(octets: Uint8Array, at: number, into: Uint8Array): number {
  let count = 0;
  let label = at;
  for (; octets[label] !== 0; label += 1 + octets[label]!) into[count++] = label - at;
  into[count++] = label - at;
  return count;
}

/** Ignoring case. */
export function sameName(a: Uint8Array, b: Uint8Array, aAt = 0, bAt = 0): boolean {
  // A length octet is below 64, so lower-casing cannot touch it.
  for (let i = 0; ;) {
    const length = a[aAt + i]!;
    if (length !== b[bAt + i]) return false;
    if (length === 0) return true;
    const next = i + 1 + length;
    for (i++; i < next; i++) if (LOWER_CASE[a[aAt + i]!] !== LOWER_CASE[b[bAt + i]!]) return false;
  }
}

const offsetsOfA = new Uint8Array(MAX_LABELS + 1);
const offsetsOfB = new Uint8Array(MAX_LABELS + 1);

/** Canonical order: by labels from the right, each as lower-case octets, a missing one first. Negative: a stands before b. */
export function compareNames(a: Uint8Array, b: Uint8Array, aAt = 0, bAt = 0): number {
  let left = suffixOffsets(a, aAt, offsetsOfA) - 1;
  let right = suffixOffsets(b, bAt, offsetsOfB) - 1;
  while (left > 0 && right > 0) {
    const order = compareLabels(a, aAt + offsetsOfA[--left]!, b, bAt + offsetsOfB[--right]!);
    if (order !== 0) return order;
  }
  return left - right;
}

function compareLabels(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): number {
  const lengths = a[aAt]! - b[bAt]!;
  const shorter = lengths < 0 ? a[aAt]! : b[bAt]!;
  for (let i = 1; i <= shorter; i++) {
    const order = LOWER_CASE[a[aAt + i]!]! - LOWER_CASE[b[bAt + i]!]!;
    if (order !== 0) return order;
  }
  return lengths;
}

/** Whether a name, the first `octets` of what is given, is an ancestor or stands below it. */
export function isSubdomain(name: Uint8Array, ancestor: DomainName, octets = name.length): boolean {
  const surplus = octets - ancestor.length;
  if (surplus < 0) return false;
  let label = 0;
  while (label < surplus) label += 1 + name[label]!;
  return label === surplus && sameName(name, ancestor, label);
}

/** Lower case, in place, of the name that stands at `at`. */
export function lowerName(octets: Uint8Array, at = 0): void {
  for (let label = at; octets[label] !== 0;) {
    const next = label + 1 + octets[label]!;
    for (label++; label < next; label++) octets[label] = LOWER_CASE[octets[label]!]!;
  }
}

/** Whether its first label is `*` alone (RFC 4592, section 2.1.1). */
export function isWildcard(octets: Uint8Array, at = 0): boolean {
  return octets[at] === 1 && octets[at + 1] === STAR;
}

/** Without its first label; the root's is the root. */
export function parentName(name: DomainName): DomainName {
  return name[0] === 0 ? name : name.subarray(1 + name[0]!);
}
