// How a wide IP comes to its answer: where the client was sent before, else a pool and a member of it, else what there is for the
// case that nothing is available. Says who is to be answered, and counts it; what that looks like is not decided here.

import { maskAddress } from './address-mask.ts';
import type { Client, TopologyScores } from './client.ts';
import {
  type GtmCounts,
  MEMBER_COUNTERS,
  MemberCounter,
  POOL_COUNTERS,
  PoolCounter,
  WIDE_IP_COUNTERS,
  WideIpCounter,
} from './counts.ts';
import { MEMBER_MODES } from './description.ts';
import { MemberSelector, Stage } from './member-selector.ts';
import { PoolsAmong, PoolSelector } from './pool-selector.ts';
import type { RandomSource } from './random.ts';
import type { ResolverNotes } from './resolver-notes.ts';
import type { StateReader } from './state-journal.ts';
import { MemberBit, POOL_WORDS, PoolWord, WideIpBit } from './state-layout.ts';
import {
  MEMBER_NUMBERS,
  MemberField,
  POOL_NUMBERS,
  PoolField,
  REFERENCE_NUMBERS,
  ReferenceField,
  WIDE_IP_NUMBERS,
  WideIpField,
  type WideIpTables,
} from './tables.ts';
import { type Trace, TraceEvent } from './trace.ts';

const DROP_PACKET = MEMBER_MODES.indexOf('drop-packet');
const FALLBACK_IP = MEMBER_MODES.indexOf('fallback-ip');
const NONE = MEMBER_MODES.indexOf('none');
const RETURN_TO_DNS = MEMBER_MODES.indexOf('return-to-dns');

/** What a wide IP comes to. */
export const FlowEnd = {
  /** Nobody could be chosen by anything. */
  nothing: 0,
  /** The members in `members`. */
  members: 1,
  /** The address that the pool's `fallback-ip` has. */
  address: 2,
  /** No reply: drop-packet. */
  dropped: 3,
  /** return-to-dns, where it is what the pool prefers, or its alternate. */
  returned: 4,
  /** return-to-dns as a fallback: there is nothing better. */
  givenUp: 5,
  /** The wide IP is switched off. */
  off: 6,
} as const;
export type FlowEnd = (typeof FlowEnd)[keyof typeof FlowEnd];

/** Where clients were sent before (`PersistTable`). */
export type Persistence = {
  readonly memberKey: number;
  readonly memberKeyMore: number;
  find(key: number, keyMore: number, address: Int32Array, family: number, now: number): boolean;
  put(
    key: number,
    keyMore: number,
    address: Int32Array,
    family: number,
    memberKey: number,
    memberKeyMore: number,
    ttl: number,
    now: number,
  ): unknown;
};

/** What decisions are made by, besides tables and state. */
export type FlowMeans = {
  readonly random: RandomSource;
  readonly persistence: Persistence;
  readonly counts: GtmCounts;
  readonly topology: TopologyScores;
  /** Where resolvers are noted that pools by paths were asked by; undefined: nowhere. */
  readonly resolvers?: Pick<ResolverNotes, 'note'> | undefined;
};

export class WideIpFlow {
  /** Who was chosen last: a pool, and so many members at the start of `members`. */
  pool = -1;
  members: Int32Array;
  count = 0;
  readonly #tables: WideIpTables;
  readonly #state: StateReader;
  readonly #persistence: Persistence;
  readonly #counts: GtmCounts;
  readonly #pools: PoolSelector;
  readonly #members: MemberSelector;
  /** By the place of a reference in its wide IP: 1 once it was chosen for this answer. */
  readonly #tried: Uint8Array;
  readonly #network = new Int32Array(4);
  readonly #persisted = new Int32Array(1);
  #stage: Stage = Stage.preferred;
  #trace: Trace | undefined;

  constructor(
    tables: WideIpTables,
    state: StateReader,
    { random, persistence, counts, topology, resolvers }: FlowMeans,
  ) {
    this.#tables = tables;
    this.#state = state;
    this.#persistence = persistence;
    this.#counts = counts;
    this.#pools = new PoolSelector(tables, state, topology, random);
    this.#members = new MemberSelector(tables, state, topology, random, resolvers);
    this.members = this.#members.chosen;
    let most = 0;
    for (let at = WideIpField.references; at < tables.wideIps.length; at += WIDE_IP_NUMBERS) {
      most = Math.max(most, tables.wideIps[at]!);
    }
    this.#tried = new Uint8Array(most);
  }

