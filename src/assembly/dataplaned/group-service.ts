// Multicast groups in the data plane: joins those that tunnels listen to, on the domains where they do, and keeps the routers
// and switches there informed.
//
// With a UDP socket all of this is the kernel's. Messages come and go a few times a minute: here may be allocated.

import type { Domain } from '../../bridge/domain.ts';
import { type AddressWords, wordsAreIpv6 } from '../../core/address.ts';
import { FORWARD, type Verdict } from '../../core/drop-reason.ts';
import { read32 } from '../../core/octets.ts';
import type { Frame, FrameBatch } from '../../packet/frame.ts';
import { Book } from '../../pipeline/books.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import { Dialect, GroupMembership, type MembershipRecord } from '../../route/group-membership.ts';
import { ETHERNET_HEADER_OCTETS, EtherType, writeEthernet } from '../../wire/ethernet.ts';
import { groupMacHigh, groupMacLow } from '../../wire/group-mac.ts';
import * as igmp from '../../wire/igmp.ts';
import { IPV6_HEADER_OCTETS, ipv6IsUnspecified, ipv6PayloadOctets } from '../../wire/ipv6.ts';
import * as mld from '../../wire/mld.ts';
import type { LocalAddresses } from './local-addresses.ts';

/** 224.0.0.1, where general queries go. */
const ALL_SYSTEMS: AddressWords = [0, 0, 0, 0xe000_0001 | 0];
/** Records in one report: with MLD they are 20 octets each, and 1280 fit anywhere. */
const MAX_RECORDS = 60;

export class GroupService {
  readonly #domains: ReadonlyMap<number, Domain>;
  readonly #addresses: LocalAddresses;
  readonly #disposal: Disposal;
  readonly #toFlood: FrameBatch;
  readonly #membership: GroupMembership;
  #joined: { domain: number; group: AddressWords }[] = [];

  constructor(
    domains: ReadonlyMap<number, Domain>,
    addresses: LocalAddresses,
    disposal: Disposal,
    toFlood: FrameBatch,
    random: () => number,
  ) {
    this.#domains = domains;
    this.#addresses = addresses;
    this.#disposal = disposal;
    this.#toFlood = toFlood;
    const events = {
      report: (domain: number, records: readonly MembershipRecord[]) => this.#report(domain, records),
      reportOld: (domain: number, group: AddressWords, dialect: Dialect) => this.#reportOld(domain, group, dialect),
      leaveOld: (domain: number, group: AddressWords) => this.#leaveOld(domain, group),
    };
    this.#membership = new GroupMembership(events, random);
  }

