// What wide IPs are made of, as plain data: the objects of the configuration, resolved and without anything that answering
// does not need. Names are full paths, as /Common/www.example.com.

/** The types of wide IPs and of pools, by their names in tmsh. */
export const WIDE_IP_TYPES = ['a', 'aaaa', 'cname', 'mx', 'naptr', 'srv'] as const;
export type WideIpType = (typeof WIDE_IP_TYPES)[number];

/** How a wide IP chooses among its pools. */
export const POOL_MODES = ['round-robin', 'ratio', 'global-availability', 'topology'] as const;
export type PoolMode = (typeof POOL_MODES)[number];

/** How a pool chooses among its members: preferred and fallback may be all of them (`none` not as preferred). */
export const MEMBER_MODES = [
  'completion-rate',
  'cpu',
  'drop-packet',
  'fallback-ip',
  'fewest-hops',
  'global-availability',
  'kilobytes-per-second',
  'least-connections',
  'lowest-round-trip-time',
  'none',
  'packet-rate',
  'quality-of-service',
  'ratio',
  'return-to-dns',
  'round-robin',
  'static-persistence',
  'topology',
  'virtual-server-capacity',
  'virtual-server-score',
] as const;
export type MemberMode = (typeof MEMBER_MODES)[number];

/** What an alternate may be: nothing that needs what is measured of the way to a client, or on the server's CPU. */
export const ALTERNATE_MODES = [
  'drop-packet',
  'fallback-ip',
  'global-availability',
  'none',
  'packet-rate',
  'ratio',
  'return-to-dns',
  'round-robin',
  'static-persistence',
  'topology',
  'virtual-server-capacity',
  'virtual-server-score',
] as const satisfies readonly MemberMode[];

/** Above which load something counts as unavailable; undefined: no limit. Kilobytes are 1000 octets. */
export type Limits = {
  readonly connections: number | undefined;
  readonly bitsPerSecond: number | undefined;
  readonly packetsPerSecond: number | undefined;
};
export type ServerLimits = Limits & {
  /** Per cent of all CPUs that may be used. */
  readonly cpuUsage: number | undefined;
  /** Kilobytes that must be free. */
  readonly memoryAvailable: number | undefined;
};

export type Datacenter = { readonly name: string; readonly enabled: boolean };

export type VirtualServer = {
  /** Within its server. */
  readonly name: string;
  /** 4 or 16 octets: what is answered. */
  readonly address: Uint8Array;
  readonly port: number;
  readonly enabled: boolean;
  readonly limits: Limits;
  /** Other virtual servers that must be available, by `virtualServerKey`. */
  readonly dependsOn: readonly string[];
  /** Behind a translation: the address on the server itself; undefined without one. */
  readonly translation: { readonly address: string; readonly port: number } | undefined;
  readonly hasMonitor: boolean;
};

export type GtmServer = {
  readonly name: string;
  readonly datacenter: string;
  readonly enabled: boolean;
  readonly limits: ServerLimits;
  readonly virtualServers: readonly VirtualServer[];
  readonly hasMonitor: boolean;
};

/** How a virtual server is named from outside its server: `/Common/server:/Common/vs`. */
export function virtualServerKey(server: string, virtualServer: string): string {
  return `${server}:${virtualServer}`;
}

/** A member of a pool; which fields there are depends on the type of the pool. */
export type PoolMember = {
  /** Pools a and aaaa: `virtualServerKey`. Others: the name that is answered, as it was written. */
  readonly name: string;
  readonly enabled: boolean;
  /** By which global-availability goes; members stand in the list in this order. */
  readonly order: number;
  readonly ratio: number;
  readonly limits: Limits;
  readonly dependsOn: readonly string[];
  /** Pools a and aaaa: whether a monitor of the pool, or its own, watches it beside its virtual server. */
  readonly hasMonitor: boolean;
  /** Pools cname, mx, naptr, srv: whether the name is answered though no wide IP has it, without a look at one. */
  readonly isStatic: boolean;
  /** mx, srv. */
  readonly priority: number;
  /** srv. */
  readonly weight: number;
  readonly port: number;
  /** naptr. */
  readonly naptr: {
    readonly order: number;
    readonly preference: number;
    readonly flags: string;
    readonly service: string;
  };
};

/** What each quality weighs in `quality-of-service`. */
export type QosWeights = {
  readonly rtt: number;
  readonly hops: number;
  /** Completion rate. */
  readonly hitRatio: number;
  readonly kilobytesPerSecond: number;
  readonly packetRate: number;
  readonly topology: number;
  readonly vsCapacity: number;
  readonly vsScore: number;
  /** Capacity of the link. */
  readonly lcs: number;
};

