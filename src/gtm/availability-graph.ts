// What the availability of each thing follows from, and what follows from it: built once for a configuration, as numbers, so that
// a change costs what hangs on it and nothing else. What is switched off is a matter of the configuration, and decided here.

import type { Application, GtmServer } from './description.ts';
import { type Edges, edgesBy, type Lead, loopGroups } from './edges.ts';
import { memberKey } from './facts.ts';
import type { GtmIndex, PoolEntry } from './tables.ts';

/** By what a member is up. */
export const MemberKind = {
  virtualServer: 0,
  /** A name that is answered whatever becomes of it. */
  name: 1,
  /** A name of ours: while its wide IP answers. */
  wideIp: 2,
  /** What it names is not there: it cannot be answered at all. */
  nothing: 3,
} as const;

/** Bits of a member: on which sides it is switched on. */
export const Enabled = { poolAndMember: 1, rest: 2, all: 3 } as const;

export type AvailabilityGraph = {
  readonly servers: readonly GtmServer[];
  readonly serverNumbers: ReadonlyMap<string, number>;
  readonly virtualServerNumbers: ReadonlyMap<string, number>;
  readonly datacenterNumbers: ReadonlyMap<string, number>;
  /** By `memberKey`, members of pools a and aaaa: one in each instance of the pool. Made when it is first asked for. */
  readonly memberNumbers: () => ReadonlyMap<string, readonly number[]>;
  readonly serverOf: Int32Array;
  /** Server → virtual servers. */
  readonly virtualServersOf: Edges;
  /** 1: it, its server and its datacenter are switched on. */
  readonly isVirtualServerEnabled: Uint8Array;
  /** Virtual server → members. */
  readonly membersOf: Edges;
  /** Virtual server → those that depend on it; the second, those that it depends on as well, in however many steps. */
  readonly dependents: Edges;
  readonly loopDependents: Edges;
  /** Virtual server → members that depend on it beside their own one. */
  readonly dependentMembers: Edges;
  /** How many a virtual server or a member depends on, those included that are not there. */
  readonly dependencies: Int32Array;
  readonly memberDependencies: Int32Array;
  readonly memberKinds: Uint8Array;
  /** Sets of `Enabled`. */
  readonly memberEnabled: Uint8Array;
  /** Wide IP → members whose name it is; the second, those that its own availability hangs on. */
  readonly nameMembers: Edges;
  readonly loopNameMembers: Edges;
  /** Pool → wide IPs. */
  readonly wideIpsOf: Edges;
  /** Members that must be usable for the pool to be so; 0: one is enough. */
  readonly leastMembers: Int32Array;
  /** What an application with a dependency level takes as one, by member: its datacenter or server in that application; or -1. */
  readonly contextOf: Int32Array;
  readonly contextMembers: Edges;
  /** The application all of whose wide IPs must be available, by wide IP; or -1. */
  readonly applicationOf: Int32Array;
  readonly applicationWideIps: Edges;
};

export function buildAvailabilityGraph(index: GtmIndex): AvailabilityGraph {
  const numbers = numbersOf(index);
  const memberEnabled = Uint8Array.from(index.members, (_, member) => enabledOf(index, numbers, member));
  const applications = applicationsOf(index);
  return {
    ...numbers,
    ...dependenciesOf(index, numbers),
    ...namesOf(index, applications),
    ...contextsOf(index),
    memberEnabled,
    membersOf: edgesBy(index.virtualServers.length, (lead) => {
      index.members.forEach(({ virtualServer }, member) => {
        if (virtualServer >= 0) lead(virtualServer, member);
      });
    }),
    leastMembers: Int32Array.from(index.pools, (entry) => leastMembers(entry, memberEnabled)),
    wideIpsOf: edgesBy(index.pools.length, (lead) => {
      index.wideIps.forEach((_, wideIp) => {
        for (const pool of poolsOf(index, wideIp)) lead(pool, wideIp);
      });
    }),
    applicationOf: applications,
    applicationWideIps: edgesBy(index.description.applications.length, (lead) => {
      applications.forEach((application, wideIp) => {
        if (application >= 0) lead(application, wideIp);
      });
    }),
  };
}

