// time-out: 400 s
// Wide IPs under `wideplane up`, in the network namespace of the test, as dig sees them: types, names, changes, restarts.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { writeGeoDatabase } from '../support/geo-databases.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { eventually, makeState, removeState, run, RunningUp } from './supervise/running-up.ts';

const PORT = 5360;

const CONFIG = `
gtm listener any { address any port ${PORT} }
gtm listener tcp { address any port ${PORT} ip-protocol tcp }
gtm datacenter dc1 { }
gtm datacenter dc2 { }
gtm server s1 {
    datacenter dc1 product generic-host
    devices { s1 { addresses { 192.0.2.10 { } } } }
    virtual-servers {
        web1 { destination 192.0.2.11:80 }
        web2 { destination 192.0.2.12:80 }
        web6 { destination 2001:db8::11.80 }
    }
}
gtm server s2 {
    datacenter dc2 product generic-host
    devices { s2 { addresses { 192.0.2.20 { } } } }
    virtual-servers { web1 { destination 192.0.2.21:80 } }
}
gtm pool a near { members { s1:web1 { member-order 0 } s1:web2 { member-order 1 } } ttl 20 }
gtm pool a far { members { s2:web1 { member-order 0 } } load-balancing-mode global-availability }
gtm pool aaaa six { members { s1:web6 { member-order 0 } } }
gtm pool cname alias { members { www.example.com { member-order 0 } } }
gtm pool mx mail { members { www.example.com { member-order 0 priority 5 } } }
gtm pool srv sip { members { www.example.com { member-order 0 port 5060 priority 1 weight 2 } } }
gtm pool naptr enum { members { www.example.com { member-order 0 order 3 preference 4 flags a service SIP+D2U } } }
gtm wideip a www.example.com {
    pool-lb-mode global-availability
    pools { near { order 0 } far { order 1 } }
    aliases { web.example.com }
}
gtm wideip aaaa www.example.com { pools { six { order 0 } } }
gtm wideip a *.wild.example.com { pools { far { order 0 } } }
gtm wideip a app.example.com { pools-cname { alias { order 0 } } }
gtm wideip mx example.com { pools { mail { order 0 } } }
gtm wideip srv _sip._udp.example.com { pools { sip { order 0 } } }
gtm wideip naptr enum.example.com { pools { enum { order 0 } } }
gtm zone example.com {
    records {
        @/soa { data { "ns1 hostmaster 5 7200 600 1209600 300" } }
        @/ns { data { ns1 } }
        ns1/a { data { 192.0.2.53 } }
        www/a { data { 192.0.2.99 } }
        www/txt { data { zone } }
    }
}
`;

const state = makeState();
const file = `${state}.conf`;
let up: RunningUp;

const tmsh = (command: string): string => run(process.execPath, EXECUTABLE, 'tmsh', '--state', state, '-c', command);
function apply(command: string): void {
  tmsh(command);
  assert.doesNotMatch(tmsh('show sys config status wait'), /applying|Reason/);
}
const wideplane = (...words: string[]): string => run(process.execPath, EXECUTABLE, ...words, '--state', state);
const health = (...words: string[]): string => wideplane('dns', 'health', ...words);
const dig = (...args: string[]): string =>
  execFileSync('dig', ['@127.0.0.1', '+time=5', '+tries=1', '-p', String(PORT), ...args], { encoding: 'utf8' });
const short = (...args: string[]): string[] =>
  dig('+short', ...args)
    .trim()
    .split('\n')
    .filter((line) => line !== '');
const status = (...args: string[]): string => /status: ([A-Z]+)/.exec(dig(...args))?.[1] ?? 'none';
/** How often each answer came to so many questions. */
function shares(questions: number, ...args: string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let index = 0; index < questions; index++) {
    const answer = short(...args).join(' ');
    counts[answer] = (counts[answer] ?? 0) + 1;
  }
  return counts;
}

