// A query as the name server behind is to see it, and its reply as the client is to see that. EDNS is between neighbours (RFC 6891,
// section 6.2.1), so each side has an OPT of its own; of the options a client subnet goes through and an explanation of an error
// comes back. What is signed (TSIG) is not touched but for its id, which the signature does not cover (RFC 8945, section 4.2).

import { read16, read32, write16, write32 } from '../core/octets.ts';
import { COOKIE_OCTETS, type Cookies } from './cookie.ts';
import { Flag, KEPT_FLAGS, OPT_OCTETS, writeOpt } from './message-head.ts';
import { equalNames } from './name-hash.ts';
import { HEADER_OCTETS, OPT, OptionCode, type Query, Rcode, skipOwner } from './query.ts';

/** Bits of a client's address that are told (RFC 7871, section 11.1). */
const SUBNET_BITS = { ipv4: 24, ipv6: 56 } as const;

/** What a reply says of us, as in the replies that are ours. */
export type OwnOptions = {
  readonly udpOctets: number;
  readonly nsid?: Uint8Array | undefined;
  readonly cookies?: Cookies | undefined;
};

/**
 * The query with another id, for a server that may answer with `udpOctets` octets. `subnetOf`: 4 or 16 octets of the client's
 * address, whose subnet is told unless the client has told one (RFC 7871, section 7.1).
 */
export function forwardedQuery(query: Query, id: number, udpOctets: number, subnetOf?: Uint8Array): Uint8Array {
  const { octets, start, end, questionEnd } = query;
  if (query.tsigStart > 0) {
    const whole = octets.slice(start, end);
    write16(whole, 0, id);
    return whole;
  }
  const subnet =
    query.subnetOctets > 0
      ? option(OptionCode.clientSubnet, octets.subarray(query.subnetStart, query.subnetStart + query.subnetOctets))
      : subnetOf === undefined
        ? NO_OCTETS
        : option(OptionCode.clientSubnet, subnetData(subnetOf));
  const hasOpt = query.hasEdns || subnet.length > 0;
  const message = new Uint8Array(questionEnd - start + (hasOpt ? OPT_OCTETS + subnet.length : 0));
  message.set(octets.subarray(start, questionEnd));
  write16(message, 0, id);
  write16(message, 10, hasOpt ? 1 : 0);
  if (hasOpt) writeOptions(message, questionEnd - start, query, 0, udpOctets, subnet);
  return message;
}

/** Whether a message with the right id answers the question of the query (RFC 5452, section 9.1). */
export function answersQuestion(query: Query, reply: Uint8Array): boolean {
  const question = query.questionEnd - query.start;
  return (
    reply.length >= question &&
    (read16(reply, 2) & Flag.qr) !== 0 &&
    read16(reply, 4) === 1 &&
    equalNames(reply, HEADER_OCTETS, query.octets, query.nameStart, query.nameOctets) &&
    read32(reply, question - 4) === read32(query.octets, query.questionEnd - 4)
  );
}

/**
 * The reply to the client: its id, its question in its letters, OPT if it had one. Cut to the question, with TC, when it has more than
 * `limit` octets; undefined when it is no whole message. `client`: 4 or 16 octets; `now`: seconds since 1970.
 */
export function forwardedReply(
  query: Query,
  reply: Uint8Array,
  limit: number,
  own: OwnOptions,
  client: Uint8Array,
  now: number,
): Uint8Array | undefined {
  const question = query.questionEnd - query.start;
  const additionals = skipRecords(reply, question, read16(reply, 6) + read16(reply, 8));
  if (additionals < 0) return undefined;
  let end = additionals;
  let count = 0;
  let opt = -1;
  if (query.tsigStart > 0) {
    end = reply.length;
    count = read16(reply, 10);
  } else {
    // OPT is the last one. What a server has put behind it may go: a client can ask for it.
    for (const all = read16(reply, 10); count < all; count++) {
      const next = skipRecords(reply, end, 1);
      if (next < 0) return undefined;
      if (reply[end] === 0 && read16(reply, end + 1) === OPT) {
        opt = end;
        break;
      }
      end = next;
    }
  }
  const options =
    query.hasEdns && query.tsigStart === 0 ? replyOptions(query, reply, opt, own, client, now) : NO_OCTETS;
  const optOctets = query.hasEdns && query.tsigStart === 0 ? OPT_OCTETS + options.length : 0;
  const isCut = end + optOctets > limit;
  const recordsEnd = isCut ? question : end;
  const message = new Uint8Array(recordsEnd + optOctets);
  message.set(reply.subarray(0, recordsEnd));
  message.set(query.octets.subarray(query.nameStart, query.questionEnd), HEADER_OCTETS);
  message.set(query.octets.subarray(query.start, query.start + 2));
  if (isCut) {
    write16(message, 2, read16(message, 2) | Flag.tc);
    write32(message, 6, 0);
  }
  write16(message, 10, (isCut ? 0 : count) + (optOctets > 0 ? 1 : 0));
  if (optOctets > 0) {
    const upper = opt < 0 ? 0 : reply[opt + 5]! << 4;
    writeOptions(message, recordsEnd, query, upper, own.udpOctets, options);
  }
  return message;
}

