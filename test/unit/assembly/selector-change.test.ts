// Packets pass between any two operations of a change: one that is protected before and after it is never without a selector.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { buildModel } from '../../../src/assembly/dataplaned/build-model.ts';
import { viewOf } from '../../../src/assembly/dataplaned/config-view.ts';
import { Planner } from '../../../src/assembly/dataplaned/planner.ts';
import type { Operation } from '../../../src/assembly/dataplaned/spec.ts';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';

const configured = (suffix: string): string => `
net ipsec ipsec-policy p${suffix} { mode tunnel protocol esp tunnel-local-address 192.0.2.1 tunnel-remote-address 192.0.2.2 }
net ipsec traffic-selector ts${suffix} {
    source-address 10.1.0.0/24 destination-address 10.2.0.0/24 direction out ipsec-policy p${suffix} order 10
}
`;

it('the selector of another name is there before the one goes whose place it takes', () => {
  const planner = new Planner(64);
  const operations = (text: string): Operation[] => {
    const { configuration } = loadText(text, emptyConfiguration());
    return [...planner.plan(buildModel(viewOf(configuration.views.values()), new Map())).operations];
  };
  const selectors = new Set<number>();
  const follow = (operation: Operation): void => {
    if (operation.op === 'set-traffic-selector') selectors.add(operation.spec.id);
    if (operation.op === 'remove-traffic-selector') selectors.delete(operation.id);
  };
  operations(configured('-1')).forEach(follow);
  assert.equal(selectors.size, 1);
  for (const operation of operations(configured('-2'))) {
    follow(operation);
    assert.notEqual(selectors.size, 0, `nothing protects after ${operation.op}`);
  }
  assert.equal(selectors.size, 1);
  operations('').forEach(follow);
  assert.equal(selectors.size, 0);
});
