// time-out: 300 s
// What dnsd makes of what healthd says: a healthd of the test speaks to a dnsd under `wideplane up`, in the network namespace of the test.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Measured } from '../../src/ipc/healthd-schema.ts';
import { queryOf } from '../support/dns.ts';
import { FakeHealthd } from '../support/fake-healthd.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { eventually, makeState, removeState, RunningUp } from './supervise/running-up.ts';

const PORT = 5370;
/** Seconds for which what the healthd of the test says is good. */
const GOOD_FOR = 5;
/** A change is to be answered within a whole second, on a machine that others use: three. */
const DEADLINE_MS = 3000;
const CHANGES = 40;

const CONFIG = `
gtm datacenter east { }
gtm server s1 { datacenter east product generic-host monitor /Common/http devices { s1 { addresses { 198.51.100.1 { } } } } virtual-servers { v1 { destination 192.0.2.1:80 } v2 { destination 192.0.2.2:80 } v3 { destination 192.0.2.3:80 } } }
gtm server s2 { datacenter east product generic-host devices { s2 { addresses { 198.51.100.2 { } } } } virtual-servers { v1 { destination 192.0.3.1:80 } v2 { destination 192.0.3.2:80 } v3 { destination 192.0.3.3:80 } } }
gtm pool a order { load-balancing-mode global-availability members { s1:v1 { member-order 0 } s2:v1 { member-order 1 } } }
gtm pool a own { load-balancing-mode global-availability monitor /Common/tcp members { s1:v2 { member-order 0 } s2:v2 { member-order 1 monitor none } } }
gtm pool a manual { load-balancing-mode global-availability manual-resume enabled monitor /Common/tcp members { s1:v3 { member-order 0 } s2:v3 { member-order 1 monitor none } } }
gtm wideip a order.example.com { pools { order { } } }
gtm wideip a own.example.com { pools { own { } } }
gtm wideip a manual.example.com { pools { manual { } } }
`;

const state = makeState();
const file = `${state}.conf`;
let up: RunningUp;
let fake: FakeHealthd;
let socket: Socket;

/** The healthd of the test goes on to speak meanwhile. */
async function wideplane(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [EXECUTABLE, ...args]);
  return stdout;
}
const dns = (...args: string[]): Promise<string> => wideplane('dns', ...args, '--state', state);
const tmsh = (command: string): Promise<string> => wideplane('tmsh', '--state', state, '-c', command);
const shown = async (what: string): Promise<string> => (await tmsh(`show gtm ${what}`)).replaceAll(/ +/g, ' ');
async function apply(command: string): Promise<void> {
  await tmsh(command);
  assert.doesNotMatch(await tmsh('show sys config status wait'), /applying|Reason/);
}

/** The address that a name has at this moment. */
async function ask(name: string): Promise<string> {
  socket.send(queryOf({ name: `${name}.example.com`, type: 'A' }), PORT, '127.0.0.1');
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const [reply] = (await once(socket, 'message', { signal })) as [Buffer];
  return [...reply.subarray(-4)].join('.');
}
/** Asks without a pause until the answer is as it is to be; milliseconds that it took. */
async function answers(name: string, address: string): Promise<number> {
  const start = performance.now();
  while ((await ask(name)) !== address) {
    assert.ok(performance.now() - start < DEADLINE_MS, `${name} is not ${address} within ${DEADLINE_MS} ms`);
  }
  return performance.now() - start;
}

type Status = Measured['status'];
const measured = (kind: Measured['kind'], key: string, status: Status, reason: string): Measured => ({
  ...{ kind, key, status, reason: `Monitor /Common/${reason}` },
  ...{ since: Date.UTC(2026, 10, 30, 12), goodFor: GOOD_FOR },
});
const vs = (name: string, status: Status, reason: string): Measured =>
  measured('virtual-server', `/Common/${name}`, status, reason);
const member = (pool: string, name: string, status: Status, reason: string): Measured =>
  measured('member', `a /Common/${pool} /Common/${name}`, status, reason);

const UP = 'http: 200 OK';
const REFUSED = 'http: connection refused';
const SNAPSHOT = [vs('s1:v1', 'available', UP), vs('s1:v2', 'available', UP), vs('s1:v3', 'available', UP)];

