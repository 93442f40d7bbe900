// ICMP errors: what is said about a packet that cannot go on (RFC 792, RFC 1191, RFC 1812; RFC 4443), and what others say.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------+---------------+-------------------------------+
//   |     type      |     code      |           checksum            |
//   +---------------+---------------+-------------------------------+
//   |  0, or the MTU of the next hop: the lower 16 bits in ICMPv4   |
//   +---------------------------------------------------------------+
//   |  as much of the packet as is allowed, from its IP header on
//   +----------- - -
//
// Not supported: source quench, redirects, the extensions of RFC 4884.

import { type AddressWords } from '../core/address.ts';
import { checksumAddWords, checksumFinish } from '../core/checksum.ts';
import { read16, read32, write16, write32 } from '../core/octets.ts';
import {
  IPV4_HEADER_OCTETS,
  IpProtocol,
  ipv4Destination,
  ipv4FragmentOffset,
  ipv4HeaderOctets,
  ipv4Protocol,
  ipv4Source,
  ipv4TotalOctets,
  writeIpv4,
} from './ipv4.ts';
import {
  copyIpv6Address,
  IPV6_DESTINATION,
  IPV6_HEADER_OCTETS,
  IPV6_SOURCE,
  ipv6IsMulticast,
  ipv6PayloadOctets,
  ipv6PseudoHeaderSum,
  writeIpv6,
  writeIpv6Address,
} from './ipv6.ts';
import { findUpperLayer, fragmentOffset, upperLayer } from './ipv6-extension.ts';

/** What an error says, in both IP versions. */
export const IcmpError = {
  netUnreachable: 0,
  hostUnreachable: 1,
  protocolUnreachable: 2,
  portUnreachable: 3,
  tooBig: 4,
  prohibited: 5,
  timeExceeded: 6,
  /** The rest of the packet did not come in time. */
  reassemblyTimeExceeded: 7,
} as const;
export type IcmpError = (typeof IcmpError)[keyof typeof IcmpError];

const ICMP_HEADER_OCTETS = 8;
const TYPE = 0;
const CODE = 1;
const CHECKSUM = 2;
const REST = 4;

const V4_UNREACHABLE = 3;
const V4_TIME_EXCEEDED = 11;
const V4_FRAGMENTATION_NEEDED = 4;
const V6_UNREACHABLE = 1;
const V6_TOO_BIG = 2;
const V6_TIME_EXCEEDED = 3;
const V6_PARAMETER_PROBLEM = 4;
const V6_REDIRECT = 137;
/** Types below are errors (RFC 4443, section 2.1). */
const V6_FIRST_INFORMATIONAL = 128;

/** Type and code of each IcmpError, in their order (RFC 792, RFC 1812 section 5.2.7.1). */
const V4_TYPES = [3, 3, 3, 3, 3, 3, 11, 11] as const;
const V4_CODES = [0, 1, 2, 3, 4, 13, 0, 1] as const;
/** RFC 4443, section 3; an unknown protocol is a problem with the octet that names it (section 3.4). */
const V6_TYPES = [1, 1, 4, 1, 2, 1, 3, 3] as const;
const V6_CODES = [0, 3, 1, 4, 0, 1, 0, 1] as const;

/** By type of ICMPv4: 1 for what is no error (RFC 1122, section 3.2.2): echo, router discovery, timestamp, mask and so on. */
const IS_V4_QUERY = new Uint8Array(256);
for (const type of [0, 8, 9, 10, 13, 14, 15, 16, 17, 18, 42, 43]) IS_V4_QUERY[type] = 1;

/** How long an error may be, IP header included (RFC 1812, section 4.3.2.3; RFC 4443, section 2.4 c). */
const MAX_V4_OCTETS = 576;
const MAX_V6_OCTETS = 1280;
export const MAX_ICMP_ERROR_OCTETS = MAX_V6_OCTETS;

/** Internetwork control (RFC 1812, section 4.3.2.5). */
const TOS = 0xc0;
const TTL = 64;

/**
 * Whether an error may be sent about the checked packet: never about an ICMP error, a fragment other than the first, what
 * was sent to a group, or from what is no single host (RFC 1812, section 4.3.2.7; RFC 4443, section 2.4 e). Whether it
 * was sent to a broadcast address of a network, or in a frame to a group, is the caller's to know.
 */
export function mayReport(bytes: Uint8Array, ipStart: number, end: number): boolean {
  return bytes[ipStart]! >>> 4 === 4 ? mayReportV4(bytes, ipStart, end) : mayReportV6(bytes, ipStart, end);
}

function mayReportV4(bytes: Uint8Array, ipStart: number, end: number): boolean {
  if (ipv4FragmentOffset(bytes, ipStart) !== 0 || ipv4Destination(bytes, ipStart) >>> 28 >= 0xe) return false;
  const network = ipv4Source(bytes, ipStart) >>> 24;
  if (network === 0 || network === 127 || network >= 224) return false;
  if (ipv4Protocol(bytes, ipStart) !== IpProtocol.icmp) return true;
  const icmp = ipStart + ipv4HeaderOctets(bytes, ipStart);
  return icmp < end && IS_V4_QUERY[bytes[icmp + TYPE]!] === 1;
}

