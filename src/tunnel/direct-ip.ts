// Tunnels whose header follows the outer IP header directly: GRE in all its forms and EtherIP.
//
// As for VXLAN the headers of an endpoint are prepared, and go out as 32-bit stores. Where the inner frame starts at 2 modulo
// 4, GRE for frames starts on a word boundary; EtherIP, and GRE for packets whose IP header is on a word boundary, start at
// 2 modulo 4 and are prepared shifted by as much, so that their words meet those of memory.
//
//   over IPv4   TEB, NVGRE   Ethernet 14 | IPv4 20 | GRE 4 to 16 | Ethernet frame
//               GRE          Ethernet 14 | IPv4 20 | GRE 4 to 16 | IP packet
//               EtherIP      Ethernet 14 | IPv4 20 | EtherIP 2   | Ethernet frame
//   over IPv6   the same with a header of 40 octets; its flow label is a hash of the inner flow (RFC 6438)
//
// DF is set, unless `use-pmtu` is disabled: what is larger than the MTU of the tunnel was dropped, or cut, before.

import { checksumAdd, checksumFold } from '../core/checksum.ts';
import { write16, write32 } from '../core/octets.ts';
import { packetTos } from '../packet/ecn.ts';
import type { Arena } from '../packet/arena.ts';
import type { Frame } from '../packet/frame.ts';
import { EtherType, ETHERNET_HEADER_OCTETS, writeEthernet } from '../wire/ethernet.ts';
import { EtherIpForm, ETHERIP_HEADER_OCTETS, writeEtherIp } from '../wire/etherip.ts';
import {
  GRE_PROTOCOL,
  GRE_TEB,
  GreFlag,
  greHeaderOctets,
  greSequenceAt,
  writeGre,
  writeGreChecksum,
} from '../wire/gre.ts';
import { IPV4_CHECKSUM, IPV4_HEADER_OCTETS, IPV4_TOTAL_LENGTH, IpProtocol, writeIpv4 } from '../wire/ipv4.ts';
import {
  IPV6_DESTINATION,
  IPV6_HEADER_OCTETS,
  IPV6_PAYLOAD_LENGTH,
  IPV6_SOURCE,
  writeIpv6,
  writeIpv6Address,
} from '../wire/ipv6.ts';
import { writeNvgre } from '../wire/nvgre.ts';
import { outerTos } from './ecn.ts';
import type { TunnelEndpoint } from './endpoint.ts';
import { flowLabel } from './entropy.ts';
import { frameTos, noteFlow, notePacketFlow } from './inner-packet.ts';
import { sentGreFlags } from './overhead.ts';
import { TunnelKind } from './tunnel.ts';

const IP = ETHERNET_HEADER_OCTETS;
/** Words of Ethernet and IPv4 headers, with or without the shift. */
const IPV4_WORDS = 9;

/** The IP protocol of such a tunnel. */
export const protocolOf = (kind: TunnelKind): number =>
  kind === TunnelKind.etherip ? IpProtocol.etherip : IpProtocol.gre;

/** Renders the headers of an endpoint whose next hop on an Ethernet underlay is known; MACs as pairs of integers. */
export function prepareDirectEthernet(
  endpoint: TunnelEndpoint,
  nextHopHigh: number,
  nextHopLow: number,
  ownHigh: number,
  ownLow: number,
): void {
  const { tunnel, headerBytes: bytes, local, remote } = endpoint;
  const { isIpv6, kind, spec } = tunnel;
  const pad = kind === TunnelKind.etherip || kind === TunnelKind.gre ? 2 : 0;
  const ip = pad + IP;
  const type = isIpv6 ? EtherType.ipv6 : EtherType.ipv4;
  writeEthernet(bytes, pad, nextHopHigh, nextHopLow, ownHigh, ownLow, type);
  if (isIpv6) {
    writeIpv6(bytes, ip, 0, 0, 0, protocolOf(kind), spec.ttl);
    writeIpv6Address(bytes, ip + IPV6_SOURCE, local);
    writeIpv6Address(bytes, ip + IPV6_DESTINATION, remote);
  } else {
    writeIpv4(bytes, ip, 0, 0, 0, spec.usesPathMtu, spec.ttl, protocolOf(kind), local[3], remote[3]);
    write16(bytes, ip + IPV4_CHECKSUM, 0);
    endpoint.ipChecksumBase = checksumFold(checksumAdd(bytes, ip, ip + IPV4_HEADER_OCTETS, 0));
  }
  endpoint.headerPad = pad;
  const outer = IP + (isIpv6 ? IPV6_HEADER_OCTETS : IPV4_HEADER_OCTETS);
  endpoint.outerOctets = outer + writeTunnelHeader(endpoint, pad + outer);
}