async function restartHealthd(...snapshot: readonly (readonly Measured[])[]): Promise<void> {
  await fake.end();
  fake = await FakeHealthd.start(state, snapshot);
  await eventually('dnsd follows', () => fake.followed > 0);
}
async function killDnsd(): Promise<void> {
  const before = await up.daemon('dnsd');
  process.kill(before, 'SIGKILL');
  await eventually('another dnsd', async () => (await up.daemon('dnsd')) !== before);
}

before(async () => {
  writeFileSync(file, `gtm listener any { address any port ${PORT} }`);
  up = new RunningUp(state, { config: file });
  await up.ready();
  // It follows healthd as well.
  await tmsh('stop sys service iqueryd');
  await tmsh('stop sys service healthd');
  writeFileSync(file, CONFIG);
  await apply(`load sys config merge file ${file}`);
  socket = createSocket('udp4');
  fake = await FakeHealthd.start(state, []);
});

after(async () => {
  socket.close();
  await fake.end();
  assert.equal(await up.stop(), 0);
  removeState(state);
  removeState(file);
});

test('what has a monitor is being checked until healthd says how it is', async () => {
  assert.match(await dns('health'), /^ {2}\/Common\/s1:v1: unknown \(Checking\)$/m);
  assert.match(await dns('health'), /^ {2}\/Common\/s2:v1: unknown \(Nothing checks it\)$/m);
  assert.match(await shown('pool a own'), /\/Common\/s1:v2 unknown enabled Checking /);
  await restartHealthd(SNAPSHOT.slice(0, 1), SNAPSHOT.slice(1));
  await eventually('the snapshot', async () => (await dns('health')).includes('s1:v3: available'));
  assert.match(await dns('health'), /^ {2}\/Common\/s1:v1: available \(Monitor \/Common\/http: 200 OK\)$/m);
  assert.match(
    await dns('health'),
    /^ {4}measured since 2026-11-30 12:00:00 UTC: available, Monitor \/Common\/http: 200 OK$/m,
  );
  assert.equal(await ask('order'), '192.0.2.1');
});

test('a change reaches the answers at once', async () => {
  const times: number[] = [];
  for (let change = 0; change < CHANGES; change++) {
    const isUp = change % 2 === 1;
    fake.say([vs('s1:v1', isUp ? 'available' : 'offline', isUp ? UP : REFUSED)]);
    times.push(await answers('order', isUp ? '192.0.2.1' : '192.0.3.1'));
  }
  times.sort((a, b) => a - b);
  console.log(`a change is answered from after ${times[CHANGES / 2]!.toFixed(2)} ms (median of ${CHANGES})`);
});

test('each thing is shown with the reason of its monitor', async () => {
  fake.say([vs('s1:v1', 'offline', REFUSED), vs('s1:v2', 'offline', REFUSED), vs('s1:v3', 'offline', 'http: 503')]);
  await answers('order', '192.0.3.1');
  assert.match(await shown('server s1'), /Availability:? offline\n[^]*Reason:? No enabled virtual servers available\n/);
  assert.match(await shown('server s1'), /\bv1 offline enabled Monitor \/Common\/http: connection refused/);
  assert.match(
    await shown('pool a order'),
    /\/Common\/s1:v1 offline enabled Monitor \/Common\/http: connection refused /,
  );
  fake.say([measured('server', '/Common/s2', 'offline', 'icmp: no answer')]);
  await eventually('the wide IP is down', async () =>
    /Availability:? offline/.test(await shown('wideip a order.example.com')),
  );
  const reason =
    /a \/Common\/order offline enabled No enabled pool members available \(\/Common\/s1:v1: Monitor \/Common\/http: connection refused\)/;
  assert.match(await shown('wideip a order.example.com'), reason);
  const explained = await dns('explain', 'order.example.com', 'A');
  assert.match(explained, /member \/Common\/s1:v1: is offline.*: Monitor \/Common\/http: connection refused/);
  assert.match(
    explained,
    /member \/Common\/s2:v1: is offline.*: Server \/Common\/s2 is offline: Monitor \/Common\/icmp: no answer/,
  );
  fake.say(SNAPSHOT, { forgotten: [{ kind: 'server', key: '/Common/s2' }] });
  await answers('order', '192.0.2.1');
  assert.match(await dns('health'), /^ {2}\/Common\/s2:v1: unknown \(Nothing checks it\)$/m);
});

