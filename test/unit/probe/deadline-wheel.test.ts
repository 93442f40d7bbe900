import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DeadlineWheel, TICK_MS } from '../../../src/probe/deadline-wheel.ts';

/** Numbers from 0 to 1, always the same. */
function* numbers(seed: number): Generator<number, never> {
  let state = seed;
  for (;;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

it('meets each deadline once, not before its time and within a tick, as a sorted list would', () => {
  const THINGS = 500;
  const random = numbers(1);
  const next = (): number => random.next().value;
  let now = 5_000_000;
  const wheel = new DeadlineWheel(THINGS, now);
  const expected = new Map<number, number>();
  let met = 0;
  for (let step = 0; step < 20_000; step++) {
    const thing = Math.floor(next() * THINGS);
    const kind = next();
    if (kind < 0.6) {
      // Some in the past, some more than a turn of the wheel away.
      const at = now - 100 + next() * (next() < 0.1 ? 90_000 : 3000);
      wheel.set(thing, at);
      expected.set(thing, Math.max(at, now));
    } else if (kind < 0.8) {
      wheel.clear(thing);
      expected.delete(thing);
    }
    assert.equal(wheel.size, expected.size);
    if (next() > 0.3) continue;
    now += next() < 0.01 ? 60_000 : next() * 200;
    wheel.advance(now, (passed) => {
      met++;
      const at = expected.get(passed);
      assert.ok(at !== undefined, `${passed} has no deadline`);
      assert.ok(at <= now + 1e-6, `${passed} came ${at - now} ms early`);
      expected.delete(passed);
    });
    for (const [late, at] of expected) assert.ok(at > now - 2 * TICK_MS, `${late} is ${now - at} ms late`);
  }
  assert.ok(met > 1000);
});

it('lets what it calls set deadlines again, and clear those of others', () => {
  const wheel = new DeadlineWheel(4, 0);
  for (const thing of [0, 1, 2, 3]) wheel.set(thing, 100);
  const passed: number[] = [];
  const times = new Map<number, number>();
  for (let now = 0; now < 400; now += TICK_MS) {
    wheel.advance(now, (thing) => {
      passed.push(thing);
      times.set(thing, now);
      if (thing === 3) {
        wheel.clear(2);
        wheel.set(3, now + 100);
      }
    });
    if (now > 250) wheel.clear(3);
  }
  assert.deepEqual(passed.toSorted(), [0, 1, 3, 3]);
  assert.ok(times.get(3)! >= 200 && times.get(3)! <= 200 + 2 * TICK_MS);
  assert.equal(wheel.size, 0);
});
