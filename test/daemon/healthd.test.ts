// time-out: 400 s
// alone
// healthd under `wideplane up`, in the network namespace of the test: real servers go down and come up, and what follows from that is
// seen where people look: answers, `health explain`, `show`, the log.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Nginx } from '../support/nginx.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { eventually, makeState, removeState, run, RunningUp } from './supervise/running-up.ts';

const PORT = 5351;
/** Seconds, of the monitors below. */
const [INTERVAL, TIMEOUT, PROBE_TIMEOUT] = [2, 7, 1];
/** A probe finds what has changed within interval, its own time and 2 s; three times that is waited for. */
const FOUND_MS = 3000 * (INTERVAL + PROBE_TIMEOUT + 2);
/** And silence within the timeout. */
const SILENT_MS = 3000 * (TIMEOUT + 2);
const MANY = 60;

const TIMES = `interval ${INTERVAL} timeout ${TIMEOUT} probe-timeout ${PROBE_TIMEOUT}`;

const CONFIG = String.raw`
gtm monitor http page { ${TIMES} recv "200 OK" send "GET /health HTTP/1.1\\r\\nHost: www\\r\\nConnection: close\\r\\n\\r\\n" }
gtm monitor tcp line { ${TIMES} }
gtm monitor bigip device { }
ltm monitor tcp held { interval 1 timeout 4 manual-resume enabled }
gtm datacenter east { }
gtm server web {
    datacenter east
    devices { web { addresses { 127.0.1.9 { } } } }
    monitor line
    product generic-host
    virtual-servers {
        first { destination 127.0.1.1:8080 monitor page }
        second { destination 127.0.1.2:8090 }
        closed { destination 127.0.1.3:8099 }
        outside { destination 203.0.113.80:80 translation-address 127.0.1.2 translation-port 8090 }
        quiet { destination 127.0.1.4:8080 monitor none }
    }
}
gtm server elsewhere {
    datacenter east
    devices { elsewhere { addresses { 192.0.2.77 { } } } }
    monitor device
    virtual-servers { app { destination 192.0.2.78:80 } }
}
gtm pool a order {
    alternate-mode none
    fallback-mode none
    load-balancing-mode global-availability
    members { web:first { member-order 0 } web:second { member-order 1 } }
}
gtm wideip a www.example.com { pools { order { } } }
gtm listener any { address any port ${PORT} }
gtm server here {
    datacenter east
    devices { here { addresses { 192.0.2.99 { } } } }
    monitor device
    virtual-servers { app { destination 127.0.1.5:443 } absent { destination 127.0.1.5:444 } }
}
ltm virtual app { destination 127.0.1.5:443 pool app }
ltm pool app { members { 127.0.1.5:8090 { } } monitor held }
`;

/** What nginx answers to the probe. */
const PAGE = (status: number): string =>
  `server { listen 127.0.1.1:8080; location = /health { return ${status} "as it is"; } }`;

const state = makeState();
const file = `${state}.conf`;
let up: RunningUp;
let nginx: Nginx;
let echo: ChildProcess;
let held: ChildProcess;

const health = (...args: string[]): string => run(process.execPath, EXECUTABLE, 'health', ...args, '--state', state);
const tmsh = (command: string): string => run(process.execPath, EXECUTABLE, 'tmsh', '--state', state, '-c', command);
function refused(...args: string[]): string {
  const { status, stderr } = spawnSync(process.execPath, [EXECUTABLE, 'health', ...args, '--state', state], {
    encoding: 'utf8',
  });
  assert.notEqual(status, 0, args.join(' '));
  return stderr;
}
const ask = (name = 'www.example.com'): string =>
  execFileSync('dig', ['+short', '+time=5', '+tries=1', '-p', String(PORT), '@127.0.0.1', name], {
    encoding: 'utf8',
  }).trim();
const answers = async (address: string, withinMs = FOUND_MS): Promise<void> => {
  await eventually(`the answer is ${address}`, () => ask() === address, withinMs);
};
const startNginx = async (status = 200): Promise<void> => {
  nginx = await Nginx.start(PAGE(status), { address: '127.0.1.1', port: 8080 });
};
const startEcho = (address: string): ChildProcess =>
  spawn('socat', [`tcp-listen:8090,bind=${address},reuseaddr,fork`, 'exec:cat'], { stdio: 'ignore' });
async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}
/** Lines of the log about changes of a status, from the line `from` on. */
const changes = (from: number, about = /state change|monitor status/): string[] =>
  up.log.slice(from).flatMap(({ daemon, msg }) => (daemon === 'healthd' && about.test(msg) ? [msg] : []));
/** Where the log is now: lines take a moment. */
async function logged(): Promise<number> {
  await delay(500);
  return up.log.length;
}
const descriptors = async (): Promise<number> => readdirSync(`/proc/${await up.daemon('healthd')}/fd`).length;

before(async () => {
  run('ip', 'address', 'add', '192.0.2.99/32', 'dev', 'lo');
  writeFileSync(file, CONFIG);
  await startNginx();
  echo = startEcho('127.0.1.2');
  held = startEcho('127.0.1.5');
  up = new RunningUp(state, { config: file });
  await up.ready();
  await up.daemon('healthd');
});

