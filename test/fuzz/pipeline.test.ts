// time-out: 900 s
// Mutated frames through the whole data plane: all accounted for, and none of them kept. WIDEPLANE_FUZZ_FRAMES says how many (a
// million otherwise, forty in the long form), and WIDEPLANE_FUZZ_SEED with which seed; a failure prints the seed and where it
// happened.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Drop, DROP_NAMES } from '../../src/core/drop-reason.ts';
import { Book, imbalance } from '../../src/pipeline/books.ts';
import { Rig } from '../support/dataplane-rig.ts';
import type { FuzzPort, OfferedMetadata } from '../support/fuzz-port.ts';
import { Mutator } from './mutator.ts';
import { DICTIONARY, SEEDS } from './seeds.ts';
import { buildTopology } from './topology.ts';

const { WIDEPLANE_FUZZ_FRAMES, WIDEPLANE_FUZZ_SEED, WIDEPLANE_LONG } = process.env;
const FRAMES = Number(WIDEPLANE_FUZZ_FRAMES ?? (WIDEPLANE_LONG === undefined ? 1_000_000 : 40_000_000));
const SEED = Number(WIDEPLANE_FUZZ_SEED ?? 20_261_121);
const BATCH = 64;
/** Hits of each reason, and the share of frames that must be accepted. */
const HITS = 100;
const ACCEPTED = 0.2;

/** What the heap, and the process, may have grown by in the end: nothing is kept of a frame. */
const HEAP_GROWTH_OCTETS = 8 << 20;
const PROCESS_GROWTH_OCTETS = 96 << 20;

/** Enough for the flooding of one batch of frames; the second is not, so that copies fail. */
const POOLS = [
  { smallSlots: 4096, largeSlots: 512, packetSlots: 16 },
  { smallSlots: 48, largeSlots: 4, packetSlots: 0 },
];

/** Reasons that no frame in the pipeline can meet, and what proves them instead. */
const ELSEWHERE: Record<number, string> = {
  [Drop.adapterDown]: 'names the state of an interface whose adapter could not be loaded; no frame comes that far',
  ...Object.fromEntries(
    Object.entries(Drop)
      .filter(([key]) => key.startsWith('ipsec'))
      .map(([, verdict]) => [
        verdict,
        'needs keys and policies: test/fuzz/ipsec.test.ts and test/interop/ipsec-policies.test.ts',
      ]),
  ),
};

function mutateMetadata(mutator: Mutator, metadata: OfferedMetadata, octets: number): OfferedMetadata {
  const { random } = mutator;
  if (random.chance(88)) return metadata;
  switch (random.below(7)) {
    case 0:
      return { ...metadata, checksumStart: random.below(octets + 20), checksumOffset: random.below(60) };
    case 1:
      return {
        ...metadata,
        gsoType: random.pick([1, 3, 4, 5, 0x81, 0x21]),
        gsoSize: random.pick([0, 1, 40, 500, 65_535]),
      };
    case 2:
      return { ...metadata, truncatedFrom: octets + 1 + random.below(1000) };
    case 3:
      return {
        ...metadata,
        vlanTpid: random.pick([0x8100, 0x88a8]),
        vlanTci: random.pick([0, 30, 50, 100, 200, 4095]),
      };
    case 4:
      return { ...metadata, headroom: random.below(60), vlanTpid: random.pick([0, 0x88a8, 0x88a8]), vlanTci: 7 };
    case 5:
      return { ...metadata, tos: random.below(256) };
    default:
      return { ...metadata, checksumVerified: 1 };
  }
}

function offerBatch(mutator: Mutator, ports: readonly FuzzPort[]): void {
  for (let index = 0; index < BATCH; index++) {
    const seed = mutator.random.pick(SEEDS);
    const other = mutator.random.pick(SEEDS);
    const octets = mutator.mutate(seed.octets, seed.layout, other.octets);
    ports[seed.port]!.offer(octets, mutateMetadata(mutator, seed.metadata, octets.length));
  }
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Octets of the heap that are in use, buffers counted, and of the process. */
function memory(): { heap: number; process: number } {
  collectGarbage();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, process: rss };
}

