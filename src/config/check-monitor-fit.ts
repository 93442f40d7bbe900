// Whether the monitors of a rule can watch what they are given.

import type { MonitorModule } from '../health/monitor.ts';
import { parseMonitorDestination } from './monitor-kinds.ts';
import { readMonitorRule } from './monitor-rule.ts';
import type { AnyConfigObject } from './object-type.ts';
import type { ObjectContext } from './remembered.ts';
import { findMonitor } from './types/monitors.ts';

/** What a rule is for. */
export type Watched = {
  /** As messages name it: `Pool (/Common/p)`. */
  readonly what: string;
  /** The property of the object where it is written. */
  readonly property: string;
  /** The port that is watched; 0: it has none. Absent: it does not matter, each of what is watched says so itself. */
  readonly port?: number;
};

const PORT_TYPES = ['tcp', 'tcp-half-open', 'udp', 'http', 'https', 'dns'];

/** Refuses monitors that need a port where there is none; `look` may find more. */
export function checkFit(
  module: MonitorModule,
  object: AnyConfigObject,
  rule: string,
  watched: Watched,
  context: ObjectContext,
  look?: (type: string, monitor: AnyConfigObject) => void,
): void {
  for (const name of readMonitorRule(rule).names) {
    const monitor = findMonitor(module, name, context);
    if (monitor === undefined) continue;
    const type = monitor.type.slice(`${module} monitor `.length);
    if (watched.port === 0 && PORT_TYPES.includes(type) && portOf(monitor) === undefined) {
      const text = `${watched.what}: monitor ${name} probes the port of what it watches, and there is none.`;
      const hint = `Name a monitor that needs no port, as gateway_icmp, or one whose destination says a port: modify ${monitor.type} ${name} destination *:PORT`;
      context.error(object, text, { property: watched.property, value: name, hint });
    }
    look?.(type, monitor);
  }
}

function portOf({ properties }: AnyConfigObject): number | undefined {
  const { destination } = properties;
  return typeof destination === 'string' ? parseMonitorDestination(destination)?.port : undefined;
}
