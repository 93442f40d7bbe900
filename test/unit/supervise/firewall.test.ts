import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readIptablesSave } from '../../../src/supervise/firewall-iptables.ts';
import { readNftRuleset } from '../../../src/supervise/firewall-nft.ts';
import { droppingChain } from '../../../src/supervise/firewall.ts';

const PACKET = { device: 'eth1', port: 4789 };

type Expression = Record<string, unknown>;
const udpPort = (right: unknown, op = '=='): Expression => ({
  match: { op, left: { payload: { protocol: 'udp', field: 'dport' } }, right },
});
const device = (right: unknown): Expression => ({ match: { op: '==', left: { meta: { key: 'iifname' } }, right } });
const established = { match: { op: 'in', left: { ct: { key: 'state' } }, right: ['established', 'related'] } };
const accept = { accept: null };
const drop = { drop: null };

/** A rule set as nft prints it: one chain at the input hook, one called `other`. */
function nft(policy: string, rules: Expression[][], other: Expression[][] = [], more: unknown[] = []): boolean {
  const at = { family: 'inet', table: 'filter' };
  const json = JSON.stringify({
    nftables: [
      { metainfo: { json_schema_version: 1 } },
      { table: { family: 'inet', name: 'filter' } },
      { chain: { ...at, name: 'input', type: 'filter', hook: 'input', prio: 0, policy } },
      { chain: { ...at, name: 'other' } },
      ...more,
      ...rules.map((expr) => ({ rule: { ...at, chain: 'input', expr } })),
      ...other.map((expr) => ({ rule: { ...at, chain: 'other', expr } })),
    ],
  });
  return droppingChain(readNftRuleset(json, PACKET))?.name === 'inet filter input';
}

test('nft: the policy decides when no rule does', () => {
  assert.equal(nft('accept', []), false);
  assert.equal(nft('drop', []), true);
  assert.equal(nft('drop', [[established, accept]]), true);
});

test('nft: a rule for the port decides, in any form of its value', () => {
  for (const port of [4789, { set: [53, 4789] }, { range: [4000, 5000] }, { set: [{ range: [1, 9999] }] }, '@ports']) {
    const set = { set: { family: 'inet', table: 'filter', name: 'ports', type: 'inet_service', elem: [53, 4789] } };
    assert.equal(nft('drop', [[udpPort(port), { counter: {} }, accept]], [], [set]), false, JSON.stringify(port));
    assert.equal(nft('accept', [[udpPort(port), drop]], [], [set]), true, JSON.stringify(port));
  }
  assert.equal(nft('drop', [[udpPort(4789, '!='), accept]]), true);
  assert.equal(nft('accept', [[udpPort(53), drop]]), false);
  assert.equal(nft('accept', [[udpPort(4789), { reject: { type: 'icmp' } }]]), true);
});

test('nft: the device and the protocol count', () => {
  assert.equal(nft('drop', [[device('eth1'), accept]]), false);
  assert.equal(nft('drop', [[device('eth2'), accept]]), true);
  assert.equal(nft('drop', [[device('eth*'), accept]]), false);
  const tcp = { match: { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right: 4789 } };
  assert.equal(nft('drop', [[tcp, accept]]), true);
});

test('nft: what is not understood is not reported', () => {
  assert.equal(nft('drop', [[{ xt: { type: 'match', name: 'udp' } }, accept]]), false);
  assert.equal(nft('drop', [[udpPort(4789), { limit: { rate: 5 } }, accept]]), false);
  assert.equal(nft('accept', [[{ xt: null }, drop]]), false);
});

test('nft: jumps, returns and verdict maps are followed', () => {
  assert.equal(nft('drop', [[{ jump: { target: 'other' } }]], [[udpPort(4789), accept]]), false);
  assert.equal(nft('accept', [[{ jump: { target: 'other' } }]], [[{ return: null }], [drop]]), false);
  assert.equal(nft('accept', [[{ jump: { target: 'other' } }]], [[udpPort(4789), drop]]), true);
  assert.equal(nft('accept', [[{ goto: { target: 'other' } }], [udpPort(4789), drop]]), false);
  const map = (verdicts: unknown[]): Expression => ({
    vmap: { key: { ct: { key: 'state' } }, data: { set: verdicts } },
  });
  assert.equal(nft('drop', [[map([['established', accept]])]]), true);
  assert.equal(nft('drop', [[map([['new', accept]])]]), false);
});

test('nft: a chain that jumps to itself ends', () => {
  assert.equal(nft('drop', [[{ jump: { target: 'other' } }]], [[{ jump: { target: 'other' } }]]), true);
});

const iptables = (...lines: string[]): boolean =>
  droppingChain(readIptablesSave(['*filter', ...lines, 'COMMIT', ''].join('\n'), PACKET))?.name === 'INPUT';

test('iptables: policy, port, device, state and comments', () => {
  assert.equal(iptables(':INPUT ACCEPT [0:0]'), false);
  assert.equal(iptables(':INPUT DROP [0:0]', '-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT'), true);
  assert.equal(iptables(':INPUT DROP [0:0]', '-A INPUT -p udp -m udp --dport 4789 -j ACCEPT'), false);
  assert.equal(iptables(':INPUT DROP [0:0]', '-A INPUT -i eth2 -p udp -m udp --dport 4789 -j ACCEPT'), true);
  assert.equal(iptables(':INPUT DROP [0:0]', '-A INPUT ! -i eth2 -p udp -j ACCEPT'), false);
  assert.equal(iptables(':INPUT ACCEPT [0:0]', '-A INPUT -m comment --comment "no vxlan" -p udp -j REJECT'), true);
  assert.equal(iptables(':INPUT DROP [0:0]', '-A INPUT -p udp -m multiport --dports 53,4000:5000 -j ACCEPT'), false);
  assert.equal(iptables(':INPUT DROP [0:0]', '-A INPUT -s 10.0.0.0/8 -j ACCEPT'), false);
});

test('iptables: jumps to other chains, past targets that decide nothing', () => {
  const chains = [':INPUT DROP [0:0]', ':vpn - [0:0]', '-A INPUT -j LOG --log-prefix "in "', '-A INPUT -j vpn'];
  assert.equal(iptables(...chains), true);
  assert.equal(iptables(...chains, '-A vpn -p udp --dport 4789 -j ACCEPT'), false);
});

test('iptables: other tables are not looked at', () => {
  assert.equal(droppingChain(readIptablesSave('*nat\n:INPUT DROP [0:0]\nCOMMIT\n', PACKET)), undefined);
});
