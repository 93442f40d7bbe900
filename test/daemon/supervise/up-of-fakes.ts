// `wideplane up` with daemons that do nothing: `up-of-fakes.js STATE [--force]`. Its log is JSON.

import { fileURLToPath } from 'node:url';
import { createLog } from '../../../src/cli/log.ts';
import { DAEMONS } from '../../../src/supervise/daemon-table.ts';
import { relayLine } from '../../../src/supervise/log-relay.ts';
import { runUp } from '../../../src/supervise/up.ts';

const [state, force] = process.argv.slice(2) as [string, string | undefined];
const local = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const log = createLog({ daemon: 'supervisor', format: 'json', level: 'debug' });

try {
  process.exitCode = await runUp({
    state,
    config: undefined,
    force: force === '--force',
    daemons: DAEMONS,
    daemonCommand: (daemon) => [process.execPath, local('./fake-daemon.js'), daemon.name, state],
    restoreCommand: [
      ...[process.execPath, local('../../../bin/main.js'), 'restore', '--state', state],
      ...['--lock-held', '--log-format', 'json'],
    ],
    relay: (daemon, line, fromStderr) => process.stdout.write(relayLine(daemon, line, fromStderr, 'json')),
    log,
  });
} catch (error) {
  log.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
