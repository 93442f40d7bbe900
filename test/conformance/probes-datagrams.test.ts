// beside others
// Probes by udp against an echo server, by dns against named, and against whoever answers what was not asked.
// time-out: 120 s

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { readdirSync } from 'node:fs';
import { after, before, it } from 'node:test';
import { decode, encode, type Packet } from 'dns-packet';
import type { Monitor, ProbeSpec } from '../../src/health/monitor.ts';
import type { ProbeOutcome } from '../../src/health/probe.ts';
import { createProbers } from '../../src/probe/probers.ts';
import { ip, run } from '../lib/namespace.ts';
import { NameServer } from '../support/dns-peers.ts';
import { dns, monitorOf, placeAt, probeOnce, udp } from '../support/probe-monitors.ts';

const [NAMED, ECHO, MUTE, DROPPED, REJECTED, CLOSED, FALSE] = [5300, 7000, 7001, 7002, 7003, 7004, 7005];
const ADDRESSES = ['127.0.0.1', '::1'];

const prober = createProbers();
const echoes: ChildProcess[] = [];
const sockets: Socket[] = [];
let named: NameServer;
/** What the false server answers, by its query. */
let falsely: (query: Buffer, from: RemoteInfo) => void = () => undefined;
let liar: Socket;

before(async () => {
  const rules = `udp dport ${DROPPED} drop; udp dport ${REJECTED} reject with icmpx type port-unreachable;`;
  run('nft', 'add', 'table', 'inet', 'filter');
  run('nft', `table inet filter { chain input { type filter hook input priority 0; ${rules} }; }`);
  for (const family of [4, 6]) {
    echoes.push(
      spawn('socat', [`UDP${family}-RECVFROM:${ECHO},fork${family === 6 ? ',ipv6only=1' : ''}`, 'EXEC:cat'], {
        stdio: 'inherit',
      }),
    );
    const mute = family === 4 ? createSocket('udp4') : createSocket({ type: 'udp6', ipv6Only: true });
    sockets.push(mute.bind(MUTE, ADDRESSES[family === 4 ? 0 : 1]));
  }
  liar = createSocket('udp4');
  sockets.push(liar.on('message', (query, from) => falsely(query, from)).bind(FALSE, '127.0.0.1'));
  const soa = {
    mname: 'ns.example.test',
    rname: 'hostmaster.example.test',
    serial: 1,
    refresh: 3600,
    retry: 600,
    expire: 86_400,
    minimum: 300,
  };
  named = await NameServer.named(
    [
      {
        origin: 'example.test',
        records: [
          { type: 'SOA', name: 'example.test', ttl: 60, data: soa },
          { type: 'NS', name: 'example.test', ttl: 60, data: 'ns.example.test' },
          { type: 'A', name: 'ns.example.test', ttl: 60, data: '127.0.0.1' },
          { type: 'A', name: 'www.example.test', ttl: 60, data: '192.0.2.1' },
          { type: 'A', name: 'www.example.test', ttl: 60, data: '192.0.2.2' },
          { type: 'AAAA', name: 'www.example.test', ttl: 60, data: '2001:db8::1' },
          { type: 'CNAME', name: 'alias.example.test', ttl: 60, data: 'www.example.test' },
          { type: 'CNAME', name: 'away.example.test', ttl: 60, data: 'www.elsewhere.test' },
          ...Array.from({ length: 100 }, (_, index) => ({
            type: 'A' as const,
            name: 'many.example.test',
            ttl: 60,
            data: `198.51.100.${index}`,
          })),
        ],
      },
    ],
    NAMED,
  );
});

after(async () => {
  prober.close();
  for (const echo of echoes) echo.kill();
  for (const socket of sockets) socket.close();
  await named.stop();
});

const saysOf = ({ verdict, reason }: ProbeOutcome): string => `${verdict}: ${reason}`;

const ask = (
  spec: ProbeSpec,
  port: number,
  changes: Partial<Monitor> = {},
  address = '127.0.0.1',
): Promise<ProbeOutcome> => probeOnce(prober, monitorOf(spec, changes), placeAt(address, port), 1000);

