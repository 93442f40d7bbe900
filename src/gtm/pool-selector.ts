// How a wide IP chooses among its pools (`pool-lb-mode`). Nothing is allocated for a choice.

import { type Client, topologyClassOf, type TopologyScores } from './client.ts';
import { POOL_MODES, type PoolMode } from './description.ts';
import { highestOf, Turns } from './modes/by-value.ts';
import { drawByWeight, weigh } from './modes/by-weight.ts';
import { Candidates } from './modes/candidates.ts';
import type { RandomSource } from './random.ts';
import type { StateReader } from './state-journal.ts';
import { POOL_WORDS, PoolWord } from './state-layout.ts';
import { REFERENCE_NUMBERS, ReferenceField, WIDE_IP_NUMBERS, WideIpField, type WideIpTables } from './tables.ts';
import { type Trace, TraceEvent } from './trace.ts';

/** Which pools are chosen among. */
export const PoolsAmong = {
  /** Those with members that are usable. */
  available: 0,
  /** Those that are not switched off, whatever their health. */
  enabled: 1,
} as const;
export type PoolsAmong = (typeof PoolsAmong)[keyof typeof PoolsAmong];

const MODE = Object.fromEntries(POOL_MODES.map((mode, number) => [mode, number])) as Record<PoolMode, number>;
const ROUND_ROBIN = MODE['round-robin'];
const RATIO = MODE.ratio;
const TOPOLOGY = MODE.topology;

export class PoolSelector {
  /** Is told of all pools that could be chosen, and what the mode goes by. */
  trace: Trace | undefined;
  readonly #tables: WideIpTables;
  readonly #state: StateReader;
  readonly #topology: TopologyScores;
  readonly #random: RandomSource;
  readonly #candidates: Candidates;
  /** Of each wide IP the reference that was chosen last by round robin, from its first one on; -1: none yet. */
  readonly #last: Int32Array;
  readonly #turns: Turns;

  constructor(tables: WideIpTables, state: StateReader, topology: TopologyScores, random: RandomSource) {
    const { wideIps, references } = tables;
    this.#tables = tables;
    this.#state = state;
    this.#topology = topology;
    this.#random = random;
    let most = 0;
    for (let at = 0; at < wideIps.length; at += WIDE_IP_NUMBERS) {
      most = Math.max(most, wideIps[at + WideIpField.references]!);
    }
    this.#candidates = new Candidates(most);
    this.#last = new Int32Array(wideIps.length / WIDE_IP_NUMBERS).fill(-1);
    this.#turns = new Turns(references.length / REFERENCE_NUMBERS);
  }

  /**
   * The number of a reference of the wide IP, or -1 when there is none to choose. `tried`: by the place of a reference within
   * its wide IP, not 0 for those that are not to be chosen.
   */
  choose(wideIp: number, client: Client, among: PoolsAmong, tried: Uint8Array): number {
    const { wideIps } = this.#tables;
    const at = wideIp * WIDE_IP_NUMBERS;
    const first = wideIps[at + WideIpField.firstReference]!;
    const count = wideIps[at + WideIpField.references]!;
    switch (wideIps[at + WideIpField.poolMode]) {
      case ROUND_ROBIN:
        if (this.trace !== undefined) this.#tellPlaces(this.trace, first, count, among, tried);
        return this.#next(wideIp, first, count, among, tried);
      case RATIO:
        return this.#byRatio(first, count, among, tried);
      case TOPOLOGY:
        return this.#byTopology(first, count, client, among, tried);
      default:
        if (this.trace !== undefined) this.#tellPlaces(this.trace, first, count, among, tried);
        return this.#first(first, count, among, tried);
    }
  }

