// What may be answered, by its rules (docs/decisions/availability.md) and nothing else: each question is asked anew, however often,
// of the description and of what is known.

import { type Limits, WIDE_IP_TYPES, type WideIpType } from '../../src/gtm/description.ts';
import { type Facts, type FactStatus, memberKey } from '../../src/gtm/facts.ts';
import { Status } from '../../src/gtm/state-layout.ts';
import type { GtmIndex, MemberEntry } from '../../src/gtm/tables.ts';

type Load = {
  connections?: number | undefined;
  packetsPerSecond?: number | undefined;
  kilobytesPerSecond?: number | undefined;
};

const above = (value: number | undefined, limit: number | undefined): boolean =>
  value !== undefined && limit !== undefined && value > limit;
const isOver = (limits: Limits, load: Load | undefined): boolean =>
  above(load?.connections, limits.connections) ||
  above(load?.packetsPerSecond, limits.packetsPerSecond) ||
  above((load?.kilobytesPerSecond ?? 0) * 8000, limits.bitsPerSecond);
const up = (status: Status): boolean => status === Status.available || status === Status.unknown;

export class GtmModel {
  readonly #index: GtmIndex;
  readonly #facts: Facts;

  constructor(index: GtmIndex, facts: Facts) {
    this.#index = index;
    this.#facts = facts;
  }

  isSaidOffline(virtualServer: number): boolean {
    const { key, server } = this.#index.virtualServers[virtualServer]!;
    return [this.#facts.virtualServers.get(key), this.#facts.servers.get(server.name)].some(
      (facts) => facts?.status === 'offline',
    );
  }

  virtualServerOwn(number: number): Status {
    const { key, server, virtualServer } = this.#index.virtualServers[number]!;
    const datacenter = this.#index.datacenters.find(({ name }) => name === server.datacenter)!;
    const facts = this.#facts.virtualServers.get(key);
    const serverFacts = this.#facts.servers.get(server.name);
    if (!virtualServer.enabled || !server.enabled || !datacenter.enabled) return Status.disabled;
    if (this.isSaidOffline(number)) return Status.offline;
    if (isOver(virtualServer.limits, facts) || isOver(server.limits, serverFacts)) return Status.unavailable;
    if (above(serverFacts?.cpu, server.limits.cpuUsage)) return Status.unavailable;
    if (above(server.limits.memoryAvailable, serverFacts?.memoryAvailable)) return Status.unavailable;
    return facts?.status === 'available' ? Status.available : Status.unknown;
  }

