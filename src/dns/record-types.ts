// The one table of record types: what RDATA of each consists of, and what is special about it. Text and wire, both ways, follow
// from the fields. Types that are not in it are read and printed as octets (RFC 3597).

import { decodeHex, decodeTime, formatHex, formatTime } from './rdata-encodings.ts';
import {
  base64,
  hex,
  ipv4,
  ipv6,
  joinedWords,
  mnemonic8,
  name,
  named,
  nextWord,
  period,
  readNumber,
  string,
  strings,
  tag,
  text,
  u16,
  u32,
  u8,
  type FieldKind,
} from './rdata-fields.ts';
import { lowerName, nameOctets } from './name.ts';
import { location } from './location.ts';
import { checkDigest, checkFingerprint, checkSubstitution } from './rdata-checks.ts';
import type { DomainName } from './record.ts';
import { serviceParameters } from './service-parameters.ts';
import { typeBitmap } from './type-bitmap.ts';
import { QUOTES, RecordTextError, wordText, type RdataBuffer, type Words } from './words.ts';
import { read16 } from '../core/octets.ts';

export type RecordType = {
  readonly number: number;
  readonly mnemonic: string;
  /** None: the type is a question or part of the protocol, and never data. */
  readonly fields?: readonly FieldKind[];
  /** Names in it may be compressed in messages: those of RFC 1035 alone (RFC 3597, section 4). */
  readonly compressible?: true;
  /** There is at most one of an owner (RFC 1034, section 3.6.2; RFC 6672, section 2.4). */
  readonly isSingle?: true;
  /** May stand where a CNAME stands (RFC 2181, section 10.1; RFC 4034). */
  readonly besideCname?: true;
  /** What is wrong with RDATA whose fields are well-formed. */
  readonly check?: (octets: Uint8Array, at: number, end: number) => string | undefined;
};

export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  DNAME: 39,
  DS: 43,
  /** In questions: a zone's changes, the whole of it (RFC 1995, RFC 5936). */
  IXFR: 251,
  AXFR: 252,
  /** In questions: whatever there is. */
  ANY: 255,
} as const;

const ALGORITHMS = {
  RSAMD5: 1,
  DH: 2,
  DSA: 3,
  RSASHA1: 5,
  NSEC3DSA: 6,
  NSEC3RSASHA1: 7,
  RSASHA256: 8,
  RSASHA512: 10,
  ECCGOST: 12,
  ECDSAP256SHA256: 13,
  ECDSAP384SHA384: 14,
  ED25519: 15,
  ED448: 16,
  INDIRECT: 252,
  PRIVATEDNS: 253,
  PRIVATEOID: 254,
};
/** RFC 4398, section 2.1. */
const CERTIFICATES = {
  PKIX: 1,
  SPKI: 2,
  PGP: 3,
  IPKIX: 4,
  ISPKI: 5,
  IPGP: 6,
  ACPKIX: 7,
  IACPKIX: 8,
  URI: 253,
  OID: 254,
};
const DIGESTS = { SHA1: 1, 'SHA-1': 1, SHA256: 2, 'SHA-256': 2, GOST: 3, SHA384: 4, 'SHA-384': 4 };

const algorithm = mnemonic8('the algorithm', ALGORITHMS);

/** A type by its mnemonic. */
const coveredType: FieldKind = {
  ...u16('a type'),
  read(words, into) {
    nextWord(words, 'a type');
    const type = typeOf(wordText(words));
    if (type === undefined) throw new RecordTextError(`unknown type "${wordText(words)}"`);
    into.put16(type);
  },
  print: (octets, at) => typeName(read16(octets, at)),
};

const signatureTime: FieldKind = {
  ...u32('a time'),
  read(words, into) {
    nextWord(words, 'a time');
    const seconds = decodeTime(wordText(words)) ?? readNumber(words, 'a time', 0xffff_ffff);
    into.put32(seconds);
  },
  print: (octets, at) => formatTime(((read16(octets, at) << 16) | read16(octets, at + 2)) >>> 0),
};

const key = [u16('the flags'), u8('the protocol'), algorithm, base64('the key')];
const delegation = [u16('the key tag'), algorithm, mnemonic8('the digest type', DIGESTS), hex('the digest')];
const certificate = [u8('the usage'), u8('the selector'), u8('the matching type'), hex('the data')];
const service = [u16('the priority'), name, serviceParameters];
const preferred = [u16('the preference'), name];

