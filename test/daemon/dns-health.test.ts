// time-out: 300 s
// What is known of health and load, set by hand at a dnsd under `wideplane up`, in the network namespace of the test.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { EXECUTABLE } from '../support/executable.ts';
import { eventually, makeState, removeState, run, RunningUp } from './supervise/running-up.ts';

const PORT = 5350;
const MANY = 200;

const virtualServers = (network: number): string =>
  Array.from({ length: MANY }, (_, number) => `v${number} { destination 192.0.${network}.${number}:80 }`).join('\n');

const CONFIG = `
gtm datacenter east { }
gtm datacenter west { }
gtm server s1 { datacenter east product generic-host devices { s1 { addresses { 198.51.100.1 { } } } } virtual-servers { ${virtualServers(2)} } }
gtm server s2 { datacenter west product generic-host devices { s2 { addresses { 198.51.100.2 { } } } } virtual-servers { ${virtualServers(3)} } }
gtm pool a order { load-balancing-mode global-availability members { s1:v1 { member-order 0 } s2:v2 { member-order 1 } } }
gtm pool a manual { load-balancing-mode global-availability manual-resume enabled members { s1:v3 { member-order 0 } s2:v4 { member-order 1 } } }
gtm pool a near { load-balancing-mode lowest-round-trip-time members { s1:v5 { } s2:v6 { } } }
gtm wideip a www.example.com { pools { order { } } }
gtm wideip a manual.example.com { pools { manual { } } }
gtm wideip a near.example.com { pools { near { } } }
gtm wideip a sticky.example.com { persistence enabled ttl-persistence 500 pools { order { } } }
gtm listener any { address any port ${PORT} }
`;

const state = makeState();
const file = `${state}.conf`;
let up: RunningUp;

const dns = (...args: string[]): string => run(process.execPath, EXECUTABLE, 'dns', ...args, '--state', state);
function refused(input: string | undefined, ...args: string[]): string {
  const options = { encoding: 'utf8', input } as const;
  const { status, stderr } = spawnSync(process.execPath, [EXECUTABLE, 'dns', ...args, '--state', state], options);
  assert.notEqual(status, 0, args.join(' '));
  return stderr;
}
const tmsh = (command: string): string => run(process.execPath, EXECUTABLE, 'tmsh', '--state', state, '-c', command);
const ask = (name: string): string =>
  execFileSync('dig', ['+short', '+time=5', '+tries=1', '-p', String(PORT), '@127.0.0.1', name], {
    encoding: 'utf8',
  }).trim();
async function killDnsd(): Promise<void> {
  const before = await up.daemon('dnsd');
  process.kill(before, 'SIGKILL');
  await eventually('another dnsd', async () => (await up.daemon('dnsd')) !== before);
}
/** Longer than a change waits until it is written. */
const written = (): Promise<void> => delay(1500);

before(async () => {
  writeFileSync(file, CONFIG);
  up = new RunningUp(state, { config: file });
  await up.ready();
});

after(async () => {
  assert.equal(await up.stop(), 0);
  removeState(state);
});

test('an answer follows what is said of a virtual server and of its server at once', () => {
  assert.equal(ask('www.example.com'), '192.0.2.1');
  dns('health', 'set', 's1:v1', '--status', 'offline', '--reason', 'no power');
  assert.equal(ask('www.example.com'), '192.0.3.2');
  assert.match(dns('health'), /^ {2}\/Common\/s1:v1: offline \(Offline: no power\)$/m);
  dns('health', 'set', '/Common/s1:v1', '--status', 'available', '--connections', '12');
  assert.equal(ask('www.example.com'), '192.0.2.1');
  assert.match(dns('health'), /^ {2}\/Common\/s1:v1: available \(Available: set by hand\), connections 12$/m);
  dns('health', 'set', 's1', '--status', 'offline');
  assert.equal(ask('www.example.com'), '192.0.3.2');
  dns('health', 'clear', 's1');
  assert.equal(ask('www.example.com'), '192.0.2.1');
});