before(async () => {
  writeFileSync(file, CONFIG);
  up = new RunningUp(state, { config: file });
  await up.ready();
});
after(async () => {
  assert.equal(await up.stop(), 0);
  removeState(state);
  removeState(file);
});

test('a wide IP goes before a zone that has the name, over UDP and TCP, by name and alias', () => {
  assert.deepEqual(shares(8, 'www.example.com'), { '192.0.2.11': 4, '192.0.2.12': 4 });
  assert.deepEqual(shares(4, '+tcp', 'WEB.example.com'), { '192.0.2.11': 2, '192.0.2.12': 2 });
  assert.match(dig('www.example.com'), /flags: qr aa rd;[^]*www\.example\.com\.\s+20\s+IN\s+A/);
  assert.deepEqual(short('www.example.com', 'AAAA'), ['2001:db8::11']);
  assert.deepEqual(short('www.example.com', 'TXT'), ['"zone"'], 'another type is for the zone');
});

test('names have wildcards, and what is above and beside a wide IP exists', () => {
  assert.deepEqual(short('a.b.wild.example.com'), ['192.0.2.21']);
  // Nothing but the wide IP has the name; the zone says that there is no such name, which is not so.
  assert.equal(status('app.example.com', 'TXT'), 'NOERROR');
  assert.equal(status('_udp.example.com', 'NS'), 'NOERROR');
  assert.equal(status('none.example.com'), 'NXDOMAIN');
});

test('aliases, mail, services and pointers to names are answered by wide IPs of these types', () => {
  const [alias, address] = short('app.example.com');
  assert.equal(alias, 'www.example.com.');
  assert.match(address!, /^192\.0\.2\.1[12]$/);
  assert.deepEqual(short('example.com', 'MX'), ['5 www.example.com.']);
  assert.deepEqual(short('_sip._udp.example.com', 'SRV'), ['1 2 5060 www.example.com.']);
  assert.deepEqual(short('enum.example.com', 'NAPTR'), ['3 4 "a" "SIP+D2U" "" www.example.com.']);
});

test('what is switched off is not answered, at every level', () => {
  const answers = (): Record<string, number> => shares(4, 'www.example.com');
  const both = { '192.0.2.11': 2, '192.0.2.12': 2 };
  apply('modify gtm pool a near members modify { s1:web2 { disabled } }');
  assert.deepEqual(answers(), { '192.0.2.11': 4 });
  apply('modify gtm pool a near members modify { s1:web2 { enabled } }');
  apply('modify gtm server s1 virtual-servers modify { web1 { disabled } }');
  assert.deepEqual(answers(), { '192.0.2.12': 4 });
  apply('modify gtm server s1 virtual-servers modify { web1 { enabled } }');
  assert.deepEqual(answers(), both);
  for (const command of ['gtm pool a near', 'gtm server s1', 'gtm datacenter dc1']) {
    apply(`modify ${command} disabled`);
    assert.deepEqual(answers(), { '192.0.2.21': 4 }, command);
    apply(`modify ${command} enabled`);
    assert.deepEqual(answers(), both, command);
  }
  apply('modify gtm wideip a www.example.com disabled');
  assert.deepEqual(answers(), { '192.0.2.99': 4 }, 'the zone has it');
  apply('modify gtm wideip a www.example.com enabled');
  apply('modify ltm profile dns dns enable-gtm no');
  assert.deepEqual(answers(), { '192.0.2.99': 4 }, 'the profile does not ask wide IPs');
  apply('modify ltm profile dns dns enable-gtm yes');
});

