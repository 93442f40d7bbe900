// The status of each object with its reason in words, for a person who looks: nothing here is needed to answer.

import type { Availability } from './availability.ts';
import { Enabled, MemberKind, poolsOf } from './availability-graph.ts';
import { type MemberFacts, memberKey, takesDown } from './facts.ts';
import { exceededLimit, exceededServerLimit } from './limits.ts';
import { isUp, MEMBER_STATUS_SHIFT, Status } from './state-layout.ts';

export type StatusReport = { readonly status: Status; readonly isEnabled: boolean; readonly reason: string };

/** Objects by their numbers in the index; servers by those in the description. */
export type Reported = {
  readonly kind: 'virtual-server' | 'member' | 'pool' | 'wide-ip' | 'server' | 'datacenter';
  readonly number: number;
};

/** As it is read: `available`. */
export function statusName(status: Status): string {
  return Object.keys(Status)[status]!;
}

const NAMES = { offline: 'Offline', available: 'Available', unknown: 'Unknown' } as const;

const unsaid = (hasMonitor: boolean): string => (hasMonitor ? 'Checking' : 'Nothing checks it');

/** Seconds for which whoever measures has said nothing. */
export type Silence = () => number;

/** Who says the numbers of a virtual server, by its key, and how long ago: for a person; empty: nobody who has to be named. */
export type Origin = (virtualServer: string) => string;

export class StatusReports {
  readonly #of: Availability;
  readonly #silence: Silence;
  readonly #origin: Origin;

  constructor(availability: Availability, silence: Silence = () => 0, origin: Origin = () => '') {
    this.#of = availability;
    this.#silence = silence;
    this.#origin = origin;
  }

  /** Who says the numbers that modes and limits go by: for a person, or nothing. */
  origin(member: number): string {
    const { virtualServer } = this.#of.index.members[member]!;
    return virtualServer < 0 ? '' : this.#origin(this.#of.index.virtualServers[virtualServer]!.key);
  }

  /** What an up member rests on, where that is older than it is good for: for a person, or nothing. */
  staleness(member: number): string {
    const { index, facts } = this.#of;
    const { virtualServer } = index.members[member]!;
    if (virtualServer < 0) return '';
    const { key, server } = index.virtualServers[virtualServer]!;
    const all = [facts.virtualServers.get(key), facts.servers.get(server.name), this.#factsOf(member)];
    return this.#stale(all.find((each) => this.#stale(each) !== ''));
  }

  #stale(facts: MemberFacts | undefined): string {
    if (facts?.goodFor === undefined) return '';
    const silence = this.#silence();
    return silence > facts.goodFor ? ` (stale: nothing heard of healthd for ${Math.floor(silence)} s)` : '';
  }

