// The extension headers of IPv6 (RFC 8200, section 4), stepped over on the way to the upper layer.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------+---------------+-------------------------------+
//   |  next header  | length, in 8, |  hop-by-hop options, routing, destination options
//   |               | less the first|
//   +---------------+---------------+-------------------+---+-+-----+
//   |  next header  |   reserved    |  fragment offset  |res|M|        fragment (section 4.5)
//   +---------------+---------------+-------------------+---+-+-----+
//   |                         identification                        |
//   +---------------------------------------------------------------+
//
// What they say is not looked at. An encryption header (ESP) is an upper layer.

import { read16, read32, write16, write32 } from '../core/octets.ts';
import { IPV6_FRAGMENT, IPV6_HEADER_OCTETS, IPV6_HOP_BY_HOP, IPV6_NEXT_HEADER } from './ipv6.ts';

/** Next headers of two kinds of extension header (RFC 8200, sections 4.4 and 4.6). */
export const IPV6_ROUTING = 43;
export const IPV6_DESTINATION_OPTIONS = 60;
const AUTHENTICATION = 51;

export const IPV6_FRAGMENT_HEADER_OCTETS = 8;
const OFFSET_AND_FLAGS = 2;
const IDENTIFICATION = 4;
const MORE_FRAGMENTS = 1;
const FRAGMENT_OFFSET = 0xfff8;

/** More of them nobody sends; each could be as short as 8 octets. */
const MAX_HEADERS = 16;

/** What the last successful `findUpperLayer` found: offsets into the same octets. */
export const upperLayer = {
  /** The next header that is no extension: a value of IpProtocol, or another. */
  protocol: 0,
  start: 0,
  /** Where the octet stands that says so. */
  protocolAt: 0,
  /** The first fragment header; 0: there is none. Behind one of a later fragment, the upper layer is not looked for. */
  fragmentAt: 0,
  /** Where the octet stands that announces the fragment header. */
  fragmentNextHeaderAt: 0,
};

/**
 * Fills in `upperLayer` and returns true when every extension header of the packet with a whole fixed header lies before
 * `end`. One object for all, because one a packet would be garbage.
 */
export function findUpperLayer(bytes: Uint8Array, ipStart: number, end: number): boolean {
  return find(bytes, ipStart, end, false);
}

/** The same, but an authentication header (AH) ends the search like an upper layer. */
export function findUpperLayerOrAh(bytes: Uint8Array, ipStart: number, end: number): boolean {
  return find(bytes, ipStart, end, true);
}

function find(bytes: Uint8Array, ipStart: number, end: number, endsAtAh: boolean): boolean {
  let nextHeaderAt = ipStart + IPV6_NEXT_HEADER;
  let at = ipStart + IPV6_HEADER_OCTETS;
  upperLayer.fragmentAt = 0;
  for (let count = 0; count < MAX_HEADERS; count++) {
    const nextHeader = bytes[nextHeaderAt]!;
    if (!isIpv6Extension(nextHeader) || (endsAtAh && nextHeader === AUTHENTICATION)) {
      return found(nextHeader, at, nextHeaderAt);
    }
    if (end - at < IPV6_FRAGMENT_HEADER_OCTETS) return false;
    let octets = (bytes[at + 1]! + 1) << 3;
    if (nextHeader === AUTHENTICATION) octets = (bytes[at + 1]! + 2) << 2;
    if (nextHeader === IPV6_FRAGMENT) {
      octets = IPV6_FRAGMENT_HEADER_OCTETS;
      if (upperLayer.fragmentAt === 0) {
        upperLayer.fragmentAt = at;
        upperLayer.fragmentNextHeaderAt = nextHeaderAt;
      }
      if (fragmentOffset(bytes, at) !== 0) return found(bytes[at]!, at + octets, at);
    }
    if (octets > end - at) return false;
    nextHeaderAt = at;
    at += octets;
  }
  return false;
}

function found(protocol: number, start: number, protocolAt: number): boolean {
  upperLayer.protocol = protocol;
  upperLayer.start = start;
  upperLayer.protocolAt = protocolAt;
  return true;
}

export const isIpv6Extension = (nextHeader: number): boolean =>
  nextHeader === IPV6_HOP_BY_HOP ||
  nextHeader === IPV6_ROUTING ||
  nextHeader === IPV6_FRAGMENT ||
  nextHeader === AUTHENTICATION ||
  nextHeader === IPV6_DESTINATION_OPTIONS;

/** Octets of the fragmentable part in front of this fragment's, of the fragment header at `at`. */
export function fragmentOffset(bytes: Uint8Array, at: number): number {
  return read16(bytes, at + OFFSET_AND_FLAGS) & FRAGMENT_OFFSET;
}

export function hasMoreFragments(bytes: Uint8Array, at: number): boolean {
  return (bytes[at + OFFSET_AND_FLAGS + 1]! & MORE_FRAGMENTS) !== 0;
}

/** Signed 32 bits. */
export function fragmentIdentification(bytes: Uint8Array, at: number): number {
  return read32(bytes, at + IDENTIFICATION);
}

/** Writes a fragment header; `offset` is a multiple of 8. */
export function writeFragmentHeader(
  bytes: Uint8Array,
  at: number,
  nextHeader: number,
  offset: number,
  more: boolean,
  identification: number,
): void {
  bytes[at] = nextHeader;
  bytes[at + 1] = 0;
  write16(bytes, at + OFFSET_AND_FLAGS, offset | (more ? MORE_FRAGMENTS : 0));
  write32(bytes, at + IDENTIFICATION, identification);
}
