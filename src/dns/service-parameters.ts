// The parameters of SVCB and HTTPS records (RFC 9460, sections 2.1, 7 and 8; dohpath: RFC 9461, section 5).

import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from '../core/address.ts';
import { read16, read32, write16, write32 } from '../core/octets.ts';
import { octetText, unescapeAt } from './name.ts';
import { decodeBase64, formatBase64 } from './rdata-encodings.ts';
import { quotedText, type FieldKind } from './rdata-fields.ts';
import { QUOTES, RecordTextError, wordText, type Words } from './words.ts';

const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const EQUALS = 0x3d;
const MANDATORY = 0;
const ALPN = 1;
const NO_DEFAULT_ALPN = 2;
const DOHPATH = 7;
const ESCAPED = new Set([QUOTE, BACKSLASH]);

type ParameterKind = {
  readonly name: string;
  /** From the value with the escapes of strings undone; undefined when it is no such value. */
  read(value: Uint8Array): Uint8Array | undefined;
  /** Whether the octets are a value. */
  isValid(octets: Uint8Array): boolean;
  /** Undefined for a parameter that has none. */
  print(octets: Uint8Array): string | undefined;
};

const latin1 = new TextDecoder('latin1');

/** Comma-separated, with `\,` and `\\` (RFC 9460, appendix A.1); undefined where an item is empty. */
function splitList(value: Uint8Array): Uint8Array[] | undefined {
  const items: number[][] = [[]];
  for (let at = 0; at < value.length; at++) {
    const octet = value[at]!;
    if (octet === COMMA) items.push([]);
    else if (octet === BACKSLASH && ++at >= value.length) return undefined;
    else items.at(-1)!.push(value[at]!);
  }
  return items.some((item) => item.length === 0) ? undefined : items.map((item) => Uint8Array.from(item));
}

function joinAll(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function octets16(value: number): Uint8Array {
  const octets = new Uint8Array(2);
  write16(octets, 0, value);
  return octets;
}

function pieces(octets: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: octets.length / size }, (_, i) => octets.subarray(i * size, (i + 1) * size));
}

const mandatory: ParameterKind = {
  name: 'mandatory',
  read(value) {
    const keys = splitList(value)?.map((item) => keyOf(latin1.decode(item)));
    if (keys?.every((key) => key !== undefined) !== true) return undefined;
    const sorted = keys.sort((a, b) => a - b);
    return new Set(sorted).size < sorted.length ? undefined : joinAll(sorted.map(octets16));
  },
  isValid: (octets) =>
    octets.length > 0 &&
    octets.length % 2 === 0 &&
    pieces(octets, 2).every((key, i, all) => i === 0 || read16(key, 0) > read16(all[i - 1]!, 0)),
  print: (octets) =>
    pieces(octets, 2)
      .map((key) => keyName(read16(key, 0)))
      .join(','),
};

const alpn: ParameterKind = {
  name: 'alpn',
  read(value) {
    const items = splitList(value);
    if (items?.every(({ length }) => length <= 255) !== true) return undefined;
    return joinAll(items.flatMap((item) => [Uint8Array.of(item.length), item]));
  },
  isValid(octets) {
    let at = 0;
    while (at < octets.length && octets[at] !== 0) at += 1 + octets[at]!;
    return octets.length > 0 && at === octets.length;
  },
  print(octets) {
    const list: number[] = [];
    for (let at = 0; at < octets.length;) {
      const next = at + 1 + octets[at]!;
      if (at > 0) list.push(COMMA);
      for (at++; at < next; at++) {
        if (octets[at] === COMMA || octets[at] === BACKSLASH) list.push(BACKSLASH);
        list.push(octets[at]!);
      }
    }
    // Without a space inside, as BIND has it: a list ends at one where there are no quotes.
    return `"${list.map((octet) => octetText(octet, ESCAPED)).join('')}"`;
  },
};

const noDefaultAlpn: ParameterKind = {
  name: 'no-default-alpn',
  read: (value) => (value.length === 0 ? value : undefined),
  isValid: (octets) => octets.length === 0,
  print: () => undefined,
};

const port: ParameterKind = {
  name: 'port',
  read(value) {
    const digits = latin1.decode(value);
    return /^\d{1,9}$/.test(digits) && Number(digits) <= 0xffff ? octets16(Number(digits)) : undefined;
  },
  isValid: (octets) => octets.length === 2,
  print: (octets) => String(read16(octets, 0)),
};

function hints(name: string, size: 4 | 16): ParameterKind {
  const wordsOf = (text: string) => {
    if (size === 16) return parseIpv6(text);
    const word = parseIpv4(text);
    return word === undefined ? undefined : [word];
  };
  return {
    name,
    read(value) {
      const addresses = latin1.decode(value).split(',').map(wordsOf);
      if (!addresses.every((words) => words !== undefined)) return undefined;
      const all = addresses.flat();
      const octets = new Uint8Array(4 * all.length);
      all.forEach((word, i) => write32(octets, 4 * i, word));
      return octets;
    },
    isValid: (octets) => octets.length > 0 && octets.length % size === 0,
    print: (octets) =>
      pieces(octets, size)
        .map((address) => {
          const word = (index: number) => read32(address, 4 * index);
          return size === 4 ? formatIpv4(word(0)) : formatIpv6([word(0), word(1), word(2), word(3)]);
        })
        .join(','),
  };
}

const ech: ParameterKind = {
  name: 'ech',
  read(value) {
    const octets = decodeBase64(latin1.decode(value));
    return octets?.length === 0 ? undefined : octets;
  },
  isValid: (octets) => octets.length > 0,
  print: formatBase64,
};

