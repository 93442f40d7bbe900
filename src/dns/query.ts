// A query, read in place from what came in: header, question, and the OPT record of EDNS(0).
//
//   header    RFC 1035, section 4.1.1: id, flags, QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT
//   question  one name, its type and class
//   OPT       RFC 6891: the sender's payload size, version, flag DO, options
//
// One object serves query after query. What is wrong with a message is said by a number; nothing is thrown.

import { read16, read32 } from '../core/octets.ts';
import { hashLabel, ROOT_HASH } from './name-hash.ts';
import { MAX_LABELS } from './name.ts';

/** Octets of a header, behind which the question starts. */
export const HEADER_OCTETS = 12;
/** What a sender without EDNS takes over UDP (RFC 1035, section 4.2.1). */
const PLAIN_UDP_OCTETS = 512;

export const RecordClass = { in: 1, chaos: 3 } as const;
const OPCODE_QUERY = 0;
export const Rcode = {
  noError: 0,
  formErr: 1,
  servFail: 2,
  nxDomain: 3,
  notImp: 4,
  refused: 5,
  yxDomain: 6,
  badVers: 16,
} as const;

/** What `readQuery` found. */
export const QueryVerdict = {
  /** A question to be answered. */
  question: 0,
  /** Less than a header. */
  tooShort: 1,
  /** A response, sent to us. */
  response: 2,
  /** Not as RFC 1035 and 6891 have it: FORMERR. */
  malformed: 3,
  /** An opcode that is not served: NOTIMP. */
  opcode: 4,
  /** A version of EDNS that nobody has defined: BADVERS. */
  ednsVersion: 5,
} as const;
export type QueryVerdict = (typeof QueryVerdict)[keyof typeof QueryVerdict];

export const OPT = 41;
const TSIG = 250;
export const OptionCode = { nsid: 3, clientSubnet: 8, cookie: 10, extendedError: 15 } as const;
export const CLIENT_COOKIE_OCTETS = 8;
const SERVER_COOKIE_OCTETS = { least: 8, most: 32 } as const;

export class Query {
  /** The message, of which only what `readQuery` was told is valid. */
  octets: Uint8Array = new Uint8Array(0);
  /** Where the header starts. */
  start = 0;
  end = 0;
  /** Behind the question: replies go on from here. */
  questionEnd = 0;
  flags = 0;
  type = 0;
  class = 0;
  /** Octets of the name, with the root's. */
  nameOctets = 0;
  /** Labels of the name, the root's left out. */
  labels = 0;
  /** Where each label starts in `octets`, from the first one on. */
  readonly labelStarts = new Int32Array(MAX_LABELS + 1);
  /** The hash of the name from each label on; that of the root behind the last. */
  readonly hashes = new Int32Array(MAX_LABELS + 1);

  hasEdns = false;
  /** What the sender takes over UDP: 512 at least. */
  udpOctets = PLAIN_UDP_OCTETS;
  wantsDnssec = false;
  wantsNsid = false;
  /** Where the client subnet's option data starts (RFC 7871), and its octets; 0 without one. */
  subnetStart = 0;
  subnetOctets = 0;
  /** Where the cookie's option data starts (RFC 7873), and its octets; 0 without one. */
  cookieStart = 0;
  cookieOctets = 0;
  /** Where a TSIG record starts (RFC 8945); 0 without one. */
  tsigStart = 0;

  /** Where the name starts. */
  get nameStart(): number {
    return this.start + HEADER_OCTETS;
  }

  get opcode(): number {
    return (this.flags >>> 11) & 15;
  }
}

/**
 * Reads a message into `query`. Fields of the question and of EDNS are valid with verdict `question`; with `malformed`,
 * `opcode` and `ednsVersion`, `questionEnd` tells how much of the message can be given back: the header alone when the
 * question could not be read.
 */
export function readQuery(octets: Uint8Array, start: number, end: number, query: Query): QueryVerdict {
  query.octets = octets;
  query.start = start;
  query.end = end;
  query.questionEnd = start + HEADER_OCTETS;
  forgetEdns(query);
  if (end - start < HEADER_OCTETS) return QueryVerdict.tooShort;
  query.flags = read16(octets, start + 2);
  if ((query.flags & 0x8000) !== 0) return QueryVerdict.response;
  if (query.opcode !== OPCODE_QUERY) return QueryVerdict.opcode;
  // One question, and nothing that would be an answer to it.
  if (read16(octets, start + 4) !== 1 || read32(octets, start + 6) !== 0) return QueryVerdict.malformed;
  if (!readQuestion(query)) return QueryVerdict.malformed;
  return readAdditional(query, read16(octets, start + 10));
}

function forgetEdns(query: Query): void {
  query.hasEdns = false;
  query.udpOctets = PLAIN_UDP_OCTETS;
  query.wantsDnssec = false;
  query.wantsNsid = false;
  query.subnetStart = query.subnetOctets = 0;
  query.cookieStart = query.cookieOctets = 0;
  query.tsigStart = 0;
}

