// The UDP header (RFC 768).
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-------------------------------+-------------------------------+
//   |          source port          |       destination port        |
//   +-------------------------------+-------------------------------+
//   |            length             |           checksum            |
//   +-------------------------------+-------------------------------+

import { checksumAddWords, checksumFinish } from '../core/checksum.ts';
import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { read16, write16 } from '../core/octets.ts';

export const UDP_HEADER_OCTETS = 8;

const DESTINATION_PORT = 2;
export const UDP_LENGTH = 4;
export const UDP_CHECKSUM = 6;

/**
 * Guarantees, with FORWARD: a whole header, and a length that lies within the octets of the IP payload. The checksum is
 * not looked at.
 */
export function checkUdp(bytes: Uint8Array, start: number, end: number): Verdict {
  if (end - start < UDP_HEADER_OCTETS) return Drop.udpHeaderInvalid;
  const octets = read16(bytes, start + UDP_LENGTH);
  return octets < UDP_HEADER_OCTETS || octets > end - start ? Drop.udpHeaderInvalid : FORWARD;
}

/**
 * Verifies the checksum of a checked datagram; `pseudoHeaderSum` for the length in the header. A field of 0 means that
 * none was sent, which a tunnel accepts on IPv4 and (RFC 6935) on IPv6.
 */
export function checkUdpChecksum(
  bytes: Uint8Array,
  words: Int32Array,
  start: number,
  pseudoHeaderSum: number,
): Verdict {
  if (read16(bytes, start + UDP_CHECKSUM) === 0) return FORWARD;
  const end = start + read16(bytes, start + UDP_LENGTH);
  const rest = checksumFinish(checksumAddWords(bytes, words, start, end, pseudoHeaderSum));
  return rest === 0 ? FORWARD : Drop.udpChecksumInvalid;
}

/** Whether the sender has put a checksum in. */
export function udpHasChecksum(bytes: Uint8Array, start: number): boolean {
  return (bytes[start + UDP_CHECKSUM]! | bytes[start + UDP_CHECKSUM + 1]!) !== 0;
}

export function udpSourcePort(bytes: Uint8Array, start: number): number {
  return read16(bytes, start);
}

export function udpDestinationPort(bytes: Uint8Array, start: number): number {
  return read16(bytes, start + DESTINATION_PORT);
}

/** Octets of header and payload. */
export function udpOctets(bytes: Uint8Array, start: number): number {
  return read16(bytes, start + UDP_LENGTH);
}

/** Writes a header without a checksum; `octets` of header and payload. */
export function writeUdp(
  bytes: Uint8Array,
  at: number,
  sourcePort: number,
  destinationPort: number,
  octets: number,
): void {
  write16(bytes, at, sourcePort);
  write16(bytes, at + DESTINATION_PORT, destinationPort);
  write16(bytes, at + UDP_LENGTH, octets);
  write16(bytes, at + UDP_CHECKSUM, 0);
}

/** Fills in the checksum of a datagram whose payload is complete; a computed 0 is sent as all ones (RFC 768). */
export function writeUdpChecksum(bytes: Uint8Array, words: Int32Array, start: number, pseudoHeaderSum: number): void {
  write16(bytes, start + UDP_CHECKSUM, 0);
  const end = start + read16(bytes, start + UDP_LENGTH);
  const checksum = checksumFinish(checksumAddWords(bytes, words, start, end, pseudoHeaderSum));
  write16(bytes, start + UDP_CHECKSUM, checksum === 0 ? 0xffff : checksum);
}