test('when nothing is there: last resort, an rcode, or the next source', () => {
  apply('modify gtm pool a near disabled');
  apply('modify gtm pool a far disabled');
  assert.deepEqual(short('www.example.com'), ['192.0.2.99'], 'return-to-dns');
  apply(
    'modify gtm wideip a www.example.com failure-rcode-response enabled failure-rcode nxdomain failure-rcode-ttl 9',
  );
  assert.match(dig('www.example.com'), /status: NXDOMAIN[^]*example\.com\.\s+9\s+IN\s+SOA\s+this\.name\.is\.invalid\./);
  apply('create gtm pool a rescue members add { s2:web1 }');
  apply('modify gtm wideip a www.example.com last-resort-pool a rescue');
  assert.deepEqual(short('www.example.com'), ['192.0.2.21']);
  apply('modify gtm wideip a www.example.com last-resort-pool none failure-rcode-response disabled');
  apply('modify gtm pool a near enabled');
  apply('modify gtm pool a far enabled');
});

test('persistence keeps a client where it was, and answers may be several', () => {
  apply('modify gtm wideip a www.example.com persistence enabled ttl-persistence 60');
  const [[, count]] = Object.entries(shares(6, 'www.example.com')) as [[string, number]];
  assert.equal(count, 6);
  assert.match(
    tmsh('show gtm persist'),
    /a \/Common\/www\.example\.com +127\.0\.0\.1 +a \/Common\/near +\/Common\/s1:web[12] +(59|60)/,
  );
  assert.match(tmsh('delete gtm persist'), /^1 client is forgotten$/m);
  assert.match(tmsh('show gtm persist'), /^none$/m);
  apply('modify gtm wideip a www.example.com persistence disabled');
  apply('modify gtm pool a near max-answers-returned 2');
  assert.deepEqual(short('www.example.com').sort(), ['192.0.2.11', '192.0.2.12']);
  apply('modify gtm pool a near max-answers-returned 1');
});

