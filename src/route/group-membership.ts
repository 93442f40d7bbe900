// Membership in multicast groups, as a host tells it to the routers and switches of its link: IGMP (RFC 3376) for IPv4,
// MLD (RFC 3810) for IPv6, which are one protocol with two sets of numbers.
//
//   join, leave ─► a report at once, and again after a short while, for one may be lost
//   query       ─► a report after a random time within what the query allows
//   a query of an older version ─► for some minutes the older protocol is spoken (RFC 3376, section 7; RFC 3810, section 8)
//
// A member takes what any source sends; there are no source lists. A query for a group and sources is answered as one for
// the group, which says more than was asked, never less.

import { type AddressWords, wordsAreIpv6 } from '../core/address.ts';

/** Types of the records in a report (RFC 3376, section 4.2.12; RFC 3810, section 5.2.12). */
export const RecordType = { isExclude: 2, toInclude: 3, toExclude: 4 } as const;

/** IGMPv3 and MLDv2; IGMPv2 and MLDv1; IGMPv1. */
export const Dialect = { current: 0, old: 1, oldest: 2 } as const;
export type Dialect = (typeof Dialect)[keyof typeof Dialect];

export type MembershipRecord = { type: number; group: AddressWords };

export type MembershipEvents = {
  /** Send one report of the current version with these records, all of one IP version. */
  report(domain: number, records: readonly MembershipRecord[]): void;
  /** Send a report of an older version, to the group itself. */
  reportOld(domain: number, group: AddressWords, dialect: Dialect): void;
  /** Send a leave (IGMPv2) or done (MLDv1). */
  leaveOld(domain: number, group: AddressWords): void;
};

export type Query = {
  dialect: Dialect;
  /** undefined: a general query. */
  group: AddressWords | undefined;
  maxResponseMs: number;
  /** 0: the querier does not say. */
  robustness: number;
};

/** Default variables (RFC 3376, section 8; RFC 3810, section 9). */
const ROBUSTNESS = 2;
const QUERY_INTERVAL_MS = 125_000;
const QUERY_RESPONSE_MS = 10_000;
/** How far apart reports are repeated that nobody asked for: of the current version, and of older ones. */
const UNSOLICITED_MS = { current: 1000, old: 10_000 } as const;
/** `tick` comes a few times a second: an answer is planned this much before it is due at the latest. */
const TICK_ALLOWANCE_MS = 300;

type Group = {
  address: AddressWords;
  /** When the answer to a query is due; Infinity: none is. */
  answerMs: number;
  /** Reports of the change that are still to be sent, and when the next is due. */
  repeats: number;
  repeatMs: number;
  /** Whether the last report of an older version that was heard was ours: who reported last says the leave. */
  reportedLast: boolean;
};

/** One IP version of one domain. */
type Link = {
  domain: number;
  robustness: number;
  groups: Map<string, Group>;
  /** Groups that were left, while that is still to be repeated. */
  left: Map<string, Group>;
  /** When the answer to a general query is due; Infinity: none is. */
  answerMs: number;
  /** Until when a querier of an older version counts as present. */
  oldUntilMs: number;
  oldestUntilMs: number;
  dialect: Dialect;
};

export class GroupMembership {
  readonly #events: MembershipEvents;
  readonly #random: () => number;
  /** By domain and IP version. */
  readonly #links = new Map<string, Link>();

  /** `random`: from 0 up to 1, as Math.random. */
  constructor(events: MembershipEvents, random: () => number) {
    this.#events = events;
    this.#random = random;
  }

  has(domain: number, group: AddressWords): boolean {
    return this.#links.get(linkKey(domain, wordsAreIpv6(group)))?.groups.has(groupKey(group)) === true;
  }

  join(domain: number, address: AddressWords, nowMs: number): void {
    const link = this.#obtain(domain, wordsAreIpv6(address));
    const key = groupKey(address);
    if (link.groups.has(key)) return;
    const repeats = link.robustness - 1;
    const group = { address, answerMs: Infinity, repeats, repeatMs: 0, reportedLast: true };
    link.left.delete(key);
    link.groups.set(key, group);
    this.#tellJoined(link, group, nowMs);
  }

  leave(domain: number, address: AddressWords, nowMs: number): void {
    const link = this.#links.get(linkKey(domain, wordsAreIpv6(address)));
    const key = groupKey(address);
    const group = link?.groups.get(key);
    if (link === undefined || group === undefined) return;
    link.groups.delete(key);
    if (link.dialect === Dialect.current) {
      group.repeats = link.robustness - 1;
      link.left.set(key, group);
      this.#tellLeft(link, group, nowMs);
    } else if (link.dialect === Dialect.old && group.reportedLast) {
      this.#events.leaveOld(domain, address);
    }
  }

  /** Says anew which groups are joined on a domain: its link has come back, and who listens there may be another. */
  announce(domain: number, nowMs: number): void {
    for (const isIpv6 of [false, true]) {
      const link = this.#links.get(linkKey(domain, isIpv6));
      if (link === undefined) continue;
      for (const group of link.groups.values()) {
        group.repeats = link.robustness - 1;
        this.#tellJoined(link, group, nowMs);
      }
    }
  }

  /** A domain is gone: there is nobody left to tell. */
  forget(domain: number): void {
    for (const isIpv6 of [false, true]) this.#links.delete(linkKey(domain, isIpv6));
  }

