// beside others
// Probes by tcp and http against nginx in a namespace, and against ports that are closed, filtered or out of reach.
// time-out: 120 s

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { after, before, it } from 'node:test';
import type { ProbeSpec } from '../../src/health/monitor.ts';
import type { ProbeOutcome } from '../../src/health/probe.ts';
import { createProbers } from '../../src/probe/probers.ts';
import { addVeth, ip, run } from '../lib/namespace.ts';
import { Nginx } from '../support/nginx.ts';
import { http, monitorOf, placeAt, probeOnce, tcp } from '../support/probe-monitors.ts';

const NAMESPACE = 'target';
const ADDRESSES = ['198.51.100.2', '2001:db8:5::2'];
const PORT = 80;
const GET = (path: string, more = ''): string => String.raw`GET ${path} HTTP/1.1\r\nHost: target\r\n${more}`;

const prober = createProbers();
let nginx: Nginx;
/** Behind nginx: what it cannot do by itself. */
let upstream: Server;

before(async () => {
  addVeth('probe0', 'probe1', NAMESPACE);
  run('sysctl', '-qw', 'net.ipv6.conf.probe0.disable_ipv6=0');
  ip(`netns exec ${NAMESPACE} sysctl -qw net.ipv6.conf.probe1.disable_ipv6=0`);
  ip('addr add 198.51.100.1/24 dev probe0');
  ip('addr add 2001:db8:5::1/64 dev probe0 nodad');
  ip(`-n ${NAMESPACE} addr add 198.51.100.2/24 dev probe1`);
  ip(`-n ${NAMESPACE} addr add 2001:db8:5::2/64 dev probe1 nodad`);
  // Port 81 drops, port 82 rejects as a router does.
  const rules =
    'tcp dport 81 drop; tcp dport 82 reject with icmpx type admin-prohibited; tcp dport 83 reject with icmpx type port-unreachable;';
  ip(`netns exec ${NAMESPACE} nft add table inet filter`);
  run(
    'ip',
    'netns',
    'exec',
    NAMESPACE,
    'nft',
    `table inet filter { chain input { type filter hook input priority 0; ${rules} }; }`,
  );
  // A refusal for each probe, however many there are.
  for (const family of ['ipv4', 'ipv6']) {
    const rate = family === 'ipv4' ? 'icmp_ratelimit' : 'icmp/ratelimit';
    ip(`netns exec ${NAMESPACE} sysctl -qw net/${family}/${rate}=0`);
  }
  upstream = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (request) => {
      if (request.includes('/cut')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf of it');
    });
  }).listen(9000, '198.51.100.1');
  const locations = [
    'location /ok { return 200 "all is well\\n"; }',
    'location /maintenance { return 503 "in maintenance\\n"; }',
    'location /large { root /tmp/large; }',
    'location /none { return 444; }',
    'location /cut { proxy_pass http://198.51.100.1:9000; }',
    'location /hanging { proxy_pass http://198.51.100.1:9000; proxy_read_timeout 100s; }',
    `location /drip { limit_rate 100; return 200 "${'0123456789'.repeat(30)}"; }`,
    'location /header { add_header X-Authorization $http_authorization; return 200 "-"; }',
    'location / { return 200 "the start\\n"; }',
  ];
  nginx = await Nginx.start(
    `server { listen ${PORT} backlog=4096; listen [::]:${PORT} backlog=4096; ${locations.join('\n')} }`,
    { address: ADDRESSES[0]!, port: PORT, namespace: NAMESPACE },
  );
});

after(async () => {
  prober.close();
  await nginx.stop();
  upstream.close();
});

const ask = (
  spec: ProbeSpec,
  { port = PORT, address = ADDRESSES[0]!, timeout = 1000, isReverse = false } = {},
): Promise<ProbeOutcome> => probeOnce(prober, monitorOf(spec, { isReverse }), placeAt(address, port), timeout);

const saysOf = ({ verdict, reason }: ProbeOutcome): string => `${verdict}: ${reason}`;

