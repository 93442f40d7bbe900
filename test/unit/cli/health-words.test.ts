import assert from 'node:assert/strict';
import { it } from 'node:test';
import { readHealthLine } from '../../../src/cli/health-words.ts';

it('a line names a server, a virtual server or a member of a pool', () => {
  assert.deepEqual(readHealthLine('s1 --cpu 3'), { kind: 'set', name: 's1', cpu: 3 });
  const offline = { kind: 'set', status: 'offline', reason: 'no power' };
  assert.deepEqual(readHealthLine('s1:v1 --status offline --reason "no power"'), { ...offline, name: 's1:v1' });
  assert.deepEqual(readHealthLine('a pool1 s1:v1 --status offline --reason "no power"'), {
    ...offline,
    name: 'a pool1 s1:v1',
  });
  assert.equal(readHealthLine(' '), undefined);
  assert.equal(readHealthLine('# s1'), undefined);
  assert.deepEqual(readHealthLine('s1'), { kind: 'set', name: 's1' });
  assert.throws(() => readHealthLine('s1 --state offline'), /--state is no option/);
  assert.throws(() => readHealthLine('s1 --status'), /--status needs a value/);
});
