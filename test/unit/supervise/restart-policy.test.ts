import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESTART_POLICY, RestartSchedule } from '../../../src/supervise/restart-policy.ts';

/** Delays before each restart of a daemon that always lives for `lifeMs`, starting anew after each delay. */
function delays(lifeMs: number, deaths: number, wasReady = false): number[] {
  const schedule = new RestartSchedule();
  const result: number[] = [];
  let now = 0;
  for (let i = 0; i < deaths; i++) {
    const delay = schedule.delayAfter(now, now + lifeMs, wasReady);
    result.push(delay);
    now += lifeMs + delay;
  }
  return result;
}

test('twenty kills 1.5 s apart are each healed at once', () => {
  // The time that a start takes is part of the 1.5 s.
  assert.deepEqual(delays(1100, 20), new Array(20).fill(0));
});

test('kills that follow one another as fast as the daemon becomes ready are each healed at once', () => {
  assert.deepEqual(delays(400, 20, true), new Array(20).fill(0));
});

test('a daemon that dies at once is started again at once, then after doubling delays up to a limit', () => {
  assert.deepEqual(delays(10, 10), [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
});

test('a stable run ends a series of quick deaths', () => {
  const schedule = new RestartSchedule();
  for (let i = 0; i < 5; i++) schedule.delayAfter(i * 10, i * 10 + 5, false);
  assert.equal(schedule.delayAfter(1000, 1000 + RESTART_POLICY.stableMs, false), 0);
  assert.equal(schedule.delayAfter(5000, 5001, false), 0);
  assert.equal(schedule.delayAfter(5002, 5003, false), RESTART_POLICY.firstDelayMs);
});

test('a loop of longer runs is spread out once it has become a storm', () => {
  const all = delays(1200, 60);
  assert.equal(all[RESTART_POLICY.stormDeaths - 1], 0);
  assert.equal(all[RESTART_POLICY.stormDeaths], RESTART_POLICY.stormDelayMs);
  assert.ok(all.filter((delay) => delay > 0).length > 5);
});
