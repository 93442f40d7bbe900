// IGMP, version 2 (RFC 2236) and 3 (RFC 3376), as a host speaks and hears it; of version 1 (RFC 1112) report and query.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------+---------------+-------------------------------+
//   |     type      | max resp code |           checksum            |
//   +---------------+---------------+-------------------------------+
//   |                         group address                         |   up to version 2, and in a query of version 3
//   +-------+-+-----+---------------+-------------------------------+
//   | resv  |S| QRV |     QQIC      |       number of sources       |   query of version 3 only
//   +-------+-+-----+---------------+-------------------------------+
//
//   +---------------+---------------+-------------------------------+
//   |  type = 0x22  |   reserved    |           checksum            |   report of version 3
//   +---------------+---------------+-------------------------------+
//   |           reserved            |       number of records       |
//   +---------------+---------------+-------------------------------+
//   |  record type  | aux data = 0  |     number of sources = 0     |   each record
//   +---------------+---------------+-------------------------------+
//   |                         group address                         |
//   +---------------------------------------------------------------+
//
// Every message leaves with TTL 1 and the Router Alert option (RFC 2113). Not supported: sources in records and queries.

import { checksumAdd, checksumFinish } from '../core/checksum.ts';
import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { read32, write16, write32 } from '../core/octets.ts';
import { IPV4_HEADER_OCTETS, IpProtocol, writeIpv4, writeIpv4Checksum } from './ipv4.ts';

export const IGMP_QUERY = 0x11;
export const IGMP_V1_REPORT = 0x12;
export const IGMP_V2_REPORT = 0x16;
export const IGMP_V2_LEAVE = 0x17;
export const IGMP_V3_REPORT = 0x22;

/** 224.0.0.2: where a leave of version 2 goes; 224.0.0.22: where reports of version 3 go. */
export const ALL_ROUTERS_V4 = 0xe000_0002 | 0;
export const IGMP_V3_ROUTERS = 0xe000_0016 | 0;

/** Octets of a message up to version 2. */
export const IGMP_OCTETS = 8;
const V3_QUERY_OCTETS = 12;
const RECORD_OCTETS = 8;
const ROUTER_ALERT = 0x9404_0000 | 0;
/** In front of the message: an IPv4 header with the Router Alert option. */
export const IGMP_IP_OCTETS = IPV4_HEADER_OCTETS + 4;
/** Internetwork control (RFC 2474, section 4.2.2.2). */
const TOS = 0xc0;
const TTL = 1;

const MAX_RESPONSE = 1;
const CHECKSUM = 2;
const GROUP = 4;
const ROBUSTNESS = 8;

const TENTH_OF_A_SECOND_MS = 100;
/** What a query of version 1, which does not say, allows (RFC 3376, section 7.2.1). */
const V1_RESPONSE_MS = 10_000;

/** Guarantees, with FORWARD: a whole message of a possible length, and the right checksum over [start, end). */
export function checkIgmp(bytes: Uint8Array, start: number, end: number): Verdict {
  const octets = end - start;
  if (octets < IGMP_OCTETS) return Drop.groupMessageInvalid;
  if (bytes[start] === IGMP_QUERY && octets > IGMP_OCTETS && octets < V3_QUERY_OCTETS) return Drop.groupMessageInvalid;
  return checksumFinish(checksumAdd(bytes, start, end, 0)) === 0 ? FORWARD : Drop.groupMessageInvalid;
}

export function igmpType(bytes: Uint8Array, start: number): number {
  return bytes[start]!;
}

/** The group of a checked query or report up to version 2; 0 in a general query. */
export function igmpGroup(bytes: Uint8Array, start: number): number {
  return read32(bytes, start + GROUP);
}

/** The version of a checked query (RFC 3376, section 7.1). */
export function igmpQueryVersion(bytes: Uint8Array, start: number, end: number): 1 | 2 | 3 {
  if (end - start >= V3_QUERY_OCTETS) return 3;
  return bytes[start + MAX_RESPONSE] === 0 ? 1 : 2;
}

/** The time within which a checked query of this version wants an answer. */
export function igmpMaxResponseMs(bytes: Uint8Array, start: number, version: 1 | 2 | 3): number {
  const code = bytes[start + MAX_RESPONSE]!;
  if (version === 1) return V1_RESPONSE_MS;
  return (version === 2 ? code : floatingPoint8(code)) * TENTH_OF_A_SECOND_MS;
}

/** The querier's robustness variable in a checked query of version 3; 0: it does not say. */
export function igmpRobustness(bytes: Uint8Array, start: number): number {
  return bytes[start + ROBUSTNESS]! & 0x07;
}

/** A message up to version 2 from `source`, with its IPv4 header: IGMP_IP_OCTETS + IGMP_OCTETS from `at`. */
export function writeIgmp(
  bytes: Uint8Array,
  at: number,
  type: number,
  source: number,
  destination: number,
  group: number,
): void {
  const start = at + IGMP_IP_OCTETS;
  writeIgmpIp(bytes, at, IGMP_OCTETS, source, destination);
  write32(bytes, start, type << 24);
  write32(bytes, start + GROUP, group);
  finishIgmp(bytes, start, start + IGMP_OCTETS);
}

/** Octets of a report of version 3, its IPv4 header included. */
export function igmpV3ReportOctets(records: number): number {
  return IGMP_IP_OCTETS + IGMP_OCTETS + records * RECORD_OCTETS;
}

/** A report of version 3: a record of `type` (a RecordType) for each group, igmpV3ReportOctets from `at`. */
export function writeIgmpV3Report(
  bytes: Uint8Array,
  at: number,
  source: number,
  records: readonly { type: number; group: number }[],
): void {
  const start = at + IGMP_IP_OCTETS;
  const end = at + igmpV3ReportOctets(records.length);
  writeIgmpIp(bytes, at, end - start, source, IGMP_V3_ROUTERS);
  write32(bytes, start, IGMP_V3_REPORT << 24);
  write32(bytes, start + GROUP, records.length);
  records.forEach(({ type, group }, index) => {
    const record = start + IGMP_OCTETS + index * RECORD_OCTETS;
    write32(bytes, record, type << 24);
    write32(bytes, record + 4, group);
  });
  finishIgmp(bytes, start, end);
}

function writeIgmpIp(bytes: Uint8Array, at: number, octets: number, source: number, destination: number): void {
  writeIpv4(bytes, at, TOS, IGMP_IP_OCTETS + octets, 0, true, TTL, IpProtocol.igmp, source, destination);
  bytes[at] = 0x40 | (IGMP_IP_OCTETS >>> 2);
  write32(bytes, at + IPV4_HEADER_OCTETS, ROUTER_ALERT);
  writeIpv4Checksum(bytes, at);
}

function finishIgmp(bytes: Uint8Array, start: number, end: number): void {
  write16(bytes, start + CHECKSUM, 0);
  write16(bytes, start + CHECKSUM, checksumFinish(checksumAdd(bytes, start, end, 0)));
}

/** The code of a version 3 query: up to 127 as it stands, above it 1, exponent 3, mantissa 4 (RFC 3376, section 4.1.1). */
function floatingPoint8(code: number): number {
  return code < 128 ? code : ((code & 0x0f) | 0x10) << (((code >>> 4) & 0x07) + 3);
}
