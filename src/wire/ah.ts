// The authentication header (RFC 4302).
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------+---------------+-------------------------------+
//   |  next header  | length, in 4, |           reserved            |
//   |               | less two      |                               |
//   +---------------+---------------+-------------------------------+
//   |                  security parameters index                    |
//   +---------------------------------------------------------------+
//   |              sequence number, its lower 32 bits               |
//   +---------------------------------------------------------------+
//   |  IV (with AES-GMAC), integrity check value, padding to a multiple of 4 octets, over IPv6 of 8
//   +---------------------------------------------------------------+

import { read32, write16, write32 } from '../core/octets.ts';

/** In front of the integrity check value. */
export const AH_FIXED_OCTETS = 12;
const LENGTH = 1;
const RESERVED = 2;
const SPI = 4;
const SEQUENCE = 8;

/** Of a header of which the fixed part is there. */
export function ahNextHeader(bytes: Uint8Array, at: number): number {
  return bytes[at]!;
}

/** Octets of the whole header. */
export function ahHeaderOctets(bytes: Uint8Array, at: number): number {
  return (bytes[at + LENGTH]! + 2) << 2;
}

/** Signed 32 bits, as keys of tables want them. */
export function ahSpi(bytes: Uint8Array, at: number): number {
  return read32(bytes, at + SPI);
}

/** Unsigned 32 bits. */
export function ahSequence(bytes: Uint8Array, at: number): number {
  return read32(bytes, at + SEQUENCE) >>> 0;
}

/** Writes a header of `octets`, a multiple of 4, with zeros behind its fixed part. */
export function writeAh(
  bytes: Uint8Array,
  at: number,
  nextHeader: number,
  octets: number,
  spi: number,
  sequence: number,
): void {
  bytes[at] = nextHeader;
  bytes[at + LENGTH] = (octets >>> 2) - 2;
  write16(bytes, at + RESERVED, 0);
  write32(bytes, at + SPI, spi);
  write32(bytes, at + SEQUENCE, sequence);
  bytes.fill(0, at + AH_FIXED_OCTETS, at + octets);
}
