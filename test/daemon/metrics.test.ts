// time-out: 200 s
// alone
// What metricsd serves, under `wideplane up`: promtool finds nothing wrong with it, a Prometheus scrapes it, and it says what happens.

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FAMILIES } from '../../src/core/metrics.ts';
import { Nginx } from '../support/nginx.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { eventually, makeState, removeState, run, RunningUp } from './supervise/running-up.ts';

const [DNS_PORT, METRICS_PORT, PROMETHEUS_PORT] = [5352, 9353, 9354];
const MONITORING = fileURLToPath(new URL('../../../docs/monitoring/', import.meta.url));

const CONFIG = String.raw`
sys db metricsd.listen { value 127.0.0.1:${METRICS_PORT} }
net interface 1.1 { device wpm0 }
net vlan wan { interfaces { 1.1 { untagged } } tag 10 }
net self wan-self { address 192.0.2.1/24 vlan wan allow-service none }
net tunnels tunnel away { local-address 192.0.2.1 remote-address 192.0.2.2 profile etherip }
net vlan-group both { members { away wan } }
gtm monitor http page { interval 2 timeout 7 probe-timeout 1 recv "200 OK" send "GET / HTTP/1.0\\r\\n\\r\\n" }
gtm datacenter east { }
gtm server web {
    datacenter east
    devices { web { addresses { 127.0.1.9 { } } } }
    product generic-host
    virtual-servers { first { destination 127.0.1.1:8081 monitor page } }
}
gtm pool a order { members { web:first { } } }
gtm wideip a www.example.com { pools { order { } } }
gtm listener any { address any port ${DNS_PORT} }
gtm zone example.org { records {
    @/ns { data { ns1 } } @/soa { data { "ns1 hostmaster 7 7200 600 1209600 300" } } ns1/a { data { 192.0.2.53 } }
} }
gtm server here { datacenter east devices { here { addresses { 192.0.2.1 { } } } } }
ltm pool app { members { 127.0.1.1:8081 { } } }
ltm virtual app { destination 127.0.1.5:443 pool app }
`;

const state = makeState();
const file = `${state}.conf`;
let up: RunningUp;
let nginx: Nginx | undefined;

const tmsh = (command: string): string => run(process.execPath, EXECUTABLE, 'tmsh', '--state', state, '-c', command);
const startNginx = (): Promise<Nginx> =>
  Nginx.start('server { listen 127.0.1.1:8081; location / { return 200 "ok"; } }', {
    address: '127.0.1.1',
    port: 8081,
  });

