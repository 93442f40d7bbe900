// Multicast listener discovery, version 1 (RFC 2710) and 2 (RFC 3810), as a host speaks and hears it.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------+---------------+-------------------------------+
//   |     type      |   code = 0    |           checksum            |
//   +---------------+---------------+-------------------------------+
//   |     maximum response code     |           reserved            |
//   +-------------------------------+-------------------------------+
//   |                  multicast address, 16 octets                 |   version 1, and in a query of version 2
//   +-------+-+-----+---------------+-------------------------------+
//   | resv  |S| QRV |     QQIC      |       number of sources       |   query of version 2 only
//   +-------+-+-----+---------------+-------------------------------+
//
//   +---------------+---------------+-------------------------------+
//   |  type = 143   |   reserved    |           checksum            |   report of version 2
//   +---------------+---------------+-------------------------------+
//   |           reserved            |       number of records       |
//   +---------------+---------------+-------------------------------+
//   |  record type  | aux data = 0  |     number of sources = 0     |   each record
//   +---------------+---------------+-------------------------------+
//   |                  multicast address, 16 octets                 |
//   +---------------------------------------------------------------+
//
// A message is ICMPv6 behind a hop-by-hop header with the Router Alert option (RFC 2711), hop limit 1, from a link-local
// address. Not supported: sources in records and queries.

import type { AddressWords } from '../core/address.ts';
import { checksumAddWords, checksumFinish } from '../core/checksum.ts';
import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { read16, write16, write32 } from '../core/octets.ts';
import { IpProtocol } from './ipv4.ts';
import {
  IPV6_DESTINATION,
  IPV6_HEADER_OCTETS,
  IPV6_HOP_BY_HOP,
  IPV6_SOURCE,
  ipv6HopLimit,
  ipv6IsUnspecified,
  ipv6NextHeader,
  ipv6PayloadOctets,
  ipv6PseudoHeaderSum,
  writeIpv6,
  writeIpv6Address,
} from './ipv6.ts';

export const MLD_QUERY = 130;
export const MLD_V1_REPORT = 131;
export const MLD_V1_DONE = 132;
export const MLD_V2_REPORT = 143;

/** ff02::2: where a done message goes; ff02::16: where reports of version 2 go. */
export const ALL_ROUTERS_V6: AddressWords = [0xff02_0000 | 0, 0, 0, 2];
export const MLD_V2_ROUTERS: AddressWords = [0xff02_0000 | 0, 0, 0, 0x16];

/** Octets of a message of version 1. */
export const MLD_OCTETS = 24;
const V2_QUERY_OCTETS = 28;
const V2_REPORT_OCTETS = 8;
const RECORD_OCTETS = 20;
const HOP_BY_HOP_OCTETS = 8;
/** In front of the message: IPv6 and a hop-by-hop header. */
export const MLD_IP_OCTETS = IPV6_HEADER_OCTETS + HOP_BY_HOP_OCTETS;
const HOP_LIMIT = 1;
/** Router Alert with the value for MLD (RFC 2711, section 2.1), and two octets of padding. */
const ROUTER_ALERT = 0x0502_0000;
const PADDING = 0x0100;

const CODE = 1;
const CHECKSUM = 2;
const MAX_RESPONSE = 4;
const GROUP = 8;
const ROBUSTNESS = 24;

/** Offset of the ICMPv6 header in a checked IPv6 packet that starts with a hop-by-hop header; 0: it holds none. */
export function findMld(bytes: Uint8Array, ipStart: number): number {
  const octets = ipv6PayloadOctets(bytes, ipStart);
  if (ipv6NextHeader(bytes, ipStart) !== IPV6_HOP_BY_HOP || octets < HOP_BY_HOP_OCTETS) return 0;
  const header = ipStart + IPV6_HEADER_OCTETS;
  const headerOctets = (bytes[header + 1]! + 1) * HOP_BY_HOP_OCTETS;
  return bytes[header] === IpProtocol.icmpv6 && headerOctets < octets ? header + headerOctets : 0;
}

/**
 * Guarantees, with FORWARD, for a message that findMld has found: a possible length, the right checksum, and a sender on
 * this link. `start`: of the ICMPv6 header.
 */
