// beside others
// What stands between clients and the name server behind: with a real named, and with servers that lie, in the network namespace of
// the test.

import assert from 'node:assert/strict';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { createServer } from 'node:net';
import * as packet from 'dns-packet';
import { after, before, describe, it } from 'node:test';
import { Forwarder, type ForwarderOptions } from '../../src/assembly/dnsd/forwarder.ts';
import { waitFor } from '../interop/harness/wait.ts';
import { NameServer } from '../support/dns-peers.ts';
import type { TestZone } from '../support/dns-zones.ts';
import { linesOf, queryOf, type TestQuestion, type TestRecord } from '../support/dns.ts';

const NAMED = 5330;
const LIAR = 5331;
const CLIENT = Uint8Array.of(192, 0, 2, 99);
const CLIENT_V6 = Uint8Array.from(Buffer.from('20010db8000102030405060708090a0b', 'hex'));
const ns = 'ns.behind.test';
const records: TestRecord[] = [
  {
    ...({ type: 'SOA', name: 'behind.test', ttl: 60 } as const),
    data: { mname: ns, rname: ns, serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60 },
  },
  { type: 'NS', name: 'behind.test', ttl: 60, data: ns },
  { type: 'A', name: ns, ttl: 60, data: '192.0.2.1' },
  { type: 'A', name: 'www.behind.test', ttl: 60, data: '192.0.2.80' },
  ...Array.from({ length: 60 }, (_, index) => ({
    ...({ type: 'A', name: 'many.behind.test', ttl: 60 } as const),
    data: `198.51.100.${index}`,
  })),
];
const zone: TestZone = { origin: 'behind.test', records };

const opened: Forwarder[] = [];
async function forwarder(options: Partial<ForwarderOptions> = {}): Promise<Forwarder> {
  const all = { address: '127.0.0.1', port: NAMED, udpOctets: 1232, insertSubnet: false, ...options };
  const made = new Forwarder(all);
  await made.open();
  opened.push(made);
  return made;
}
after(() => opened.forEach((each) => each.close()));

function asked(by: Forwarder, message: Uint8Array, isStream = false, client = CLIENT): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    by.forward(message, isStream, client, (reply) =>
      reply === undefined ? reject(new Error('none')) : resolve(reply),
    );
  });
}

type Opt = { udpPayloadSize: number; flag_do: boolean; options: { code: number; data: Buffer }[] };
const decoded = (octets: Uint8Array) => packet.decode(Buffer.from(octets));
const optOf = (octets: Uint8Array): Opt | undefined =>
  decoded(octets).additionals?.find(({ type }) => type === 'OPT') as unknown as Opt | undefined;
const withOptions = (question: TestQuestion, options: unknown[], udpPayloadSize = 1232): Uint8Array =>
  queryOf({ ...question, edns: { udpPayloadSize, options } as never });
const SUBNET = { code: 8, family: 1, sourcePrefixLength: 20, scopePrefixLength: 0, ip: '203.0.112.0' };

