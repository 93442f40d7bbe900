// The mode `quality-of-service`: what is measured of a member, each number made comparable by its factor, weighted and added up.
//
//   of what costs    weight × factor / max(number, 1)      round trip time, hops, packets per second, kilobytes per second
//   of what serves   weight × number / factor              completion rate, topology's score, capacity, score of the virtual server
//
// A number that nobody knows adds nothing, and who has none that counts is no candidate. How a BIG-IP adds them up is not known.

import { type Client, topologyClassOf, type TopologyScores } from '../client.ts';
import { PathWord, VirtualServerWord } from '../state-layout.ts';
import { MEMBER_NUMBERS, MemberField } from '../tables.ts';
import type { Candidates } from './candidates.ts';
import type { Paths } from './paths.ts';
import { serverMetric } from './server-metrics.ts';

/** Where each weight stands among those of a pool, and its factor at the start: the order of QosWeights. */
const Quality = {
  roundTripTime: 0,
  hops: 1,
  hitRatio: 2,
  kilobytesPerSecond: 3,
  packetRate: 4,
  topology: 5,
  capacity: 6,
  score: 7,
} as const;

export class QualityOfService {
  readonly #members: Int32Array;
  /** Factors, then weights, pool by pool. */
  readonly #numbers: Float64Array;
  readonly #paths: Paths;
  readonly #topology: TopologyScores;
  /** By candidate, whether anything that counts is known of it. */
  readonly #isKnown: Uint8Array;

  constructor(members: Int32Array, numbers: Float64Array, paths: Paths, topology: TopologyScores, most: number) {
    this.#members = members;
    this.#numbers = numbers;
    this.#paths = paths;
    this.#topology = topology;
    this.#isKnown = new Uint8Array(most);
  }

  /** Gives each member its sum by the weights that start at `weights`, and drops those of which nothing is known. */
  rate(candidates: Candidates, state: Int32Array, client: Client, weights: number): void {
    const { rows, values, count } = candidates;
    values.fill(0, 0, count);
    this.#isKnown.fill(0, 0, count);
    this.#addPaths(candidates, client, weights);
    this.#addServers(candidates, state, weights);
    this.#addTopology(candidates, client, weights);
    let kept = 0;
    for (let index = 0; index < count; index++) {
      if (this.#isKnown[index] === 0) continue;
      rows[kept] = rows[index]!;
      values[kept++] = values[index]!;
    }
    candidates.count = kept;
  }

  #addPaths(candidates: Candidates, client: Client, weights: number): void {
    this.#paths.begin();
    this.#addPath(candidates, client, weights, Quality.roundTripTime, PathWord.roundTripTime, true);
    this.#addPath(candidates, client, weights, Quality.hops, PathWord.hops, true);
    this.#addPath(candidates, client, weights, Quality.hitRatio, PathWord.completionRate, false);
  }

  #addPath(
    candidates: Candidates,
    client: Client,
    weights: number,
    quality: number,
    word: number,
    isCost: boolean,
  ): void {
    const weight = this.#numbers[weights + quality]!;
    const factor = this.#numbers[quality]!;
    if (weight <= 0 || factor <= 0) return;
    for (let index = 0; index < candidates.count; index++) {
      this.#add(candidates, index, this.#paths.metric(client, candidates.rows[index]!, word), weight, factor, isCost);
    }
  }

  #addServers(candidates: Candidates, state: Int32Array, weights: number): void {
    this.#addServer(candidates, state, weights, Quality.kilobytesPerSecond, VirtualServerWord.kilobytesPerSecond, true);
    this.#addServer(candidates, state, weights, Quality.packetRate, VirtualServerWord.packetsPerSecond, true);
    this.#addServer(candidates, state, weights, Quality.capacity, VirtualServerWord.capacity, false);
    this.#addServer(candidates, state, weights, Quality.score, VirtualServerWord.score, false);
  }

  #addServer(
    candidates: Candidates,
    state: Int32Array,
    weights: number,
    quality: number,
    word: number,
    isCost: boolean,
  ): void {
    const weight = this.#numbers[weights + quality]!;
    const factor = this.#numbers[quality]!;
    if (weight <= 0 || factor <= 0) return;
    for (let index = 0; index < candidates.count; index++) {
      const metric = serverMetric(this.#members, state, candidates.rows[index]!, word);
      this.#add(candidates, index, metric, weight, factor, isCost);
    }
  }

  #addTopology(candidates: Candidates, client: Client, weights: number): void {
    const weight = this.#numbers[weights + Quality.topology]!;
    const factor = this.#numbers[Quality.topology]!;
    if (weight <= 0 || factor <= 0) return;
    const topologyClass = topologyClassOf(client, this.#topology);
    for (let index = 0; index < candidates.count; index++) {
      const subject = this.#members[candidates.rows[index]! * MEMBER_NUMBERS + MemberField.subject]!;
      this.#add(candidates, index, this.#topology.score(topologyClass, subject), weight, factor, false);
    }
  }

  #add(candidates: Candidates, index: number, metric: number, weight: number, factor: number, isCost: boolean): void {
    if (metric < 0) return;
    this.#isKnown[index] = 1;
    candidates.values[index]! += weight * (isCost ? factor / Math.max(metric, 1) : metric / factor);
  }
}
