// The lab as a user runs it: ./scripts/run.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { attempt, Program } from '../interop/harness/program.ts';

it('--once verifies every tunnel both ways', async () => {
  const { status, stdout, stderr } = await attempt(['./scripts/run', '--no-setup', '--once'], { seconds: 40 });
  assert.equal(status, 0, stdout + stderr);
  for (const tunnel of ['to-kernel', 'to-switch', 'to-site-2']) {
    const results = stdout.split('\n').filter((line) => line.includes(` ${tunnel} `) && line.trimEnd().endsWith(' ok'));
    assert.equal(results.length, 2, stdout);
  }
  assert.match(stdout, /traffic passes through every tunnel both ways/);
});

it('the status view refreshes until it is interrupted', async () => {
  const lab = new Program(['./scripts/run', '--no-setup']);
  // The third picture has rates, and numbered datagrams that came.
  await lab.expect(/(NUMBERED UDP[^]*){3}host-d -> host-a +\d+ +0 /, 20);
  assert.equal(await lab.stop('SIGINT', 10), 0, lab.output);
  assert.match(lab.output, /==> stopping/);
});