export function checkMld(bytes: Uint8Array, words: Int32Array, ipStart: number, start: number): Verdict {
  const end = ipStart + IPV6_HEADER_OCTETS + ipv6PayloadOctets(bytes, ipStart);
  const octets = end - start;
  const isReport = octets >= 1 && bytes[start] === MLD_V2_REPORT;
  if (octets < (isReport ? V2_REPORT_OCTETS : MLD_OCTETS)) return Drop.groupMessageInvalid;
  if (bytes[start] === MLD_QUERY && octets > MLD_OCTETS && octets < V2_QUERY_OCTETS) return Drop.groupMessageInvalid;
  const source = ipStart + IPV6_SOURCE;
  const isLinkLocal = (read16(bytes, source) & 0xffc0) === 0xfe80;
  // A station that has no address yet may report, but not ask (RFC 3810, sections 5.1.14 and 5.2.13).
  const isLocal = isLinkLocal || (bytes[start] !== MLD_QUERY && ipv6IsUnspecified(bytes, source));
  if (!isLocal || ipv6HopLimit(bytes, ipStart) !== HOP_LIMIT || bytes[start + CODE] !== 0) {
    return Drop.groupMessageInvalid;
  }
  const pseudo = ipv6PseudoHeaderSum(bytes, ipStart, IpProtocol.icmpv6, octets);
  return checksumFinish(checksumAddWords(bytes, words, start, end, pseudo)) === 0 ? FORWARD : Drop.groupMessageInvalid;
}

export function mldType(bytes: Uint8Array, start: number): number {
  return bytes[start]!;
}

/** Offset of the group in a query, or a message of version 1; the address is `::` in a general query. */
export const mldGroupAt = (start: number): number => start + GROUP;

/** The version of a checked query; `end`: behind the message. */
export function mldQueryVersion(start: number, end: number): 1 | 2 {
  return end - start >= V2_QUERY_OCTETS ? 2 : 1;
}

/** The time within which a checked query of this version wants an answer. */
export function mldMaxResponseMs(bytes: Uint8Array, start: number, version: 1 | 2): number {
  const code = read16(bytes, start + MAX_RESPONSE);
  return version === 1 ? code : floatingPoint16(code);
}

/** The querier's robustness variable in a checked query of version 2; 0: it does not say. */
export function mldRobustness(bytes: Uint8Array, start: number): number {
  return bytes[start + ROBUSTNESS]! & 0x07;
}

/** A message of version 1 from `source`, with its IPv6 headers: MLD_IP_OCTETS + MLD_OCTETS from `at`. */
export function writeMld(
  bytes: Uint8Array,
  words: Int32Array,
  at: number,
  type: number,
  source: AddressWords,
  destination: AddressWords,
  group: AddressWords,
): void {
  const start = at + MLD_IP_OCTETS;
  writeMldIp(bytes, at, MLD_OCTETS, source, destination);
  write32(bytes, start, type << 24);
  write32(bytes, start + MAX_RESPONSE, 0);
  writeIpv6Address(bytes, start + GROUP, group);
  finishMld(bytes, words, at, start, MLD_OCTETS);
}

/** Octets of a report of version 2, its IPv6 headers included. */
export function mldV2ReportOctets(records: number): number {
  return MLD_IP_OCTETS + V2_REPORT_OCTETS + records * RECORD_OCTETS;
}

/** A report of version 2: a record of `type` (a RecordType) for each group, mldV2ReportOctets from `at`. */
export function writeMldV2Report(
  bytes: Uint8Array,
  words: Int32Array,
  at: number,
  source: AddressWords,
  records: readonly { type: number; group: AddressWords }[],
): void {
  const start = at + MLD_IP_OCTETS;
  const octets = V2_REPORT_OCTETS + records.length * RECORD_OCTETS;
  writeMldIp(bytes, at, octets, source, MLD_V2_ROUTERS);
  write32(bytes, start, MLD_V2_REPORT << 24);
  write32(bytes, start + 4, records.length);
  records.forEach(({ type, group }, index) => {
    const record = start + V2_REPORT_OCTETS + index * RECORD_OCTETS;
    write32(bytes, record, type << 24);
    writeIpv6Address(bytes, record + 4, group);
  });
  finishMld(bytes, words, at, start, octets);
}

function writeMldIp(
  bytes: Uint8Array,
  at: number,
  octets: number,
  source: AddressWords,
  destination: AddressWords,
): void {
  const header = at + IPV6_HEADER_OCTETS;
  writeIpv6(bytes, at, 0, 0, HOP_BY_HOP_OCTETS + octets, IPV6_HOP_BY_HOP, HOP_LIMIT);
  writeIpv6Address(bytes, at + IPV6_SOURCE, source);
  writeIpv6Address(bytes, at + IPV6_DESTINATION, destination);
  write16(bytes, header, IpProtocol.icmpv6 << 8);
  write32(bytes, header + 2, ROUTER_ALERT);
  write16(bytes, header + 6, PADDING);
}

function finishMld(bytes: Uint8Array, words: Int32Array, ip: number, start: number, octets: number): void {
  const pseudo = ipv6PseudoHeaderSum(bytes, ip, IpProtocol.icmpv6, octets);
  write16(bytes, start + CHECKSUM, checksumFinish(checksumAddWords(bytes, words, start, start + octets, pseudo)));
}

/** The code of a version 2 query: up to 32767 as it stands, above it 1, exponent 3, mantissa 12 (RFC 3810, section 5.1.3). */
function floatingPoint16(code: number): number {
  return code < 0x8000 ? code : ((code & 0x0fff) | 0x1000) << (((code >>> 12) & 0x07) + 3);
}
