// What a thread answers from, as plain data over memory that all of them share; what it counts in is its own.

import { randomFillSync } from 'node:crypto';
import { type AnswerSources, answerSources } from '../../dns/answer-sources.ts';
import { newZoneCounts } from '../../dns/zone-counts.ts';
import { ZoneSet } from '../../dns/zone-set.ts';
import type { ZoneTable } from '../../dns/zone-table.ts';
import type { GtmCounts } from '../../gtm/counts.ts';
import { DecisionLog, type LoggedDecision } from '../../gtm/decision-log.ts';
import { GeoDatabase } from '../../gtm/geo-database.ts';
import { type PersistMemory, PersistTable } from '../../gtm/persist-table.ts';
import { Xoshiro } from '../../gtm/random.ts';
import { type ResolverMemory, ResolverNotes } from '../../gtm/resolver-notes.ts';
import type { StateMemory } from '../../gtm/state-journal.ts';
import type { WideIpTables } from '../../gtm/tables.ts';
import { WideIpAnswerer } from '../../gtm/wide-ip-answerer.ts';

export type WideIpData = {
  /** One more with each other tables. */
  readonly version: number;
  readonly tables: WideIpTables;
  readonly state: StateMemory;
  readonly persistence: PersistMemory;
  /** undefined: nobody wants to know. */
  readonly resolvers?: ResolverMemory;
  readonly counts: GtmCounts;
  /** Files of databases of places, for topology. */
  readonly databases: readonly Uint8Array[];
};

/** A decision, and the version of the tables whose numbers it has. */
export type VersionedDecision = { readonly version: number; readonly decision: LoggedDecision };

export type SourceData = {
  readonly zones: readonly ZoneTable[];
  /** What zones are asked (`ZoneCounter`). */
  readonly zoneCounts: Float64Array;
  /** undefined: there are none. */
  readonly wideIps?: WideIpData;
};

/** Zones alone, counted where nobody looks. */
export const zonesAlone = (zones: readonly ZoneTable[]): SourceData => ({
  zones,
  zoneCounts: newZoneCounts(zones.length),
});

/** What one thread answers from; `follow` goes over to what is there now, and what goes on from answer to answer goes on. */
export class Sources {
  current: AnswerSources = answerSources(new ZoneSet([]));
  #version = 0;
  #answerer: WideIpAnswerer | undefined;
  readonly #decided: (decision: VersionedDecision) => void;

  /** `decided`: is told of decisions that shall be logged. */
  constructor(decided: (decision: VersionedDecision) => void) {
    this.#decided = decided;
  }

  follow({ zones, zoneCounts, wideIps }: SourceData): AnswerSources {
    if (wideIps === undefined) this.#answerer = undefined;
    else if (wideIps.version !== this.#version || this.#answerer === undefined) this.#answerer = this.#replace(wideIps);
    this.#version = wideIps?.version ?? 0;
    this.current = { zones: new ZoneSet(zones), zoneCounts, wideIps: this.#answerer };
    return this.current;
  }

  #replace({ version, tables, state, persistence, resolvers, counts, databases }: WideIpData): WideIpAnswerer {
    const answerer = new WideIpAnswerer(tables, state, {
      random: new Xoshiro(randomFillSync(new Uint32Array(4))),
      persistence: new PersistTable(persistence),
      resolvers: resolvers && new ResolverNotes(resolvers),
      counts,
      geo: databases.map((octets) => new GeoDatabase(octets)),
      decisions: new DecisionLog((decision) => this.#decided({ version, decision })),
    });
    // Tables say what the numbers of the ones before them have become.
    if (this.#answerer !== undefined && version === this.#version + 1) answerer.carry(this.#answerer);
    return answerer;
  }
}
