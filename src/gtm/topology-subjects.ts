// What topology is asked about: pools as a whole and single members, where a mode goes by topology.

import type { GtmPool, MemberMode } from './description.ts';
import type { GtmIndex } from './tables.ts';
import type { TopologyPlace, TopologySubject } from './topology-tables.ts';

const MODES: ReadonlySet<MemberMode> = new Set(['topology', 'quality-of-service']);
/** The subject of everything that nobody scores. */
const NOTHING: TopologySubject = { pool: { type: 'a', name: '' }, members: [] };

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
    const places: TopologyPlace[] = [];
    for (let member = firstMember; member < firstMember + members; member++) places.push(...this.#placesOf(member));
    subject = this.#add({ pool, members: places });
    this.#ofPools.set(pool, subject);
    return subject;
  }

  /** The number of a member, 0 where its pool has no mode that goes by topology. */
  ofMember(number: number): number {
    const { pool: poolNumber } = this.#index.members[number]!;
    const { pool } = this.#index.pools[poolNumber]!;
    if (!MODES.has(pool.preferred) && !MODES.has(pool.alternate) && !MODES.has(pool.fallback)) return 0;
    return this.#add({ pool, members: this.#placesOf(number) });
  }

  /** Where a member is: nowhere when it is a name. */
  #placesOf(member: number): TopologyPlace[] {
    const found = this.#index.virtualServers[this.#index.members[member]!.virtualServer];
    if (found === undefined) return [];
    return [{ datacenter: found.server.datacenter, address: found.virtualServer.address }];
  }

  #add({ pool: { type, name }, members }: TopologySubject): number {
    return this.all.push({ pool: { type, name }, members }) - 1;
  }
}
