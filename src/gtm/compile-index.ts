// Gives every object of a description its number.

import type { TargetFinder } from './compile-targets.ts';
import {
  type Application,
  type GtmDescription,
  type GtmPool,
  virtualServerKey,
  type WideIp,
  type WideIpPool,
  type WideIpType,
} from './description.ts';
import type { GtmIndex, MemberEntry, PoolEntry, VirtualServerEntry, WideIpEntry } from './tables.ts';

const NOBODY = -1;

/** A pool of a wide IP, as it is referred to. */
export type Reference = WideIpPool & { readonly type: WideIpType };

/** Own type and cname together, by order; of the same order the own type first. Pools that are not there are left out. */
export function referencesOf({ type, pools, cnamePools }: WideIp, hasPool: (key: string) => boolean): Reference[] {
  const all = pools.map((pool): Reference => ({ ...pool, type }));
  if (cnamePools.length > 0) {
    all.push(...cnamePools.map((pool): Reference => ({ ...pool, type: 'cname' })));
    all.sort((a, b) => a.order - b.order);
  }
  return all.filter(({ type, pool }) => hasPool(poolKey(type, pool)));
}

export function poolKey(type: WideIpType, name: string): string {
  return `${type} ${name}`;
}

/** The index, and by wide IP its references, as WideIpEntry.pools has their pools. */
export function compileIndex(
  description: GtmDescription,
  targets: TargetFinder,
): { readonly index: GtmIndex; readonly references: readonly (readonly Reference[])[] } {
  const virtualServers: VirtualServerEntry[] = [];
  const byKey = new Map<string, number>();
  for (const server of description.servers) {
    for (const virtualServer of server.virtualServers) {
      const key = virtualServerKey(server.name, virtualServer.name);
      byKey.set(key, virtualServers.length);
      virtualServers.push({ key, server, virtualServer });
    }
  }
  const pools = new PoolNumbers(description, targets, virtualServers, byKey);
  const applications = applicationsOf(description);
  const wideIps: WideIpEntry[] = [];
  const references: (readonly Reference[])[] = [];
  for (const wideIp of description.wideIps) {
    const application = applications.get(poolKey(wideIp.type, wideIp.name));
    const own = referencesOf(wideIp, (key) => pools.has(key));
    const { lastResort } = wideIp;
    references.push(own);
    wideIps.push({
      wideIp,
      application,
      pools: own.map(({ type, pool }) => pools.numberOf(poolKey(type, pool), application)),
      lastResort:
        lastResort === undefined ? -1 : pools.numberOf(poolKey(lastResort.type, lastResort.pool), application),
    });
  }
  const { datacenters } = description;
  const index = { description, datacenters, virtualServers, pools: pools.entries, members: pools.members, wideIps };
  return { index, references };
}

/** By the type and name of a wide IP the application that it is part of, the first one that has it. */
function applicationsOf({ applications }: GtmDescription): ReadonlyMap<string, Application> {
  const found = new Map<string, Application>();
  for (const application of applications) {
    for (const { type, name } of application.wideIps) {
      const key = poolKey(type, name);
      if (!found.has(key)) found.set(key, application);
    }
  }
  return found;
}

/** Every pool as such comes first; those that an application looks at in its own way are added when one of its wide IPs has them. */
class PoolNumbers {
  readonly entries: PoolEntry[] = [];
  readonly members: MemberEntry[] = [];
  readonly #byKey = new Map<string, number>();
  readonly #instances = new Map<Application, Map<string, number>>();
  readonly #targets: TargetFinder;
  readonly #virtualServers: readonly VirtualServerEntry[];
  readonly #virtualServerNumbers: ReadonlyMap<string, number>;

  constructor(
    { pools }: GtmDescription,
    targets: TargetFinder,
    virtualServers: readonly VirtualServerEntry[],
    virtualServerNumbers: ReadonlyMap<string, number>,
  ) {
    this.#targets = targets;
    this.#virtualServers = virtualServers;
    this.#virtualServerNumbers = virtualServerNumbers;
    for (const pool of pools) this.#byKey.set(poolKey(pool.type, pool.name), this.#add(pool, undefined));
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** -1 when there is no such pool. */
  numberOf(key: string, application: Application | undefined): number {
    const number = this.#byKey.get(key);
    if (number === undefined) return -1;
    if (application === undefined) return number;
    let instances = this.#instances.get(application);
    if (instances === undefined) this.#instances.set(application, (instances = new Map()));
    let instance = instances.get(key);
    if (instance === undefined) instances.set(key, (instance = this.#add(this.entries[number]!.pool, application)));
    return instance;
  }

  #add(pool: GtmPool, application: Application | undefined): number {
    const number = this.entries.length;
    const firstMember = this.members.length;
    for (const member of [...pool.members].sort((a, b) => a.order - b.order)) {
      this.members.push({
        pool: number,
        member,
        virtualServer: this.#virtualServerOf(pool, member.name),
        targets: this.#targets.wideIpsOf(pool.type, member),
      });
    }
    this.entries.push({ pool, application, firstMember, members: pool.members.length });
    return number;
  }

  /** -1 also for one whose address is none of the pool's type. */
  #virtualServerOf({ type }: GtmPool, name: string): number {
    if (type !== 'a' && type !== 'aaaa') return NOBODY;
    const number = this.#virtualServerNumbers.get(name) ?? NOBODY;
    const octets = this.#virtualServers[number]?.virtualServer.address.length;
    return octets === (type === 'a' ? 4 : 16) ? number : NOBODY;
  }
}