type Numbers = ReturnType<typeof numbersOf>;

function numbersOf({ description, virtualServers, datacenters, members, pools }: GtmIndex) {
  const { servers } = description;
  const serverNumbers = new Map(servers.map(({ name }, server) => [name, server]));
  const isDatacenterEnabled = new Map(datacenters.map(({ name, enabled }) => [name, enabled]));
  const serverOf = Int32Array.from(virtualServers, ({ server }) => serverNumbers.get(server.name)!);
  let memberNumbers: ReadonlyMap<string, readonly number[]> | undefined;
  return {
    servers,
    serverNumbers,
    serverOf,
    memberNumbers: () => (memberNumbers ??= memberNumbersOf(members, pools)),
    virtualServerNumbers: new Map(virtualServers.map(({ key }, number) => [key, number])),
    datacenterNumbers: new Map(datacenters.map(({ name }, number) => [name, number])),
    virtualServersOf: edgesBy(servers.length, (lead) => serverOf.forEach(lead)),
    isVirtualServerEnabled: Uint8Array.from(virtualServers, ({ server, virtualServer }) =>
      Number(virtualServer.enabled && server.enabled && isDatacenterEnabled.get(server.datacenter) === true),
    ),
  };
}

function memberNumbersOf(members: GtmIndex['members'], pools: GtmIndex['pools']): Map<string, number[]> {
  const numbers = new Map<string, number[]>();
  members.forEach((entry, member) => {
    const { pool } = pools[entry.pool]!;
    if (pool.type !== 'a' && pool.type !== 'aaaa') return;
    const key = memberKey(pool.type, pool.name, entry.member.name);
    const known = numbers.get(key);
    if (known === undefined) numbers.set(key, [member]);
    else known.push(member);
  });
  return numbers;
}

function enabledOf({ members, pools, virtualServers }: GtmIndex, numbers: Numbers, number: number): number {
  const { pool: poolNumber, member, virtualServer } = members[number]!;
  const { pool, application } = pools[poolNumber]!;
  let enabled = pool.enabled && member.enabled ? Enabled.poolAndMember : 0;
  if (virtualServer < 0) return enabled | Enabled.rest;
  const { server } = virtualServers[virtualServer]!;
  const isLeftOut = application?.disabledContexts.some(
    ({ kind, name }) =>
      (kind === 'server' && name === server.name) || (kind === 'datacenter' && name === server.datacenter),
  );
  if (numbers.isVirtualServerEnabled[virtualServer] === 1 && isLeftOut !== true) enabled |= Enabled.rest;
  return enabled;
}

function leastMembers({ pool, firstMember, members }: PoolEntry, enabled: Uint8Array): number {
  const { mode, value } = pool.minMembersUp;
  if (mode === 'off') return 0;
  if (mode === 'number') return value;
  const all = enabled.subarray(firstMember, firstMember + members).filter((bits) => bits === Enabled.all).length;
  return Math.ceil((all * value) / 100);
}

function dependenciesOf({ virtualServers, members }: GtmIndex, { virtualServerNumbers }: Numbers) {
  const count = virtualServers.length;
  const say = (lead: Lead): void =>
    virtualServers.forEach(({ virtualServer }, number) => {
      for (const key of virtualServer.dependsOn) {
        const other = virtualServerNumbers.get(key);
        if (other !== undefined) lead(other, number);
      }
    });
  const group = loopGroups(edgesBy(count, say));
  const isLoop = (from: number, to: number): boolean => group[from] === group[to];
  return {
    dependents: edgesBy(count, (lead) => say(chosen(lead, (from, to) => !isLoop(from, to)))),
    loopDependents: edgesBy(count, (lead) => say(chosen(lead, isLoop))),
    dependencies: Int32Array.from(virtualServers, ({ virtualServer }) => virtualServer.dependsOn.length),
    memberDependencies: Int32Array.from(members, ({ member }) => member.dependsOn.length),
    dependentMembers: edgesBy(count, (lead) => {
      members.forEach(({ member }, number) => {
        for (const key of member.dependsOn) {
          const other = virtualServerNumbers.get(key);
          if (other !== undefined) lead(other, number);
        }
      });
    }),
  };
}

