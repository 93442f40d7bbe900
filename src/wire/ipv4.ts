// The IPv4 header (RFC 791). Options are stepped over on receipt and never written.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-------+-------+-----------+---+-------------------------------+
//   |version|  IHL  |   DSCP    |ECN|         total length          |
//   +-------+-------+-----------+---+-----+-------------------------+
//   |        identification         |0|D|M|     fragment offset     |
//   +---------------+---------------+-----+-------------------------+
//   | time to live  |   protocol    |        header checksum        |
//   +---------------+---------------+-------------------------------+
//   |                        source address                         |
//   +---------------------------------------------------------------+
//   |                      destination address                      |
//   +---------------------------------------------------------------+

import { checksumAdd, checksumFinish, checksumFold, checksumUpdate16 } from '../core/checksum.ts';
import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { read16, read32, write16, write32 } from '../core/octets.ts';

export const IPV4_HEADER_OCTETS = 20;

export const IPV4_TOS = 1;
export const IPV4_TOTAL_LENGTH = 2;
export const IPV4_IDENTIFICATION = 4;
export const IPV4_FLAGS = 6;
export const IPV4_TTL = 8;
export const IPV4_PROTOCOL = 9;
export const IPV4_CHECKSUM = 10;
export const IPV4_SOURCE = 12;
export const IPV4_DESTINATION = 16;

const DONT_FRAGMENT = 0x4000;
export const IPV4_MORE_FRAGMENTS = 0x2000;
/** In units of 8 octets. */
export const IPV4_FRAGMENT_OFFSET = 0x1fff;
const MORE_FRAGMENTS_AND_OFFSET = IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET;

/** Registered protocol numbers that are looked at here; next headers of IPv6 share them. */
export const IpProtocol = { icmp: 1, igmp: 2, tcp: 6, udp: 17, gre: 47, icmpv6: 58, etherip: 97, sctp: 132 } as const;

/**
 * Guarantees, with FORWARD: version 4, a whole header with its options and the right checksum, and a total length that
 * lies within the octets. What follows the total length is padding of the link.
 */
export function checkIpv4(bytes: Uint8Array, start: number, end: number): Verdict {
  if (end - start < IPV4_HEADER_OCTETS) return Drop.ipHeaderInvalid;
  const first = bytes[start]!;
  const headerOctets = (first & 0x0f) << 2;
  const totalOctets = read16(bytes, start + IPV4_TOTAL_LENGTH);
  if (first >>> 4 !== 4 || headerOctets < IPV4_HEADER_OCTETS) return Drop.ipHeaderInvalid;
  if (totalOctets < headerOctets || totalOctets > end - start) return Drop.ipHeaderInvalid;
  const sum =
    headerOctets === IPV4_HEADER_OCTETS
      ? plainHeaderSum(bytes, start)
      : checksumAdd(bytes, start, start + headerOctets, 0);
  return checksumFold(sum) === 0xffff ? FORWARD : Drop.ipChecksumInvalid;
}

/** The sum over a header without options; written out, it costs half of what the loop does. */
function plainHeaderSum(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! + bytes[at + 2]! + bytes[at + 4]! + bytes[at + 6]! + bytes[at + 8]!) << 8) +
    ((bytes[at + 10]! + bytes[at + 12]! + bytes[at + 14]! + bytes[at + 16]! + bytes[at + 18]!) << 8) +
    (bytes[at + 1]! + bytes[at + 3]! + bytes[at + 5]! + bytes[at + 7]! + bytes[at + 9]!) +
    (bytes[at + 11]! + bytes[at + 13]! + bytes[at + 15]! + bytes[at + 17]! + bytes[at + 19]!)
  );
}

/** Octets of the header with its options. */
export function ipv4HeaderOctets(bytes: Uint8Array, start: number): number {
  return (bytes[start]! & 0x0f) << 2;
}

export function ipv4TotalOctets(bytes: Uint8Array, start: number): number {
  return read16(bytes, start + IPV4_TOTAL_LENGTH);
}

/** DSCP and ECN. */
export function ipv4Tos(bytes: Uint8Array, start: number): number {
  return bytes[start + IPV4_TOS]!;
}