const TYPES: readonly RecordType[] = [
  { number: 1, mnemonic: 'A', fields: [ipv4] },
  { number: 2, mnemonic: 'NS', fields: [name], compressible: true },
  { number: 5, mnemonic: 'CNAME', fields: [name], compressible: true, isSingle: true },
  {
    number: 6,
    mnemonic: 'SOA',
    fields: [name, name, u32('the serial'), period, period, period, period],
    compressible: true,
    isSingle: true,
  },
  { number: 7, mnemonic: 'MB', fields: [name], compressible: true },
  { number: 8, mnemonic: 'MG', fields: [name], compressible: true },
  { number: 9, mnemonic: 'MR', fields: [name], compressible: true },
  { number: 12, mnemonic: 'PTR', fields: [name], compressible: true },
  { number: 13, mnemonic: 'HINFO', fields: [string, string] },
  { number: 14, mnemonic: 'MINFO', fields: [name, name], compressible: true },
  { number: 15, mnemonic: 'MX', fields: preferred, compressible: true },
  { number: 16, mnemonic: 'TXT', fields: [strings] },
  { number: 17, mnemonic: 'RP', fields: [name, name] },
  { number: 18, mnemonic: 'AFSDB', fields: [u16('the subtype'), name] },
  { number: 21, mnemonic: 'RT', fields: preferred },
  { number: 25, mnemonic: 'KEY', fields: key, besideCname: true },
  { number: 28, mnemonic: 'AAAA', fields: [ipv6] },
  { number: 29, mnemonic: 'LOC', fields: [location] },
  { number: 33, mnemonic: 'SRV', fields: [u16('the priority'), u16('the weight'), u16('the port'), name] },
  {
    number: 35,
    mnemonic: 'NAPTR',
    fields: [u16('the order'), u16('the preference'), string, string, string, name],
    check: checkSubstitution,
  },
  { number: 36, mnemonic: 'KX', fields: preferred },
  {
    number: 37,
    mnemonic: 'CERT',
    fields: [
      named(2, 'the certificate type', CERTIFICATES),
      u16('the key tag'),
      named(1, 'the algorithm', ALGORITHMS),
      base64('the certificate'),
    ],
  },
  { number: 39, mnemonic: 'DNAME', fields: [name], isSingle: true },
  { number: 43, mnemonic: 'DS', fields: delegation, check: checkDigest },
  {
    number: 44,
    mnemonic: 'SSHFP',
    fields: [u8('the algorithm'), u8('the type'), hex('the fingerprint')],
    check: checkFingerprint,
  },
  {
    number: 46,
    mnemonic: 'RRSIG',
    fields: [
      coveredType,
      algorithm,
      u8('the number of labels'),
      period,
      signatureTime,
      signatureTime,
      u16('the key tag'),
      name,
      base64('the signature'),
    ],
    besideCname: true,
  },
  { number: 47, mnemonic: 'NSEC', fields: [name, typeBitmap(typeOf, typeName)], besideCname: true },
  { number: 48, mnemonic: 'DNSKEY', fields: key },
  { number: 49, mnemonic: 'DHCID', fields: [base64('the identifier')] },
  { number: 52, mnemonic: 'TLSA', fields: certificate },
  { number: 53, mnemonic: 'SMIMEA', fields: certificate },
  { number: 59, mnemonic: 'CDS', fields: delegation },
  { number: 60, mnemonic: 'CDNSKEY', fields: key },
  { number: 61, mnemonic: 'OPENPGPKEY', fields: [base64('the key')] },
  { number: 64, mnemonic: 'SVCB', fields: service },
  { number: 65, mnemonic: 'HTTPS', fields: service },
  { number: 99, mnemonic: 'SPF', fields: [strings] },
  { number: 256, mnemonic: 'URI', fields: [u16('the priority'), u16('the weight'), text('the target', true)] },
  { number: 257, mnemonic: 'CAA', fields: [u8('the flags'), tag, text('the value', false)] },
  { number: 41, mnemonic: 'OPT' },
  { number: 249, mnemonic: 'TKEY' },
  { number: 250, mnemonic: 'TSIG' },
  { number: 251, mnemonic: 'IXFR' },
  { number: 252, mnemonic: 'AXFR' },
  { number: 253, mnemonic: 'MAILB' },
  { number: 254, mnemonic: 'MAILA' },
  { number: 255, mnemonic: 'ANY' },
];

const BY_NUMBER = new Map(TYPES.map((type) => [type.number, type]));
const BY_MNEMONIC = new Map(TYPES.map((type) => [type.mnemonic, type.number]));
/** 128 to 255 are questions and parts of the protocol (RFC 6895, section 3.1). */
const isMetaNumber = (type: number) => type === 0 || type === 41 || (type >= 128 && type <= 255);

/** What the table says of a type; undefined when it is not in it. */
export function recordType(type: number): RecordType | undefined {
  return BY_NUMBER.get(type);
}

/** The number of a mnemonic or of `TYPEnnn`, without regard to case. */
export function typeOf(mnemonic: string): number | undefined {
  const upper = mnemonic.toUpperCase();
  const number = BY_MNEMONIC.get(upper);
  if (number !== undefined) return number;
  const generic = /^TYPE(\d{1,5})$/.exec(upper)?.[1];
  return generic === undefined || Number(generic) > 0xffff ? undefined : Number(generic);
}

