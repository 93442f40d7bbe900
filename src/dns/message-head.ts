// What a reply has in front of and behind the records of its source: the header, written over that of the query, and OPT.

import { write16, write32 } from '../core/octets.ts';
import type { Query } from './query.ts';
import type { Reply } from './reply.ts';

/** Bits of the flags of a header. */
export const Flag = { qr: 0x8000, aa: 0x0400, tc: 0x0200, rd: 0x0100, ra: 0x0080, ad: 0x0020, cd: 0x0010 } as const;
/** Opcode, RD and CD are the sender's (RFC 1035, section 4.1.1; RFC 4035, section 3.2.2). */
export const KEPT_FLAGS = 0x7800 | Flag.rd | Flag.cd;

/** Octets of OPT without options (RFC 6891, section 6.1.2). */
export const OPT_OCTETS = 11;

/**
 * Writes the header of a reply at `at`; the id stays. `questions`: 0 when the question could not be read. With `hasOpt` the
 * additional section counts one more, and the upper bits of the code are in OPT.
 */
export function writeHeader(
  octets: Uint8Array,
  at: number,
  query: Query,
  reply: Reply,
  questions: number,
  hasOpt: boolean,
): void {
  const flags =
    Flag.qr |
    (query.flags & KEPT_FLAGS) |
    (reply.isAuthoritative ? Flag.aa : 0) |
    (reply.isTruncated ? Flag.tc : 0) |
    (reply.rcode & 15);
  write16(octets, at + 2, flags);
  write16(octets, at + 4, questions);
  write16(octets, at + 6, reply.answers);
  write16(octets, at + 8, reply.authorities);
  write16(octets, at + 10, reply.additionals + (hasOpt ? 1 : 0));
}

/**
 * Writes OPT without options: what we take over UDP, the upper eight bits of the code, version 0, and DO as it came
 * (RFC 3225). Returns where its length stands, for options to be put behind.
 */
export function writeOpt(octets: Uint8Array, at: number, query: Query, rcode: number, udpOctets: number): number {
  octets[at] = 0;
  write16(octets, at + 1, 41);
  write16(octets, at + 3, udpOctets);
  write32(octets, at + 5, ((rcode >>> 4) << 24) | (query.wantsDnssec ? 0x8000 : 0));
  write16(octets, at + 9, 0);
  return at + 9;
}
