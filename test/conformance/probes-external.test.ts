// beside others
// Programs of external monitors: how they are called, what they may, how they end.
// time-out: 120 s

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import type { Monitor } from '../../src/health/monitor.ts';
import type { ProbeOutcome } from '../../src/health/probe.ts';
import { createProbers } from '../../src/probe/probers.ts';
import { eventually, run } from '../lib/namespace.ts';
import { monitorOf, placeAt, probeOnce } from '../support/probe-monitors.ts';

const prober = createProbers();
const directory = mkdtempSync(join(tmpdir(), 'external-'));
chmodSync(directory, 0o755);
let programs = 0;

after(() => prober.close());

/** A program of the shell that is executable. */
function program(text: string): string {
  const path = join(directory, `program${++programs}`);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

const monitor = (run: string, args = '', variables: Record<string, string> = {}): Monitor =>
  monitorOf({ type: 'external', run, arguments: args, variables }, { name: '/Common/mine' });

const ask = (what: Monitor, timeout = 5000, address = '192.0.2.7'): Promise<ProbeOutcome> =>
  probeOnce(prober, what, placeAt(address, 8080), timeout);

const saysOf = ({ verdict, reason }: ProbeOutcome): string => `${verdict}: ${reason}`;

/** What a program prints: it is written to a file, since one that has printed is ended. */
async function printed(
  text: string,
  args = '',
  variables: Record<string, string> = {},
  address?: string,
): Promise<string> {
  const file = join(directory, `printed${programs}`);
  writeFileSync(file, '');
  chmodSync(file, 0o666);
  const outcome = await ask(monitor(program(`{ ${text}\n} >${file} 2>&1; echo up`), args, variables), 5000, address);
  assert.equal(saysOf(outcome), 'up: the program printed something');
  return readFileSync(file, 'utf8');
}

it('is up when the program prints something, and not when it does not', async () => {
  const up = await ask(monitor(program('echo well; exit 3')));
  assert.equal(saysOf(up), 'up: the program printed something');
  assert.equal(up.received, 'well\\n');
  const down = await ask(monitor(program('echo "cannot connect" >&2')));
  assert.equal(saysOf(down), 'wrong: the program printed nothing, and ended with status 0');
  assert.equal(down.received, 'cannot connect\\n');
  assert.equal(
    saysOf(await ask(monitor(program('kill -SEGV $$')))),
    'wrong: the program printed nothing, and ended with SIGSEGV',
  );
});

it('passes address, port and arguments as a device does, and a clean environment', async () => {
  process.env.SECRET_OF_THE_DAEMON = 'yes';
  const text = 'for each; do echo "[$each]"; done; env | sort';
  const lines = (
    await printed(text, 'one  two*', { USER_SAID: 'it\'s "$HOME" `id`', LD_DEBUG_OUTPUT: '/nowhere' })
  ).split('\n');
  assert.deepEqual(lines.slice(0, 4), ['[::ffff:192.0.2.7]', '[8080]', '[one]', '[two*]']);
  const variables = new Map(lines.slice(4, -1).map((line) => line.split(/=(.*)/s, 2) as [string, string]));
  assert.equal(variables.get('NODE_IP'), '::ffff:192.0.2.7');
  assert.equal(variables.get('NODE_PORT'), '8080');
  assert.equal(variables.get('NODE_NAME'), '192.0.2.7');
  assert.equal(variables.get('MON_TMPL_NAME'), '/Common/mine');
  assert.equal(variables.get('ARGS_I'), 'one  two*');
  assert.equal(variables.get('RUN_I'), join(directory, `program${programs}`));
  assert.equal(variables.get('USER_SAID'), 'it\'s "$HOME" `id`');
  assert.ok(variables.has('PATH'));
  const known = [
    'NODE_IP',
    'NODE_PORT',
    'NODE_NAME',
    'MON_TMPL_NAME',
    'ARGS_I',
    'RUN_I',
    'USER_SAID',
    'PATH',
    'LD_DEBUG_OUTPUT',
  ];
  const others = [...variables.keys()].filter((name) => !known.includes(name));
  assert.deepEqual(
    others.filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name)),
    [],
  );
  assert.match(await printed('echo $1', '', {}, '2001:db8::1'), /^2001:db8::1\n/);
});

it('runs as nobody without any right, and cannot read what is the daemon’s', async () => {
  const state = join(directory, 'state');
  mkdirSync(state, { mode: 0o700 });
  writeFileSync(join(state, 'secret'), 'secret', { mode: 0o600 });
  const text = `id -u; id -G; grep -E '^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs|Groups)' /proc/self/status; cat ${state}/secret; ls ${state}; ls -l /proc/self/fd; pwd`;
  const lines = (await printed(text)).split('\n');
  assert.equal(lines[0], '65534');
  assert.equal(lines[1], '65534');
  const status = lines
    .filter((line) => /^(Cap|NoNew|Groups)/.test(line))
    .map((line) => line.replace(/\s+/g, ' ').trim());
  const none = '0000000000000000';
  assert.deepEqual(status, [
    'Groups:',
    `CapInh: ${none}`,
    `CapPrm: ${none}`,
    `CapEff: ${none}`,
    `CapAmb: ${none}`,
    'NoNewPrivs: 1',
  ]);
  assert.equal(lines.filter((line) => line.includes('Permission denied')).length, 2);
  // Nothing that the daemon has open: neither sockets nor what waits for them.
  const open = lines.filter((line) => line.includes(' -> '));
  assert.ok(open.length >= 4, lines.join('\n'));
  assert.deepEqual(
    open.filter((line) => /socket:|anon_inode|state/.test(line)),
    [],
  );
  assert.equal(lines.at(-2), '/');
});