  /** Goes over to the groups that are wanted from now on; each is named once. */
  want(wanted: readonly { domain: number; group: AddressWords }[], nowMs: number): void {
    for (const { domain, group } of this.#joined) {
      if (wanted.some((other) => isSame(other, domain, group))) continue;
      if (this.#domains.has(domain)) this.#membership.leave(domain, group, nowMs);
      else this.#membership.forget(domain);
    }
    for (const { domain, group } of wanted) this.#membership.join(domain, group, nowMs);
    this.#joined = [...wanted];
    for (const domain of this.#domains.values()) domain.ipv4GroupMacs = this.#macsOf(domain.id);
  }

  /** Tells who listens on a domain anew: one of its ports has come. */
  announce(domain: number, nowMs: number): void {
    this.#membership.announce(domain, nowMs);
  }

  tick(nowMs: number): void {
    this.#membership.tick(nowMs);
  }

  /** An IGMP message of a domain, in the octets from `start` to the end of the frame; it stays the caller's. */
  hearIgmp(frame: Frame, domain: number, start: number, nowMs: number): Verdict {
    const { bytes } = this.#disposal.pool.arena;
    const verdict = igmp.checkIgmp(bytes, start, frame.end);
    if (verdict !== FORWARD) return verdict;
    const type = igmp.igmpType(bytes, start);
    const address: AddressWords = [0, 0, 0, igmp.igmpGroup(bytes, start)];
    if (type === igmp.IGMP_QUERY) {
      const version = igmp.igmpQueryVersion(bytes, start, frame.end);
      const query = {
        dialect: IGMP_DIALECTS[version],
        group: address[3] === 0 ? undefined : address,
        maxResponseMs: igmp.igmpMaxResponseMs(bytes, start, version),
        robustness: version === 3 ? igmp.igmpRobustness(bytes, start) : 0,
      };
      this.#membership.queried(domain, false, query, nowMs);
    } else if (type === igmp.IGMP_V1_REPORT || type === igmp.IGMP_V2_REPORT) {
      this.#membership.reported(domain, address);
    }
    return FORWARD;
  }

  /** An MLD message of a domain, its ICMPv6 header at `start`; the frame stays the caller's. */
  hearMld(domain: number, ip: number, start: number, nowMs: number): Verdict {
    const { bytes, words } = this.#disposal.pool.arena;
    const verdict = mld.checkMld(bytes, words, ip, start);
    if (verdict !== FORWARD) return verdict;
    const type = mld.mldType(bytes, start);
    if (type !== mld.MLD_QUERY && type !== mld.MLD_V1_REPORT) return FORWARD;
    const at = mld.mldGroupAt(start);
    const address: AddressWords = [
      read32(bytes, at),
      read32(bytes, at + 4),
      read32(bytes, at + 8),
      read32(bytes, at + 12),
    ];
    if (type === mld.MLD_V1_REPORT) {
      this.#membership.reported(domain, address);
      return FORWARD;
    }
    const version = mld.mldQueryVersion(start, ip + IPV6_HEADER_OCTETS + ipv6PayloadOctets(bytes, ip));
    const query = {
      dialect: version === 2 ? Dialect.current : Dialect.old,
      group: ipv6IsUnspecified(bytes, at) ? undefined : address,
      maxResponseMs: mld.mldMaxResponseMs(bytes, start, version),
      robustness: version === 2 ? mld.mldRobustness(bytes, start) : 0,
    };
    this.#membership.queried(domain, true, query, nowMs);
    return FORWARD;
  }

  /** Last 32 bits of the MAC addresses of the IPv4 groups of a domain, that of all systems first. */
  #macsOf(domain: number): number[] {
    const groups = this.#joined.filter((one) => one.domain === domain && !wordsAreIpv6(one.group));
    return groups.length === 0 ? [] : [ALL_SYSTEMS, ...groups.map(({ group }) => group)].map(groupMacLow);
  }

  #report(domain: number, records: readonly MembershipRecord[]): void {
    for (let from = 0; from < records.length; from += MAX_RECORDS) {
      const some = records.slice(from, from + MAX_RECORDS);
      if (wordsAreIpv6(some[0]!.group)) {
        this.#send(domain, mld.MLD_V2_ROUTERS, mld.mldV2ReportOctets(some.length), (bytes, words, at) => {
          mld.writeMldV2Report(bytes, words, at, this.#linkLocalOf(domain), some);
        });
      } else {
        const plain = some.map(({ type, group }) => ({ type, group: group[3] }));
        const destination: AddressWords = [0, 0, 0, igmp.IGMP_V3_ROUTERS];
        this.#send(domain, destination, igmp.igmpV3ReportOctets(some.length), (bytes, _words, at) => {
          igmp.writeIgmpV3Report(bytes, at, this.#ipv4Of(domain), plain);
        });
      }
    }
  }

  #reportOld(domain: number, group: AddressWords, dialect: Dialect): void {
    if (wordsAreIpv6(group)) this.#sendMld(domain, mld.MLD_V1_REPORT, group, group);
    else this.#sendIgmp(domain, dialect === Dialect.oldest ? igmp.IGMP_V1_REPORT : igmp.IGMP_V2_REPORT, group, group);
  }

  #leaveOld(domain: number, group: AddressWords): void {
    if (wordsAreIpv6(group)) this.#sendMld(domain, mld.MLD_V1_DONE, mld.ALL_ROUTERS_V6, group);
    else this.#sendIgmp(domain, igmp.IGMP_V2_LEAVE, [0, 0, 0, igmp.ALL_ROUTERS_V4], group);
  }

  #sendIgmp(domain: number, type: number, destination: AddressWords, group: AddressWords): void {
    this.#send(domain, destination, igmp.IGMP_IP_OCTETS + igmp.IGMP_OCTETS, (bytes, _words, at) => {
      igmp.writeIgmp(bytes, at, type, this.#ipv4Of(domain), destination[3], group[3]);
    });
  }

  #sendMld(domain: number, type: number, destination: AddressWords, group: AddressWords): void {
    this.#send(domain, destination, mld.MLD_IP_OCTETS + mld.MLD_OCTETS, (bytes, words, at) => {
      mld.writeMld(bytes, words, at, type, this.#linkLocalOf(domain), destination, group);
    });
  }

  /** Sends an IP packet to a group, to every member of the domain. */
  #send(
    id: number,
    group: AddressWords,
    octets: number,
    write: (bytes: Uint8Array, words: Int32Array, at: number) => void,
  ): void {
    const domain = this.#domains.get(id);
    const { pool, books } = this.#disposal;
    if (domain?.hasLocal !== true || !domain.members.some(({ enabled, hasPort }) => enabled && hasPort)) return;
    const frame = pool.acquire(ETHERNET_HEADER_OCTETS + octets);
    if (frame === undefined) return;
    const { bytes, words } = pool.arena;
    const { macHigh, macLow } = domain;
    const type = wordsAreIpv6(group) ? EtherType.ipv6 : EtherType.ipv4;
    writeEthernet(bytes, frame.start, groupMacHigh(group), groupMacLow(group), macHigh, macLow, type);
    write(bytes, words, frame.start + ETHERNET_HEADER_OCTETS);
    frame.end = frame.start + ETHERNET_HEADER_OCTETS + octets;
    frame.member = domain.localMember;
    books[Book.originated]! += 1;
    this.#toFlood.push(frame);
  }

  #ipv4Of(domain: number): number {
    return this.#addresses.of(domain).find(({ isIpv6 }) => !isIpv6)?.words[3] ?? 0;
  }

  #linkLocalOf(domain: number): AddressWords {
    return linkLocalOf(this.#domains.get(domain)!);
  }
}

const IGMP_DIALECTS = { 1: Dialect.oldest, 2: Dialect.old, 3: Dialect.current } as const;

/** The link-local address that a domain with IPv6 self IPs has by its MAC (RFC 4291, appendix A). */
export function linkLocalOf({ macHigh, macLow }: Domain): AddressWords {
  const high = (macHigh << 16) | ((macLow >>> 16) & 0xff00) | 0xff;
  return [0xfe80_0000 | 0, 0, high ^ 0x0200_0000, 0xfe00_0000 | (macLow & 0x00ff_ffff)];
}

function isSame(one: { domain: number; group: AddressWords }, domain: number, group: AddressWords): boolean {
  return one.domain === domain && one.group.every((word, index) => word === group[index]);
}