test('paths decide where the way is looked at', () => {
  dns('path', 'set', '127.0.0.1', 'east', '--rtt', '20', '--hops', '3');
  dns('path', 'set', '127.0.0.1', 'west', '--rtt', '0.5');
  assert.equal(ask('near.example.com'), '192.0.3.6');
  dns('path', 'set', '127.0.0.1', 'west', '--rtt', '21');
  assert.equal(ask('near.example.com'), '192.0.2.5');
  assert.match(dns('health'), /^path 127\.0\.0\.1 to \/Common\/east: good for 2\d{3} s, rtt ms 20, hops 3$/m);
  const shown = (what: string): string => tmsh(`show gtm ${what}`).replaceAll(/ +/g, ' ');
  assert.match(shown('path'), /^127\.0\.0\.1 \/Common\/east 20 3 unknown hand 2\d{3}\s*$/m);
  assert.match(shown('ldns'), /^127\.0\.0\.1 2 \/Common\/east 20 2\d{3}\s*$/m);
  dns('path', 'clear', '127.0.0.1', 'east');
  assert.equal(ask('near.example.com'), '192.0.3.6');
});

test('a member of a pool with manual-resume waits, over a restart, until it is resumed', async () => {
  // Its server was offline before.
  assert.equal(ask('manual.example.com'), '192.0.3.4');
  assert.match(dns('health'), /^waits to be resumed: a \/Common\/manual \/Common\/s1:v3$/m);
  dns('resume', 'a', 'manual', 's1:v3');
  assert.equal(ask('manual.example.com'), '192.0.2.3');
  dns('health', 'set', 's1:v3', '--status', 'offline');
  assert.match(refused(undefined, 'resume', 'a', 'manual', 's1:v3'), /is still offline: resume it when it is not/);
  dns('health', 'set', 's1:v3', '--status', 'available');
  assert.equal(ask('manual.example.com'), '192.0.3.4');
  await written();
  await killDnsd();
  assert.equal(ask('manual.example.com'), '192.0.3.4');
  dns('resume', 'a', 'manual', 's1:v3');
  assert.equal(ask('manual.example.com'), '192.0.2.3');
  assert.match(refused(undefined, 'resume', 'a', 'manual', 's1:v3'), /does not wait to be resumed/);
});

test('what is wrong is named, with what to do', () => {
  const cases: [RegExp, string[]][] = [
    [/there is no gtm server \/Common\/s9: list gtm server/, ['health', 'set', 's9:v1', '--status', 'offline']],
    [/has no virtual server w1: it has v0, v1, v2, v3, v4, …/, ['health', 'set', 's1:w1', '--status', 'offline']],
    [/nothing is said of \/Common\/s1:v1/, ['health', 'set', 's1:v1']],
    [/cpu and memory are those of a server/, ['health', 'set', 's1:v1', '--cpu', '3']],
    [/capacity and score are those of a virtual server/, ['health', 'set', 's1', '--score', '3']],
    [/it must be available, offline, unknown/, ['health', 'set', 's1:v1', '--status', 'green']],
    [/it must be a whole number from 0 to 100/, ['health', 'set', 's1', '--cpu', '101']],
    [/1\.2\.3 is no IP address/, ['path', 'set', '1.2.3', 'east', '--rtt', '1']],
    [/there is no gtm datacenter \/Common\/north/, ['path', 'set', '192.0.2.1', 'north', '--rtt', '1']],
    [/there is no gtm pool a \/Common\/none/, ['resume', 'a', 'none', 's1:v1']],
    [/name a server, or a file with --from-file/, ['health', 'set', '--status', 'offline']],
  ];
  for (const [pattern, args] of cases) assert.match(refused(undefined, ...args), pattern);
});

test('tens of thousands of lines are taken, and those that are wrong are named', () => {
  const lines = Array.from({ length: 20_000 }, (_, line) => {
    const status = line % 3 === 0 ? 'offline' : 'available';
    return `s${1 + (line % 2)}:v${line % MANY} --status ${status} --connections ${line} --reason "line ${line}"`;
  });
  lines[4] = 's1:nowhere --status offline';
  lines[7] = 's1:v1 --state offline';
  lines[9] = '# a comment';
  const error = refused(lines.join('\n'), 'health', 'set', '--from-file', '-');
  assert.match(error, /line 5: gtm server \/Common\/s1 has no virtual server nowhere/);
  assert.match(error, /line 8: --state is no option/);
  assert.match(error, /19997 changes, 2 lines refused/);
  const last = 20_000 - MANY + 1;
  assert.match(dns('health'), new RegExp(`s2:v1: .*connections ${last}$`, 'm'));
  const path = `${state}.changes`;
  writeFileSync(path, Array.from({ length: MANY }, (_, number) => `s1:v${number} --status available\n`).join(''));
  dns('health', 'set', '--from-file', path);
  assert.equal(ask('www.example.com'), '192.0.2.1');
});