  /** Goes on where that of the tables before these was. */
  carry(previous: WideIpFlow): void {
    this.#pools.carry(previous.#pools);
    this.#members.carry(previous.#members);
  }

  set trace(trace: Trace | undefined) {
    this.#trace = this.#pools.trace = this.#members.trace = trace;
  }

  decide(wideIp: number, client: Client): FlowEnd {
    this.#countWideIp(wideIp, WideIpCounter.requests);
    const { layout, words } = this.#state;
    if ((words[layout.wideIpsAt + wideIp]! & WideIpBit.enabled) === 0) {
      this.#trace?.note(TraceEvent.disabled, wideIp, 0, 0);
      return FlowEnd.off;
    }
    const isPersistent = this.#tables.wideIps[wideIp * WIDE_IP_NUMBERS + WideIpField.persistTtl]! > 0;
    if (isPersistent && this.#findPersisted(wideIp, client)) {
      this.#countWideIp(wideIp, WideIpCounter.resolutions);
      this.#countWideIp(wideIp, WideIpCounter.persisted);
      return FlowEnd.members;
    }
    const end = this.#choose(wideIp, client);
    if (end === FlowEnd.members || end === FlowEnd.address) {
      this.#countWideIp(wideIp, WideIpCounter.resolutions);
      this.#countWideIp(wideIp, WideIpCounter.preferred + this.#stage);
      if (end === FlowEnd.members && isPersistent) this.#persist(wideIp, client);
    }
    return end;
  }

