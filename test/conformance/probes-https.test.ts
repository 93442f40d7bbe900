// beside others
// Probes by https against nginx with certificates of all kinds, and against what is no TLS.
// time-out: 120 s

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import type { Exchange, Monitor, TlsOptions } from '../../src/health/monitor.ts';
import type { ProbeOutcome } from '../../src/health/probe.ts';
import { createProbers } from '../../src/probe/probers.ts';
import { run } from '../lib/namespace.ts';
import { Authority, type Certificate, selfSigned } from '../support/certificates.ts';
import { Nginx } from '../support/nginx.ts';
import { https, monitorOf, placeAt, probeOnce } from '../support/probe-monitors.ts';

const ADDRESS = '127.0.0.1';
const PORTS = {
  good: 4430,
  expired: 4431,
  early: 4432,
  strange: 4433,
  self: 4434,
  mutual: 4435,
  old: 4436,
  plain: 8000,
};
const [HANGING, CLOSING, GARBAGE] = [4440, 4441, 4442];
const GET = String.raw`GET /ok HTTP/1.1\r\nHost: target`;

const prober = createProbers();
const directory = mkdtempSync(join(tmpdir(), 'certificates-'));
const authority = new Authority(directory, 'known');
const stranger = new Authority(directory, 'stranger');
const client = authority.issue({ names: 'DNS:client.test' });
let nginx: Nginx;
let servers: Server[];

const serverOf = (port: number, { certificate, key }: Certificate, more = ''): string =>
  `server { listen ${ADDRESS}:${port} ssl; ssl_certificate ${certificate}; ssl_certificate_key ${key}; ${more}
     location / { return 200 "reused $ssl_session_reused name $ssl_server_name protocol $ssl_protocol client $ssl_client_s_dn end\\n"; } }`;

before(async () => {
  const good = authority.issue({ names: `DNS:good.test,IP:${ADDRESS}` });
  nginx = await Nginx.start(
    [
      serverOf(PORTS.good, good, 'ssl_session_cache shared:all:1m;'),
      serverOf(
        PORTS.expired,
        authority.issue({ names: 'DNS:good.test', from: '200101000000Z', until: '210101000000Z' }),
      ),
      serverOf(PORTS.early, authority.issue({ names: 'DNS:good.test', from: '400101000000Z', until: '410101000000Z' })),
      serverOf(PORTS.strange, stranger.issue({ names: 'DNS:good.test' })),
      serverOf(PORTS.self, selfSigned(directory)),
      serverOf(PORTS.mutual, good, `ssl_verify_client on; ssl_client_certificate ${authority.certificate};`),
      serverOf(PORTS.old, good, 'ssl_protocols TLSv1; ssl_ciphers ALL:@SECLEVEL=0;'),
      `server { listen ${ADDRESS}:${PORTS.plain}; location / { return 200 "plain\\n"; } }`,
    ].join('\n'),
    { address: ADDRESS, port: PORTS.plain },
  );
  servers = [
    createServer((socket) => void socket.on('error', () => undefined)).listen(HANGING, ADDRESS),
    createServer((socket) => void socket.once('data', () => socket.destroy())).listen(CLOSING, ADDRESS),
    createServer((socket) => void socket.on('error', () => undefined).end('\0garbage\xff'.repeat(100))).listen(
      GARBAGE,
      ADDRESS,
    ),
  ];
});

after(async () => {
  prober.close();
  await nginx.stop();
  for (const server of servers) server.close();
});

const monitor = (tls: Partial<TlsOptions>, exchange: Partial<Exchange> = {}): Monitor =>
  monitorOf(https({ send: GET, ...exchange }, tls));

const ask = (port: number, what: Monitor = monitor({}), timeout = 2000): Promise<ProbeOutcome> =>
  probeOnce(prober, what, placeAt(ADDRESS, port), timeout);

const saysOf = ({ verdict, reason }: ProbeOutcome): string => `${verdict}: ${reason}`;
const verified = { verify: true, authorities: authority.certificate };

it('verifies no certificate unless it is told to', async () => {
  for (const port of [PORTS.good, PORTS.expired, PORTS.early, PORTS.strange, PORTS.self]) {
    assert.equal(
      saysOf(await ask(port, monitor({}, { receive: 'HTTP/1.1 200' }))),
      'up: the answer has "HTTP/1.1 200"',
      String(port),
    );
  }
  assert.match((await ask(PORTS.old, monitor({}, { receive: 'protocol TLSv1 ' }))).reason, /^the answer has/);
});

