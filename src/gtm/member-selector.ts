// How a pool chooses among its members: one of its three modes at a time. Those that end the matter without a choice
// (`drop-packet`, `return-to-dns`, `fallback-ip`, `none`) are not handled here. Nothing is allocated for a choice.

import type { Client, TopologyScores } from './client.ts';
import { MEMBER_MODES, type MemberMode } from './description.ts';
import { highestOf, Turns } from './modes/by-value.ts';
import { dropWithoutWeight, takeByWeight } from './modes/by-weight.ts';
import { Candidates } from './modes/candidates.ts';
import { Paths } from './modes/paths.ts';
import { QualityOfService } from './modes/quality-of-service.ts';
import { rateByServerMetric, serverMetric } from './modes/server-metrics.ts';
import { rateByRendezvous } from './modes/static-persistence.ts';
import { rateByTopology } from './modes/topology.ts';
import type { RandomSource } from './random.ts';
import type { StateReader } from './state-journal.ts';
import { MemberBit, PathWord, VirtualServerWord } from './state-layout.ts';
import { MEMBER_NUMBERS, MemberField, POOL_NUMBERS, PoolField, PoolFlag, type WideIpTables } from './tables.ts';
import { type Trace, TraceEvent } from './trace.ts';

/** Which of its three modes a pool is asked by. */
export const Stage = { preferred: 0, alternate: 1, fallback: 2 } as const;
export type Stage = (typeof Stage)[keyof typeof Stage];

const numbers = Object.fromEntries(MEMBER_MODES.map((mode, number) => [mode, number])) as Record<MemberMode, number>;
const COMPLETION_RATE = numbers['completion-rate'];
const CPU = numbers.cpu;
const FEWEST_HOPS = numbers['fewest-hops'];
const GLOBAL_AVAILABILITY = numbers['global-availability'];
const KILOBYTES_PER_SECOND = numbers['kilobytes-per-second'];
const LEAST_CONNECTIONS = numbers['least-connections'];
const LOWEST_ROUND_TRIP_TIME = numbers['lowest-round-trip-time'];
const PACKET_RATE = numbers['packet-rate'];
const QUALITY_OF_SERVICE = numbers['quality-of-service'];
const RATIO = numbers.ratio;
const ROUND_ROBIN = numbers['round-robin'];
const STATIC_PERSISTENCE = numbers['static-persistence'];
const TOPOLOGY = numbers.topology;
const VIRTUAL_SERVER_CAPACITY = numbers['virtual-server-capacity'];
const VIRTUAL_SERVER_SCORE = numbers['virtual-server-score'];

export class MemberSelector {
  /** The members that the last choice took, in its order. */
  readonly chosen: Int32Array;
  /** Is told of all members that could be chosen, and what the mode goes by. */
  trace: Trace | undefined;
  readonly #tables: WideIpTables;
  readonly #state: StateReader;
  readonly #topology: TopologyScores;
  readonly #random: RandomSource;
  readonly #candidates: Candidates;
  readonly #paths: Paths;
  readonly #quality: QualityOfService;
  /** Of each pool the member that round robin chose last, from its first one on; -1: none yet. */
  readonly #last: Int32Array;
  readonly #turns: Turns;

  constructor(tables: WideIpTables, state: StateReader, topology: TopologyScores, random: RandomSource) {
    const { pools, members } = tables;
    this.#tables = tables;
    this.#state = state;
    this.#topology = topology;
    this.#random = random;
    let most = 0;
    for (let at = 0; at < pools.length; at += POOL_NUMBERS) most = Math.max(most, pools[at + PoolField.members]!);
    this.chosen = new Int32Array(most);
    this.#candidates = new Candidates(most);
    this.#paths = new Paths(members, state, tables.settings.ignorePathTtl);
    this.#quality = new QualityOfService(members, tables.qos, this.#paths, topology, most);
    this.#last = new Int32Array(pools.length / POOL_NUMBERS).fill(-1);
    this.#turns = new Turns(members.length / MEMBER_NUMBERS);
  }

  /**
   * Chooses up to `most` members of a pool by a mode (its number in MEMBER_MODES) into `chosen`; returns how many, 0 when the
   * mode has nobody to choose.
   */
  choose(pool: number, mode: number, stage: Stage, client: Client, most: number): number {
    const bit = stage === Stage.fallback ? MemberBit.fallback : MemberBit.usable;
    if (mode === ROUND_ROBIN || mode === GLOBAL_AVAILABILITY) {
      if (this.trace !== undefined) this.#tellPlaces(this.trace, pool, bit);
      return mode === ROUND_ROBIN ? this.#takeNext(pool, bit, most) : this.#takeFirst(pool, bit, most);
    }
    this.#gather(pool, bit);
    if (this.#candidates.count === 0) return 0;
    this.#rate(pool, mode, client);
    if (this.trace !== undefined) this.#tellValues(this.trace, pool, bit);
    if (mode === RATIO || mode === VIRTUAL_SERVER_CAPACITY) return this.#takeByWeight(most);
    return this.#takeHighest(most);
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
      let likely = 0;
      for (let place = 0; place < pools[pool * POOL_NUMBERS + PoolField.members]!; place++) {
        const placeBefore = this.#placeBefore(previous, first + place, poolBefore, likely);
        if (placeBefore < 0) continue;
        before[first + place] = firstBefore + placeBefore;
        if (placeBefore === lastBefore) this.#last[pool] = place;
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

  #takeFirst(pool: number, bit: number, most: number): number {
    const { pools } = this.#tables;
    const first = pools[pool * POOL_NUMBERS + PoolField.firstMember]!;
    const end = first + pools[pool * POOL_NUMBERS + PoolField.members]!;
    const { words, layout } = this.#state;
    let taken = 0;
    for (let member = first; member < end && taken < most; member++) {
      if ((words[layout.membersAt + member]! & bit) !== 0) this.chosen[taken++] = member;
    }
    return taken;
  }

  /** Those behind the one that was first last time, so that each is first equally often, whatever `most` is. */
  #takeNext(pool: number, bit: number, most: number): number {
    const { pools } = this.#tables;
    const first = pools[pool * POOL_NUMBERS + PoolField.firstMember]!;
    const count = pools[pool * POOL_NUMBERS + PoolField.members]!;
    const { words, layout } = this.#state;
    let place = this.#last[pool]!;
    let taken = 0;
    for (let step = 0; step < count && taken < most; step++) {
      if (++place >= count) place = 0;
      if ((words[layout.membersAt + first + place]! & bit) === 0) continue;
      if (taken === 0) this.#last[pool] = place;
      this.chosen[taken++] = first + place;
    }
    return taken;
  }

  /** All members that may be chosen at all. */
  #gather(pool: number, bit: number): void {
    const { pools } = this.#tables;
    const first = pools[pool * POOL_NUMBERS + PoolField.firstMember]!;
    const end = first + pools[pool * POOL_NUMBERS + PoolField.members]!;
    const { words, layout } = this.#state;
    const { rows } = this.#candidates;
    let count = 0;
    for (let member = first; member < end; member++) {
      if ((words[layout.membersAt + member]! & bit) !== 0) rows[count++] = member;
    }
    this.#candidates.count = count;
  }

