// time-out: 300 s
// What dnsd makes of the loads and paths that iqueryd tells: an iqueryd of the test speaks to a dnsd under `wideplane up`, in the network
// namespace of the test.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { MeshLoad, MeshMachine, MeshPath } from '../../src/ipc/mesh-schema.ts';
import { queryOf } from '../support/dns.ts';
import { FakeIqueryd } from '../support/fake-iqueryd.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { eventually, makeState, removeState, RunningUp } from './supervise/running-up.ts';

const PORT = 5371;
/** A number is to be answered from within a whole second, on a machine that others use: three. */
const DEADLINE_MS = 3000;
const CHANGES = 40;
const CACHING = 6;

const CONFIG = `
gtm datacenter east { }
gtm datacenter west { }
gtm global-settings metrics { metrics-caching ${CACHING} }
gtm server s1 { datacenter east limit-cpu-usage 80 limit-cpu-usage-status enabled monitor none devices { s1 { addresses { 198.51.100.1 { } } } } virtual-servers { v1 { destination 192.0.2.1:80 limit-max-connections 100 limit-max-connections-status enabled } v2 { destination 192.0.2.2:80 } } }
gtm server s2 { datacenter west monitor none devices { s2 { addresses { 198.51.100.2 { } } } } virtual-servers { v1 { destination 192.0.3.1:80 } v2 { destination 192.0.3.2:80 } } }
gtm pool a order { load-balancing-mode global-availability members { s1:v1 { member-order 0 } s2:v1 { member-order 1 } } }
gtm pool a least { load-balancing-mode least-connections alternate-mode none fallback-mode none members { s1:v2 { member-order 0 } s2:v2 { member-order 1 } } }
gtm pool a cpu { load-balancing-mode cpu alternate-mode none fallback-mode none members { s1:v2 { member-order 0 } s2:v2 { member-order 1 } } }
gtm pool a score { load-balancing-mode virtual-server-score alternate-mode none fallback-mode none members { s1:v2 { member-order 0 } s2:v2 { member-order 1 } } }
gtm pool a quality { load-balancing-mode quality-of-service qos-rtt 0 qos-hit-ratio 0 qos-packet-rate 0 qos-kilobytes-second 1 alternate-mode none fallback-mode none members { s1:v2 { member-order 0 } s2:v2 { member-order 1 } } }
gtm pool a near { load-balancing-mode lowest-round-trip-time alternate-mode none fallback-mode none members { s1:v2 { member-order 0 } s2:v2 { member-order 1 } } }
gtm pool a hops { load-balancing-mode fewest-hops alternate-mode none fallback-mode none members { s1:v2 { member-order 0 } s2:v2 { member-order 1 } } }
${['order', 'least', 'cpu', 'score', 'quality', 'near', 'hops'].map((name) => `gtm wideip a ${name}.example.com { pools { ${name} { } } }`).join('\n')}
`;

const state = makeState();
const file = `${state}.conf`;
let up: RunningUp;
let fake: FakeIqueryd;
let socket: Socket;

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

const machine = (name: string, isHeard = true, heard = Date.now()): MeshMachine => ({
  ...{ server: `/Common/${name}`, isHeard, heard },
});
const vs = (name: string, load: Partial<MeshLoad>): MeshLoad => ({
  ...{ kind: 'virtual-server', key: `/Common/${name}`, ...load },
});
const server = (name: string, load: Partial<MeshLoad>): MeshLoad => ({
  ...{ kind: 'server', key: `/Common/${name}`, ...load },
});
const path = (datacenter: string, numbers: Partial<MeshPath>): MeshPath => ({
  ...{ client: '127.0.0.1', datacenter: `/Common/${datacenter}`, expires: Math.floor(Date.now() / 1000) + 600 },
  ...numbers,
});

const MACHINES = [machine('s1'), machine('s2')];
const LOADS = [
  server('s1', { cpu: 40, memoryAvailable: 1000 }),
  server('s2', { cpu: 20, memoryAvailable: 1000 }),
  vs('s1:v1', { connections: 7 }),
  vs('s1:v2', { connections: 5, score: 9, kilobytesPerSecond: 10 }),
  vs('s2:v2', { connections: 6, score: 8, kilobytesPerSecond: 20 }),
];

