// Daemons that have never had a configuration: each waits for configd, and ends when it is asked to.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { EXECUTABLE } from '../support/executable.ts';
import { eventually } from './supervise/running-up.ts';

const state = mkdtempSync(join(tmpdir(), 'without-configd-'));
after(() => rmSync(state, { recursive: true }));

for (const daemon of ['dataplaned', 'dnsd', 'healthd', 'iqueryd', 'metricsd']) {
  it(`${daemon} ends by SIGTERM while it waits for configd`, async () => {
    const child = spawn(process.execPath, [EXECUTABLE, 'run', daemon, '--state', state], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let log = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (log += text));
    const exited = once(child, 'exit');
    await eventually('it misses configd', () => log.includes('configd-lost'));
    const asked = performance.now();
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 9000);
    assert.deepEqual(await exited, [0, null], log);
    clearTimeout(timer);
    assert.match(log, new RegExp(`${daemon} stops`));
    console.log(`${daemon} ended ${((performance.now() - asked) / 1000).toFixed(2)} s later`);
  });
}
