// ICMPv6 echo (RFC 4443, section 4) and neighbour discovery (RFC 4861, sections 4.3 and 4.4).
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------+---------------+-------------------------------+
//   |     type      |   code = 0    |           checksum            |
//   +-+-+-+---------+---------------+-------------------------------+
//   |R|S|O|    reserved (flags in an advertisement only)            |
//   +-+-+-+---------------------------------------------------------+
//   |                  target address, 16 octets                    |
//   +---------------+---------------+-------------------------------+
//   | option type   | length, in 8  |  MAC, 6 octets                |
//   +---------------+---------------+-------------------------------+
//
// Not supported: router discovery, redirects, options other than the link-layer addresses (they are stepped over).

import type { AddressWords } from '../core/address.ts';
import { checksumAddWords, checksumFinish, checksumUpdate16 } from '../core/checksum.ts';
import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { read16, write16, write32 } from '../core/octets.ts';
import { LOCAL_BIT, writeMac } from './ethernet.ts';
import { IpProtocol } from './ipv4.ts';
import {
  copyIpv6Address,
  IPV6_ADDRESS_OCTETS,
  IPV6_DESTINATION,
  IPV6_HEADER_OCTETS,
  IPV6_HOP_LIMIT,
  IPV6_SOURCE,
  ipv6HopLimit,
  ipv6IsMulticast,
  ipv6IsUnspecified,
  ipv6NextHeader,
  ipv6PayloadOctets,
  ipv6PseudoHeaderSum,
  writeIpv6,
  writeIpv6Address,
} from './ipv6.ts';

const ICMPV6_HEADER_OCTETS = 8;

const TYPE = 0;
const CODE = 1;
const CHECKSUM = 2;
const FLAGS = 4;
/** Offset of the target address from the ICMPv6 header. */
export const ND_TARGET = 8;
const ND_OPTIONS = 24;
const OPTION_OCTETS = 8;

export const ICMPV6_ECHO_REQUEST = 128;
const ICMPV6_ECHO_REPLY = 129;
const ROUTER_SOLICITATION = 133;
const ROUTER_ADVERTISEMENT = 134;
export const NEIGHBOUR_SOLICITATION = 135;
export const NEIGHBOUR_ADVERTISEMENT = 136;
const REDIRECT = 137;

export const OPTION_SOURCE_LINK_LAYER = 1;
export const OPTION_TARGET_LINK_LAYER = 2;

const ND_FLAG_ROUTER = 0x80;
const ND_FLAG_SOLICITED = 0x40;
const ND_FLAG_OVERRIDE = 0x20;

/** Proof that a neighbour discovery packet comes from the link: no router forwards 255. */
export const ND_HOP_LIMIT = 255;
const REPLY_HOP_LIMIT = 64;

/** Octets of a solicitation or advertisement as written here: IPv6 header, message, one option. */
export const ND_PACKET_OCTETS = IPV6_HEADER_OCTETS + ND_OPTIONS + OPTION_OCTETS;

/** Guarantees, with FORWARD: a whole header right behind the checked IPv6 header, and the right checksum. */
export function checkIcmpv6(bytes: Uint8Array, words: Int32Array, ipStart: number): Verdict {
  const octets = ipv6PayloadOctets(bytes, ipStart);
  if (octets < ICMPV6_HEADER_OCTETS) return Drop.icmpInvalid;
  const start = ipStart + IPV6_HEADER_OCTETS;
  const pseudo = ipv6PseudoHeaderSum(bytes, ipStart, IpProtocol.icmpv6, octets);
  return checksumFinish(checksumAddWords(bytes, words, start, start + octets, pseudo)) === 0
    ? FORWARD
    : Drop.icmpInvalid;
}

export function icmpv6Type(bytes: Uint8Array, ipStart: number): number {
  return bytes[ipStart + IPV6_HEADER_OCTETS + TYPE]!;
}

/**
 * The validity checks for a solicitation (RFC 4861, section 7.1.1) or advertisement (7.1.2) after checkIcmpv6.
 * Guarantees, with FORWARD: a target that is no multicast address, and options that fill the message exactly.
 */
