// What comes to the UDP port of IPsec (RFC 3948, section 2): ESP, IKE behind a marker of four zero octets, or a keepalive.

import { read32 } from '../core/octets.ts';
import { ESP_HEADER_OCTETS } from './esp.ts';

/** Where both ESP and IKE arrive once a NAT was found (RFC 3947). */
export const UDP_ENCAPSULATION_PORT = 4500;
/** Zeros in the place of the SPI, which is never 0. */
export const NON_ESP_MARKER_OCTETS = 4;
/** All of a keepalive (section 2.3). */
export const UDP_KEEPALIVE = 0xff;

export const UdpEncapsulated = {
  esp: 0,
  /** IKE; its message is behind the marker. */
  nonEsp: 1,
  /** To be ignored (section 2.3). */
  keepalive: 2,
  tooShort: 3,
} as const;
export type UdpEncapsulated = (typeof UdpEncapsulated)[keyof typeof UdpEncapsulated];

/** What the payload of a datagram is. */
export function classifyUdpEncapsulated(bytes: Uint8Array, start: number, end: number): UdpEncapsulated {
  const octets = end - start;
  if (octets === 1 && bytes[start] === UDP_KEEPALIVE) return UdpEncapsulated.keepalive;
  if (octets < NON_ESP_MARKER_OCTETS) return UdpEncapsulated.tooShort;
  if (read32(bytes, start) === 0) return UdpEncapsulated.nonEsp;
  return octets < ESP_HEADER_OCTETS ? UdpEncapsulated.tooShort : UdpEncapsulated.esp;
}
