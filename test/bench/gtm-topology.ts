// What topology costs: nanoseconds for the class of a client and four scores, and milliseconds to compile.
//
//   node dist/test/bench/gtm-topology.js

import { compileTopology } from '../../src/gtm/compile-topology.ts';
import type { TopologyRecord, TopologyStatement } from '../../src/gtm/description.ts';
import { TopologyScorer } from '../../src/gtm/topology-scorer.ts';
import type { TopologySubject } from '../../src/gtm/topology-tables.ts';
import { Random } from '../fuzz/mutator.ts';

const DATACENTERS = 8;
const SUBJECTS = 400;
const CLIENTS = 1 << 14;
const ROUNDS = 200;
const SCORES = 4;

const random = new Random(1);
const datacenter = (index: number): string => `/Common/dc${index % DATACENTERS}`;

const subjects: TopologySubject[] = Array.from({ length: SUBJECTS }, (_, index) => ({
  pool: { type: 'a', name: `/Common/pool${index >>> 2}` },
  members: [{ datacenter: datacenter(index), address: Uint8Array.of(192, 0, index >>> 8, index & 255) }],
}));

const prefix = (family: number): string => {
  const octet = (): number => random.below(256);
  if (family === 4) return `${1 + random.below(223)}.${octet()}.${octet()}.0/${random.pick([16, 20, 22, 24])}`;
  return `2${octet().toString(16)}:${octet().toString(16)}:${octet().toString(16)}::/${random.pick([32, 40, 48])}`;
};

function recordsOf(prefixes: number, perPrefix: number, family: number): TopologyRecord[] {
  const plain = (kind: 'subnet' | 'datacenter', value: string): TopologyStatement => ({
    isNegated: false,
    kind,
    value,
  });
  return Array.from({ length: prefixes * perPrefix }, (_, index) => ({
    name: `record ${index}`,
    ldns: plain('subnet', prefix(family)),
    server: plain('datacenter', datacenter(index)),
    score: random.below(100),
    order: index,
  }));
}

function addressesOf(size: number): Uint8Array {
  return Uint8Array.from({ length: CLIENTS * size }, (_, index) =>
    index % size === 0 && size === 16 ? 0x20 + random.below(16) : random.below(256),
  );
}

function measureScores(name: string, family: number, prefixes: number): void {
  const topology = recordsOf(prefixes, 1, family);
  const scorer = new TopologyScorer(compileTopology({ regions: [], topology, longestMatch: true }, subjects));
  const size = family === 4 ? 4 : 16;
  const addresses = addressesOf(size);
  let sum = 0;
  const run = (): void => {
    for (let client = 0; client < CLIENTS; client++) {
      const topologyClass = scorer.classOf(addresses, client * size, size);
      const first = (client & 15) * SCORES;
      for (let subject = first; subject < first + SCORES; subject++) sum += scorer.score(topologyClass, subject);
    }
  };
  for (let round = 0; round < ROUNDS / 10; round++) run();
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    run();
    times.push(Number(process.hrtime.bigint() - start) / CLIENTS);
  }
  times.sort((a, b) => a - b);
  console.log(`${name}: ${times[ROUNDS >>> 1]!.toFixed(0)} ns for a class and ${SCORES} scores (sum ${sum})`);
}

function measureCompile(records: number): void {
  const topology = recordsOf(records, 1, 4);
  const start = performance.now();
  compileTopology({ regions: [], topology, longestMatch: true }, subjects);
  console.log(`${records} records: compiled in ${(performance.now() - start).toFixed(0)} ms`);
}

measureScores('1,000 prefixes of IPv4', 4, 1000);
measureScores('1,000 prefixes of IPv6', 6, 1000);
measureScores('10,000 prefixes of IPv4', 4, 10_000);
for (const records of [10_000, 10_000, 100_000]) measureCompile(records);