function add(total: Record<string, number>, more: Record<string, number>): void {
  for (const [name, count] of Object.entries(more)) total[name] = (total[name] ?? 0) + count;
}

/** Lets everything that waits be given up, and looks whether anything is missing. */
function assertSettled(rig: Rig, ports: readonly FuzzPort[], slots: number): void {
  // IPv6 packets of which fragments are missing wait longest.
  for (let second = 0; second < 62; second++) rig.advance(1001);
  const { books } = rig;
  const sum = (field: 'offered' | 'transmitted'): number => ports.reduce((total, port) => total + port[field], 0);
  assert.equal(imbalance(books), 0);
  assert.equal(books[Book.received], sum('offered'));
  assert.equal(books[Book.transmitted], sum('transmitted'));
  assert.equal(books[Book.held], 0);
  assert.equal(
    Object.values(rig.drops()).reduce((total, count) => total + count, 0),
    books[Book.dropped],
  );
  assert.equal(rig.pool.free, slots, 'every buffer came back');
}

describe('mutated frames', () => {
  it('are all accounted for, meet every drop reason, and are accepted often enough', (t) => {
    const drops: Record<string, number> = {};
    let received = 0;
    const grown = { heap: 0, process: 0 };
    POOLS.forEach((pool, which) => {
      const mutator = new Mutator(SEED + which, DICTIONARY);
      const { rig, ports } = buildTopology(mutator.random, pool);
      const batches = Math.ceil(FRAMES / POOLS.length / BATCH);
      const warm = Math.ceil(batches / 10);
      let before = memory();
      for (let batch = 0; batch < batches; batch++) {
        // By then every path was taken and is compiled, and the tables are as full as they get.
        if (batch === warm) before = memory();
        offerBatch(mutator, ports);
        // Time goes by seldom: what waits for a neighbour must pile up now and then.
        if (batch % 24 === 0) rig.nowMs += 1001;
        try {
          rig.dataplane.breath();
        } catch (error) {
          throw new Error(`batch ${batch} of pool ${which} with WIDEPLANE_FUZZ_SEED=${SEED}`, { cause: error });
        }
      }
      const after = memory();
      grown.heap = Math.max(grown.heap, after.heap - before.heap);
      grown.process = Math.max(grown.process, after.process - before.process);
      assertSettled(rig, ports, pool.smallSlots + pool.largeSlots + pool.packetSlots);
      received += rig.books[Book.received]!;
      add(drops, rig.drops());
    });
    t.diagnostic(`${FRAMES} frames, seed ${SEED}: ${JSON.stringify(drops)}`);
    t.diagnostic(`grown by ${grown.heap} octets of heap, ${grown.process} of the process`);
    assert.ok(grown.heap < HEAP_GROWTH_OCTETS, `the heap has grown by ${grown.heap} octets`);
    assert.ok(grown.process < PROCESS_GROWTH_OCTETS, `the process has grown by ${grown.process} octets`);

    const dropped = Object.values(drops).reduce((total, count) => total + count, 0);
    assert.ok(received >= FRAMES);
    // Copies that are dropped count against it too, so this is a lower bound.
    assert.ok((received - dropped) / received >= ACCEPTED, `${dropped} drops of ${received} frames, seed ${SEED}`);
    const scarce = Object.values(Drop)
      .filter((verdict) => ELSEWHERE[verdict] === undefined && (drops[DROP_NAMES[verdict]!] ?? 0) < HITS)
      .map((verdict) => `${DROP_NAMES[verdict]!}: ${drops[DROP_NAMES[verdict]!] ?? 0}`);
    assert.deepEqual(scarce, [], `seed ${SEED}`);
    for (const verdict of Object.keys(ELSEWHERE)) {
      assert.equal(drops[DROP_NAMES[Number(verdict)]!], undefined, 'is listed as impossible here');
    }
  });

  it('give the same result with the same seed', () => {
    const run = (): number[] => {
      const mutator = new Mutator(SEED, DICTIONARY);
      const { rig, ports } = buildTopology(mutator.random, POOLS[0]!);
      for (let batch = 0; batch < 50; batch++) {
        offerBatch(mutator, ports);
        rig.dataplane.breath();
      }
      return [...rig.books];
    };
    assert.deepEqual(run(), run());
  });
});
