// What a host says of its groups, as its router reads it: reports and leaves of IGMP (RFC 1112, RFC 2236, RFC 3376) and MLD
// (RFC 2710, RFC 3810). And the general query that asks it for them, in the current version of either.
//
// Sources are not looked at: who listens to some sources only counts as listening. A record that blocks sources is passed over,
// for it does not say whether any are left.

import type { AddressWords } from '../core/address.ts';
import { checksumAdd, checksumAddWords, checksumFinish } from '../core/checksum.ts';
import { read16, read32, write16, write32 } from '../core/octets.ts';
import { IGMP_OCTETS, IGMP_QUERY, IGMP_V1_REPORT, IGMP_V2_LEAVE, IGMP_V2_REPORT, IGMP_V3_REPORT } from './igmp.ts';
import { IPV4_HEADER_OCTETS, IpProtocol, writeIpv4 } from './ipv4.ts';
import {
  IPV6_DESTINATION,
  IPV6_HEADER_OCTETS,
  IPV6_HOP_BY_HOP,
  IPV6_SOURCE,
  ipv6PseudoHeaderSum,
  writeIpv6,
  writeIpv6Address,
} from './ipv6.ts';
import { MLD_IP_OCTETS, MLD_QUERY, MLD_V1_DONE, MLD_V1_REPORT, MLD_V2_REPORT } from './mld.ts';

export type GroupRecord = { group: AddressWords; listens: boolean };

/** Types of records (RFC 3376, section 4.2.12). */
const Record = { isInclude: 1, isExclude: 2, toInclude: 3, toExclude: 4, allow: 5, block: 6 } as const;

const RECORDS = 8;
const V1_MLD_GROUP = 8;

/** 224.0.0.1, to whom a general query goes. */
const ALL_SYSTEMS = 0xe000_0001 | 0;
const ALL_NODES: AddressWords = [0xff02_0000 | 0, 0, 0, 1];
const IGMP_QUERY_OCTETS = 12;
const MLD_QUERY_OCTETS = 28;
export const IGMP_GENERAL_QUERY_OCTETS = IPV4_HEADER_OCTETS + IGMP_QUERY_OCTETS;
export const MLD_GENERAL_QUERY_OCTETS = MLD_IP_OCTETS + MLD_QUERY_OCTETS;
/** How long a host may take to answer: a second, in tenths and in thousandths. */
const IGMP_RESPONSE = 10;
const MLD_RESPONSE = 1000;
const ROBUSTNESS = 2;
/** Router Alert for MLD, and padding (RFC 2711). */
const MLD_ALERT = 0x0502_0000;
const MLD_PADDING = 0x0100;
const CHECKSUM = 2;

/** What the checked IGMP message in [start, end) says; nothing when it is no report. */
export function readIgmpRecords(bytes: Uint8Array, start: number, end: number): GroupRecord[] {
  const type = bytes[start]!;
  const group: AddressWords = [0, 0, 0, read32(bytes, start + 4)];
  if (type === IGMP_V1_REPORT || type === IGMP_V2_REPORT) return [{ group, listens: true }];
  if (type === IGMP_V2_LEAVE) return [{ group, listens: false }];
  if (type !== IGMP_V3_REPORT) return [];
  return readRecords(bytes, start, end, 4, (at) => [0, 0, 0, read32(bytes, at)]);
}

/** The same of a checked MLD message, its ICMPv6 header at `start`. */
export function readMldRecords(bytes: Uint8Array, start: number, end: number): GroupRecord[] {
  const type = bytes[start]!;
  if (type === MLD_V1_REPORT) return [{ group: readIpv6(bytes, start + V1_MLD_GROUP), listens: true }];
  if (type === MLD_V1_DONE) return [{ group: readIpv6(bytes, start + V1_MLD_GROUP), listens: false }];
  if (type !== MLD_V2_REPORT) return [];
  return readRecords(bytes, start, end, 16, (at) => readIpv6(bytes, at));
}

function readIpv6(bytes: Uint8Array, at: number): AddressWords {
  return [read32(bytes, at), read32(bytes, at + 4), read32(bytes, at + 8), read32(bytes, at + 12)];
}

/** A record: type, words of auxiliary data, number of sources; the group; the sources; the auxiliary data. */
function readRecords(
  bytes: Uint8Array,
  start: number,
  end: number,
  addressOctets: number,
  readGroup: (at: number) => AddressWords,
): GroupRecord[] {
  const records: GroupRecord[] = [];
  let at = start + RECORDS;
  for (let left = read16(bytes, start + 6); left > 0 && end - at >= 4 + addressOctets; left--) {
    const type = bytes[at]!;
    const sources = read16(bytes, at + 2);
    const octets = 4 + addressOctets * (1 + sources) + 4 * bytes[at + 1]!;
    if (octets > end - at) break;
    const group = readGroup(at + 4);
    if (type === Record.isExclude || type === Record.toExclude || type === Record.allow) {
      records.push({ group, listens: true });
    } else if (type === Record.isInclude || type === Record.toInclude) {
      records.push({ group, listens: sources > 0 });
    }
    at += octets;
  }
  return records;
}

/** A general query from nobody, as a switch asks that is no router: IGMP_GENERAL_QUERY_OCTETS from `at` on. */
export function writeIgmpGeneralQuery(bytes: Uint8Array, at: number): void {
  const start = at + IPV4_HEADER_OCTETS;
  writeIpv4(bytes, at, 0xc0, IGMP_GENERAL_QUERY_OCTETS, 0, true, 1, IpProtocol.igmp, 0, ALL_SYSTEMS);
  write32(bytes, start, (IGMP_QUERY << 24) | (IGMP_RESPONSE << 16));
  write32(bytes, start + 4, 0);
  write32(bytes, start + IGMP_OCTETS, ROBUSTNESS << 24);
  write16(bytes, start + CHECKSUM, checksumFinish(checksumAdd(bytes, start, start + IGMP_QUERY_OCTETS, 0)));
}

/** The same of MLD, from a link-local address: MLD_GENERAL_QUERY_OCTETS from `at` on. */
export function writeMldGeneralQuery(bytes: Uint8Array, words: Int32Array, at: number, source: AddressWords): void {
  const header = at + IPV6_HEADER_OCTETS;
  const start = at + MLD_IP_OCTETS;
  writeIpv6(bytes, at, 0, 0, MLD_GENERAL_QUERY_OCTETS - IPV6_HEADER_OCTETS, IPV6_HOP_BY_HOP, 1);
  writeIpv6Address(bytes, at + IPV6_SOURCE, source);
  writeIpv6Address(bytes, at + IPV6_DESTINATION, ALL_NODES);
  write16(bytes, header, IpProtocol.icmpv6 << 8);
  write32(bytes, header + 2, MLD_ALERT);
  write16(bytes, header + 6, MLD_PADDING);
  bytes.fill(0, start, start + MLD_QUERY_OCTETS);
  bytes[start] = MLD_QUERY;
  write16(bytes, start + 4, MLD_RESPONSE);
  bytes[start + 24] = ROBUSTNESS;
  const pseudo = ipv6PseudoHeaderSum(bytes, at, IpProtocol.icmpv6, MLD_QUERY_OCTETS);
  write16(
    bytes,
    start + CHECKSUM,
    checksumFinish(checksumAddWords(bytes, words, start, start + MLD_QUERY_OCTETS, pseudo)),
  );
}