  #choose(wideIp: number, client: Client): FlowEnd {
    if (this.#isAvailable(wideIp)) {
      const end = this.#tryAvailable(wideIp, client);
      if (end !== FlowEnd.nothing) return end;
    } else {
      this.#trace?.note(TraceEvent.unavailable, wideIp, 0, 0);
    }
    const lastResort = this.#tables.wideIps[wideIp * WIDE_IP_NUMBERS + WideIpField.lastResort]!;
    if (lastResort >= 0) {
      const last = this.#tryLastResort(wideIp, lastResort, client);
      if (last !== FlowEnd.nothing) return last;
    }
    return this.#tryEnabled(wideIp, client);
  }

  /** Not, also with pools that are: its application may take it down with others. */
  #isAvailable(wideIp: number): boolean {
    const { layout, words } = this.#state;
    return (words[layout.wideIpsAt + wideIp]! & WideIpBit.available) !== 0;
  }

  /** One available pool after the other, each by all its modes, until one has an answer. */
  #tryAvailable(wideIp: number, client: Client): FlowEnd {
    const { wideIps, references } = this.#tables;
    const first = wideIps[wideIp * WIDE_IP_NUMBERS + WideIpField.firstReference]!;
    let end: FlowEnd = FlowEnd.nothing;
    let tried = 0;
    while (end === FlowEnd.nothing) {
      const reference = this.#pools.choose(wideIp, client, PoolsAmong.available, this.#tried);
      if (reference < 0) break;
      const pool = references[reference * REFERENCE_NUMBERS + ReferenceField.pool]!;
      this.#trace?.note(TraceEvent.poolChosen, reference, pool, PoolsAmong.available);
      end = this.#askPool(pool, client);
      if (end === FlowEnd.nothing) {
        this.#trace?.note(TraceEvent.poolEmpty, pool, 0, 0);
        this.#tried[reference - first] = 1;
        tried++;
      }
    }
    if (tried > 0) this.#tried.fill(0);
    if (end === FlowEnd.nothing) this.#trace?.note(TraceEvent.poolsExhausted, wideIp, PoolsAmong.available, 0);
    return end;
  }

  #tryLastResort(wideIp: number, pool: number, client: Client): FlowEnd {
    const { layout, words } = this.#state;
    if (words[layout.poolsAt + pool * POOL_WORDS + PoolWord.usable] === 0) {
      this.#trace?.note(TraceEvent.lastResortUnavailable, wideIp, pool, 0);
      return FlowEnd.nothing;
    }
    this.#trace?.note(TraceEvent.lastResort, wideIp, pool, 0);
    const end = this.#askPool(pool, client);
    if (end === FlowEnd.nothing) this.#trace?.note(TraceEvent.poolEmpty, pool, 0, 0);
    else this.#countWideIp(wideIp, WideIpCounter.lastResort);
    return end;
  }

  /** Nothing is available: the pool that would be chosen is asked by its fallback mode, which does not look at health. */
  #tryEnabled(wideIp: number, client: Client): FlowEnd {
    const reference = this.#pools.choose(wideIp, client, PoolsAmong.enabled, this.#tried);
    if (reference < 0) {
      this.#trace?.note(TraceEvent.poolsExhausted, wideIp, PoolsAmong.enabled, 0);
      return FlowEnd.nothing;
    }
    const pool = this.#tables.references[reference * REFERENCE_NUMBERS + ReferenceField.pool]!;
    this.#trace?.note(TraceEvent.poolChosen, reference, pool, PoolsAmong.enabled);
    return this.#askStage(pool, Stage.fallback, client);
  }

  #askPool(pool: number, client: Client): FlowEnd {
    let end = this.#askStage(pool, Stage.preferred, client);
    if (end === FlowEnd.nothing) end = this.#askStage(pool, Stage.alternate, client);
    return end === FlowEnd.nothing ? this.#askStage(pool, Stage.fallback, client) : end;
  }

  /** One of the three modes of a pool. */
  #askStage(pool: number, stage: Stage, client: Client): FlowEnd {
    const { pools } = this.#tables;
    const base = pool * POOL_NUMBERS;
    const mode = pools[base + PoolField.preferred + stage]!;
    this.#trace?.note(TraceEvent.mode, pool, stage, mode);
    this.pool = pool;
    this.#stage = stage;
    switch (mode) {
      case DROP_PACKET:
        this.#trace?.note(TraceEvent.dropped, pool, stage, 0);
        this.#countPool(pool, PoolCounter.dropped);
        return FlowEnd.dropped;
      case RETURN_TO_DNS:
        this.#trace?.note(TraceEvent.returnedToDns, pool, stage, 0);
        this.#countPool(pool, PoolCounter.returnedToDns);
        return stage === Stage.fallback ? FlowEnd.givenUp : FlowEnd.returned;
      case FALLBACK_IP:
        if (pools[base + PoolField.fallbackOctets] !== 0) {
          this.#trace?.note(TraceEvent.fallbackIp, pool, stage, 0);
          this.#countPool(pool, PoolCounter.preferred + stage);
          return FlowEnd.address;
        }
        break;
      case NONE:
        break;
      default:
        if (this.#chooseMembers(pool, mode, stage, client)) return FlowEnd.members;
    }
    this.#trace?.note(TraceEvent.modeFailed, pool, stage, mode);
    return FlowEnd.nothing;
  }

  #chooseMembers(pool: number, mode: number, stage: Stage, client: Client): boolean {
    const { pools, members: numbers } = this.#tables;
    const most = pools[pool * POOL_NUMBERS + PoolField.maxAnswers]!;
    const chosen = this.#members.choose(pool, mode, stage, client, most);
    const members = this.#members.chosen;
    let count = 0;
    for (let index = 0; index < chosen; index++) {
      const member = members[index]!;
      // One that has no record cannot be answered, whatever its state: its virtual server is not there, or its name is none.
      if (numbers[member * MEMBER_NUMBERS + MemberField.recordOctets] === 0) continue;
      members[count++] = member;
      this.#counts.members[member * MEMBER_COUNTERS + MemberCounter.preferred + stage]!++;
      this.#trace?.note(TraceEvent.memberChosen, member, pool, stage);
    }
    if (count === 0) return false;
    this.members = members;
    this.count = count;
    this.#countPool(pool, PoolCounter.preferred + stage);
    return true;
  }

  /** Whether the client was sent to a member before that it may still be sent to. */
  #findPersisted(wideIp: number, client: Client): boolean {
    const { wideIps, members } = this.#tables;
    const base = wideIp * WIDE_IP_NUMBERS;
    const persistence = this.#persistence;
    this.#maskClient(base, client);
    const key = wideIps[base + WideIpField.key]!;
    const keyMore = wideIps[base + WideIpField.keyMore]!;
    if (!persistence.find(key, keyMore, this.#network, client.family, client.now)) return false;
    const member = this.#memberOf(wideIp, persistence.memberKey, persistence.memberKeyMore);
    if (
      member < 0 ||
      !this.#mayKeep(wideIp, member) ||
      members[member * MEMBER_NUMBERS + MemberField.recordOctets] === 0
    ) {
      this.#trace?.note(TraceEvent.persistedLost, wideIp, member, 0);
      return false;
    }
    this.#trace?.note(TraceEvent.persisted, wideIp, member, 0);
    this.#persisted[0] = member;
    this.members = this.#persisted;
    this.count = 1;
    return true;
  }

  /** A member of the pool in `pool`. */
  #mayKeep(wideIp: number, member: number): boolean {
    const { layout, words } = this.#state;
    const bits = words[layout.membersAt + member]!;
    const isLastResort = this.#tables.wideIps[wideIp * WIDE_IP_NUMBERS + WideIpField.lastResort] === this.pool;
    if ((bits & MemberBit.usable) !== 0 && (isLastResort || this.#isAvailable(wideIp))) return true;
    return this.#tables.settings.drainPersistentRequests && (bits & MemberBit.drains) !== 0;
  }

  /** The member of one of the wide IP's pools that has a key, -1 without one; its pool is then in `pool`. */
  #memberOf(wideIp: number, key: number, keyMore: number): number {
    const { members, memberSlots, references, wideIps, pools } = this.#tables;
    const base = wideIp * WIDE_IP_NUMBERS;
    const first = wideIps[base + WideIpField.firstReference]!;
    const end = first + wideIps[base + WideIpField.references]!;
    const mask = memberSlots.length - 1;
    for (let slot = key & mask; memberSlots[slot] !== 0; slot = (slot + 1) & mask) {
      const member = memberSlots[slot]! - 1;
      const at = member * MEMBER_NUMBERS;
      if (members[at + MemberField.key] !== key || members[at + MemberField.keyMore] !== keyMore) continue;
      for (let reference = first; reference <= end; reference++) {
        // Behind all others that of last resort.
        const pool =
          reference < end
            ? references[reference * REFERENCE_NUMBERS + ReferenceField.pool]!
            : wideIps[base + WideIpField.lastResort]!;
        if (pool < 0) break;
        const place = member - pools[pool * POOL_NUMBERS + PoolField.firstMember]!;
        if (place < 0 || place >= pools[pool * POOL_NUMBERS + PoolField.members]!) continue;
        this.pool = pool;
        return member;
      }
    }
    return -1;
  }

  /** Counted from when the client is sent there: a client that comes again does not make it last. */
  #persist(wideIp: number, client: Client): void {
    const { wideIps, members } = this.#tables;
    const base = wideIp * WIDE_IP_NUMBERS;
    const member = this.members[0]! * MEMBER_NUMBERS;
    this.#maskClient(base, client);
    this.#persistence.put(
      wideIps[base + WideIpField.key]!,
      wideIps[base + WideIpField.keyMore]!,
      this.#network,
      client.family,
      members[member + MemberField.key]!,
      members[member + MemberField.keyMore]!,
      wideIps[base + WideIpField.persistTtl]!,
      client.now,
    );
  }

  #maskClient(base: number, client: Client): void {
    const field = client.family === 4 ? WideIpField.persistIpv4Bits : WideIpField.persistIpv6Bits;
    maskAddress(client.words, this.#tables.wideIps[base + field]!, this.#network);
  }

  #countWideIp(wideIp: number, counter: number): void {
    this.#counts.wideIps[wideIp * WIDE_IP_COUNTERS + counter]!++;
  }

  #countPool(pool: number, counter: number): void {
    this.#counts.pools[pool * POOL_COUNTERS + counter]!++;
  }
}