async function killDnsd(): Promise<void> {
  const before = await up.daemon('dnsd');
  process.kill(before, 'SIGKILL');
  await eventually('another dnsd', async () => (await up.daemon('dnsd')) !== before);
}
async function restartIqueryd(snapshot: Parameters<typeof FakeIqueryd.start>[1]): Promise<void> {
  await fake.end();
  fake = await FakeIqueryd.start(state, snapshot);
  await eventually('dnsd follows', () => fake.followed > 0);
}

before(async () => {
  writeFileSync(file, `gtm listener any { address any port ${PORT} }`);
  up = new RunningUp(state, { config: file });
  await up.ready();
  for (const daemon of ['healthd', 'iqueryd']) await tmsh(`stop sys service ${daemon}`);
  writeFileSync(file, CONFIG);
  await apply(`load sys config merge file ${file}`);
  socket = createSocket('udp4');
  fake = await FakeIqueryd.start(state, { machines: MACHINES, loads: LOADS });
  await eventually('dnsd follows', () => fake.followed > 0);
});

after(async () => {
  socket.close();
  await fake.end();
  assert.equal(await up.stop(), 0);
  removeState(state);
  removeState(file);
});

test('each mode goes by the number that machines tell', async () => {
  await answers('least', '192.0.2.2');
  await answers('cpu', '192.0.3.2');
  await answers('score', '192.0.2.2');
  await answers('quality', '192.0.2.2');
  fake.say({
    loads: [
      server('s2', { cpu: 60 }),
      vs('s1:v2', { connections: 8, score: 3, kilobytesPerSecond: 40 }),
      vs('s2:v2', { connections: 6, score: 8, kilobytesPerSecond: 20 }),
    ],
  });
  await answers('least', '192.0.3.2');
  await answers('cpu', '192.0.2.2');
  await answers('score', '192.0.3.2');
  await answers('quality', '192.0.3.2');
});

test('who is said to be over a limit is out at once, and back with the next number', async () => {
  assert.equal(await ask('order'), '192.0.2.1');
  const times: number[] = [];
  for (let change = 0; change < CHANGES; change++) {
    const isOver = change % 2 === 0;
    fake.say({ loads: [vs('s1:v1', { connections: isOver ? 101 : 100 })] });
    times.push(await answers('order', isOver ? '192.0.3.1' : '192.0.2.1'));
  }
  times.sort((a, b) => a - b);
  console.log(`a number is answered from after ${times[CHANGES / 2]!.toFixed(2)} ms (median of ${CHANGES})`);
  fake.say({ loads: [vs('s1:v1', { connections: 101 })] });
  await answers('order', '192.0.3.1');
  assert.match(await shown('pool a order'), /s1:v1 unavailable enabled .*101 connections, limit 100/);
  fake.say({ loads: [vs('s1:v1', { connections: 1 }), server('s1', { cpu: 81 })] });
  await eventually('the limit of the server', async () =>
    (await shown('pool a order')).includes('Server /Common/s1 is over its limit: CPU 81 per cent, limit 80'),
  );
  assert.equal(await ask('order'), '192.0.3.1');
  fake.say({ loads: [server('s1', { cpu: 40 })] });
  await answers('order', '192.0.2.1');
});

test('paths that machines measured choose the nearer datacenter', async () => {
  fake.say({
    paths: [path('east', { roundTripTime: 20_000, hops: 2 }), path('west', { roundTripTime: 5_000, hops: 9 })],
  });
  await answers('near', '192.0.3.2');
  await answers('hops', '192.0.2.2');
  assert.match(await dns('health'), /^path 127.0.0.1 to \/Common\/west: by iQuery, good for \d+ s, rtt ms 5, hops 9$/m);
  // What is said by hand lies above.
  await dns('path', 'set', '127.0.0.1', 'west', '--rtt', '90');
  await answers('near', '192.0.2.2');
  fake.say({ paths: [path('west', { roundTripTime: 4_000, hops: 1 })] });
  fake.say({ paths: [path('east', { roundTripTime: 20_000, hops: 3 })] });
  await eventually('east is there', async () => /east: .*hops 3$/m.test(await dns('health')));
  assert.equal(await ask('near'), '192.0.2.2');
  await dns('path', 'clear', '127.0.0.1', 'west');
  fake.say({ paths: [path('west', { roundTripTime: 4_000, hops: 1 })] });
  await answers('near', '192.0.3.2');
  await answers('hops', '192.0.3.2');
  fake.say({ gonePaths: [{ client: '127.0.0.1', datacenter: '/Common/west' }] });
  await answers('near', '192.0.2.2');
});

