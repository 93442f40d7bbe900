// How much larger a security association makes packets, padding included; compression is not counted on.

import { AH_FIXED_OCTETS } from '../wire/ah.ts';
import { ESP_HEADER_OCTETS, ESP_TRAILER_OCTETS } from '../wire/esp.ts';
import { IPV4_HEADER_OCTETS } from '../wire/ipv4.ts';
import { IPV6_HEADER_OCTETS } from '../wire/ipv6.ts';
import { UDP_HEADER_OCTETS } from '../wire/udp.ts';
import { BLOCK_OCTETS, icvOctets, IV_OCTETS } from './crypto.ts';
import { IpsecProtocol, type SecurityAssociationSpec } from './security-association.ts';

/** Of a header without options or extension headers. */
export const ipHeaderOctets = (family: 4 | 6): number => (family === 4 ? IPV4_HEADER_OCTETS : IPV6_HEADER_OCTETS);
const roundUp = (octets: number, unit: number): number => Math.ceil(octets / unit) * unit;

/** Octets of the AH of an SA, over this IP version (RFC 4302, section 3.3.3.2.1). */
export function ahOctets(spec: SecurityAssociationSpec, family: 4 | 6): number {
  const iv = spec.transform.cipher === 'aes-gmac' ? IV_OCTETS['aes-gmac'] : 0;
  return roundUp(AH_FIXED_OCTETS + iv + icvOctets(spec.transform), family === 6 || spec.ahAlign8 ? 8 : 4);
}

/**
 * Octets of the sealed packet for a packet of `octets`; in transport mode `headerOctets` of them (without options: 20 or 40)
 * stay in front, and the family is that of the packet.
 */
export function sealedOctets(
  spec: SecurityAssociationSpec,
  octets: number,
  family: 4 | 6 = spec.family,
  headerOctets = ipHeaderOctets(family),
): number {
  const { transform, isTunnel } = spec;
  const front = isTunnel ? ipHeaderOctets(spec.family) : headerOctets;
  const inside = isTunnel ? octets : octets - headerOctets;
  if (spec.protocol === IpsecProtocol.ah) return front + ahOctets(spec, isTunnel ? spec.family : family) + inside;
  const udp = spec.udpDestinationPort === 0 ? 0 : UDP_HEADER_OCTETS;
  const encrypted = roundUp(inside + ESP_TRAILER_OCTETS, BLOCK_OCTETS[transform.cipher]);
  return front + udp + ESP_HEADER_OCTETS + IV_OCTETS[transform.cipher] + encrypted + icvOctets(transform);
}

/** The largest packet that is at most `mtu` octets once sealed: what the path MTU inside is; 0 or less: none fits. */
export function largestInnerOctets(
  spec: SecurityAssociationSpec,
  mtu: number,
  family: 4 | 6 = spec.family,
  headerOctets = ipHeaderOctets(family),
): number {
  // An upper bound without padding; the padding takes less than one block off.
  const fixed = sealedOctets(spec, headerOctets, family, headerOctets) - headerOctets;
  let octets = mtu - fixed + BLOCK_OCTETS[spec.transform.cipher];
  while (octets > 0 && sealedOctets(spec, octets, family, headerOctets) > mtu) octets -= 1;
  return octets;
}
