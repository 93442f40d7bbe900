// Pools of wide IPs as plain data.

import { isDependency } from '../../config/gtm-kinds.ts';
import type {
  AnyPool,
  GtmPoolA,
  GtmPoolCname,
  GtmPoolMx,
  GtmPoolNaptr,
  GtmPoolSrv,
} from '../../config/types/gtm-pool.ts';
import { addressOctets, isUnspecified, parseAddressOrAny } from '../../core/address.ts';
import { kept } from '../../core/kept.ts';
import type { GtmPool, Limits, PoolMember, WideIpType } from '../../gtm/description.ts';

type LimitProperties = {
  readonly 'limit-max-bps': number;
  readonly 'limit-max-bps-status': boolean;
  readonly 'limit-max-connections': number;
  readonly 'limit-max-connections-status': boolean;
  readonly 'limit-max-pps': number;
  readonly 'limit-max-pps-status': boolean;
};

const NO_LIMITS: Limits = { connections: undefined, bitsPerSecond: undefined, packetsPerSecond: undefined };

/** Those that count. */
export function limitsOf(properties: LimitProperties): Limits {
  return {
    connections: properties['limit-max-connections-status'] ? properties['limit-max-connections'] : undefined,
    bitsPerSecond: properties['limit-max-bps-status'] ? properties['limit-max-bps'] : undefined,
    packetsPerSecond: properties['limit-max-pps-status'] ? properties['limit-max-pps'] : undefined,
  };
}

/** By order; those of one order as they were written. */
export function byOrder<T extends { readonly order: number }>(items: T[]): T[] {
  return items.sort((a, b) => a.order - b.order);
}

/** Whether a monitor watches this part beside its virtual server. A pool has none of its own with `default`. */
const isWatched = (monitor: string): boolean => monitor !== 'default' && monitor !== 'none';

const NO_NAPTR = { order: 0, preference: 0, flags: '', service: '' };

/** What members of some types have no properties for. */
const PLAIN_MEMBER = {
  limits: NO_LIMITS,
  dependsOn: [],
  hasMonitor: false,
  isStatic: false,
  priority: 0,
  weight: 0,
  port: 0,
  naptr: NO_NAPTR,
} as const satisfies Partial<PoolMember>;

type CommonMember = { readonly enabled: boolean; readonly 'member-order': number; readonly ratio: number };

function commonOf(name: string, member: CommonMember) {
  return { ...PLAIN_MEMBER, name, enabled: member.enabled, order: member['member-order'], ratio: member.ratio };
}

function membersOf<M extends CommonMember>(
  members: Readonly<Record<string, M>>,
  describe: (member: M) => Partial<PoolMember>,
): PoolMember[] {
  return byOrder(Object.entries(members).map(([name, member]) => ({ ...commonOf(name, member), ...describe(member) })));
}

type OfAddresses = {
  readonly fallbackIp: Uint8Array | undefined;
  readonly limits: Limits;
};

const NO_ADDRESSES: OfAddresses = { fallbackIp: undefined, limits: NO_LIMITS };

function ofAddresses({ properties }: GtmPoolA): OfAddresses & { members: PoolMember[] } {
  const fallback = parseAddressOrAny(properties['fallback-ip'])!;
  return {
    fallbackIp: isUnspecified(fallback) ? undefined : addressOctets(fallback),
    limits: limitsOf(properties),
    members: membersOf(properties.members, (member) => ({
      limits: limitsOf(member),
      dependsOn: Object.keys(member['depends-on']).filter(isDependency),
      hasMonitor: isWatched(member.monitor === 'default' ? properties.monitor : member.monitor),
    })),
  };
}

/** What depends on the type. */
function ofType(type: WideIpType, pool: AnyPool): OfAddresses & { members: PoolMember[] } {
  switch (type) {
    case 'a':
    case 'aaaa':
      return ofAddresses(pool as GtmPoolA);
    case 'cname':
      return {
        ...NO_ADDRESSES,
        members: membersOf((pool as GtmPoolCname).properties.members, (member) => ({
          isStatic: member['static-target'],
        })),
      };
    case 'mx':
      return {
        ...NO_ADDRESSES,
        members: membersOf((pool as GtmPoolMx).properties.members, ({ priority }) => ({ priority })),
      };
    case 'naptr':
      return {
        ...NO_ADDRESSES,
        members: membersOf((pool as GtmPoolNaptr).properties.members, ({ order, preference, flags, service }) => ({
          naptr: { order, preference, flags, service },
        })),
      };
    case 'srv':
      return {
        ...NO_ADDRESSES,
        members: membersOf((pool as GtmPoolSrv).properties.members, ({ priority, weight, port }) => ({
          priority,
          weight,
          port,
        })),
      };
  }
}

export const describePool = kept((pool: AnyPool, type: WideIpType): GtmPool => {
  const { properties } = pool;
  return {
    type,
    name: pool.name,
    enabled: properties.enabled,
    preferred: properties['load-balancing-mode'],
    alternate: properties['alternate-mode'],
    fallback: properties['fallback-mode'],
    ttl: properties.ttl,
    maxAnswersReturned: properties['max-answers-returned'],
    minMembersUp: { mode: properties['min-members-up-mode'], value: properties['min-members-up-value'] },
    verifyMemberAvailability: properties['verify-member-availability'],
    manualResume: properties['manual-resume'],
    dynamicRatio: properties['dynamic-ratio'],
    qos: {
      rtt: properties['qos-rtt'],
      hops: properties['qos-hops'],
      hitRatio: properties['qos-hit-ratio'],
      kilobytesPerSecond: properties['qos-kilobytes-second'],
      packetRate: properties['qos-packet-rate'],
      topology: properties['qos-topology'],
      vsCapacity: properties['qos-vs-capacity'],
      vsScore: properties['qos-vs-score'],
      lcs: properties['qos-lcs'],
    },
    ...ofType(type, pool),
  };
});