export function checkNeighbourDiscovery(bytes: Uint8Array, ipStart: number): Verdict {
  const start = ipStart + IPV6_HEADER_OCTETS;
  const end = start + ipv6PayloadOctets(bytes, ipStart);
  if (ipv6HopLimit(bytes, ipStart) !== ND_HOP_LIMIT || bytes[start + CODE] !== 0) return Drop.neighbourDiscoveryInvalid;
  if (end - start < ND_OPTIONS || ipv6IsMulticast(bytes, start + ND_TARGET)) return Drop.neighbourDiscoveryInvalid;
  let hasSource = false;
  for (let at = start + ND_OPTIONS; at < end;) {
    const units = end - at < OPTION_OCTETS ? 0 : bytes[at + 1]!;
    if (units === 0 || at + units * OPTION_OCTETS > end) return Drop.neighbourDiscoveryInvalid;
    if (bytes[at] === OPTION_SOURCE_LINK_LAYER) hasSource = true;
    at += units * OPTION_OCTETS;
  }
  const toMulticast = ipv6IsMulticast(bytes, ipStart + IPV6_DESTINATION);
  if (bytes[start + TYPE] === NEIGHBOUR_ADVERTISEMENT) {
    return toMulticast && (bytes[start + FLAGS]! & ND_FLAG_SOLICITED) !== 0 ? Drop.neighbourDiscoveryInvalid : FORWARD;
  }
  // The probe for a duplicate address: from ::, to the solicited-node address, nobody's MAC in it.
  if (!ipv6IsUnspecified(bytes, ipStart + IPV6_SOURCE)) return FORWARD;
  return hasSource || !isSolicitedNode(bytes, ipStart + IPV6_DESTINATION) ? Drop.neighbourDiscoveryInvalid : FORWARD;
}

/** Offset of the MAC in the first option of this type of a checked message; 0: there is none. */
export function findLinkLayerOption(bytes: Uint8Array, ipStart: number, type: number): number {
  const end = ipStart + IPV6_HEADER_OCTETS + ipv6PayloadOctets(bytes, ipStart);
  for (let at = ipStart + IPV6_HEADER_OCTETS + ND_OPTIONS; at < end; at += bytes[at + 1]! * OPTION_OCTETS) {
    if (bytes[at] === type) return at + 2;
  }
  return 0;
}

/** Whether a checked advertisement says that what it tells replaces what was known (the O flag). */
export function advertisementOverrides(bytes: Uint8Array, ipStart: number): boolean {
  return (bytes[ipStart + IPV6_HEADER_OCTETS + FLAGS]! & ND_FLAG_OVERRIDE) !== 0;
}

/** Turns a checked echo request to a unicast address in place into its reply. */
export function turnIntoEchoReplyV6(bytes: Uint8Array, ipStart: number): void {
  const icmp = ipStart + IPV6_HEADER_OCTETS;
  const before = read16(bytes, icmp + TYPE);
  bytes[icmp + TYPE] = ICMPV6_ECHO_REPLY;
  const checksum = checksumUpdate16(read16(bytes, icmp + CHECKSUM), before, read16(bytes, icmp + TYPE));
  write16(bytes, icmp + CHECKSUM, checksum);
  for (let at = 0; at < IPV6_ADDRESS_OCTETS; at++) {
    const octet = bytes[ipStart + IPV6_SOURCE + at]!;
    bytes[ipStart + IPV6_SOURCE + at] = bytes[ipStart + IPV6_DESTINATION + at]!;
    bytes[ipStart + IPV6_DESTINATION + at] = octet;
  }
  bytes[ipStart + IPV6_HOP_LIMIT] = REPLY_HOP_LIMIT;
}

/**
 * Writes the advertisement that answers the solicitation at `solicitationIp`, for the station (high, low) that owns its
 * target: ND_PACKET_OCTETS from `at`, IPv6 header included. A probe from `::` is answered to all nodes (section 7.2.4).
 * The station routes what is sent to its MAC, and says so: hosts trust no other next hop, and Linux forgets the path MTUs behind one.
 */
export function writeNeighbourAdvertisement(
  bytes: Uint8Array,
  words: Int32Array,
  at: number,
  solicitationIp: number,
  high: number,
  low: number,
): void {
  const target = solicitationIp + IPV6_HEADER_OCTETS + ND_TARGET;
  const isProbe = ipv6IsUnspecified(bytes, solicitationIp + IPV6_SOURCE);
  copyIpv6Address(bytes, target, at + IPV6_SOURCE);
  copyIpv6Address(bytes, target, at + IPV6_HEADER_OCTETS + ND_TARGET);
  if (isProbe) writeIpv6Address(bytes, at + IPV6_DESTINATION, ALL_NODES);
  else copyIpv6Address(bytes, solicitationIp + IPV6_SOURCE, at + IPV6_DESTINATION);
  const flags = ND_FLAG_ROUTER | ND_FLAG_OVERRIDE | (isProbe ? 0 : ND_FLAG_SOLICITED);
  writeMessage(bytes, words, at, NEIGHBOUR_ADVERTISEMENT, flags, OPTION_TARGET_LINK_LAYER, high, low);
}

