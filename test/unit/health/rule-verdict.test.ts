import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { MonitorStatus } from '../../../src/health/monitor-state.ts';
import { judgeRule, MAX_REASON, overPlaces, type Said } from '../../../src/health/rule-verdict.ts';
import { monitor, rule } from '../../support/health-rig.ts';

const STATUSES: readonly MonitorStatus[] = ['up', 'disabled', 'unknown', 'down'];
const say = (status: MonitorStatus, isChecking = false): Said => ({ status, reason: `is ${status}`, isChecking });

/** All that so many monitors can say. */
function combinations(count: number): MonitorStatus[][] {
  if (count === 0) return [[]];
  return combinations(count - 1).flatMap((rest) => STATUSES.map((status) => [...rest, status]));
}

/** As the rule is written: what must be so whatever the unknown ones turn out to be. */
function expected(statuses: readonly MonitorStatus[], atLeast: number): string {
  const could = (as: MonitorStatus): number =>
    statuses.map((each) => (each === 'unknown' ? as : each)).filter((each) => each === 'up' || each === 'disabled')
      .length;
  if (statuses.filter((each) => each === 'up').length >= atLeast) return 'available';
  if (could('down') >= atLeast) return 'disabled';
  return could('up') >= atLeast ? 'unknown' : 'offline';
}

it('every combination of up to four monitors, and every number of them that has to be up', () => {
  let seen = 0;
  for (const count of [1, 2, 3, 4]) {
    const monitors = Array.from({ length: count }, (_, index) => monitor({ name: `m${index}` }));
    for (const statuses of combinations(count)) {
      for (let atLeast = 1; atLeast <= count; atLeast++) {
        const { status, reason } = judgeRule(
          rule(monitors, atLeast),
          statuses.map((each) => say(each)),
        );
        assert.equal(status, expected(statuses, atLeast), `${atLeast} of ${statuses.join(' ')}`);
        const down = statuses.findIndex((each) => each === 'down');
        if (status === 'offline') assert.match(reason, new RegExp(`m${down}: is down`));
        seen++;
      }
    }
  }
  assert.equal(seen, 4 + 2 * 16 + 3 * 64 + 4 * 256);
});

it('reasons name the monitors that decide', () => {
  const monitors = ['/Common/tcp', '/Common/http', '/Common/icmp'].map((name) => monitor({ name }));
  const reason = (statuses: MonitorStatus[], atLeast: number): string =>
    judgeRule(
      rule(monitors, atLeast),
      statuses.map((each) => say(each)),
    ).reason;
  assert.equal(reason(['up', 'up', 'up'], 3), '3 of 3 monitors up');
  assert.equal(reason(['up', 'down', 'up'], 2), '2 of 3 monitors up, and 2 must be: /Common/http: is down');
  assert.equal(reason(['down', 'up', 'unknown'], 3), '1 of 3 monitors up, and 3 must be: /Common/tcp: is down');
  assert.equal(
    reason(['up', 'unknown', 'unknown'], 2),
    '1 of 3 monitors up, and 2 must be: /Common/http: is unknown, /Common/icmp: is unknown',
  );
  assert.equal(reason(['up', 'disabled', 'up'], 3), '3 of 3 monitors up: /Common/http: is disabled');
  const long = judgeRule(rule([monitors[0]!]), [{ ...say('down'), reason: 'x'.repeat(1000) }]);
  assert.equal(long.reason.length, MAX_REASON);
});

it('it is checking until it can be decided', () => {
  const two = rule([monitor({ name: 'a' }), monitor({ name: 'b' })]);
  assert.deepEqual(judgeRule(two, [say('unknown', true), say('unknown', true)]), {
    status: 'unknown',
    reason: 'Checking',
    isChecking: true,
  });
  assert.equal(judgeRule(two, [say('down'), say('unknown', true)]).isChecking, false);
  assert.equal(judgeRule(two, [say('up'), say('unknown', true)]).isChecking, true);
});

it('of its places the best counts', () => {
  for (const statuses of combinations(3)) {
    const best = STATUSES.find((status) => statuses.includes(status));
    const over = overPlaces(
      statuses.map((each) => say(each)),
      ['a', 'b', 'c'],
    );
    assert.equal(over.status, best);
    if (best === 'down') assert.equal(over.reason, 'at a is down, at b is down, at c is down');
  }
});
