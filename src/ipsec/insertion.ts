// Where ESP and AH stand in a packet in transport mode (RFC 4303, section 3.1.1; RFC 4302, section 3.1.1): behind the IPv4 header and
// its options; behind the IPv6 extension headers that routers read, and in front of destination options for the receiver.

import {
  IPV4_PROTOCOL,
  IPV4_TOTAL_LENGTH,
  ipv4HeaderOctets,
  ipv4IsFragment,
  ipv4TotalOctets,
  writeIpv4Checksum,
} from '../wire/ipv4.ts';
import {
  IPV6_FRAGMENT,
  IPV6_HEADER_OCTETS,
  IPV6_HOP_BY_HOP,
  IPV6_NEXT_HEADER,
  IPV6_PAYLOAD_LENGTH,
  ipv6PayloadOctets,
} from '../wire/ipv6.ts';
import {
  fragmentOffset,
  hasMoreFragments,
  IPV6_DESTINATION_OPTIONS,
  IPV6_FRAGMENT_HEADER_OCTETS,
  IPV6_ROUTING,
} from '../wire/ipv6-extension.ts';
import { write16 } from '../core/octets.ts';

/** More of them nobody sends. */
const MAX_HEADERS = 16;
/** Of a routing header: how many more nodes the packet is to visit. */
const SEGMENTS_LEFT = 3;

export const isIpv4 = (bytes: Uint8Array, ip: number): boolean => bytes[ip]! >>> 4 === 4;

/** Behind the last octet of a checked IP packet. */
export const packetEnd = (bytes: Uint8Array, ip: number): number =>
  ip + (isIpv4(bytes, ip) ? ipv4TotalOctets(bytes, ip) : IPV6_HEADER_OCTETS + ipv6PayloadOctets(bytes, ip));

/** What the last successful `findInsertion` found: offsets into the same octets. */
export const insertion = {
  /** The first octet that is protected. */
  at: 0,
  /** What it is, and where the octet stands that says so. */
  protocol: 0,
  protocolAt: 0,
  isFragment: false,
  hasFragmentHeader: false,
  /** Whether a routing header leads it elsewhere before its receiver. */
  isRouted: false,
};

/** Fills in `insertion` for a checked packet and returns true; false: extension headers that are cut short. */
export function findInsertion(bytes: Uint8Array, ip: number, end: number): boolean {
  insertion.hasFragmentHeader = false;
  insertion.isRouted = false;
  insertion.isFragment = false;
  if (isIpv4(bytes, ip)) {
    insertion.at = ip + ipv4HeaderOctets(bytes, ip);
    insertion.protocolAt = ip + IPV4_PROTOCOL;
    insertion.isFragment = ipv4IsFragment(bytes, ip);
  } else if (!walkIpv6(bytes, ip, end)) {
    return false;
  }
  insertion.protocol = bytes[insertion.protocolAt]!;
  return true;
}

function walkIpv6(bytes: Uint8Array, ip: number, end: number): boolean {
  let at = ip + IPV6_HEADER_OCTETS;
  let nextHeaderAt = ip + IPV6_NEXT_HEADER;
  insertion.at = at;
  insertion.protocolAt = nextHeaderAt;
  for (let count = 0; count < MAX_HEADERS; count++) {
    const nextHeader = bytes[nextHeaderAt]!;
    const isForRouters = nextHeader === IPV6_HOP_BY_HOP || nextHeader === IPV6_ROUTING || nextHeader === IPV6_FRAGMENT;
    if (!isForRouters && nextHeader !== IPV6_DESTINATION_OPTIONS) return true;
    if (end - at < IPV6_FRAGMENT_HEADER_OCTETS) return false;
    const octets = nextHeader === IPV6_FRAGMENT ? IPV6_FRAGMENT_HEADER_OCTETS : (bytes[at + 1]! + 1) << 3;
    if (octets > end - at) return false;
    if (nextHeader === IPV6_ROUTING && bytes[at + SEGMENTS_LEFT] !== 0) insertion.isRouted = true;
    if (nextHeader === IPV6_FRAGMENT) {
      insertion.hasFragmentHeader = true;
      insertion.isFragment ||= fragmentOffset(bytes, at) !== 0 || hasMoreFragments(bytes, at);
    }
    nextHeaderAt = at;
    at += octets;
    if (isForRouters) {
      insertion.at = at;
      insertion.protocolAt = nextHeaderAt;
    }
    if (insertion.isFragment) return true;
  }
  return false;
}

/** Offset of the octet that announces what stands at `boundary` of a checked packet; 0: no chain of headers leads there. */
export function findAnnouncement(bytes: Uint8Array, ip: number, boundary: number): number {
  if (isIpv4(bytes, ip)) return ip + ipv4HeaderOctets(bytes, ip) === boundary ? ip + IPV4_PROTOCOL : 0;
  let at = ip + IPV6_HEADER_OCTETS;
  let nextHeaderAt = ip + IPV6_NEXT_HEADER;
  while (at < boundary) {
    const nextHeader = bytes[nextHeaderAt]!;
    if (nextHeader === IPV6_FRAGMENT) {
      nextHeaderAt = at;
      at += IPV6_FRAGMENT_HEADER_OCTETS;
      continue;
    }
    if (nextHeader !== IPV6_HOP_BY_HOP && nextHeader !== IPV6_ROUTING && nextHeader !== IPV6_DESTINATION_OPTIONS)
      return 0;
    nextHeaderAt = at;
    at += (bytes[at + 1]! + 1) << 3;
  }
  return at === boundary ? nextHeaderAt : 0;
}

/** Makes the header at `ip` say what stands behind it now: its length and, at `protocolAt`, what follows. */
export function rewriteHeader(bytes: Uint8Array, ip: number, end: number, protocolAt: number, protocol: number): void {
  bytes[protocolAt] = protocol;
  if (isIpv4(bytes, ip)) {
    write16(bytes, ip + IPV4_TOTAL_LENGTH, end - ip);
    writeIpv4Checksum(bytes, ip);
  } else {
    write16(bytes, ip + IPV6_PAYLOAD_LENGTH, end - ip - IPV6_HEADER_OCTETS);
  }
}
