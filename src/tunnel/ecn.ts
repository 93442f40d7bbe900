// Explicit congestion notification through tunnels (RFC 6040).

import { checksumUpdate16 } from '../core/checksum.ts';
import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { read16, write16 } from '../core/octets.ts';
import { EtherType, ETHERNET_HEADER_OCTETS, ETHERNET_TYPE, VLAN_TAG_OCTETS } from '../wire/ethernet.ts';
import { IPV4_CHECKSUM, IPV4_HEADER_OCTETS, ipv4Tos } from '../wire/ipv4.ts';
import { IPV6_HEADER_OCTETS, ipv6TrafficClass } from '../wire/ipv6.ts';
import { TOS_PRESERVE } from './tunnel.ts';

/** The low two bits of a TOS or traffic class (RFC 3168, section 5). */
const Ecn = { notCapable: 0, capable1: 1, capable0: 2, congestion: 3 } as const;

export const ECN_MASK = 3;
const DROP = -1;

// Rows: the arriving inner field; columns: the arriving outer field, both in the order of their values (RFC 6040, figure 4).
const OUTGOING: readonly (readonly number[])[] = [
  [Ecn.notCapable, Ecn.notCapable, Ecn.notCapable, DROP],
  [Ecn.capable1, Ecn.capable1, Ecn.capable1, Ecn.congestion],
  [Ecn.capable0, Ecn.capable1, Ecn.capable0, Ecn.congestion],
  [Ecn.congestion, Ecn.congestion, Ecn.congestion, Ecn.congestion],
];

/** The field with which a packet leaves a tunnel, or -1: it must be dropped (section 4.2). */
export function outgoingEcn(inner: number, outer: number): number {
  return OUTGOING[inner & ECN_MASK]![outer & ECN_MASK]!;
}

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

/** TOS or traffic class of an IP packet, by the version in its header. */
export function packetTos(bytes: Uint8Array, ip: number): number {
  return bytes[ip]! >>> 4 === 4 ? ipv4Tos(bytes, ip) : ipv6TrafficClass(bytes, ip);
}

/** Carries the outer congestion mark over to the IP packet in the decapsulated frame; other frames pass. */
export function decapsulateEcn(bytes: Uint8Array, start: number, end: number, outerTos: number): Verdict {
  const outer = outerTos & ECN_MASK;
  // The other two never change anything.
  if (outer !== Ecn.congestion && outer !== Ecn.capable1) return FORWARD;
  const ip = findIp(bytes, start, end);
  return ip === 0 ? FORWARD : decapsulatePacketEcn(bytes, ip, outerTos);
}

/** The same for an IP packet that has a whole header. */
export function decapsulatePacketEcn(bytes: Uint8Array, ip: number, outerTos: number): Verdict {
  const outer = outerTos & ECN_MASK;
  const isIpv4 = bytes[ip]! >>> 4 === 4;
  const inner = packetTos(bytes, ip) & ECN_MASK;
  const outgoing = outgoingEcn(inner, outer);
  if (outgoing === DROP) return Drop.ecnNotCapable;
  if (outgoing === inner) return FORWARD;
  const before = read16(bytes, ip);
  const shift = isIpv4 ? 0 : 4;
  const after = (before & ~(ECN_MASK << shift)) | (outgoing << shift);
  write16(bytes, ip, after);
  if (isIpv4) {
    write16(bytes, ip + IPV4_CHECKSUM, checksumUpdate16(read16(bytes, ip + IPV4_CHECKSUM), before, after));
  }
  return FORWARD;
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