/** Renders the header of an endpoint behind a socket of the IP protocol. */
export function prepareDirectSocket(endpoint: TunnelEndpoint): void {
  endpoint.headerPad = 0;
  endpoint.outerOctets = writeTunnelHeader(endpoint, 0);
}

/** Returns its octets. */
function writeTunnelHeader(endpoint: TunnelEndpoint, at: number): number {
  const { tunnel, headerBytes: bytes } = endpoint;
  const { kind, spec } = tunnel;
  if (kind === TunnelKind.etherip) {
    endpoint.greOctets = 0;
    writeEtherIp(bytes, at, spec.etherIpForm ?? EtherIpForm.rfc);
    return ETHERIP_HEADER_OCTETS;
  }
  const flags = sentGreFlags(spec);
  endpoint.greFlags = flags;
  endpoint.greOctets = greHeaderOctets(flags);
  if (kind === TunnelKind.nvgre) writeNvgre(bytes, at, spec.key, 0);
  else writeGre(bytes, at, flags, kind === TunnelKind.gre ? EtherType.ipv4 : GRE_TEB, spec.key, 0);
  return endpoint.greOctets;
}

/** Puts the outer headers in front of the frame. The caller has checked headroom, MTU and that the endpoint is ready. */
export function encapsulateDirectIpv4(arena: Arena, frame: Frame, endpoint: TunnelEndpoint): void {
  const { bytes, words } = arena;
  const { headers, headerAt: from, headerPad: pad, outerOctets, tunnel } = endpoint;
  const start = frame.start - outerOctets;
  const ipOctets = frame.end - start - IP;
  const inner = tunnel.kind === TunnelKind.gre ? packetTos(bytes, frame.start) : frameTos(arena, frame);
  const tos = outerTos(tunnel.spec.tos, inner);
  let sum = endpoint.ipChecksumBase + ipOctets + tos;
  sum = ~((sum & 0xffff) + (sum >>> 16)) & 0xffff;
  const version = bytes[frame.start]! >>> 4;
  frame.start = start;
  if (((start - pad) & 3) === 0) {
    const at = (start - pad) >> 2;
    if (pad === 0) {
      words[at] = headers[from]!;
      words[at + 3] = headers[from + 3]! | (tos << 24);
      words[at + 4] = headers[from + 4]! | swap16(ipOctets);
      words[at + 6] = headers[from + 6]! | swap16(sum);
    } else {
      // What is in front of the frame in its first word is not ours.
      const first = headers[from]!;
      bytes[start] = first >>> 16;
      bytes[start + 1] = first >>> 24;
      words[at + 3] = headers[from + 3]!;
      words[at + 4] = headers[from + 4]! | (tos << 8) | (swap16(ipOctets) << 16);
      words[at + 6] = headers[from + 6]! | (swap16(sum) << 16);
    }
    words[at + 1] = headers[from + 1]!;
    words[at + 2] = headers[from + 2]!;
    words[at + 5] = headers[from + 5]!;
    words[at + 7] = headers[from + 7]!;
    words[at + 8] = headers[from + 8]!;
    storeRest(bytes, words, at, headers, from, IPV4_WORDS, pad + outerOctets);
  } else {
    storeOctets(bytes, start, endpoint);
    bytes[start + IP + 1] = tos;
    write16(bytes, start + IP + IPV4_TOTAL_LENGTH, ipOctets);
    write16(bytes, start + IP + IPV4_CHECKSUM, sum);
  }
  frame.ownUdp = 0;
  if (endpoint.greOctets !== 0) finishGre(arena, frame, endpoint, start + outerOctets - endpoint.greOctets, version);
}