/**
 * Writes a solicitation for `target` to `destination`, from `source` with the MAC (high, low): ND_PACKET_OCTETS from `at`,
 * IPv6 header included. The destination is the target's solicited-node address, or the target itself to see whether it is
 * still there.
 */
export function writeNeighbourSolicitation(
  bytes: Uint8Array,
  words: Int32Array,
  at: number,
  source: AddressWords,
  destination: AddressWords,
  target: AddressWords,
  high: number,
  low: number,
): void {
  writeIpv6Address(bytes, at + IPV6_SOURCE, source);
  writeIpv6Address(bytes, at + IPV6_DESTINATION, destination);
  writeIpv6Address(bytes, at + IPV6_HEADER_OCTETS + ND_TARGET, target);
  writeMessage(bytes, words, at, NEIGHBOUR_SOLICITATION, 0, OPTION_SOURCE_LINK_LAYER, high, low);
}

/** Octets of a probe for a duplicate address: no link-layer address goes with it. */
export const ND_PROBE_OCTETS = IPV6_HEADER_OCTETS + ND_OPTIONS;

/** Writes the solicitation, from `::`, by which it is asked whether somebody has `address` (RFC 4862, section 5.4.2). */
export function writeDuplicateAddressProbe(
  bytes: Uint8Array,
  words: Int32Array,
  at: number,
  address: AddressWords,
): void {
  writeIpv6Address(bytes, at + IPV6_SOURCE, UNSPECIFIED);
  writeIpv6Address(bytes, at + IPV6_DESTINATION, solicitedNodeOf(address));
  writeIpv6Address(bytes, at + IPV6_HEADER_OCTETS + ND_TARGET, address);
  writeHead(bytes, at, NEIGHBOUR_SOLICITATION, 0, ND_OPTIONS);
  finishMessage(bytes, words, at, ND_OPTIONS);
}

/** Writes the advertisement, to all nodes, by which `address` of a router makes itself known that nobody asked for (section 7.2.6). */
export function writeUnsolicitedAdvertisement(
  bytes: Uint8Array,
  words: Int32Array,
  at: number,
  address: AddressWords,
  high: number,
  low: number,
): void {
  writeIpv6Address(bytes, at + IPV6_SOURCE, address);
  writeIpv6Address(bytes, at + IPV6_HEADER_OCTETS + ND_TARGET, address);
  writeIpv6Address(bytes, at + IPV6_DESTINATION, ALL_NODES);
  const flags = ND_FLAG_ROUTER | ND_FLAG_OVERRIDE;
  writeMessage(bytes, words, at, NEIGHBOUR_ADVERTISEMENT, flags, OPTION_TARGET_LINK_LAYER, high, low);
}

/** ff02::1, all that speak IPv6 on a link. */
const UNSPECIFIED: AddressWords = [0, 0, 0, 0];
export const ALL_NODES: AddressWords = [0xff02_0000 | 0, 0, 0, 1];

/** The group in which whoever has the address listens: ff02::1:ffXX:XXXX (RFC 4291, section 2.7.1). */
export function solicitedNodeOf(address: AddressWords): AddressWords {
  return [0xff02_0000 | 0, 0, 1, 0xff00_0000 | (address[3] & 0x00ff_ffff)];
}

function writeMessage(
  bytes: Uint8Array,
  words: Int32Array,
  at: number,
  type: number,
  flags: number,
  option: number,
  high: number,
  low: number,
): void {
  const octets = ND_OPTIONS + OPTION_OCTETS;
  const icmp = at + IPV6_HEADER_OCTETS;
  writeHead(bytes, at, type, flags, octets);
  bytes[icmp + ND_OPTIONS] = option;
  bytes[icmp + ND_OPTIONS + 1] = 1;
  writeMac(bytes, icmp + ND_OPTIONS + 2, high, low);
  finishMessage(bytes, words, at, octets);
}

function writeHead(bytes: Uint8Array, at: number, type: number, flags: number, octets: number): void {
  const icmp = at + IPV6_HEADER_OCTETS;
  writeIpv6(bytes, at, 0, 0, octets, IpProtocol.icmpv6, ND_HOP_LIMIT);
  write32(bytes, icmp, type << 24);
  write32(bytes, icmp + FLAGS, flags << 24);
}

function finishMessage(bytes: Uint8Array, words: Int32Array, at: number, octets: number): void {
  const icmp = at + IPV6_HEADER_OCTETS;
  const pseudo = ipv6PseudoHeaderSum(bytes, at, IpProtocol.icmpv6, octets);
  write16(bytes, icmp + CHECKSUM, checksumFinish(checksumAddWords(bytes, words, icmp, icmp + octets, pseudo)));
}

