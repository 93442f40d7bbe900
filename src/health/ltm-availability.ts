// Whether nodes, pool members, pools and virtual servers of this machine can be used, as a BIG-IP says it: availability, whether it
// is enabled, and why (docs/decisions/health.md, "LTM"). Computed when somebody asks.

import { type LtmDescription, type LtmMember, ltmMemberKey, type LtmNode, type LtmPool } from './ltm-description.ts';
import { bestOf, downReason, type LtmStatus, NOT_CHECKED, withReason } from './ltm-status.ts';
import { type ActiveMembers, activeMembers } from './priority-groups.ts';
import type { LtmVirtual } from './ltm-description.ts';
import type { WatchVerdict } from './watch.ts';

/** What is known beyond the configuration; undefined: nothing. */
export type LtmFacts = {
  readonly verdictOf: (kind: 'node' | 'pool-member', key: string) => WatchVerdict | undefined;
  /** Connections at this time; a member's key is `ltmMemberKey`. */
  readonly connectionsOf?: (kind: 'node' | 'pool-member' | 'virtual', key: string) => number | undefined;
  /** The priority group that a monitor gives a member (virtual-location). */
  readonly priorityOf?: (pool: string, member: string) => number | undefined;
};

export type LtmMemberStatus = LtmStatus & {
  readonly member: LtmMember;
  readonly priorityGroup: number;
  /** Whether its group is in use, and it can be used itself. */
  readonly isActive: boolean;
};

export type LtmPoolStatus = LtmStatus & {
  readonly members: readonly LtmMemberStatus[];
  readonly active: ActiveMembers;
  /** Members that are up, whether or not they are in use. */
  readonly upMembers: number;
  /** Fewer are up than `min-up-members` wants. */
  readonly isBelowMinUp: boolean;
};

export type LtmVirtualStatus = LtmStatus & { readonly gtmScore: number };

export class LtmAvailability {
  readonly #facts: LtmFacts;
  readonly #nodes: ReadonlyMap<string, LtmNode>;
  readonly #pools: ReadonlyMap<string, LtmPool>;
  readonly #virtuals: ReadonlyMap<string, LtmVirtual>;
  readonly #destinations = new Map<string, LtmVirtual>();

  constructor({ nodes, pools, virtuals }: LtmDescription, facts: LtmFacts) {
    this.#facts = facts;
    this.#nodes = new Map(nodes.map((node) => [node.name, node]));
    this.#pools = new Map(pools.map((pool) => [pool.name, pool]));
    this.#virtuals = new Map(virtuals.map((virtual) => [virtual.name, virtual]));
    for (const virtual of virtuals) this.#destinations.set(`${virtual.address} ${virtual.port}`, virtual);
  }

  /** The virtual server with that destination, or else with that name. */
  findVirtual(address: string, port: number, name?: string): LtmVirtual | undefined {
    return this.#destinations.get(`${address} ${port}`) ?? this.#virtuals.get(name ?? '');
  }

  node(name: string): LtmStatus | undefined {
    const node = this.#nodes.get(name);
    return node && this.#nodeStatus(node);
  }

  pool(name: string): LtmPoolStatus | undefined {
    const pool = this.#pools.get(name);
    return pool && this.#poolStatus(pool);
  }

  virtual(name: string): LtmVirtualStatus | undefined {
    const virtual = this.#virtuals.get(name);
    return virtual && this.#virtualStatus(virtual);
  }

