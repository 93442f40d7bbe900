import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  grantable,
  hasCapability,
  parseCapabilities,
  setprivArguments,
  type ProcessCapabilities,
} from '../../../src/supervise/capability.ts';
import { DAEMONS } from '../../../src/supervise/daemon-table.ts';
import { missingPrivileges } from '../../../src/supervise/privilege-report.ts';

const status = (bits: string): string =>
  `Name:\tnode\nCapInh:\t0000000000000000\nCapPrm:\t${bits}\nCapEff:\t${bits}\nCapBnd:\t${bits}\nCapAmb:\t0000000000000000\n`;
const ROOT = parseCapabilities(status('000001ffffffffff'));
const NOBODY = parseCapabilities(status('0000000000000000'));
const with_ = (...bits: number[]): ProcessCapabilities =>
  parseCapabilities(
    status(
      bits
        .reduce((sum, bit) => sum | (1n << BigInt(bit)), 0n)
        .toString(16)
        .padStart(16, '0'),
    ),
  );

test('capability sets are read from a process status', () => {
  assert.equal(hasCapability(ROOT.effective, 'net_raw'), true);
  assert.equal(hasCapability(NOBODY.effective, 'net_raw'), false);
  assert.equal(hasCapability(with_(13).effective, 'net_raw'), true);
  assert.equal(hasCapability(with_(13).effective, 'net_admin'), false);
  assert.throws(() => parseCapabilities('Name:\tnode\n'), /no CapEff/);
});

test('a child of root is left with what was asked for in all four sets, and dies with its parent', () => {
  const args = setprivArguments({ held: ROOT, wanted: ['net_admin', 'net_raw'], account: undefined });
  for (const set of ['bounding-set', 'inh-caps', 'ambient-caps']) {
    assert.ok(args.includes(`--${set}=-all,+net_admin,+net_raw`), set);
  }
  assert.ok(args.includes('--no-new-privs') && args.includes('--pdeathsig=KILL'));
  assert.ok(!args.some((argument) => argument.startsWith('--reuid')));
});

test('a child with an account changes to it', () => {
  const args = setprivArguments({ held: ROOT, wanted: [], account: { name: 'wideplane', uid: 998, gid: 997 } });
  assert.deepEqual(args.slice(-3), ['--reuid=998', '--regid=997', '--init-groups']);
  assert.ok(args.includes('--bounding-set=-all'));
});

test('what the parent lacks is not asked for, and the bounding set is left alone without CAP_SETPCAP', () => {
  assert.deepEqual(grantable(with_(13), ['net_admin', 'net_raw']), ['net_raw']);
  const args = setprivArguments({ held: with_(13), wanted: ['net_admin', 'net_raw'], account: undefined });
  assert.ok(args.includes('--ambient-caps=-all,+net_raw'));
  assert.ok(!args.some((argument) => argument.startsWith('--bounding-set')));
});

test('what is missing is named with its consequence and its remedy', () => {
  assert.deepEqual(missingPrivileges(ROOT, DAEMONS, true), []);
  const asUser = missingPrivileges(NOBODY, DAEMONS, false);
  assert.equal(asUser.length, 2);
  assert.match(asUser[0]!, /^dataplaned lacks CAP_NET_ADMIN and CAP_NET_RAW: interfaces .*; start as root/);
  assert.match(asUser[1]!, /^up lacks CAP_NET_ADMIN: .*address-owner wideplane/);
  const inContainer = missingPrivileges(with_(12, 13), DAEMONS, true);
  assert.equal(inContainer.length, 1);
  assert.match(inContainer[0]!, /CAP_SETPCAP.*grant it to the container/);
});