/** Leads those only that are chosen. */
function chosen(lead: Lead, isChosen: (from: number, to: number) => boolean): Lead {
  return (from, to) => {
    if (isChosen(from, to)) lead(from, to);
  };
}

/** Each once. */
export function poolsOf({ wideIps }: GtmIndex, wideIp: number): number[] {
  const { pools, lastResort } = wideIps[wideIp]!;
  return [...new Set(lastResort < 0 ? pools : [...pools, lastResort])];
}

/** The application whose dependency level is `wideip`, by wide IP. */
function applicationsOf({ description, wideIps }: GtmIndex): Int32Array {
  const numbers = new Map<Application, number>();
  description.applications.forEach((application, number) => {
    if (application.dependencyLevel === 'wideip') numbers.set(application, number);
  });
  return Int32Array.from(wideIps, ({ application }) => (application && numbers.get(application)) ?? -1);
}

/** Members that are names, and which of them lead back to where they stand. */
function namesOf(index: GtmIndex, applications: Int32Array) {
  const { members, pools, wideIps, description } = index;
  const poolsAt = wideIps.length;
  const applicationsAt = poolsAt + pools.length;
  const nodes = applicationsAt + description.applications.length;
  const hasNames = members.some(({ targets }) => targets.length > 0);
  const ways = edgesBy(nodes, (lead) => {
    // Without names there are no loops.
    if (!hasNames) return;
    wideIps.forEach((_, wideIp) => {
      for (const pool of poolsOf(index, wideIp)) lead(wideIp, poolsAt + pool);
      const application = applications[wideIp]!;
      if (application < 0) return;
      lead(wideIp, applicationsAt + application);
      lead(applicationsAt + application, wideIp);
    });
    for (const { pool, targets } of members) for (const wideIp of targets) lead(poolsAt + pool, wideIp);
  });
  const group = loopGroups(ways);
  const say = (lead: Lead): void =>
    members.forEach(({ targets }, member) => {
      for (const wideIp of targets) lead(wideIp, member);
    });
  const isLoop = (wideIp: number, member: number): boolean => group[wideIp] === group[poolsAt + members[member]!.pool];
  return {
    memberKinds: Uint8Array.from(members, ({ virtualServer, member, pool, targets }) => {
      if (virtualServer >= 0) return MemberKind.virtualServer;
      const { type } = pools[pool]!.pool;
      if (type === 'a' || type === 'aaaa') return MemberKind.nothing;
      if (targets.length > 0) return MemberKind.wideIp;
      return type !== 'cname' || member.isStatic ? MemberKind.name : MemberKind.nothing;
    }),
    nameMembers: edgesBy(wideIps.length, (lead) => say(chosen(lead, (wideIp, member) => !isLoop(wideIp, member)))),
    loopNameMembers: edgesBy(wideIps.length, (lead) => say(chosen(lead, isLoop))),
  };
}

function contextsOf({ members, pools, virtualServers }: GtmIndex) {
  const numbers = new Map<string, number>();
  const contextOf = Int32Array.from(members, ({ pool, virtualServer }) => {
    const { application } = pools[pool]!;
    const level = application?.dependencyLevel;
    if (application === undefined || virtualServer < 0 || (level !== 'server' && level !== 'datacenter')) return -1;
    const { server } = virtualServers[virtualServer]!;
    const key = `${application.name} ${level === 'server' ? server.name : server.datacenter}`;
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    return number;
  });
  const contextMembers = edgesBy(numbers.size, (lead) => {
    contextOf.forEach((context, member) => {
      if (context >= 0) lead(context, member);
    });
  });
  return { contextOf, contextMembers };
}
