// What topology costs, in a process of its own:
//
//   node topology-program.js score FAMILY PREFIXES MILLISECONDS     nanoseconds for the class of a client and four scores
//   node topology-program.js compile RECORDS                        milliseconds

import { compileTopology } from '../../src/gtm/compile-topology.ts';
import type { TopologyRecord, TopologyStatement } from '../../src/gtm/description.ts';
import { TopologyScorer } from '../../src/gtm/topology-scorer.ts';
import type { TopologySubject } from '../../src/gtm/topology-tables.ts';
import { Random } from '../fuzz/mutator.ts';

const DATACENTERS = 8;
const SUBJECTS = 400;
const CLIENTS = 1 << 14;
const SCORES = 4;
const WARM_UP_MS = 300;
/** Clients that are in a prefix of a record. */
const KNOWN_PERCENT = 75;

const [what, first, second, third] = process.argv.slice(2) as [string, string, string?, string?];
const random = new Random(1);
const datacenter = (index: number): string => `/Common/dc${index % DATACENTERS}`;

const subjects: TopologySubject[] = Array.from({ length: SUBJECTS }, (_, index) => ({
  pool: { type: 'a', name: `/Common/pool${index >>> 2}` },
  members: [{ datacenter: datacenter(index), address: Uint8Array.of(192, 0, index >>> 8, index & 255) }],
}));

const randomOctets = (size: number): number[] =>
  Array.from({ length: size }, (_, index) => (size === 16 && index === 0 ? 0x20 : random.below(256)));

function prefixOf(octets: readonly number[]): string {
  if (octets.length === 4) return `${octets.join('.')}/${random.pick([16, 20, 22, 24])}`;
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((octets[2 * index]! << 8) | octets[2 * index + 1]!).toString(16),
  );
  return `${groups.join(':')}/${random.pick([32, 40, 48])}`;
}

function recordsOf(places: readonly (readonly number[])[]): TopologyRecord[] {
  const plain = (kind: 'subnet' | 'datacenter', value: string): TopologyStatement => ({
    isNegated: false,
    kind,
    value,
  });
  return places.map((octets, index) => ({
    name: `record ${index}`,
    ldns: plain('subnet', prefixOf(octets)),
    server: plain('datacenter', datacenter(index)),
    score: random.below(100),
    order: index,
  }));
}

function measureScores(size: 4 | 16, prefixes: number, ms: number): number {
  const places = Array.from({ length: prefixes }, () => randomOctets(size));
  const tables = compileTopology({ regions: [], topology: recordsOf(places), longestMatch: true }, subjects);
  const scorer = new TopologyScorer(tables);
  const addresses = new Uint8Array(CLIENTS * size);
  for (let client = 0; client < CLIENTS; client++) {
    addresses.set(random.chance(KNOWN_PERCENT) ? random.pick(places) : randomOctets(size), client * size);
  }
  let matched = 0;
  const run = (): void => {
    for (let client = 0; client < CLIENTS; client++) {
      const topologyClass = scorer.classOf(addresses, client * size, size);
      const subject = (client & 15) * SCORES;
      for (let step = 0; step < SCORES; step++) if (scorer.score(topologyClass, subject + step) >= 0) matched++;
    }
  };
  const runFor = (limit: number): number => {
    const start = performance.now();
    let runs = 0;
    for (; performance.now() - start < limit; runs++) run();
    return ((performance.now() - start) * 1e6) / (runs * CLIENTS);
  };
  runFor(WARM_UP_MS);
  const nanoseconds = runFor(ms);
  if (matched === 0) throw new Error('no record matches');
  return nanoseconds;
}

function measureCompile(records: number): number {
  const topology = recordsOf(Array.from({ length: records }, () => randomOctets(4)));
  const start = performance.now();
  compileTopology({ regions: [], topology, longestMatch: true }, subjects);
  return performance.now() - start;
}

const measured =
  what === 'compile'
    ? measureCompile(Number(first))
    : measureScores(first === '6' ? 16 : 4, Number(second), Number(third));
console.log(measured.toFixed(1));
