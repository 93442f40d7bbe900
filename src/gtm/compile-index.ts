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

/** An index, and what its numbers of pools stand beside. */
export type CompiledIndex = {
  readonly index: GtmIndex;
  /** By wide IP: the ratios of its references, as WideIpEntry.pools has their pools. */
  readonly ratios: readonly (readonly number[])[];
};

/** Pools that are not there are left out. */
export function compileIndex(description: GtmDescription, targets: TargetFinder): CompiledIndex {
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
  const ratios: (readonly number[])[] = [];
  for (const wideIp of description.wideIps) {
    const application = applications.get(`${wideIp.type} ${wideIp.name}`);
    const { lastResort } = wideIp;
    const references = referencesOf(wideIp, application, pools);
    const last = lastResort === undefined ? NOBODY : pools.numberOf(lastResort.type, lastResort.pool, application);
    wideIps.push({ wideIp, application, pools: references.pools, lastResort: last });
    ratios.push(references.ratios);
  }
  const { datacenters } = description;
  const index = { description, datacenters, virtualServers, pools: pools.entries, members: pools.members, wideIps };
  return { index, ratios };
}

/** Own type and cname together, by order; of the same order the own type first. */
function referencesOf(
  { type, pools: own, cnamePools }: WideIp,
  application: Application | undefined,
  numbers: PoolNumbers,
): { readonly pools: readonly number[]; readonly ratios: readonly number[] } {
  const pools: number[] = [];
  const ratios: number[] = [];
  const add = (typeOfPool: WideIpType, { pool, ratio }: WideIpPool): void => {
    const number = numbers.numberOf(typeOfPool, pool, application);
    if (number === NOBODY) return;
    pools.push(number);
    ratios.push(ratio);
  };
  let alias = 0;
  for (const reference of own) {
    while (alias < cnamePools.length && cnamePools[alias]!.order < reference.order) add('cname', cnamePools[alias++]!);
    add(type, reference);
  }
  while (alias < cnamePools.length) add('cname', cnamePools[alias++]!);
  return { pools, ratios };
}

/** By the type and name of a wide IP the application that it is part of, the first one that has it. */
function applicationsOf({ applications }: GtmDescription): ReadonlyMap<string, Application> {
  const found = new Map<string, Application>();
  for (const application of applications) {
    for (const { type, name } of application.wideIps) {
      const key = `${type} ${name}`;
      if (!found.has(key)) found.set(key, application);
    }
  }
  return found;
}

/** Every pool as such comes first; those that an application looks at in its own way are added when one of its wide IPs has them. */
class PoolNumbers {
  readonly entries: PoolEntry[] = [];
  readonly members: MemberEntry[] = [];
  readonly #byName: Record<WideIpType, Map<string, number>>;
  /** By application and the number of the pool as such. */
  readonly #instances = new Map<Application, Map<number, number>>();
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
    const newNames = (): Map<string, number> => new Map();
    this.#byName = {
      a: newNames(),
      aaaa: newNames(),
      cname: newNames(),
      mx: newNames(),
      naptr: newNames(),
      srv: newNames(),
    };
    for (const pool of pools) this.#byName[pool.type].set(pool.name, this.#add(pool, undefined));
  }

  /** -1 when there is no such pool. */
  numberOf(type: WideIpType, name: string, application: Application | undefined): number {
    const number = this.#byName[type].get(name);
    if (number === undefined) return NOBODY;
    if (application === undefined) return number;
    let instances = this.#instances.get(application);
    if (instances === undefined) this.#instances.set(application, (instances = new Map<number, number>()));
    let instance = instances.get(number);
    if (instance === undefined) instances.set(number, (instance = this.#add(this.entries[number]!.pool, application)));
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
