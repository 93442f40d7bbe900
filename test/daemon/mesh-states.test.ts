// time-out: 300 s
// What healthd and dnsd make of what iqueryd hears of other machines: an iqueryd of the test speaks to the daemons of a `wideplane up`,
// in the network namespace of the test.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { IpcClient } from '../../src/ipc/ipc-client.ts';
import type { LocalReport, MeshServer, MeshState, MeshVirtual } from '../../src/ipc/mesh-schema.ts';
import { daemonSocket } from '../../src/supervise/daemon-table.ts';
import { queryOf } from '../support/dns.ts';
import { FakeMesh } from '../support/fake-mesh.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { eventually, makeState, removeState, run, RunningUp } from './supervise/running-up.ts';

const PORT = 5372;
/** A change is to be answered within a whole second, on a machine that others use: three. */
const DEADLINE_MS = 3000;
/** Seconds: of the monitor bigip of the test; what it decides by time may take two more, on a machine that others use three times that. */
const TIMEOUT = 6;
const TIMED_MS = 3 * (TIMEOUT + 2) * 1000;
const CHANGES = 40;

const CONFIG = `
gtm datacenter here { prober-fallback none }
gtm datacenter there { }
gtm monitor bigip mesh { interval 2 timeout ${TIMEOUT} }
gtm monitor tcp open { interval 1 timeout 4 probe-timeout 1 }
gtm server here { datacenter here devices { here { addresses { 192.0.2.99 { } } } } virtual-servers { app { destination 198.51.100.9:80 } } }
gtm server east { datacenter there monitor mesh devices { east { addresses { 192.0.2.1 { } } } } virtual-servers { web { destination 198.51.100.1:80 } } }
gtm server web { datacenter there product generic-host monitor open devices { web { addresses { 127.0.1.1 { } } } } virtual-servers { v { destination 127.0.1.1:8095 } } }
gtm pool a order { load-balancing-mode global-availability alternate-mode none fallback-mode none members { east:web { member-order 0 } here:app { member-order 1 } } }
gtm wideip a order.example.com { pools { order { } } }
ltm monitor tcp local { interval 1 timeout 4 }
ltm pool app { members { 127.0.1.1:8095 { } } monitor local }
ltm virtual app { destination 198.51.100.9:80 pool app }
`;

const state = makeState();
const file = `${state}.conf`;
let up: RunningUp;
let fake: FakeMesh;
let socket: Socket;
let target: Server;

async function wideplane(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [EXECUTABLE, ...args]);
  return stdout;
}
const explain = (name: string): Promise<string> => wideplane('health', 'explain', name, '--state', state);
const dns = (...args: string[]): Promise<string> => wideplane('dns', ...args, '--state', state);
const tmsh = (command: string): Promise<string> => wideplane('tmsh', '--state', state, '-c', command);
async function apply(command: string): Promise<void> {
  await tmsh(command);
  assert.doesNotMatch(await tmsh('show sys config status wait'), /applying|Reason/);
}

async function ask(): Promise<string> {
  socket.send(queryOf({ name: 'order.example.com', type: 'A' }), PORT, '127.0.0.1');
  const [reply] = (await once(socket, 'message', { signal: AbortSignal.timeout(DEADLINE_MS) })) as [Buffer];
  return [...reply.subarray(-4)].join('.');
}
async function answers(address: string, withinMs = DEADLINE_MS): Promise<number> {
  const start = performance.now();
  while ((await ask()) !== address) {
    assert.ok(performance.now() - start < withinMs, `it is not ${address} within ${withinMs} ms`);
  }
  return performance.now() - start;
}

const server = (rest: Partial<MeshServer> = {}): MeshServer => ({
  ...{ server: '/Common/east', isConnected: true, reason: '', heard: Date.now(), hasTold: true },
  ...rest,
});
const web = (availability: MeshVirtual['availability'], reason: string): MeshVirtual => ({
  ...{ server: '/Common/east', name: '/Common/shop', address: '198.51.100.1', port: 80 },
  ...{ availability, state: 'enabled', reason, since: Date.now() },
});
const UP = web('available', 'The virtual server is available');
const DOWN = web('offline', 'The children pool member(s) are down');
let snapshot: Partial<MeshState> = { servers: [server()], virtuals: [UP] };

async function listen(): Promise<void> {
  target = createServer((client) => client.destroy()).listen(8095, '127.0.1.1');
  await once(target, 'listening');
}

before(async () => {
  run('ip', 'address', 'add', '192.0.2.99/32', 'dev', 'lo');
  await listen();
  writeFileSync(file, `gtm listener any { address any port ${PORT} }`);
  up = new RunningUp(state, { config: file });
  await up.ready();
  await tmsh('stop sys service iqueryd');
  fake = await FakeMesh.start(state, () => snapshot);
  writeFileSync(file, CONFIG);
  await apply(`load sys config merge file ${file}`);
  socket = createSocket('udp4');
  await eventually('healthd follows', () => fake.followed > 0);
});

after(async () => {
  socket.close();
  target.close();
  await fake.end();
  assert.equal(await up.stop(), 0);
  removeState(state);
  removeState(file);
});

