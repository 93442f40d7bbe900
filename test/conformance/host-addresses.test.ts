// beside others
// Which addresses this host has, as its kernel says: with a cable that is pulled out as with one that is plugged in.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { deviceOfAddress, hostAddresses } from '../../src/net/host-addresses.ts';

const ip = (...words: string[]): void => void execFileSync('ip', words, { stdio: 'pipe' });

test('an address stays this host’s own when its device loses its carrier', () => {
  ip('link', 'add', 'here', 'type', 'veth', 'peer', 'name', 'there');
  ip('address', 'add', '192.0.2.1/24', 'dev', 'here');
  ip('address', 'add', '2001:db8::1/64', 'dev', 'here', 'nodad');
  ip('address', 'add', '192.0.2.53/32', 'dev', 'lo');
  for (const device of ['here', 'there']) ip('link', 'set', device, 'up');
  const all = ['192.0.2.1', '192.0.2.53', '2001:db8::1'];
  const own = (): string[] => [...hostAddresses()].filter((address) => !address.startsWith('fe80')).sort();
  assert.deepEqual(own(), all);

  ip('link', 'set', 'there', 'down');
  assert.deepEqual(own(), all);
  assert.equal(deviceOfAddress('192.0.2.1'), 'here');
  assert.equal(deviceOfAddress('2001:db8::1'), 'here');
  assert.equal(deviceOfAddress('192.0.2.53'), 'lo');
  assert.equal(deviceOfAddress('192.0.2.2'), undefined);

  // What is set down has its address still, and nothing is received by it.
  ip('link', 'set', 'here', 'down');
  assert.ok(own().includes('192.0.2.1'));
  assert.equal(deviceOfAddress('192.0.2.1'), undefined);
});
