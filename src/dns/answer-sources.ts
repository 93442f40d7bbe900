// What a responder answers from: all of it changes at once, between two answers.

import type { WideIpSource } from './wide-ip-source.ts';
import { newZoneCounts } from './zone-counts.ts';
import type { ZoneSet } from './zone-set.ts';

export type AnswerSources = {
  readonly zones: ZoneSet;
  /** Where the zones' queries are counted (`ZoneCounter`). */
  readonly zoneCounts: Float64Array;
  /** undefined: there are none. */
  readonly wideIps: WideIpSource | undefined;
};

/** Zones alone, counted in an array of their own, or with wide IPs in front. */
export function answerSources(zones: ZoneSet, wideIps?: WideIpSource): AnswerSources {
  return { zones, zoneCounts: newZoneCounts(zones.tables.length), wideIps };
}
