import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SPIN_US, SpinPolicy } from '../../../src/assembly/dataplaned/spin-policy.ts';

/** Lets frames come at these intervals, each taking `busyUs` to handle; returns the share of time spent looking. */
function shareOf(
  intervals: readonly number[],
  totalUs: number,
  busyUs = 5,
  preemptions = (): number => 0,
): { share: number; looks: number } {
  const policy = new SpinPolicy(preemptions);
  let nowUs = 1e6;
  let spentUs = 0;
  let looks = 0;
  for (let index = 0; nowUs < 1e6 + totalUs; index++) {
    const spinUs = policy.before(nowUs);
    const waitUs = Math.max(0, intervals[index % intervals.length]! - busyUs);
    spentUs += Math.min(spinUs, waitUs);
    if (spinUs > 0) looks += 1;
    policy.after(nowUs, nowUs + waitUs, spinUs, true);
    nowUs += waitUs + busyUs;
  }
  return { share: spentUs / totalUs, looks };
}

test('does not look where frames come one by one', () => {
  assert.equal(shareOf([1000], 1e6).looks, 0);
  assert.equal(shareOf([SPIN_US * 2], 1e6).looks, 0);
});

test('looks for an answer where answers come soon, and for little more than a tenth of the time', () => {
  const { share, looks } = shareOf([40, 960], 1e6);
  assert.ok(looks >= 1500, `${looks} looks`);
  assert.ok(share <= 0.11, `${share}`);
});

test('spends no more where frames come fast', () => {
  const { share } = shareOf([45], 1e6);
  assert.ok(share <= 0.11, `${share}`);
});

test('gives up after a few looks in vain, and a wait that ended early brings it back', () => {
  const policy = new SpinPolicy(() => 0);
  policy.after(0, 30, 0, true);
  const looks: number[] = [];
  for (let nowUs = 100_000; nowUs < 110_000; nowUs += 1000) {
    const spinUs = policy.before(nowUs);
    looks.push(spinUs);
    policy.after(nowUs, nowUs + 900, spinUs, true);
  }
  assert.deepEqual(looks, [SPIN_US, SPIN_US, SPIN_US, SPIN_US, 0, 0, 0, 0, 0, 0]);
  policy.after(120_000, 120_020, 0, true);
  assert.equal(policy.before(121_000), SPIN_US);
});

test('leaves the core to threads that want it, and looks again when they do not', () => {
  let preempted = 0;
  const contended = shareOf([40, 960], 1e6, 5, () => (preempted += 10));
  // The first window has nothing to compare with.
  assert.ok(contended.looks <= 60, `${contended.looks} looks`);
  let calls = 0;
  const once = shareOf([40, 960], 1e6, 5, () => (calls++ < 10 ? 10 * calls : 100));
  assert.ok(once.looks >= 1000, `${once.looks} looks`);
});
