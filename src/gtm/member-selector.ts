// How a pool chooses among its members: one of its three modes at a time. Those that end the matter without a choice
// (`drop-packet`, `return-to-dns`, `fallback-ip`, `none`) are not handled here. Nothing is allocated for a choice.

import type { Client, TopologyScores } from './client.ts';
import { MEMBER_MODES, type MemberMode } from './description.ts';
import { highestOf, Turns } from './modes/by-value.ts';
import { drawByWeight, weigh } from './modes/by-weight.ts';
import { Candidates } from './modes/candidates.ts';
import { Paths } from './modes/paths.ts';
import { QualityOfService } from './modes/quality-of-service.ts';
import { rateByServerMetric, serverMetric } from './modes/server-metrics.ts';
import { rateByRendezvous } from './modes/static-persistence.ts';
import { rateByTopology } from './modes/topology.ts';
import type { RandomSource } from './random.ts';
import type { ResolverNotes } from './resolver-notes.ts';
import type { StateReader } from './state-journal.ts';
import { MemberBit, PathWord, VirtualServerWord } from './state-layout.ts';
import { MEMBER_NUMBERS, MemberField, POOL_NUMBERS, PoolField, PoolFlag, type WideIpTables } from './tables.ts';
import { type Trace, TraceEvent } from './trace.ts';

/** Which of its three modes a pool is asked by. */
export const Stage = { preferred: 0, alternate: 1, fallback: 2 } as const;
export type Stage = (typeof Stage)[keyof typeof Stage];

/** How a mode chooses, where it chooses at all. */
const Way = {
  none: 0,
  roundRobin: 1,
  order: 2,
  ratio: 3,
  capacity: 4,
  serverMetric: 5,
  pathMetric: 6,
  topology: 7,
  staticPersistence: 8,
  qualityOfService: 9,
} as const;
type Way = (typeof Way)[keyof typeof Way];

/** By mode: its way, the number that it goes by where it goes by one, and -1 where the lowest is the best. */
const WAYS: Readonly<Record<MemberMode, readonly [Way, number?, (1 | -1)?]>> = {
  'completion-rate': [Way.pathMetric, PathWord.completionRate, 1],
  cpu: [Way.serverMetric, VirtualServerWord.cpu, -1],
  'drop-packet': [Way.none],
  'fallback-ip': [Way.none],
  'fewest-hops': [Way.pathMetric, PathWord.hops, -1],
  'global-availability': [Way.order],
  'kilobytes-per-second': [Way.serverMetric, VirtualServerWord.kilobytesPerSecond, -1],
  'least-connections': [Way.serverMetric, VirtualServerWord.connections, -1],
  'lowest-round-trip-time': [Way.pathMetric, PathWord.roundTripTime, -1],
  none: [Way.none],
  'packet-rate': [Way.serverMetric, VirtualServerWord.packetsPerSecond, -1],
  'quality-of-service': [Way.qualityOfService],
  ratio: [Way.ratio],
  'return-to-dns': [Way.none],
  'round-robin': [Way.roundRobin],
  'static-persistence': [Way.staticPersistence],
  topology: [Way.topology],
  'virtual-server-capacity': [Way.capacity, VirtualServerWord.capacity, 1],
  'virtual-server-score': [Way.serverMetric, VirtualServerWord.score, 1],
};
const WAY_OF = Uint8Array.from(MEMBER_MODES, (mode) => WAYS[mode][0]);
const WORD_OF = Uint8Array.from(MEMBER_MODES, (mode) => WAYS[mode][1] ?? 0);
const SIGN_OF = Int8Array.from(MEMBER_MODES, (mode) => WAYS[mode][2] ?? 1);

export class MemberSelector {
  /** The members that the last choice took, in its order. */
  readonly chosen: Int32Array;
  /** Is told of all members that could be chosen, and what the mode goes by. */
  trace: Trace | undefined;
  readonly #tables: WideIpTables;
  readonly #pools: Int32Array;
  readonly #members: Int32Array;
  readonly #words: Int32Array;
  readonly #membersAt: number;
  readonly #topology: TopologyScores;
  readonly #random: RandomSource;
  readonly #candidates: Candidates;
  readonly #paths: Paths;
  readonly #quality: QualityOfService;
  /** Of each pool the member that round robin chose last, from its first one on; -1: none yet. */
  readonly #last: Int32Array;
  readonly #turns: Turns;

