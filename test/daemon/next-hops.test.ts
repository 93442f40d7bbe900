// The rules and routes by which probes of transparent monitors go: they go with the daemon that wanted them, with `up`, and with whoever
// is killed.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setNextHops } from '../../src/supervise/device-client.ts';
import { eventually, makeState, removeState, run, RunningUp } from './supervise/running-up.ts';

/** A daemon that is there in any case stands for the one that has next hops. */
const OWNER = 'dataplaned';
const HOPS = ['10.1.0.2', 'fd00:1::2'];

let namespaces = 0;
const made: string[] = [];
after(() => {
  for (const name of made) run('ip', 'netns', 'delete', name);
});

function makeNamespace(): string {
  const name = `wideplane-hops-${process.pid}-${++namespaces}`;
  run('ip', 'netns', 'add', name);
  made.push(name);
  run('ip', '-n', name, 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'peer');
  run('ip', '-n', name, 'address', 'add', '10.1.0.1/24', 'dev', 'eth1');
  run('ip', '-n', name, 'address', 'add', 'fd00:1::1/64', 'dev', 'eth1', 'nodad');
  for (const device of ['peer', 'eth1']) run('ip', '-n', name, 'link', 'set', device, 'up');
  return name;
}

/** Rules with a mark, and the routes of their tables. */
function rulesOf(namespace: string): string {
  const lines = ['-4', '-6'].flatMap((family) => {
    const rules = run('ip', '-n', namespace, family, 'rule')
      .split('\n')
      .filter((line) => line.includes('fwmark'));
    const tables = rules.map((rule) => /lookup (\S+)/.exec(rule)![1]!);
    return [
      ...rules,
      ...tables.map((table) => run('ip', '-n', namespace, family, 'route', 'show', 'table', table).trim()),
    ];
  });
  return lines.join('\n');
}
const gone = (namespace: string): Promise<true> =>
  eventually('no rule any more', () => (rulesOf(namespace) === '' ? true : undefined));

async function withHops(body: (up: RunningUp, namespace: string) => Promise<void>): Promise<void> {
  const namespace = makeNamespace();
  const state = makeState();
  const up = new RunningUp(state, { namespace });
  try {
    await up.ready();
    const hops = (await setNextHops(state, OWNER, HOPS))!;
    assert.deepEqual(
      hops.map(({ hop, failure }) => [hop, failure]),
      [
        [HOPS[0], undefined],
        [HOPS[1], undefined],
      ],
    );
    assert.equal(new Set(hops.map(({ mark }) => mark)).size, 2);
    assert.match(rulesOf(namespace), /default via 10\.1\.0\.2 dev eth1[^]*default via fd00:1::2 dev eth1/);
    await body(up, namespace);
  } finally {
    up.signal('SIGTERM');
    await up.exit();
    removeState(state);
  }
}

test('are brought to what is wanted, and say why there is none', async () => {
  await withHops(async (up, namespace) => {
    const before = rulesOf(namespace);
    const [kept, failed] = (await setNextHops(up.state, OWNER, [HOPS[0]!, '192.0.2.9']))!;
    assert.match(before, new RegExp(`0x${kept!.mark!.toString(16)}`));
    assert.match(failed!.failure!, /^no route by 192\.0\.2\.9: /);
    assert.match(rulesOf(namespace), /10\.1\.0\.2/);
    assert.doesNotMatch(rulesOf(namespace), /fd00:1::2|192\.0\.2\.9/);
    await setNextHops(up.state, OWNER, []);
    assert.equal(rulesOf(namespace), '');
  });
});

test('go when the daemon that wanted them is killed, not with another', async () => {
  await withHops(async (up, namespace) => {
    process.kill(await up.daemon('configd'), 'SIGKILL');
    await up.said(/^configd was ended by SIGKILL/);
    await up.daemon('configd');
    assert.notEqual(rulesOf(namespace), '');
    process.kill(await up.daemon(OWNER), 'SIGKILL');
    await gone(namespace);
  });
});

test('go when up ends', async () => {
  await withHops(async (up, namespace) => {
    assert.equal(await up.stop(), 0);
    assert.equal(rulesOf(namespace), '');
  });
});

test('go when up is killed', async () => {
  await withHops(async (up, namespace) => {
    await up.killAndVanish();
    await gone(namespace);
  });
});

test('go when the next up starts, where its guardian was killed as well', async () => {
  await withHops(async (up, namespace) => {
    const { daemons } = await up.processes();
    const guardian = up.family().find((pid) => pid !== up.pid && daemons.every((daemon) => daemon.pid !== pid));
    up.signal('SIGSTOP');
    process.kill(guardian!, 'SIGKILL');
    up.signal('SIGKILL');
    await up.exit();
    await eventually('all gone', () => (up.family().length === 0 ? true : undefined));
    assert.notEqual(rulesOf(namespace), '');
    const second = new RunningUp(up.state, { namespace });
    await second.said(/^a former run was killed/);
    await second.ready();
    assert.equal(rulesOf(namespace), '');
    assert.equal(await second.stop(), 0);
  });
});