it('says what is wrong with a certificate that it verifies', async () => {
  assert.equal(saysOf(await ask(PORTS.good, monitor(verified))), 'up: answered');
  assert.equal(saysOf(await ask(PORTS.good, monitor({ ...verified, serverName: 'good.test' }))), 'up: answered');
  const name = await ask(PORTS.good, monitor({ ...verified, serverName: 'other.test' }));
  assert.equal(
    saysOf(name),
    'wrong: certificate: it is not for other.test, but for DNS:good.test, IP Address:127.0.0.1',
  );
  assert.match(
    saysOf(await ask(PORTS.expired, monitor(verified))),
    /^wrong: certificate: it has expired \(Jan {2}1 .*2021 GMT\)$/,
  );
  assert.equal(saysOf(await ask(PORTS.early, monitor(verified))), 'wrong: certificate: it is not valid yet');
  assert.equal(saysOf(await ask(PORTS.strange, monitor(verified))), 'wrong: certificate: its authority is unknown');
  assert.equal(
    saysOf(await ask(PORTS.self, monitor(verified))),
    'wrong: certificate: its authority is unknown: it is signed by itself',
  );
  // The system does not know the authority of the test.
  assert.equal(
    saysOf(await ask(PORTS.good, monitor({ verify: true }))),
    'wrong: certificate: its authority is unknown',
  );
});

it('sends the name, and goes on with a session where it verifies nothing', async () => {
  const lenient = monitor({ serverName: 'good.test' }, { receive: 'reused r name good.test' });
  assert.equal((await ask(PORTS.good, lenient)).verdict, 'wrong');
  const again = await ask(PORTS.good, lenient);
  assert.equal(again.verdict, 'up', again.received);
  const strict = monitor(verified, { receive: 'reused r' });
  for (let round = 0; round < 3; round++) assert.equal((await ask(PORTS.good, strict)).verdict, 'wrong');
});

it('shows its certificate, and reads files again that have changed', async () => {
  const mine = monitor(client, { receive: 'client CN=target end' });
  assert.equal((await ask(PORTS.mutual, mine)).verdict, 'up');
  assert.match(
    saysOf(await ask(PORTS.mutual, monitor({}, { receive: 'client CN' }))),
    /^wrong: the answer does not have/,
  );
  const missing = join(directory, 'changing.pem');
  const key = join(directory, 'changing.key');
  copyFileSync(client.key, key);
  const changing = monitor({ certificate: missing, key }, { receive: 'client CN=target end' });
  assert.match(saysOf(await ask(PORTS.mutual, changing)), new RegExp(`^impossible: cannot read ${missing}: ENOENT`));
  copyFileSync(client.certificate, missing);
  await believed();
  assert.equal((await ask(PORTS.mutual, changing)).verdict, 'up');
  writeFileSync(missing, 'nonsense');
  await believed();
  assert.match(
    saysOf(await ask(PORTS.mutual, changing)),
    new RegExp(`^impossible: cannot use certificate file ${missing}: `),
  );
  copyFileSync(authority.issue({ names: 'DNS:other' }).certificate, missing);
  await believed();
  assert.match(
    saysOf(await ask(PORTS.mutual, changing)),
    /^impossible: cannot use certificate file .* with key file .*mismatch/,
  );
});

it('says what is wrong with its options', async () => {
  assert.match(
    saysOf(await ask(PORTS.good, monitor({ ciphers: 'nonsense' }))),
    /^impossible: cannot use ciphers "nonsense": /,
  );
  assert.equal((await ask(PORTS.good, monitor({ ciphers: 'DEFAULT:+SHA:+3DES:+kEDH' }))).verdict, 'up');
  const nowhere = join(directory, 'nowhere.pem');
  assert.match(
    saysOf(await ask(PORTS.good, monitor({ verify: true, authorities: nowhere }))),
    new RegExp(`^impossible: cannot read ${nowhere}: ENOENT`),
  );
});

it('says that something is no TLS, or does not speak', async () => {
  assert.match(saysOf(await ask(PORTS.plain)), /^wrong: TLS handshake failed: wrong version number$/);
  assert.match(saysOf(await ask(GARBAGE)), /^wrong: TLS handshake failed: /);
  assert.equal(saysOf(await ask(CLOSING)), 'wrong: the connection was closed in the TLS handshake');
  assert.equal(saysOf(await ask(HANGING, monitor({}), 1000)), 'silent: connected, no TLS handshake within 1 s');
  assert.equal(saysOf(await ask(1)), 'refused: connection refused');
});

it('leaves no socket open and no connection in TIME-WAIT', async () => {
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const what = monitor({}, { receive: 'protocol' });
  await ask(PORTS.good, what);
  const begun = descriptors();
  for (let round = 0; round < 5; round++) {
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, index) => ask(index % 10 === 9 ? CLOSING : PORTS.good, what, 10_000)),
    );
    assert.deepEqual(new Set(outcomes.map(({ verdict }) => verdict)), new Set(['up', 'wrong']));
  }
  const cancels = [PORTS.good, HANGING, CLOSING, GARBAGE, 1].map((port) =>
    prober.probe(what, placeAt(ADDRESS, port), 5000, () => assert.fail('cancelled')),
  );
  for (const cancel of cancels) cancel();
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(descriptors(), begun);
  assert.equal(run('ss', '-Htan', 'state', 'time-wait', `( sport = :${PORTS.good} or dport = :${PORTS.good} )`), '');
});

/** How long a file is believed to be as it was. */
const believed = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 1100));