export type GtmPool = {
  readonly type: WideIpType;
  readonly name: string;
  readonly enabled: boolean;
  readonly preferred: MemberMode;
  readonly alternate: MemberMode;
  readonly fallback: MemberMode;
  /** What `fallback-ip` answers: 4 or 16 octets; undefined: nothing. */
  readonly fallbackIp: Uint8Array | undefined;
  readonly members: readonly PoolMember[];
  /** Seconds. */
  readonly ttl: number;
  readonly maxAnswersReturned: number;
  readonly minMembersUp: { readonly mode: 'off' | 'number' | 'percent'; readonly value: number };
  readonly verifyMemberAvailability: boolean;
  readonly manualResume: boolean;
  /** The ratio of members follows their `vsScore` instead of what was written. */
  readonly dynamicRatio: boolean;
  readonly limits: Limits;
  readonly qos: QosWeights;
};

/** What of decisions is logged. */
export const DECISIONS = [
  'pool-selection',
  'pool-traversal',
  'pool-member-selection',
  'pool-member-traversal',
] as const;
export type Decision = (typeof DECISIONS)[number];

export type WideIpPool = { readonly pool: string; readonly order: number; readonly ratio: number };

/** What is answered when nothing else could be. */
export type FailureReply = {
  /** By the rcode's number. */
  readonly rcode: number;
  /** Seconds for which the answer may be kept (RFC 2308): without 0 an SOA goes with it. */
  readonly ttl: number;
};

export type WideIp = {
  readonly type: WideIpType;
  readonly name: string;
  /** The domain name as text, in lower case and without a dot at its end: it may have `*` and `?`. */
  readonly domain: string;
  readonly aliases: readonly string[];
  readonly enabled: boolean;
  readonly poolMode: PoolMode;
  /** By order. Pools of the wide IP's own type, and those of type cname. */
  readonly pools: readonly WideIpPool[];
  readonly cnamePools: readonly WideIpPool[];
  readonly lastResort: { readonly type: WideIpType; readonly pool: string } | undefined;
  /** undefined: without persistence. Bits of an address that count; seconds. */
  readonly persistence: { readonly ipv4Bits: number; readonly ipv6Bits: number; readonly ttl: number } | undefined;
  readonly minimalResponse: boolean;
  /** undefined: when nothing answers the next source is asked. */
  readonly failure: FailureReply | undefined;
  readonly prefersClientSubnet: boolean;
  readonly logs: readonly Decision[];
};

/** What topology can know of an address, or of a pool. */
export const TOPOLOGY_KINDS = [
  'subnet',
  'datacenter',
  'pool',
  'region',
  'isp',
  'geoip-isp',
  'country',
  'state',
  'continent',
] as const;
export type TopologyKind = (typeof TOPOLOGY_KINDS)[number];

/** `[not] KIND VALUE`. Values: `192.0.2.0/24`, a full path, `US`, `US/Washington`, `NA`, the name of a provider. */
export type TopologyStatement = { readonly isNegated: boolean; readonly kind: TopologyKind; readonly value: string };

export type TopologyRecord = {
  /** As the object is called. */
  readonly name: string;
  readonly ldns: TopologyStatement;
  readonly server: TopologyStatement;
  readonly score: number;
  readonly order: number;
};

export type Region = { readonly name: string; readonly members: readonly TopologyStatement[] };

/** What a distributed application makes its wide IPs depend on. */
export const DEPENDENCY_LEVELS = ['none', 'datacenter', 'link', 'server', 'wideip'] as const;

export type Application = {
  readonly name: string;
  readonly wideIps: readonly { readonly type: WideIpType; readonly name: string }[];
  readonly dependencyLevel: (typeof DEPENDENCY_LEVELS)[number];
  readonly persistence: { readonly ipv4Bits: number; readonly ipv6Bits: number; readonly ttl: number } | undefined;
  /** Datacenters and servers that the application does not use. */
  readonly disabledContexts: readonly { readonly kind: 'datacenter' | 'link' | 'server'; readonly name: string }[];
};

/** `gtm global-settings`, as far as answering needs it. */
export type GtmSettings = {
  readonly verifyVsAvailability: boolean;
  readonly respectFallbackDependency: boolean;
  readonly ignorePathTtl: boolean;
  /** Seconds for which what is measured of a path is good. */
  readonly pathTtl: number;
  readonly topologyLongestMatch: boolean;
  readonly topologyAllowZeroScores: boolean;
  readonly staticPersistIpv4Bits: number;
  readonly staticPersistIpv6Bits: number;
  readonly drainPersistentRequests: boolean;
  /** The MNAME of an SOA that we make ourselves. */
  readonly wideIpZoneNameserver: string;
  /** By which `quality-of-service` makes its metrics comparable. */
  readonly qosFactors: QosWeights;
};

export type GtmDescription = {
  readonly settings: GtmSettings;
  readonly datacenters: readonly Datacenter[];
  readonly servers: readonly GtmServer[];
  readonly pools: readonly GtmPool[];
  readonly wideIps: readonly WideIp[];
  readonly regions: readonly Region[];
  readonly topology: readonly TopologyRecord[];
  readonly applications: readonly Application[];
};