export function ipv4Ttl(bytes: Uint8Array, start: number): number {
  return bytes[start + IPV4_TTL]!;
}

export function ipv4Protocol(bytes: Uint8Array, start: number): number {
  return bytes[start + IPV4_PROTOCOL]!;
}

/** Whether the packet is a fragment, the first one included. */
export function ipv4IsFragment(bytes: Uint8Array, start: number): boolean {
  return (read16(bytes, start + IPV4_FLAGS) & MORE_FRAGMENTS_AND_OFFSET) !== 0;
}

/** Whether nobody may fragment the packet on its way. */
export function ipv4DontFragment(bytes: Uint8Array, start: number): boolean {
  return (read16(bytes, start + IPV4_FLAGS) & DONT_FRAGMENT) !== 0;
}

/** Octets of the whole payload in front of this fragment's; 0 for what is no fragment. */
export function ipv4FragmentOffset(bytes: Uint8Array, start: number): number {
  return (read16(bytes, start + IPV4_FLAGS) & IPV4_FRAGMENT_OFFSET) << 3;
}

/** Signed 32 bits, as all addresses here. */
export function ipv4Source(bytes: Uint8Array, start: number): number {
  return read32(bytes, start + IPV4_SOURCE);
}

export function ipv4Destination(bytes: Uint8Array, start: number): number {
  return read32(bytes, start + IPV4_DESTINATION);
}

/** The sum of the pseudo-header of an upper-layer packet of `octets` (RFC 9293, section 3.1; RFC 768). */
export function ipv4PseudoHeaderSum(bytes: Uint8Array, start: number, protocol: number, octets: number): number {
  return checksumAdd(bytes, start + IPV4_SOURCE, start + IPV4_HEADER_OCTETS, protocol + octets);
}

/** Writes a header of 20 octets with its checksum. */
export function writeIpv4(
  bytes: Uint8Array,
  at: number,
  tos: number,
  totalOctets: number,
  identification: number,
  dontFragment: boolean,
  ttl: number,
  protocol: number,
  source: number,
  destination: number,
): void {
  const flags = dontFragment ? DONT_FRAGMENT : 0;
  bytes[at] = 0x45;
  bytes[at + IPV4_TOS] = tos;
  write16(bytes, at + IPV4_TOTAL_LENGTH, totalOctets);
  write16(bytes, at + IPV4_IDENTIFICATION, identification);
  write16(bytes, at + IPV4_FLAGS, flags);
  bytes[at + IPV4_TTL] = ttl;
  bytes[at + IPV4_PROTOCOL] = protocol;
  write32(bytes, at + IPV4_SOURCE, source);
  write32(bytes, at + IPV4_DESTINATION, destination);
  writeIpv4Checksum(bytes, at);
}

/** Sets the identification, and corrects the header checksum (RFC 1624). */
export function setIpv4Identification(bytes: Uint8Array, start: number, identification: number): void {
  const before = read16(bytes, start + IPV4_IDENTIFICATION);
  write16(bytes, start + IPV4_IDENTIFICATION, identification);
  const checksum = checksumUpdate16(read16(bytes, start + IPV4_CHECKSUM), before, identification);
  write16(bytes, start + IPV4_CHECKSUM, checksum);
}

/** Takes one from a time to live that is at least 1, and corrects the header checksum (RFC 1624). */
export function decrementTtl(bytes: Uint8Array, start: number): void {
  const before = read16(bytes, start + IPV4_TTL);
  bytes[start + IPV4_TTL]! -= 1;
  const checksum = checksumUpdate16(read16(bytes, start + IPV4_CHECKSUM), before, read16(bytes, start + IPV4_TTL));
  write16(bytes, start + IPV4_CHECKSUM, checksum);
}

/** Sets the checksum of the header at `start`, options included. */
export function writeIpv4Checksum(bytes: Uint8Array, start: number): void {
  write16(bytes, start + IPV4_CHECKSUM, 0);
  const sum = checksumAdd(bytes, start, start + ipv4HeaderOctets(bytes, start), 0);
  write16(bytes, start + IPV4_CHECKSUM, checksumFinish(sum));
}
