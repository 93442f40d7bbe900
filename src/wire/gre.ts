// The GRE header (RFC 2784) with its key and sequence number (RFC 2890).
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-------------------+-----+-----------------------------+
//   |C|R|K|S|    reserved0      | ver |        protocol type        |
//   +-+-+-+-+-------------------+-----+-----------------------------+
//   |      checksum (with C)          |       reserved1 (with C)    |
//   +---------------------------------------------------------------+
//   |                         key (with K)                          |
//   +---------------------------------------------------------------+
//   |                   sequence number (with S)                    |
//   +---------------------------------------------------------------+
//
// Not supported: the routing of RFC 1701 (bit R, strict source routes, recursion), which RFC 2784 (section 2.3) has dropped
// where it is not implemented, and version 1 (PPTP). The rest of reserved0, and reserved1, the offset of RFC 1701, are
// sent as 0 and ignored on receipt.

import { checksumAddWords, checksumFinish } from '../core/checksum.ts';
import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { read16, read32, write16, write32 } from '../core/octets.ts';

export const GreFlag = { checksum: 0x8000, key: 0x2000, sequence: 0x1000 } as const;

/** Routing, strict source route and the first bit of recursion control: bits 1, 4 and 5 (RFC 2784, section 2.3). */
const UNSUPPORTED = 0x4c00;
const VERSION = 0x0007;

export const GRE_PROTOCOL = 2;
/** Transparent Ethernet bridging: an Ethernet frame without its check sequence. */
export const GRE_TEB = 0x6558;
/** What stands in the answer to a keepalive packet, which carries nothing. */
export const GRE_KEEPALIVE = 0;

/** By the flags C, K and S in one number (`greOptions`). */
const HEADER_OCTETS: readonly number[] = Array.from(
  { length: 16 },
  (_, options) => 4 + ((options & 8) !== 0 ? 4 : 0) + ((options & 2) !== 0 ? 4 : 0) + ((options & 1) !== 0 ? 4 : 0),
);

/** Guarantees, with FORWARD: a whole header of version 0, with every field that its flags announce. */
export function checkGre(bytes: Uint8Array, start: number, end: number): Verdict {
  if (end - start < 4) return Drop.greHeaderInvalid;
  const flags = read16(bytes, start);
  if ((flags & (UNSUPPORTED | VERSION)) !== 0 || end - start < HEADER_OCTETS[flags >>> 12]!)
    return Drop.greHeaderInvalid;
  return FORWARD;
}

/** Values of GreFlag, and whatever else the sender has set. */
export function greFlags(bytes: Uint8Array, start: number): number {
  return read16(bytes, start);
}

/** Octets of a header with these flags. */
export function greHeaderOctets(flags: number): number {
  return HEADER_OCTETS[flags >>> 12]!;
}

export function greProtocol(bytes: Uint8Array, start: number): number {
  return read16(bytes, start + GRE_PROTOCOL);
}

/** Octets from the start of the header to the key, where there is one. */
export function greKeyAt(flags: number): number {
  return (flags & GreFlag.checksum) === 0 ? 4 : 8;
}

/** Octets from the start of the header to the sequence number, where there is one. */
export function greSequenceAt(flags: number): number {
  return greHeaderOctets(flags) - 4;
}

/** Signed 32 bits; only with GreFlag.key. */
export function greKey(bytes: Uint8Array, start: number, flags: number): number {
  return read32(bytes, start + greKeyAt(flags));
}

/** Signed 32 bits; only with GreFlag.sequence. */
export function greSequence(bytes: Uint8Array, start: number, flags: number): number {
  return read32(bytes, start + greSequenceAt(flags));
}

/** Verifies the checksum over header and payload; only with GreFlag.checksum. */
export function checkGreChecksum(bytes: Uint8Array, words: Int32Array, start: number, end: number): Verdict {
  return checksumFinish(checksumAddWords(bytes, words, start, end, 0)) === 0 ? FORWARD : Drop.greChecksumInvalid;
}

/** Writes a header of `greHeaderOctets(flags)` octets with these flags of GreFlag; the checksum is left 0. */
export function writeGre(
  bytes: Uint8Array,
  at: number,
  flags: number,
  protocol: number,
  key: number,
  sequence: number,
): void {
  write16(bytes, at, flags);
  write16(bytes, at + GRE_PROTOCOL, protocol);
  if ((flags & GreFlag.checksum) !== 0) write32(bytes, at + 4, 0);
  if ((flags & GreFlag.key) !== 0) write32(bytes, at + greKeyAt(flags), key);
  if ((flags & GreFlag.sequence) !== 0) write32(bytes, at + greSequenceAt(flags), sequence);
}

/** Fills in the checksum over header and payload; the field holds 0. */
export function writeGreChecksum(bytes: Uint8Array, words: Int32Array, start: number, end: number): void {
  write16(bytes, start + 4, checksumFinish(checksumAddWords(bytes, words, start, end, 0)));
}
