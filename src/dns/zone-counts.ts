// What zones were asked: numbers in shared memory, counted where answers are made and read by whoever shows them.

import { ZoneFinding } from './reply.ts';

/** Numbers of a zone; those of the zone with number n start at n × ZONE_COUNTERS. */
export const ZoneCounter = {
  queries: 0,
  /** Of these, by what the zone said; the others had records. */
  noData: ZoneFinding.noData,
  noName: ZoneFinding.noName,
  referrals: ZoneFinding.referral,
} as const;
export const ZONE_COUNTERS = 4;

/** Room for the numbers of so many zones. */
export function newZoneCounts(zones: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(zones * ZONE_COUNTERS * Float64Array.BYTES_PER_ELEMENT));
}

/** Counts a query that the zone with this number answered. */
export function countZone(counts: Float64Array, zone: number, finding: ZoneFinding): void {
  const base = zone * ZONE_COUNTERS;
  counts[base]!++;
  if (finding !== ZoneFinding.records) counts[base + finding]!++;
}
