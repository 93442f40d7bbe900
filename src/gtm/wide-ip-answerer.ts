// Answers questions for the names of wide IPs: finds the wide IP, has it come to a decision, and puts the records of that behind the
// question; what an alias stands for is answered in the same reply where it is a wide IP of ours.

import { write16 } from '../core/octets.ts';
import { HEADER_OCTETS, type Query, Rcode } from '../dns/query.ts';
import { type Reply, ZoneFinding } from '../dns/reply.ts';
import type { Sender } from '../dns/sender.ts';
import { type WideIpSource, WideIpVerdict } from '../dns/wide-ip-source.ts';
import type { AnswerMeans } from '../dns/zone-answer.ts';
import { Client } from './client.ts';
import { type GtmCounts, WIDE_IP_COUNTERS, WideIpCounter } from './counts.ts';
import { WIDE_IP_TYPES } from './description.ts';
import type { DecisionLog } from './decision-log.ts';
import type { GeoDatabase } from './geo-database.ts';
import { QUESTION_POINTER, RECORD_HEAD_OCTETS } from './render-records.ts';
import { type StateMemory, StateReader } from './state-journal.ts';
import {
  MEMBER_NUMBERS,
  MemberField,
  POOL_NUMBERS,
  PoolField,
  WIDE_IP_NUMBERS,
  WideIpField,
  WideIpFlag,
  type WideIpTables,
} from './tables.ts';
import { TopologyScorer } from './topology-scorer.ts';
import { AliasEnd, type Trace, TraceEvent } from './trace.ts';
import { FlowEnd, type FlowMeans, WideIpFlow } from './wide-ip-flow.ts';
import { Column, columnOf, COLUMNS, NameFinding, WideIpFinder } from './wide-ip-names.ts';

/** Aliases that are followed from wide IP to wide IP in one reply. */
const MAX_LINKS = 8;
const CNAME = WIDE_IP_TYPES.indexOf('cname');
/** Octets of a client subnet in front of its address (RFC 7871, section 6): family, source and scope prefix. */
const SUBNET_HEAD_OCTETS = 4;
const SUBNET_PREFIX = 2;
const MAX_MESSAGE_OCTETS = 65_535;
/** Beside the values of AliasEnd. */
const FOLLOWED = -1;

/** What answers are made by, besides tables and state. */
export type AnswererMeans = Omit<FlowMeans, 'topology'> & {
  /** By which topology knows where clients are; the first that says something counts. */
  readonly geo?: readonly GeoDatabase[];
  /** Where decisions go that shall be logged. */
  readonly decisions?: DecisionLog | undefined;
};

export class WideIpAnswerer implements WideIpSource {
  found = -1;
  readonly #tables: WideIpTables;
  readonly #state: StateReader;
  readonly #counts: GtmCounts;
  readonly #finder: WideIpFinder;
  readonly #flow: WideIpFlow;
  readonly #client = new Client();
  readonly #subnet = new Uint8Array(16);
  /** Whether topology looks at `#subnet`. */
  #usesSubnet = false;
  /** The records of the reply. */
  readonly #tail = new Uint8Array(MAX_MESSAGE_OCTETS);
  #tailOctets = 0;
  #answers = 0;
  #isTruncated = false;
  /** Octets of the message up to the end of the question, and of the message at most. */
  #headOctets = 0;
  #limit = 0;
  /** Pointer to the owner of the next records. */
  #owner = QUESTION_POINTER;
  /** Wide IPs that were answered in this reply. */
  readonly #visited = new Int32Array(MAX_LINKS + 1);
  #trace: Trace | undefined;
  readonly #decisions: DecisionLog | undefined;

  constructor(tables: WideIpTables, memory: StateMemory, means: AnswererMeans) {
    this.#tables = tables;
    this.#state = new StateReader(memory);
    this.#counts = means.counts;
    this.#finder = new WideIpFinder(tables);
    this.#decisions = means.decisions;
    const topology = new TopologyScorer(tables.topology, means.geo);
    this.#flow = new WideIpFlow(tables, this.#state, { ...means, topology });
  }

  /** Turns go on where the answerer was that these tables' one replaces. */
  carry(previous: WideIpAnswerer): void {
    this.#flow.carry(previous.#flow);
  }

  get trace(): Trace | undefined {
    return this.#trace;
  }

  set trace(trace: Trace | undefined) {
    this.#trace = this.#flow.trace = trace;
  }

  answer(query: Query, reply: Reply, means: AnswerMeans, sender: Sender): WideIpVerdict {
    const wideIp = this.#finder.find(query, columnOf(query.type));
    this.found = wideIp;
    if (wideIp < 0) return wideIp === NameFinding.nothing ? WideIpVerdict.none : WideIpVerdict.passed;
    return this.answerBy(wideIp, query, reply, means, sender);
  }

