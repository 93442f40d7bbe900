// What zones were asked, over all tables that they have had: numbers are counted by the place of a table in its set, which changes
// with each set, and kept here by origin.

import { formatName } from '../../dns/name.ts';
import { newZoneCounts, ZONE_COUNTERS } from '../../dns/zone-counts.ts';
import { NodeField, type ZoneTable } from '../../dns/zone-table.ts';

/** Arrays that are counted in at present: one for each thread. */
export type ZoneCounts = { readonly engine: Float64Array; readonly streams: Float64Array };

export class ZoneStatistics {
  #origins: readonly string[] = [];
  #counts: ZoneCounts = { engine: newZoneCounts(0), streams: newZoneCounts(0) };
  /** What was counted in earlier arrays, less what it was at the last reset. */
  readonly #before = new Map<string, Float64Array>();

  /** Arrays for another set of zones; the old ones are settled once nobody counts in them any more. */
  begin(tables: readonly ZoneTable[]): { counts: ZoneCounts; settle: () => void } {
    const [origins, old] = [this.#origins, this.#counts];
    this.#origins = tables.map(({ octets, nodes }) => formatName(octets, nodes[NodeField.nameAt]));
    this.#counts = { engine: newZoneCounts(tables.length), streams: newZoneCounts(tables.length) };
    const settle = (): void => origins.forEach((origin, index) => this.#add(origin, old, index, 1));
    return { counts: this.#counts, settle };
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

  #add(origin: string, counts: ZoneCounts, index: number, sign: number): void {
    const sum = this.#before.get(origin) ?? new Float64Array(ZONE_COUNTERS);
    this.#before.set(origin, sum);
    addCounts(sum, counts, index, sign);
  }
}

function addCounts(sum: Float64Array, { engine, streams }: ZoneCounts, index: number, sign: number): void {
  for (let counter = 0; counter < ZONE_COUNTERS; counter++) {
    const at = index * ZONE_COUNTERS + counter;
    sum[counter]! += sign * (engine[at]! + streams[at]!);
  }
}
