// The encapsulating security payload (RFC 4303).
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------------------------------------------------------+
//   |                  security parameters index                    |  authenticated
//   +---------------------------------------------------------------+
//   |              sequence number, its lower 32 bits               |  authenticated
//   +---------------------------------------------------------------+
//   |                  IV, payload, padding 1, 2, 3 …               |  authenticated; encrypted behind the IV
//   +                               +---------------+---------------+
//   |                               |  pad length   |  next header  |  authenticated and encrypted
//   +-------------------------------+---------------+---------------+
//   |                    integrity check value                      |
//   +---------------------------------------------------------------+

import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { read32, write32 } from '../core/octets.ts';

/** SPI and sequence number. */
export const ESP_HEADER_OCTETS = 8;
const SEQUENCE = 4;
/** Pad length and next header. */
export const ESP_TRAILER_OCTETS = 2;

/** Next headers of what ESP and AH carry in tunnel mode, and of a dummy packet (section 2.6). */
export const NextHeader = { ipv4: 4, ipv6: 41, none: 59 } as const;

/** Signed 32 bits, as keys of tables want them. */
export function espSpi(bytes: Uint8Array, at: number): number {
  return read32(bytes, at);
}

/** Unsigned 32 bits. */
export function espSequence(bytes: Uint8Array, at: number): number {
  return read32(bytes, at + SEQUENCE) >>> 0;
}

export function writeEsp(bytes: Uint8Array, at: number, spi: number, sequence: number): void {
  write32(bytes, at, spi);
  write32(bytes, at + SEQUENCE, sequence);
}

/** Octets of padding that bring payload and trailer to a multiple of `blockOctets` (section 2.4). */
export function espPadOctets(payloadOctets: number, blockOctets: number): number {
  const rest = (payloadOctets + ESP_TRAILER_OCTETS) % blockOctets;
  return rest === 0 ? 0 : blockOctets - rest;
}

/** Octets of padding of the plaintext that ends at `end`. */
export function espPadLength(bytes: Uint8Array, end: number): number {
  return bytes[end - ESP_TRAILER_OCTETS]!;
}

export function espNextHeader(bytes: Uint8Array, end: number): number {
  return bytes[end - 1]!;
}

/** Guarantees, with FORWARD, for a plaintext of at least 2 octets: the padding lies within it and is 1, 2, 3 … (section 2.4). */
export function checkEspPadding(bytes: Uint8Array, start: number, end: number): Verdict {
  const octets = espPadLength(bytes, end);
  const first = end - ESP_TRAILER_OCTETS - octets;
  if (first < start) return Drop.ipsecPaddingInvalid;
  for (let index = 0; index < octets; index++) {
    if (bytes[first + index] !== index + 1) return Drop.ipsecPaddingInvalid;
  }
  return FORWARD;
}
