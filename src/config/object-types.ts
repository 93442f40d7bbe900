// All object types, in the order in which a file lists them: what is referred to comes before what refers to it.

import type { AnyObjectType, ObjectOf, RunBy } from './object-type.ts';
import { authPartition } from './types/auth-partition.ts';
import { gtmDatacenter } from './types/gtm-datacenter.ts';
import { gtmDistributedApp } from './types/gtm-distributed-app.ts';
import {
  gtmGlobalSettingsGeneral,
  gtmGlobalSettingsLoadBalancing,
  gtmGlobalSettingsMetrics,
} from './types/gtm-global-settings.ts';
import { gtmLink } from './types/gtm-link.ts';
import { gtmListener } from './types/gtm-listener.ts';
import { gtmPoolA, gtmPoolAaaa, gtmPoolCname, gtmPoolMx, gtmPoolNaptr, gtmPoolSrv } from './types/gtm-pool.ts';
import { gtmProberPool } from './types/gtm-prober-pool.ts';
import { gtmRegion } from './types/gtm-region.ts';
import { gtmServer } from './types/gtm-server.ts';
import { gtmTopology } from './types/gtm-topology.ts';
import {
  gtmWideipA,
  gtmWideipAaaa,
  gtmWideipCname,
  gtmWideipMx,
  gtmWideipNaptr,
  gtmWideipSrv,
} from './types/gtm-wideip.ts';
import { gtmZone } from './types/gtm-zone.ts';
import { ltmGlobalSettingsGeneral } from './types/ltm-global-settings-general.ts';
import { ltmNode } from './types/ltm-node.ts';
import { ltmPool } from './types/ltm-pool.ts';
import { ltmProfileDns } from './types/ltm-profile-dns.ts';
import { ltmVirtual } from './types/ltm-virtual.ts';
import { GTM_MONITORS, LTM_MONITORS } from './types/monitors.ts';
import { netArp } from './types/net-arp.ts';
import { netFdbTunnel } from './types/net-fdb-tunnel.ts';
import { netFdbVlan } from './types/net-fdb-vlan.ts';
import { netInterface } from './types/net-interface.ts';
import { netIpsecIkeDaemon } from './types/net-ipsec-ike-daemon.ts';
import { netIpsecIpsecPolicy } from './types/net-ipsec-ipsec-policy.ts';
import { netIpsecManualSecurityAssociation } from './types/net-ipsec-manual-security-association.ts';
import { netIpsecTrafficSelector } from './types/net-ipsec-traffic-selector.ts';
import { netNdp } from './types/net-ndp.ts';
import { netRouteDomain } from './types/net-route-domain.ts';
import { netRoute } from './types/net-route.ts';
import { netSelf } from './types/net-self.ts';
import { netTunnelsEtherip } from './types/net-tunnels-etherip.ts';
import { netTunnelsGre } from './types/net-tunnels-gre.ts';
import { netTunnelsIpsec } from './types/net-tunnels-ipsec.ts';
import { netTunnelsTunnel } from './types/net-tunnels-tunnel.ts';
import { netTunnelsVxlan } from './types/net-tunnels-vxlan.ts';
import { netVlanGroup } from './types/net-vlan-group.ts';
import { netVlan } from './types/net-vlan.ts';
import { sysDb } from './types/sys-db.ts';
import { sysFolder } from './types/sys-folder.ts';

const ALL = [
  authPartition,
  sysFolder,
  sysDb,
  ltmGlobalSettingsGeneral,
  netInterface,
  netVlan,
  netTunnelsVxlan,
  netTunnelsGre,
  netTunnelsEtherip,
  netIpsecIkeDaemon,
  netIpsecIpsecPolicy,
  netIpsecTrafficSelector,
  netIpsecManualSecurityAssociation,
  netTunnelsIpsec,
  netTunnelsTunnel,
  netVlanGroup,
  netRouteDomain,
  netSelf,
  ...LTM_MONITORS,
  ltmNode,
  ltmPool,
  ltmVirtual,
  netRoute,
  netArp,
  netNdp,
  netFdbVlan,
  netFdbTunnel,
  ltmProfileDns,
  gtmListener,
  gtmZone,
  gtmGlobalSettingsGeneral,
  gtmGlobalSettingsLoadBalancing,
  gtmGlobalSettingsMetrics,
  ...GTM_MONITORS,
  gtmDatacenter,
  gtmLink,
  gtmServer,
  gtmProberPool,
  gtmPoolA,
  gtmPoolAaaa,
  gtmPoolCname,
  gtmPoolMx,
  gtmPoolNaptr,
  gtmPoolSrv,
  gtmWideipA,
  gtmWideipAaaa,
  gtmWideipCname,
  gtmWideipMx,
  gtmWideipNaptr,
  gtmWideipSrv,
  gtmDistributedApp,
  gtmRegion,
  gtmTopology,
] as const;

export const OBJECT_TYPES: readonly AnyObjectType[] = ALL;

/** Which daemon the objects of a type are for. */
export const runsType = (path: string): RunBy =>
  OBJECT_TYPES.find((type) => type.path === path)?.runBy ??
  WITHOUT_OBJECTS[path] ??
  (path.startsWith('gtm ') ? 'dnsd' : 'dataplaned');

/** What is shown, and is no object of the configuration. */
const WITHOUT_OBJECTS: Readonly<Partial<Record<string, RunBy>>> = { 'gtm iquery': 'iqueryd' };

/** Paths of the types that a daemon gets. */
export const typesOf = (daemon: RunBy): string[] =>
  OBJECT_TYPES.filter(({ runBy = 'dataplaned', readBy = [] }) => runBy === daemon || readBy.includes(daemon)).map(
    ({ path }) => path,
  );

/** One object of the configuration as daemons receive it; `type` tells which properties it has. */
export type ConfigObject = ObjectOf<(typeof ALL)[number]>;

export type ObjectTypePath = ConfigObject['type'];

/** The object of one type: `ConfigObjectOf<'net vlan'>`. */
export type ConfigObjectOf<Path extends ObjectTypePath> = Extract<ConfigObject, { type: Path }>;

const byPath = new Map(OBJECT_TYPES.map((type) => [type.path, type]));

export function findObjectType(path: string): AnyObjectType | undefined {
  return byPath.get(path);
}