  #nodeStatus(node: LtmNode): LtmStatus {
    const enabled = node.isEnabled ? 'enabled' : 'disabled';
    if (node.isForcedOffline) return { availability: 'offline', enabled: 'disabled', reason: 'Forced down' };
    const verdict = this.#facts.verdictOf('node', node.name);
    if (verdict?.status === 'offline') {
      return { availability: 'offline', enabled, reason: downReason('Node address', verdict) };
    }
    if (this.#isFull('node', node.name, node.connectionLimit)) {
      return { availability: 'unavailable', enabled, reason: "The node's connection limit has been reached" };
    }
    if (!node.isMonitored) {
      const reason = 'Node address does not have service checking enabled';
      return { availability: 'unknown', enabled, reason };
    }
    return this.#checked('Node address', node.isEnabled, enabled, verdict);
  }

  /** Of what is watched and not offline. */
  #checked(
    what: string,
    isEnabled: boolean,
    enabled: LtmStatus['enabled'],
    verdict: WatchVerdict | undefined,
  ): LtmStatus {
    switch (verdict?.status) {
      case 'available':
        return {
          availability: 'available',
          enabled,
          reason: `${what} is available${isEnabled ? '' : ', user disabled'}`,
        };
      case 'disabled': {
        const reason = withReason(`${what} is available, monitor disabled`, verdict.reason);
        return { availability: 'available', enabled: enabled === 'enabled' ? 'disabled' : enabled, reason };
      }
      default:
        return { availability: 'unknown', enabled, reason: withReason(NOT_CHECKED, verdict?.reason) };
    }
  }

  #memberStatus(pool: LtmPool, member: LtmMember): LtmStatus {
    const { isEnabled, isForcedOffline, isMonitored, connectionLimit } = member;
    const node = member.node === undefined ? undefined : this.#nodes.get(member.node);
    const parent = node && this.#nodeStatus(node);
    const isParentOff = parent !== undefined && parent.enabled !== 'enabled';
    const enabled = !isEnabled || isForcedOffline ? 'disabled' : isParentOff ? 'disabled-by-parent' : 'enabled';
    if (isForcedOffline) return { availability: 'offline', enabled, reason: 'Forced down' };
    if (parent?.availability === 'offline') {
      return { availability: 'offline', enabled, reason: withReason('Parent down', parent.reason) };
    }
    const key = ltmMemberKey(pool.name, member.name);
    const verdict = this.#facts.verdictOf('pool-member', key);
    if (verdict?.status === 'offline') {
      return { availability: 'offline', enabled, reason: downReason('Pool member', verdict) };
    }
    if (this.#isFull('pool-member', key, connectionLimit)) {
      return { availability: 'unavailable', enabled, reason: "The pool member's connection limit has been reached" };
    }
    if (parent?.availability === 'unavailable') {
      return { availability: 'unavailable', enabled, reason: parent.reason };
    }
    if (!isMonitored) {
      return { availability: 'unknown', enabled, reason: 'Pool member does not have service checking enabled' };
    }
    return this.#checked('Pool member', isEnabled, enabled, verdict);
  }

  #poolStatus(pool: LtmPool): LtmPoolStatus {
    const judged = pool.members.map((member) => ({
      member,
      priorityGroup: this.#facts.priorityOf?.(pool.name, member.name) ?? member.priorityGroup,
      ...this.#memberStatus(pool, member),
    }));
    const active = activeMembers(judged, pool.minActiveMembers);
    const members = judged.map((each) => ({ ...each, isActive: active.members.includes(each.member.name) }));
    const upMembers = members.filter(({ availability }) => availability !== 'offline').length;
    const isBelowMinUp = pool.minUpMembers > 0 && upMembers < pool.minUpMembers;
    return { ...bestOf(members), members, active, upMembers, isBelowMinUp };
  }

  #virtualStatus(virtual: LtmVirtual): LtmVirtualStatus {
    const { name, isEnabled, gtmScore } = virtual;
    const pool = virtual.pool === undefined ? undefined : this.#pools.get(virtual.pool);
    const below = pool === undefined ? bestOf([]) : this.#poolStatus(pool);
    const enabled = !isEnabled ? 'disabled' : below.enabled === 'enabled' ? 'enabled' : 'disabled-by-parent';
    if (below.availability !== 'offline' && this.#isFull('virtual', name, virtual.connectionLimit)) {
      const reason = "The virtual server's connection limit has been reached";
      return { availability: 'unavailable', enabled, reason, gtmScore };
    }
    const isAvailable = below.availability === 'available' && below.enabled === 'enabled';
    const reason = isAvailable ? 'The virtual server is available' : below.reason;
    return { availability: below.availability, enabled, reason, gtmScore };
  }

  #isFull(kind: 'node' | 'pool-member' | 'virtual', key: string, limit: number): boolean {
    return limit > 0 && (this.#facts.connectionsOf?.(kind, key) ?? 0) >= limit;
  }
}
