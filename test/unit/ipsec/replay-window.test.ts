import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Drop, FORWARD, type Verdict } from '../../../src/core/drop-reason.ts';
import { ReplayWindow } from '../../../src/ipsec/replay-window.ts';

const MAX = 0xffff_ffff;

/** Checks and, where that lets it, accepts a packet with this lower half; the verdict, and the number it was taken for. */
function receive(window: ReplayWindow, low: number): { verdict: Verdict; high: number } {
  const verdict = window.check(low);
  const { high } = window;
  return { verdict: verdict === FORWARD ? window.accept(high, low) : verdict, high };
}

describe('the replay window', () => {
  it('takes no size that is not a multiple of 32 from 32 to 4096, or 0', () => {
    for (const packets of [-32, 1, 16, 33, 4128, 1.5])
      assert.throws(() => new ReplayWindow(packets, false), RangeError);
    for (const packets of [0, 32, 64, 96, 4096]) assert.equal(new ReplayWindow(packets, false).packets, packets);
  });

  it('takes each number once, and none that is left of the window', () => {
    const window = new ReplayWindow(64, false);
    for (const low of [1, 3, 2]) assert.equal(receive(window, low).verdict, FORWARD);
    for (const low of [0, 1, 2, 3]) assert.equal(receive(window, low).verdict, Drop.ipsecReplayed);
    assert.equal(receive(window, 100).verdict, FORWARD);
    assert.equal(window.topLow, 100);
    assert.equal(receive(window, 37).verdict, FORWARD);
    assert.equal(receive(window, 36).verdict, Drop.ipsecTooOld);
    assert.equal(receive(window, 99).verdict, FORWARD);
    assert.equal(receive(window, MAX).verdict, FORWARD);
    assert.equal(receive(window, 100).verdict, Drop.ipsecTooOld);
    assert.equal(receive(window, MAX).verdict, Drop.ipsecReplayed);
    assert.equal(receive(window, MAX - 63).verdict, FORWARD);
  });

  it('forgets nothing within the window when it moves on by any distance, over the ring and more', () => {
    for (const packets of [32, 64, 96, 1024, 4096]) {
      for (const step of [1, 31, 32, 33, packets - 1, packets, packets + 1, 3 * packets]) {
        const window = new ReplayWindow(packets, false);
        for (let low = 7, count = 0; count < 40; low += step, count++) {
          assert.equal(receive(window, low).verdict, FORWARD);
          assert.equal(receive(window, low).verdict, Drop.ipsecReplayed);
          if (low - step > 0) {
            const expected = step < packets ? Drop.ipsecReplayed : Drop.ipsecTooOld;
            assert.equal(receive(window, low - step).verdict, count === 0 ? FORWARD : expected, `${packets} ${step}`);
          }
        }
      }
    }
  });

  it('of two equal numbers that were checked before either was accepted, takes one', () => {
    const window = new ReplayWindow(32, false);
    assert.equal(window.check(5), FORWARD);
    assert.equal(window.check(5), FORWARD);
    assert.equal(window.accept(0, 5), FORWARD);
    assert.equal(window.accept(0, 5), Drop.ipsecReplayed);
  });

  it('finds a number too old that the same batch has left behind', () => {
    const window = new ReplayWindow(32, false);
    assert.equal(window.check(5), FORWARD);
    assert.equal(window.check(37), FORWARD);
    assert.equal(window.accept(0, 37), FORWARD);
    assert.equal(window.accept(0, 5), Drop.ipsecTooOld);
  });

  it('estimates the upper half where the window lies in one subspace (RFC 4303, A2.1, case A)', () => {
    const window = new ReplayWindow(64, true);
    window.moveTo(2, 1000);
    assert.deepEqual(receive(window, 1001), { verdict: FORWARD, high: 2 });
    assert.deepEqual(receive(window, 938), { verdict: Drop.ipsecReplayed, high: 2 });
    // Left of the window it can only be one of the next subspace.
    assert.deepEqual(receive(window, 937), { verdict: FORWARD, high: 3 });
    assert.deepEqual([window.topHigh, window.topLow], [3, 937]);
  });

  it('estimates it where the window spans two (case B)', () => {
    const window = new ReplayWindow(64, true);
    window.moveTo(4, MAX);
    assert.deepEqual(receive(window, 10), { verdict: FORWARD, high: 5 });
    assert.deepEqual(receive(window, MAX), { verdict: Drop.ipsecReplayed, high: 4 });
    assert.deepEqual(receive(window, 9), { verdict: FORWARD, high: 5 });
    assert.deepEqual(receive(window, MAX - 52), { verdict: Drop.ipsecReplayed, high: 4 });
    assert.deepEqual(receive(window, MAX - 53), { verdict: FORWARD, high: 5 });
  });

  it('has neither a number below 0 nor one above 2^64', () => {
    const fresh = new ReplayWindow(64, true);
    assert.equal(fresh.check(MAX), Drop.ipsecTooOld);
    assert.equal(fresh.check(0), Drop.ipsecReplayed);
    assert.deepEqual(receive(fresh, 1), { verdict: FORWARD, high: 0 });
    const last = new ReplayWindow(64, true);
    last.moveTo(MAX, MAX - 1);
    assert.deepEqual(receive(last, MAX), { verdict: FORWARD, high: MAX });
    assert.equal(last.check(5), Drop.ipsecTooOld);
  });

  it('of 0 packets checks nothing, and estimates the nearest number', () => {
    const window = new ReplayWindow(0, true);
    for (const low of [5, 5, 3]) assert.deepEqual(receive(window, low), { verdict: FORWARD, high: 0 });
    window.moveTo(7, MAX);
    assert.deepEqual(receive(window, 4), { verdict: FORWARD, high: 8 });
    assert.deepEqual(receive(window, MAX - 1000), { verdict: FORWARD, high: 7 });
    assert.deepEqual([window.topHigh, window.topLow], [8, 4]);
  });
});
