// What is known at this moment of everything that wide IPs choose among, as one array of 32-bit numbers in sections: virtual
// servers, members, pools, wide IPs, and paths to clients. Who answers reads it by number; what the numbers come from is
// `availability.ts`.

/** A number that nobody has measured. */
export const UNKNOWN = -1;

/** Numbers of a virtual server; all but the first are UNKNOWN until somebody measures. */
export const VirtualServerWord = {
  /** A `Status`. */
  status: 0,
  connections: 1,
  packetsPerSecond: 2,
  kilobytesPerSecond: 3,
  capacity: 4,
  score: 5,
  /** Per cent, of its server. */
  cpu: 6,
} as const;
export const VIRTUAL_SERVER_WORDS = 8;

/** What is shown of an object, by the names of F5: green, blue, red, yellow, and black for what is switched off. */
export const Status = { available: 0, unknown: 1, offline: 2, unavailable: 3, disabled: 4 } as const;
export type Status = (typeof Status)[keyof typeof Status];

/** Whether something of this status is used: what nobody monitors is. */
export const isUp = (status: number): boolean => status <= Status.unknown;

/** Bits of a member's one word; its `Status` stands above them. */
export const MemberBit = {
  /** May be answered by preferred and alternate modes. */
  usable: 1,
  /** May be answered by a fallback mode, which does not look at health. */
  fallback: 2,
  /** Keeps the clients that it has (persistence), though it may get no new ones. */
  drains: 4,
} as const;
export const MEMBER_STATUS_SHIFT = 4;

/** Numbers of a pool. */
export const PoolWord = {
  /** Members that are usable; 0 also when the pool as such is not. */
  usable: 0,
  /** 1 while the pool may be answered from at all, if only by its fallback mode. */
  enabled: 1,
} as const;
export const POOL_WORDS = 2;

/** Bits of a wide IP's one word. */
export const WideIpBit = { enabled: 1, available: 2 } as const;

/** Numbers of a path from a client's network to a datacenter: a place in a hash table, free while `family` is 0. */
export const PathWord = {
  /** 4 or 6. */
  family: 0,
  /** Four words of the address, those of IPv4 in the first. */
  address: 1,
  datacenter: 5,
  /** Microseconds. */
  roundTripTime: 6,
  hops: 7,
  /** Of a thousand packets those that were answered. */
  completionRate: 8,
  /** Seconds since 1970 until when this is good. */
  expires: 9,
} as const;
export const PATH_WORDS = 10;

/** Counts of what there is, from which follows where it stands. */
export type StateLayout = {
  readonly virtualServers: number;
  readonly members: number;
  readonly pools: number;
  readonly wideIps: number;
  /** A power of two. */
  readonly pathSlots: number;
  readonly membersAt: number;
  readonly poolsAt: number;
  readonly wideIpsAt: number;
  readonly pathsAt: number;
  readonly words: number;
};

export type StateCounts = Pick<StateLayout, 'virtualServers' | 'members' | 'pools' | 'wideIps' | 'pathSlots'>;

export function stateLayout(counts: StateCounts): StateLayout {
  const membersAt = counts.virtualServers * VIRTUAL_SERVER_WORDS;
  const poolsAt = membersAt + counts.members;
  const wideIpsAt = poolsAt + counts.pools * POOL_WORDS;
  const pathsAt = wideIpsAt + counts.wideIps;
  return { ...counts, membersAt, poolsAt, wideIpsAt, pathsAt, words: pathsAt + counts.pathSlots * PATH_WORDS };
}

/** Places of the table of paths that are looked at from where a key belongs. */
export const PATH_NEIGHBOURS = 16;

/** Where a path's key belongs: the number of a slot. `words`: four words of the address. */
export function pathSlot(layout: StateLayout, family: number, words: Int32Array, datacenter: number): number {
  let hash = Math.imul(family ^ Math.imul(datacenter, 0x9e3779b1), 0x85ebca6b);
  for (let index = 0; index < 4; index++) {
    hash = Math.imul(hash ^ words[index]!, 0xc2b2ae35);
    hash ^= hash >>> 15;
  }
  return hash & (layout.pathSlots - 1);
}

/** Where the numbers of a path stand in `state`; -1 when nobody has measured it. */
export function findPath(
  layout: StateLayout,
  state: Int32Array,
  family: number,
  words: Int32Array,
  datacenter: number,
): number {
  const first = pathSlot(layout, family, words, datacenter);
  for (let step = 0; step < PATH_NEIGHBOURS; step++) {
    const at = layout.pathsAt + ((first + step) & (layout.pathSlots - 1)) * PATH_WORDS;
    if (state[at] === 0) continue;
    if (
      state[at] === family &&
      state[at + PathWord.datacenter] === datacenter &&
      state[at + PathWord.address] === words[0] &&
      state[at + PathWord.address + 1] === words[1] &&
      state[at + PathWord.address + 2] === words[2] &&
      state[at + PathWord.address + 3] === words[3]
    ) {
      return at;
    }
  }
  return -1;
}
