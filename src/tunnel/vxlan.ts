// VXLAN on IPv4 (RFC 7348): encapsulation in place, in front of the inner frame. On IPv6: vxlan-ipv6.ts.
//
// Over an Ethernet underlay 50 octets are written: Ethernet 14, IPv4 20, UDP 8, VXLAN 8. Received frames start at 2 modulo
// 4, so the outer header starts on a word boundary and goes out as twelve 32-bit stores from the endpoint's prepared words,
// which took two thirds off the cost of writing octets. Over a UDP socket only the VXLAN header is written; the socket adds
// the rest from the frame's outer fields.
//
// DF is set, as RFC 7348 (section 4.3) forbids a VTEP to fragment, unless `use-pmtu` is disabled.

import { checksumAdd, checksumFold } from '../core/checksum.ts';
import { write16 } from '../core/octets.ts';
import type { Arena } from '../packet/arena.ts';
import type { Frame } from '../packet/frame.ts';
import { EtherType, ETHERNET_HEADER_OCTETS, writeEthernet } from '../wire/ethernet.ts';
import { IPV4_CHECKSUM, IPV4_HEADER_OCTETS, IPV4_SOURCE, IpProtocol, writeIpv4 } from '../wire/ipv4.ts';
import { UDP_HEADER_OCTETS, writeUdp, writeUdpChecksum } from '../wire/udp.ts';
import { VXLAN_HEADER_OCTETS, writeVxlan } from '../wire/vxlan.ts';
import { outerTos } from './ecn.ts';
import type { TunnelEndpoint } from './endpoint.ts';
import { sourcePort } from './entropy.ts';
import { noteFlow } from './inner-packet.ts';
import { serviceNumber } from './service.ts';
import { UdpChecksum } from './tunnel.ts';
import { prepareVxlanIpv6 } from './vxlan-ipv6.ts';

const IP = ETHERNET_HEADER_OCTETS;
const UDP = IP + IPV4_HEADER_OCTETS;
const VXLAN = UDP + UDP_HEADER_OCTETS;

/** Outer octets in front of the inner frame on an Ethernet underlay. */
const VXLAN_ETHERNET_OCTETS = VXLAN + VXLAN_HEADER_OCTETS;

/** Renders the headers of an endpoint whose next hop on an Ethernet underlay is known; MACs as pairs of integers. */
export function prepareVxlanEthernet(
  endpoint: TunnelEndpoint,
  nextHopHigh: number,
  nextHopLow: number,
  ownHigh: number,
  ownLow: number,
): void {
  if (endpoint.tunnel.isIpv6) {
    prepareVxlanIpv6(endpoint, nextHopHigh, nextHopLow, ownHigh, ownLow);
    return;
  }
  const { spec } = endpoint.tunnel;
  const bytes = endpoint.headerBytes;
  endpoint.outerOctets = VXLAN_ETHERNET_OCTETS;
  writeEthernet(bytes, 0, nextHopHigh, nextHopLow, ownHigh, ownLow, EtherType.ipv4);
  writeIpv4(bytes, IP, 0, 0, 0, spec.usesPathMtu, spec.ttl, IpProtocol.udp, endpoint.local[3], endpoint.remote[3]);
  write16(bytes, IP + IPV4_CHECKSUM, 0);
  endpoint.ipChecksumBase = checksumFold(checksumAdd(bytes, IP, IP + IPV4_HEADER_OCTETS, 0));
  writeUdp(bytes, UDP, 0, serviceNumber(spec.service), 0);
  writeVxlan(bytes, VXLAN, spec.key);
}

/** Renders the header of an endpoint behind a UDP socket. */
export function prepareVxlanUdp(endpoint: TunnelEndpoint): void {
  endpoint.outerOctets = VXLAN_HEADER_OCTETS;
  writeVxlan(endpoint.headerBytes, 0, endpoint.tunnel.spec.key);
}

/** Puts the outer headers in front of the frame. The caller has checked headroom, MTU and that the endpoint is ready. */
export function encapsulateVxlanEthernet(arena: Arena, frame: Frame, endpoint: TunnelEndpoint): void {
  const { bytes, words } = arena;
  const { headers, headerAt: from } = endpoint;
  const { spec } = endpoint.tunnel;
  const inner = frame.start;
  const start = inner - VXLAN_ETHERNET_OCTETS;
  const innerOctets = frame.end - inner;
  const ipOctets = innerOctets + (VXLAN_ETHERNET_OCTETS - IP);
  const udpOctets = ipOctets - IPV4_HEADER_OCTETS;
  const tos = outerTos(spec.tos, noteFlow(arena, frame));
  const port = sourcePort(frame.flowHash, spec.sourcePortMin, spec.sourcePortMax);
  let sum = endpoint.ipChecksumBase + ipOctets + tos;
  sum = ~((sum & 0xffff) + (sum >>> 16)) & 0xffff;
  frame.start = start;
  if ((start & 3) === 0) {
    const at = start >> 2;
    words[at] = headers[from]!;
    words[at + 1] = headers[from + 1]!;
    words[at + 2] = headers[from + 2]!;
    words[at + 3] = headers[from + 3]! | (tos << 24);
    words[at + 4] = headers[from + 4]! | swap16(ipOctets);
    words[at + 5] = headers[from + 5]!;
    words[at + 6] = headers[from + 6]! | swap16(sum);
    words[at + 7] = headers[from + 7]!;
    words[at + 8] = headers[from + 8]! | (swap16(port) << 16);
    words[at + 9] = headers[from + 9]! | (swap16(udpOctets) << 16);
    words[at + 10] = headers[from + 10]!;
    words[at + 11] = headers[from + 11]!;
    // From the words: with thousands of tunnels each object that is looked at is a cache miss.
    bytes[start + 48] = headers[from + 12]! & 0xff;
    bytes[start + 49] = 0;
  } else {
    for (let at = 0; at < VXLAN_ETHERNET_OCTETS; at++) bytes[start + at] = endpoint.headerBytes[at]!;
    bytes[start + IP + 1] = tos;
    write16(bytes, start + IP + 2, ipOctets);
    write16(bytes, start + IP + IPV4_CHECKSUM, sum);
    write16(bytes, start + UDP, port);
    write16(bytes, start + UDP + 4, udpOctets);
  }
  frame.ownUdp = spec.udpChecksum === UdpChecksum.never ? 0 : 1;
  if (spec.udpChecksum === UdpChecksum.always) {
    const addresses = start + IP + IPV4_SOURCE;
    const pseudo = checksumAdd(bytes, addresses, addresses + 8, IpProtocol.udp + udpOctets);
    writeUdpChecksum(bytes, words, start + UDP, pseudo);
  }
}

/** Puts the VXLAN header in front of the frame and says in its outer fields where the socket shall send it. */
export function encapsulateVxlanUdp(arena: Arena, frame: Frame, endpoint: TunnelEndpoint): void {
  const { bytes } = arena;
  const { spec } = endpoint.tunnel;
  const inner = frame.start;
  frame.outerTos = outerTos(spec.tos, noteFlow(arena, frame));
  frame.outer0 = endpoint.remote[0];
  frame.outer1 = endpoint.remote[1];
  frame.outer2 = endpoint.remote[2];
  frame.outer3 = endpoint.remote[3];
  frame.outerPort = serviceNumber(spec.service);
  const start = inner - VXLAN_HEADER_OCTETS;
  for (let at = 0; at < VXLAN_HEADER_OCTETS; at++) bytes[start + at] = endpoint.headerBytes[at]!;
  frame.start = start;
}

const swap16 = (value: number): number => ((value & 0xff) << 8) | (value >>> 8);