after(async () => {
  await nginx.stop();
  await stop(echo);
  await stop(held);
  assert.equal(await up.stop(), 0);
  removeState(state);
});

test('what is up is answered, and everybody who looks is told why', async () => {
  await eventually('all have been probed', () => !health('list').includes('Checking'), FOUND_MS);
  assert.equal(ask(), '127.0.1.1');
  const list = health('list');
  assert.match(list, /^virtual-server \/Common\/web:first: available \(Monitor \/Common\/page: .*\)$/m);
  assert.match(list, /^virtual-server \/Common\/web:closed: offline \(Monitor \/Common\/line: connection refused\)$/m);
  assert.doesNotMatch(list, /quiet/);
  const down = health('list', '--down');
  assert.match(down, /web:closed/);
  assert.doesNotMatch(down, /web:first|web:second/);
  const explained = health('explain', 'web:first');
  assert.match(explained, /^virtual server \/Common\/web:first: available since /m);
  assert.match(explained, /^ {2}rule: \/Common\/page must be up$/m);
  assert.match(explained, /sent: GET \/health HTTP\/1\.1/);
  assert.match(explained, /received: HTTP\/1\.1 200 OK/);
  const outside = health('explain', 'web:outside');
  assert.match(outside, /probed at 127\.0\.1\.2, its translation/);
  assert.match(outside, /at 127\.0\.1\.2:8090: up/);
  assert.match(tmsh('show gtm server web'), /^\S*closed +offline +enabled +.*connection refused/m);
  assert.match(tmsh('show gtm pool a order'), /web:first +available +enabled/);
  assert.match(tmsh('show gtm monitor http page'), /Up +1\n/);
  assert.match(health('list'), /elsewhere:app: unknown \(Monitor \/Common\/device: Nothing has been heard of it/);
});

test('answers follow a server that goes down and comes back, and none goes to it meanwhile', async () => {
  const from = await logged();
  await nginx.stop();
  await answers('127.0.1.2');
  for (let number = 0; number < 30; number++) assert.equal(ask(), '127.0.1.2');
  assert.match(health('explain', 'web:first'), /: offline since [\s\S]*connection refused/);
  assert.match(
    tmsh('show gtm pool a order'),
    /web:first +offline +enabled +Monitor \/Common\/page: connection refused/,
  );
  await logged();
  const [line, ...more] = changes(from, /^VS first /);
  assert.match(line!, /^VS first \(Server \/Common\/web\) state change green --> red \(Monitor \/Common\/page: /);
  assert.deepEqual(more, []);
  await stop(echo);
  await eventually('there is no answer', () => ask() === '', FOUND_MS);
  echo = startEcho('127.0.1.2');
  await answers('127.0.1.2');
  await startNginx();
  await answers('127.0.1.1');
});

test('a page that is wrong is down at once, and one that does not come is down at the timeout', async () => {
  await nginx.stop();
  await startNginx(503);
  await answers('127.0.1.2');
  const explained = health('explain', 'web:first');
  assert.match(explained, /\(.*ago\) wrong after/);
  assert.match(explained, /received: HTTP\/1\.1 503/);
  await nginx.stop();
  await startNginx();
  await answers('127.0.1.1');
  const children = run('pgrep', '-P', String(nginx.pid)).trim().split('\n').map(Number);
  for (const pid of [nginx.pid, ...children]) process.kill(pid, 'SIGSTOP');
  await answers('127.0.1.2', SILENT_MS);
  assert.match(health('explain', 'web:first'), /\(.*ago\) silent after/);
  for (const pid of [...children, nginx.pid]) process.kill(pid, 'SIGCONT');
  await answers('127.0.1.1');
});

test('kill -9: answers go on, what is known is kept, and nothing changes because of it', async () => {
  await delay(1500);
  const from = await logged();
  const before = await up.daemon('healthd');
  process.kill(before, 'SIGKILL');
  let asked = 0;
  await eventually('another healthd', async () => {
    assert.equal(ask(), '127.0.1.1');
    asked += 1;
    return (await up.daemon('healthd')) !== before;
  });
  assert.ok(asked > 0);
  await delay(2000 * INTERVAL);
  assert.equal(ask(), '127.0.1.1');
  await logged();
  assert.deepEqual(changes(from), []);
  assert.match(health('explain', 'web:closed'), /: offline since/);
});

test('without healthd what was measured is called stale after a while, and is fresh when it is back', async () => {
  const from = await logged();
  tmsh('stop sys service healthd');
  const stale = /web:first +available +enabled +.*stale: nothing heard of healthd for \d+ s/;
  await eventually('stale', () => stale.test(tmsh('show gtm pool a order')), 3000 * (TIMEOUT + 2));
  assert.equal(ask(), '127.0.1.1');
  await nginx.stop();
  assert.equal(ask(), '127.0.1.1', 'nobody has measured that');
  tmsh('start sys service healthd');
  await answers('127.0.1.2');
  assert.doesNotMatch(tmsh('show gtm pool a order'), /stale/);
  await logged();
  const lines = changes(from);
  assert.equal(lines.length, 1, lines.join('\n'));
  assert.match(lines[0]!, /^VS first .*green --> red/);
  await startNginx();
  await answers('127.0.1.1');
});

test('a change of the configuration makes nothing flap, and what is gone is probed no more', async () => {
  await delay(1000 * INTERVAL);
  const from = await logged();
  const about = /first|second/;
  tmsh(`modify gtm monitor http page interval ${INTERVAL + 1} timeout ${TIMEOUT + 2}`);
  tmsh('modify gtm pool a order members add { web:outside { member-order 2 } }');
  assert.equal(ask(), '127.0.1.1');
  const before = await descriptors();
  const many = Array.from({ length: MANY }, (_, number) => `v${number} { destination 127.0.2.${number + 1}:8090 }`);
  tmsh(`modify gtm server web virtual-servers add { ${many.join(' ')} }`);
  await eventually('they are probed', () => health('list', '--down').includes('v59: offline'), FOUND_MS);
  assert.equal(ask(), '127.0.1.1');
  tmsh(`modify gtm server web virtual-servers delete { ${many.map((_, number) => `v${number}`).join(' ')} }`);
  tmsh('modify gtm pool a order members delete { web:outside }');
  assert.doesNotMatch(health('list'), /v59/);
  await eventually('its sockets are closed', async () => (await descriptors()) <= before + 2, FOUND_MS);
  await delay(1000 * INTERVAL);
  assert.equal(ask(), '127.0.1.1');
  await logged();
  assert.deepEqual(changes(from, about), []);
  const instances = tmsh('show gtm monitor tcp line');
  assert.doesNotMatch(instances, /127\.0\.2\./);
});

test('manual-resume: what went down stays down over a restart, until it answers and is resumed', async () => {
  const ofPool = (): string => tmsh('show ltm pool app');
  assert.match(ofPool(), /127\.0\.1\.5:8090 +available +enabled/);
  assert.match(refused('resume', 'app', '--kind', 'ltm pool'), /nothing of app waits to be resumed/);
  await stop(held);
  await eventually('down', () => /127\.0\.1\.5:8090 +offline/.test(ofPool()), FOUND_MS);
  assert.match(refused('resume', '127.0.1.5:8090'), /does not answer well: resume it when it does/);
  held = startEcho('127.0.1.5');
  await eventually('it waits', () => health('explain', '127.0.1.5:8090').includes('waits to be resumed'), FOUND_MS);
  await delay(1500);
  const before = await up.daemon('healthd');
  process.kill(before, 'SIGKILL');
  await eventually('another healthd', async () => (await up.daemon('healthd')) !== before);
  await delay(3000);
  assert.match(ofPool(), /127\.0\.1\.5:8090 +offline/);
  assert.match(health('resume', '127.0.1.5:8090'), /^1 monitor instance resumed$/m);
  await eventually('available', () => /127\.0\.1\.5:8090 +available/.test(ofPool()), FOUND_MS);
});

test('a server that is this machine is as good as its virtual servers here', async () => {
  const of = (name: string): string =>
    health('list')
      .split('\n')
      .find((line) => line.includes(`/here:${name}:`)) ?? '';
  assert.match(
    of('app'),
    /available \(Monitor \/Common\/device: virtual \/Common\/app: The virtual server is available\)/,
  );
  assert.match(of('absent'), /unknown \(Monitor \/Common\/device: no virtual 127\.0\.1\.5:444 here\)/);
  assert.match(health('list'), /^server \/Common\/here: available \(Monitor \/Common\/device: it is this machine\)$/m);
  const virtual = (): string => tmsh('show ltm virtual app');
  assert.match(virtual(), /Availability +available/);
  tmsh('modify ltm pool app members modify { 127.0.1.5:8090 { state user-down } }');
  await eventually('offline', () => of('app').includes(': offline ('), FOUND_MS);
  assert.match(virtual(), /Availability +offline/);
  tmsh('modify ltm pool app members modify { 127.0.1.5:8090 { state user-up } }');
  await eventually('available', () => of('app').includes(': available ('), FOUND_MS);
});

test('what is wrong is named, with what to do; a file that is damaged is kept aside', async () => {
  assert.match(refused('explain', 'nowhere'), /nothing that can be watched is called nowhere: wideplane health list/);
  assert.match(refused('explain', 'web', '--kind', 'gtm wideip'), /is no type that can be explained: use gtm server,/);
  assert.match(refused('explain', 'web', '--kind', 'ltm node'), /no ltm node is called web/);
  tmsh('stop sys service healthd');
  const path = join(state, 'healthd', 'verdicts');
  assert.match(readFileSync(path, 'utf8'), /^\{"wideplane-verdicts":1\}\n/);
  writeFileSync(path, '{"wideplane-verdicts":1}\n{"kind":"node"\n');
  tmsh('start sys service healthd');
  await up.said(/verdicts: .*the end is missing.*it is kept as .*verdicts\.damaged/);
  assert.ok(existsSync(`${path}.damaged`));
  await answers('127.0.1.1');
});
