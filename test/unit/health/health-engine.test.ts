import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { WatchVerdict } from '../../../src/health/watch.ts';
import { EPOCH, HealthRig, monitor, place, rule, watch } from '../../support/health-rig.ts';

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

it('what is decided in one moment is told in one call', () => {
  const rig = new HealthRig(() => ({ verdict: 'up' }));
  rig.engine.want(Array.from({ length: 1000 }, (_, number) => watch(`/Common/${number}`, monitor())));
  rig.clock.advance(10);
  assert.deepEqual(
    rig.calls.map(({ length }) => length),
    [1000, 1000],
  );
});

it('the time between probes is up-interval while it is up', () => {
  const rig = new HealthRig(({ at }) => ({ verdict: at >= 60_000 && at < 100_000 ? 'refused' : 'up' }));
  rig.random = 0;
  rig.engine.want([watch('/Common/n', monitor({ timing: { interval: 5000, upInterval: 20_000, timeout: 61_000 } }))]);
  rig.clock.goTo(150_000);
  assert.deepEqual(
    rig.prober.sent.map(({ at }) => at / 1000),
    [0, 20, 40, 60, 65, 70, 75, 80, 85, 90, 95, 100, 120, 140],
  );
});

it('what stays the same keeps its state and its place in time when others come and go', () => {
  const rig = new HealthRig(() => ({ verdict: 'up' }));
  const others = [place('192.0.2.7'), place('192.0.2.8')].map((where) => watch(where.address, monitor(), [where]));
  rig.engine.want([...others, watch('/Common/n', monitor())]);
  rig.clock.goTo(100_000);
  rig.prober.sent = [];
  rig.engine.want([watch('/Common/new', monitor(), [place('192.0.2.9')]), watch('/Common/n', monitor())]);
  rig.clock.goTo(200_000);
  const times = rig.prober.sent.flatMap(({ place: { address }, at }) => (address === '192.0.2.1' ? [at] : []));
  assert.deepEqual(
    times.map((at) => at - times[0]!),
    [0, 30_000, 60_000, 90_000].slice(0, times.length),
  );
  assert.ok(times.length >= 3);
  assert.equal(rig.timeline.filter(({ key }) => key === '/Common/n').length, 2);
  assert.equal(rig.engine.counts.instances, 2);
  assert.equal(rig.status('192.0.2.7'), undefined);
});

it('a monitor that is changed goes on from the status that it had', () => {
  const rig = new HealthRig(() => ({ verdict: 'up' }));
  rig.engine.want([watch('/Common/n', monitor())]);
  rig.clock.advance(1000);
  rig.prober.script = () => ({ verdict: 'silent' });
  rig.engine.want([watch('/Common/n', monitor({ timing: { timeout: 31_000, interval: 10_000 } }))]);
  rig.clock.advance(30_999);
  assert.equal(rig.status('/Common/n'), 'available');
  rig.clock.advance(1);
  assert.equal(rig.status('/Common/n'), 'offline');
  assert.deepEqual(
    rig.timeline.map(({ status }) => status),
    ['unknown', 'available', 'offline'],
  );
});

it('what another rule makes of a watch is told when its monitors have been heard', () => {
  const rig = new HealthRig(() => ({ verdict: 'up' }));
  rig.engine.want([watch('/Common/n', monitor())]);
  rig.clock.advance(1000);
  rig.prober.script = ({ monitor: { name } }) => ({ verdict: name === '/Common/b' ? 'refused' : 'up', after: 100 });
  rig.engine.want([watch('/Common/n', rule([monitor(), monitor({ name: '/Common/b' })]))]);
  assert.equal(rig.reason('/Common/n'), 'Monitor /Common/tcp: answered (as known before)');
  rig.clock.advance(1000);
  assert.equal(rig.status('/Common/n'), 'offline');
  assert.equal(rig.reason('/Common/n'), '1 of 2 monitors up, and 2 must be: /Common/b: connection refused');
});

