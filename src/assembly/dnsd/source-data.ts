// What a thread answers from, as plain data over memory that all of them share; what it counts in is its own.

import { type AnswerSources, answerSources } from '../../dns/answer-sources.ts';
import { newZoneCounts } from '../../dns/zone-counts.ts';
import { ZoneSet } from '../../dns/zone-set.ts';
import type { ZoneTable } from '../../dns/zone-table.ts';

export type SourceData = {
  readonly zones: readonly ZoneTable[];
  /** What zones are asked (`ZoneCounter`). */
  readonly zoneCounts: Float64Array;
};

/** Zones alone, counted where nobody looks. */
export const zonesAlone = (zones: readonly ZoneTable[]): SourceData => ({
  zones,
  zoneCounts: newZoneCounts(zones.length),
});

export const NO_SOURCES: AnswerSources = answerSources(new ZoneSet([]));

/** Goes over to what is there now; what goes on from answer to answer goes on. */
export function followSources(_previous: AnswerSources, { zones, zoneCounts }: SourceData): AnswerSources {
  return { zones: new ZoneSet(zones), zoneCounts, wideIps: undefined };
}
