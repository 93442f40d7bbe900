// What is counted of decisions, by the numbers of objects: each thread that answers has its own, which are added up when somebody
// looks.

import type { StateLayout } from './state-layout.ts';

export const WideIpCounter = {
  requests: 0,
  /** Requests that an address or a name was answered to. */
  resolutions: 1,
  preferred: 2,
  alternate: 3,
  fallback: 4,
  /** By the memory of where the client was sent before. */
  persisted: 5,
  returnedToDns: 6,
  dropped: 7,
  /** By the pool of last resort, beside the mode that it was answered by. */
  lastResort: 8,
  /** With the rcode of a failure. */
  failed: 9,
} as const;
export const WIDE_IP_COUNTERS = Object.keys(WideIpCounter).length;

export const PoolCounter = { preferred: 0, alternate: 1, fallback: 2, returnedToDns: 3, dropped: 4 } as const;
export const POOL_COUNTERS = Object.keys(PoolCounter).length;

export const MemberCounter = { preferred: 0, alternate: 1, fallback: 2 } as const;
export const MEMBER_COUNTERS = Object.keys(MemberCounter).length;

export type GtmCounts = {
  readonly wideIps: Float64Array;
  readonly pools: Float64Array;
  readonly members: Float64Array;
};

const shared = (numbers: number): Float64Array => new Float64Array(new SharedArrayBuffer(8 * Math.max(1, numbers)));

export function newGtmCounts({ wideIps, pools, members }: StateLayout): GtmCounts {
  return {
    wideIps: shared(wideIps * WIDE_IP_COUNTERS),
    pools: shared(pools * POOL_COUNTERS),
    members: shared(members * MEMBER_COUNTERS),
  };
}

/** Adds what is in `more`, of as many objects. */
export function addCounts(sum: GtmCounts, more: GtmCounts): void {
  for (const kind of ['wideIps', 'pools', 'members'] as const) {
    const [to, from] = [sum[kind], more[kind]];
    for (let index = 0; index < from.length; index++) to[index]! += from[index]!;
  }
}