export function typeName(type: number): string {
  return BY_NUMBER.get(type)?.mnemonic ?? `TYPE${type}`;
}

/** Whether records of the type cannot be data of a zone. */
export function isMetaType(type: number): boolean {
  return isMetaNumber(type);
}

/**
 * Reads the RDATA that `words` stands in front of, up to the end of the record: `into` holds it. Throws RecordTextError. Names
 * that do not end in a dot go on with the origin.
 */
export function readRdata(type: number, words: Words, into: RdataBuffer, origin: DomainName | undefined): void {
  into.end = 0;
  const known = BY_NUMBER.get(type);
  if (known?.fields === undefined) {
    if (isMetaNumber(type)) throw new RecordTextError(`${typeName(type)} is no data of a zone`);
    if (!words.next(QUOTES.string) || !isGeneric(words)) {
      throw new RecordTextError(`RDATA of ${typeName(type)} must be written as \\# LENGTH OCTETS`);
    }
    readGeneric(words, into);
    return;
  }
  const { fields } = known;
  if (words.next(QUOTES.string) && isGeneric(words)) {
    readGeneric(words, into);
    if (!isWellFormed(type, into.octets, 0, into.end))
      throw new RecordTextError(`octets are no RDATA of ${known.mnemonic}`);
  } else {
    words.back();
    for (let i = 0; i < fields.length; i++) fields[i]!.read(words, into, origin);
    if (words.next(QUOTES.string)) throw new RecordTextError(`text behind the record: "${wordText(words)}"`);
  }
  const wrong = known.check?.(into.octets, 0, into.end);
  if (wrong !== undefined) throw new RecordTextError(wrong);
}

const BACKSLASH = 0x5c;
const HASH = 0x23;

/** Whether the current word is `\#`. */
function isGeneric({ text, start, end, quoted }: Words): boolean {
  return end - start === 2 && text[start] === BACKSLASH && text[start + 1] === HASH && !quoted;
}

/** `\#` stands behind; its length and octets follow (RFC 3597, section 5). */
function readGeneric(words: Words, into: RdataBuffer): void {
  nextWord(words, 'the length');
  const length = readNumber(words, 'the length', 0xffff);
  if (length === 0) {
    if (words.next(QUOTES.string)) throw new RecordTextError(`text behind the record: "${wordText(words)}"`);
    return;
  }
  const octets = decodeHex(joinedWords(words, 'RDATA'));
  if (octets === undefined) throw new RecordTextError('RDATA (hexadecimal) is malformed');
  if (octets.length !== length) throw new RecordTextError(`${octets.length} octets where ${length} are announced`);
  into.putAll(octets);
}

/** Whether the octets [at, end) are RDATA of the type; all are of a type that is not known. */
export function isWellFormed(type: number, octets: Uint8Array, at: number, end: number): boolean {
  const fields = BY_NUMBER.get(type)?.fields;
  if (fields === undefined) return !isMetaNumber(type);
  for (const field of fields) {
    at = field.skip(octets, at, end);
    if (at < 0) return false;
  }
  return at === end;
}

/** Well-formed RDATA as `readRdata` takes it, names absolute. */
export function printRdata(type: number, octets: Uint8Array, at = 0, end = octets.length): string {
  const fields = BY_NUMBER.get(type)?.fields;
  if (fields === undefined) {
    return at === end ? '\\# 0' : `\\# ${end - at} ${formatHex(octets.subarray(at, end))}`;
  }
  let printed = '';
  for (const [index, field] of fields.entries()) {
    const next = field.skip(octets, at, end);
    const word = field.print(octets, at, next);
    printed += index === 0 || word === '' ? word : ` ${word}`;
    at = next;
  }
  return printed;
}

/** Calls back with the offset of each name in well-formed RDATA. */
export function eachName(type: number, octets: Uint8Array, at: number, end: number, found: (at: number) => void): void {
  for (const field of BY_NUMBER.get(type)?.fields ?? []) {
    if (field.isName === true) found(at);
    at = field.skip(octets, at, end);
  }
}

/** Whether RDATA of the type has names. */
export function hasNames(type: number): boolean {
  return BY_NUMBER.get(type)?.fields?.some(({ isName }) => isName === true) ?? false;
}

/** Lower-cases the names in well-formed RDATA in place: the form in which records are compared (RFC 4034, section 6.2). */
export function lowerRdata(type: number, octets: Uint8Array, at: number, end: number): void {
  eachName(type, octets, at, end, (name) => lowerName(octets, name));
}

/** The name that well-formed RDATA of NS, CNAME, DNAME, PTR, MX or SRV leads to. */
export function targetOf(type: number, rdata: Uint8Array): DomainName {
  const at = type === TYPE.MX ? 2 : type === TYPE.SRV ? 6 : 0;
  return rdata.subarray(at, at + nameOctets(rdata, at));
}
