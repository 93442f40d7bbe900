// The fixed IPv6 header (RFC 8200). Extension headers are not stepped over.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-------+---------------+---------------------------------------+
//   |version| traffic class |              flow label               |
//   +-------+---------------+-------+---------------+---------------+
//   |        payload length         |  next header  |   hop limit   |
//   +-------------------------------+---------------+---------------+
//   |                  source address, 16 octets                    |
//   +---------------------------------------------------------------+
//   |                destination address, 16 octets                 |
//   +---------------------------------------------------------------+

import type { AddressWords } from '../core/address.ts';
import { checksumAdd } from '../core/checksum.ts';
import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { read16, read32, write16, write32 } from '../core/octets.ts';

export const IPV6_HEADER_OCTETS = 40;
export const IPV6_ADDRESS_OCTETS = 16;

export const IPV6_PAYLOAD_LENGTH = 4;
export const IPV6_NEXT_HEADER = 6;
/** Next header of a packet whose first extension header every router reads (RFC 8200, section 4.3). */
export const IPV6_HOP_BY_HOP = 0;
/** Next header of a fragment (RFC 8200, section 4.5). */
export const IPV6_FRAGMENT = 44;
export const IPV6_HOP_LIMIT = 7;
export const IPV6_SOURCE = 8;
export const IPV6_DESTINATION = 24;

/**
 * Guarantees, with FORWARD: version 6, a whole fixed header, and a payload length that lies within the octets. What
 * follows the payload is padding of the link.
 */
export function checkIpv6(bytes: Uint8Array, start: number, end: number): Verdict {
  if (end - start < IPV6_HEADER_OCTETS || bytes[start]! >>> 4 !== 6) return Drop.ipHeaderInvalid;
  return ipv6PayloadOctets(bytes, start) > end - start - IPV6_HEADER_OCTETS ? Drop.ipHeaderInvalid : FORWARD;
}

/** DSCP and ECN. */
export function ipv6TrafficClass(bytes: Uint8Array, start: number): number {
  return (read16(bytes, start) >>> 4) & 0xff;
}

/** Octets behind the fixed header. */
export function ipv6PayloadOctets(bytes: Uint8Array, start: number): number {
  return read16(bytes, start + IPV6_PAYLOAD_LENGTH);
}

/** What the fixed header says that follows: a value of IpProtocol, or an extension header. */
export function ipv6NextHeader(bytes: Uint8Array, start: number): number {
  return bytes[start + IPV6_NEXT_HEADER]!;
}

export function ipv6HopLimit(bytes: Uint8Array, start: number): number {
  return bytes[start + IPV6_HOP_LIMIT]!;
}

/** Whether the address at this offset is a multicast address. */
export function ipv6IsMulticast(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xff;
}

/** Whether the address at this offset is `::`. */
export function ipv6IsUnspecified(bytes: Uint8Array, at: number): boolean {
  return (read32(bytes, at) | read32(bytes, at + 4) | read32(bytes, at + 8) | read32(bytes, at + 12)) === 0;
}

export function copyIpv6Address(bytes: Uint8Array, from: number, to: number): void {
  for (let at = 0; at < IPV6_ADDRESS_OCTETS; at++) bytes[to + at] = bytes[from + at]!;
}

export function writeIpv6Address(bytes: Uint8Array, at: number, address: AddressWords): void {
  write32(bytes, at, address[0]);
  write32(bytes, at + 4, address[1]);
  write32(bytes, at + 8, address[2]);
  write32(bytes, at + 12, address[3]);
}

/** The sum of the pseudo-header of an upper-layer packet of `octets` (RFC 8200, section 8.1). */
export function ipv6PseudoHeaderSum(bytes: Uint8Array, start: number, protocol: number, octets: number): number {
  return checksumAdd(bytes, start + IPV6_SOURCE, start + IPV6_HEADER_OCTETS, protocol + octets);
}

/** Writes the first 8 octets; the addresses, at IPV6_SOURCE and IPV6_DESTINATION, are the caller's. */
export function writeIpv6(
  bytes: Uint8Array,
  at: number,
  trafficClass: number,
  flowLabel: number,
  payloadOctets: number,
  nextHeader: number,
  hopLimit: number,
): void {
  write32(bytes, at, (6 << 28) | (trafficClass << 20) | flowLabel);
  write16(bytes, at + IPV6_PAYLOAD_LENGTH, payloadOctets);
  bytes[at + IPV6_NEXT_HEADER] = nextHeader;
  bytes[at + IPV6_HOP_LIMIT] = hopLimit;
}