async function scrape(): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${METRICS_PORT}/metrics`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/);
  return response.text();
}

/** The value of one sample; undefined: there is none. */
function valueOf(text: string, name: string, labels: Record<string, string> = {}): number | undefined {
  for (const line of text.split('\n')) {
    const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match?.[1] !== name) continue;
    if (Object.entries(labels).every(([key, value]) => match[2]?.includes(`${key}="${value}"`))) {
      return Number(match[3]);
    }
  }
  return undefined;
}

const ask = (name: string): string =>
  execFileSync('dig', ['+short', '+time=5', '+tries=1', '-p', String(DNS_PORT), '@127.0.0.1', name], {
    encoding: 'utf8',
  }).trim();

before(async () => {
  run('ip', 'link', 'add', 'wpm0', 'type', 'veth', 'peer', 'name', 'wpm1');
  run('ip', 'link', 'set', 'wpm0', 'up');
  run('ip', 'link', 'set', 'wpm1', 'up');
  run('ip', 'address', 'add', '192.0.2.1/24', 'dev', 'wpm0');
  writeFileSync(file, CONFIG);
  nginx = await startNginx();
  up = new RunningUp(state, { config: file });
  await up.ready();
  await up.said(/^metrics are served at http:\/\/127\.0\.0\.1:9353\/metrics/);
});

after(async () => {
  up.signal('SIGTERM');
  await up.exit();
  await nginx?.stop();
  removeState(state);
  removeState(file);
});

test('promtool finds nothing wrong with a scrape, and every metric is in it', async () => {
  await eventually('the wide IP answers', () => ask('www.example.com') === '127.0.1.1', 20_000);
  assert.equal(ask('ns1.example.org'), '192.0.2.53');
  const text = await eventually('it is connected with itself', async () => {
    const found = await scrape();
    return valueOf(found, 'wideplane_iquery_connected', { server: '/Common/here' }) === 1 && found;
  });
  assert.ok(valueOf(text, 'wideplane_iquery_last_update_seconds')! < 15);
  assert.ok(
    valueOf(text, 'wideplane_certificate_expiry_seconds', { certificate: 'this machine' })! > Date.now() / 1000,
  );
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
  const served = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!));
  // Frames are dropped only where some come.
  const absent = Object.keys(FAMILIES).filter((name) => !served.has(name) && !name.includes('drops'));
  assert.deepEqual(absent, []);
  for (const daemon of ['configd', 'dataplaned', 'dnsd', 'healthd', 'iqueryd', 'metricsd']) {
    assert.equal(valueOf(text, 'wideplane_daemon_up', { daemon }), 1, daemon);
  }
});

test('who is refused over iQuery is counted, by the reason', async () => {
  const refused = async (reason: string): Promise<number | undefined> =>
    valueOf(await scrape(), 'wideplane_iquery_refused_total', { reason });
  assert.equal(await refused('no-certificate'), 0);
  assert.equal(await refused('unknown'), 0);
  // Ends when it is cut off.
  spawnSync('openssl', ['s_client', '-connect', '192.0.2.1:4353', '-ign_eof'], { input: '', timeout: 10_000 });
  await eventually('it is counted', async () => (await refused('no-certificate')) === 1);
  assert.equal(await refused('unknown'), 0);
  assert.ok(valueOf(await scrape(), 'wideplane_iquery_accepted_total')! >= 1);
});

test('what happens is in the next scrape', async () => {
  const member = { pool: '/Common/order', member: '/Common/web:first' };
  const answers = { ...member, mode: 'preferred' };
  const first = await scrape();
  for (let question = 0; question < 5; question++) ask('www.example.com');
  const then = await eventually('five more answers', async () => {
    const text = await scrape();
    const more =
      valueOf(text, 'wideplane_pool_member_answers_total', answers)! -
      valueOf(first, 'wideplane_pool_member_answers_total', answers)!;
    return more === 5 && text;
  });
  assert.equal(valueOf(then, 'wideplane_pool_member_status', { ...member, availability: 'available' }), 1);
  assert.equal(valueOf(then, 'wideplane_zone_serial', { zone: '/Common/example.org' }), 7);
  await nginx!.stop();
  nginx = undefined;
  await eventually(
    'the member is offline',
    async () => valueOf(await scrape(), 'wideplane_pool_member_status', { ...member, availability: 'offline' }) === 1,
    27_000,
  );
});

test('a daemon that is stopped is told as down, and the others as before', async () => {
  tmsh('stop sys service healthd');
  const text = await eventually('healthd is down', async () => {
    const found = await scrape();
    return valueOf(found, 'wideplane_scrape_success', { daemon: 'healthd' }) === 0 && found;
  });
  assert.equal(valueOf(text, 'wideplane_daemon_up', { daemon: 'healthd' }), 0);
  assert.equal(valueOf(text, 'wideplane_scrape_success', { daemon: 'dnsd' }), 1);
  assert.ok(valueOf(text, 'wideplane_wideip_requests_total', { wideip: '/Common/www.example.com' })! > 0);
  tmsh('start sys service healthd');
});

test('it serves nothing but metrics, goes where the configuration says, and says where it cannot', async () => {
  assert.equal((await fetch(`http://127.0.0.1:${METRICS_PORT}/etc/passwd`)).status, 404);
  assert.equal((await fetch(`http://127.0.0.1:${METRICS_PORT}/metrics`, { method: 'POST' })).status, 405);
  tmsh('modify sys db metricsd.listen value 127.0.0.1:9355');
  assert.equal((await fetch('http://127.0.0.1:9355/metrics')).status, 200);
  await assert.rejects(fetch(`http://127.0.0.1:${METRICS_PORT}/metrics`));
  tmsh('modify sys db metricsd.listen value 203.0.113.1:9353');
  await up.said(/^cannot listen at 203\.0\.113\.1:9353: .*EADDRNOTAVAIL/);
  const refused = spawnSync(
    process.execPath,
    [EXECUTABLE, 'tmsh', '--state', state, '-c', 'modify sys db metricsd.listen value here'],
    { encoding: 'utf8' },
  );
  assert.match(refused.stderr, /metricsd\.listen.*value here must be none, or an address and a port/);
  tmsh(`modify sys db metricsd.listen value 127.0.0.1:${METRICS_PORT}`);
  await scrape();
});