describe('with named behind', () => {
  let named: NameServer;
  before(async () => {
    named = await NameServer.named([zone], NAMED);
  });
  after(() => named.stop());

  it('answers are those of named, with the id and the letters of the client', async () => {
    const by = await forwarder();
    for (const isStream of [false, true]) {
      for (const name of ['wWw.BEHIND.test', 'none.behind.test', 'www.elsewhere.test']) {
        for (const edns of [undefined, { udpPayloadSize: 1232 }]) {
          const question = { name, type: 'A', ...(edns === undefined ? {} : { edns }) };
          const reply = await asked(by, queryOf(question), isStream);
          const message = decoded(reply);
          assert.equal(message.id, 0x1234);
          assert.equal(message.questions![0]!.name, name);
          assert.equal(optOf(reply)?.udpPayloadSize, edns === undefined ? undefined : 1232);
          const [theirs] = linesOf(reply);
          if (name.startsWith('wWw')) {
            assert.equal(theirs, 'NOERROR aa');
            assert.match(linesOf(reply)[1]!.toLowerCase(), /^an www\.behind\.test 60 a 192\.0\.2\.80$/);
          } else assert.match(theirs!, name.startsWith('none') ? /^NXDOMAIN aa$/ : /^REFUSED$/);
        }
      }
    }
    assert.deepEqual({ ...by.counts }, { ...zeros(), queries: 12, replies: 12 });
    assert.equal(by.pending, 0);
  });

  it('is whole by TCP, and cut by UDP to what the client takes', async () => {
    const by = await forwarder();
    const many = queryOf({ name: 'many.behind.test', type: 'A' });
    const cut = await asked(by, many);
    assert.ok(cut.length <= 512);
    assert.match(linesOf(cut)[0]!, / tc$/);
    assert.equal(linesOf(await asked(by, many, true)).length, 61);
    const large = queryOf({ name: 'many.behind.test', type: 'A', edns: { udpPayloadSize: 4096 } });
    assert.equal(linesOf(await asked(by, large)).length, 62);
    const small = await forwarder({ udpOctets: 600 });
    assert.ok((await asked(small, large)).length <= 600);
  });

  it('tells named the subnet of the client, and the client nothing of that', async () => {
    const by = await forwarder({ insertSubnet: true });
    const plain = queryOf({ name: 'subnet4.behind.test', type: 'A' });
    assert.equal(optOf(await asked(by, plain)), undefined);
    const edns = { ...{ name: 'subnet6.behind.test', type: 'A' }, edns: {} };
    assert.deepEqual(optOf(await asked(by, queryOf(edns), true, CLIENT_V6))!.options, []);
    const own = withOptions({ name: 'own.behind.test', type: 'A' }, [SUBNET]);
    await asked(by, own);
    for (const line of [
      /query: subnet4\.behind\.test IN A \S+ .*\[ECS 192\.0\.2\.0\/24\/0\]/,
      /query: subnet6\.behind\.test IN A \S+ .*\[ECS 2001:db8:1:200::\/56\/0\]/,
      /query: own\.behind\.test IN A \S+ .*\[ECS 203\.0\.112\.0\/20\/0\]/,
    ]) {
      await waitFor(
        String(line),
        2,
        () => line.test(named.log),
        () => named.log,
      );
    }
  });

  it('gives cookies and the name of the server as in replies of its own', async () => {
    const by = await forwarder({ cookieKey: new Uint8Array(16).fill(3), nsid: Uint8Array.from(Buffer.from('lab')) });
    const cookie = { code: 10, data: Buffer.from('0102030405060708') };
    const options = [cookie, { code: 3, data: Buffer.alloc(0) }];
    cookie.data = Buffer.from('0102030405060708', 'hex');
    const opt = optOf(await asked(by, withOptions({ name: 'www.behind.test', type: 'A' }, options)))!;
    const data = new Map(opt.options.map((option) => [option.code, option.data]));
    assert.deepEqual([...data.keys()].sort(), [10, 3]);
    assert.equal(data.get(3)!.toString(), 'lab');
    assert.equal(data.get(10)!.length, 24);
    assert.equal(data.get(10)!.toString('hex', 0, 8), '0102030405060708');
  });

  it('many at once, by both ways', async () => {
    const by = await forwarder();
    const message = queryOf({ name: 'www.behind.test', type: 'A' });
    const replies = await Promise.all(Array.from({ length: 600 }, (_, index) => asked(by, message, index % 2 === 0)));
    assert.ok(replies.every((reply) => linesOf(reply)[0] === 'NOERROR aa'));
  });

  it('a connection that was closed is opened again', async () => {
    const by = await forwarder();
    const message = queryOf({ name: 'www.behind.test', type: 'A' });
    await asked(by, message, true);
    await named.stop();
    named = await NameServer.named([zone], NAMED);
    assert.equal(linesOf(await asked(by, message, true))[0], 'NOERROR aa');
  });
});

const zeros = () => ({
  ...{ queries: 0, replies: 0, timedOut: 0, unreachable: 0, overflowed: 0 },
  ...{ unexpected: 0, mismatched: 0, malformed: 0 },
});

