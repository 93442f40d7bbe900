// `wideplane run DAEMON`: one daemon alone.

import { resolve } from 'node:path';
import { errorText } from '../core/errors.ts';
import { logEvent } from '../core/log-codes.ts';
import type { Log, LogLevel } from '../core/log.ts';
import { protectMemory } from '../native/protect-memory.ts';
import type { DaemonName } from '../supervise/daemon-table.ts';
import { createLog, type LogFormat } from './log.ts';

export type RunFlags = {
  daemon: DaemonName;
  config?: string;
  state: string;
  logFormat: LogFormat;
  logLevel: LogLevel;
};

/** What a daemon's entry point takes; it resolves to the exit status when the daemon has ended. */
export type DaemonSettings = { state: string; config?: string; log: Log };

const ENTRY_POINTS: Record<DaemonName, () => Promise<(settings: DaemonSettings) => Promise<number>>> = {
  configd: async () => (await import('../daemons/configd/main.ts')).runConfigd,
  dnsd: async () => (await import('../daemons/dnsd/main.ts')).runDnsd,
  healthd: async () => (await import('../daemons/healthd/main.ts')).runHealthd,
  iqueryd: async () => (await import('../daemons/iqueryd/main.ts')).runIqueryd,
  metricsd: async () => (await import('../daemons/metricsd/main.ts')).runMetricsd,
  dataplaned: async () => (await import('../daemons/dataplaned/main.ts')).runDataplaned,
};

export async function run(flags: RunFlags): Promise<number> {
  const log = createLog({ daemon: flags.daemon, format: flags.logFormat, level: flags.logLevel });
  const unprotected = protectMemory();
  if (unprotected !== undefined) {
    logEvent(log, 'memory-unprotected', `a core file of this process may hold keys: ${unprotected}`);
  }
  try {
    const start = await ENTRY_POINTS[flags.daemon]();
    const config = flags.config === undefined ? {} : { config: resolve(flags.config) };
    return await start({ state: resolve(flags.state), ...config, log });
  } catch (error) {
    log.error(errorText(error));
    return 1;
  }
}
