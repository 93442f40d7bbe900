// configd: owns the configuration.

import { Configd, ConfigurationRefused } from '../../assembly/configd/configd.ts';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { packageVersion } from '../../native/package.ts';
import { EXIT_CONFIGURATION, RESTART_SIGNAL } from '../../supervise/daemon-process.ts';

export type ConfigdSettings = { state: string; config?: string; log: Log };

/** Runs until a signal asks for the end; resolves to the exit status. */
export async function runConfigd({ state, config, log }: ConfigdSettings): Promise<number> {
  const stopped = new Promise<{ isRestart: boolean }>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve({ isRestart: false }));
    process.once(RESTART_SIGNAL, () => resolve({ isRestart: true }));
  });
  const configd = new Configd({ state, version: packageVersion(), log, ...(config === undefined ? {} : { config }) });
  try {
    await configd.start();
  } catch (error) {
    logEvent(log, 'daemon-failed', `configd cannot start: ${errorText(error)}`);
    return error instanceof ConfigurationRefused ? EXIT_CONFIGURATION : 1;
  }
  const { isRestart } = await stopped;
  await configd.stop(isRestart);
  return 0;
}
