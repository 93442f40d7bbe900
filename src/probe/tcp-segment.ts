// TCP segments of half-open probes: the SYN that is sent, and what comes back, which is hostile input.

import { checksumAdd, checksumFinish } from '../core/checksum.ts';
import { read16, read32, write16, write32 } from '../core/octets.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import { TCP_CHECKSUM, TCP_FLAGS, TCP_RST, TCP_SEQUENCE, TCP_SYN, tcpHeaderOctets } from '../wire/tcp.ts';

const DESTINATION_PORT = 2;
const ACKNOWLEDGEMENT = 8;
const DATA_OFFSET = 12;
const WINDOW = 14;
const OPTIONS = 20;
/** The header, and the maximum segment size, without which some do not answer. */
export const SYN_OCTETS = 24;
const TCP_ACK = 0x10;
const MAXIMUM_SEGMENT = { 4: 1460, 6: 1440 } as const;

export type Syn = {
  readonly family: 4 | 6;
  /** Words of addresses, for the pseudo-header. */
  readonly source: ArrayLike<number>;
  readonly destination: ArrayLike<number>;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
};

/** Writes a SYN of SYN_OCTETS. */
export function writeSyn(bytes: Uint8Array, at: number, syn: Syn): void {
  const { family, source, destination } = syn;
  bytes.fill(0, at, at + SYN_OCTETS);
  write16(bytes, at, syn.sourcePort);
  write16(bytes, at + DESTINATION_PORT, syn.destinationPort);
  write32(bytes, at + TCP_SEQUENCE, syn.sequence);
  bytes[at + DATA_OFFSET] = (SYN_OCTETS >>> 2) << 4;
  bytes[at + TCP_FLAGS] = TCP_SYN;
  write16(bytes, at + WINDOW, 0xffff);
  write32(bytes, at + OPTIONS, 0x0204_0000 | MAXIMUM_SEGMENT[family]);
  let sum = IpProtocol.tcp + SYN_OCTETS;
  // Words of IPv4 addresses but the last are 0.
  for (let index = 0; index < 4; index++) sum += halves(source[index]!) + halves(destination[index]!);
  write16(bytes, at + TCP_CHECKSUM, checksumFinish(checksumAdd(bytes, at, at + SYN_OCTETS, sum)));
}

const halves = (word: number): number => (word >>> 16) + (word & 0xffff);

export const SegmentKind = { other: 0, accepts: 1, refuses: 2 } as const;
type SegmentKind = (typeof SegmentKind)[keyof typeof SegmentKind];

/** What the last `readSegment` has read. */
export const segment = { kind: SegmentKind.other as SegmentKind, sourcePort: 0, destinationPort: 0, answers: 0 };

/**
 * Reads the TCP segment in [at, end), which may be cut off behind its header. False: it answers no SYN. `answers` is the sequence
 * number of the SYN that it is an answer to.
 */
export function readSegment(bytes: Uint8Array, at: number, end: number): boolean {
  if (tcpHeaderOctets(bytes, at, end) === 0) return false;
  const flags = bytes[at + TCP_FLAGS]!;
  // Without an acknowledgement nobody can tell what it belongs to (RFC 9293, section 3.10.7.3).
  if ((flags & TCP_ACK) === 0 || (flags & (TCP_SYN | TCP_RST)) === 0) return false;
  segment.kind = (flags & TCP_RST) !== 0 ? SegmentKind.refuses : SegmentKind.accepts;
  segment.sourcePort = read16(bytes, at);
  segment.destinationPort = read16(bytes, at + DESTINATION_PORT);
  segment.answers = (read32(bytes, at + ACKNOWLEDGEMENT) - 1) | 0;
  return true;
}