/** SERVFAIL: the server behind has said nothing. */
export function failedReply(query: Query, udpOctets: number): Uint8Array {
  const question = query.questionEnd - query.start;
  const message = new Uint8Array(question + (query.hasEdns ? OPT_OCTETS : 0));
  message.set(query.octets.subarray(query.start, query.questionEnd));
  write16(message, 2, Flag.qr | (query.flags & KEPT_FLAGS) | Rcode.servFail);
  write16(message, 10, query.hasEdns ? 1 : 0);
  if (query.hasEdns) writeOpt(message, question, query, 0, udpOctets);
  return message;
}

const NO_OCTETS = new Uint8Array(0);

function writeOptions(
  message: Uint8Array,
  at: number,
  query: Query,
  rcode: number,
  udpOctets: number,
  options: Uint8Array,
): void {
  write16(message, writeOpt(message, at, query, rcode, udpOctets), options.length);
  message.set(options, at + OPT_OCTETS);
}

function option(code: number, data: Uint8Array): Uint8Array {
  const octets = new Uint8Array(4 + data.length);
  write16(octets, 0, code);
  write16(octets, 2, data.length);
  octets.set(data, 4);
  return octets;
}

/** RFC 7871, section 6: family, source prefix, scope 0, and the octets of the prefix. */
function subnetData(address: Uint8Array): Uint8Array {
  const isIpv4 = address.length === 4;
  const bits = isIpv4 ? SUBNET_BITS.ipv4 : SUBNET_BITS.ipv6;
  return Uint8Array.of(0, isIpv4 ? 1 : 2, bits, 0, ...address.subarray(0, bits / 8));
}

/** What is said to the client beside the records: by us, and by the server behind in its OPT at `opt` (-1: none). */
function replyOptions(
  query: Query,
  reply: Uint8Array,
  opt: number,
  { nsid, cookies }: OwnOptions,
  client: Uint8Array,
  now: number,
): Uint8Array {
  const parts: Uint8Array[] = [];
  if (query.wantsNsid && nsid !== undefined) parts.push(option(OptionCode.nsid, nsid));
  if (query.cookieOctets > 0 && cookies !== undefined) {
    const cookie = new Uint8Array(COOKIE_OCTETS);
    cookies.write(query, client, 0, client.length, now, cookie, 0);
    parts.push(option(OptionCode.cookie, cookie));
  }
  const end = opt < 0 ? 0 : opt + OPT_OCTETS + read16(reply, opt + 9);
  for (let at = opt + OPT_OCTETS; at + 4 <= end; at += 4 + read16(reply, at + 2)) {
    const code = read16(reply, at);
    const isWanted = code === OptionCode.extendedError || (code === OptionCode.clientSubnet && query.subnetOctets > 0);
    if (isWanted) parts.push(reply.subarray(at, Math.min(end, at + 4 + read16(reply, at + 2))));
  }
  const octets = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    octets.set(part, at);
    at += part.length;
  }
  return octets;
}

/** Where so many records from `start` on end; -1 when they do not end within the message. */
function skipRecords(octets: Uint8Array, start: number, count: number): number {
  let at = start;
  for (let record = 0; record < count; record++) {
    at = skipOwner(octets, at, octets.length);
    if (at < 0 || at + 10 > octets.length) return -1;
    at += 10 + read16(octets, at + 8);
    if (at > octets.length) return -1;
  }
  return at;
}
