// `wideplane restore`.

import { resolve } from 'node:path';
import type { LogLevel } from '../core/log.ts';
import { restoreDevices } from '../supervise/restore.ts';
import { createLog, type LogFormat } from './log.ts';

export type RestoreFlags = { state: string; lockHeld: boolean; logFormat: LogFormat; logLevel: LogLevel };

export async function restore(flags: RestoreFlags): Promise<number> {
  const log = createLog({ daemon: 'supervisor', format: flags.logFormat, level: flags.logLevel });
  // Half a restore is worse than a late end: whoever stops us waits the few milliseconds.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  try {
    return (await restoreDevices(resolve(flags.state), flags.lockHeld, log)) ? 0 : 1;
  } catch (error) {
    log.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}
