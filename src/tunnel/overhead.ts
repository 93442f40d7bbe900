// How much of an underlay's IP MTU the inner IP packet of a tunnel cannot use: outer IP header, tunnel header, and the
// inner Ethernet header where there is one.

import { ETHERNET_HEADER_OCTETS } from '../wire/ethernet.ts';
import { ETHERIP_HEADER_OCTETS } from '../wire/etherip.ts';
import { GreFlag, greHeaderOctets } from '../wire/gre.ts';
import { IPV4_HEADER_OCTETS } from '../wire/ipv4.ts';
import { IPV6_HEADER_OCTETS } from '../wire/ipv6.ts';
import { UDP_HEADER_OCTETS } from '../wire/udp.ts';
import { VXLAN_HEADER_OCTETS } from '../wire/vxlan.ts';
import { type GreOptions, kindIsLayer3, TunnelKind } from './tunnel.ts';

/** What of a tunnel's specification decides the size of its headers. */
export type HeaderShape = { kind: TunnelKind; key: number; gre?: GreOptions | undefined };

/** Flags of the GRE headers that such a tunnel sends, as in GreFlag. */
export function sentGreFlags({ kind, key, gre }: HeaderShape): number {
  if (kind === TunnelKind.nvgre) return GreFlag.key;
  let flags = key === 0 ? 0 : GreFlag.key;
  if (gre?.sendsChecksum === true) flags |= GreFlag.checksum;
  if (gre?.sendsSequence === true) flags |= GreFlag.sequence;
  return flags;
}

/** Octets between the outer IP header and what is carried. */
export function tunnelHeaderOctets(shape: HeaderShape): number {
  if (shape.kind === TunnelKind.vxlan) return UDP_HEADER_OCTETS + VXLAN_HEADER_OCTETS;
  return shape.kind === TunnelKind.etherip ? ETHERIP_HEADER_OCTETS : greHeaderOctets(sentGreFlags(shape));
}

export function tunnelOverhead(shape: HeaderShape, isIpv6: boolean): number {
  const outer = isIpv6 ? IPV6_HEADER_OCTETS : IPV4_HEADER_OCTETS;
  return outer + tunnelHeaderOctets(shape) + (kindIsLayer3(shape.kind) ? 0 : ETHERNET_HEADER_OCTETS);
}
