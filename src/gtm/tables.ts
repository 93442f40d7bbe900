// Wide IPs as numbers: what a thread that answers is given, all of it in shared memory, and what the main thread keeps to know
// which number is which object. Numbers of virtual servers, members, pools and wide IPs are those of `state-layout.ts`.

import type {
  Application,
  Datacenter,
  GtmDescription,
  GtmPool,
  GtmServer,
  PoolMember,
  QosWeights,
  VirtualServer,
  WideIp,
} from './description.ts';
import type { StateLayout } from './state-layout.ts';
import type { TopologyTables } from './topology-tables.ts';

/** Numbers of a wide IP. */
export const WideIpField = {
  /** Into WIDE_IP_TYPES. */
  type: 0,
  /** Into POOL_MODES. */
  poolMode: 1,
  /** Where its references to pools start, and how many there are: own type and cname together, by order. */
  firstReference: 2,
  references: 3,
  /** The pool of last resort, or -1. */
  lastResort: 4,
  /** A set of WideIpFlag. */
  flags: 5,
  /** Persistence: bits of IPv4 and IPv6 addresses, seconds (0: none). */
  persistIpv4Bits: 6,
  persistIpv6Bits: 7,
  persistTtl: 8,
  failureRcode: 9,
  failureTtl: 10,
  /** A hash of type and name in two words, the same whatever else changes: by which persistence knows the wide IP. */
  key: 11,
  keyMore: 12,
  /** Which decisions are logged: a bit for each of DECISIONS. */
  logs: 13,
  /** Where the SOA of a failure reply stands in `octets`, rendered behind the question, and its octets; 0: none. */
  failureAt: 14,
  failureOctets: 15,
} as const;
export const WIDE_IP_NUMBERS = 16;

export const WideIpFlag = {
  minimalResponse: 1,
  prefersClientSubnet: 2,
  repliesWithFailure: 4,
} as const;

/** Numbers of a reference from a wide IP to a pool. */
export const ReferenceField = {
  pool: 0,
  ratio: 1,
  /** Subject of topology; 0, which is nothing, where nobody goes by topology. */
  subject: 2,
} as const;
export const REFERENCE_NUMBERS = 4;

/** Numbers of a pool. A pool that distributed applications look at in different ways is there once for each of them. */
export const PoolField = {
  /** Into WIDE_IP_TYPES. */
  type: 0,
  /** Into MEMBER_MODES. */
  preferred: 1,
  alternate: 2,
  fallback: 3,
  firstMember: 4,
  members: 5,
  ttl: 6,
  maxAnswers: 7,
  /** A set of PoolFlag. */
  flags: 8,
  /** Where the record of `fallback-ip` stands in `octets`, as that of a member, and its octets; 0: none. */
  fallbackAt: 9,
  fallbackOctets: 10,
  /** Into `qos`: where its weights start. */
  qos: 11,
} as const;
export const POOL_NUMBERS = 12;

/** In the order in which weights and factors stand in `qos`. */
export const QUALITIES: readonly (keyof QosWeights)[] = [
  'rtt',
  'hops',
  'hitRatio',
  'kilobytesPerSecond',
  'packetRate',
  'topology',
  'vsCapacity',
  'vsScore',
  'lcs',
];

export const PoolFlag = { dynamicRatio: 1 } as const;

/** Numbers of a member; members of a pool stand one behind the other, by order. */
export const MemberField = {
  /** -1 where the member is a name. */
  virtualServer: 0,
  ratio: 1,
  /** Number of the datacenter, -1 without one: by which paths are measured. */
  datacenter: 2,
  /** As ReferenceField.subject. */
  subject: 3,
  /** The record as it stands behind a question with its name: pointer, type, class, TTL, length, data. */
  recordAt: 4,
  recordOctets: 5,
  /** Of cname pools: the row of `targets` that says which wide IP the member's name is; -1: none, or the member is static. */
  target: 6,
  /** As WideIpField.key, of pool and member. */
  key: 7,
  keyMore: 8,
} as const;
export const MEMBER_NUMBERS = 9;

/** Plain data: a message to a thread can carry it, and copies nothing. */
export type WideIpTables = {
  readonly layout: StateLayout;
  readonly wideIps: Int32Array;
  readonly references: Int32Array;
  readonly pools: Int32Array;
  readonly members: Int32Array;
  /** Members by the hash of their keys, open addressing: the number of a member and one, or 0. */
  readonly memberSlots: Int32Array;
  /** By MemberField.target, a number for each `Column` of `wide-ip-names.ts`: the wide IP that answers such a question, or -1. */
  readonly targets: Int32Array;
  /** Weights of `quality-of-service`, in the order of QosWeights, pool by pool; the factors of the settings come first. */
  readonly qos: Float64Array;
  /** Names and rendered records. */
  readonly octets: Uint8Array;
  /** Which wide IP has a name (`wide-ip-names.ts`). */
  readonly names: WideIpNameTables;
  readonly topology: TopologyTables;
  readonly settings: TableSettings;
  /** For each pool its number in the tables before these, or -1: so that round robin goes on where it was. */
  readonly carriedPools: Int32Array;
  readonly carriedWideIps: Int32Array;
};

export type TableSettings = {
  readonly topologyAllowZeroScores: boolean;
  readonly staticPersistIpv4Bits: number;
  readonly staticPersistIpv6Bits: number;
  readonly drainPersistentRequests: boolean;
  readonly ignorePathTtl: boolean;
};

/** Names by their hashes: exact ones, what is above them and above patterns, and patterns (`wide-ip-names.ts`). */
export type WideIpNameTables = {
  /** Open addressing by hash: the number of an entry and one, or 0. */
  readonly slots: Int32Array;
  readonly entries: Int32Array;
  /** Those with `*` or `?`, the most specific first. */
  readonly patterns: Int32Array;
  /** Labels of the longest name that a pattern ends in. */
  readonly patternLabels: number;
};

/** Which number is which object. */
export type GtmIndex = {
  readonly description: GtmDescription;
  readonly datacenters: readonly Datacenter[];
  readonly virtualServers: readonly VirtualServerEntry[];
  readonly pools: readonly PoolEntry[];
  readonly members: readonly MemberEntry[];
  readonly wideIps: readonly WideIpEntry[];
};

export type VirtualServerEntry = {
  /** `virtualServerKey`. */
  readonly key: string;
  readonly server: GtmServer;
  readonly virtualServer: VirtualServer;
};

export type PoolEntry = {
  readonly pool: GtmPool;
  /** Whose wide IPs use it: undefined for those of no application. */
  readonly application: Application | undefined;
  readonly firstMember: number;
  readonly members: number;
};

export type MemberEntry = {
  /** Number of its pool. */
  readonly pool: number;
  readonly member: PoolMember;
  /** -1: the member is a name, or its virtual server is not there. */
  readonly virtualServer: number;
  /**
   * Numbers of the wide IPs that its name is: cname and naptr (not static) of any type, mx and srv of those that answer with
   * addresses. One of them has to be available.
   */
  readonly targets: readonly number[];
};

export type WideIpEntry = {
  readonly wideIp: WideIp;
  readonly application: Application | undefined;
  /** Numbers of its pools, in the order of its references; that of last resort, or -1. */
  readonly pools: readonly number[];
  readonly lastResort: number;
};
