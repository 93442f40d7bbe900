// What the host path has to know of an IP packet: which flow it belongs to, and whether it is a fragment or an error.
//
// One object for all packets, because one a packet would be garbage. IPv6 extension headers are stepped over, as far as they
// are the ones that come in front of an upper layer (RFC 8200, section 4.1).

import { read16, read32 } from '../../core/octets.ts';
import {
  IPV4_HEADER_OCTETS,
  IPV4_IDENTIFICATION,
  IPV4_SOURCE,
  IpProtocol,
  ipv4HeaderOctets,
  ipv4Protocol,
} from '../../wire/ipv4.ts';
import { IPV6_FRAGMENT, IPV6_HEADER_OCTETS, IPV6_HOP_BY_HOP, IPV6_SOURCE, ipv6NextHeader } from '../../wire/ipv6.ts';
import { TCP_FLAGS } from '../../wire/tcp.ts';

/** How a packet finds its flow. */
export const PacketKind = {
  /** By its own addresses and ports. */
  plain: 0,
  /** An ICMP error: by those of the packet that it is about, which are those of the flow the other way round. */
  error: 1,
  /** A fragment that is not the first: by those of the first one. */
  laterFragment: 2,
} as const;

/** What the last `readHostPacket` found; ports are 0 where the protocol has none. */
export const hostPacket = {
  isIpv4: true,
  kind: 0,
  protocol: 0,
  source0: 0,
  source1: 0,
  source2: 0,
  source3: 0,
  destination0: 0,
  destination1: 0,
  destination2: 0,
  destination3: 0,
  sourcePort: 0,
  destinationPort: 0,
  tcpFlags: 0,
  /** Of a fragment: what it has in common with the others of its packet. */
  identification: 0,
  isFragment: false,
  /**
   * Of an error: protocol and ports of the packet that it is about, as its own source and destination would be, had it come
   * from the end to which that packet was sent.
   */
  aboutProtocol: 0,
  aboutSourcePort: 0,
  aboutDestinationPort: 0,
  /** Of an error: the other end of that packet; the near one is this one's destination. */
  about0: 0,
  about1: 0,
  about2: 0,
  about3: 0,
};

const IPV4_FRAGMENT_WORD = 6;
const FRAGMENT_OFFSET_MASK = 0x1fff;
const MORE_FRAGMENTS = 0x2000;

const IPV6_ROUTING = 43;
const IPV6_DESTINATION_OPTIONS = 60;
const IPV6_FRAGMENT_OCTETS = 8;
const MAX_EXTENSION_HEADERS = 8;

const ICMP_PORTS_AT = 4;
/** Where the packet that an error is about begins, behind the error's own header. */
const ICMP_ERROR_OCTETS = 8;
const V4_ECHO_REPLY = 0;
const V4_ECHO_REQUEST = 8;
const V6_ECHO_REQUEST = 128;
const V6_ECHO_REPLY = 129;

/** Unreachable, time exceeded, parameter problem (RFC 792); a redirect is for routers to believe. */
const isErrorV4 = (type: number): boolean => type === 3 || type === 11 || type === 12;
/** Types 1 to 127 (RFC 4443, section 2.1); those above 4 are unassigned. */
const isErrorV6 = (type: number): boolean => type >= 1 && type <= 4;

/** Octets of ports, and of a TCP header up to its flags. */
const PORTS_OCTETS = 4;
const FLAGS_END = TCP_FLAGS + 1;

// What the last `findUpper` found: where the upper-layer header starts (0: behind what can be read here), its protocol, and
// whether it is there.
let upper = 0;
let protocol = 0;
let isLater = false;

/** Reads a packet whose IP header has been checked. */
export function readHostPacket(bytes: Uint8Array, ip: number, end: number): void {
  const packet = hostPacket;
  packet.isIpv4 = bytes[ip]! >>> 4 === 4;
  packet.isFragment = false;
  packet.sourcePort = 0;
  packet.destinationPort = 0;
  packet.tcpFlags = 0;
  packet.kind = PacketKind.plain;
  if (packet.isIpv4) {
    packet.source0 = packet.source1 = packet.source2 = 0;
    packet.destination0 = packet.destination1 = packet.destination2 = 0;
    packet.source3 = read32(bytes, ip + IPV4_SOURCE);
    packet.destination3 = read32(bytes, ip + IPV4_SOURCE + 4);
    findUpperV4(bytes, ip);
  } else {
    const at = ip + IPV6_SOURCE;
    packet.source0 = read32(bytes, at);
    packet.source1 = read32(bytes, at + 4);
    packet.source2 = read32(bytes, at + 8);
    packet.source3 = read32(bytes, at + 12);
    packet.destination0 = read32(bytes, at + 16);
    packet.destination1 = read32(bytes, at + 20);
    packet.destination2 = read32(bytes, at + 24);
    packet.destination3 = read32(bytes, at + 28);
    findUpperV6(bytes, ip, end);
  }
  packet.protocol = protocol;
  if (isLater) packet.kind = PacketKind.laterFragment;
  else if (protocol === IpProtocol.icmp || protocol === IpProtocol.icmpv6) readIcmp(bytes, upper, end);
  else readPorts(bytes, upper, end);
}

