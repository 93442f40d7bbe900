// Finds the TCP or UDP packet in an Ethernet frame, or in an IP packet.
//
// Supported: IPv4 with options, IPv6 without extension headers, up to two VLAN tags in the octets.

import { read16 } from '../core/octets.ts';
import { EtherType, ETHERNET_HEADER_OCTETS, ETHERNET_TYPE, VLAN_TAG_OCTETS } from '../wire/ethernet.ts';
import {
  IPV4_HEADER_OCTETS,
  IpProtocol,
  ipv4HeaderOctets,
  ipv4IsFragment,
  ipv4Protocol,
  ipv4PseudoHeaderSum,
  ipv4TotalOctets,
} from '../wire/ipv4.ts';
import { IPV6_HEADER_OCTETS, ipv6NextHeader, ipv6PayloadOctets, ipv6PseudoHeaderSum } from '../wire/ipv6.ts';

/** What the last successful `findTransport` found: offsets into the arena. */
export const transport = {
  ipStart: 0,
  isIpv4: true,
  /** A value of IpProtocol: tcp or udp. */
  protocol: 0,
  start: 0,
  /** Behind the last octet that the IP header counts. */
  end: 0,
  /** The sum of the pseudo-header, for the octets from start to end. */
  pseudoHeaderSum: 0,
};

const MAX_TAGS = 2;

/**
 * Fills in `transport` and returns true when the frame holds a whole, unfragmented TCP or UDP packet. One object for
 * all, because one a frame would be garbage.
 */
export function findTransport(bytes: Uint8Array, frameStart: number, frameEnd: number): boolean {
  if (frameEnd - frameStart < ETHERNET_HEADER_OCTETS) return false;
  let typeAt = frameStart + ETHERNET_TYPE;
  let type = read16(bytes, typeAt);
  for (let tags = 0; tags < MAX_TAGS && (type === EtherType.vlan || type === EtherType.serviceVlan); tags++) {
    typeAt += VLAN_TAG_OCTETS;
    if (frameEnd - typeAt < 2) return false;
    type = read16(bytes, typeAt);
  }
  const ipStart = typeAt + 2;
  if (type === EtherType.ipv4) return findInIpv4(bytes, ipStart, frameEnd);
  if (type === EtherType.ipv6) return findInIpv6(bytes, ipStart, frameEnd);
  return false;
}

/** The same for a packet that starts at its IP header. */
export function findTransportInPacket(bytes: Uint8Array, ipStart: number, end: number): boolean {
  if (end <= ipStart) return false;
  return bytes[ipStart]! >>> 4 === 6 ? findInIpv6(bytes, ipStart, end) : findInIpv4(bytes, ipStart, end);
}

function findInIpv4(bytes: Uint8Array, ipStart: number, frameEnd: number): boolean {
  if (frameEnd - ipStart < IPV4_HEADER_OCTETS || bytes[ipStart]! >>> 4 !== 4) return false;
  const headerOctets = ipv4HeaderOctets(bytes, ipStart);
  const totalOctets = ipv4TotalOctets(bytes, ipStart);
  if (headerOctets < IPV4_HEADER_OCTETS || totalOctets < headerOctets || totalOctets > frameEnd - ipStart) return false;
  if (ipv4IsFragment(bytes, ipStart)) return false;
  const protocol = ipv4Protocol(bytes, ipStart);
  if (protocol !== IpProtocol.tcp && protocol !== IpProtocol.udp) return false;
  transport.ipStart = ipStart;
  transport.isIpv4 = true;
  transport.protocol = protocol;
  transport.start = ipStart + headerOctets;
  transport.end = ipStart + totalOctets;
  transport.pseudoHeaderSum = ipv4PseudoHeaderSum(bytes, ipStart, protocol, totalOctets - headerOctets);
  return true;
}

function findInIpv6(bytes: Uint8Array, ipStart: number, frameEnd: number): boolean {
  if (frameEnd - ipStart < IPV6_HEADER_OCTETS || bytes[ipStart]! >>> 4 !== 6) return false;
  const payloadOctets = ipv6PayloadOctets(bytes, ipStart);
  if (payloadOctets > frameEnd - ipStart - IPV6_HEADER_OCTETS) return false;
  const protocol = ipv6NextHeader(bytes, ipStart);
  if (protocol !== IpProtocol.tcp && protocol !== IpProtocol.udp) return false;
  transport.ipStart = ipStart;
  transport.isIpv4 = false;
  transport.protocol = protocol;
  transport.start = ipStart + IPV6_HEADER_OCTETS;
  transport.end = transport.start + payloadOctets;
  transport.pseudoHeaderSum = ipv6PseudoHeaderSum(bytes, ipStart, protocol, payloadOctets);
  return true;
}