test('a change in pieces is one', async () => {
  // No beat stands between pieces.
  fake.isSilent = true;
  fake.say([vs('s1:v1', 'offline', REFUSED)], { last: false });
  await delay(300);
  assert.equal(await ask('order'), '192.0.2.1');
  fake.say([vs('s1:v2', 'offline', REFUSED)]);
  await answers('order', '192.0.3.1');
  assert.equal(await ask('own'), '192.0.3.2');
  fake.isSilent = false;
  fake.say(SNAPSHOT);
  await answers('own', '192.0.2.2');
});

test('a member is down by its own monitor, in its pool only; where manual-resume says so it waits', async () => {
  fake.say([member('own', 's1:v2', 'offline', 'tcp: connection refused')]);
  await answers('own', '192.0.3.2');
  assert.match(await shown('pool a own'), /\/Common\/s1:v2 offline enabled Monitor \/Common\/tcp: connection refused /);
  assert.match(await dns('health'), /^ {2}\/Common\/s1:v2: available/m);
  assert.match(
    await dns('health'),
    /^member a \/Common\/own \/Common\/s1:v2: offline \(Monitor \/Common\/tcp: connection refused\)$/m,
  );
  fake.say([member('own', 's1:v2', 'available', 'tcp: connected')]);
  await answers('own', '192.0.2.2');
  // They went offline with a virtual server and with a server before.
  for (const each of ['s1:v3', 's2:v3']) await dns('resume', 'a', 'manual', each);
  assert.equal(await ask('manual'), '192.0.2.3');
  fake.say([member('manual', 's1:v3', 'offline', 'tcp: connection refused')]);
  await answers('manual', '192.0.3.3');
  await assert.rejects(dns('resume', 'a', 'manual', 's1:v3'), /is still offline: resume it when it is not/);
  fake.say([member('manual', 's1:v3', 'available', 'tcp: connected')]);
  await eventually('it waits', async () => (await shown('pool a manual')).includes('waits to be resumed'));
  assert.equal(await ask('manual'), '192.0.3.3');
  await dns('resume', 'a', 'manual', 's1:v3');
  assert.equal(await ask('manual'), '192.0.2.3');
});

test('the hand lies over what is measured, until it is taken away', async () => {
  fake.say([vs('s1:v1', 'offline', REFUSED), member('own', 's1:v2', 'offline', 'tcp: connection refused')]);
  await answers('order', '192.0.3.1');
  await dns('health', 'set', 's1:v1', '--status', 'available', '--reason', 'I know better', '--connections', '4');
  await dns('health', 'set', 'a', 'own', 's1:v2', '--status', 'available');
  assert.equal(await ask('order'), '192.0.2.1');
  assert.equal(await ask('own'), '192.0.2.2');
  const listed = await dns('health');
  assert.match(listed, /^ {2}\/Common\/s1:v1: available \(Available: I know better\), connections 4$/m);
  assert.match(
    listed,
    /^ {4}by hand since 2\d{3}-\S+ \S+ UTC: available, I know better, connections 4\n {4}measured since .*: offline, Monitor \/Common\/http: connection refused$/m,
  );
  assert.match(
    listed,
    /^ {2}by hand since .*: available, set by hand\n {2}measured since .*: offline, Monitor \/Common\/tcp: /m,
  );
  // What is measured meanwhile does not show.
  fake.say([vs('s1:v1', 'offline', 'http: no answer')]);
  await eventually('it is listed', async () => (await dns('health')).includes('http: no answer'));
  assert.equal(await ask('order'), '192.0.2.1');
  await dns('health', 'clear', 's1:v1');
  await dns('health', 'clear', 'a', 'own', 's1:v2');
  assert.equal(await ask('order'), '192.0.3.1');
  assert.equal(await ask('own'), '192.0.3.2');
  assert.match(await dns('health'), /^ {2}\/Common\/s1:v1: offline \(Monitor \/Common\/http: no answer\)$/m);
  // A number by hand leaves the status to whoever measures.
  await dns('health', 'set', 's1:v1', '--connections', '9');
  assert.match(
    await dns('health'),
    /^ {2}\/Common\/s1:v1: offline \(Monitor \/Common\/http: no answer\), connections 9$/m,
  );
  await dns('health', 'clear', 's1:v1');
});