  answerBy(wideIp: number, query: Query, reply: Reply, means: AnswerMeans, sender: Sender): WideIpVerdict {
    const column = columnOf(query.type);
    this.#state.catchUp();
    this.#start(query, means.limit, sender);
    reply.scopeBits = 0;
    const logs = this.#tables.wideIps[wideIp * WIDE_IP_NUMBERS + WideIpField.logs]!;
    if (logs === 0 || this.#decisions === undefined) return this.#come(wideIp, column, query, reply, sender);
    this.trace = this.#decisions;
    const verdict = this.#come(wideIp, column, query, reply, sender);
    this.trace = undefined;
    this.#decisions.end(wideIp, logs, query, sender);
    return verdict;
  }

  /** To a decision and a reply. */
  #come(wideIp: number, column: Column, query: Query, reply: Reply, sender: Sender): WideIpVerdict {
    const end = this.#decide(wideIp, 0, query, reply, sender);
    switch (end) {
      case FlowEnd.members:
        this.#writeMembers();
        this.#followAliases(wideIp, column, query, reply, sender);
        this.#finish(wideIp, reply);
        return WideIpVerdict.answered;
      case FlowEnd.address:
        this.#writeFallbackAddress();
        this.#finish(wideIp, reply);
        return WideIpVerdict.answered;
      case FlowEnd.dropped:
        this.#countWideIp(wideIp, WideIpCounter.dropped);
        return WideIpVerdict.dropped;
      case FlowEnd.nothing:
      case FlowEnd.givenUp:
        if (this.#hasFlag(wideIp, WideIpFlag.repliesWithFailure)) {
          this.#replyWithFailure(wideIp, query, reply);
          return WideIpVerdict.answered;
        }
    }
    this.#trace?.note(TraceEvent.passed, wideIp, 0, 0);
    if (end !== FlowEnd.off) this.#countWideIp(wideIp, WideIpCounter.returnedToDns);
    return WideIpVerdict.passed;
  }