  /** What was said of a thing: `Offline: set by hand`; of what was measured in the words of who did. */
  #said(status: keyof typeof NAMES, facts: MemberFacts | undefined): string {
    const reason = facts?.reason ?? '';
    if (facts?.goodFor !== undefined) return `${reason === '' ? NAMES[status] : reason}${this.#stale(facts)}`;
    return reason === '' ? NAMES[status] : `${NAMES[status]}: ${reason}`;
  }

  /** Of a member, beside its virtual server. */
  #factsOf(number: number): MemberFacts | undefined {
    const { index, facts } = this.#of;
    if (facts.members.size === 0) return undefined;
    const { member, pool } = index.members[number]!;
    const { type, name } = index.pools[pool]!.pool;
    return facts.members.get(memberKey(type, name, member.name));
  }

  statusOf({ kind, number }: Reported): StatusReport {
    switch (kind) {
      case 'virtual-server':
        return this.#virtualServer(number);
      case 'member':
        return this.#member(number);
      case 'pool':
        return this.#pool(number);
      case 'wide-ip':
        return this.#wideIp(number);
      case 'server':
        return this.#server(number);
      case 'datacenter':
        return this.#datacenter(number);
    }
  }

  #virtualServer(number: number): StatusReport {
    const status = this.#of.virtualServers.status(number);
    return { status, isEnabled: status !== Status.disabled, reason: this.#virtualServerReason(number, status) };
  }

  #virtualServerReason(number: number, status: Status): string {
    const { index, facts, virtualServers } = this.#of;
    const { key, server, virtualServer } = index.virtualServers[number]!;
    const own = facts.virtualServers.get(key);
    const serverFacts = facts.servers.get(server.name);
    switch (status) {
      case Status.disabled:
        return virtualServer.enabled ? `Disabled: ${this.#serverOff(server)}` : 'Disabled';
      case Status.offline:
        if (serverFacts === undefined || !takesDown(serverFacts)) return this.#said('offline', own);
        return `Server ${server.name} is offline${serverFacts.reason ? `: ${serverFacts.reason}` : ''}${this.#stale(serverFacts)}`;
      case Status.unavailable: {
        if (virtualServers.ownStatus(number) !== Status.unavailable) return this.#dependency(virtualServer.dependsOn);
        const ofServer = exceededServerLimit(server.limits, serverFacts);
        if (ofServer !== undefined) return `Server ${server.name} is over its limit: ${ofServer}`;
        return `Over its limit: ${exceededLimit(virtualServer.limits, own)}`;
      }
      case Status.available:
        return this.#said('available', own);
      case Status.unknown:
        return own?.reason ? this.#said('unknown', own) : unsaid(virtualServer.hasMonitor);
    }
  }

  #serverOff({ name, enabled, datacenter }: { name: string; enabled: boolean; datacenter: string }): string {
    return enabled ? `datacenter ${datacenter} is disabled` : `server ${name} is disabled`;
  }

  /** The first that something depends on and that is not up. */
  #dependency(keys: readonly string[]): string {
    const { graph, virtualServers } = this.#of;
    for (const key of keys) {
      const number = graph.virtualServerNumbers.get(key);
      if (number === undefined) return `Depends on ${key}, which is not there`;
      const status = virtualServers.status(number);
      if (!isUp(status)) return `Depends on ${key}, which is ${statusName(status)}`;
    }
    return 'Depends on what is not up';
  }

  #member(number: number): StatusReport {
    const status = (this.#of.members.memberWord(number) >> MEMBER_STATUS_SHIFT) as Status;
    return { status, isEnabled: status !== Status.disabled, reason: this.#memberReason(number, status) };
  }

  #memberReason(number: number, status: Status): string {
    const { index, graph, members } = this.#of;
    const { member, pool, virtualServer } = index.members[number]!;
    const entry = index.pools[pool]!;
    if (status === Status.disabled) {
      if (!member.enabled) return 'Disabled';
      if (!entry.pool.enabled) return `Disabled: pool ${entry.pool.name} is disabled`;
      const own = this.#virtualServer(virtualServer);
      if (!own.isEnabled) return own.reason;
      return `Disabled: application ${entry.application!.name} does not use its server or datacenter`;
    }
    if (graph.memberKinds[number] !== MemberKind.virtualServer) return this.#nameReason(number, status);
    const own = this.#virtualServer(virtualServer);
    if (own.status === Status.offline) return own.reason;
    const facts = this.#factsOf(number);
    if (facts?.status === 'offline') return this.#said('offline', facts);
    if (members.isHeld(number)) return 'Offline: it went offline, and waits to be resumed by hand';
    if (!isUp(own.status)) return own.reason;
    if (isUp(status)) return this.#upReason(number, own, facts);
    const exceeded = members.exceededMemberLimit(number);
    if (exceeded !== undefined) return `Over its limit in the pool: ${exceeded}`;
    if (this.#isUnmet(member.dependsOn)) return this.#dependency(member.dependsOn);
    return this.#contextReason(number);
  }

  /** Its virtual server speaks first, but where that has less to say. */
  #upReason(number: number, ofVirtualServer: StatusReport, facts: MemberFacts | undefined): string {
    if (ofVirtualServer.status === Status.available) return ofVirtualServer.reason;
    if (facts?.status === 'available') return this.#said('available', facts);
    if (facts?.reason) return this.#said('unknown', facts);
    return this.#of.index.members[number]!.member.hasMonitor ? unsaid(true) : ofVirtualServer.reason;
  }

  #isUnmet(keys: readonly string[]): boolean {
    const { graph, virtualServers } = this.#of;
    return keys.some((key) => {
      const number = graph.virtualServerNumbers.get(key);
      return number === undefined || !isUp(virtualServers.status(number));
    });
  }

  #contextReason(number: number): string {
    const { index } = this.#of;
    const { pool, virtualServer } = index.members[number]!;
    const { name, dependencyLevel } = index.pools[pool]!.application!;
    const { server } = index.virtualServers[virtualServer]!;
    const context = dependencyLevel === 'server' ? `server ${server.name}` : `datacenter ${server.datacenter}`;
    return `Application ${name} has another member that is not up in ${context}`;
  }

  #nameReason(number: number, status: Status): string {
    const { index, graph } = this.#of;
    const { member, pool } = index.members[number]!;
    if (status === Status.unavailable && this.#isUnmet(member.dependsOn)) return this.#dependency(member.dependsOn);
    switch (graph.memberKinds[number]) {
      case MemberKind.name:
        return 'Nothing checks it';
      case MemberKind.wideIp:
        return isUp(status) ? `Wide IP ${member.name} is available` : `Wide IP ${member.name} is not available`;
      default: {
        const { type } = index.pools[pool]!.pool;
        if (type === 'a' || type === 'aaaa') return 'Its virtual server is not there';
        return 'No wide IP has the name, and static-target is no';
      }
    }
  }

  #pool(number: number): StatusReport {
    const { index, members, graph } = this.#of;
    const { pool, firstMember, members: count } = index.pools[number]!;
    if (!pool.enabled) return { status: Status.disabled, isEnabled: false, reason: 'Disabled' };
    const exceeded = members.exceededPoolLimit(number);
    if (exceeded !== undefined) {
      return { status: Status.unavailable, isEnabled: true, reason: `Its members are over its limit: ${exceeded}` };
    }
    if (members.usableMembers(number) === 0) {
      const counted = members.countedMembers(number);
      const few = `${counted} of its members are up, and ${graph.leastMembers[number]} must be`;
      const reason = counted === 0 ? 'No enabled pool members available' : few;
      return { status: Status.offline, isEnabled: true, reason };
    }
    const statuses = Array.from(
      { length: count },
      (_, offset) => members.memberWord(firstMember + offset) >> MEMBER_STATUS_SHIFT,
    );
    if (statuses.includes(Status.available)) return { status: Status.available, isEnabled: true, reason: 'Available' };
    const isChecked = statuses.some((status, offset) => {
      return !isUp(status) && graph.memberEnabled[firstMember + offset] === Enabled.all;
    });
    const reason =
      isChecked && !statuses.some(isUp) ? 'Its members are not verified' : 'Nothing has checked its members';
    return { status: Status.unknown, isEnabled: true, reason };
  }

  #wideIp(number: number): StatusReport {
    const { index, members } = this.#of;
    const { wideIp, application } = index.wideIps[number]!;
    if (!wideIp.enabled) return { status: Status.disabled, isEnabled: false, reason: 'Disabled' };
    if (!members.wideIps.isAvailableByPools(number)) {
      return { status: Status.offline, isEnabled: true, reason: 'No enabled pools available' };
    }
    if (!members.wideIps.isAvailable(number)) {
      const reason = `Application ${application!.name} has another wide IP that is not available`;
      return { status: Status.unavailable, isEnabled: true, reason };
    }
    const isAnyAvailable = poolsOf(index, number).some((pool) => this.#pool(pool).status === Status.available);
    if (isAnyAvailable) return { status: Status.available, isEnabled: true, reason: 'Available' };
    return { status: Status.unknown, isEnabled: true, reason: 'Nothing has checked its pools' };
  }

  /** Of a server of which nobody has said anything its virtual servers speak. */
  #server(number: number): StatusReport {
    const { index, facts, graph, virtualServers } = this.#of;
    const server = graph.servers[number]!;
    const datacenter = index.datacenters.find(({ name }) => name === server.datacenter);
    if (!server.enabled) return { status: Status.disabled, isEnabled: false, reason: 'Disabled' };
    if (datacenter?.enabled !== true) {
      return { status: Status.disabled, isEnabled: false, reason: `Disabled: ${this.#serverOff(server)}` };
    }
    const own = facts.servers.get(server.name);
    if (own?.status === 'offline') {
      return { status: Status.offline, isEnabled: true, reason: this.#said('offline', own) };
    }
    const exceeded = exceededServerLimit(server.limits, own);
    if (exceeded !== undefined) {
      return { status: Status.unavailable, isEnabled: true, reason: `Over its limit: ${exceeded}` };
    }
    if (own?.status === 'available') {
      return { status: Status.available, isEnabled: true, reason: this.#said('available', own) };
    }
    const { first, to } = graph.virtualServersOf;
    const statuses = Array.from(to.subarray(first[number], first[number + 1]), (each) => virtualServers.status(each));
    if (statuses.includes(Status.available)) {
      return { status: Status.available, isEnabled: true, reason: 'A virtual server of it is available' };
    }
    const enabled = statuses.filter((status) => status !== Status.disabled);
    if (enabled.length > 0 && !enabled.some(isUp)) {
      return { status: Status.offline, isEnabled: true, reason: 'No enabled virtual servers available' };
    }
    const reason = own?.reason ? this.#said('unknown', own) : unsaid(server.hasMonitor);
    return { status: Status.unknown, isEnabled: true, reason };
  }

  /** As good as the best of its servers. */
  #datacenter(number: number): StatusReport {
    const { index, graph } = this.#of;
    const { name, enabled } = index.datacenters[number]!;
    if (!enabled) return { status: Status.disabled, isEnabled: false, reason: 'Disabled' };
    const servers = graph.servers.flatMap(({ datacenter }, server) => (datacenter === name ? [server] : []));
    const statuses = servers.map((server) => this.#server(server).status);
    const best = Math.min(...statuses, Status.disabled) as Status;
    if (best === Status.available) return { status: best, isEnabled: true, reason: 'Available' };
    if (servers.length === 0) return { status: Status.unknown, isEnabled: true, reason: 'It has no servers' };
    if (best === Status.unknown) return { status: best, isEnabled: true, reason: 'Nothing has checked its servers' };
    return { status: Status.offline, isEnabled: true, reason: 'No enabled servers available' };
  }
}
