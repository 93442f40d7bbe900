// time-out: 400 s
// dnsd under `wideplane up`, in the network namespace of the test: profiles, zones, a BIND behind, and what it does by itself.

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { NameServer } from '../support/dns-peers.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { eventually, makeState, removeState, run, RunningUp } from './supervise/running-up.ts';

const PORT = 5340;
const NAMED_PORT = 5341;
const SOA = (serial: number): string => `"ns1 hostmaster ${serial} 7200 600 1209600 300"`;

const CONFIG = `
ltm profile dns lab { nsid lab }
ltm profile dns behind { defaults-from lab local-bind-address 127.0.0.1 local-bind-port ${NAMED_PORT} }
gtm listener any { address any port ${PORT} profiles { lab { } } }
gtm listener any6 { address any6 port ${PORT} profiles { lab { } } }
gtm listener tcp { address any port ${PORT} ip-protocol tcp profiles { lab { } } }
gtm listener forwards { address 127.0.0.9 port ${PORT} profiles { behind { } } }
gtm listener forwards-tcp { address 127.0.0.9 port ${PORT} ip-protocol tcp profiles { behind { } } }
gtm zone example.com {
    records {
        @/soa { data { ${SOA(5)} } }
        @/ns { data { ns1 } }
        ns1/a { data { 192.0.2.53 } }
        www/a { data { 192.0.2.80 } }
        alias/cname { data { www } }
    }
}
`;

const state = makeState();
const file = `${state}.conf`;
let up: RunningUp;
let named: NameServer;

const tmsh = (command: string): string => run(process.execPath, EXECUTABLE, 'tmsh', '--state', state, '-c', command);
const refused = (command: string): string => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [EXECUTABLE, 'tmsh', '--state', state, '-c', command],
    {
      encoding: 'utf8',
    },
  );
  assert.notEqual(status, 0, `${command}: ${stdout}`);
  return stderr;
};
/** A command of which every daemon runs what it leads to. */
function apply(command: string): void {
  tmsh(command);
  assert.doesNotMatch(tmsh('show sys config status wait'), /applying|Reason/);
}
const dig = (...args: string[]): string =>
  execFileSync('dig', ['+time=5', '+tries=1', '-p', String(PORT), ...args], { encoding: 'utf8' });
const short = (...args: string[]): string => dig('+short', ...args).trim();
const status = (...args: string[]): string => /status: ([A-Z]+)/.exec(dig(...args))?.[1] ?? 'none';

before(async () => {
  writeFileSync(file, CONFIG);
  const ns = 'ns.behind.test';
  named = await NameServer.named(
    [
      {
        origin: 'behind.test',
        records: [
          {
            ...({ type: 'SOA', name: 'behind.test', ttl: 60 } as const),
            data: { mname: ns, rname: ns, serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60 },
          },
          { type: 'NS', name: 'behind.test', ttl: 60, data: ns },
          { type: 'A', name: ns, ttl: 60, data: '192.0.2.1' },
          { type: 'A', name: 'www.behind.test', ttl: 60, data: '192.0.2.90' },
        ],
      },
    ],
    NAMED_PORT,
  );
  up = new RunningUp(state, { config: file });
  await up.ready();
});
after(async () => {
  assert.equal(await up.stop(), 0);
  await named.stop();
  removeState(state);
  removeState(file);
});

test('a wildcard listener answers from the address that was asked, by UDP and TCP', () => {
  for (const server of ['127.0.0.1', '127.0.0.77', '::1']) {
    assert.equal(short(`@${server}`, 'www.example.com'), '192.0.2.80', server);
  }
  assert.equal(short('@127.0.0.77', '+tcp', 'alias.example.com'), 'www.example.com.\n192.0.2.80');
  assert.match(dig('@127.0.0.1', '+nsid', 'www.example.com'), /NSID: .*"lab"/);
});

test('the action for what nothing answers can be changed while queries come', () => {
  const asked = ['@127.0.0.1', 'www.elsewhere.net'];
  assert.equal(status(...asked), 'NXDOMAIN', 'allow, and nothing behind');
  for (const [action, expected] of [
    ['reject', 'REFUSED'],
    ['noerror', 'NOERROR'],
    ['hint', 'NOERROR'],
  ] as const) {
    apply(`modify ltm profile dns lab unhandled-query-action ${action}`);
    assert.equal(status(...asked), expected, action);
  }
  assert.match(dig(...asked), /a\.root-servers\.net/, 'hint');
  apply('modify ltm profile dns lab unhandled-query-action drop');
  assert.throws(() => dig('+time=1', ...asked), 'drop');
  apply('modify ltm profile dns lab process-rd no unhandled-query-action reject');
  assert.equal(status('@127.0.0.1', 'www.example.com'), 'REFUSED', 'recursion desired');
  assert.equal(status('@127.0.0.1', '+norecurse', 'www.example.com'), 'NOERROR');
  apply('modify ltm profile dns lab process-rd yes unhandled-query-action allow');
});

