// The IPComp header (RFC 3173): in front of a payload that was compressed by itself.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------+---------------+-------------------------------+
//   |  next header  |   flags = 0   | compression parameter index   |
//   +---------------+---------------+-------------------------------+
//
// The flags are not looked at (section 3.3).

import { read16, write16 } from '../core/octets.ts';

/** As IP protocol, and as next header of ESP and AH. */
export const IPCOMP = 108;
export const IPCOMP_HEADER_OCTETS = 4;
const FLAGS = 1;
const CPI = 2;

/** The well-known CPI of DEFLATE (RFC 2394). */
export const CPI_DEFLATE = 2;

/** Of a whole header. */
export function ipCompNextHeader(bytes: Uint8Array, at: number): number {
  return bytes[at]!;
}

export function ipCompIndex(bytes: Uint8Array, at: number): number {
  return read16(bytes, at + CPI);
}

export function writeIpComp(bytes: Uint8Array, at: number, nextHeader: number, index: number): void {
  bytes[at] = nextHeader;
  bytes[at + FLAGS] = 0;
  write16(bytes, at + CPI, index);
}
