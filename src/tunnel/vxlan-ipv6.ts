// VXLAN on IPv6 (RFC 7348, section 5): encapsulation in place over an Ethernet underlay.
//
// 70 octets are written: Ethernet 14, IPv6 40, UDP 8, VXLAN 8, as seventeen 32-bit stores (see vxlan.ts).
//
//   - The UDP checksum is written unless the tunnel is configured without one (RFC 6935, section 5; RFC 6936).
//   - The flow label is a hash of the inner flow, so that routers which look no further spread flows (RFC 6438).
//   - Nobody fragments on the way, and neither do we: what is larger than the MTU of the tunnel was dropped before.

import { checksumAdd, checksumAddWords, checksumFinish, checksumFold } from '../core/checksum.ts';
import { write16, write32 } from '../core/octets.ts';
import type { Arena } from '../packet/arena.ts';
import type { Frame } from '../packet/frame.ts';
import { ETHERNET_HEADER_OCTETS, EtherType, writeEthernet } from '../wire/ethernet.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import {
  IPV6_DESTINATION,
  IPV6_HEADER_OCTETS,
  IPV6_PAYLOAD_LENGTH,
  IPV6_SOURCE,
  writeIpv6,
  writeIpv6Address,
} from '../wire/ipv6.ts';
import { UDP_CHECKSUM, UDP_HEADER_OCTETS, UDP_LENGTH, writeUdp } from '../wire/udp.ts';
import { VXLAN_HEADER_OCTETS, writeVxlan } from '../wire/vxlan.ts';
import { outerTos } from './ecn.ts';
import type { TunnelEndpoint } from './endpoint.ts';
import { flowLabel, sourcePort } from './entropy.ts';
import { noteFlow } from './inner-packet.ts';
import { serviceNumber } from './service.ts';
import { UdpChecksum } from './tunnel.ts';

const IP = ETHERNET_HEADER_OCTETS;
const UDP = IP + IPV6_HEADER_OCTETS;
const VXLAN = UDP + UDP_HEADER_OCTETS;
const OUTER_OCTETS = VXLAN + VXLAN_HEADER_OCTETS;

/** Renders the headers of an endpoint whose next hop is known; MACs as pairs of integers. */
export function prepareVxlanIpv6(
  endpoint: TunnelEndpoint,
  nextHopHigh: number,
  nextHopLow: number,
  ownHigh: number,
  ownLow: number,
): void {
  const { spec } = endpoint.tunnel;
  const bytes = endpoint.headerBytes;
  endpoint.outerOctets = OUTER_OCTETS;
  writeEthernet(bytes, 0, nextHopHigh, nextHopLow, ownHigh, ownLow, EtherType.ipv6);
  writeIpv6(bytes, IP, 0, 0, 0, IpProtocol.udp, spec.ttl);
  writeIpv6Address(bytes, IP + IPV6_SOURCE, endpoint.local);
  writeIpv6Address(bytes, IP + IPV6_DESTINATION, endpoint.remote);
  writeUdp(bytes, UDP, 0, serviceNumber(spec.service), 0);
  writeVxlan(bytes, VXLAN, spec.key);
  // Source port and lengths are still 0: they are added frame by frame.
  const sum = checksumAdd(bytes, IP + IPV6_SOURCE, OUTER_OCTETS, IpProtocol.udp);
  endpoint.udpChecksumBase = checksumFold(sum);
}

/** Puts the outer headers in front of the frame. The caller has checked headroom, MTU and that the endpoint is ready. */
export function encapsulateVxlanIpv6(arena: Arena, frame: Frame, endpoint: TunnelEndpoint): void {
  const { bytes, words } = arena;
  const { headers, headerAt: from } = endpoint;
  const { spec } = endpoint.tunnel;
  const inner = frame.start;
  const start = inner - OUTER_OCTETS;
  const udpOctets = frame.end - inner + (OUTER_OCTETS - UDP);
  const trafficClass = outerTos(spec.tos, noteFlow(arena, frame));
  const hash = frame.flowHash;
  const port = sourcePort(hash, spec.sourcePortMin, spec.sourcePortMax);
  const label = flowLabel(hash);
  let checksum = 0;
  if (spec.udpChecksum !== UdpChecksum.never) {
    // The length counts twice: in the pseudo-header and in the UDP header.
    const sum = endpoint.udpChecksumBase + 2 * udpOctets + port;
    checksum = checksumFinish(checksumAddWords(bytes, words, inner, frame.end, sum)) || 0xffff;
  }
  frame.start = start;
  if ((start & 3) === 0) {
    const at = start >> 2;
    words[at] = headers[from]!;
    words[at + 1] = headers[from + 1]!;
    words[at + 2] = headers[from + 2]!;
    words[at + 3] =
      headers[from + 3]! | ((trafficClass >>> 4) << 16) | (((trafficClass << 4) & 0xf0) << 24) | ((label >>> 16) << 24);
    words[at + 4] = swap16(label & 0xffff) | (swap16(udpOctets) << 16);
    words[at + 5] = headers[from + 5]!;
    words[at + 6] = headers[from + 6]!;
    words[at + 7] = headers[from + 7]!;
    words[at + 8] = headers[from + 8]!;
    words[at + 9] = headers[from + 9]!;
    words[at + 10] = headers[from + 10]!;
    words[at + 11] = headers[from + 11]!;
    words[at + 12] = headers[from + 12]!;
    words[at + 13] = headers[from + 13]! | (swap16(port) << 16);
    words[at + 14] = headers[from + 14]! | (swap16(udpOctets) << 16);
    words[at + 15] = headers[from + 15]! | swap16(checksum);
    words[at + 16] = headers[from + 16]!;
    bytes[start + 68] = endpoint.headerBytes[68]!;
    bytes[start + 69] = 0;
  } else {
    for (let at = 0; at < OUTER_OCTETS; at++) bytes[start + at] = endpoint.headerBytes[at]!;
    write32(bytes, start + IP, (6 << 28) | (trafficClass << 20) | label);
    write16(bytes, start + IP + IPV6_PAYLOAD_LENGTH, udpOctets);
    write16(bytes, start + UDP, port);
    write16(bytes, start + UDP + UDP_LENGTH, udpOctets);
    write16(bytes, start + UDP + UDP_CHECKSUM, checksum);
  }
  frame.ownUdp = checksum === 0 ? 0 : 1;
}

const swap16 = (value: number): number => ((value & 0xff) << 8) | (value >>> 8);