test('what is said of things that are not there yet counts when they are', async () => {
  fake.say([vs('s3:v1', 'offline', REFUSED), member('late', 's3:v2', 'offline', 'tcp: connection refused')]);
  // What comes after it is there: so it is taken.
  fake.say([vs('s1:v1', 'available', UP)]);
  await answers('order', '192.0.2.1');
  writeFileSync(
    file,
    `gtm server s3 { datacenter east product generic-host devices { s3 { addresses { 198.51.100.3 { } } } } virtual-servers { v1 { destination 192.0.4.1:80 } v2 { destination 192.0.4.2:80 } } }
gtm pool a late { load-balancing-mode global-availability manual-resume enabled members { s3:v1 { member-order 0 } s3:v2 { member-order 1 } s1:v1 { member-order 2 } } }
gtm wideip a late.example.com { pools { late { } } }`,
  );
  await apply(`load sys config merge file ${file}`);
  assert.equal(await ask('late'), '192.0.2.1');
  fake.say([vs('s3:v1', 'available', UP), member('late', 's3:v2', 'available', 'tcp: connected')]);
  // As if it had gone offline before our eyes.
  await eventually(
    'both wait',
    async () => (await dns('health')).match(/^waits to be resumed: a \/Common\/late /gm)?.length === 2,
  );
  assert.equal(await ask('late'), '192.0.2.1');
  await dns('resume', 'a', 'late', 's3:v1');
  assert.equal(await ask('late'), '192.0.4.1');
});

test('without healthd its last word counts, and is called stale; another one takes over without a moment of not knowing', async () => {
  fake.say([vs('s1:v1', 'offline', REFUSED)]);
  await answers('order', '192.0.3.1');
  await fake.end();
  await up.said(/^nothing heard of healthd for 5 s: .*it is not running/);
  assert.equal(await ask('order'), '192.0.3.1');
  const stale = String.raw`connection refused \(stale: nothing heard of healthd for \d+ s\)`;
  assert.match(await shown('pool a order'), new RegExp(`s1:v1 offline enabled Monitor /Common/http: ${stale}`));
  assert.match(await dns('health'), new RegExp(`s1:v1: offline .Monitor /Common/http: ${stale}`));
  const explained = await dns('explain', 'own.example.com', 'A');
  assert.match(explained, /member \/Common\/s1:v2: is offline.*\(stale: /);
  assert.match(
    await dns('explain', 'manual.example.com', 'A'),
    /member \/Common\/s1:v3: is available \(stale: nothing heard of/,
  );
  // It speaks of s1:v1 in the second piece, and of the pool's own members not at all.
  const first = Array.from({ length: 500 }, (_, number) => vs(`s9:v${number}`, 'available', UP));
  fake = await FakeHealthd.start(state, [first, [vs('s1:v1', 'offline', REFUSED), ...SNAPSHOT.slice(1)]]);
  const end = performance.now() + DEADLINE_MS;
  while (performance.now() < end) assert.equal(await ask('order'), '192.0.3.1');
  assert.equal(fake.followed, 1);
  await up.said(/^healthd is heard of again/);
  assert.equal(await ask('own'), '192.0.2.2');
  assert.doesNotMatch(await dns('health'), /stale|member a \/Common\/own|\/Common\/s3:v1: offline/);
  assert.equal(up.log.filter(({ msg }) => msg.startsWith('nothing heard of healthd')).length, 1);
});

test('a healthd that is there and says nothing is as stale', async () => {
  const said = up.log.length;
  fake.isSilent = true;
  await eventually('stale', () =>
    up.log
      .slice(said)
      .some(({ msg }) => msg.startsWith('nothing heard of healthd for 5 s: it is connected, and silent')),
  );
  assert.match(await shown('server s1'), /\bv1 offline enabled Monitor \/Common\/http: connection refused \(stale/);
  fake.isSilent = false;
  await eventually('fresh', () => up.log.slice(said).some(({ msg }) => msg.startsWith('healthd is heard of again')));
  assert.doesNotMatch(await shown('server s1'), /stale/);
});

test('a dnsd that starts again answers by what was measured, which is stale where healthd is silent', async () => {
  // Longer than a change waits until it is written.
  await delay(1500);
  await fake.end();
  await killDnsd();
  assert.equal(await ask('order'), '192.0.3.1');
  await eventually('stale', async () =>
    (await dns('health')).includes('connection refused (stale: nothing heard of healthd for'),
  );
  fake = await FakeHealthd.start(state, [SNAPSHOT]);
  await eventually('it is followed', () => fake.followed > 0);
  await answers('order', '192.0.2.1');
  assert.doesNotMatch(await dns('health'), /stale/);
});