  /** A query came in. */
  queried(domain: number, isIpv6: boolean, query: Query, nowMs: number): void {
    const link = this.#links.get(linkKey(domain, isIpv6));
    if (link === undefined) return;
    if (query.robustness > 0) link.robustness = query.robustness;
    const presentUntilMs = nowMs + link.robustness * QUERY_INTERVAL_MS + QUERY_RESPONSE_MS;
    if (query.dialect === Dialect.oldest) link.oldestUntilMs = presentUntilMs;
    else if (query.dialect === Dialect.old) link.oldUntilMs = presentUntilMs;
    this.#settleDialect(link, nowMs);
    const dueMs = nowMs + this.#random() * Math.max(0, query.maxResponseMs - TICK_ALLOWANCE_MS);
    if (query.group !== undefined) {
      const group = link.groups.get(groupKey(query.group));
      if (group !== undefined) group.answerMs = Math.min(group.answerMs, dueMs);
    } else if (link.dialect === Dialect.current) {
      link.answerMs = Math.min(link.answerMs, dueMs);
    } else {
      // Older versions answer group by group, each after a time of its own.
      for (const group of link.groups.values()) {
        const ownMs = nowMs + this.#random() * Math.max(0, query.maxResponseMs - TICK_ALLOWANCE_MS);
        group.answerMs = Math.min(group.answerMs, ownMs);
      }
    }
  }

  /** Another member of the group has reported in an older version: one report is enough (RFC 2236, section 3). */
  reported(domain: number, address: AddressWords): void {
    const link = this.#links.get(linkKey(domain, wordsAreIpv6(address)));
    const group = link?.groups.get(groupKey(address));
    if (link === undefined || group === undefined || link.dialect === Dialect.current) return;
    group.answerMs = Infinity;
    group.reportedLast = false;
  }

  /** Sends what is due; a few times a second. */
  tick(nowMs: number): void {
    for (const link of this.#links.values()) {
      this.#settleDialect(link, nowMs);
      if (nowMs >= link.answerMs) this.#answerAll(link);
      for (const group of link.groups.values()) {
        if (nowMs >= group.answerMs) this.#answer(link, group);
        if (group.repeats === 0 || nowMs < group.repeatMs) continue;
        group.repeats -= 1;
        this.#tellJoined(link, group, nowMs);
      }
      for (const [key, group] of link.left) {
        if (group.repeats === 0) link.left.delete(key);
        if (group.repeats === 0 || nowMs < group.repeatMs) continue;
        group.repeats -= 1;
        this.#tellLeft(link, group, nowMs);
      }
    }
  }

  #obtain(domain: number, isIpv6: boolean): Link {
    const key = linkKey(domain, isIpv6);
    let link = this.#links.get(key);
    if (link === undefined) {
      link = {
        ...{ domain, robustness: ROBUSTNESS, groups: new Map<string, Group>(), left: new Map<string, Group>() },
        ...{ answerMs: Infinity, oldUntilMs: 0, oldestUntilMs: 0, dialect: Dialect.current },
      };
      this.#links.set(key, link);
    }
    return link;
  }

  /** With another version what was planned in the one before is void (RFC 3376, section 7.2.1). */
  #settleDialect(link: Link, nowMs: number): void {
    const dialect =
      nowMs < link.oldestUntilMs ? Dialect.oldest : nowMs < link.oldUntilMs ? Dialect.old : Dialect.current;
    if (dialect === link.dialect) return;
    link.dialect = dialect;
    link.answerMs = Infinity;
    link.left.clear();
    for (const group of link.groups.values()) {
      group.answerMs = Infinity;
      group.repeats = 0;
    }
  }

  #tellJoined(link: Link, group: Group, nowMs: number): void {
    const { domain, dialect } = link;
    if (dialect === Dialect.current) {
      this.#events.report(domain, [{ type: RecordType.toExclude, group: group.address }]);
      group.repeatMs = nowMs + this.#random() * UNSOLICITED_MS.current;
    } else {
      this.#events.reportOld(domain, group.address, dialect);
      group.reportedLast = true;
      group.repeatMs = nowMs + this.#random() * UNSOLICITED_MS.old;
    }
  }

  #tellLeft(link: Link, group: Group, nowMs: number): void {
    this.#events.report(link.domain, [{ type: RecordType.toInclude, group: group.address }]);
    group.repeatMs = nowMs + this.#random() * UNSOLICITED_MS.current;
  }

  #answer(link: Link, group: Group): void {
    group.answerMs = Infinity;
    if (link.dialect === Dialect.current) {
      this.#events.report(link.domain, [{ type: RecordType.isExclude, group: group.address }]);
      return;
    }
    this.#events.reportOld(link.domain, group.address, link.dialect);
    group.reportedLast = true;
  }

  #answerAll(link: Link): void {
    link.answerMs = Infinity;
    const records = [...link.groups.values()].map(({ address }) => ({ type: RecordType.isExclude, group: address }));
    if (records.length > 0) this.#events.report(link.domain, records);
  }
}

const linkKey = (domain: number, isIpv6: boolean): string => `${domain} ${isIpv6 ? 6 : 4}`;
const groupKey = (group: AddressWords): string => group.join(' ');