it('verdicts of before a restart stay until probes have decided, and keep since when', () => {
  const known = new Map<string, WatchVerdict>([
    ['node /Common/a', { status: 'available', reason: 'Monitor m: answered', since: 7 }],
    ['node /Common/b', { status: 'offline', reason: 'Monitor m: no answer (as known before)', since: 8 }],
    ['node /Common/c', { status: 'available', reason: 'Monitor m: answered', since: 9 }],
  ]);
  const rig = new HealthRig(({ place: { port } }) =>
    port === 3 ? { verdict: 'silent' } : { verdict: 'up', after: 50 },
  );
  const wanted = ['a', 'b', 'c'].map((name, index) =>
    watch(`/Common/${name}`, monitor({ timing: { timeUntilUp: index === 1 ? 60_000 : 0 } }), [
      place('192.0.2.1', index + 1),
    ]),
  );
  rig.engine.want(wanted, known);
  rig.clock.advance(1);
  const verdicts = () => ['a', 'b', 'c'].map((name) => rig.engine.verdictOf('node', `/Common/${name}`)!);
  assert.deepEqual(
    verdicts().map(({ reason }) => reason),
    [
      'Monitor m: answered (as known before)',
      'Monitor m: no answer (as known before)',
      'Monitor m: answered (as known before)',
    ],
  );
  rig.clock.goTo(119_000);
  assert.deepEqual(
    verdicts().map(({ status, since }) => [status, since]),
    [
      ['available', 7],
      ['available', EPOCH + 60_050.5],
      ['available', 9],
    ],
  );
  rig.clock.goTo(121_000);
  assert.deepEqual(rig.status('/Common/c'), 'offline');
});

it('what is held waits to be resumed, over a restart too, and only what answers well is resumed', () => {
  const held = monitor({ manualResume: true });
  const rig = new HealthRig(() => ({ verdict: 'refused' }));
  rig.engine.want([watch('/Common/n', held)]);
  rig.clock.advance(1000);
  assert.equal(rig.engine.resume('node', '/Common/n'), 0);
  const keys = [...rig.engine.held];
  assert.deepEqual(keys, ['gtm /Common/tcp 192.0.2.1 80']);

  const after = new HealthRig(() => ({ verdict: 'up' }));
  after.engine.restoreHeld(keys);
  after.engine.want([watch('/Common/n', held)]);
  after.clock.advance(200_000);
  assert.equal(after.reason('/Common/n'), 'Monitor /Common/tcp: waits to be resumed');
  assert.deepEqual([...after.engine.held], keys);
  assert.equal(after.engine.resume('node', '/Common/n'), 1);
  assert.equal(after.status('/Common/n'), 'available');
  assert.equal(after.engine.held.size, 0);
});

it('what is resumed is up after time-until-up', () => {
  const rig = new HealthRig(() => ({ verdict: 'refused' }));
  rig.engine.want([watch('/Common/n', monitor({ manualResume: true, timing: { timeUntilUp: 40_000 } }))]);
  rig.clock.advance(1000);
  rig.prober.script = () => ({ verdict: 'up' });
  rig.clock.goTo(31_000);
  assert.equal(rig.engine.resume('node', '/Common/n'), 1);
  assert.equal(rig.reason('/Common/n'), 'Monitor /Common/tcp: is resumed, and has to answer well for 40 s');
  rig.clock.goTo(70_000);
  assert.equal(rig.status('/Common/n'), 'offline');
  rig.clock.goTo(71_000);
  assert.equal(rig.status('/Common/n'), 'available');
});

it('monitors that send nothing go by what is reported, and know what was reported before they came', () => {
  const bigip = monitor({ type: 'bigip', name: '/Common/bigip', probe: { type: 'bigip' } });
  const rig = new HealthRig(() => ({ verdict: 'up' }));
  rig.engine.want([watch('/Common/n', bigip)]);
  rig.engine.report('bigip', place(), {
    verdict: 'impossible',
    reason: 'Nothing has been heard of it over iQuery',
    took: 0,
  });
  rig.clock.advance(1);
  assert.equal(rig.reason('/Common/n'), 'Monitor /Common/bigip: Nothing has been heard of it over iQuery');
  rig.engine.report('bigip', place(), { verdict: 'up', reason: 'available there', took: 0 });
  assert.equal(rig.status('/Common/n'), 'available');
  rig.clock.advance(3_600_000);
  assert.equal(rig.status('/Common/n'), 'available');
  rig.engine.want([watch('/Common/n', bigip), watch('/Common/other', { ...bigip, name: '/Common/other' })]);
  assert.equal(rig.status('/Common/other'), 'available');
  rig.engine.report('bigip', place(), { verdict: 'refused', reason: 'offline there', took: 0 });
  assert.equal(rig.reason('/Common/other'), 'Monitor /Common/other: offline there');
  assert.equal(rig.prober.sent.length, 0);
});