  constructor(
    tables: WideIpTables,
    state: StateReader,
    topology: TopologyScores,
    random: RandomSource,
    notes?: Pick<ResolverNotes, 'note'>,
  ) {
    const { pools, members } = tables;
    this.#tables = tables;
    this.#pools = pools;
    this.#members = members;
    this.#words = state.words;
    this.#membersAt = state.layout.membersAt;
    this.#topology = topology;
    this.#random = random;
    let most = 0;
    for (let at = 0; at < pools.length; at += POOL_NUMBERS) most = Math.max(most, pools[at + PoolField.members]!);
    this.chosen = new Int32Array(most);
    this.#candidates = new Candidates(most);
    this.#paths = new Paths(members, state, tables.settings.ignorePathTtl, notes);
    this.#quality = new QualityOfService(members, state.words, tables.qos, this.#paths, topology);
    this.#last = new Int32Array(pools.length / POOL_NUMBERS).fill(-1);
    this.#turns = new Turns(members.length / MEMBER_NUMBERS);
  }

  /**
   * Chooses up to `most` members of a pool by a mode (its number in MEMBER_MODES) into `chosen`; returns how many, 0 when the
   * mode has nobody to choose.
   */
  choose(pool: number, mode: number, stage: Stage, client: Client, most: number): number {
    const bit = stage === Stage.fallback ? MemberBit.fallback : MemberBit.usable;
    const way = WAY_OF[mode]!;
    const first = this.#pools[pool * POOL_NUMBERS + PoolField.firstMember]!;
    const end = first + this.#pools[pool * POOL_NUMBERS + PoolField.members]!;
    if (way === Way.none) return 0;
    if (way === Way.roundRobin || way === Way.order) {
      if (this.trace !== undefined) this.#tellPlaces(this.trace, first, end, bit);
      return way === Way.order ? this.#takeFirst(first, end, bit, most) : this.#takeNext(pool, first, end, bit, most);
    }
    this.#gather(first, end, bit);
    if (this.#candidates.count === 0) return 0;
    this.#rate(pool, way, mode, client);
    if (this.trace !== undefined) this.#tellValues(this.trace, first, end, bit);
    return way === Way.ratio || way === Way.capacity ? this.#takeByWeight(most) : this.#takeHighest(most);
  }

  /** Goes on where the selector was that these tables' one replaces. To be called once, before anything is chosen. */
  carry(previous: MemberSelector): void {
    const { pools, carriedPools } = this.#tables;
    const poolsBefore = previous.#tables.pools;
    const before = new Int32Array(this.#turns.last.length).fill(-1);
    for (let pool = 0; pool < this.#last.length; pool++) {
      const poolBefore = carriedPools[pool]!;
      if (poolBefore < 0) continue;
      const first = pools[pool * POOL_NUMBERS + PoolField.firstMember]!;
      const firstBefore = poolsBefore[poolBefore * POOL_NUMBERS + PoolField.firstMember]!;
      const lastBefore = previous.#last[poolBefore]!;
      let nearest = -1;
      let likely = 0;
      for (let place = 0; place < pools[pool * POOL_NUMBERS + PoolField.members]!; place++) {
        const placeBefore = this.#placeBefore(previous, first + place, poolBefore, likely);
        if (placeBefore < 0) continue;
        before[first + place] = firstBefore + placeBefore;
        // The one that was chosen last, or where that is gone the nearest one in front of it.
        if (placeBefore <= lastBefore && placeBefore > nearest) {
          nearest = placeBefore;
          this.#last[pool] = place;
        }
        likely = placeBefore + 1;
      }
    }
    this.#turns.carry(previous.#turns, (row) => before[row]!);
  }

  /** Which place in its pool a member had in the tables before these: that with the same key; -1: none. */
  #placeBefore(previous: MemberSelector, member: number, poolBefore: number, likely: number): number {
    const { members } = this.#tables;
    const { pools: poolsBefore, members: membersBefore } = previous.#tables;
    const at = member * MEMBER_NUMBERS;
    const first = poolsBefore[poolBefore * POOL_NUMBERS + PoolField.firstMember]!;
    const count = poolsBefore[poolBefore * POOL_NUMBERS + PoolField.members]!;
    for (let step = 0; step < count; step++) {
      const place = (likely + step) % count;
      const atBefore = (first + place) * MEMBER_NUMBERS;
      if (
        membersBefore[atBefore + MemberField.key] === members[at + MemberField.key] &&
        membersBefore[atBefore + MemberField.keyMore] === members[at + MemberField.keyMore]
      ) {
        return place;
      }
    }
    return -1;
  }

  #takeFirst(first: number, end: number, bit: number, most: number): number {
    const words = this.#words;
    const membersAt = this.#membersAt;
    let taken = 0;
    for (let member = first; member < end && taken < most; member++) {
      if ((words[membersAt + member]! & bit) !== 0) this.chosen[taken++] = member;
    }
    return taken;
  }