function mayReportV6(bytes: Uint8Array, ipStart: number, end: number): boolean {
  if (ipv6IsMulticast(bytes, ipStart + IPV6_DESTINATION)) return false;
  const source = ipStart + IPV6_SOURCE;
  if (ipv6IsMulticast(bytes, source) || isUnspecifiedOrLoopback(bytes, source)) return false;
  if (!findUpperLayer(bytes, ipStart, end)) return false;
  const { protocol, start, fragmentAt } = upperLayer;
  if (fragmentAt !== 0 && fragmentOffset(bytes, fragmentAt) !== 0) return false;
  if (protocol !== IpProtocol.icmpv6) return true;
  const type = start < end ? bytes[start]! : 0;
  return type >= V6_FIRST_INFORMATIONAL && type !== V6_REDIRECT;
}

/** `::` or `::1`. */
function isUnspecifiedOrLoopback(bytes: Uint8Array, at: number): boolean {
  if ((read32(bytes, at) | read32(bytes, at + 4) | read32(bytes, at + 8)) !== 0) return false;
  return read32(bytes, at + 12) >>> 1 === 0;
}

/** Octets of the IP packet that writeIcmpError makes of the packet in [ipStart, end). */
export function icmpErrorOctets(bytes: Uint8Array, ipStart: number, end: number): number {
  return bytes[ipStart]! >>> 4 === 4
    ? Math.min(IPV4_HEADER_OCTETS + ICMP_HEADER_OCTETS + end - ipStart, MAX_V4_OCTETS)
    : Math.min(IPV6_HEADER_OCTETS + ICMP_HEADER_OCTETS + end - ipStart, MAX_V6_OCTETS);
}

/**
 * Writes the error about the packet in [ipStart, end), from our address `source` to the packet's own source: as many
 * octets from `at` as icmpErrorOctets says, IP header included. `mtu`: that of the next hop, with tooBig.
 */
export function writeIcmpError(
  bytes: Uint8Array,
  words: Int32Array,
  at: number,
  ipStart: number,
  end: number,
  error: IcmpError,
  mtu: number,
  source: AddressWords,
): void {
  if (bytes[ipStart]! >>> 4 === 4) writeV4(bytes, words, at, ipStart, end, error, mtu, source);
  else writeV6(bytes, words, at, ipStart, end, error, mtu, source);
}

function writeV4(
  bytes: Uint8Array,
  words: Int32Array,
  at: number,
  ipStart: number,
  end: number,
  error: IcmpError,
  mtu: number,
  source: AddressWords,
): void {
  const octets = icmpErrorOctets(bytes, ipStart, end);
  const icmp = at + IPV4_HEADER_OCTETS;
  // Nobody can mistake two errors for fragments of one: they are never fragmented.
  writeIpv4(bytes, at, TOS, octets, 0, true, TTL, IpProtocol.icmp, source[3], ipv4Source(bytes, ipStart));
  write16(bytes, icmp, (V4_TYPES[error] << 8) | V4_CODES[error]);
  write16(bytes, icmp + CHECKSUM, 0);
  write32(bytes, icmp + REST, error === IcmpError.tooBig ? Math.min(mtu, 0xffff) : 0);
  const quoteAt = icmp + ICMP_HEADER_OCTETS;
  bytes.copyWithin(quoteAt, ipStart, ipStart + at + octets - quoteAt);
  write16(bytes, icmp + CHECKSUM, checksumFinish(checksumAddWords(bytes, words, icmp, at + octets, 0)));
}

function writeV6(
  bytes: Uint8Array,
  words: Int32Array,
  at: number,
  ipStart: number,
  end: number,
  error: IcmpError,
  mtu: number,
  source: AddressWords,
): void {
  const octets = icmpErrorOctets(bytes, ipStart, end);
  const icmp = at + IPV6_HEADER_OCTETS;
  writeIpv6(bytes, at, TOS, 0, octets - IPV6_HEADER_OCTETS, IpProtocol.icmpv6, TTL);
  writeIpv6Address(bytes, at + IPV6_SOURCE, source);
  copyIpv6Address(bytes, ipStart + IPV6_SOURCE, at + IPV6_DESTINATION);
  write16(bytes, icmp, (V6_TYPES[error] << 8) | V6_CODES[error]);
  write16(bytes, icmp + CHECKSUM, 0);
  let rest = 0;
  if (error === IcmpError.tooBig) rest = mtu;
  else if (error === IcmpError.protocolUnreachable && findUpperLayer(bytes, ipStart, end)) {
    rest = upperLayer.protocolAt - ipStart;
  }
  write32(bytes, icmp + REST, rest);
  const quoteAt = icmp + ICMP_HEADER_OCTETS;
  bytes.copyWithin(quoteAt, ipStart, ipStart + at + octets - quoteAt);
  const pseudo = ipv6PseudoHeaderSum(bytes, at, IpProtocol.icmpv6, octets - IPV6_HEADER_OCTETS);
  write16(bytes, icmp + CHECKSUM, checksumFinish(checksumAddWords(bytes, words, icmp, at + octets, pseudo)));
}

