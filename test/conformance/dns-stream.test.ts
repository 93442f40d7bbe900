// beside others
// DNS over TCP, in the network namespace of the test: what dig and kdig make of it, and clients that lie, linger and do not read.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { StreamEngine } from '../../src/assembly/dnsd/stream-engine.ts';
import { answerSources } from '../../src/dns/answer-sources.ts';
import { Responder } from '../../src/dns/responder.ts';
import { buildZoneTable } from '../../src/dns/zone-builder.ts';
import { ZoneSet } from '../../src/dns/zone-set.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { openServerSocket } from '../../src/net/server-socket.ts';
import { linesOf, queryOf, zoneOf } from '../support/dns.ts';

const PORT = 5311;
const IDLE_MS = 2000;
const MAX_CONNECTIONS = 5000;
const run = promisify(execFile);

const soa = {
  mname: 'ns.example.com',
  rname: 'host.example.com',
  serial: 1,
  refresh: 1,
  retry: 1,
  expire: 1,
  minimum: 60,
};
const zone = buildZoneTable(
  zoneOf('example.com', [
    { type: 'SOA', name: 'example.com', ttl: 60, data: soa },
    { type: 'NS', name: 'example.com', ttl: 60, data: 'ns.example.com' },
    { type: 'A', name: 'www.example.com', ttl: 60, data: '192.0.2.80' },
    // A reply of more than 60,000 octets.
    ...Array.from({ length: 250 }, (_, index) => ({
      ...({ type: 'TXT', name: 'large.example.com', ttl: 60 } as const),
      data: [Buffer.from(`${index} `.padEnd(240, 'x'))],
    })),
  ]),
);

let engine: StreamEngine;

before(async () => {
  const { addon } = loadAddon();
  const descriptor = openServerSocket(addon!, { address: '127.0.0.1', port: PORT, isStream: true, isShared: false });
  engine = new StreamEngine(
    new Responder(answerSources(new ZoneSet([zone])), { unhandled: 'reject', udpOctets: 1232 }),
    {
      descriptor,
      limits: { maxConnections: MAX_CONNECTIONS, idleMs: IDLE_MS },
      defer: () => assert.fail('nothing is left to others'),
    },
  );
  await engine.listen();
});
after(() => engine.close());

async function client(): Promise<Socket> {
  const socket = connect(PORT, '127.0.0.1');
  await once(socket, 'connect');
  // Whoever is put out hears so in one way or the other.
  socket.on('error', () => undefined);
  return socket;
}

const framed = (message: Uint8Array): Buffer =>
  Buffer.concat([Buffer.of(message.length >>> 8, message.length & 255), message]);
const QUERY = framed(queryOf({ name: 'www.example.com', type: 'A' }));

/** The messages that come until there are so many. */
async function messages(socket: Socket, count: number): Promise<Buffer[]> {
  const found: Buffer[] = [];
  let octets = Buffer.alloc(0);
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    octets = Buffer.concat([octets, chunk as Buffer]);
    while (octets.length >= 2 && octets.length >= 2 + octets.readUInt16BE(0)) {
      found.push(octets.subarray(2, 2 + octets.readUInt16BE(0)));
      octets = octets.subarray(2 + octets.readUInt16BE(0));
    }
    if (found.length >= count) break;
  }
  return found;
}

