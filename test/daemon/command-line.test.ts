// The executable as a user meets it: help, mistakes, version.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { test } from 'node:test';
import { DAEMONS } from '../../src/supervise/daemon-table.ts';
import { EXECUTABLE } from '../support/executable.ts';

function wideplane(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [EXECUTABLE, ...args], { encoding: 'utf8', timeout: 20_000 });
}

test('--help names every subcommand, and each of them has help with examples', () => {
  const { status, stdout } = wideplane('--help');
  assert.equal(status, 0);
  for (const command of ['up', 'run', 'tmsh', 'tcpdump', 'health', 'restore', 'version']) {
    assert.match(stdout, new RegExp(`^  ${command} `, 'm'));
    const help = wideplane(command, '--help');
    assert.equal(help.status, 0);
    assert.match(help.stdout, new RegExp(`^Usage: wideplane ${command} `));
    assert.match(help.stdout, /^Examples?:$/m, `${command} has no example`);
  }
});

test('what cannot be understood ends with status 2 and a way on', () => {
  for (const [args, expected] of [
    [['up', '--stat', '/tmp'], /unknown option '--stat'[\s\S]*--state[\s\S]*--help/],
    [['upp'], /unknown command 'upp'[\s\S]*up/],
    [['run', 'confd'], /no such daemon; use configd or dataplaned or dnsd or healthd or iqueryd or metricsd/],
    [['up', '--only', 'dataplaned,dns'], /'dataplaned,dns' is invalid\. There is no such daemon; use configd or/],
    [['run'], /missing required argument 'daemon'/],
    [['up', '--log-format', 'xml'], /Allowed choices are text, json/],
    [['tcpdump', '-c', 'many'], /whole number above 0/],
  ] as const) {
    const { status, stdout, stderr } = wideplane(...args);
    assert.equal(status, 2, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, expected);
  }
});

test('version says what runs here and whether the addon loads, or why not', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const text = wideplane('version');
  assert.equal(text.status, 0);
  assert.match(
    text.stdout,
    new RegExp(`^wideplane +${version}\nnode +${process.version}\nkernel +${release()}\naddon +loaded from /`),
  );
  const broken = spawnSync(process.execPath, [EXECUTABLE, 'version', '--json'], {
    encoding: 'utf8',
    env: { ...process.env, WIDEPLANE_ADDON: '/nonexistent.node' },
  });
  const facts = JSON.parse(broken.stdout) as { addonLoaded: boolean; addon: string };
  assert.equal(facts.addonLoaded, false);
  assert.match(facts.addon, /cannot load \/nonexistent\.node: .*build it with: npm run build:native/);
});

test('the help of up says what each daemon may do', () => {
  const { stdout } = wideplane('up', '--help');
  for (const { name, capabilities } of DAEMONS) {
    const labels = capabilities.map((capability) => `CAP_${capability.toUpperCase()}`).join(', ') || 'none';
    assert.match(stdout, new RegExp(`^  ${name} +${labels}$`, 'm'));
  }
});