it('a process that stood still does not take its own silence for that of others', () => {
  const rig = new HealthRig(() => ({ verdict: 'up' }));
  rig.engine.want([watch('/Common/n', monitor({ timing: { interval: 5000, timeout: 16_000 } }))]);
  rig.clock.goTo(20_000);
  rig.clock.jump(600_000);
  rig.clock.advance(60_000);
  assert.deepEqual(
    rig.timeline.map(({ status }) => status),
    ['unknown', 'available'],
  );
});

it('a prober that fails, or never ends, takes nothing down', () => {
  const rig = new HealthRig(() => undefined);
  const quick = { interval: 5000, timeout: 16_000, probeTimeout: 5000 };
  rig.engine.want([watch('/Common/n', monitor({ timing: quick }))]);
  rig.clock.goTo(60_000);
  assert.equal(rig.reason('/Common/n'), 'Monitor /Common/tcp: the probe never came to an end');
  assert.equal(rig.status('/Common/n'), 'unknown');
  assert.ok(rig.prober.running <= 1);
  rig.prober.script = () => {
    throw new Error('out of sockets');
  };
  rig.clock.goTo(120_000);
  assert.equal(
    rig.engine.explain('node', '/Common/n')!.monitors[0]![0]!.probes[0]!.reason,
    'the probe failed: out of sockets',
  );
  assert.equal(rig.engine.counts.running, 0);
  rig.prober.script = () => ({ verdict: 'up' });
  rig.clock.goTo(130_000);
  assert.equal(rig.status('/Common/n'), 'available');
});

it('a destination of the monitor is probed instead of the target, through it when it is transparent', () => {
  const rig = new HealthRig(() => ({ verdict: 'up' }));
  const elsewhere = { address: '198.51.100.1', port: 8080 };
  rig.engine.want([
    watch('/Common/a', monitor(elsewhere), [place('192.0.2.1')]),
    watch('/Common/b', monitor(elsewhere), [place('192.0.2.2')]),
    watch('/Common/c', monitor({ ...elsewhere, isTransparent: true }), [place('192.0.2.3')]),
    watch('/Common/d', monitor({ port: 8080 }), [place('192.0.2.4')]),
  ]);
  rig.clock.advance(10);
  assert.deepEqual(
    rig.prober.sent.map(({ place: { address, port, via } }) => [address, port, via]),
    [
      ['198.51.100.1', 8080, undefined],
      ['198.51.100.1', 8080, '192.0.2.3'],
      ['192.0.2.4', 8080, undefined],
    ],
  );
});

it('what cannot be probed is unknown, and says why; a rule without monitors too', () => {
  const rig = new HealthRig(() => ({ verdict: 'up' }));
  rig.engine.want([
    { ...watch('/Common/a', monitor(), []), unprobed: 'Disabled: not monitored' },
    watch('/Common/b', rule([])),
  ]);
  assert.equal(rig.reason('/Common/a'), 'Disabled: not monitored');
  assert.equal(rig.reason('/Common/b'), 'No monitor');
});

it('closed, it gives up what runs, and sends nothing more', () => {
  const rig = new HealthRig(() => ({ verdict: 'silent' }));
  rig.engine.want([watch('/Common/n', monitor())]);
  rig.clock.advance(1);
  assert.equal(rig.prober.running, 1);
  rig.engine.close();
  assert.equal(rig.prober.running, 0);
  rig.clock.advance(600_000);
  assert.equal(rig.prober.sent.length, 1);
});