/** A first name has nothing in front of it that a compression pointer could mean: every label is there in full. */
function readQuestion(query: Query): boolean {
  const { octets, end, labelStarts, hashes } = query;
  const start = query.start + HEADER_OCTETS;
  // Including the root's octet, 255 (RFC 1035, section 2.3.4).
  const limit = Math.min(end, start + 255);
  let at = start;
  let labels = 0;
  for (;;) {
    if (at >= limit) return false;
    const length = octets[at]!;
    if (length === 0) break;
    if (length > 63) return false;
    labelStarts[labels++] = at;
    at += length + 1;
  }
  const questionEnd = at + 5;
  if (questionEnd > end) return false;
  query.labels = labels;
  query.nameOctets = at + 1 - start;
  labelStarts[labels] = at;
  query.type = read16(octets, at + 1);
  query.class = read16(octets, at + 3);
  query.questionEnd = questionEnd;
  let hash = ROOT_HASH;
  hashes[labels] = hash;
  for (let label = labels - 1; label >= 0; label--) {
    hash = hashLabel(hash, octets, labelStarts[label]!);
    hashes[label] = hash;
  }
  return true;
}

/** OPT, once at most, and TSIG, which is last; records of other types are passed over. */
function readAdditional(query: Query, count: number): QueryVerdict {
  const { octets, end } = query;
  let at = query.questionEnd;
  let verdict: QueryVerdict = QueryVerdict.question;
  for (let index = 0; index < count; index++) {
    const recordStart = at;
    at = skipOwner(octets, at, end);
    if (at < 0 || at + 10 > end) return QueryVerdict.malformed;
    const type = read16(octets, at);
    const dataStart = at + 10;
    const dataEnd = dataStart + read16(octets, at + 8);
    if (dataEnd > end) return QueryVerdict.malformed;
    if (type === OPT) {
      if (query.hasEdns || octets[recordStart] !== 0) return QueryVerdict.malformed;
      query.hasEdns = true;
      query.udpOctets = Math.max(PLAIN_UDP_OCTETS, read16(octets, at + 2));
      query.wantsDnssec = (octets[at + 6]! & 0x80) !== 0;
      if (octets[at + 5] !== 0) verdict = QueryVerdict.ednsVersion;
      else if (!readOptions(query, dataStart, dataEnd)) return QueryVerdict.malformed;
    } else if (type === TSIG) {
      if (index !== count - 1) return QueryVerdict.malformed;
      query.tsigStart = recordStart;
    }
    at = dataEnd;
  }
  return verdict;
}

/** Where the owner of a record ends, which may be compressed; -1 when it does not end as a name does. */
export function skipOwner(octets: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end;) {
    const length = octets[at]!;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    if (length > 63) return -1;
    at += length + 1;
  }
  return -1;
}

function readOptions(query: Query, start: number, end: number): boolean {
  const { octets } = query;
  let at = start;
  while (at < end) {
    if (at + 4 > end) return false;
    const code = read16(octets, at);
    const length = read16(octets, at + 2);
    at += 4;
    if (at + length > end) return false;
    if (code === OptionCode.nsid) {
      // In a query it is empty (RFC 5001, section 2.1); what else is in it says nothing.
      query.wantsNsid = true;
    } else if (code === OptionCode.clientSubnet) {
      if (!isClientSubnet(octets, at, length)) return false;
      query.subnetStart = at;
      query.subnetOctets = length;
    } else if (code === OptionCode.cookie) {
      if (!isCookieLength(length)) return false;
      query.cookieStart = at;
      query.cookieOctets = length;
    }
    at += length;
  }
  return true;
}

/** RFC 7873, section 5.2.2: a client cookie of 8 octets alone, or with a server's of 8 to 32. */
function isCookieLength(length: number): boolean {
  const { least, most } = SERVER_COOKIE_OCTETS;
  return (
    length === CLIENT_COOKIE_OCTETS || (length >= CLIENT_COOKIE_OCTETS + least && length <= CLIENT_COOKIE_OCTETS + most)
  );
}

/**
 * RFC 7871, sections 6 and 7.1.2: family, source prefix, scope 0, and as many octets of address as the prefix needs, the bits
 * behind it 0.
 */
function isClientSubnet(octets: Uint8Array, at: number, length: number): boolean {
  if (length < 4) return false;
  const family = read16(octets, at);
  const bits = octets[at + 2]!;
  if (octets[at + 3] !== 0) return false;
  if (family !== 1 && family !== 2) return bits === 0 && length === 4;
  if (bits > (family === 1 ? 32 : 128) || length !== 4 + ((bits + 7) >>> 3)) return false;
  const rest = bits & 7;
  return rest === 0 || (octets[at + length - 1]! & (0xff >>> rest)) === 0;
}
