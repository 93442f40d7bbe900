// What traffic selectors look at in a packet (RFC 4301, section 4.4.1.1): addresses, protocol, ports.

import { read16, read32 } from '../core/octets.ts';
import {
  IPV4_DESTINATION,
  IPV4_FLAGS,
  IPV4_IDENTIFICATION,
  IPV4_MORE_FRAGMENTS,
  IPV4_SOURCE,
  IpProtocol,
  ipv4FragmentOffset,
  ipv4HeaderOctets,
  ipv4Protocol,
} from '../wire/ipv4.ts';
import { IPV6_DESTINATION, IPV6_SOURCE, ipv6NextHeader } from '../wire/ipv6.ts';
import { findUpperLayer, fragmentIdentification, fragmentOffset, upperLayer } from '../wire/ipv6-extension.ts';

export const FragmentKind = { none: 0, first: 1, later: 2 } as const;
export type FragmentKind = (typeof FragmentKind)[keyof typeof FragmentKind];

/**
 * What the last `readSelectors` found. Ports are -1 where the packet does not show them (RFC 4301: OPAQUE): other protocols, and
 * all fragments but the first (but see fragment-ports.ts). Only selectors for any port match those.
 */
export const selectors = {
  isIpv6: false,
  source0: 0,
  source1: 0,
  source2: 0,
  source3: 0,
  destination0: 0,
  destination1: 0,
  destination2: 0,
  destination3: 0,
  protocol: 0,
  sourcePort: -1,
  destinationPort: -1,
  fragment: FragmentKind.none as FragmentKind,
  /** Of the packet that a fragment is of. */
  identification: 0,
  /** Whether packets of the protocol have ports, seen or not. */
  hasPorts: false,
};

/** Has its ports where UDP has them, as SCTP does. */
const UDP_LITE = 136;

/** Fills in `selectors` from a packet whose IP header has been checked. One object for all: one a packet would be garbage. */
export function readSelectors(bytes: Uint8Array, start: number, end: number): void {
  const found = selectors;
  found.isIpv6 = bytes[start]! >>> 4 === 6;
  let payload: number;
  found.fragment = FragmentKind.none;
  if (found.isIpv6) {
    const source = start + IPV6_SOURCE;
    found.source0 = read32(bytes, source);
    found.source1 = read32(bytes, source + 4);
    found.source2 = read32(bytes, source + 8);
    found.source3 = read32(bytes, source + 12);
    const destination = start + IPV6_DESTINATION;
    found.destination0 = read32(bytes, destination);
    found.destination1 = read32(bytes, destination + 4);
    found.destination2 = read32(bytes, destination + 8);
    found.destination3 = read32(bytes, destination + 12);
    if (findUpperLayer(bytes, start, end)) {
      const { fragmentAt } = upperLayer;
      found.protocol = upperLayer.protocol;
      payload = upperLayer.start;
      if (fragmentAt !== 0) {
        found.fragment = fragmentOffset(bytes, fragmentAt) === 0 ? FragmentKind.first : FragmentKind.later;
        found.identification = fragmentIdentification(bytes, fragmentAt);
      }
    } else {
      found.protocol = ipv6NextHeader(bytes, start);
      payload = end;
    }
  } else {
    found.source0 = 0;
    found.source1 = 0;
    found.source2 = 0;
    found.source3 = read32(bytes, start + IPV4_SOURCE);
    found.destination0 = 0;
    found.destination1 = 0;
    found.destination2 = 0;
    found.destination3 = read32(bytes, start + IPV4_DESTINATION);
    found.protocol = ipv4Protocol(bytes, start);
    payload = start + ipv4HeaderOctets(bytes, start);
    const isFirst = ipv4FragmentOffset(bytes, start) === 0;
    if (!isFirst || (read16(bytes, start + IPV4_FLAGS) & IPV4_MORE_FRAGMENTS) !== 0) {
      found.fragment = isFirst ? FragmentKind.first : FragmentKind.later;
      found.identification = read16(bytes, start + IPV4_IDENTIFICATION);
    }
  }
  const { protocol } = found;
  found.hasPorts =
    protocol === IpProtocol.tcp || protocol === IpProtocol.udp || protocol === IpProtocol.sctp || protocol === UDP_LITE;
  if (found.hasPorts && found.fragment !== FragmentKind.later && end - payload >= 4) {
    found.sourcePort = read16(bytes, payload);
    found.destinationPort = read16(bytes, payload + 2);
  } else {
    found.sourcePort = -1;
    found.destinationPort = -1;
  }
}