test('the hand lies over numbers, and who says them is shown', async () => {
  fake.say({ loads: [vs('s1:v2', { connections: 5 }), vs('s2:v2', { connections: 6 })] });
  await answers('least', '192.0.2.2');
  assert.match(await dns('health'), /^ {4}by iQuery \(heard now\): connections 5$/m);
  assert.match(
    await dns('explain', 'least.example.com', 'A'),
    /s1:v2: .*its numbers are those of \/Common\/s1 by iQuery/,
  );
  await dns('health', 'set', 's1:v2', '--connections', '50');
  await answers('least', '192.0.3.2');
  await dns('health', 'clear', 's1:v2');
  await answers('least', '192.0.2.2');
});

test('a dnsd that starts again has the numbers; an iqueryd that has not heard a machine yet takes nothing away', async () => {
  fake.say({ loads: [vs('s1:v1', { connections: 101 })] });
  await answers('order', '192.0.3.1');
  // What is known is on disk within a second.
  await delay(3000);
  await fake.end();
  await killDnsd();
  assert.equal(await ask('order'), '192.0.3.1');
  assert.equal(await ask('least'), '192.0.2.2');
  await restartIqueryd({ machines: [machine('s1', false, 0), machine('s2', false, 0)] });
  await delay(1000);
  assert.equal(await ask('order'), '192.0.3.1');
  fake.say({ machines: MACHINES, loads: [vs('s1:v1', { connections: 2 })] });
  await answers('order', '192.0.2.1');
});

test('a snapshot of a machine that is heard takes away what is not in it', async () => {
  await restartIqueryd({ machines: MACHINES, loads: LOADS.filter(({ key }) => key !== '/Common/s1:v2') });
  await answers('least', '192.0.3.2');
});

test('the last numbers of a machine that is lost count until they are too old', async () => {
  await restartIqueryd({ machines: MACHINES, loads: LOADS });
  await answers('least', '192.0.2.2');
  fake.say({ machines: [machine('s1', false)] });
  await eventually('stale', async () =>
    /^ {4}by iQuery \(stale: nothing heard of it for \d+ s\): connections 5/m.test(await dns('health')),
  );
  assert.equal(await ask('least'), '192.0.2.2');
  const start = performance.now();
  await eventually('it is forgotten', async () => (await ask('least')) === '192.0.3.2');
  console.log(`forgotten ${Math.round(performance.now() - start)} ms after it was called stale, of ${CACHING} s`);
  assert.doesNotMatch(await dns('health'), /connections 5/);
});

test('without iqueryd its last word counts, and is called stale, and is forgotten in the end', async () => {
  await restartIqueryd({ machines: MACHINES, loads: LOADS });
  await answers('least', '192.0.2.2');
  await fake.end();
  await up.said(/^nothing heard of iqueryd for \d+ s/);
  assert.equal(await ask('least'), '192.0.2.2');
  assert.match(await dns('explain', 'least.example.com', 'A'), /by iQuery \(stale: nothing heard of it for \d+ s\)/);
  await eventually('it is forgotten', async () => !(await dns('health')).includes('by iQuery (stale'));
  fake = await FakeIqueryd.start(state, { machines: MACHINES, loads: LOADS });
  await answers('least', '192.0.2.2');
});

test('numbers go with the server that they are of', async () => {
  assert.match(await dns('health'), /s1:v1: .*connections 7$/m);
  await tmsh('modify gtm pool a order members delete { s1:v1 }');
  await apply('modify gtm server s1 virtual-servers delete { v1 }');
  await apply('modify gtm server s1 virtual-servers add { v1 { destination 192.0.2.1:80 } }');
  assert.doesNotMatch(await dns('health'), /s1:v1: .*connections/);
});