  virtualServer(number: number): Status {
    const own = this.virtualServerOwn(number);
    if (!up(own)) return own;
    const isMet = this.#index.virtualServers[number]!.virtualServer.dependsOn.every((key) => {
      const other = this.#byKey(key);
      if (other < 0) return false;
      return up(this.#dependsOn(other, number) ? this.virtualServerOwn(other) : this.virtualServer(other));
    });
    return isMet ? own : Status.unavailable;
  }

  /** Whether one virtual server depends on another, in one step or in more; or is the same. */
  #dependsOn(from: number, on: number): boolean {
    return reaches(from, on, (number) =>
      this.#index.virtualServers[number]!.virtualServer.dependsOn.map((key) => this.#byKey(key)).filter(
        (other) => other >= 0,
      ),
    );
  }

  #byKey(key: string): number {
    return this.#index.virtualServers.findIndex((entry) => entry.key === key);
  }

  /** As the pool and the member itself are; and as all that is not theirs. */
  isEnabled(number: number): { own: boolean; rest: boolean } {
    const { member, pool, virtualServer } = this.#index.members[number]!;
    const entry = this.#index.pools[pool]!;
    const own = member.enabled && entry.pool.enabled;
    if (virtualServer < 0) return { own, rest: true };
    const { server } = this.#index.virtualServers[virtualServer]!;
    const isLeftOut = (entry.application?.disabledContexts ?? []).some(
      ({ kind, name }) => name === { server: server.name, datacenter: server.datacenter, link: undefined }[kind],
    );
    return { own, rest: !isLeftOut && this.virtualServerOwn(virtualServer) !== Status.disabled };
  }

  /** A member without its application. `isAlone`: names of a loop count as down. */
  #health(number: number, isAlone: boolean): Status {
    const { member, pool: poolNumber, virtualServer } = this.#index.members[number]!;
    const { pool } = this.#index.pools[poolNumber]!;
    const named = virtualServer >= 0 ? this.#watched(number) : this.#name(number, isAlone);
    if (named === Status.disabled || named === Status.offline) return named;
    if (this.#facts.held.has(memberKey(pool.type, pool.name, member.name))) return Status.offline;
    if (!up(named)) return Status.unavailable;
    const others = member.dependsOn.map((key) => this.#byKey(key));
    if (others.some((other) => other < 0 || !up(this.virtualServer(other)))) return Status.unavailable;
    const facts = virtualServer < 0 ? undefined : this.#factsOf(virtualServer);
    return isOver(member.limits, facts) ? Status.unavailable : named;
  }

  /** A member's virtual server, with what is said of the member itself. */
  #watched(number: number): Status {
    const ofVirtualServer = this.virtualServer(this.#index.members[number]!.virtualServer);
    const said = this.memberSaid(number);
    if (ofVirtualServer !== Status.disabled && said === 'offline') return Status.offline;
    if (ofVirtualServer === Status.unknown && said === 'available') return Status.available;
    return ofVirtualServer;
  }

  memberSaid(number: number): FactStatus | undefined {
    const { member, pool } = this.#index.members[number]!;
    const { type, name } = this.#index.pools[pool]!.pool;
    return this.#facts.members.get(memberKey(type, name, member.name))?.status;
  }

  #factsOf(virtualServer: number): Load | undefined {
    return this.#facts.virtualServers.get(this.#index.virtualServers[virtualServer]!.key);
  }

  #name(number: number, isAlone: boolean): Status {
    const entry = this.#index.members[number]!;
    const { type } = this.#index.pools[entry.pool]!.pool;
    if (type === 'a' || type === 'aaaa') return Status.offline;
    const targets = this.#targets(entry);
    if (targets.length === 0) return type === 'cname' && !entry.member.isStatic ? Status.offline : Status.unknown;
    const isUp = targets.some((wideIp) => {
      if (!this.#leadsTo(`wide IP ${wideIp}`, `pool ${entry.pool}`)) return this.isAvailable(wideIp);
      return !isAlone && this.#isAvailableAlone(wideIp);
    });
    return isUp ? Status.available : Status.unavailable;
  }

  #targets({ member, pool }: MemberEntry): number[] {
    const { type } = this.#index.pools[pool]!.pool;
    if (member.isStatic || type === 'a' || type === 'aaaa') return [];
    const name = member.name.toLowerCase();
    const asked = type === 'mx' || type === 'srv' ? (['a', 'aaaa'] as const) : WIDE_IP_TYPES;
    // A cname wide IP stands for every type that its name has no wide IP of.
    const found = asked.map((each) => {
      const ofType = (wanted: WideIpType): number =>
        this.#index.wideIps.findIndex(
          ({ wideIp }) => wideIp.type === wanted && (wideIp.domain === name || wideIp.aliases.includes(name)),
        );
      return ofType(each) >= 0 ? ofType(each) : ofType('cname');
    });
    return [...new Set(found)].filter((number) => number >= 0);
  }

  #leadsTo(from: string, to: string): boolean {
    const { wideIps, members } = this.#index;
    return reaches(from, to, (node) => {
      const number = Number(node.split(' ').at(-1));
      if (node.startsWith('pool')) {
        const own = members.filter(({ pool }) => pool === number);
        return own.flatMap((entry) => this.#targets(entry)).map((wideIp) => `wide IP ${wideIp}`);
      }
      const { pools, lastResort, application } = wideIps[number]!;
      const fellows = application?.dependencyLevel === 'wideip' ? wideIps : [];
      return [
        ...[...pools, lastResort].map((pool) => `pool ${pool}`),
        ...fellows.flatMap((other, index) => (other.application === application ? [`wide IP ${index}`] : [])),
      ];
    });
  }

  #isContextDown(number: number): boolean {
    const { pool, virtualServer } = this.#index.members[number]!;
    const { application } = this.#index.pools[pool]!;
    const level = application?.dependencyLevel;
    if (virtualServer < 0 || (level !== 'server' && level !== 'datacenter')) return false;
    const contextOf = (other: number): string => {
      const { server } = this.#index.virtualServers[other]!;
      return level === 'server' ? server.name : server.datacenter;
    };
    return this.#index.members.some((other, index) => {
      if (this.#index.pools[other.pool]!.application !== application || other.virtualServer < 0) return false;
      if (contextOf(other.virtualServer) !== contextOf(virtualServer)) return false;
      const { own, rest } = this.isEnabled(index);
      return own && rest && !up(this.#health(index, false));
    });
  }

  #verifies(pool: number): boolean {
    return (
      this.#index.description.settings.verifyVsAvailability && this.#index.pools[pool]!.pool.verifyMemberAvailability
    );
  }

  member(number: number, isAlone = false): { status: Status; usable: boolean; fallback: boolean; drains: boolean } {
    const { pool, virtualServer, member } = this.#index.members[number]!;
    const { type } = this.#index.pools[pool]!.pool;
    const { respectFallbackDependency, drainPersistentRequests } = this.#index.description.settings;
    let health = this.#health(number, isAlone);
    if (up(health) && this.#isContextDown(number)) health = Status.unavailable;
    const { own, rest } = this.isEnabled(number);
    const isAddress = type === 'a' || type === 'aaaa';
    const isNothing =
      virtualServer < 0 &&
      (isAddress || (type === 'cname' && !member.isStatic && this.#targets(this.#index.members[number]!).length === 0));
    const isGood = !isNothing && (up(health) || !this.#verifies(pool));
    const usable = own && rest && isGood;
    return {
      status: own && rest ? health : Status.disabled,
      usable,
      fallback: own && rest && !isNothing && (usable || !respectFallbackDependency),
      drains: drainPersistentRequests && isGood && !own && rest,
    };
  }

  /** How many of its members may be answered. */
  pool(number: number, isAlone = false): number {
    const { pool, firstMember, members } = this.#index.pools[number]!;
    const all = Array.from({ length: members }, (_, index) => firstMember + index);
    const enabled = all.filter((member) => this.isEnabled(member).own && this.isEnabled(member).rest);
    const usable = all.filter((member) => this.member(member, isAlone).usable).length;
    const { mode, value } = pool.minMembersUp;
    const least = mode === 'off' ? 0 : mode === 'number' ? value : (value * enabled.length) / 100;
    const sum = (key: keyof Load): number =>
      enabled.reduce((total, member) => {
        const { virtualServer } = this.#index.members[member]!;
        return total + ((virtualServer < 0 ? undefined : this.#factsOf(virtualServer)?.[key]) ?? 0);
      }, 0);
    const load = {
      connections: sum('connections'),
      packetsPerSecond: sum('packetsPerSecond'),
      kilobytesPerSecond: sum('kilobytesPerSecond'),
    };
    if (!pool.enabled || usable < least || (this.#verifies(number) && isOver(pool.limits, load))) return 0;
    return usable;
  }

  #isByPools(wideIp: number, isAlone: boolean): boolean {
    const { pools, lastResort, wideIp: description } = this.#index.wideIps[wideIp]!;
    const all = lastResort < 0 ? pools : [...pools, lastResort];
    return description.enabled && all.some((pool) => this.pool(pool, isAlone) > 0);
  }

  #isAvailableAlone(wideIp: number): boolean {
    return this.#isByPools(wideIp, true);
  }

  isAvailable(wideIp: number): boolean {
    const { application } = this.#index.wideIps[wideIp]!;
    const fellows = this.#index.wideIps.flatMap((other, number) =>
      application?.dependencyLevel === 'wideip' && other.application === application && other.wideIp.enabled
        ? [number]
        : [],
    );
    return this.#isByPools(wideIp, false) && fellows.every((fellow) => this.#isByPools(fellow, false));
  }
}

function reaches<T>(from: T, to: T, next: (node: T) => readonly T[]): boolean {
  const seen = new Set([from]);
  for (const node of seen) for (const each of next(node)) seen.add(each);
  return seen.has(to);
}