describe('with a server behind that lies', () => {
  let socket: Socket;
  let onQuery: (message: Buffer, from: RemoteInfo) => void = () => undefined;
  const ports = new Set<number>();
  const ids = new Set<number>();
  before(async () => {
    socket = createSocket('udp4');
    socket.on('message', (message, from) => {
      ports.add(from.port);
      ids.add(message.readUInt16BE(0));
      onQuery(message, from);
    });
    await new Promise<void>((resolve) => socket.bind(LIAR, '127.0.0.1', resolve));
  });
  after(() => socket.close());

  const answer = (message: Buffer, name: string, change: (octets: Buffer) => void = () => undefined): Buffer => {
    const { id, questions } = packet.decode(message);
    const octets = packet.encode({
      ...{ type: 'response', id: id!, flags: packet.AUTHORITATIVE_ANSWER },
      questions: [{ ...questions![0]!, name }],
      answers: [{ type: 'A', name, ttl: 1, data: '192.0.2.66' }],
    });
    change(octets);
    return octets;
  };

  it('nothing is believed that answers another question, has another id, or comes from elsewhere', async () => {
    const by = await forwarder({ port: LIAR });
    const other = createSocket('udp4');
    onQuery = (message, { port }) => {
      const send = (octets: Buffer): void => socket.send(octets, port, '127.0.0.1');
      const right = answer(message, 'right.test', (octets) => (octets[octets.length - 1] = 77));
      other.send(answer(message, 'right.test'), port, '127.0.0.1');
      send(answer(message, 'wrong.test'));
      send(answer(message, 'right.test', (octets) => (octets[1]! ^= 1)));
      send(answer(message, 'right.test', (octets) => (octets[2]! ^= 0x80)));
      // Of type AAAA.
      send(answer(message, 'right.test', (octets) => (octets[12 + 12 + 1] = 28)));
      send(Buffer.of(1, 2, 3));
      setTimeout(() => send(right), 100);
    };
    const reply = await asked(by, queryOf({ name: 'right.test', type: 'A' }));
    assert.deepEqual(linesOf(reply), ['NOERROR aa', 'an right.test 1 A 192.0.2.77']);
    assert.equal(by.counts.mismatched, 3);
    assert.equal(by.counts.unexpected, 2);
    other.close();
  });

  it('ids and ports are not to be guessed', async () => {
    const by = await forwarder({ port: LIAR });
    onQuery = (message, { port }) => socket.send(answer(message, 'right.test'), port, '127.0.0.1');
    ports.clear();
    ids.clear();
    for (let round = 0; round < 20; round++) {
      const message = queryOf({ name: 'right.test', type: 'A' });
      await Promise.all(Array.from({ length: 20 }, () => asked(by, message)));
    }
    assert.equal(ports.size, 16);
    assert.ok(ids.size > 380, `${ids.size} ids of 400 queries`);
  });

  it('what is no whole message is a failure', async () => {
    const by = await forwarder({ port: LIAR });
    onQuery = (message, { port }) => socket.send(answer(message, 'right.test').subarray(0, -1), port, '127.0.0.1');
    assert.deepEqual(linesOf(await asked(by, queryOf({ name: 'right.test', type: 'A' }))), ['SERVFAIL']);
    assert.equal(by.counts.malformed, 1);
  });

  it('the options of its OPT stay here, but for the client subnet that was asked about and errors explained', async () => {
    const by = await forwarder({ port: LIAR });
    let query: Uint8Array = new Uint8Array();
    onQuery = (message, { port }) => {
      query = message;
      const octets = answer(message, 'right.test');
      octets[11] = 1;
      const subnet = '0008000700011400cb0070';
      const opt = Buffer.from(`000029100000008000002300030001aa000f00020000${subnet}000a0008${'11'.repeat(8)}`, 'hex');
      opt[10] = opt.length - 11;
      socket.send(Buffer.concat([octets, opt]), port, '127.0.0.1');
    };
    const options = [SUBNET, { code: 10, data: Buffer.alloc(8, 1) }, { code: 12, data: Buffer.alloc(100) }];
    const reply = await asked(by, withOptions({ name: 'right.test', type: 'A' }, options, 800));
    assert.deepEqual(
      optOf(query)!.options.map(({ code }) => code),
      [8],
    );
    assert.equal(optOf(query)!.udpPayloadSize, 800);
    assert.deepEqual(
      optOf(reply)!.options.map(({ code }) => code),
      [15, 8],
    );
    const without = await asked(by, queryOf({ name: 'right.test', type: 'A' }));
    assert.deepEqual(linesOf(without), ['NOERROR aa', 'an right.test 1 A 192.0.2.66']);
  });

  it('and that says nothing: a failure when the time is over, and for more than may wait', async () => {
    const by = await forwarder({ port: LIAR, timeoutMs: 400, maxPending: 5 });
    onQuery = () => undefined;
    const start = performance.now();
    const message = queryOf({ name: 'right.test', type: 'A', edns: {} });
    const replies = await Promise.all(Array.from({ length: 8 }, () => asked(by, message)));
    const ms = performance.now() - start;
    assert.ok(ms >= 400 && ms < 2000, `${ms} ms`);
    assert.ok(replies.every((reply) => linesOf(reply).join() === 'SERVFAIL,ar OPT'));
    assert.deepEqual({ ...by.counts }, { ...zeros(), queries: 8, timedOut: 5, overflowed: 3 });
    assert.equal(by.pending, 0);
  });

  it('with nobody there it fails at once, by UDP and by TCP', async () => {
    const by = await forwarder({ port: 5339 });
    const start = performance.now();
    const message = queryOf({ name: 'right.test', type: 'A' });
    for (const isStream of [false, true]) assert.deepEqual(linesOf(await asked(by, message, isStream)), ['SERVFAIL']);
    assert.ok(performance.now() - start < 2000);
    assert.equal(by.counts.unreachable, 2);
  });

  it('and again when somebody is there', async () => {
    const by = await forwarder({ port: 5338 });
    const message = queryOf({ name: 'www.behind.test', type: 'A' });
    for (let round = 0; round < 50; round++) {
      assert.deepEqual(linesOf(await asked(by, message)), ['SERVFAIL']);
    }
    const named = await NameServer.named([zone], 5338);
    const replies = await Promise.all(Array.from({ length: 50 }, () => asked(by, message)));
    await named.stop();
    assert.ok(replies.every((reply) => linesOf(reply)[0] === 'NOERROR aa'));
    by.close();
    await assert.rejects(asked(by, message));
  });

  it('a connection on which nothing comes to its end is waited for as long as for others', async () => {
    const server = createServer((connection) => connection.on('data', () => connection.write(Buffer.of(0, 200, 1, 2))));
    await new Promise<void>((resolve) => server.listen(5332, '127.0.0.1', resolve));
    const by = await forwarder({ port: 5332, timeoutMs: 300 });
    assert.deepEqual(linesOf(await asked(by, queryOf({ name: 'right.test', type: 'A' }), true)), ['SERVFAIL']);
    assert.equal(by.counts.timedOut, 1);
    server.close();
  });
});
