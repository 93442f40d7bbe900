// time-out: 400 s
// alone
// Every type of monitor of both modules that sends something, under `wideplane up`: a target in another namespace stops, comes back, is cut off
// and comes back, and each monitor says so within its own arithmetic and 2 s, with the right reason, once.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { addVeth, ip, spawnIn } from '../lib/namespace.ts';
import { Authority } from '../support/certificates.ts';
import { eventually, makeState, removeState, RunningUp } from './supervise/running-up.ts';

const TARGET = '10.50.0.2';
/** Seconds, of all monitors below. */
const [INTERVAL, TIMEOUT, PROBE_TIMEOUT, ATTEMPTS, APART] = [2, 7, 1, 2, 1];
const SLACK = 2;
/** A probe finds what answers, or refuses: the next one, and the time that it takes. */
const FOUND = INTERVAL + PROBE_TIMEOUT + (ATTEMPTS - 1) * APART + SLACK;
const SILENT = TIMEOUT + SLACK;

/** Types with what they have besides times, and the port that is probed. */
const TYPES = {
  icmp: { port: 0, own: '' },
  'gateway-icmp': { port: 0, own: '' },
  tcp: { port: 7000, own: 'recv hello' },
  'tcp-half-open': { port: 7000, own: '' },
  udp: { port: 7001, own: 'recv hello' },
  http: { port: 80, own: String.raw`recv "200 OK" send "GET / HTTP/1.0\r\n\r\n"` },
  https: { port: 443, own: String.raw`recv "200 OK" send "GET / HTTP/1.0\r\n\r\n"` },
  dns: { port: 53, own: 'qname www.example.test' },
  external: { port: 7000, own: '' },
} as const;
type Type = keyof typeof TYPES;
const NAMES = Object.keys(TYPES) as Type[];
const MODULES = ['gtm', 'ltm'] as const;
type Module = (typeof MODULES)[number];
/** That they still answer when all programs have ended. */
const OF_KERNEL: readonly Type[] = ['icmp', 'gateway-icmp'];

const SERVER = `
const fs = require('node:fs');
const [key, cert] = process.argv.slice(1);
const answer = (q, r) => r.end('as it is');
require('node:net').createServer((s) => s.on('error', () => {}).end('hello')).listen(7000);
require('node:http').createServer(answer).listen(80);
require('node:https').createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) }, answer).listen(443);
const datagrams = (port, answer) => {
  const socket = require('node:dgram').createSocket('udp4');
  socket.on('message', (m, r) => socket.send(answer(m), r.port, r.address)).bind(port);
};
datagrams(7001, () => Buffer.from('hello'));
const record = Buffer.from('c00c00010001000000050004c0000201', 'hex');
datagrams(53, (m) => { m[2] |= 0x80; m[7] = 1; return Buffer.concat([m, record]); });
console.log('ready');
`;

const directory = mkdtempSync(join(tmpdir(), 'monitor-types-'));
const program = join(directory, 'probe.sh');
const state = makeState();
let certificate: { certificate: string; key: string };
let server: ChildProcess;
let up: RunningUp;

function configuration(): string {
  const monitors = MODULES.flatMap((module) =>
    NAMES.map((type) => {
      const isOfPackets = [...OF_KERNEL, 'udp', 'tcp-half-open'].includes(type);
      const attempts = isOfPackets ? `probe-attempts ${ATTEMPTS} probe-interval ${APART}` : '';
      const times = `interval ${INTERVAL} timeout ${TIMEOUT}`;
      const ofModule = module === 'gtm' ? `probe-timeout ${PROBE_TIMEOUT} ${attempts}` : '';
      const own = type === 'external' ? `run ${program}` : TYPES[type].own;
      return `${module} monitor ${type} own-${type} { ${times} ${ofModule} ${own} }`;
    }),
  );
  const targetOf = (type: Type): string => `${TARGET}:${TYPES[type].port || 9}`;
  const servers = NAMES.map((type) => `${type} { destination ${targetOf(type)} monitor own-${type} }`);
  const pools = NAMES.map((type) => `ltm pool ${type} { members { ${targetOf(type)} { } } monitor own-${type} }`);
  return `${monitors.join('\n')}
gtm datacenter east { }
gtm server site { datacenter east devices { site { addresses { ${TARGET} { } } } } product generic-host virtual-servers {
${servers.join('\n')}
} }
${pools.join('\n')}
`;
}

async function startServer(): Promise<void> {
  server = spawnIn('site', process.execPath, '-e', SERVER, certificate.key, certificate.certificate);
  await new Promise((resolve) => server.stdout!.once('data', resolve));
}