test('who may not ask is refused, and names of class CHAOS can be turned off', () => {
  assert.match(short('@127.0.0.1', 'CH', 'TXT', 'version.bind'), /wideplane/);
  apply('modify ltm profile dns lab allow-clients { 192.0.2.0/24 } chaos-names disabled');
  assert.equal(status('@127.0.0.1', 'www.example.com'), 'REFUSED');
  assert.match(tmsh('show gtm listener any'), /Refused to the client +1\n/);
  apply('modify ltm profile dns lab allow-clients all');
  assert.equal(status('@127.0.0.1', 'CH', 'TXT', 'version.bind'), 'REFUSED');
});

test('BIND answers what nothing here does, by UDP and TCP', () => {
  assert.equal(short('@127.0.0.9', 'www.behind.test'), '192.0.2.90');
  assert.equal(short('@127.0.0.9', '+tcp', 'www.behind.test'), '192.0.2.90');
  assert.equal(short('@127.0.0.9', 'www.example.com'), '192.0.2.80', 'what is here is not asked there');
  assert.match(tmsh('show gtm listener forwards'), /Handed to BIND +1\n/);
  apply('modify ltm profile dns behind use-local-bind no');
  assert.equal(status('@127.0.0.9', 'www.behind.test'), 'NXDOMAIN');
  apply('modify ltm profile dns behind use-local-bind yes');
});

test('records are created, modified and deleted; each time the serial moves and the file can be read by named-checkzone', () => {
  const zoneFile = /File +(\S+)/.exec(tmsh('show gtm zone example.com'))![1]!;
  const serial = (): number => Number(short('@127.0.0.1', 'example.com', 'SOA').split(' ')[2]);
  assert.equal(serial(), 5);
  let last = 5;
  for (const change of [
    'records add { new/aaaa { data { 2001:db8::1 } } }',
    'records modify { www/a { data { 192.0.2.81 192.0.2.82 } ttl 60 } }',
    'records delete { alias/cname }',
  ]) {
    apply(`modify gtm zone example.com ${change}`);
    assert.equal(serial(), last + 1, change);
    last = serial();
    const checked = execFileSync('named-checkzone', ['example.com', zoneFile], { encoding: 'utf8' });
    assert.match(checked, new RegExp(`loaded serial ${last}\\nOK`));
  }
  assert.deepEqual(short('@127.0.0.1', 'www.example.com').split('\n').sort(), ['192.0.2.81', '192.0.2.82']);
  assert.equal(short('@127.0.0.1', 'new.example.com', 'AAAA'), '2001:db8::1');
  assert.equal(status('@127.0.0.1', 'alias.example.com'), 'NXDOMAIN');
});

test('a wrong record is refused before anything is written', () => {
  const zoneFile = /File +(\S+)/.exec(tmsh('show gtm zone example.com'))![1]!;
  const before = readFileSync(zoneFile, 'utf8');
  for (const [change, expected] of [
    ['records add { www/cname { data { ns1 } } }', /CNAME/],
    [`records modify { @/soa { data { ${SOA(1)} ${SOA(2)} } } }`, /SOA/],
    ['records delete { @/ns }', /NS/],
    ['records add { www.example.org./a { data { 192.0.2.1 } } }', /zone/],
    ['records add { x/a { data { 192.0.2.300 } } }', /192\.0\.2\.300/],
  ] as const) {
    const text = refused(`modify gtm zone example.com ${change}`);
    assert.match(text, /example\.com/, change);
    assert.match(text, expected, change);
  }
  assert.equal(readFileSync(zoneFile, 'utf8'), before);
});