function findUpperV4(bytes: Uint8Array, ip: number): void {
  const word = read16(bytes, ip + IPV4_FRAGMENT_WORD);
  isLater = (word & FRAGMENT_OFFSET_MASK) !== 0;
  hostPacket.isFragment = isLater || (word & MORE_FRAGMENTS) !== 0;
  hostPacket.identification = read16(bytes, ip + IPV4_IDENTIFICATION);
  protocol = ipv4Protocol(bytes, ip);
  upper = ip + ipv4HeaderOctets(bytes, ip);
}

function findUpperV6(bytes: Uint8Array, ip: number, end: number): void {
  isLater = false;
  protocol = ipv6NextHeader(bytes, ip);
  upper = ip + IPV6_HEADER_OCTETS;
  for (let count = 0; count < MAX_EXTENSION_HEADERS && end - upper >= IPV6_FRAGMENT_OCTETS; count++) {
    if (protocol === IPV6_FRAGMENT) {
      const word = read16(bytes, upper + 2);
      hostPacket.isFragment = true;
      hostPacket.identification = read32(bytes, upper + 4);
      isLater = word >>> 3 !== 0;
      protocol = bytes[upper]!;
      upper += IPV6_FRAGMENT_OCTETS;
      if (isLater) return;
    } else if (protocol === IPV6_HOP_BY_HOP || protocol === IPV6_ROUTING || protocol === IPV6_DESTINATION_OPTIONS) {
      protocol = bytes[upper]!;
      upper += (bytes[upper + 1]! + 1) << 3;
    } else {
      return;
    }
  }
}

function readPorts(bytes: Uint8Array, at: number, end: number): void {
  if (protocol !== IpProtocol.tcp && protocol !== IpProtocol.udp && protocol !== IpProtocol.sctp) return;
  if (end - at < PORTS_OCTETS) return;
  hostPacket.sourcePort = read16(bytes, at);
  hostPacket.destinationPort = read16(bytes, at + 2);
  if (protocol === IpProtocol.tcp && end - at >= FLAGS_END) hostPacket.tcpFlags = bytes[at + TCP_FLAGS]!;
}

function readIcmp(bytes: Uint8Array, icmp: number, end: number): void {
  if (end - icmp < ICMP_ERROR_OCTETS) return;
  const type = bytes[icmp]!;
  const isV4 = protocol === IpProtocol.icmp;
  const isEcho = isV4
    ? type === V4_ECHO_REPLY || type === V4_ECHO_REQUEST
    : type === V6_ECHO_REQUEST || type === V6_ECHO_REPLY;
  if (isEcho) {
    hostPacket.sourcePort = read16(bytes, icmp + ICMP_PORTS_AT);
    hostPacket.destinationPort = hostPacket.sourcePort;
  } else if (isV4 === hostPacket.isIpv4 && (isV4 ? isErrorV4(type) : isErrorV6(type))) {
    readAbout(bytes, icmp + ICMP_ERROR_OCTETS, end);
  }
}

/** Reads the head of the packet that an error is about, if there is enough of it. */
function readAbout(bytes: Uint8Array, ip: number, end: number): void {
  const packet = hostPacket;
  const { isIpv4 } = packet;
  if (end - ip < (isIpv4 ? IPV4_HEADER_OCTETS : IPV6_HEADER_OCTETS) || bytes[ip]! >>> 4 !== (isIpv4 ? 4 : 6)) return;
  const { isFragment, identification } = packet;
  const errorProtocol = protocol;
  if (isIpv4) findUpperV4(bytes, ip);
  else findUpperV6(bytes, ip, end);
  const aboutProtocol = protocol;
  const hasPorts = !isLater && end - upper >= PORTS_OCTETS;
  protocol = errorProtocol;
  packet.isFragment = isFragment;
  packet.identification = identification;
  if (!hasPorts) return;
  packet.kind = PacketKind.error;
  packet.aboutProtocol = aboutProtocol;
  const other = ip + (isIpv4 ? IPV4_SOURCE + 4 : IPV6_SOURCE + 16);
  packet.about0 = isIpv4 ? 0 : read32(bytes, other);
  packet.about1 = isIpv4 ? 0 : read32(bytes, other + 4);
  packet.about2 = isIpv4 ? 0 : read32(bytes, other + 8);
  packet.about3 = read32(bytes, isIpv4 ? other : other + 12);
  if (aboutProtocol === IpProtocol.icmp || aboutProtocol === IpProtocol.icmpv6) {
    packet.aboutSourcePort = end - upper < ICMP_ERROR_OCTETS ? 0 : read16(bytes, upper + ICMP_PORTS_AT);
    packet.aboutDestinationPort = packet.aboutSourcePort;
  } else {
    packet.aboutSourcePort = read16(bytes, upper + 2);
    packet.aboutDestinationPort = read16(bytes, upper);
  }
}
