// What topology is asked about: pools as a whole and single members, where a mode goes by topology.

import type { GtmPool, MemberMode } from './description.ts';
import type { GtmIndex } from './tables.ts';
import type { TopologySubject } from './topology-tables.ts';

const MODES: ReadonlySet<MemberMode> = new Set(['topology', 'quality-of-service']);
/** The subject of everything that nobody scores. */
const NOTHING: TopologySubject = { pool: { type: 'a', name: '' }, datacenters: [], addresses: [] };

export class TopologySubjects {
  /** By number. */
  readonly all: TopologySubject[] = [NOTHING];
  readonly #index: GtmIndex;
  readonly #ofPools = new Map<GtmPool, number>();

  constructor(index: GtmIndex) {
    this.#index = index;
  }

  /** The number of a pool with all of its members. */
  ofPool(number: number): number {
    const { pool, firstMember, members } = this.#index.pools[number]!;
    let subject = this.#ofPools.get(pool);
    if (subject !== undefined) return subject;
    const datacenters = new Set<string>();
    const addresses: Uint8Array[] = [];
    for (let member = firstMember; member < firstMember + members; member++) {
      const found = this.#index.virtualServers[this.#index.members[member]!.virtualServer];
      if (found === undefined) continue;
      datacenters.add(found.server.datacenter);
      addresses.push(found.virtualServer.address);
    }
    subject = this.#add({ pool, datacenters: [...datacenters], addresses });
    this.#ofPools.set(pool, subject);
    return subject;
  }

  /** The number of a member, 0 where its pool has no mode that goes by topology. */
  ofMember(number: number): number {
    const { pool: poolNumber, virtualServer } = this.#index.members[number]!;
    const { pool } = this.#index.pools[poolNumber]!;
    if (!MODES.has(pool.preferred) && !MODES.has(pool.alternate) && !MODES.has(pool.fallback)) return 0;
    const found = this.#index.virtualServers[virtualServer];
    return this.#add({
      pool,
      datacenters: found === undefined ? [] : [found.server.datacenter],
      addresses: found === undefined ? [] : [found.virtualServer.address],
    });
  }

  #add({ pool: { type, name }, datacenters, addresses }: TopologySubject): number {
    return this.all.push({ pool: { type, name }, datacenters, addresses }) - 1;
  }
}