for (const address of ADDRESSES) {
  it(`probes ${address} by tcp and http`, async () => {
    assert.equal(saysOf(await ask(tcp(), { address })), 'up: connected');
    const answered = await ask(http({}), { address });
    assert.equal(saysOf(answered), 'up: answered');
    assert.match(answered.received!, /the start\\n/);
    const found = await ask(http({ send: GET('/ok'), receive: 'HTTP/1\\.1 200 OK.*all is (well|good)' }), { address });
    assert.equal(found.verdict, 'up');
    assert.match(found.reason, /the answer has "HTTP/);
    assert.equal(found.sent, 'GET /ok HTTP/1.1\\r\\nHost: target\\r\\n\\r\\n');
    assert.match(found.received!, /^HTTP\/1\.1 200 OK\\r\\nServer: nginx/);
    assert.ok(found.took > 0);
  });

  it(`says that nobody is at a port of ${address}, or that nothing comes from it`, async () => {
    assert.equal(saysOf(await ask(tcp(), { address, port: 84 })), 'refused: connection refused');
    assert.equal(saysOf(await ask(http(), { address, port: 84 })), 'refused: connection refused');
    // One that comes back before the system call has ended is forgotten by the kernel, which sends again after a second.
    assert.equal(saysOf(await ask(http(), { address, port: 83, timeout: 5000 })), 'refused: connection refused');
    assert.equal(saysOf(await ask(tcp(), { address, port: 82 })).split(':')[0], 'silent');
    const dropped = await ask(http(), { address, port: 81, timeout: 1000 });
    assert.equal(saysOf(dropped), 'silent: no connection within 1 s');
    assert.ok(dropped.took >= 1000 && dropped.took < 3000, String(dropped.took));
  });
}

it('judges by what receive, receive disable and reverse say', async () => {
  const wrong = await ask(http({ send: GET('/maintenance'), receive: '200 OK' }), { timeout: 9000 });
  assert.match(saysOf(wrong), /^wrong: the answer does not have "200 OK": \d+ octets$/);
  assert.match(wrong.received!, /503 Service Temporarily Unavailable.*in maintenance\\n/);
  // nginx keeps the connection open: that there is no more is known by the length of the answer.
  assert.ok(wrong.took < 3000, String(wrong.took));
  const disabled = await ask(http({ send: GET('/maintenance'), receive: '200 OK', receiveDisable: 'in maintenance' }));
  assert.equal(saysOf(disabled), 'disabled: the answer has "in maintenance": no new clients');
  const both = await ask(http({ send: GET('/ok'), receive: '200 OK', receiveDisable: 'all is well' }));
  assert.equal(both.verdict, 'up');
  const reversed = await ask(http({ send: GET('/maintenance'), receive: 'maintenance' }), { isReverse: true });
  assert.equal(saysOf(reversed), 'wrong: the answer has "maintenance", which is what reverse looks for');
  const without = await ask(http({ send: GET('/ok'), receive: 'maintenance' }), { isReverse: true });
  assert.equal(saysOf(without), 'up: answered without "maintenance"');
  assert.equal((await ask(http({}), { isReverse: true, port: 84 })).verdict, 'refused');
});

it('says how far an answer has got', async () => {
  assert.equal(
    saysOf(await ask(http({ send: GET('/none'), receive: 'x' }))),
    'wrong: the connection was closed without an answer',
  );
  assert.match(
    saysOf(await ask(http({ send: GET('/cut'), receive: 'the whole' }))),
    /^wrong: the answer was cut off, and what came does not have "the whole": \d+ octets$/,
  );
  assert.match(
    saysOf(await ask(http({ send: GET('/cut'), receive: 'not there' }), { isReverse: true })),
    /^wrong: answer cut off after \d+ octets$/,
  );
  assert.equal(saysOf(await ask(http({ send: GET('/hanging') }))), 'silent: connected, no answer within 1 s');
  assert.match(
    saysOf(await ask(http({ send: GET('/drip'), receive: 'never' }))),
    /^silent: answer cut off after \d+ octets: no more within 1 s$/,
  );
  // What is looked for comes while the answer is on its way.
  assert.equal(
    (await ask(http({ send: GET('/drip'), receive: '0123456789012345' }), { timeout: 15_000 })).verdict,
    'up',
  );
});

it('sends credentials, and shows none', async () => {
  const outcome = await ask(
    http({ send: GET('/header'), receive: 'X-Authorization: Basic dXNlcjpzZWNyZXQ=' }, 'user', 'secret'),
  );
  assert.equal(outcome.verdict, 'up');
  assert.equal(
    outcome.sent,
    'GET /header HTTP/1.1\\r\\nHost: target\\r\\nAuthorization: Basic (credentials)\\r\\n\\r\\n',
  );
});

it('says which way there is not', async () => {
  assert.equal(saysOf(await ask(tcp(), { address: '203.0.113.9' })), 'silent: no route to host');
  ip('route add blackhole 203.0.113.0/26');
  ip('route add prohibit 203.0.113.64/26');
  ip('route add unreachable 203.0.113.128/26');
  ip('route add blackhole 2001:db8:99::/64');
  for (const address of ['203.0.113.9', '203.0.113.65', '203.0.113.129', '2001:db8:98::1', '2001:db8:99::1']) {
    assert.match(saysOf(await ask(tcp(), { address })), /^silent: no route to host/, address);
  }
  // Nobody has the address: the kernel says so after asking for it thrice.
  assert.equal(saysOf(await ask(tcp(), { address: '198.51.100.77', timeout: 10_000 })), 'silent: no route to host');
});

it('says what is wrong with a pattern, and what cannot be probed', async () => {
  assert.match(
    saysOf(await ask(http({ receive: '(a' }))),
    /^impossible: the receive string "\(a" is not a regular expression: a \( has no \)/,
  );
  assert.equal(saysOf(await ask(tcp(), { port: 0 })), 'impossible: there is no port to probe');
});

it('leaves no socket open and no connection in TIME-WAIT', async () => {
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const before = descriptors();
  for (let round = 0; round < 20; round++) {
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        ask(index % 4 === 0 ? tcp() : http({ send: GET('/ok'), receive: 'well' }), {
          port: index % 10 === 9 ? 84 : PORT,
        }),
      ),
    );
    assert.deepEqual(new Set(outcomes.map(({ verdict }) => verdict)), new Set(['up', 'refused']));
  }
  const cancels = Array.from({ length: 100 }, (_, index) =>
    prober.probe(
      monitorOf(http({ send: GET('/hanging') })),
      placeAt(ADDRESSES[0]!, index % 2 === 0 ? PORT : 81),
      5000,
      () => assert.fail('cancelled'),
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 200));
  for (const cancel of cancels) cancel();
  for (const cancel of cancels) cancel();
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(descriptors(), before);
  const waiting = (...prefix: string[]): string =>
    run(
      prefix[0] ?? 'ss',
      ...prefix.slice(1),
      '-Htan',
      'state',
      'time-wait',
      `( sport = :${PORT} or dport = :${PORT} )`,
    );
  assert.equal(waiting(), '');
  assert.equal(waiting('ip', 'netns', 'exec', NAMESPACE, 'ss'), '');
});