test('what another machine says of its virtual server is answered at once, and is why', async () => {
  fake.say({ servers: [server()], virtuals: [UP] });
  await answers('198.51.100.1');
  const taken: number[] = [];
  for (let change = 0; change < CHANGES; change++) {
    const isDown = change % 2 === 0;
    fake.say({ virtuals: [isDown ? DOWN : UP] });
    taken.push(await answers(isDown ? '198.51.100.9' : '198.51.100.1'));
  }
  taken.sort((a, b) => a - b);
  console.log(
    `a state of another machine is answered after ${taken[CHANGES / 2]!.toFixed(1)} ms (median), ${taken.at(-1)!.toFixed(1)} ms at most`,
  );
  fake.say({ virtuals: [DOWN] });
  await answers('198.51.100.9');
  const cause = /bigip \/Common\/east: virtual \/Common\/shop: The children pool member\(s\) are down/;
  assert.match(await explain('east:web'), cause);
  assert.match(await explain('east:web'), /over iQuery: \/Common\/east is connected, heard [\d.]+ s ago/);
  assert.match(await dns('explain', 'order.example.com'), cause);
  assert.match(await tmsh('show gtm server east'), cause);
  fake.say({ virtuals: [UP] });
  await answers('198.51.100.1');
});

test('a machine that is not heard goes down after the timeout, and a restart within it changes nothing', async () => {
  fake.say({ servers: [server({ isConnected: false, reason: 'connection refused' })] });
  await delay(2000);
  assert.equal(await ask(), '198.51.100.1');
  fake.say({ servers: [server({ hasTold: false })] });
  await delay(500);
  assert.equal(await ask(), '198.51.100.1');
  fake.say({ servers: [server()], virtuals: [UP] });
  fake.say({ servers: [server({ isConnected: false, reason: 'connection refused' })] });
  const took = await answers('198.51.100.9', TIMED_MS);
  console.log(`a machine that is not heard is down after ${(took / 1000).toFixed(1)} s, its timeout is ${TIMEOUT} s`);
  assert.ok(took > (TIMEOUT - 1) * 1000);
  assert.match(
    await dns('explain', 'order.example.com'),
    /Nothing heard of 192\.0\.2\.1 for 6 s over iQuery: connection refused/,
  );
  fake.say({ servers: [server()], virtuals: [UP] });
  await answers('198.51.100.1');
});

test('without iqueryd the last facts count, are stale after the timeout, and fresh again with it', async () => {
  await fake.end();
  await delay(2000);
  assert.doesNotMatch(await explain('east:web'), /stale/);
  await eventually(
    'stale',
    async () => (await explain('east:web')).includes('stale: iqueryd has not been heard for 6 s'),
    TIMED_MS,
  );
  assert.equal(await ask(), '198.51.100.1');
  // It is looked at twice a second.
  await up.said(/^nothing heard of iqueryd for/);
  assert.equal(up.log.filter(({ msg }) => msg.startsWith('nothing heard of iqueryd for')).length, 1);
  snapshot = { servers: [server({ isConnected: false, reason: 'not yet', heard: 0, hasTold: false })] };
  fake = await FakeMesh.start(state, () => snapshot);
  // What came of probes before stands further below.
  await eventually(
    'fresh',
    async () => !(await explain('east:web')).split('\nmonitor ')[0]!.includes('stale:'),
    TIMED_MS,
  );
  assert.equal(await ask(), '198.51.100.1');
  fake.say({ servers: [server()], virtuals: [DOWN] });
  await answers('198.51.100.9');
  fake.say({ virtuals: [UP] });
  await answers('198.51.100.1');
});

test('kill -9 of healthd changes no answer', async () => {
  snapshot = { servers: [server()], virtuals: [UP] };
  const before = await up.daemon('healthd');
  const followed = fake.followed;
  process.kill(before, 'SIGKILL');
  await eventually('another healthd', () => fake.followed > followed, 30_000);
  for (let number = 0; number < 30; number++) assert.equal(await ask(), '198.51.100.1');
});

test('who is elected to probe is believed, and this machine probes where nobody else can', async () => {
  await eventually('probed here', async () => (await explain('web:v')).includes('web:v: available'), 15_000);
  assert.match(
    await explain('web:v'),
    /probed by this machine: this machine is \/Common\/here, by prober-fallback any-available; \/Common\/east has not told/,
  );
  const verdict = {
    server: '/Common/east',
    kind: 'virtual-server',
    key: '/Common/web:v',
    since: Date.now(),
    goodFor: 4,
  } as const;
  fake.say({ verdicts: [{ ...verdict, status: 'offline', reason: 'Monitor /Common/open: no answer from there' }] });
  await eventually('believed', async () => (await explain('web:v')).includes('web:v: offline'));
  const taken = await explain('web:v');
  assert.match(taken, /Monitor \/Common\/open: no answer from there \(probed by \/Common\/east\)/);
  assert.match(taken, /probed by \/Common\/east: prober-preference inside-datacenter/);
  fake.say({ servers: [server({ isConnected: false, reason: 'connection refused' })] });
  await eventually('probed here again', async () => (await explain('web:v')).includes('web:v: available'), 15_000);
  assert.match(await explain('web:v'), /\/Common\/east not connected: connection refused/);
});

test('healthd tells its own virtual servers and pool members, and each change at once', async () => {
  const client = await IpcClient.connect(daemonSocket(state, 'healthd'));
  const stream = client.stream('local-states', {});
  const next = async (): Promise<LocalReport> => (await stream.next()).value as LocalReport;
  const first = await next();
  assert.deepEqual(
    first.virtuals.map(({ name, address, port, availability }) => [name, address, port, availability]),
    [['/Common/app', '198.51.100.9', 80, 'available']],
  );
  assert.deepEqual(
    first.members.map(({ pool, member, availability, state: enabled }) => [pool, member, availability, enabled]),
    [['/Common/app', '/Common/127.0.1.1:8095', 'available', 'enabled']],
  );
  target.close();
  let report = await next();
  while (report.virtuals.length === 0) report = await next();
  assert.equal(report.virtuals[0]!.availability, 'offline');
  assert.match(report.members[0]!.reason, /Pool member has been marked down by a monitor: .*connection refused/);
  client.close();
  await listen();
});
