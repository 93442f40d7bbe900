// The mode `quality-of-service`: what is measured of a member, each number made comparable by its factor, weighted and added up.
//
//   of what costs    weight × factor / max(number, 1)      round trip time, hops, packets per second, kilobytes per second
//   of what serves   weight × number / factor              completion rate, topology's score, capacity, score of the virtual server
//
// A number that nobody knows adds nothing, as that of links is not, and who has none that counts is no candidate. How a BIG-IP adds
// them up is not known.

import { type Client, topologyClassOf, type TopologyScores } from '../client.ts';
import { PathWord, VIRTUAL_SERVER_WORDS, VirtualServerWord } from '../state-layout.ts';
import { MEMBER_NUMBERS, MemberField } from '../tables.ts';
import type { Candidates } from './candidates.ts';
import type { Paths } from './paths.ts';

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
  link: 8,
} as const;
const QUALITIES = Object.keys(Quality).length;
const COSTS: ReadonlySet<number> = new Set([
  Quality.roundTripTime,
  Quality.hops,
  Quality.kilobytesPerSecond,
  Quality.packetRate,
]);

/** Of a member of which nothing that counts is known. */
const NOTHING = -1;

/** A sum with something that costs, where it counts (`coefficient` above 0) and is known. */
function withCost(sum: number, coefficient: number, metric: number): number {
  return coefficient > 0 && metric >= 0 ? Math.max(sum, 0) + coefficient / Math.max(metric, 1) : sum;
}

/** The same with something that serves. */
function withGain(sum: number, coefficient: number, metric: number): number {
  return coefficient > 0 && metric >= 0 ? Math.max(sum, 0) + coefficient * metric : sum;
}

/** What each number is multiplied by, or divides, for each pool: as weights stand in tables. */
function coefficientsOf(numbers: Float64Array): Float64Array {
  const coefficients = new Float64Array(numbers.length);
  for (let at = QUALITIES; at < numbers.length; at++) {
    const quality = at % QUALITIES;
    const factor = numbers[quality]!;
    if (COSTS.has(quality)) coefficients[at] = numbers[at]! * factor;
    else if (factor > 0) coefficients[at] = numbers[at]! / factor;
  }
  return coefficients;
}

export class QualityOfService {
  readonly #members: Int32Array;
  readonly #words: Int32Array;
  readonly #coefficients: Float64Array;
  readonly #paths: Paths;
  readonly #topology: TopologyScores;

  /** `numbers`: factors, then weights, pool by pool. */
  constructor(members: Int32Array, words: Int32Array, numbers: Float64Array, paths: Paths, topology: TopologyScores) {
    this.#members = members;
    this.#words = words;
    this.#coefficients = coefficientsOf(numbers);
    this.#paths = paths;
    this.#topology = topology;
  }

  /** Gives each member its sum by the weights that start at `weights`, and drops those of which nothing is known. */
  rate(candidates: Candidates, client: Client, weights: number): void {
    const { values, count } = candidates;
    for (let index = 0; index < count; index++) values[index] = NOTHING;
    this.#addPaths(candidates, client, weights);
    this.#addServers(candidates, weights);
    this.#addTopology(candidates, client, weights);
    dropUnknown(candidates);
  }

  #addPaths({ rows, values, count }: Candidates, client: Client, weights: number): void {
    const words = this.#words;
    const paths = this.#paths;
    const ofRoundTrip = this.#coefficients[weights + Quality.roundTripTime]!;
    const ofHops = this.#coefficients[weights + Quality.hops]!;
    const ofHits = this.#coefficients[weights + Quality.hitRatio]!;
    if (ofRoundTrip + ofHops + ofHits <= 0) return;
    paths.begin(client);
    for (let index = 0; index < count; index++) {
      const at = paths.find(client, rows[index]!);
      if (at < 0) continue;
      let sum = values[index]!;
      sum = withCost(sum, ofRoundTrip, words[at + PathWord.roundTripTime]!);
      sum = withCost(sum, ofHops, words[at + PathWord.hops]!);
      values[index] = withGain(sum, ofHits, words[at + PathWord.completionRate]!);
    }
  }

  #addServers({ rows, values, count }: Candidates, weights: number): void {
    const members = this.#members;
    const words = this.#words;
    const ofKilobytes = this.#coefficients[weights + Quality.kilobytesPerSecond]!;
    const ofPackets = this.#coefficients[weights + Quality.packetRate]!;
    const ofCapacity = this.#coefficients[weights + Quality.capacity]!;
    const ofScore = this.#coefficients[weights + Quality.score]!;
    for (let index = 0; index < count; index++) {
      const virtualServer = members[rows[index]! * MEMBER_NUMBERS + MemberField.virtualServer]!;
      if (virtualServer < 0) continue;
      const at = virtualServer * VIRTUAL_SERVER_WORDS;
      let sum = values[index]!;
      sum = withCost(sum, ofKilobytes, words[at + VirtualServerWord.kilobytesPerSecond]!);
      sum = withCost(sum, ofPackets, words[at + VirtualServerWord.packetsPerSecond]!);
      sum = withGain(sum, ofCapacity, words[at + VirtualServerWord.capacity]!);
      values[index] = withGain(sum, ofScore, words[at + VirtualServerWord.score]!);
    }
  }

  #addTopology({ rows, values, count }: Candidates, client: Client, weights: number): void {
    const ofTopology = this.#coefficients[weights + Quality.topology]!;
    if (ofTopology <= 0) return;
    const topologyClass = topologyClassOf(client, this.#topology);
    for (let index = 0; index < count; index++) {
      const subject = this.#members[rows[index]! * MEMBER_NUMBERS + MemberField.subject]!;
      values[index] = withGain(values[index]!, ofTopology, this.#topology.score(topologyClass, subject));
    }
  }
}

function dropUnknown(candidates: Candidates): void {
  const { rows, values, count } = candidates;
  let kept = 0;
  for (let index = 0; index < count; index++) {
    if (values[index] === NOTHING) continue;
    rows[kept] = rows[index]!;
    values[kept++] = values[index]!;
  }
  candidates.count = kept;
}