/** The same over IPv6. */
export function encapsulateDirectIpv6(arena: Arena, frame: Frame, endpoint: TunnelEndpoint): void {
  const { bytes, words } = arena;
  const { headers, headerAt: from, headerPad: pad, outerOctets, tunnel } = endpoint;
  const start = frame.start - outerOctets;
  const inner = tunnel.kind === TunnelKind.gre ? notePacketFlow(arena, frame) : noteFlow(arena, frame);
  const trafficClass = outerTos(tunnel.spec.tos, inner);
  const version = bytes[frame.start]! >>> 4;
  frame.start = start;
  if (((start - pad) & 3) === 0) {
    const at = (start - pad) >> 2;
    let word = 0;
    if (pad !== 0) {
      const first = headers[from]!;
      bytes[start] = first >>> 16;
      bytes[start + 1] = first >>> 24;
      word = 1;
    }
    storeRest(bytes, words, at, headers, from, word, pad + outerOctets);
  } else {
    storeOctets(bytes, start, endpoint);
  }
  write32(bytes, start + IP, (6 << 28) | (trafficClass << 20) | flowLabel(frame.flowHash));
  write16(bytes, start + IP + IPV6_PAYLOAD_LENGTH, frame.end - start - IP - IPV6_HEADER_OCTETS);
  frame.ownUdp = 0;
  if (endpoint.greOctets !== 0) finishGre(arena, frame, endpoint, start + outerOctets - endpoint.greOctets, version);
}

/** Puts the tunnel header in front of the frame and says in its outer fields where the socket shall send it. */
export function encapsulateDirectSocket(arena: Arena, frame: Frame, endpoint: TunnelEndpoint): void {
  const { bytes } = arena;
  const { tunnel, remote } = endpoint;
  const inner = tunnel.kind === TunnelKind.gre ? notePacketFlow(arena, frame) : noteFlow(arena, frame);
  frame.outerTos = outerTos(tunnel.spec.tos, inner);
  frame.outer0 = remote[0];
  frame.outer1 = remote[1];
  frame.outer2 = remote[2];
  frame.outer3 = remote[3];
  const version = bytes[frame.start]! >>> 4;
  frame.start -= endpoint.outerOctets;
  storeOctets(bytes, frame.start, endpoint);
  frame.ownUdp = 0;
  if (endpoint.greOctets !== 0) finishGre(arena, frame, endpoint, frame.start, version);
}

/** Stores the words from `word` on, and the half word behind them if there is one; `octets`: of all with their shift. */
function storeRest(
  bytes: Uint8Array,
  words: Int32Array,
  at: number,
  headers: Int32Array,
  from: number,
  word: number,
  octets: number,
): void {
  const whole = octets >> 2;
  for (; word < whole; word++) words[at + word] = headers[from + word]!;
  if ((octets & 2) === 0) return;
  const last = headers[from + whole]!;
  const end = (at + whole) << 2;
  bytes[end] = last;
  bytes[end + 1] = last >>> 8;
}

function storeOctets(bytes: Uint8Array, start: number, endpoint: TunnelEndpoint): void {
  const { headerBytes, headerPad: pad, outerOctets } = endpoint;
  for (let at = 0; at < outerOctets; at++) bytes[start + at] = headerBytes[pad + at]!;
}

/** What differs from packet to packet: the protocol of a packet, the sequence number and the checksum over it all. */
function finishGre(arena: Arena, frame: Frame, endpoint: TunnelEndpoint, gre: number, version: number): void {
  const { bytes, words } = arena;
  const { greFlags: flags } = endpoint;
  if (version === 6 && endpoint.tunnel.kind === TunnelKind.gre) write16(bytes, gre + GRE_PROTOCOL, EtherType.ipv6);
  if ((flags & (GreFlag.sequence | GreFlag.checksum)) === 0) return;
  if ((flags & GreFlag.sequence) !== 0) {
    write32(bytes, gre + greSequenceAt(flags), endpoint.nextSequence);
    endpoint.nextSequence = (endpoint.nextSequence + 1) | 0;
  }
  if ((flags & GreFlag.checksum) !== 0) writeGreChecksum(bytes, words, gre, frame.end);
}

const swap16 = (value: number): number => ((value & 0xff) << 8) | (value >>> 8);
