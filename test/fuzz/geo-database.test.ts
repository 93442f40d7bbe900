// Databases of places that are damaged: they are refused with a reason or opened, and then every lookup ends and none throws.
// WIDEPLANE_FUZZ_DATABASES says how many (a hundred thousand otherwise, ten times that in the long form), WIDEPLANE_FUZZ_SEED with which seed.
// time-out: 900 s

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { GeoDatabase } from '../../src/gtm/geo-database.ts';
import { randomDatabase, writeGeoDatabase } from '../support/geo-databases.ts';
import { Random } from './mutator.ts';

const { WIDEPLANE_FUZZ_DATABASES, WIDEPLANE_FUZZ_SEED, WIDEPLANE_LONG } = process.env;
const DATABASES = Number(WIDEPLANE_FUZZ_DATABASES ?? (WIDEPLANE_LONG === undefined ? 100_000 : 1_000_000));
const random = new Random(Number(WIDEPLANE_FUZZ_SEED ?? 20_261_130));
const LOOKUPS = 8;
const MOST_MS = 1000;
/** Databases of each outcome at least. */
const HITS = 1000;
/** Metadata and a little more. */
const TAIL_OCTETS = 300;

function seeds(): Uint8Array[] {
  const directory = mkdtempSync(join(tmpdir(), 'geo-fuzz-'));
  const all = ([24, 28, 32] as const).flatMap((recordSize) =>
    ([4, 6] as const).map((ipVersion) => {
      const database = randomDatabase(random, { ipVersion, recordSize, networks: 12 });
      return writeGeoDatabase(join(directory, 'seed.mmdb'), database);
    }),
  );
  rmSync(directory, { recursive: true });
  return all;
}

/** A few octets are others, or are away, or the file ends early. */
function mutate(seed: Uint8Array): Uint8Array {
  const octets = seed.slice();
  const near = random.pick([0, 0, octets.length >>> 1, octets.length - TAIL_OCTETS]);
  for (let left = 1 + random.below(random.pick([1, 4, 64])); left > 0; left--) {
    const at = near + random.below(octets.length - near);
    octets[at] = random.pick([0, 1, 0xff, 0x20, 0x38, 0xe0, octets[at]! ^ (1 << random.below(8)), random.below(256)]);
  }
  if (random.chance(90)) return octets;
  const cut = random.below(octets.length);
  if (random.chance(50)) return octets.subarray(0, cut);
  return Uint8Array.from([...octets.subarray(0, cut), ...octets.subarray(cut + 1 + random.below(20))]);
}

it('a database that is damaged is refused with a reason, or answers', () => {
  const originals = seeds();
  const outcomes = { refused: 0, nothing: 0, damaged: 0, whole: 0 };
  const address = new Uint8Array(16);
  let longest = 0;
  for (let count = 0; count < DATABASES; count++) {
    const octets = mutate(random.pick(originals));
    const start = performance.now();
    let database: GeoDatabase | undefined;
    try {
      database = new GeoDatabase(octets);
    } catch (error) {
      assert.equal(Object.getPrototypeOf(error), Error.prototype, String(error));
      assert.match((error as Error).message, /metadata|format|ip_version|record_size|node_count|search tree/);
      outcomes.refused++;
    }
    for (let lookup = 0; lookup < LOOKUPS && database !== undefined; lookup++) {
      const length = random.pick([4, 16]);
      for (let index = 0; index < 16; index++) address[index] = random.pick([0, 10, 11, 100, 200, random.below(256)]);
      const leaf = database.find(address, 0, length);
      if (leaf < 0) outcomes.nothing++;
      else if (database.value(leaf) === undefined) outcomes.damaged++;
      else outcomes.whole++;
      if (leaf >= 0) database.facts(leaf);
    }
    longest = Math.max(longest, performance.now() - start);
  }
  assert.ok(longest < MOST_MS, `${longest} ms for one`);
  for (const [outcome, hits] of Object.entries(outcomes)) assert.ok(hits >= HITS, `${outcome}: ${hits}`);
});