async function eventually(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, what);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('DNS over TCP', () => {
  it('is understood by dig and kdig', async () => {
    const dig = await run('dig', ['+tcp', '-p', String(PORT), '@127.0.0.1', 'www.example.com', '+short']);
    assert.equal(dig.stdout.trim(), '192.0.2.80');
    const several = ['www.example.com', 'nothing.example.com', 'www.example.com'];
    const kdig = await run('kdig', ['+tcp', '+keepopen', '-p', String(PORT), '@127.0.0.1', ...several]);
    assert.equal(kdig.stdout.match(/status: (NOERROR|NXDOMAIN)/g)?.length, 3);
  });

  it('gives a reply that no datagram holds', async () => {
    const { stdout } = await run('dig', [
      '+tcp',
      '-p',
      String(PORT),
      '@127.0.0.1',
      'large.example.com',
      'TXT',
      '+short',
    ]);
    assert.equal(stdout.trim().split('\n').length, 250);
  });

  it('answers many that come at once, in their order, however they are cut', async () => {
    const socket = await client();
    const queries = Array.from({ length: 2000 }, (_, index) => {
      const query = Buffer.from(QUERY);
      query.writeUInt16BE(index, 2);
      return query;
    });
    const octets = Buffer.concat(queries);
    const replies = messages(socket, 2000);
    for (let at = 0; at < octets.length; at += 1013) socket.write(octets.subarray(at, at + 1013));
    const ids = (await replies).map((reply) => reply.readUInt16BE(0));
    assert.deepEqual(
      ids,
      ids.map((_, index) => index),
    );
    socket.destroy();
  });

  it('takes a message octet by octet, and one behind another that is wrong', async () => {
    const socket = await client();
    const broken = Buffer.from(QUERY);
    broken.writeUInt16BE(7, 2 + 4);
    const replies = messages(socket, 2);
    for (const octet of Buffer.concat([broken, QUERY])) socket.write(Buffer.of(octet));
    const [first, second] = await replies;
    assert.equal(linesOf(first!)[0], 'FORMERR');
    assert.equal(linesOf(second!)[0], 'NOERROR aa');
    socket.destroy();
  });

  it('closes a connection with a length that no message has', async () => {
    const { invalid } = engine.counts;
    const socket = await client();
    socket.write(Buffer.of(0, 11, 1, 2, 3));
    await once(socket, 'close');
    assert.equal(engine.counts.invalid, invalid + 1);
  });

  it('closes what is idle, and what announces more than it sends, however slowly', async () => {
    const before = { ...engine.counts };
    const quiet = await client();
    const liar = await client();
    liar.write(Buffer.of(0xff, 0xff));
    const drip = setInterval(() => liar.write(Buffer.of(0)), 100);
    await Promise.all([quiet, liar].map((socket) => once(socket, 'close')));
    clearInterval(drip);
    assert.equal(engine.counts.idle, before.idle + 1);
    assert.equal(engine.counts.slow, before.slow + 1);
  });

  it('does not hold replies for a client that does not read them', async () => {
    const socket = await client();
    socket.pause();
    const large = framed(queryOf({ name: 'large.example.com', type: 'TXT' }));
    const { messages: before, slow } = engine.counts;
    // 2,000 replies of 64 KB each, if all of them were made.
    socket.write(Buffer.concat(new Array<Buffer>(2000).fill(large)));
    await eventually('it is put out', () => engine.counts.slow > slow);
    assert.ok(engine.counts.messages - before < 300, `${engine.counts.messages - before} replies`);
    socket.destroy();
  });

  it('and goes on when it reads late', async () => {
    const socket = await client();
    const large = framed(queryOf({ name: 'large.example.com', type: 'TXT' }));
    socket.write(Buffer.concat(new Array<Buffer>(200).fill(large)));
    await new Promise((resolve) => setTimeout(resolve, 200));
    const replies = await messages(socket, 200);
    assert.equal(replies.length, 200);
    socket.destroy();
  });

  it('10,000 idle connections: others are served, memory is bounded, all of them are closed', async () => {
    const memory = process.memoryUsage.rss();
    const { displaced, idle } = engine.counts;
    const sockets: Socket[] = [];
    for (let round = 0; round < 100; round++) {
      sockets.push(...(await Promise.all(Array.from({ length: 100 }, () => client()))));
    }
    assert.ok(engine.open <= MAX_CONNECTIONS, String(engine.open));
    assert.ok(engine.counts.displaced + engine.counts.idle >= displaced + idle + 10_000 - MAX_CONNECTIONS);
    const socket = await client();
    socket.write(QUERY);
    assert.equal(linesOf((await messages(socket, 1))[0]!)[0], 'NOERROR aa');
    const grown = (process.memoryUsage.rss() - memory) / 2 ** 20;
    console.log(`${grown.toFixed(0)} MB more, both ends of the connections included`);
    assert.ok(grown < 400, `${grown} MB`);
    await eventually('all are closed', () => engine.open === 0);
    for (const each of [...sockets, socket]) each.destroy();
  });
});