  /** Those behind the one that was first last time, so that each is first equally often, whatever `most` is. */
  #takeNext(pool: number, first: number, end: number, bit: number, most: number): number {
    const words = this.#words;
    const membersAt = this.#membersAt;
    let member = first + this.#last[pool]!;
    let taken = 0;
    for (let left = end - first; left > 0 && taken < most; left--) {
      if (++member >= end) member = first;
      if ((words[membersAt + member]! & bit) === 0) continue;
      if (taken === 0) this.#last[pool] = member - first;
      this.chosen[taken++] = member;
    }
    return taken;
  }

  /** All members that may be chosen at all. */
  #gather(first: number, end: number, bit: number): void {
    const words = this.#words;
    const membersAt = this.#membersAt;
    const { rows } = this.#candidates;
    let count = 0;
    for (let member = first; member < end; member++) {
      if ((words[membersAt + member]! & bit) !== 0) rows[count++] = member;
    }
    this.#candidates.count = count;
  }

  /** Gives each candidate its weight or value in the mode, the highest being the best, and drops those that have none. */
  #rate(pool: number, way: number, mode: number, client: Client): void {
    const candidates = this.#candidates;
    const members = this.#members;
    switch (way) {
      case Way.ratio:
        this.#weighByRatio(pool);
        break;
      case Way.capacity:
      case Way.serverMetric:
        rateByServerMetric(candidates, members, this.#words, WORD_OF[mode]!, SIGN_OF[mode]!);
        break;
      case Way.pathMetric:
        this.#paths.rate(candidates, client, WORD_OF[mode]!, SIGN_OF[mode]!);
        break;
      case Way.topology:
        rateByTopology(candidates, members, this.#topology, client, this.#tables.settings.topologyAllowZeroScores);
        break;
      case Way.staticPersistence:
        rateByRendezvous(candidates, members, client, this.#staticPersistBits(client));
        break;
      default:
        this.#quality.rate(candidates, client, this.#pools[pool * POOL_NUMBERS + PoolField.qos]!);
    }
  }

  #staticPersistBits({ family }: Client): number {
    const { staticPersistIpv4Bits, staticPersistIpv6Bits } = this.#tables.settings;
    return family === 4 ? staticPersistIpv4Bits : staticPersistIpv6Bits;
  }

  #weighByRatio(pool: number): void {
    const members = this.#members;
    const { rows, values, count } = this.#candidates;
    const isDynamic = (this.#pools[pool * POOL_NUMBERS + PoolField.flags]! & PoolFlag.dynamicRatio) !== 0;
    for (let index = 0; index < count; index++) {
      const member = rows[index]!;
      const score = isDynamic ? serverMetric(members, this.#words, member, VirtualServerWord.score) : -1;
      values[index] = score < 0 ? members[member * MEMBER_NUMBERS + MemberField.ratio]! : score;
    }
  }

  #takeByWeight(most: number): number {
    const candidates = this.#candidates;
    let total = weigh(candidates);
    let taken = 0;
    while (taken < most && total > 0) {
      const index = drawByWeight(candidates, total, this.#random);
      total -= candidates.values[index]!;
      this.chosen[taken++] = candidates.take(index);
    }
    return taken;
  }

  /** One after the other; of those that are equal only the first one has had its turn. */
  #takeHighest(most: number): number {
    const candidates = this.#candidates;
    let taken = 0;
    let valueBefore = NaN;
    while (taken < most && candidates.count > 0) {
      const index = highestOf(candidates, this.#turns);
      const value = candidates.values[index]!;
      const member = candidates.take(index);
      if (value !== valueBefore) this.#turns.note(member);
      valueBefore = value;
      this.chosen[taken++] = member;
    }
    return taken;
  }

  #tellPlaces(trace: Trace, first: number, end: number, bit: number): void {
    for (let member = first; member < end; member++) {
      if ((this.#words[this.#membersAt + member]! & bit) === 0) continue;
      trace.note(TraceEvent.memberCandidate, member, member - first, 0);
    }
  }

  /** Those that a mode has rated and those that it has dropped, in their order. */
  #tellValues(trace: Trace, first: number, end: number, bit: number): void {
    const { rows, values, count } = this.#candidates;
    for (let member = first, index = 0; member < end; member++) {
      if (index < count && rows[index] === member) {
        // What costs is rated by its negative.
        trace.note(TraceEvent.memberCandidate, member, Math.abs(values[index++]!), 0);
      } else if ((this.#words[this.#membersAt + member]! & bit) !== 0) {
        trace.note(TraceEvent.memberUnknown, member, 0, 0);
      }
    }
  }
}
