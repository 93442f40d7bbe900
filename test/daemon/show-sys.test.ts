// `show sys …` of a running wideplane, also after a daemon was killed.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { test } from 'node:test';
import { residentOctets } from '../../src/supervise/process-memory.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { eventually, makeState, removeState, run, RunningUp } from './supervise/running-up.ts';

const CONFIG = 'net vlan lab {\n    tag 9\n}\n';

const tmsh = (state: string, command: string): string =>
  run(process.execPath, EXECUTABLE, 'tmsh', '--state', state, '-c', command);

/** Label → value of one block of `show`. */
function block(output: string, heading: string): Record<string, string> {
  const [, after] = output.split(`\n${heading}\n`);
  assert.ok(after !== undefined, `no block ${heading} in:\n${output}`);
  const lines = after.split(/\n\n-+\n/)[0]!.split('\n');
  return Object.fromEntries(
    lines.flatMap((line) => (/\S {2}/.test(line) ? [line.split(/ {2,}/) as [string, string]] : [])),
  );
}

async function withWideplane(body: (up: RunningUp, state: string) => Promise<void> | void): Promise<void> {
  const state = makeState();
  const file = `${state}.conf`;
  writeFileSync(file, CONFIG);
  const up = new RunningUp(state, { config: file });
  try {
    await up.ready();
    await body(up, state);
  } finally {
    up.signal('SIGTERM');
    await up.exit();
    removeState(state);
    removeState(file);
  }
}

test('show sys service tells process, memory, restarts and last error of each daemon, and of one that was killed', async () => {
  await withWideplane(async (up, state) => {
    const before = tmsh(state, 'show sys service');
    assert.equal(block(before, 'Sys::Service: supervisor').PID, String(up.pid));
    for (const name of ['configd', 'dataplaned', 'dnsd', 'healthd', 'iqueryd', 'metricsd']) {
      const facts = block(before, `Sys::Service: ${name}`);
      const pid = await up.daemon(name);
      assert.equal(facts.State, 'running');
      assert.equal(facts.PID, String(pid));
      assert.equal(facts.Restarts, '0');
      assert.match(facts.Uptime!, /^00:0\d:\d\d$/);
      const megabytes = Number(/^([\d.]+) MB$/.exec(facts.Memory!)?.[1]);
      assert.ok(Math.abs(megabytes - residentOctets(pid)! / 1e6) < 60, `${name}: ${facts.Memory}`);
    }
    assert.equal(block(before, 'Sys::Service: configd')['Last Error'], 'none');

    const killed = await up.daemon('dataplaned');
    process.kill(killed, 'SIGKILL');
    const pid = await eventually('another dataplaned', async () => {
      const now = await up.daemon('dataplaned');
      return now !== killed && now;
    });
    const after = tmsh(state, 'show sys service');
    const facts = block(after, 'Sys::Service: dataplaned');
    assert.equal(facts.PID, String(pid));
    assert.equal(facts.Restarts, '1');
    assert.match(facts['Last Error']!, /^was ended by SIGKILL \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\)$/);
    assert.equal(block(after, 'Sys::Service: configd').Restarts, '0');
  });
});

test('restart, stop and start sys service do it, and say by which process', async () => {
  await withWideplane(async (up, state) => {
    const first = await up.daemon('dataplaned');
    const [, ended, answers] = /process (\d+) has ended, process (\d+) answers/.exec(
      tmsh(state, 'restart sys service dataplaned'),
    )!;
    assert.equal(Number(ended), first);
    assert.equal(Number(answers), await up.daemon('dataplaned'));
    assert.match(tmsh(state, 'show sys config status wait'), /dataplaned\n-+\nState +in sync/);
    assert.equal(block(tmsh(state, 'show sys service dataplaned'), 'Sys::Service: dataplaned').Restarts, '0');

    assert.match(
      tmsh(state, 'stop sys service dataplaned'),
      new RegExp(`process ${answers} has ended; start sys service `),
    );
    assert.equal(block(tmsh(state, 'show sys service'), 'Sys::Service: dataplaned').State, 'stopped');
    // What changes meanwhile is there when it comes back.
    tmsh(state, 'create net vlan later tag 10');
    assert.match(tmsh(state, 'start sys service dataplaned'), /^Starting dataplaned\.\.\.\n {2}process \d+ answers\n$/);
    assert.match(tmsh(state, 'show sys config status wait'), /dataplaned\n-+\nState +in sync/);
    assert.match(tmsh(state, 'show net vlan later'), /Net::VLAN: later/);

    const configd = await up.daemon('configd');
    assert.match(tmsh(state, 'restart sys service configd'), new RegExp(`process ${configd} ends now`));
    const other = await eventually('another configd', async () => {
      const now = await up.daemon('configd');
      return now !== configd && now;
    });
    assert.equal(block(tmsh(state, 'show sys service configd'), 'Sys::Service: configd').PID, String(other));
    assert.match(tmsh(state, 'list net vlan later tag'), /tag 10/);
  });
});

test('show sys version, clock, memory and hardware', async () => {
  await withWideplane((_up, state) => {
    const version = block(tmsh(state, 'show sys version'), 'Sys::Version');
    assert.equal(version.Product, 'wideplane');
    assert.equal(version['Node.js'], process.version);
    assert.equal(version.Kernel, release());
    const clock = block(tmsh(state, 'show sys clock'), 'Sys::Clock');
    assert.ok(Math.abs(Date.parse(clock.Time!) - Date.now()) < 10_000, clock.Time);
    assert.match(clock['Program Uptime']!, /^00:0\d:\d\d$/);
    const memory = tmsh(state, 'show sys memory');
    for (const name of ['supervisor', 'configd', 'dataplaned', 'dnsd', 'healthd', 'iqueryd', 'metricsd']) {
      assert.match(memory, new RegExp(`^${name} +\\d+\\.\\d MB$`, 'm'));
    }
    assert.match(block(tmsh(state, 'show sys hardware'), 'Sys::Hardware').Processors!, /^\d+$/);
    assert.throws(() => tmsh(state, 'show sys clock more'), /unexpected argument "more"/);
  });
});

test('configd that no supervisor started says so, and what it knows of itself', async () => {
  const state = makeState();
  const configd = spawn(process.execPath, [EXECUTABLE, 'run', 'configd', '--state', state], { stdio: 'ignore' });
  try {
    const output = await eventually('configd', () => {
      try {
        return tmsh(state, 'show sys service');
      } catch {
        return undefined;
      }
    });
    assert.match(block(output, 'Sys::Service: supervisor').State!, /^not running/);
    assert.equal(block(output, 'Sys::Service: configd').PID, String(configd.pid));
    assert.match(tmsh(state, 'show sys clock'), /Program Uptime +unknown: no supervisor runs/);
  } finally {
    configd.kill();
    await new Promise((resolve) => configd.on('exit', resolve));
    removeState(state);
  }
});
