// Descriptions of wide IPs for tests: parts with everything as it is by default, and the index that belongs to one.

import type {
  GtmDescription,
  GtmPool,
  GtmServer,
  GtmSettings,
  Limits,
  PoolMember,
  QosWeights,
  ServerLimits,
  VirtualServer,
  WideIp,
  WideIpType,
} from '../../src/gtm/description.ts';

export const NO_LIMITS: Limits = { connections: undefined, bitsPerSecond: undefined, packetsPerSecond: undefined };
export const NO_SERVER_LIMITS: ServerLimits = { ...NO_LIMITS, cpuUsage: undefined, memoryAvailable: undefined };

const NO_WEIGHTS: QosWeights = {
  ...{ rtt: 0, hops: 0, hitRatio: 0, kilobytesPerSecond: 0, packetRate: 0, topology: 0, vsCapacity: 0, vsScore: 0 },
  lcs: 0,
};

export const SETTINGS: GtmSettings = {
  verifyVsAvailability: true,
  respectFallbackDependency: false,
  ignorePathTtl: false,
  pathTtl: 2400,
  topologyLongestMatch: true,
  topologyAllowZeroScores: true,
  staticPersistIpv4Bits: 32,
  staticPersistIpv6Bits: 128,
  drainPersistentRequests: true,
  wideIpZoneNameserver: 'this.name.is.invalid.',
  qosFactors: NO_WEIGHTS,
};

export function virtualServer(name: string, rest: Partial<VirtualServer> = {}): VirtualServer {
  const address = Uint8Array.of(192, 0, 2, 1);
  const plain = { limits: NO_LIMITS, dependsOn: [], translation: undefined, hasMonitor: true };
  return { name, address, port: 80, enabled: true, ...plain, ...rest };
}

export function server(name: string, datacenter: string, rest: Partial<GtmServer> = {}): GtmServer {
  return { name, datacenter, enabled: true, limits: NO_SERVER_LIMITS, virtualServers: [], hasMonitor: true, ...rest };
}

export function member(name: string, rest: Partial<PoolMember> = {}): PoolMember {
  const naptr = { order: 10, preference: 10, flags: '', service: '' };
  const plain = { order: 0, ratio: 1, limits: NO_LIMITS, dependsOn: [], hasMonitor: false, isStatic: false };
  return { name, enabled: true, ...plain, priority: 10, weight: 10, port: 80, naptr, ...rest };
}

export function pool(type: WideIpType, name: string, rest: Partial<GtmPool> = {}): GtmPool {
  return {
    type,
    name,
    enabled: true,
    preferred: 'round-robin',
    alternate: 'round-robin',
    fallback: 'return-to-dns',
    fallbackIp: undefined,
    members: [],
    ttl: 30,
    maxAnswersReturned: 1,
    minMembersUp: { mode: 'off', value: 0 },
    verifyMemberAvailability: true,
    manualResume: false,
    dynamicRatio: false,
    limits: NO_LIMITS,
    qos: NO_WEIGHTS,
    ...rest,
  };
}

export function wideIp(type: WideIpType, domain: string, rest: Partial<WideIp> = {}): WideIp {
  return {
    type,
    name: `/Common/${domain}`,
    domain,
    aliases: [],
    enabled: true,
    poolMode: 'round-robin',
    pools: [],
    cnamePools: [],
    lastResort: undefined,
    persistence: undefined,
    minimalResponse: true,
    failure: undefined,
    prefersClientSubnet: false,
    logs: [],
    ...rest,
  };
}

export function description(parts: Partial<GtmDescription>): GtmDescription {
  const nothing = { datacenters: [], servers: [], pools: [], wideIps: [], regions: [], topology: [], applications: [] };
  return { settings: SETTINGS, ...nothing, ...parts };
}