  /** Goes on where the selector was that these tables' one replaces. To be called once, before anything is chosen. */
  carry(previous: PoolSelector): void {
    const { wideIps, carriedWideIps } = this.#tables;
    const before = new Int32Array(this.#turns.last.length).fill(-1);
    for (let wideIp = 0; wideIp < this.#last.length; wideIp++) {
      const wideIpBefore = carriedWideIps[wideIp]!;
      if (wideIpBefore < 0) continue;
      const at = wideIp * WIDE_IP_NUMBERS;
      const atBefore = wideIpBefore * WIDE_IP_NUMBERS;
      const first = wideIps[at + WideIpField.firstReference]!;
      const firstBefore = previous.#tables.wideIps[atBefore + WideIpField.firstReference]!;
      const lastBefore = previous.#last[wideIpBefore]!;
      let nearest = -1;
      for (let place = 0; place < wideIps[at + WideIpField.references]!; place++) {
        const placeBefore = this.#placeBefore(previous, first + place, atBefore, place);
        if (placeBefore < 0) continue;
        before[first + place] = firstBefore + placeBefore;
        // The one that was chosen last, or where that is gone the nearest one in front of it.
        if (placeBefore <= lastBefore && placeBefore > nearest) {
          nearest = placeBefore;
          this.#last[wideIp] = place;
        }
      }
    }
    this.#turns.carry(previous.#turns, (row) => before[row]!);
  }

  /** Which place a reference had in the tables before these: that with the same pool; -1: none. */
  #placeBefore(previous: PoolSelector, reference: number, wideIpAt: number, likely: number): number {
    const { references, carriedPools } = this.#tables;
    const { wideIps: wideIpsBefore, references: referencesBefore } = previous.#tables;
    const pool = carriedPools[references[reference * REFERENCE_NUMBERS + ReferenceField.pool]!]!;
    const first = wideIpsBefore[wideIpAt + WideIpField.firstReference]!;
    const count = wideIpsBefore[wideIpAt + WideIpField.references]!;
    for (let step = 0; step < count; step++) {
      const place = (likely + step) % count;
      if (referencesBefore[(first + place) * REFERENCE_NUMBERS + ReferenceField.pool] === pool) return place;
    }
    return -1;
  }

  #isChoice(reference: number, among: PoolsAmong): boolean {
    const pool = this.#tables.references[reference * REFERENCE_NUMBERS + ReferenceField.pool]!;
    const at = this.#state.layout.poolsAt + pool * POOL_WORDS;
    const word = among === PoolsAmong.available ? PoolWord.usable : PoolWord.enabled;
    return this.#state.words[at + word]! > 0;
  }

  #first(first: number, count: number, among: PoolsAmong, tried: Uint8Array): number {
    for (let place = 0; place < count; place++) {
      if (tried[place] === 0 && this.#isChoice(first + place, among)) return first + place;
    }
    return -1;
  }

  #next(wideIp: number, first: number, count: number, among: PoolsAmong, tried: Uint8Array): number {
    let place = this.#last[wideIp]!;
    for (let step = 0; step < count; step++) {
      if (++place >= count) place = 0;
      if (tried[place] !== 0 || !this.#isChoice(first + place, among)) continue;
      this.#last[wideIp] = place;
      return first + place;
    }
    return -1;
  }

  #byRatio(first: number, count: number, among: PoolsAmong, tried: Uint8Array): number {
    const { references } = this.#tables;
    const candidates = this.#candidates;
    candidates.count = 0;
    for (let place = 0; place < count; place++) {
      const reference = first + place;
      if (tried[place] !== 0 || !this.#isChoice(reference, among)) continue;
      candidates.add(reference, references[reference * REFERENCE_NUMBERS + ReferenceField.ratio]!);
    }
    if (candidates.count === 0) return -1;
    if (this.trace !== undefined) this.#tellValues(this.trace);
    return candidates.take(drawByWeight(candidates, weigh(candidates), this.#random));
  }

  #byTopology(first: number, count: number, client: Client, among: PoolsAmong, tried: Uint8Array): number {
    const { references, settings } = this.#tables;
    const candidates = this.#candidates;
    const topologyClass = topologyClassOf(client, this.#topology);
    candidates.count = 0;
    for (let place = 0; place < count; place++) {
      const reference = first + place;
      if (tried[place] !== 0 || !this.#isChoice(reference, among)) continue;
      const subject = references[reference * REFERENCE_NUMBERS + ReferenceField.subject]!;
      // No record is as good as one of score 0.
      const score = Math.max(0, this.#topology.score(topologyClass, subject));
      if (score > 0 || settings.topologyAllowZeroScores) candidates.add(reference, score);
    }
    if (candidates.count === 0) return -1;
    if (this.trace !== undefined) this.#tellValues(this.trace);
    const chosen = candidates.take(highestOf(candidates, this.#turns));
    this.#turns.note(chosen);
    return chosen;
  }

  #tellPlaces(trace: Trace, first: number, count: number, among: PoolsAmong, tried: Uint8Array): void {
    for (let place = 0; place < count; place++) {
      if (tried[place] !== 0 || !this.#isChoice(first + place, among)) continue;
      trace.note(TraceEvent.poolCandidate, first + place, place, 0);
    }
  }

  #tellValues(trace: Trace): void {
    const { rows, values, count } = this.#candidates;
    for (let index = 0; index < count; index++) trace.note(TraceEvent.poolCandidate, rows[index]!, values[index]!, 0);
  }
}
