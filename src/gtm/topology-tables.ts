// Topology as numbers: what a thread that scores is given.

import type { WideIpType } from './description.ts';

/** What records are held against on their server side: a pool as a whole, or a member of one. */
export type TopologySubject = {
  readonly pool: { readonly type: WideIpType; readonly name: string };
  /** Of the member, or of all members of the pool. */
  readonly datacenters: readonly string[];
  /** 4 or 16 octets each. */
  readonly addresses: readonly Uint8Array[];
};

/** Plain data in shared memory. */
export type TopologyTables = {
  /** Names of records in the order in which they are looked at. */
  readonly records: readonly string[];
};
