// time-out: 240 s
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { it } from 'node:test';
import type { Monitor } from '../../src/health/monitor.ts';
import { MonitorState } from '../../src/health/monitor-state.ts';
import type { Verdict } from '../../src/health/probe.ts';
import { judgeRule, overPlaces } from '../../src/health/rule-verdict.ts';
import type { Watch, WatchStatus } from '../../src/health/watch.ts';
import { HealthRig, monitor, place } from '../support/health-rig.ts';
import { SlowMonitor } from '../support/slow-monitor.ts';

type Draw = fc.GeneratorValue;

const few = (most: number, least = 0) => fc.integer({ min: least, max: most });
const VERDICTS: readonly Verdict[] = ['up', 'up', 'up', 'up', 'disabled', 'refused', 'wrong', 'silent', 'impossible'];
const verdict = fc.constantFrom(...VERDICTS);

function drawMonitor(draw: Draw, wish: Partial<Monitor> = {}, unit = 1): Monitor {
  return monitor({
    module: draw(() => fc.constantFrom('gtm', 'ltm')),
    manualResume: draw(few, 3) === 0,
    ignoresDownResponse: draw(few, 3) === 0,
    flapLimit:
      draw(few, 2) === 0
        ? { changes: draw(few, 4, 2), window: unit * draw(few, 60, 5), hold: unit * draw(few, 30) }
        : undefined,
    ...wish,
    timing: {
      interval: unit * draw(few, 8, 2),
      timeout: unit * draw(few, 20, 3),
      upInterval: draw(few, 3) === 0 ? unit * draw(few, 10, 1) : 0,
      timeUntilUp: draw(few, 1) === 0 ? unit * draw(few, 25) : 0,
      probeTimeout: unit * draw(few, 6, 1),
      probeAttempts: 1,
      probeInterval: 0,
    },
  });
}

it('a monitor says what follows from all that has happened', () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(fc.gen(), (draw) => {
      const drawn = drawMonitor(draw);
      const state = new MonitorState(drawn, 0);
      const model = new SlowMonitor(drawn);
      let isRunning = false;
      // Times of one kind of answers, so that long silences and long good times come about.
      let mood: readonly Verdict[] = VERDICTS;
      for (let now = 0; now < 250; now++) {
        if (draw(few, 19) === 0)
          mood = draw(() => fc.constantFrom(VERDICTS, ['up'], ['silent'], ['impossible'], ['wrong']));
        if (isRunning && draw(few, 2) === 0) {
          const answer = mood === VERDICTS ? draw(() => verdict) : mood[0]!;
          state.take({ verdict: answer, reason: answer, took: 0 }, now);
          model.answer(now, answer);
          isRunning = false;
        } else if (!isRunning) isRunning = draw(few, 2) === 0;
        if (draw(few, 9) === 0) assert.equal(state.resume(now), model.resume(now));
        let woken = 0;
        while (now >= state.deadline) {
          state.wake(now, isRunning);
          assert.ok(++woken < 4, 'a deadline that has been looked at is over');
        }
        model.pass(now, isRunning);
        const said = { status: state.status, isHeld: state.isHeld, isFlapping: state.isFlapping };
        assert.deepEqual(said, { status: model.status, isHeld: model.isHeld, isFlapping: model.isFlapping });
        const text = Object.values(said).join(' ');
        seen.set(text, (seen.get(text) ?? 0) + 1);
      }
    }),
    { numRuns: 300, endOnFailure: true, seed: 20_261_130 },
  );
  // What it is about has come about.
  for (const text of [
    'up false false',
    'disabled false false',
    'unknown false false',
    'down true false',
    'down true true',
  ]) {
    assert.ok((seen.get(text) ?? 0) > 100, `${text}: ${seen.get(text)}`);
  }
});

const ADDRESSES = ['192.0.2.1', '192.0.2.2', '2001:db8::1'];
const NAMES = ['a', 'b', 'c'];

function drawWatches(draw: Draw, monitors: readonly Monitor[]): Watch[] {
  return NAMES.flatMap((key) => {
    if (draw(few, 3) === 0) return [];
    const rules = draw(() => fc.subarray([...monitors], { minLength: 0 }));
    const atLeast = rules.length === 0 ? 1 : draw(few, rules.length, 1);
    const places = draw(() => fc.subarray(ADDRESSES)).map((address) => place(address));
    return [{ kind: 'node', key, places, unprobed: undefined, rule: { atLeast, monitors: rules } } as const];
  });
}

it('whatever is wanted and answered: verdicts follow from instances, what was told is true, nothing is doubled or lost', () => {
  fc.assert(
    fc.property(fc.gen(), (draw) => {
      const monitors = NAMES.map((name) => drawMonitor(draw, { name }, 1000));
      const most = draw(few, 6, 1);
      const rig = new HealthRig(() => ({ verdict: draw(() => verdict), after: draw(few, 4000) }), most);
      const told = new Map<string, { status: WatchStatus; reason: string }>();
      const running = new Set<string>();
      const probe = rig.prober.probe.bind(rig.prober);
      rig.prober.probe = (of, where, timeout, done) => {
        const key = `${JSON.stringify(of)} ${where.address}`;
        assert.ok(!running.has(key), 'one probe of an instance at a time');
        running.add(key);
        const cancel = probe(of, where, timeout, (outcome) => {
          running.delete(key);
          done(outcome);
        });
        return () => {
          running.delete(key);
          cancel();
        };
      };
      for (let round = 0; round < 4; round++) {
        const changed = draw(few, NAMES.length);
        if (changed < NAMES.length) monitors[changed] = drawMonitor(draw, { name: NAMES[changed]! }, 1000);
        const watches = drawWatches(draw, monitors);
        rig.engine.want(watches);
        const pairs = watches.flatMap(({ places, rule: { monitors: its } }) =>
          places.flatMap(({ address }) => its.map(({ name }) => `${name} ${address}`)),
        );
        assert.equal(rig.engine.counts.instances, new Set(pairs).size);
        for (let step = 0; step < 20; step++) {
          rig.clock.advance(draw(few, 5000, 1));
          for (const { key, status, reason } of rig.timeline.splice(0)) told.set(key, { status, reason });
          assert.equal(rig.engine.counts.running, rig.prober.running);
          assert.ok(rig.prober.mostRunning <= most);
          for (const { key, rule, places } of watches) {
            const { verdict: is, monitors: said } = rig.engine.explain('node', key)!;
            assert.deepEqual({ status: is.status, reason: is.reason }, told.get(key));
            if (is.reason.endsWith('(as known before)') || places.length === 0) continue;
            const over = said.map((each) =>
              overPlaces(
                each.map((one) => ({ ...one, isChecking: one.reason === 'Checking' })),
                places.map(({ address }) => address),
              ),
            );
            assert.equal(is.status, judgeRule(rule, over).status);
          }
        }
      }
      rig.engine.want([]);
      assert.equal(rig.engine.counts.instances, 0);
      assert.equal(rig.prober.running, 0);
    }),
    { numRuns: 60, endOnFailure: true, seed: 20_261_130 },
  );
});