  #weighByRatio(pool: number): void {
    const { pools, members } = this.#tables;
    const { rows, values, count } = this.#candidates;
    const isDynamic = (pools[pool * POOL_NUMBERS + PoolField.flags]! & PoolFlag.dynamicRatio) !== 0;
    for (let index = 0; index < count; index++) {
      const member = rows[index]!;
      const score = isDynamic ? serverMetric(members, this.#state.words, member, VirtualServerWord.score) : -1;
      values[index] = score < 0 ? members[member * MEMBER_NUMBERS + MemberField.ratio]! : score;
    }
  }

  #takeByWeight(most: number): number {
    const candidates = this.#candidates;
    let taken = 0;
    dropWithoutWeight(candidates);
    while (taken < most && candidates.count > 0) this.chosen[taken++] = takeByWeight(candidates, this.#random);
    return taken;
  }

  /** Gives each candidate its weight or value in the mode, the highest being the best, and drops those that have none. */
  #rate(pool: number, mode: number, client: Client): void {
    const { members, pools, settings } = this.#tables;
    const { words } = this.#state;
    const candidates = this.#candidates;
    switch (mode) {
      case RATIO:
        this.#weighByRatio(pool);
        break;
      case VIRTUAL_SERVER_CAPACITY:
        rateByServerMetric(candidates, members, words, VirtualServerWord.capacity, 1);
        break;
      case LEAST_CONNECTIONS:
        rateByServerMetric(candidates, members, words, VirtualServerWord.connections, -1);
        break;
      case PACKET_RATE:
        rateByServerMetric(candidates, members, words, VirtualServerWord.packetsPerSecond, -1);
        break;
      case KILOBYTES_PER_SECOND:
        rateByServerMetric(candidates, members, words, VirtualServerWord.kilobytesPerSecond, -1);
        break;
      case CPU:
        rateByServerMetric(candidates, members, words, VirtualServerWord.cpu, -1);
        break;
      case VIRTUAL_SERVER_SCORE:
        rateByServerMetric(candidates, members, words, VirtualServerWord.score, 1);
        break;
      case LOWEST_ROUND_TRIP_TIME:
        this.#paths.rate(candidates, client, PathWord.roundTripTime, -1);
        break;
      case FEWEST_HOPS:
        this.#paths.rate(candidates, client, PathWord.hops, -1);
        break;
      case COMPLETION_RATE:
        this.#paths.rate(candidates, client, PathWord.completionRate, 1);
        break;
      case QUALITY_OF_SERVICE:
        this.#quality.rate(candidates, words, client, pools[pool * POOL_NUMBERS + PoolField.qos]!);
        break;
      case TOPOLOGY:
        rateByTopology(candidates, members, this.#topology, client, settings.topologyAllowZeroScores);
        break;
      case STATIC_PERSISTENCE: {
        const bits = client.family === 4 ? settings.staticPersistIpv4Bits : settings.staticPersistIpv6Bits;
        rateByRendezvous(candidates, members, client, bits);
        break;
      }
      default:
        candidates.count = 0;
    }
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

  #tellPlaces(trace: Trace, pool: number, bit: number): void {
    this.#gather(pool, bit);
    const first = this.#tables.pools[pool * POOL_NUMBERS + PoolField.firstMember]!;
    const { rows, count } = this.#candidates;
    for (let index = 0; index < count; index++) {
      trace.note(TraceEvent.memberCandidate, rows[index]!, rows[index]! - first, 0);
    }
  }

  /** Those that a mode has rated, in their order, and before each those that it has dropped. */
  #tellValues(trace: Trace, pool: number, bit: number): void {
    const { pools } = this.#tables;
    const first = pools[pool * POOL_NUMBERS + PoolField.firstMember]!;
    const end = first + pools[pool * POOL_NUMBERS + PoolField.members]!;
    const { words, layout } = this.#state;
    const { rows, values, count } = this.#candidates;
    for (let member = first, index = 0; member < end; member++) {
      if (index < count && rows[index] === member) {
        // What costs is rated by its negative.
        trace.note(TraceEvent.memberCandidate, member, Math.abs(values[index++]!), 0);
      } else if ((words[layout.membersAt + member]! & bit) !== 0) {
        trace.note(TraceEvent.memberUnknown, member, 0, 0);
      }
    }
  }
}
