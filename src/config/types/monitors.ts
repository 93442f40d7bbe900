// All types of monitors, by module.

import type { MonitorModule } from '../../health/monitor.ts';
import type { AnyObjectType, ObjectOf } from '../object-type.ts';
import type { ObjectContext } from '../remembered.ts';
import { gtmMonitorBigip } from './monitor-bigip.ts';
import { gtmMonitorDns, ltmMonitorDns } from './monitor-dns.ts';
import { gtmMonitorExternal, ltmMonitorExternal } from './monitor-external.ts';
import { gtmMonitorHttp, gtmMonitorHttps, ltmMonitorHttp, ltmMonitorHttps } from './monitor-http.ts';
import { gtmMonitorGatewayIcmp, gtmMonitorIcmp, ltmMonitorGatewayIcmp, ltmMonitorIcmp } from './monitor-icmp.ts';
import { gtmMonitorTcp, gtmMonitorTcpHalfOpen, ltmMonitorTcp, ltmMonitorTcpHalfOpen } from './monitor-tcp.ts';
import { gtmMonitorUdp, ltmMonitorUdp } from './monitor-udp.ts';
import { ltmMonitorVirtualLocation } from './monitor-virtual-location.ts';

export const GTM_MONITORS = [
  gtmMonitorIcmp,
  gtmMonitorGatewayIcmp,
  gtmMonitorTcp,
  gtmMonitorTcpHalfOpen,
  gtmMonitorUdp,
  gtmMonitorHttp,
  gtmMonitorHttps,
  gtmMonitorDns,
  gtmMonitorExternal,
  gtmMonitorBigip,
] as const;

export const LTM_MONITORS = [
  ltmMonitorIcmp,
  ltmMonitorGatewayIcmp,
  ltmMonitorTcp,
  ltmMonitorTcpHalfOpen,
  ltmMonitorUdp,
  ltmMonitorHttp,
  ltmMonitorHttps,
  ltmMonitorDns,
  ltmMonitorExternal,
  ltmMonitorVirtualLocation,
] as const;

export type GtmMonitor = ObjectOf<(typeof GTM_MONITORS)[number]>;
export type LtmMonitor = ObjectOf<(typeof LTM_MONITORS)[number]>;
export type AnyMonitor = GtmMonitor | LtmMonitor;

const MONITORS: Readonly<Record<MonitorModule, readonly AnyObjectType[]>> = { gtm: GTM_MONITORS, ltm: LTM_MONITORS };

/** The monitor of a name: those of a module share one name space. */
export function findMonitor(
  module: MonitorModule,
  name: string,
  context: Pick<ObjectContext, 'find'>,
): AnyMonitor | undefined {
  for (const type of MONITORS[module]) {
    const monitor = context.find(type, name);
    if (monitor !== undefined) return monitor as AnyMonitor;
  }
  return undefined;
}