test('a Prometheus scrapes it, with the rules for alerts loaded', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'prometheus-'));
  writeFileSync(
    join(directory, 'prometheus.yml'),
    `global: { scrape_interval: 1s }
rule_files: ['${MONITORING}alerts.yml']
scrape_configs: [{ job_name: wideplane, static_configs: [{ targets: ['127.0.0.1:${METRICS_PORT}'] }] }]
`,
  );
  const prometheus = spawn(
    'prometheus',
    [
      `--config.file=${directory}/prometheus.yml`,
      `--storage.tsdb.path=${directory}/data`,
      `--web.listen-address=127.0.0.1:${PROMETHEUS_PORT}`,
    ],
    { stdio: 'ignore' },
  );
  try {
    const query = async (expression: string): Promise<unknown[]> => {
      const url = `http://127.0.0.1:${PROMETHEUS_PORT}/api/v1/query?query=${encodeURIComponent(expression)}`;
      const response = await fetch(url).catch(() => undefined);
      if (response?.ok !== true) return [];
      return ((await response.json()) as { data: { result: unknown[] } }).data.result;
    };
    await eventually('a scrape', async () => (await query('wideplane_info')).length === 1, 30_000);
    assert.equal((await query('up{job="wideplane"} == 1')).length, 1);
    assert.equal((await query('wideplane_daemon_up')).length, 6);
  } finally {
    const ended = new Promise((resolve) => prometheus.once('exit', resolve));
    prometheus.kill('SIGKILL');
    await ended;
    rmSync(directory, { recursive: true });
  }
});

test('alerts fire when they should, and the dashboard and they ask for what there is', () => {
  const check = (...args: string[]): void => {
    const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8', cwd: MONITORING });
    assert.equal(status, 0, stdout + stderr);
  };
  check('check', 'rules', 'alerts.yml');
  check('test', 'rules', 'alerts.test.yml');
  const dashboard = JSON.parse(readFileSync(`${MONITORING}grafana-dashboard.json`, 'utf8')) as {
    panels: { title: string; targets: { expr: string }[] }[];
  };
  const expressions = dashboard.panels.flatMap(({ targets }) =>
    targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*')),
  );
  const rules = expressions.map((expr, at) => ({ record: `panel:${at}`, expr }));
  const directory = mkdtempSync(join(tmpdir(), 'dashboard-'));
  writeFileSync(join(directory, 'rules.yml'), JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
  check('check', 'rules', join(directory, 'rules.yml'));
  rmSync(directory, { recursive: true });
  const text = [...expressions, readFileSync(`${MONITORING}alerts.yml`, 'utf8')].join('\n');
  const names = [...new Set(text.match(/\bwideplane_\w+/g))];
  assert.ok(names.length > 10);
  assert.deepEqual(
    names.filter((name) => !Object.hasOwn(FAMILIES, name)),
    [],
  );
});