test('all of it is there after a kill; a file that is damaged is kept aside', async () => {
  dns('health', 'set', 's1:v1', '--status', 'offline', '--reason', 'kept');
  await written();
  await killDnsd();
  assert.equal(ask('www.example.com'), '192.0.3.2');
  assert.match(dns('health'), /s1:v1: offline \(Offline: kept\)/);
  const health = join(state, 'dnsd', 'health');
  const text = readFileSync(health, 'utf8');
  writeFileSync(health, text.slice(0, text.length / 2));
  await killDnsd();
  await up.said(/health: the end is missing; it is kept as .*health\.damaged/);
  assert.equal(existsSync(`${health}.damaged`), true);
  assert.equal(ask('www.example.com'), '192.0.2.1');
});

test('what is shown says how each is, and why', () => {
  dns('health', 'set', 's1', '--cpu', '40');
  dns('health', 'set', 's1:v1', '--status', 'available');
  dns('health', 'set', 's1:v3', '--status', 'offline');
  dns('health', 'set', 's2:v4', '--status', 'offline', '--reason', 'no route');
  tmsh('reset-stats gtm wideip a');
  tmsh('reset-stats gtm pool a');
  for (let query = 0; query < 3; query++) ask('www.example.com');
  ask('manual.example.com');
  const shown = (what: string): string => tmsh(`show gtm ${what}`).replaceAll(/ +/g, ' ');
  const wideIp = shown('wideip a www.example.com');
  assert.match(wideIp, /Availability:? available\n[^]*State:? enabled\n[^]*Reason:? Available\n/);
  assert.match(wideIp, /Total:? 3\n[^]*Resolutions:? 3\n[^]*Preferred:? 3\n[^]*Alternate:? 0\n/);
  const down = shown('wideip a manual.example.com');
  assert.match(down, /Availability:? offline\n[^]*Reason:? No enabled pools available\n[^]*Returned to DNS:? 1\n/);
  const pool = shown('pool a order');
  assert.match(pool, /Preferred:? 3\n/);
  assert.match(pool, /\/Common\/s1:v1 available enabled Available: set by hand 3 0 0\n/);
  assert.match(shown('pool a manual'), /Reason:? No enabled pool members available\n/);
  assert.match(shown('pool a manual'), /\/Common\/s2:v4 offline enabled Offline: no route 0 0 0\n/);
  assert.match(shown('server s1'), /Availability:? available\n[^]*CPU Usage \(%\):? 40\n/);
  assert.match(shown('datacenter'), /Availability:? available\n/);
  tmsh('modify gtm server s1 disabled');
  assert.doesNotMatch(tmsh('show sys config status wait'), /applying|Reason/);
  assert.match(shown('server s1'), /State:? disabled\n[^]*Reason:? Disabled\n/);
  assert.match(shown('pool a order'), /\/Common\/s1:v1 offline disabled Disabled: server \/Common\/s1 is disabled 3/);
  tmsh('modify gtm server s1 enabled');
  assert.doesNotMatch(tmsh('show sys config status wait'), /applying|Reason/);
});

test('clients that persistence remembers are shown', () => {
  const answer = ask('sticky.example.com');
  const member = answer === '192.0.2.1' ? '/Common/s1:v1' : '/Common/s2:v2';
  const shown = tmsh('show gtm persist').replaceAll(/ +/g, ' ');
  assert.match(
    shown,
    new RegExp(`a /Common/sticky\\.example\\.com 127\\.0\\.0\\.1 a /Common/order ${member} (500|49\\d)`),
  );
});

test('what is known of a server goes with it', () => {
  dns('health', 'set', 's2:v9', '--status', 'offline');
  tmsh('modify gtm server s2 virtual-servers delete { v9 }');
  assert.doesNotMatch(tmsh('show sys config status wait'), /applying|Reason/);
  assert.doesNotMatch(dns('health'), /s2:v9:/);
  tmsh('modify gtm server s2 virtual-servers add { v9 { destination 192.0.3.9:80 } }');
  assert.doesNotMatch(tmsh('show sys config status wait'), /applying|Reason/);
  assert.match(dns('health'), /s2:v9: unknown \(Nothing checks it\)/);
});
