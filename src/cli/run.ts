// `wideplane run DAEMON`: one daemon alone.

import { resolve } from 'node:path';
import type { Log, LogLevel } from '../core/log.ts';
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
export type DaemonOptions = { state: string; config?: string; log: Log };

export async function run(flags: RunFlags): Promise<number> {
  const log = createLog({ daemon: flags.daemon, format: flags.logFormat, level: flags.logLevel });
  const entry = new URL(`../daemons/${flags.daemon}/main.js`, import.meta.url).href;
  const daemon = (await import(entry)) as Record<string, (options: DaemonOptions) => Promise<number>>;
  const start = daemon[`run${flags.daemon[0]!.toUpperCase()}${flags.daemon.slice(1)}`]!;
  return start({
    state: resolve(flags.state),
    ...(flags.config === undefined ? {} : { config: resolve(flags.config) }),
    log,
  });
}
