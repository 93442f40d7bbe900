import assert from 'node:assert/strict';
import { it } from 'node:test';
import { HealthRig, monitor, place, rule, watch } from '../../support/health-rig.ts';

it('a target that answers is available at its first probe, and is told once', () => {
  const rig = new HealthRig(() => ({ verdict: 'up', after: 3 }));
  rig.engine.want([watch('/Common/n', monitor())]);
  assert.equal(rig.reason('/Common/n'), 'Checking');
  rig.clock.advance(2);
  assert.equal(rig.status('/Common/n'), 'unknown');
  rig.clock.advance(1);
  assert.equal(rig.status('/Common/n'), 'available');
  rig.clock.advance(3_600_000);
  assert.deepEqual(
    rig.changes.map(({ verdict }) => [verdict.status, verdict.reason]),
    [
      ['unknown', 'Checking'],
      ['available', 'Monitor /Common/tcp: answered'],
    ],
  );
});

it('a target that is silent from the start is down at its timeout, to the millisecond', () => {
  const rig = new HealthRig(() => ({ verdict: 'silent' }));
  rig.engine.want([watch('/Common/n', monitor())]);
  rig.clock.advance(119_999);
  assert.equal(rig.status('/Common/n'), 'unknown');
  rig.clock.advance(1);
  assert.equal(rig.status('/Common/n'), 'offline');
  assert.equal(rig.reason('/Common/n'), 'Monitor /Common/tcp: no answer; no good answer for 120 s');
});

it('what two watches say the same of is probed once', () => {
  const rig = new HealthRig(() => ({ verdict: 'up' }));
  rig.engine.want([
    watch('/Common/a', monitor()),
    watch('/Common/b', rule([monitor(), monitor({ name: '/Common/x' })])),
  ]);
  rig.clock.advance(10);
  assert.equal(rig.engine.counts.instances, 2);
  assert.equal(rig.prober.sent.length, 2);
  assert.equal(rig.status('/Common/a'), 'available');
  assert.equal(rig.status('/Common/b'), 'available');
});

it('of several places one that answers is enough', () => {
  const places = [place('192.0.2.1'), place('192.0.2.2')];
  const rig = new HealthRig(({ place: { address } }) => ({ verdict: address === '192.0.2.2' ? 'up' : 'refused' }));
  rig.engine.want([watch('/Common/n', monitor(), places)]);
  rig.clock.advance(10);
  assert.equal(rig.status('/Common/n'), 'available');
  rig.prober.script = () => ({ verdict: 'refused' });
  rig.clock.advance(45_000);
  assert.equal(
    rig.reason('/Common/n'),
    'Monitor /Common/tcp: at 192.0.2.1 connection refused, at 192.0.2.2 connection refused',
  );
});