  #start(query: Query, limit: number, sender: Sender): void {
    const client = this.#client;
    client.setResolver(sender.addresses, sender.addressAt, sender.addressOctets);
    client.now = sender.now;
    this.#usesSubnet = false;
    this.#tailOctets = this.#answers = 0;
    this.#isTruncated = false;
    this.#headOctets = query.questionEnd - query.start;
    this.#limit = Math.min(limit, MAX_MESSAGE_OCTETS);
    this.#owner = QUESTION_POINTER;
  }

  /** What the wide IP comes to, for a client at the place that it wants to know. `link`: of the chain of aliases. */
  #decide(wideIp: number, link: number, query: Query, reply: Reply, sender: Sender): FlowEnd {
    this.#trace?.note(TraceEvent.asked, wideIp, link, 0);
    this.#visited[link] = wideIp;
    const client = this.#client;
    // A source prefix of 0 says nothing of the place.
    const usesSubnet = query.subnetOctets > SUBNET_HEAD_OCTETS && this.#hasFlag(wideIp, WideIpFlag.prefersClientSubnet);
    if (usesSubnet !== this.#usesSubnet) {
      this.#usesSubnet = usesSubnet;
      if (usesSubnet) this.#setSubnet(query);
      else client.setPlace(sender.addresses, sender.addressAt, sender.addressOctets);
    }
    const end = this.#flow.decide(wideIp, client);
    if (usesSubnet && client.topologyClass >= 0) reply.scopeBits = query.octets[query.subnetStart + SUBNET_PREFIX]!;
    return end;
  }

  #setSubnet({ octets, subnetStart, subnetOctets }: Query): void {
    const subnet = this.#subnet.fill(0);
    for (let index = SUBNET_HEAD_OCTETS; index < subnetOctets; index++) {
      subnet[index - SUBNET_HEAD_OCTETS] = octets[subnetStart + index]!;
    }
    this.#client.setPlace(subnet, 0, octets[subnetStart + 1] === 1 ? 4 : 16);
  }

  /**
   * As long as a name was answered that stands for another, and a wide IP has that, it is answered too. What has no records
   * there is left out: whoever asks will ask for that name, and is told then.
   */
  #followAliases(first: number, column: Column, query: Query, reply: Reply, sender: Sender): void {
    const { pools, targets, members } = this.#tables;
    for (let link = 1; pools[this.#flow.pool * POOL_NUMBERS + PoolField.type] === CNAME; link++) {
      const member = this.#flow.members[0]!;
      const row = members[member * MEMBER_NUMBERS + MemberField.target]!;
      const wideIp = row < 0 ? -1 : targets[row * COLUMNS + column]!;
      const why = this.#whyLeft(wideIp, link, column, first);
      if (why !== FOLLOWED) {
        this.#trace?.note(TraceEvent.aliasLeft, member, why, 0);
        return;
      }
      this.#trace?.note(TraceEvent.aliasFollowed, member, wideIp, 0);
      // The name is the last thing that was written.
      const name = this.#tailOctets - members[member * MEMBER_NUMBERS + MemberField.recordOctets]! + RECORD_HEAD_OCTETS;
      this.#owner = 0xc000 | (this.#headOctets + name);
      const end = this.#decide(wideIp, link, query, reply, sender);
      if (end === FlowEnd.address) this.#writeFallbackAddress();
      else if (end === FlowEnd.dropped) this.#countWideIp(wideIp, WideIpCounter.dropped);
      else if (end !== FlowEnd.members && end !== FlowEnd.off) this.#countWideIp(wideIp, WideIpCounter.returnedToDns);
      if (end !== FlowEnd.members) return;
      this.#writeMembers();
    }
  }

  #whyLeft(wideIp: number, link: number, column: Column, first: number): AliasEnd | typeof FOLLOWED {
    const { wideIps } = this.#tables;
    // A question for whatever there is gets the alias that there is.
    const isWanted = column === Column.any && wideIps[first * WIDE_IP_NUMBERS + WideIpField.type] === CNAME;
    if (column === Column.cname || isWanted) return AliasEnd.wanted;
    if (wideIp < 0) return AliasEnd.elsewhere;
    for (let before = 0; before < link; before++) if (this.#visited[before] === wideIp) return AliasEnd.loop;
    return link > MAX_LINKS || this.#isTruncated ? AliasEnd.tooLong : FOLLOWED;
  }

  #writeMembers(): void {
    const { members } = this.#tables;
    const { members: chosen, count } = this.#flow;
    for (let index = 0; index < count; index++) {
      const base = chosen[index]! * MEMBER_NUMBERS;
      this.#write(members[base + MemberField.recordAt]!, members[base + MemberField.recordOctets]!, this.#owner);
    }
    this.#answers += count;
  }

  #writeFallbackAddress(): void {
    const { pools } = this.#tables;
    const base = this.#flow.pool * POOL_NUMBERS;
    this.#write(pools[base + PoolField.fallbackAt]!, pools[base + PoolField.fallbackOctets]!, this.#owner);
    this.#answers++;
  }

  /** One record, with the pointer to its owner. */
  #write(from: number, length: number, owner: number): void {
    const at = this.#tailOctets;
    if (this.#headOctets + at + length > this.#limit) {
      this.#isTruncated = true;
      return;
    }
    const { octets } = this.#tables;
    const tail = this.#tail;
    for (let index = 2; index < length; index++) tail[at + index] = octets[from + index]!;
    write16(tail, at, owner);
    this.#tailOctets = at + length;
  }

  #replyWithFailure(wideIp: number, query: Query, reply: Reply): void {
    const { wideIps } = this.#tables;
    const base = wideIp * WIDE_IP_NUMBERS;
    const rcode = wideIps[base + WideIpField.failureRcode]!;
    this.#trace?.note(TraceEvent.failed, wideIp, rcode, 0);
    this.#countWideIp(wideIp, WideIpCounter.failed);
    const octets = wideIps[base + WideIpField.failureOctets]!;
    if (octets > 0) {
      // The zone that such an SOA would be of: one label above the name, or the root.
      const label = query.octets[query.nameStart]!;
      const above = HEADER_OCTETS + (label === 0 ? 0 : 1 + label);
      this.#write(wideIps[base + WideIpField.failureAt]!, octets, 0xc000 | above);
    }
    this.#finish(wideIp, reply);
    reply.rcode = rcode;
    if (octets > 0 && !reply.isTruncated) reply.authorities = 1;
    reply.finding = rcode === Rcode.nxDomain ? ZoneFinding.noName : ZoneFinding.noData;
  }

  #finish(wideIp: number, reply: Reply): void {
    const { scopeBits } = reply;
    reply.clear();
    reply.scopeBits = scopeBits;
    reply.isAuthoritative = true;
    reply.answers = this.#answers;
    reply.tail = this.#tail;
    reply.tailOctets = this.#tailOctets;
    reply.wantsAuthority = this.#answers > 0 && !this.#hasFlag(wideIp, WideIpFlag.minimalResponse);
    reply.foundHash = this.#tables.wideIps[wideIp * WIDE_IP_NUMBERS + WideIpField.key]!;
    if (this.#isTruncated) reply.truncate();
  }

  #hasFlag(wideIp: number, flag: number): boolean {
    return (this.#tables.wideIps[wideIp * WIDE_IP_NUMBERS + WideIpField.flags]! & flag) !== 0;
  }

  #countWideIp(wideIp: number, counter: number): void {
    this.#counts.wideIps[wideIp * WIDE_IP_COUNTERS + counter]!++;
  }
}