const dohPath: ParameterKind = {
  name: 'dohpath',
  read: (value) => (dohPath.isValid(value) ? value : undefined),
  // A template of RFC 6570 that is relative and has the variable dns.
  isValid: (octets) => /^\/.*\{[^}]*\bdns\b[^}]*\}/s.test(latin1.decode(octets)),
  print: (octets) => quotedText(octets, 0, octets.length),
};

/** By their numbers. */
const KINDS = [mandatory, alpn, noDefaultAlpn, port, hints('ipv4hint', 4), ech, hints('ipv6hint', 16), dohPath];

/** What a parameter without a name of its own holds: octets. */
const OPAQUE: ParameterKind = {
  name: 'key',
  read: (value) => value,
  isValid: () => true,
  print: (octets) => (octets.length === 0 ? undefined : quotedText(octets, 0, octets.length)),
};

/** By name only for those of RFC 9460: every reader of zones knows them. */
function keyName(key: number): string {
  return (key < DOHPATH ? KINDS[key]?.name : undefined) ?? `key${key}`;
}

function keyOf(text: string): number | undefined {
  const index = KINDS.findIndex(({ name }) => name === text.toLowerCase());
  if (index >= 0) return index;
  const number = /^key(0|[1-9]\d{0,4})$/i.exec(text)?.[1];
  return number === undefined || Number(number) > 0xffff ? undefined : Number(number);
}

/** The value behind `=`, which may begin with a quote, with its escapes undone. */
function unescapeValue(words: Words, from: number): Uint8Array {
  const { text, end } = words;
  const value: number[] = [];
  for (let at = text[from] === QUOTE ? from + 1 : from; at < end;) {
    let octet = text[at++]!;
    if (octet === BACKSLASH) {
      octet = unescapeAt(text, at, end);
      if (octet < 0) throw new RecordTextError(`a parameter has a bad escape: ${wordText(words)}`);
      at += text[at]! >= 0x30 && text[at]! <= 0x39 ? 3 : 1;
    }
    value.push(octet);
  }
  return Uint8Array.from(value);
}

function readParameter(words: Words): readonly [key: number, octets: Uint8Array] {
  const equals = words.text.subarray(words.start, words.end).indexOf(EQUALS);
  const nameEnd = equals < 0 ? words.end : words.start + equals;
  const keyText = latin1.decode(words.text.subarray(words.start, nameEnd));
  const key = keyOf(keyText);
  if (key === undefined) throw new RecordTextError(`unknown parameter "${keyText}"`);
  const value = equals < 0 ? new Uint8Array(0) : unescapeValue(words, nameEnd + 1);
  const kind = keyText.toLowerCase().startsWith('key') ? OPAQUE : (KINDS[key] ?? OPAQUE);
  const octets = kind.read(value);
  if (octets === undefined || !(KINDS[key] ?? OPAQUE).isValid(octets)) {
    throw new RecordTextError(`bad value of the parameter "${keyText}"`);
  }
  return [key, octets];
}

/** What the parameters, sorted by key, do wrong with each other. */
function inconsistency(parameters: readonly (readonly [number, Uint8Array])[]): string | undefined {
  const keys = parameters.map(([key]) => key);
  const twice = keys.find((key, i) => i > 0 && key === keys[i - 1]);
  if (twice !== undefined) return `the parameter "${keyName(twice)}" stands twice`;
  if (keys.includes(NO_DEFAULT_ALPN) && !keys.includes(ALPN)) return '"no-default-alpn" without "alpn"';
  const required = parameters.find(([key]) => key === MANDATORY)?.[1];
  for (const octets of required === undefined ? [] : pieces(required, 2)) {
    const key = read16(octets, 0);
    if (key === MANDATORY) return '"mandatory" names itself';
    if (!keys.includes(key)) return `"${keyName(key)}" is mandatory and is missing`;
  }
  return undefined;
}

/** The parameters on the wire, in the order in which they stand; undefined when they do not end where the RDATA does. */
function split(octets: Uint8Array, at: number, end: number): (readonly [number, Uint8Array])[] | undefined {
  const parameters: (readonly [number, Uint8Array])[] = [];
  while (at < end) {
    if (at + 4 > end) return undefined;
    const next = at + 4 + read16(octets, at + 2);
    if (next > end) return undefined;
    parameters.push([read16(octets, at), octets.subarray(at + 4, next)]);
    at = next;
  }
  return parameters;
}

/** All parameters of a record. */
export const serviceParameters: FieldKind = {
  read(words, into) {
    const parameters: (readonly [number, Uint8Array])[] = [];
    while (words.next(QUOTES.pair)) parameters.push(readParameter(words));
    parameters.sort(([a], [b]) => a - b);
    const wrong = inconsistency(parameters);
    if (wrong !== undefined) throw new RecordTextError(wrong);
    for (const [key, octets] of parameters) {
      into.put16(key);
      into.put16(octets.length);
      into.putAll(octets);
    }
  },
  skip(octets, at, end) {
    const parameters = split(octets, at, end);
    if (parameters === undefined || inconsistency(parameters) !== undefined) return -1;
    const valid = parameters.every(
      ([key, value], i) => (i === 0 || key > parameters[i - 1]![0]) && (KINDS[key] ?? OPAQUE).isValid(value),
    );
    return valid ? end : -1;
  },
  print: (octets, at, end) =>
    split(octets, at, end)!
      .map(([key, value]) => {
        const printed = (KINDS[key] ?? OPAQUE).print(value);
        return printed === undefined ? keyName(key) : `${keyName(key)}=${printed}`;
      })
      .join(' '),
};
