// What the objects of wide IPs come to as plain data: texts become numbers and octets, records lists in their order.

import { isDependency, parseDestination, plainDomain } from '../../config/gtm-kinds.ts';
import type { ObjectTypeOptions, TypedObject } from '../../config/object-type.ts';
import type { PropertyMap } from '../../config/property.ts';
import { wordsOf } from '../../config/sentence.ts';
import { splitStatement } from '../../config/topology-statement.ts';
import { type GtmDatacenter, gtmDatacenter } from '../../config/types/gtm-datacenter.ts';
import { gtmDistributedApp } from '../../config/types/gtm-distributed-app.ts';
import type { GtmDistributedApp } from '../../config/types/gtm-distributed-app.ts';
import {
  gtmGlobalSettingsGeneral,
  gtmGlobalSettingsLoadBalancing,
  gtmGlobalSettingsMetrics,
} from '../../config/types/gtm-global-settings.ts';
import type { GtmGlobalSettingsLoadBalancing } from '../../config/types/gtm-global-settings.ts';
import { GTM_POOLS } from '../../config/types/gtm-pool.ts';
import type { AnyPool } from '../../config/types/gtm-pool.ts';
import { gtmRegion } from '../../config/types/gtm-region.ts';
import type { GtmRegion } from '../../config/types/gtm-region.ts';
import { gtmServer } from '../../config/types/gtm-server.ts';
import type { GtmServer as ServerObject } from '../../config/types/gtm-server.ts';
import { gtmTopology, statementsOf } from '../../config/types/gtm-topology.ts';
import type { GtmTopology } from '../../config/types/gtm-topology.ts';
import { GTM_WIDE_IPS } from '../../config/types/gtm-wideip.ts';
import type { AnyWideIp } from '../../config/types/gtm-wideip.ts';
import { addressOctets } from '../../core/address.ts';
import { kept } from '../../core/kept.ts';
import { WIDE_IP_TYPES } from '../../gtm/description.ts';
import type {
  Application,
  Datacenter,
  Decision,
  FailureReply,
  GtmDescription,
  GtmServer,
  GtmSettings,
  Region,
  TopologyRecord,
  VirtualServer,
  WideIp,
  WideIpPool,
  WideIpType,
} from '../../gtm/description.ts';
import { byOrder, describePool, limitsOf } from './gtm-pool-description.ts';

/** The objects of a type that there are. */
export type ObjectsOf = <Path extends string, M extends PropertyMap>(
  type: ObjectTypeOptions<Path, M>,
) => readonly TypedObject<Path, M>[];

/** Parts of the same object are the same ones from one call to the next, while nothing that they are made of changes. */
export function describeGtm(objectsOf: ObjectsOf): GtmDescription {
  const balancing = objectsOf(gtmGlobalSettingsLoadBalancing)[0]!;
  const ofEachType = <T>(describe: (type: WideIpType) => readonly T[]): T[] => WIDE_IP_TYPES.flatMap(describe);
  return {
    settings: describeSettings(objectsOf),
    datacenters: objectsOf(gtmDatacenter).map((datacenter) => describeDatacenter(datacenter)),
    servers: objectsOf(gtmServer).map((server) => describeServer(server)),
    pools: ofEachType((type) =>
      (objectsOf(GTM_POOLS[type] as typeof GTM_POOLS.a) as readonly AnyPool[]).map((pool) => describePool(pool, type)),
    ),
    wideIps: ofEachType((type) =>
      objectsOf(GTM_WIDE_IPS[type] as typeof GTM_WIDE_IPS.a).map((wideIp) => describeWideIp(wideIp, type, balancing)),
    ),
    regions: objectsOf(gtmRegion).map((region) => describeRegion(region)),
    topology: objectsOf(gtmTopology).map((record) => describeTopology(record)),
    applications: objectsOf(gtmDistributedApp).map((application) => describeApplication(application)),
  };
}

function describeSettings(objectsOf: ObjectsOf): GtmSettings {
  const general = objectsOf(gtmGlobalSettingsGeneral)[0]!.properties;
  const balancing = objectsOf(gtmGlobalSettingsLoadBalancing)[0]!.properties;
  const metrics = objectsOf(gtmGlobalSettingsMetrics)[0]!.properties;
  return {
    verifyVsAvailability: balancing['verify-vs-availability'],
    respectFallbackDependency: balancing['respect-fallback-dependency'],
    ignorePathTtl: balancing['ignore-path-ttl'],
    pathTtl: metrics['path-ttl'],
    topologyLongestMatch: balancing['topology-longest-match'],
    topologyAllowZeroScores: balancing['topology-allow-zero-scores'],
    staticPersistIpv4Bits: general['static-persist-cidr-ipv4'],
    staticPersistIpv6Bits: general['static-persist-cidr-ipv6'],
    drainPersistentRequests: general['drain-persistent-requests'],
    wideIpZoneNameserver: general['wideip-zone-nameserver'],
    qosFactors: {
      rtt: balancing['qos-factor-rtt'],
      hops: balancing['qos-factor-hops'],
      hitRatio: balancing['qos-factor-hit-ratio'],
      kilobytesPerSecond: balancing['qos-factor-bps'],
      packetRate: balancing['qos-factor-packet-rate'],
      topology: balancing['qos-factor-topology'],
      vsCapacity: balancing['qos-factor-vs-capacity'],
      vsScore: balancing['qos-factor-vs-score'],
      lcs: balancing['qos-factor-link-capacity'],
    },
  };
}