for (const address of ADDRESSES) {
  it(`probes ${address} by udp`, async () => {
    const at = (spec: ProbeSpec, port: number, changes: Partial<Monitor> = {}): Promise<ProbeOutcome> =>
      ask(spec, port, changes, address);
    await answering(() => at(udp(), ECHO));
    const echoed = await at(udp({ send: String.raw`ping\x21\n` }), ECHO);
    assert.equal(saysOf(echoed), 'up: answered');
    assert.equal(echoed.received, 'ping!\\n');
    assert.ok(echoed.took < 900, String(echoed.took));
    assert.equal(
      saysOf(await at(udp({ receive: '^default.*string$' }), ECHO)),
      'up: the answer has "^default.*string$"',
    );
    assert.equal(
      saysOf(await at(udp({ receive: 'other' }), ECHO)),
      'wrong: the answer does not have "other": 19 octets',
    );
    assert.equal((await at(udp({ receive: 'other', receiveDisable: 'default' }), ECHO)).verdict, 'disabled');
    assert.equal((await at(udp({ receive: 'default' }), ECHO, { isReverse: true })).verdict, 'wrong');
    assert.equal((await at(udp({ receive: 'other' }), ECHO, { isReverse: true })).verdict, 'up');
    assert.equal(saysOf(await at(udp(), CLOSED)), 'refused: port unreachable');
    assert.equal(saysOf(await at(udp(), REJECTED)), 'refused: port unreachable');
    for (const port of [MUTE, DROPPED]) {
      assert.equal(saysOf(await at(udp(), port)), 'up: sent, and not refused within 1 s');
      assert.equal(saysOf(await at(udp({ receive: 'x' }), port)), 'silent: no answer within 1 s');
      assert.equal((await at(udp({ receive: 'x' }), port, { isReverse: true })).verdict, 'silent');
    }
  });
}

it('sends as many datagrams as it may, until one is answered', async () => {
  let asked = 0;
  falsely = (_query, from) => {
    if (++asked === 3) liar.send('here', from.port, from.address);
  };
  const timing = { ...monitorOf(udp()).timing, probeAttempts: 3, probeInterval: 300 };
  assert.equal((await ask(udp({ receive: 'here' }), FALSE, { timing })).verdict, 'up');
  assert.equal(asked, 3);
  const silent = await ask(udp({ receive: 'here' }), MUTE, { timing });
  assert.equal(silent.verdict, 'silent');
  assert.ok(silent.took >= 1600 && silent.took < 4800, String(silent.took));
});

it('says which way there is not', async () => {
  assert.equal(saysOf(await ask(udp(), 53, {}, '203.0.113.1')), 'silent: no route to host');
  assert.equal(saysOf(await ask(dns(), 53, {}, '2001:db8:77::1')), 'silent: no route to host');
  ip('route add prohibit 203.0.113.64/26');
  ip('route add blackhole 203.0.113.128/26');
  for (const address of ['203.0.113.65', '203.0.113.129']) {
    assert.match(saysOf(await ask(udp(), 53, {}, address)), /^silent: no route to host/);
  }
});

it('judges answers of a name server', async () => {
  const up = await ask(dns(), NAMED);
  assert.equal(saysOf(up), 'up: answered');
  assert.equal(up.sent, 'www.example.test A');
  assert.match(up.received!, /^NOERROR, A 192\.0\.2\.[12], A 192\.0\.2\.[12]$/);
  assert.equal((await ask(dns({ receive: '192.0.2.2' }), NAMED)).verdict, 'up');
  assert.equal((await ask(dns({ recordType: 'aaaa', receive: '2001:DB8:0::1' }), NAMED)).verdict, 'up');
  assert.equal(saysOf(await ask(dns({ receive: '192.0.2.3' }), NAMED)), 'wrong: the answer does not have 192.0.2.3');
  assert.equal((await ask(dns({ receive: '192.0.2.2' }), NAMED, { isReverse: true })).verdict, 'wrong');
  assert.equal((await ask(dns({ receive: '192.0.2.3' }), NAMED, { isReverse: true })).verdict, 'up');
  assert.equal((await ask(dns({ name: 'ALIAS.example.test.', receive: '192.0.2.1' }), NAMED)).verdict, 'up');
  assert.equal(
    saysOf(await ask(dns({ name: 'away.example.test' }), NAMED)),
    'wrong: the answer has no record of type A',
  );
  assert.equal((await ask(dns({ name: 'away.example.test', contains: 'any-type' }), NAMED)).verdict, 'up');
  const none = { name: 'ns.example.test', recordType: 'aaaa' } as const;
  assert.equal(saysOf(await ask(dns({ ...none, contains: 'any-type' }), NAMED)), 'wrong: the answer has no record');
  assert.equal((await ask(dns({ ...none, contains: 'anything' }), NAMED)).verdict, 'up');
  assert.equal(saysOf(await ask(dns({ name: 'no.example.test' }), NAMED)), 'wrong: the answer is NXDOMAIN');
  assert.equal(saysOf(await ask(dns({ name: 'other.test' }), NAMED)), 'wrong: the answer is REFUSED');
  assert.equal(
    saysOf(await ask(dns({ name: 'other.test', acceptsRcode: 'anything' }), NAMED)),
    'up: answered: REFUSED',
  );
  assert.equal(
    saysOf(await ask(dns({ name: 'many.example.test' }), NAMED)),
    'up: answered: more than fits in a datagram',
  );
  assert.equal(saysOf(await ask(dns(), CLOSED)), 'refused: port unreachable');
  assert.equal(saysOf(await ask(dns(), MUTE)), 'silent: no answer within 1 s');
  assert.match(saysOf(await ask(dns({ name: '' }), NAMED)), /^impossible: "" is not a name to ask for/);
  assert.match(saysOf(await ask(dns({ name: `${'x'.repeat(64)}.test` }), NAMED)), /^impossible: /);
});