it('ends a program, with all of its process group, when its time is over, when it has printed, and when it is not wanted', async () => {
  const marker = `${3600 + (process.pid % 1000)}.25`;
  const running = (): string => {
    try {
      return run('pgrep', '-f', `sleep ${marker}`);
    } catch {
      return '';
    }
  };
  const hanging = program(`sleep ${marker} & sleep ${marker} & wait`);
  const outcome = await ask(monitor(hanging), 1000);
  assert.equal(saysOf(outcome), 'silent: the program printed nothing within 1 s');
  assert.ok(outcome.took >= 1000 && outcome.took < 3000, String(outcome.took));
  await eventually('it is gone after its time', () => running() === '');
  assert.equal((await ask(monitor(program(`sleep ${marker} & echo up; sleep ${marker}`)))).verdict, 'up');
  await eventually('it is gone once it has printed', () => running() === '');
  assert.equal((await ask(monitor(program(`sleep ${marker} & exit 0`)))).verdict, 'wrong');
  await eventually('what it has left is gone', () => running() === '');
  const cancel = prober.probe(monitor(hanging), placeAt('192.0.2.7', 1), 60_000, () => assert.fail('cancelled'));
  await eventually('it runs', () => running() !== '');
  cancel();
  await eventually('it is gone once it is not wanted', () => running() === '');
});

it('does so with what healthd holds, which may not signal nobody', async () => {
  const marker = `${7200 + (process.pid % 1000)}.25`;
  const text = `{ id -u; grep CapEff /proc/self/status; } >&2; sleep ${marker} & sleep ${marker}`;
  const held = '-all,+net_raw,+setuid,+setgid,+setpcap';
  const sets = [`--bounding-set=${held}`, `--inh-caps=${held}`, `--ambient-caps=${held}`];
  const code = `
    const { createProbers } = await import(${JSON.stringify(new URL('../../src/probe/probers.js', import.meta.url).href)});
    const place = { family: 4, address: '192.0.2.7', port: 80, via: undefined };
    const prober = createProbers();
    prober.probe(${JSON.stringify(monitor(program(text)))}, place, 1000, (outcome) => {
      console.log(JSON.stringify(outcome));
      prober.close();
    });`;
  const node = [process.execPath, '--input-type=module', '-e', code];
  const output = execFileSync('setpriv', ['--no-new-privs', ...sets, '--', ...node], { encoding: 'utf8' });
  const outcome = JSON.parse(output) as ProbeOutcome;
  assert.equal(saysOf(outcome), 'silent: the program printed nothing within 1 s');
  assert.equal(outcome.received, '65534\\nCapEff:\\t0000000000000000\\n');
  await eventually('it is gone', () => {
    try {
      return run('pgrep', '-f', `sleep ${marker}`) === '';
    } catch {
      return true;
    }
  });
});

it('is not held up by one that leaves its group', async () => {
  const outcome = await ask(monitor(program('setsid sleep 5 & exit 0')), 1000);
  assert.equal(saysOf(outcome), 'wrong: the program printed nothing, and ended with status 0');
});

it('keeps little of an endless output', async () => {
  const outcome = await ask(monitor(program('yes')));
  assert.equal(outcome.verdict, 'up');
  assert.ok(outcome.received!.length <= 512);
  const complaining = await ask(monitor(program('yes >&2')), 1000);
  assert.equal(complaining.verdict, 'silent');
  assert.ok(complaining.received!.length <= 512);
});

it('says what cannot be run', async () => {
  assert.match(saysOf(await ask(monitor('/nowhere/program'))), /^impossible: cannot run \/nowhere\/program: ENOENT/);
  assert.equal(
    saysOf(await ask(monitor('program'))),
    'impossible: "program" is not the path of a program: run has to begin with /',
  );
  assert.equal(saysOf(await ask(monitor(directory))), `impossible: cannot run ${directory}: it is not a file`);
  const plain = program('echo up');
  chmodSync(plain, 0o644);
  assert.equal(saysOf(await ask(monitor(plain))), `impossible: cannot run ${plain}: it is not executable`);
  chmodSync(plain, 0o700);
  chownSync(plain, 0, 0);
  assert.match(saysOf(await ask(monitor(plain))), /^impossible: cannot run it as nobody: .*Permission denied/);
  const strange = join(directory, 'strange');
  writeFileSync(strange, '#!/nowhere/interpreter\n');
  chmodSync(strange, 0o755);
  assert.match(saysOf(await ask(monitor(strange))), /^impossible: cannot run it as nobody: .*not found/);
});

it('runs a few at a time, and leaves nothing', async () => {
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const begun = descriptors();
  const what = monitor(program('sleep 0.2; echo up'));
  const outcomes = await Promise.all(Array.from({ length: 50 }, () => ask(what, 30_000)));
  assert.ok(outcomes.every(({ verdict }) => verdict === 'up'));
  const hanging = monitor(program('sleep 60'));
  const cancels = Array.from({ length: 30 }, () =>
    prober.probe(hanging, placeAt('192.0.2.7', 1), 60_000, () => assert.fail('cancelled')),
  );
  assert.equal(saysOf(await ask(what, 1000)), 'impossible: 20 programs are running, and none ended within 1 s');
  for (const cancel of cancels) cancel();
  await eventually('nothing is open', () => descriptors() === begun);
});