const describeDatacenter = kept(({ name, properties }: GtmDatacenter): Datacenter => ({
  name,
  enabled: properties.enabled,
}));

const describeServer = kept(({ name, properties }: ServerObject): GtmServer => {
  const hasMonitor = properties.monitor !== undefined;
  return {
    name,
    datacenter: properties.datacenter,
    enabled: properties.enabled,
    limits: {
      ...limitsOf(properties),
      cpuUsage: properties['limit-cpu-usage-status'] ? properties['limit-cpu-usage'] : undefined,
      memoryAvailable: properties['limit-mem-avail-status'] ? properties['limit-mem-avail'] : undefined,
    },
    virtualServers: Object.entries(properties['virtual-servers']).map(([key, virtualServer]) =>
      describeVirtualServer(key, virtualServer, hasMonitor),
    ),
    hasMonitor,
  };
});

type VirtualServerProperties = ServerObject['properties']['virtual-servers'][string];

function describeVirtualServer(
  name: string,
  properties: VirtualServerProperties,
  isServerWatched: boolean,
): VirtualServer {
  const { address, port } = parseDestination(properties.destination)!;
  const { monitor, 'translation-address': translation, 'translation-port': translationPort } = properties;
  return {
    name,
    address: addressOctets(address),
    port,
    enabled: properties.enabled,
    limits: limitsOf(properties),
    dependsOn: Object.keys(properties['depends-on']).filter(isDependency),
    translation: translation === 'none' ? undefined : { address: translation, port: translationPort },
    hasMonitor: monitor === 'default' ? isServerWatched : monitor !== 'none',
  };
}

const RCODES = { noerror: 0, formerr: 1, servfail: 2, nxdomain: 3, notimpl: 4, refused: 5 } as const;

/** What is replied when nothing can be answered: what the wide IP says, or else the settings for all of them. */
function failureOf(...owners: readonly FailureProperties[]): FailureReply | undefined {
  const owner = owners.find((properties) => properties['failure-rcode-response']);
  return owner && { rcode: RCODES[owner['failure-rcode']], ttl: owner['failure-rcode-ttl'] };
}

type FailureProperties = {
  readonly 'failure-rcode': keyof typeof RCODES;
  readonly 'failure-rcode-response': boolean;
  readonly 'failure-rcode-ttl': number;
};

const describeWideIp = kept(
  ({ name, properties }: AnyWideIp, type: WideIpType, balancing: GtmGlobalSettingsLoadBalancing): WideIp => ({
    type,
    name,
    domain: plainDomain(name),
    aliases: properties.aliases.map(plainDomain),
    enabled: properties.enabled,
    poolMode: properties['pool-lb-mode'],
    pools: describePools(properties.pools),
    // Wide IPs of type cname have none.
    cnamePools: describePools((properties as Partial<typeof properties>)['pools-cname'] ?? {}),
    lastResort: lastResortOf(properties['last-resort-pool']),
    persistence: persistenceOf(properties),
    minimalResponse: properties['minimal-response'],
    failure: failureOf(properties, balancing.properties),
    prefersClientSubnet:
      properties['topology-prefer-edns0-client-subnet'] || balancing.properties['topology-prefer-edns0-client-subnet'],
    logs: properties['load-balancing-decision-log-verbosity'] as readonly Decision[],
  }),
);

function describePools(
  pools: Readonly<Record<string, { readonly order: number; readonly ratio: number }>>,
): WideIpPool[] {
  return byOrder(Object.entries(pools).map(([pool, { order, ratio }]) => ({ pool, order, ratio })));
}

function lastResortOf(text: string | undefined): WideIp['lastResort'] {
  if (text === undefined) return undefined;
  const [type, pool] = wordsOf(text)!;
  return { type: type as WideIpType, pool: pool! };
}

type PersistenceProperties = {
  readonly persistence: boolean;
  readonly 'persist-cidr-ipv4': number;
  readonly 'persist-cidr-ipv6': number;
  readonly 'ttl-persistence': number;
};

function persistenceOf(properties: PersistenceProperties): WideIp['persistence'] {
  if (!properties.persistence) return undefined;
  return {
    ipv4Bits: properties['persist-cidr-ipv4'],
    ipv6Bits: properties['persist-cidr-ipv6'],
    ttl: properties['ttl-persistence'],
  };
}

const describeRegion = kept(({ name, properties }: GtmRegion): Region => {
  const members = Object.keys(properties['region-members']);
  return { name, members: members.map((key) => splitStatement(wordsOf(key)!)) };
});

const describeTopology = kept(({ name, properties }: GtmTopology): TopologyRecord => ({
  name,
  ...statementsOf(name),
  score: properties.score,
  order: properties.order,
}));

type Context = Application['disabledContexts'][number];

const describeApplication = kept(({ name, properties }: GtmDistributedApp): Application => ({
  name,
  wideIps: Object.keys(properties.wideips).map((key) => {
    const [type, wideIp] = wordsOf(key)!;
    return { type: type as WideIpType, name: wideIp! };
  }),
  dependencyLevel: properties['dependency-level'],
  persistence: persistenceOf(properties),
  disabledContexts: Object.keys(properties['disabled-contexts']).map((key) => {
    const [kind, context] = wordsOf(key)!;
    return { kind: kind as Context['kind'], name: context! };
  }),
}));
