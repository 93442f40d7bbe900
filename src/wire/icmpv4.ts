// ICMP echo (RFC 792).
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------+---------------+-------------------------------+
//   |     type      |   code = 0    |           checksum            |
//   +---------------+---------------+-------------------------------+
//   |          identifier           |        sequence number        |
//   +-------------------------------+-------------------------------+
//   |     data, returned as it is
//   +----------- - -

import { checksumAddWords, checksumFinish, checksumUpdate16 } from '../core/checksum.ts';
import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { read16, read32, write16, write32 } from '../core/octets.ts';
import { IPV4_CHECKSUM, IPV4_DESTINATION, IPV4_SOURCE, IPV4_TTL, ipv4HeaderOctets } from './ipv4.ts';

const ICMPV4_HEADER_OCTETS = 8;

const TYPE = 0;
const CHECKSUM = 2;

const ICMPV4_ECHO_REPLY = 0;
const ICMPV4_ECHO_REQUEST = 8;

const REPLY_TTL = 64;

/** Guarantees, with FORWARD: a whole header, and the right checksum over bytes[start, end), the IP payload. */
export function checkIcmpv4(bytes: Uint8Array, words: Int32Array, start: number, end: number): Verdict {
  if (end - start < ICMPV4_HEADER_OCTETS) return Drop.icmpInvalid;
  return checksumFinish(checksumAddWords(bytes, words, start, end, 0)) === 0 ? FORWARD : Drop.icmpInvalid;
}

/** Whether a checked message asks for an echo reply. */
export function isEchoRequestV4(bytes: Uint8Array, start: number): boolean {
  return read16(bytes, start + TYPE) === ICMPV4_ECHO_REQUEST << 8;
}

/** Turns a checked echo request in place into its reply: addresses swapped, a fresh TTL, checksums updated. */
export function turnIntoEchoReplyV4(bytes: Uint8Array, ipStart: number): void {
  const icmp = ipStart + ipv4HeaderOctets(bytes, ipStart);
  const checksum = read16(bytes, icmp + CHECKSUM);
  bytes[icmp + TYPE] = ICMPV4_ECHO_REPLY;
  write16(bytes, icmp + CHECKSUM, checksumUpdate16(checksum, ICMPV4_ECHO_REQUEST << 8, ICMPV4_ECHO_REPLY << 8));

  const source = read32(bytes, ipStart + IPV4_SOURCE);
  write32(bytes, ipStart + IPV4_SOURCE, read32(bytes, ipStart + IPV4_DESTINATION));
  write32(bytes, ipStart + IPV4_DESTINATION, source);
  const before = read16(bytes, ipStart + IPV4_TTL);
  bytes[ipStart + IPV4_TTL] = REPLY_TTL;
  const header = checksumUpdate16(read16(bytes, ipStart + IPV4_CHECKSUM), before, read16(bytes, ipStart + IPV4_TTL));
  write16(bytes, ipStart + IPV4_CHECKSUM, header);
}