/** What the last successful `readIcmpError` read: of the error, and of the packet that it quotes. */
export const quoted = {
  error: 0 as IcmpError,
  /** With tooBig: the MTU that it names; 0: it names none. */
  mtu: 0,
  isIpv4: true,
  /** Offset of the IP header of the quoted packet, and of what follows its last header of IP. */
  ipStart: 0,
  upperStart: 0,
  /** Behind the last octet of the quotation. */
  end: 0,
  /** What the quoted packet carries, and how long it was when it was sent. */
  protocol: 0,
  packetOctets: 0,
};

/** Of the quoted packet there must be this much behind its IP header (RFC 792). */
const MIN_QUOTED_OCTETS = 8;

/**
 * Fills in `quoted` and returns true when the checked ICMPv4 message in [icmp, end) is an error about the first fragment
 * of a packet, or about a whole one, with as much of it as a receiver may expect.
 */
export function readIcmpv4Error(bytes: Uint8Array, icmp: number, end: number): boolean {
  const error = errorOfV4(bytes[icmp + TYPE]!, bytes[icmp + CODE]!);
  const ip = icmp + ICMP_HEADER_OCTETS;
  if (error === -1 || end - ip < IPV4_HEADER_OCTETS || bytes[ip]! >>> 4 !== 4) return false;
  const upper = ip + ipv4HeaderOctets(bytes, ip);
  if (upper - ip < IPV4_HEADER_OCTETS || end - upper < MIN_QUOTED_OCTETS) return false;
  const packetOctets = ipv4TotalOctets(bytes, ip);
  if (ip + packetOctets < upper + MIN_QUOTED_OCTETS || ipv4FragmentOffset(bytes, ip) !== 0) return false;
  quoted.error = error;
  quoted.mtu = error === IcmpError.tooBig ? read16(bytes, icmp + REST + 2) : 0;
  quoted.isIpv4 = true;
  quoted.ipStart = ip;
  quoted.upperStart = upper;
  // What follows are extensions (RFC 4884), no part of the packet.
  quoted.end = Math.min(end, ip + packetOctets);
  quoted.protocol = ipv4Protocol(bytes, ip);
  quoted.packetOctets = packetOctets;
  return true;
}

/** The same for the checked ICMPv6 message in [icmp, end). */
export function readIcmpv6Error(bytes: Uint8Array, icmp: number, end: number): boolean {
  const error = errorOfV6(bytes[icmp + TYPE]!, bytes[icmp + CODE]!);
  const ip = icmp + ICMP_HEADER_OCTETS;
  if (error === -1 || end - ip < IPV6_HEADER_OCTETS || bytes[ip]! >>> 4 !== 6) return false;
  const packetOctets = IPV6_HEADER_OCTETS + ipv6PayloadOctets(bytes, ip);
  const quotedEnd = Math.min(end, ip + packetOctets);
  if (!findUpperLayer(bytes, ip, quotedEnd)) return false;
  const { fragmentAt, start, protocol } = upperLayer;
  if (quotedEnd - start < MIN_QUOTED_OCTETS) return false;
  if (fragmentAt !== 0 && fragmentOffset(bytes, fragmentAt) !== 0) return false;
  quoted.error = error;
  quoted.mtu = error === IcmpError.tooBig ? read32(bytes, icmp + REST) >>> 0 : 0;
  quoted.isIpv4 = false;
  quoted.ipStart = ip;
  quoted.upperStart = start;
  quoted.end = quotedEnd;
  quoted.protocol = protocol;
  quoted.packetOctets = packetOctets;
  return true;
}

function errorOfV4(type: number, code: number): IcmpError | -1 {
  if (type === V4_TIME_EXCEEDED) return code === 1 ? IcmpError.reassemblyTimeExceeded : IcmpError.timeExceeded;
  if (type !== V4_UNREACHABLE) return -1;
  if (code === V4_FRAGMENTATION_NEEDED) return IcmpError.tooBig;
  if (code === 2) return IcmpError.protocolUnreachable;
  if (code === 3) return IcmpError.portUnreachable;
  if (code === 1 || code === 7) return IcmpError.hostUnreachable;
  return code === 9 || code === 10 || code === 13 ? IcmpError.prohibited : IcmpError.netUnreachable;
}

function errorOfV6(type: number, code: number): IcmpError | -1 {
  if (type === V6_TOO_BIG) return IcmpError.tooBig;
  if (type === V6_TIME_EXCEEDED) return code === 1 ? IcmpError.reassemblyTimeExceeded : IcmpError.timeExceeded;
  if (type === V6_PARAMETER_PROBLEM) return code === 1 ? IcmpError.protocolUnreachable : -1;
  if (type !== V6_UNREACHABLE) return -1;
  if (code === 3) return IcmpError.hostUnreachable;
  if (code === 4) return IcmpError.portUnreachable;
  return code === 1 || code === 5 ? IcmpError.prohibited : IcmpError.netUnreachable;
}