/** Of a target, what it came to, and why, from the line `from` of the log on. */
function changesOf(module: Module, type: Type, from = 0): { isUp: boolean; reason: string }[] {
  const subject = module === 'gtm' ? `VS ${type} (Server /Common/site) ` : `Pool /Common/${type} member `;
  return up.log.slice(from).flatMap(({ msg }) => {
    if (!msg.startsWith(subject)) return [];
    const [, status, reason] = /(?:--> |monitor status )(green|red|up|down)[. ]+[([] ?(.*)/.exec(msg) ?? [];
    return status === undefined ? [] : [{ isUp: status === 'green' || status === 'up', reason: reason! }];
  });
}

/** Waits until each of them has changed so; prints how long that took of what it may take. */
async function changed(
  what: string,
  isUp: boolean,
  of: readonly Type[],
  secondsOf: (module: Module, type: Type) => number,
  reasonOf: (module: Module, type: Type) => RegExp,
  act: () => Promise<void> | void,
): Promise<void> {
  const from = up.log.length;
  const begun = performance.now();
  await act();
  const all = MODULES.flatMap((module) => of.map((type) => ({ module, type })));
  const times: string[] = [];
  const left = new Set(all);
  const longest = 3000 * Math.max(...all.map(({ module, type }) => secondsOf(module, type)));
  await eventually(
    `${what}: all have changed`,
    () => {
      const seconds = (performance.now() - begun) / 1000;
      for (const each of left) {
        const { module, type } = each;
        const [change] = changesOf(module, type, from);
        if (change === undefined) continue;
        assert.equal(change.isUp, isUp, `${what}: ${module} ${type}: ${change.reason}`);
        assert.match(change.reason, reasonOf(module, type), `${what}: ${module} ${type}`);
        assert.ok(seconds < 3 * secondsOf(module, type), `${what}: ${module} ${type} took ${seconds} s`);
        times.push(`${module} ${type} ${seconds.toFixed(1)} of ${secondsOf(module, type)} s`);
        left.delete(each);
      }
      return left.size === 0;
    },
    longest,
  ).catch((error: unknown) => {
    const missing = [...left].map(({ module, type }) => `${module} ${type}`).join(', ');
    throw new Error(`${what}: ${missing} did not change`, { cause: error });
  });
  console.log(`${what}: ${times.join(', ')}`);
}

const programs = NAMES.filter((type) => !OF_KERNEL.includes(type));
/** What is wrong, but not refused, counts at the timeout in ltm. */
const refusedWithin = (module: Module, type: Type): number =>
  module === 'ltm' && type === 'external' ? SILENT : FOUND;
const refusedReason = (_module: Module, type: Type): RegExp => {
  if (type === 'external') return /printed nothing|nothing/;
  return type === 'udp' || type === 'dns' ? /unreachable/ : /refused/;
};
const sockets = async (): Promise<number> => readdirSync(`/proc/${await up.daemon('healthd')}/fd`).length;

before(async () => {
  chmodSync(directory, 0o755);
  writeFileSync(
    program,
    '#!/bin/bash\ntimeout 0.5 bash -c "exec 3<>/dev/tcp/${1#::ffff:}/$2" 2>/dev/null && echo up\nexit 0\n',
    { mode: 0o755 },
  );
  certificate = new Authority(directory, 'authority').issue({ names: `IP:${TARGET}` });
  addVeth('s0', 's1', 'site');
  ip('address add 10.50.0.1/24 dev s0');
  ip(`-n site address add ${TARGET}/24 dev s1`);
  await startServer();
  writeFileSync(`${state}.conf`, configuration());
  up = new RunningUp(state, { config: `${state}.conf` });
});
after(async () => {
  await up.stop();
  server.kill('SIGKILL');
  removeState(state);
  for (const path of [directory, `${state}.conf`]) rmSync(path, { recursive: true, force: true });
});

test('targets come up, stop, come back, are cut off, and come back, each monitor in its time', async () => {
  const anything = (): RegExp => /./;
  // From its start on, which takes some seconds.
  await changed(
    'at first',
    true,
    NAMES,
    () => FOUND + 10,
    anything,
    () => up.ready(),
  );
  const open = await sockets();
  await changed('its programs end', false, programs, refusedWithin, refusedReason, () => {
    server.kill('SIGKILL');
  });
  await changed('they run again', true, programs, () => FOUND, anything, startServer);
  await changed(
    'it is cut off',
    false,
    NAMES,
    () => SILENT,
    () => /no answer|no connection|no route|nothing|no good answer/,
    () => {
      execFileSync('ip', ['-n', 'site', 'link', 'set', 'dev', 's1', 'down']);
    },
  );
  await changed(
    'it is reached again',
    true,
    NAMES,
    () => FOUND,
    anything,
    () => {
      execFileSync('ip', ['-n', 'site', 'link', 'set', 'dev', 's1', 'up']);
    },
  );
  for (const module of MODULES) {
    for (const type of NAMES) {
      const statuses = changesOf(module, type).map(({ isUp }) => (isUp ? 'up' : 'down'));
      const wanted = OF_KERNEL.includes(type) ? ['up', 'down', 'up'] : ['up', 'down', 'up', 'down', 'up'];
      assert.deepEqual(statuses, wanted, `${module} ${type}`);
    }
  }
  // Probes that are on their way have some.
  const still = await sockets();
  assert.ok(still <= open + 2 * NAMES.length, `healthd had ${open} descriptors, and has ${still}`);
});
