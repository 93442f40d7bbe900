// The rules that keep questions from the kernel: they go with the daemon that wanted them, with `up`, and with whoever is killed.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setQueryRules } from '../../src/supervise/device-client.ts';
import { eventually, makeState, removeState, run, RunningUp } from './supervise/running-up.ts';

/** A daemon that is there in any case stands for the one that takes questions. */
const OWNER = 'dataplaned';

let namespaces = 0;
const made: string[] = [];
after(() => {
  for (const name of made) run('ip', 'netns', 'delete', name);
});

function makeNamespace(): string {
  const name = `wideplane-rules-${process.pid}-${++namespaces}`;
  run('ip', 'netns', 'add', name);
  made.push(name);
  run('ip', '-n', name, 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'peer');
  run('ip', '-n', name, 'link', 'set', 'eth1', 'up');
  return name;
}

const ruleset = (namespace: string): string => run('ip', 'netns', 'exec', namespace, 'nft', 'list', 'ruleset').trim();
const gone = (namespace: string): Promise<true> =>
  eventually('no rule any more', () => (ruleset(namespace) === '' ? true : undefined));

const RULE = { device: 'eth1', port: 53, addresses: ['192.0.2.1', '2001:db8::1'] };

async function withRules(body: (up: RunningUp, namespace: string, other: string) => Promise<void>): Promise<void> {
  const namespace = makeNamespace();
  const other = makeNamespace();
  const state = makeState();
  const up = new RunningUp(state, { namespace });
  try {
    await up.ready();
    const answer = await setQueryRules(state, OWNER, [RULE, { ...RULE, namespace: other }]);
    assert.deepEqual(answer, [{ device: 'eth1' }, { device: 'eth1', namespace: other }]);
    for (const place of [namespace, other]) assert.match(ruleset(place), /192\.0\.2\.1[^]*2001:db8::1/);
    await body(up, namespace, other);
  } finally {
    up.signal('SIGTERM');
    await up.exit();
    removeState(state);
  }
}

test('are brought to what is wanted', async () => {
  await withRules(async (up, namespace, other) => {
    const before = ruleset(namespace);
    assert.deepEqual(await setQueryRules(up.state, OWNER, [RULE]), [{ device: 'eth1' }]);
    assert.equal(ruleset(other), '');
    assert.equal(ruleset(namespace), before);
    await setQueryRules(up.state, OWNER, [
      { ...RULE, addresses: ['192.0.2.7'] },
      { ...RULE, port: 5353 },
    ]);
    assert.match(ruleset(namespace), /192\.0\.2\.7.*dport 53 [^]*192\.0\.2\.1.*dport 5353 /);
    // Before Linux 6.16 a rule does not outlive its device.
    run('ip', '-n', namespace, 'link', 'delete', 'eth1');
    run('ip', '-n', namespace, 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'peer');
    assert.deepEqual(await setQueryRules(up.state, OWNER, [RULE]), [{ device: 'eth1' }]);
    assert.match(ruleset(namespace), /device "eth1"/);
    await setQueryRules(up.state, OWNER, []);
    assert.equal(ruleset(namespace), '');
  });
});

test('go when the daemon that wanted them is killed, not with another', async () => {
  await withRules(async (up, namespace, other) => {
    process.kill(await up.daemon('configd'), 'SIGKILL');
    await up.said(/^configd was ended by SIGKILL/);
    await up.daemon('configd');
    assert.notEqual(ruleset(namespace), '');
    process.kill(await up.daemon(OWNER), 'SIGKILL');
    await gone(namespace);
    await gone(other);
  });
});

test('say why there is none', async () => {
  await withRules(async (up) => {
    const [failed] = (await setQueryRules(up.state, OWNER, [{ ...RULE, namespace: 'nowhere' }]))!;
    assert.match(failed!.failure!, /^no nft rule on eth1: .*nowhere/);
  });
});

test('go when up ends', async () => {
  await withRules(async (up, namespace, other) => {
    assert.equal(await up.stop(), 0);
    assert.equal(ruleset(namespace) + ruleset(other), '');
  });
});

test('go when up is killed', async () => {
  await withRules(async (up, namespace, other) => {
    await up.killAndVanish();
    await gone(namespace);
    await gone(other);
  });
});

test('go when the next up starts, where its guardian was killed as well', async () => {
  await withRules(async (up, namespace, other) => {
    const { daemons } = await up.processes();
    const guardian = up.family().find((pid) => pid !== up.pid && daemons.every((daemon) => daemon.pid !== pid));
    up.signal('SIGSTOP');
    process.kill(guardian!, 'SIGKILL');
    up.signal('SIGKILL');
    await up.exit();
    await eventually('all gone', () => (up.family().length === 0 ? true : undefined));
    assert.notEqual(ruleset(namespace), '');
    const second = new RunningUp(up.state, { namespace });
    await second.said(/^a former run was killed/);
    await second.ready();
    assert.equal(ruleset(namespace) + ruleset(other), '');
    assert.equal(await second.stop(), 0);
  });
});
