// Explicit congestion notification of IP packets that come out of a tunnel (RFC 6040), whatever the tunnel.

import { checksumUpdate16 } from '../core/checksum.ts';
import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { read16, write16 } from '../core/octets.ts';
import { IPV4_CHECKSUM, ipv4Tos } from '../wire/ipv4.ts';
import { ipv6TrafficClass } from '../wire/ipv6.ts';

/** The low two bits of a TOS or traffic class (RFC 3168, section 5). */
export const Ecn = { notCapable: 0, capable1: 1, capable0: 2, congestion: 3 } as const;

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

/** TOS or traffic class of an IP packet, by the version in its header. */
export function packetTos(bytes: Uint8Array, ip: number): number {
  return bytes[ip]! >>> 4 === 4 ? ipv4Tos(bytes, ip) : ipv6TrafficClass(bytes, ip);
}

/** Carries the outer congestion mark over to an IP packet that has a whole header. */
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
