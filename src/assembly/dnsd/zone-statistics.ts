// What zones were asked, over all tables that they have had: numbers are counted by the place of a table in its set, which changes
// with each set, and kept here by origin.

import { formatName } from '../../dns/name.ts';
import { newZoneCounts, ZONE_COUNTERS } from '../../dns/zone-counts.ts';
import { NodeField, type ZoneTable } from '../../dns/zone-table.ts';

export class ZoneStatistics {
  #origins: readonly string[] = [];
  /** Arrays that are counted in at present: each thread has one of its own. */
  #counts: Float64Array[] = [];
  /** What was counted in earlier arrays, less what it was at the last reset. */
  readonly #before = new Map<string, Float64Array>();

  /** Goes over to another set of zones. What is returned settles the old arrays, once nobody counts in them any more. */
  begin(tables: readonly ZoneTable[]): () => void {
    const [origins, old] = [this.#origins, this.#counts];
    this.#origins = tables.map(({ octets, nodes }) => formatName(octets, nodes[NodeField.nameAt]));
    this.#counts = [];
    return () => origins.forEach((origin, index) => this.#add(origin, old, index, 1));
  }

  /** An array for one more thread that answers from the zones. */
  allocate(): Float64Array {
    const counts = newZoneCounts(this.#origins.length);
    this.#counts.push(counts);
    return counts;
  }

  /** Numbers of a zone by `ZoneCounter`. */
  read(origin: string): Float64Array {
    const sum = Float64Array.from(this.#before.get(origin) ?? new Float64Array(ZONE_COUNTERS));
    const index = this.#origins.indexOf(origin);
    if (index >= 0) addCounts(sum, this.#counts, index, 1);
    return sum;
  }

  reset(origin: string): void {
    this.#before.delete(origin);
    const index = this.#origins.indexOf(origin);
    if (index >= 0) this.#add(origin, this.#counts, index, -1);
  }

  #add(origin: string, counts: readonly Float64Array[], index: number, sign: number): void {
    const sum = this.#before.get(origin) ?? new Float64Array(ZONE_COUNTERS);
    this.#before.set(origin, sum);
    addCounts(sum, counts, index, sign);
  }
}

function addCounts(sum: Float64Array, counts: readonly Float64Array[], index: number, sign: number): void {
  for (const each of counts) {
    for (let counter = 0; counter < ZONE_COUNTERS; counter++) {
      sum[counter]! += sign * each[index * ZONE_COUNTERS + counter]!;
    }
  }
}
