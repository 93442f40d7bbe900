import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReceivePolicy } from '../../../src/port/receive-policy.ts';

function policyAt() {
  const clock = { ms: 1000 };
  return { clock, policy: new ReceivePolicy(() => clock.ms) };
}

test('starts frame by frame, and single bursts do not change it', () => {
  const { policy } = policyAt();
  assert.equal(policy.lowLatency, true);
  for (let round = 0; round < 100; round++) {
    for (const frames of [64, 64, 64, 3]) assert.equal(policy.note(frames), false);
  }
  assert.equal(policy.lowLatency, true);
});

test('what a pause of a second left at a low rate does not change it either', () => {
  const { policy } = policyAt();
  for (let round = 0; round < 100; round++) {
    for (let frames = 1000; frames > 0; frames -= 64) assert.equal(policy.note(Math.min(64, frames)), false);
    assert.equal(policy.note(1), false);
  }
});

/** A backlog that is long enough, and whether each receive of it changed the policy. */
const backlog = (policy: ReceivePolicy): boolean[] => Array.from({ length: 16 }, () => policy.note(64));

test('a backlog that stays goes to blocks, once', () => {
  const { policy } = policyAt();
  assert.deepEqual(backlog(policy), [...Array<boolean>(15).fill(false), true]);
  assert.equal(policy.note(64), false);
  assert.equal(policy.lowLatency, false);
});

test('comes back when the rate has been low for the whole window', () => {
  const { policy, clock } = policyAt();
  backlog(policy);
  clock.ms += 10;
  assert.equal(policy.note(0), false);
  clock.ms += 10;
  assert.equal(policy.note(0), true);
  assert.equal(policy.lowLatency, true);
});

test('stays with blocks while the rate is high, empty receives in between notwithstanding', () => {
  const { policy, clock } = policyAt();
  backlog(policy);
  for (let ms = 0; ms < 200; ms++) {
    clock.ms += 1;
    assert.equal(policy.note(150), false);
    assert.equal(policy.note(0), false);
  }
});

test('comes back from a low rate without an empty receive', () => {
  const { policy, clock } = policyAt();
  backlog(policy);
  let changed = false;
  for (let ms = 0; ms < 60 && !changed; ms++) {
    clock.ms += 1;
    changed = policy.note(20);
  }
  assert.ok(changed);
});

test('a load on the edge does not make it go to and fro: each early return doubles the wait for the next', () => {
  const { policy, clock } = policyAt();
  const waits: number[] = [];
  for (let round = 0; round < 9; round++) {
    backlog(policy);
    assert.equal(policy.lowLatency, false);
    const startMs = clock.ms;
    while (!policy.note(0)) clock.ms += 1;
    waits.push(clock.ms - startMs);
    clock.ms += 5;
  }
  assert.deepEqual(waits, [20, 40, 80, 160, 320, 640, 1280, 1280, 1280]);
});

test('after a long calm it is as quick as at first', () => {
  const { policy, clock } = policyAt();
  const wait = (): number => {
    backlog(policy);
    const startMs = clock.ms;
    while (!policy.note(0)) clock.ms += 1;
    return clock.ms - startMs;
  };
  assert.equal(wait(), 20);
  clock.ms += 5;
  assert.equal(wait(), 40);
  clock.ms += 10_000;
  assert.equal(wait(), 20);
});
