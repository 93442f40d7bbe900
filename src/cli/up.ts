// `wideplane up`: the options of the command line, the common log, and the supervisor.

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { adviseOnTraffic } from '../assembly/supervisor/traffic-advisor.ts';
import type { LogLevel } from '../core/log.ts';
import { DAEMONS, type DaemonName } from '../supervise/daemon-table.ts';
import { LineWriter, relayLine } from '../supervise/log-relay.ts';
import { runUp } from '../supervise/up.ts';
import { adaptersHere, adapterText } from './adapters.ts';
import { createLog, type LogFormat } from './log.ts';

export type UpFlags = {
  config?: string;
  state: string;
  force: boolean;
  /** Which daemons, besides configd; default: all. */
  only?: readonly DaemonName[];
  logFormat: LogFormat;
  logLevel: LogLevel;
};

/** How long to wait at the end for a reader of the log that does not read. */
const FLUSH_MS = 1000;

export async function up(flags: UpFlags): Promise<number> {
  const state = resolve(flags.state);
  const config = flags.config === undefined ? undefined : resolve(flags.config);
  const writer = new LineWriter(1);
  const log = createLog({
    daemon: 'supervisor',
    format: 'json',
    level: flags.logLevel,
    write: (line) => writer.write(relayLine('supervisor', line.trimEnd(), false, flags.logFormat)),
  });
  const adapters = adaptersHere().map((report) => `${report.adapter} ${adapterText(report)}`);
  log.info(`adapters: ${adapters.join('; ')}`);
  const daemons = DAEMONS.filter(
    ({ name }) => name === 'configd' || flags.only === undefined || flags.only.includes(name),
  );
  const others = DAEMONS.filter((daemon) => !daemons.includes(daemon));
  if (others.length > 0) log.info(`not started, by --only: ${others.map(({ name }) => name).join(', ')}`);
  const self = [process.execPath, fileURLToPath(new URL('./main.js', import.meta.url))];
  const stateFlags = ['--state', state];
  try {
    return await runUp({
      state,
      config,
      force: flags.force,
      daemons,
      daemonCommand: (daemon) => [
        ...[...self, 'run', daemon.name, ...stateFlags, '--log-format', 'json', '--log-level', flags.logLevel],
        ...(daemon.name === 'configd' && config !== undefined ? ['--config', config] : []),
      ],
      restoreCommand: [...self, 'restore', ...stateFlags, '--lock-held', '--log-format', flags.logFormat],
      advise: adviseOnTraffic,
      relay: (daemon, line, fromStderr) => writer.write(relayLine(daemon, line, fromStderr, flags.logFormat)),
      log,
    });
  } catch (error) {
    log.error(error instanceof Error ? error.message : String(error));
    return 1;
  } finally {
    await writer.flush(FLUSH_MS);
  }
}
