// How programs of external monitors are called.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { externalCommand, ownRights, type Rights, withoutRights } from '../../../src/probe/external-command.ts';
import { monitorOf, placeAt } from '../../support/probe-monitors.ts';

const ALL: Rights = { mayChangeUser: true, mayDropBounds: true };

const command = (variables: Record<string, string>, rights = ALL, run = '/bin/true') =>
  externalCommand(
    monitorOf({ type: 'external', run, arguments: ' a  b ', variables }),
    placeAt('192.0.2.1', 80),
    rights,
  );

it('calls setpriv first, and says variables to nobody else', () => {
  const called = command({ PASSWORD: "it's" });
  assert.ok(typeof called !== 'string');
  assert.equal(called.command, 'setpriv');
  const words = called.arguments;
  assert.deepEqual(words.slice(0, words.indexOf('--') + 1), withoutRights(ALL));
  assert.deepEqual(words.slice(words.indexOf('--') + 1), [
    '/bin/sh',
    '-s',
    '--',
    '/bin/true',
    '::ffff:192.0.2.1',
    '80',
    'a',
    'b',
  ]);
  assert.deepEqual(Object.keys(called.environment), ['PATH']);
  assert.ok(called.script.includes(String.raw`export PASSWORD='it'\''s'` + '\n'));
  assert.ok(!words.some((word) => word.includes('PASSWORD')));
});

it('refuses what it cannot do without risk', () => {
  assert.match(command({}, { ...ALL, mayChangeUser: false }) as string, /CAP_SETUID or CAP_SETGID/);
  assert.match(command({ 'A;reboot': '' }) as string, /^"A;reboot" is not the name of a variable$/);
  assert.match(command({}, ALL, 'true') as string, /run has to begin with \//);
  assert.match(command({}, ALL, '/nowhere') as string, /^cannot run \/nowhere: ENOENT/);
});

it('reads what this process may', () => {
  assert.deepEqual(ownRights('CapEff:\t00000000000000c0\n'), { mayChangeUser: true, mayDropBounds: false });
  assert.deepEqual(ownRights('CapEff:\t0000000000000180\n'), { mayChangeUser: false, mayDropBounds: true });
  assert.deepEqual(ownRights(''), { mayChangeUser: false, mayDropBounds: false });
});
