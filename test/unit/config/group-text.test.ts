import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import type { Configuration } from '../../../src/config/configuration.ts';
import { groupPieces, replaceGroup } from '../../../src/config/group-text.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { printConfiguration } from '../../../src/config/print.ts';

const CHILD = 'gtm monitor http child { defaults-from http }\n';

const load = (text: string): Configuration => loadText(text, emptyConfiguration()).configuration;
const groupText = (configuration: Configuration): string =>
  [...groupPieces(configuration)].map(({ text }) => text).join('');
const viewed = (configuration: Configuration, key: string, property: string): unknown =>
  configuration.views.get(key)?.properties[property];

test('what the group has as it was shipped is so again, and what takes values from it follows', () => {
  const shipped = load(CHILD);
  const changed = load(
    `gtm global-settings general { heartbeat-interval 3 }\ngtm monitor http http { interval 11 }\n${CHILD}`,
  );
  const [general, child] = ['gtm global-settings general', 'gtm monitor http /Common/child'];
  assert.deepEqual([viewed(changed, general, 'heartbeat-interval'), viewed(changed, child, 'interval')], [3, 11]);

  const { configuration } = replaceGroup(groupText(shipped), changed, 'test');
  assert.equal(viewed(configuration, general, 'heartbeat-interval'), 10);
  assert.equal(viewed(configuration, child, 'interval'), 30);
  // The same as if it had been read.
  const read = load(printConfiguration(configuration, '1'));
  for (const [key, { properties }] of read.views)
    assert.deepEqual(configuration.views.get(key)?.properties, properties, key);
});

test('what the group has not goes, and the rest stays', () => {
  const before = load(`${CHILD}net vlan v1 { tag 7 }\n`);
  const { configuration } = replaceGroup(groupText(load('')), before, 'test');
  assert.ok(!configuration.objects.has('gtm monitor http /Common/child'));
  assert.ok(configuration.objects.has('net vlan /Common/v1'));
});
