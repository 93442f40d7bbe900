// The daemons by name, in the order in which they are started.

export const DAEMON_NAMES = ['configd', 'dataplaned', 'dnsd', 'healthd', 'iqueryd', 'metricsd'] as const;

export type DaemonName = (typeof DAEMON_NAMES)[number];