test('configuration goes over while queries come, and none is lost or wrong', async () => {
  const { spawn } = await import('node:child_process');
  const asked = spawn('dig', ['@127.0.0.1', '-p', String(PORT), '+short', '+time=2', '+tries=1', '-f', '-'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let printed = '';
  asked.stdout.on('data', (text: Buffer) => (printed += text.toString()));
  const ended = new Promise((resolve) => asked.once('exit', resolve));
  asked.stdin.end('www.example.com\n'.repeat(3000));
  for (let round = 0; round < 4; round++) {
    apply(`modify gtm pool a near ttl ${round + 30}`);
    apply(`modify gtm wideip a www.example.com description round-${round}`);
  }
  await ended;
  const answers = printed.trim().split('\n');
  assert.equal(answers.length, 3000);
  assert.ok(answers.every((answer) => answer === '192.0.2.11' || answer === '192.0.2.12'));
});

test('health that is set by hand is answered by at once, and shown with its reason', () => {
  health('set', 's1:web1', '--status', 'offline', '--reason', 'maintenance');
  assert.deepEqual(shares(4, 'www.example.com'), { '192.0.2.12': 4 });
  assert.match(tmsh('show gtm pool a near'), /s1:web1 +offline +enabled +.*maintenance/);
  health('set', 's1', '--status', 'offline');
  assert.deepEqual(shares(4, 'www.example.com'), { '192.0.2.21': 4 });
  assert.match(tmsh('show gtm wideip'), /Gtm::Wide IP A: www\.example\.com/i);
  health('clear', 's1');
  health('clear', 's1:web1');
  assert.deepEqual(shares(4, 'www.example.com'), { '192.0.2.11': 2, '192.0.2.12': 2 });
});

test('what was known before a restart is respected by the first answer after it', async () => {
  health('set', 's1:web2', '--status', 'offline');
  // Longer than the file waits for more changes.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const before = await up.daemon('dnsd');
  process.kill(before, 'SIGKILL');
  const first = await eventually('dnsd answers again', () => {
    try {
      return short('+time=1', 'www.example.com').join(' ');
    } catch {
      return undefined;
    }
  });
  assert.notEqual(await up.daemon('dnsd'), before);
  assert.equal(first, '192.0.2.11');
  assert.deepEqual(shares(4, 'www.example.com'), { '192.0.2.11': 4 });
  health('clear', 's1:web2');
});

test('explain says what a wide IP answers, why, and what it would without a member', () => {
  const text = wideplane('dns', 'explain', 'www.example.com', 'A');
  assert.match(text, /wide IPs: a \/Common\/www\.example\.com answers: it is called so/);
  assert.match(text, /pool a \/Common\/near: global-availability chooses it among those that are available/);
  assert.match(text, /if \/Common\/s1:web(1|2) went down: www\.example\.com\. \d+ A 192\.0\.2\.1(2|1)/);
  assert.match(text, /reply: NOERROR aa/);
  assert.match(wideplane('dns', 'explain', 'none.example.com', 'A'), /wide IPs: none of \d+ has none\.example\.com/);
});

test('decisions are logged when a wide IP wants it', async () => {
  apply(
    'modify gtm wideip a www.example.com load-balancing-decision-log-verbosity { pool-selection pool-member-selection }',
  );
  short('www.example.com');
  const { msg } = await up.said(/^127\.0\.0\.1 www\.example\.com A: /);
  assert.match(msg, /\[pool a \/Common\/near: global-availability chooses it among those that are available\]/);
  assert.match(msg, /\[member \/Common\/s1:web[12]: round-robin chooses it\]/);
  assert.doesNotMatch(msg, /could be chosen/, 'no traversal');
  apply('modify gtm wideip a www.example.com load-balancing-decision-log-verbosity none');
});

test('topology sends clients and their subnets by a database of places, and says so when it cannot be read', () => {
  const database = `${state}.mmdb`;
  writeGeoDatabase(database, {
    ...({ ipVersion: 4, recordSize: 24, databaseType: 'Test-Country', aliases: false } as const),
    records: [
      ['127.0.0.0/8', { country: { iso_code: 'DE' } }],
      ['203.0.113.0/24', { country: { iso_code: 'US' } }],
    ],
  });
  apply(`modify gtm global-settings general geoip-databases { ${database} }`);
  apply('create gtm topology ldns: country DE server: datacenter dc1 score 10');
  apply('create gtm topology ldns: country US server: datacenter dc2 score 10');
  apply('modify gtm wideip a www.example.com pool-lb-mode topology');
  assert.deepEqual(shares(4, 'www.example.com'), { '192.0.2.11': 2, '192.0.2.12': 2 });
  // The subnet is looked at where the wide IP says so.
  assert.match(short('+subnet=203.0.113.0/24', 'www.example.com')[0]!, /^192\.0\.2\.1[12]$/);
  apply('modify gtm wideip a www.example.com topology-prefer-edns0-client-subnet enabled');
  const text = dig('+subnet=203.0.113.0/24', 'www.example.com');
  assert.match(text, /192\.0\.2\.21/);
  assert.match(text, /CLIENT-SUBNET: 203\.0\.113\.0\/24\/24/, 'the answer is for that subnet');
  assert.match(wideplane('dns', 'explain', 'www.example.com', 'A'), /pool a \/Common\/near: topology chooses it/);
  const explained = wideplane('dns', 'explain', 'www.example.com', 'A', '--subnet', '203.0.113.0/24');
  assert.match(
    explained,
    /pool a \/Common\/far: topology chooses it[^]*answer: www\.example\.com\. \d+ A 192\.0\.2\.21/,
  );
  writeFileSync(database, 'no database');
  tmsh(`modify gtm global-settings general geoip-databases { ${database} ${state}.none }`);
  assert.match(tmsh('show sys config status wait'), /geoip-databases: .*\.mmdb/);
  // Without the database nobody is anywhere, and both pools take turns.
  assert.equal(new Set(Object.keys(shares(6, 'www.example.com'))).size, 3);
  apply('modify gtm global-settings general geoip-databases none');
  apply('modify gtm wideip a www.example.com pool-lb-mode global-availability');
  removeState(database);
});