test('a master file is read again on demand; one with an error leaves the zone as it is', () => {
  const directory = `${state}.zones`;
  mkdirSync(directory, { recursive: true });
  const path = join(directory, 'db.file.test');
  const text = (address: string): string =>
    `$TTL 60\n@ IN SOA ns1 host 1 7200 600 1209600 300\n@ IN NS ns1\nns1 IN A 192.0.2.53\nwww IN A ${address}\n`;
  try {
    writeFileSync(path, text('192.0.2.1'));
    apply(`create gtm zone file.test file ${path}`);
    assert.equal(short('@127.0.0.1', 'www.file.test'), '192.0.2.1');
    writeFileSync(path, text('192.0.2.2'));
    assert.match(tmsh('load gtm zone file.test'), /1 zone was read, 0 with errors/);
    assert.equal(short('@127.0.0.1', 'www.file.test'), '192.0.2.2');
    writeFileSync(path, text('192.0.2.2222'));
    assert.match(tmsh('load gtm zone file.test'), /db\.file\.test:5[\s\S]*1 zone was read, 1 with errors/);
    assert.equal(short('@127.0.0.1', 'www.file.test'), '192.0.2.2');
    assert.match(tmsh('show gtm zone file.test'), /Status +served as it was before/);
    apply('delete gtm zone file.test');
    assert.equal(status('@127.0.0.1', 'www.file.test'), 'NXDOMAIN');
  } finally {
    removeState(directory);
  }
});

test('statistics of zones and listeners count, and start anew', () => {
  tmsh('reset-stats gtm zone example.com');
  tmsh('reset-stats gtm listener any');
  for (const name of ['www', 'none', 'ns1']) dig('@127.0.0.1', `${name}.example.com`, name === 'ns1' ? 'MX' : 'A');
  const zone = tmsh('show gtm zone example.com');
  assert.match(zone, /All +3\n/);
  assert.match(zone, /No such name +1\n/);
  assert.match(zone, /No such data +1\n/);
  assert.match(tmsh('show gtm listener any'), /Received +3\n/);
});

test('dns explain says which source answers, by which rule of which zone, and why not another', () => {
  const explain = (...args: string[]): string =>
    run(process.execPath, EXECUTABLE, 'dns', 'explain', '--state', state, ...args);
  const found = explain('www.example.com', 'A');
  assert.match(found, /listener: \/Common\/any at 0\.0\.0\.0 port 5340 \(udp\), profile \/Common\/lab/);
  assert.match(found, /example\.com\./);
  assert.match(found, /reply: .*NOERROR/);
  assert.match(explain('none.example.com'), /NXDOMAIN/);
  assert.match(explain('www.behind.test', '--listener', 'forwards'), /reply: that of the name server behind/);
  const wrong = spawnSync(process.execPath, [EXECUTABLE, 'dns', 'explain', '--state', state, 'x', 'NOTYPE'], {
    encoding: 'utf8',
  });
  assert.equal(wrong.status, 1);
  assert.match(wrong.stderr, /NOTYPE is no type of records/);
});

test('queries are shown on demand, from sockets and connections', async () => {
  const child = spawn(process.execPath, [EXECUTABLE, 'dns', 'log', '--state', state, '-c', '3']);
  let [output, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  await eventually('the log', () => errors.includes('listening'));
  dig('@127.0.0.1', 'www.example.com');
  dig('@127.0.0.1', '+tcp', 'www.example.com', 'MX');
  dig('@127.0.0.1', 'none.example.com');
  const [exit] = (await once(child, 'exit')) as [number];
  assert.equal(exit, 0, errors);
  const lines = output.trim().split('\n');
  assert.match(
    lines[0]!,
    /sockets client 127\.0\.0\.1 \(www\.example\.com\): query: www\.example\.com IN A \+E\(0\)K: zone NOERROR \d+$/,
  );
  assert.match(
    lines[1]!,
    /tcp client 127\.0\.0\.1 \(www\.example\.com\): query: www\.example\.com IN MX \+E\(0\)TK: zone NOERROR/,
  );
  assert.match(lines[2]!, /none\.example\.com IN A .*: zone NXDOMAIN/);
});

test('with configd gone dnsd answers, also after its own restart', async () => {
  const expected = short('@127.0.0.1', 'new.example.com', 'AAAA');
  tmsh('save sys config');
  // A configd that is stopped from within would be started again: its process is held instead.
  const configd = await up.daemon('configd');
  process.kill(configd, 'SIGSTOP');
  try {
    const before = await up.daemon('dnsd');
    process.kill(before, 'SIGKILL');
    await eventually('another dnsd', async () => (await up.daemon('dnsd')) !== before);
    assert.equal(short('@127.0.0.1', 'new.example.com', 'AAAA'), expected);
  } finally {
    process.kill(configd, 'SIGCONT');
  }
});
