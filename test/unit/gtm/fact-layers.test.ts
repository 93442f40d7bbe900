import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FactLayers, newKnownFacts } from '../../../src/gtm/fact-layers.ts';
import type { VirtualServerFacts } from '../../../src/gtm/facts.ts';

const KEY = '/Common/s1:v1';
const MEASURED = { status: 'offline', reason: 'no answer', since: 5, goodFor: 16 } as const;
const HAND = { status: 'available', reason: 'set by hand', since: 7 } as const;

function seen(hand: VirtualServerFacts | undefined, measured: VirtualServerFacts | undefined): unknown {
  const layers = new FactLayers(newKnownFacts());
  layers.take(layers.say('measured', { kind: 'virtual-server', key: KEY, facts: measured }));
  layers.take(layers.say('hand', { kind: 'virtual-server', key: KEY, facts: hand }));
  const facts = layers.facts.virtualServers.get(KEY);
  // What is read from a file again is seen as it was.
  assert.deepEqual(new FactLayers(layers.known).facts, layers.facts);
  return facts && Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}

describe('layers of what is known', () => {
  it('what one of them says counts where the other says nothing', () => {
    assert.equal(seen(undefined, undefined), undefined);
    assert.deepEqual(seen(undefined, MEASURED), MEASURED);
    assert.deepEqual(seen(HAND, undefined), HAND);
  });

  it('a status by hand comes with its own reason and time, and is never stale', () => {
    assert.deepEqual(seen(HAND, MEASURED), HAND);
    assert.deepEqual(seen({ status: 'available' }, MEASURED), { status: 'available' });
    assert.deepEqual(seen(HAND, { ...MEASURED, connections: 4 }), { ...HAND, connections: 4 });
  });

  it('numbers by hand leave the status as it is measured', () => {
    assert.deepEqual(seen({ connections: 9 }, { ...MEASURED, connections: 4, score: 2 }), {
      ...{ ...MEASURED, connections: 9, score: 2 },
    });
  });

  it('what is below shows again when the hand is taken away', () => {
    const layers = new FactLayers(newKnownFacts());
    for (const kind of ['member', 'virtual-server'] as const) {
      layers.take(layers.say('hand', { kind, key: KEY, facts: HAND }));
      layers.take(layers.say('measured', { kind, key: KEY, facts: MEASURED }));
      assert.equal(layers.isSaid('measured', { kind, key: KEY, facts: { ...MEASURED } }), true);
      assert.equal(layers.isSaid('measured', { kind, key: KEY, facts: { ...MEASURED, reason: 'refused' } }), false);
      const change = layers.say('hand', { kind, key: KEY, facts: undefined });
      assert.deepEqual(change, { kind, key: KEY, facts: MEASURED });
      assert.deepEqual(layers.say('measured', { kind, key: KEY, facts: undefined }), {
        kind,
        key: KEY,
        facts: undefined,
      });
    }
    layers.take(layers.say('hand', { kind: 'server', name: '/Common/s1', facts: { cpu: 3 } }));
    layers.take(layers.say('measured', { kind: 'server', name: '/Common/s1', facts: MEASURED }));
    assert.deepEqual(layers.facts.servers.get('/Common/s1'), { ...MEASURED, cpu: 3 });
  });
});