/**
 * Toggles the local bit of the link-layer addresses that a neighbour or router discovery message offers (RFC 4861,
 * section 4), and with `correctsChecksum` corrects its checksum (RFC 1624). Any octets may stand from `ipStart` to `end`:
 * what is no such message, or one that is malformed, stays as it is.
 */
export function toggleLinkLayerOptions(
  bytes: Uint8Array,
  ipStart: number,
  end: number,
  correctsChecksum: boolean,
): void {
  for (let at = firstOption(bytes, ipStart, end); at !== 0; at = nextOption(bytes, ipStart, at)) {
    if (!isLinkLayerOption(bytes, at)) continue;
    rewriteWord(bytes, ipStart, at + 2, read16(bytes, at + 2) ^ (LOCAL_BIT << 8), correctsChecksum);
  }
}

/** The same, but sets the addresses to the MAC (high, low). */
export function setLinkLayerOptions(
  bytes: Uint8Array,
  ipStart: number,
  end: number,
  correctsChecksum: boolean,
  high: number,
  low: number,
): void {
  for (let at = firstOption(bytes, ipStart, end); at !== 0; at = nextOption(bytes, ipStart, at)) {
    if (!isLinkLayerOption(bytes, at)) continue;
    rewriteWord(bytes, ipStart, at + 2, high, correctsChecksum);
    rewriteWord(bytes, ipStart, at + 4, low >>> 16, correctsChecksum);
    rewriteWord(bytes, ipStart, at + 6, low & 0xffff, correctsChecksum);
  }
}

/** Whether a neighbour or router discovery message stands right behind the IPv6 header, and all of it before `end`. */
export function isDiscovery(bytes: Uint8Array, ipStart: number, end: number): boolean {
  const start = ipStart + IPV6_HEADER_OCTETS;
  if (end - start < ICMPV6_HEADER_OCTETS || bytes[ipStart]! >>> 4 !== 6) return false;
  if (ipv6NextHeader(bytes, ipStart) !== IpProtocol.icmpv6 || start + ipv6PayloadOctets(bytes, ipStart) > end)
    return false;
  return optionsAt(bytes[start + TYPE]!) !== 0;
}

/** Offset of the first whole option of a discovery message, or 0. */
function firstOption(bytes: Uint8Array, ipStart: number, end: number): number {
  if (!isDiscovery(bytes, ipStart, end)) return 0;
  const start = ipStart + IPV6_HEADER_OCTETS;
  return wholeOption(bytes, ipStart, start + optionsAt(bytes[start + TYPE]!));
}

const nextOption = (bytes: Uint8Array, ipStart: number, at: number): number =>
  wholeOption(bytes, ipStart, at + bytes[at + 1]! * OPTION_OCTETS);

/** `at`, if an option stands there before the end of the message, otherwise 0. */
function wholeOption(bytes: Uint8Array, ipStart: number, at: number): number {
  const left = ipStart + IPV6_HEADER_OCTETS + ipv6PayloadOctets(bytes, ipStart) - at;
  return left >= OPTION_OCTETS && bytes[at + 1] !== 0 ? at : 0;
}

function isLinkLayerOption(bytes: Uint8Array, at: number): boolean {
  const type = bytes[at]!;
  return bytes[at + 1] === 1 && (type === OPTION_SOURCE_LINK_LAYER || type === OPTION_TARGET_LINK_LAYER);
}

/** Sets 16 bits of a message, at an even place of it. */
function rewriteWord(bytes: Uint8Array, ipStart: number, at: number, value: number, correctsChecksum: boolean): void {
  const before = read16(bytes, at);
  write16(bytes, at, value);
  if (!correctsChecksum) return;
  const field = ipStart + IPV6_HEADER_OCTETS + CHECKSUM;
  write16(bytes, field, checksumUpdate16(read16(bytes, field), before, value));
}

/** Where the options of a discovery message start; 0 for any other message. */
function optionsAt(type: number): number {
  switch (type) {
    case ROUTER_SOLICITATION:
      return 8;
    case ROUTER_ADVERTISEMENT:
      return 16;
    case NEIGHBOUR_SOLICITATION:
    case NEIGHBOUR_ADVERTISEMENT:
      return ND_OPTIONS;
    case REDIRECT:
      return 40;
    default:
      return 0;
  }
}

/** ff02::1:ffXX:XXXX (RFC 4291, section 2.7.1). */
function isSolicitedNode(bytes: Uint8Array, at: number): boolean {
  for (let index = 0; index < SOLICITED_NODE_PREFIX.length; index++) {
    if (bytes[at + index] !== SOLICITED_NODE_PREFIX[index]) return false;
  }
  return true;
}

const SOLICITED_NODE_PREFIX = [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff] as const;
