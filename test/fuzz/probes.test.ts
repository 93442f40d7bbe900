// Hostile answers to probes: each probe calls back once, in time, with an outcome that is bounded, and nothing stays open.
// time-out: 300 s

import assert from 'node:assert/strict';
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { readdirSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { after, before, it } from 'node:test';
import type { ProbeSpec } from '../../src/health/monitor.ts';
import { MAX_SHOWN, type ProbeOutcome } from '../../src/health/probe.ts';
import { createProbers } from '../../src/probe/probers.ts';
import { dns, http, https, monitorOf, placeAt, probeOnce, tcp, udp } from '../support/probe-monitors.ts';
import { Random } from './mutator.ts';

const ADDRESS = '127.0.0.1';
const ROUNDS = 40;
const AT_ONCE = 25;
const TIMEOUT_MS = 600;
/** By when an outcome has to be there, on a machine that does other things as well. */
const LATEST_MS = 3 * 1000 + TIMEOUT_MS;

const random = new Random(20_261_130);
const prober = createProbers();
let server: Server;
let datagrams: DatagramSocket;
let streamPort: number;
let datagramPort: number;

const noise = (length: number): Buffer => Buffer.from(Array.from({ length }, () => random.below(256)));

const HEADS = [
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0000000000\r\n',
  'HTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/0.9\r\n\r\n',
  '\x1b]0;title\x07\x1b[2J\r\n\r\n',
  '\u202eesrever\u2028\0\0\0',
  '\x16\x03\x01\x02\x00',
  '\x16\x03\x03\xff\xff',
  '\x15\x03\x03\x00\x02\x02\x28',
  '',
];

/** How a server answers: each keeps to what the socket takes, and ends by itself. */
const ANSWERS: ((socket: Socket) => void)[] = [
  // Silence, and an end at once, orderly or not.
  () => undefined,
  (socket) => socket.end(),
  (socket) => void socket.resetAndDestroy(),
  // Something, and the end.
  (socket) => void socket.end(noise(random.below(10_000))),
  (socket) => void socket.end(Buffer.from(random.pick(HEADS), 'latin1')),
  (socket) => {
    socket.write(Buffer.from(random.pick(HEADS), 'latin1'));
    socket.write(noise(random.below(3000)), () => socket.resetAndDestroy());
  },
  // Without end, as fast as it goes.
  (socket) => {
    const piece = random.chance(50) ? noise(65_536) : Buffer.alloc(65_536, 'a');
    const pour = (): void => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.on('drain', pour);
    pour();
  },
  // Drop by drop.
  (socket) => {
    socket.setNoDelay();
    socket.write(Buffer.from(random.pick(HEADS), 'latin1'));
    const timer = setInterval(() => socket.write(noise(1)), 2);
    socket.on('close', () => clearInterval(timer));
  },
  // Header lines without end.
  (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n');
    const timer = setInterval(() => socket.write('X: y\r\n'.repeat(50)), 1);
    socket.on('close', () => clearInterval(timer));
  },
];

before(async () => {
  server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
    const answer = random.pick(ANSWERS);
    // Some do not wait until they are asked.
    if (random.chance(30)) answer(socket);
    else socket.once('data', () => answer(socket));
    socket.resume();
  });
  datagrams = createSocket('udp4');
  datagrams.on('message', (query, from) => {
    for (let count = random.pick([0, 1, 1, 1, 3, 150]); count > 0; count--) {
      datagrams.send(mangled(query), from.port, from.address);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, ADDRESS, resolve));
  await new Promise<void>((resolve) => datagrams.bind(0, ADDRESS, resolve));
  streamPort = (server.address() as { port: number }).port;
  datagramPort = datagrams.address().port;
});

after(() => {
  prober.close();
  server.close();
  datagrams.close();
});

