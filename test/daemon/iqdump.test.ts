// time-out: 300 s
// `wideplane iqdump`: of a BIG-IP's big3d what it says, of wideplane all that it publishes, and errors that say what to do.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeDevicePair, type Pair } from '../../src/trust/make-certificate.ts';
import { BIG3D_GREETING, FakeBig3d } from '../support/fake-big3d.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { eventually, makeState, removeState, run, RunningUp } from './supervise/running-up.ts';

/** Starting a command of Node.js on a machine that does other things. */
const MOST_MS = 60_000;
const OWN_PORT = 14_353;

const state = makeState();
let device: Pair;
let ownCertificate: string;

class Iqdump {
  out = '';
  err = '';
  readonly #child;
  readonly #exit: Promise<number | string>;

  constructor(...args: string[]) {
    this.#child = spawn(process.execPath, [EXECUTABLE, 'iqdump', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => (this.out += text));
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.err += text));
    this.#exit = new Promise((resolve) => this.#child.on('close', (code, signal) => resolve(code ?? signal ?? 'none')));
  }

  async shows(pattern: RegExp): Promise<void> {
    await eventually(`${String(pattern)} in ${this.out}${this.err}`, () => pattern.test(this.out), MOST_MS);
  }

  /** Its exit status; with a signal first, as Ctrl-C sends it. */
  async ends(signal?: NodeJS.Signals): Promise<number | string> {
    if (signal !== undefined) this.#child.kill(signal);
    return this.#exit;
  }
}

/** A command that has to fail: what it says. */
async function complaint(...args: string[]): Promise<string> {
  const dump = new Iqdump(...args);
  assert.equal(await dump.ends(), 1);
  assert.equal(dump.out, '', 'nothing but the error');
  return dump.err;
}

const started = (port: number): string[] => ['127.0.0.1', '--port', String(port), '--state', state];

before(async () => {
  device = await makeDevicePair('bigip.example', new Date());
  ownCertificate = run(process.execPath, EXECUTABLE, 'trust', 'export', '--state', state);
  const file = join(state, 'bigip.crt');
  writeFileSync(file, device.certificate);
  run(process.execPath, EXECUTABLE, 'trust', 'import', file, '--server', '--state', state);
});
after(() => removeState(state));

test('a BIG-IP: the header, the greeting and what nobody knows, a line an element, until Ctrl-C; nothing is sent to it', async () => {
  const big3d = await FakeBig3d.start({ ...device, trusted: [ownCertificate], everyMs: 50 });
  const { port } = big3d;
  const dump = new Iqdump(...started(port), 'europe');
  await dump.shows(/kernel_stats/);
  await dump.shows(/(heartbeat[^]*){3}/);
  assert.equal(big3d.received, 0);
  assert.equal(await dump.ends('SIGINT'), 0);
  await big3d.stop();
  assert.equal(dump.err, '');
  const lines = dump.out.split('\n');
  assert.equal(lines[0], `<!-- Local hostname: ${hostname()} -->`);
  assert.equal(lines[1], `<!-- Connected to big3d at: ::ffff:127.0.0.1:${port} -->`);
  assert.equal(lines[2], '<!-- Subscribing to syncgroup: europe -->');
  assert.match(lines[3]!, /^<!-- (Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4} -->$/);
  const greeting = BIG3D_GREETING.trim().split('\n');
  assert.deepEqual(
    lines.slice(4, 8).map((line) => line.trim()),
    greeting,
  );
  assert.deepEqual(lines.slice(8, 20), [
    '  <server ip="10.1.1.5">',
    '    <cpu>12</cpu>',
    '    <vs>',
    '      <ip>10.1.1.80</ip>',
    '      <port>http</port>',
    '      <state>up</state>',
    '    </vs>',
    '  </server>',
    '  <probe_response>',
    '    <probe_id>17</probe_id>',
    '    <rtt units="us">1200</rtt>',
    '  </probe_response>',
  ]);
});

test('a BIG-IP that compresses what it says: it is shown inflated', async () => {
  const big3d = await FakeBig3d.start({ ...device, isCompressed: true, everyMs: 50 });
  const dump = new Iqdump('-s', 'asia', ...started(big3d.port));
  await dump.shows(
    /<!-- Subscribing to syncgroup: asia -->\n[^]*<connection_id>847<[^]*<rtt units="us">1200<\/rtt>[^]*a < b/,
  );
  assert.equal(await dump.ends('SIGTERM'), 0);
  await big3d.stop();
});

test('it ends when the other side does, and says so', async () => {
  const big3d = await FakeBig3d.start({ ...device });
  const dump = new Iqdump(...started(big3d.port));
  await dump.shows(/847/);
  await big3d.stop();
  assert.equal(await dump.ends(), 1);
  assert.match(dump.err, /^wideplane iqdump: the other side has ended the connection\n$/);
});

test('errors say what is wrong and what to do', async () => {
  const empty = makeState();
  assert.match(
    await complaint('127.0.0.1', '--state', empty),
    /no device certificate in .*server\.crt: start "wideplane up" with this state directory once, or name the right one with --state/,
  );
  removeState(empty);

  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as AddressInfo;
  free.on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.resume();
    socket.end('SSH-2.0-OpenSSH_9.2p1\r\n');
  });
  assert.match(await complaint(...started(port)), /no TLS: .*; look whether iQuery is served on this port/);
  free.close();
  await once(free, 'close');
  assert.match(
    await complaint(...started(port)),
    new RegExp(`^wideplane iqdump: cannot reach 127.0.0.1, port ${port}: connection refused; look whether it runs`),
  );
  assert.match(await complaint('no-such-host.invalid', '--state', state), /no address is known for this name/);

  const unknown = await makeDevicePair('stranger.example', new Date());
  const stranger = await FakeBig3d.start(unknown);
  assert.match(
    await complaint(...started(stranger.port)),
    /the certificate of 127.0.0.1, port \d+ is refused: .*; .*wideplane trust import/,
  );
  await stranger.stop();

  const strict = await FakeBig3d.start({ ...device, trusted: [] });
  assert.match(
    await complaint(...started(strict.port)),
    /has ended the connection before it said anything: it may not trust this machine; .* wideplane trust export --state \S+ \| ssh 127/,
  );
  assert.equal(strict.refused, 1);
  await strict.stop();
});

test('wideplane itself: it is subscribed to, and every channel is shown', async () => {
  const file = `${state}/lab.conf`;
  writeFileSync(
    file,
    `sys db iqueryd.port { value ${OWN_PORT} }\nsys db iqueryd.address { value 127.0.0.1 }\n` +
      'gtm datacenter west { }\n' +
      'gtm server own { datacenter west product bigip devices { one { addresses { 127.0.0.1 { } } } } }\n',
  );
  const up = new RunningUp(state, { config: file });
  try {
    await up.ready();
    const dump = new Iqdump(...started(OWN_PORT));
    await dump.shows(/<offer>[^]*<begin>[^]*<channel>vs<\/channel>[^]*<\/begin>[^]*<end>/);
    assert.match(dump.out, /<device>.+<\/device>/);
    assert.equal(await dump.ends('SIGINT'), 0);
  } finally {
    await up.stop();
  }
});
