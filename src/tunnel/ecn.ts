// Explicit congestion notification through tunnels that carry frames (RFC 6040); of packets: src/packet/ecn.ts.

import { FORWARD, type Verdict } from '../core/drop-reason.ts';
import { read16 } from '../core/octets.ts';
import { decapsulatePacketEcn, Ecn, ECN_MASK, packetTos } from '../packet/ecn.ts';
import { EtherType, ETHERNET_HEADER_OCTETS, ETHERNET_TYPE, VLAN_TAG_OCTETS } from '../wire/ethernet.ts';
import { IPV4_HEADER_OCTETS } from '../wire/ipv4.ts';
import { IPV6_HEADER_OCTETS } from '../wire/ipv6.ts';
import { TOS_PRESERVE } from './tunnel.ts';

/** The outer TOS that carries a packet with this inner one, in normal mode: the ECN field is copied (section 4.1). */
export function encapsulatedTos(configuredTos: number, innerTos: number): number {
  return (configuredTos & ~ECN_MASK) | (innerTos & ECN_MASK);
}

/** The outer TOS by the tunnel's `tos`: the whole inner one, or the configured DSCP with the inner ECN field. */
export const outerTos = (configured: number, inner: number): number =>
  configured === TOS_PRESERVE ? inner : encapsulatedTos(configured, inner);

/** TOS or traffic class of the IP packet in an Ethernet frame, below one or two tags; 0 for anything else. */
export function innerTos(bytes: Uint8Array, start: number, end: number): number {
  const ip = findIp(bytes, start, end);
  return ip === 0 ? 0 : packetTos(bytes, ip);
}

/** Carries the outer congestion mark over to the IP packet in the decapsulated frame; other frames pass. */
export function decapsulateEcn(bytes: Uint8Array, start: number, end: number, outerTos: number): Verdict {
  const outer = outerTos & ECN_MASK;
  // The other two never change anything.
  if (outer !== Ecn.congestion && outer !== Ecn.capable1) return FORWARD;
  const ip = findIp(bytes, start, end);
  return ip === 0 ? FORWARD : decapsulatePacketEcn(bytes, ip, outerTos);
}

/** Offset of an IP header whose version agrees with the type in front of it; 0: there is none. */
export function findIp(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < ETHERNET_HEADER_OCTETS) return 0;
  let at = start + ETHERNET_TYPE;
  let type = read16(bytes, at);
  for (let tags = 0; tags < 2 && (type === EtherType.vlan || type === EtherType.serviceVlan); tags++) {
    at += VLAN_TAG_OCTETS;
    if (end - at < 2) return 0;
    type = read16(bytes, at);
  }
  const ip = at + 2;
  if (type === EtherType.ipv4) return end - ip >= IPV4_HEADER_OCTETS && bytes[ip]! >>> 4 === 4 ? ip : 0;
  if (type === EtherType.ipv6) return end - ip >= IPV6_HEADER_OCTETS && bytes[ip]! >>> 4 === 6 ? ip : 0;
  return 0;
}