/** Something that may look like an answer to a query. */
function mangled(query: Buffer): Buffer {
  const answer = Buffer.concat([query, noise(random.below(600))]);
  if (random.chance(80) && answer.length > 12) {
    answer[2] = 0x80 | (random.chance(20) ? random.below(128) : 0);
    answer[3] = random.chance(30) ? random.below(256) : 0;
    answer.writeUInt16BE(random.pick([0, 1, 1, 2, 65_535]), 6);
    // Pointers forwards, backwards and to themselves.
    if (random.chance(50) && answer.length > query.length + 2)
      answer.writeUInt16BE(0xc000 | random.below(answer.length), query.length);
  }
  return random.chance(20) ? answer.subarray(0, random.below(answer.length + 1)) : answer;
}

const PATTERNS = [
  '',
  '',
  'a',
  '(a|aa)+b',
  '(x+x+)+y',
  '^HTTP/1\\.1 200',
  '.*.*.*.*zz',
  '[^a]{200}$',
  '((((a*)*)*)*)*b',
  '\\xff\\x00',
];

function randomSpec(): ProbeSpec {
  const exchange = {
    receive: random.pick(PATTERNS),
    receiveDisable: random.pick(PATTERNS),
  };
  return random.pick([
    () => tcp({ ...exchange, send: random.chance(50) ? 'hello' : '' }),
    () => http(exchange),
    () => http({ ...exchange, send: String.raw`HEAD / HTTP/1.1\r\nHost: x` }),
    () => https(exchange),
    () => https(exchange, { verify: true, serverName: 'name.test' }),
    () => udp(exchange),
    () =>
      dns({ contains: random.pick(['query-type', 'any-type', 'anything']), receive: random.pick(['', '192.0.2.1']) }),
  ])();
}

const descriptors = (): number => readdirSync('/proc/self/fd').length;

function check(spec: ProbeSpec, { verdict, reason, received, took }: ProbeOutcome): void {
  const what = `${spec.type}: ${verdict}: ${reason}`;
  assert.notEqual(verdict, 'impossible', what);
  assert.ok(took < LATEST_MS, `${what}: ${took} ms`);
  assert.ok(reason.length > 0 && reason.length < 400, what);
  for (const text of [reason, received ?? '']) {
    assert.ok(text.length <= MAX_SHOWN, what);
    assert.doesNotMatch(text, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u, what);
  }
}

it('gets through hostile answers of all kinds', async () => {
  // Regular expressions, contexts and caches are made by now.
  await Promise.all(
    [http(), https(), udp(), dns()].map((spec) =>
      probeOnce(
        prober,
        monitorOf(spec),
        placeAt(ADDRESS, spec.type === 'udp' || spec.type === 'dns' ? datagramPort : streamPort),
        TIMEOUT_MS,
      ),
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 500));
  const begun = descriptors();
  const verdicts = new Map<string, number>();
  let largest = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const cancelled: (() => void)[] = [];
    const specs = Array.from({ length: AT_ONCE }, randomSpec);
    const portOf = ({ type }: ProbeSpec): number => (type === 'udp' || type === 'dns' ? datagramPort : streamPort);
    for (const spec of specs.slice(0, 5)) {
      cancelled.push(prober.probe(monitorOf(spec), placeAt(ADDRESS, portOf(spec)), 60_000, () => undefined));
    }
    await Promise.all(
      specs.map(async (spec) => {
        const monitor = monitorOf(spec, { isReverse: random.chance(20) });
        const outcome = await probeOnce(prober, monitor, placeAt(ADDRESS, portOf(spec)), TIMEOUT_MS);
        check(spec, outcome);
        verdicts.set(outcome.verdict, (verdicts.get(outcome.verdict) ?? 0) + 1);
      }),
    );
    for (const cancel of cancelled) cancel();
    largest = Math.max(largest, process.memoryUsage().rss);
  }
  for (const verdict of ['up', 'wrong', 'silent', 'disabled']) {
    assert.ok((verdicts.get(verdict) ?? 0) > 0, `none was ${verdict}: ${JSON.stringify([...verdicts])}`);
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
  server.close();
  const isGone = (): boolean => descriptors() <= begun;
  for (let left = 50; !isGone() && left > 0; left--) await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(isGone(), `${descriptors()} files are open, and ${begun} were`);
  assert.ok(largest < 600e6, `${Math.round(largest / 1e6)} MB`);
});
