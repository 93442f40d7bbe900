// Wide IPs as a thread that answers is given them, from a description and what is known.

import type { WideIpData } from '../../src/assembly/dnsd/source-data.ts';
import { Availability } from '../../src/gtm/availability.ts';
import { compileWideIps } from '../../src/gtm/compile-wide-ips.ts';
import { newGtmCounts } from '../../src/gtm/counts.ts';
import type { GtmDescription } from '../../src/gtm/description.ts';
import { type Facts, newFacts } from '../../src/gtm/facts.ts';
import { newPersistMemory } from '../../src/gtm/persist-table.ts';
import { newStateMemory, StateWriter } from '../../src/gtm/state-journal.ts';

const PERSIST_ENTRIES = 1 << 16;

export type LiveWideIps = {
  readonly data: WideIpData;
  readonly availability: Availability;
  /** What `availability` has set is there with its `commit`. */
  readonly writer: StateWriter;
};

export function liveWideIps(description: GtmDescription, facts: Facts = newFacts()): LiveWideIps {
  const { index, tables } = compileWideIps(description);
  const state = newStateMemory(tables.layout);
  const writer = new StateWriter(state);
  const availability = new Availability(index, writer, facts);
  availability.start();
  const counts = newGtmCounts(tables.layout);
  const data = { version: 1, tables, state, persistence: newPersistMemory(PERSIST_ENTRIES), counts, databases: [] };
  return { data, availability, writer };
}