it('takes no answer but that to its query', async () => {
  const answer = (query: Packet, changes: Partial<Packet>): Buffer =>
    encode({
      ...query,
      type: 'response',
      answers: [{ type: 'A', name: 'www.example.test', ttl: 1, class: 'IN', data: '192.0.2.1' }],
      ...changes,
    });
  const queries: { id: number; port: number }[] = [];
  const wrongly = async (make: (query: Packet, octets: Buffer) => Buffer): Promise<string> => {
    falsely = (octets, from) => {
      const query = decode(octets);
      queries.push({ id: query.id!, port: from.port });
      liar.send(make(query, octets), from.port, from.address);
    };
    return saysOf(await ask(dns(), FALSE));
  };
  const strayed = 'wrong: within 1 s came only what does not answer the query';
  assert.equal(await wrongly((query) => answer(query, {})), 'up: answered');
  assert.equal(await wrongly((query) => answer(query, { id: query.id! ^ 1 })), strayed);
  assert.equal(
    await wrongly((query) => answer(query, { questions: [{ type: 'A', name: 'www.example.tess' }] })),
    strayed,
  );
  assert.equal(
    await wrongly((query) => answer(query, { questions: [{ type: 'AAAA', name: 'www.example.test' }] })),
    strayed,
  );
  assert.equal(await wrongly((_query, octets) => octets), strayed);
  assert.equal(await wrongly(() => Buffer.from('x')), strayed);
  assert.equal(
    await wrongly((query) => Buffer.concat([answer(query, {}).subarray(0, 40), Buffer.alloc(3, 0xc0)])),
    'wrong: the answer cannot be read',
  );
  // From another socket comes nothing that counts.
  const other = createSocket('udp4');
  falsely = (octets, from) => other.send(answer(decode(octets), {}), from.port, from.address);
  assert.equal(saysOf(await ask(dns(), FALSE)), 'silent: no answer within 1 s');
  other.close();
  assert.equal(new Set(queries.map(({ id }) => id)).size, queries.length);
  assert.ok(new Set(queries.map(({ port }) => port)).size > 1);
});

it('leaves no socket open', async () => {
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const begun = descriptors();
  for (let round = 0; round < 5; round++) {
    await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        index % 2 === 0 ? ask(dns(), index % 3 === 0 ? CLOSED : NAMED) : ask(udp(), index % 3 === 0 ? CLOSED : ECHO),
      ),
    );
  }
  const cancels = Array.from({ length: 100 }, (_, index) =>
    prober.probe(
      monitorOf(index % 2 === 0 ? dns() : udp()),
      placeAt('127.0.0.1', index % 3 === 0 ? CLOSED : MUTE),
      5000,
      () => assert.fail('cancelled'),
    ),
  );
  for (const [index, cancel] of cancels.entries()) if (index % 3 === 0 || index % 5 === 0) cancel();
  await new Promise((resolve) => setTimeout(resolve, 20));
  for (const cancel of cancels) cancel();
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(descriptors(), begun);
});

/** Until the echo server is there. */
async function answering(attempt: () => Promise<ProbeOutcome>): Promise<void> {
  for (let left = 50; (await attempt()).reason !== 'answered'; left--) {
    assert.ok(left > 0, 'no echo');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
