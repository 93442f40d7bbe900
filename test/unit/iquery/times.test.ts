// Back-off, dialling and clocks that differ: the parts of the mesh that are about time alone.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BackOff, LONGEST_WAIT_MS } from '../../../src/iquery/back-off.ts';
import { ClockSkew } from '../../../src/iquery/clock-skew.ts';
import { DIAL_GAP_MS, Dialer } from '../../../src/iquery/dialer.ts';
import { SaidOnce } from '../../../src/iquery/said-once.ts';
import { FakeClock } from '../../support/health-rig.ts';

it('waits double from 1 s to 30 s, a quarter less or more, until a connection was good', () => {
  for (const [random, factor] of [
    [0, 0.75],
    [0.5, 1],
    [1, 1.25],
  ] as const) {
    const backOff = new BackOff(() => random);
    const waits = Array.from({ length: 7 }, () => backOff.waitAfter(0));
    assert.deepEqual(
      waits,
      [1, 2, 4, 8, 16, 30, 30].map((seconds) => 1000 * factor * seconds),
    );
    assert.equal(backOff.waitAfter(59_999), 30_000 * factor);
    assert.equal(backOff.waitAfter(60_000), 1000 * factor);
    assert.equal(backOff.waitAfter(0), 2000 * factor);
  }
  assert.equal(LONGEST_WAIT_MS, 37_500);
});

it('whoever is due is dialled in turn, no two within the gap, the earliest first', () => {
  const clock = new FakeClock();
  const dialled: [string, number][] = [];
  const dialer = new Dialer<string>(clock, (item) => dialled.push([item, clock.now()]));
  dialer.dialIn('late', 1000);
  dialer.dialIn('never', 500);
  for (const item of ['a', 'b', 'c']) dialer.dialIn(item, 0);
  dialer.dialIn('b', 200);
  dialer.dialSooner('late', 300);
  dialer.dialSooner('late', 400);
  dialer.dialSooner('nobody', 0);
  dialer.cancel('never');
  assert.equal(dialer.waitOf('late'), 300);
  assert.equal(dialer.waitOf('nobody'), undefined);
  clock.advance(10_000);
  assert.deepEqual(dialled, [
    ['a', 0],
    ['c', DIAL_GAP_MS],
    ['b', 200],
    ['late', 300],
  ]);
  dialer.dialIn('a', 0);
  dialer.stop();
  clock.advance(10_000);
  assert.equal(dialled.length, 4);
});

it('a clock is wrong when it is so however the way there and back is divided', () => {
  const skew = new ClockSkew();
  skew.sent(1_000_000, 0);
  // 4 s for both ways: the peer's clock is between 4 and 8 s ahead.
  assert.equal(skew.heard(1_008_000, 1_000_000, 1_004_000, 4000), undefined);
  assert.deepEqual([skew.skewMs, skew.roundTripMs], [6000, 4000]);
  skew.sent(1_010_000, 10_000);
  assert.equal(skew.heard(1_016_100, 1_010_000, 1_010_200, 10_200), 'wrong');
  assert.equal(skew.skewMs, 6000);
  assert.equal(skew.heard(0, 1_010_000, 1_011_000, 11_000), undefined, 'the second answer to the same');
  skew.sent(1_020_000, 20_000);
  assert.equal(skew.heard(1_024_600, 1_020_000, 1_020_200, 20_200), undefined, 'still, and said');
  assert.equal(skew.heard(0, undefined, 1_021_000, 21_000), undefined);
  skew.sent(1_030_000, 30_000);
  assert.equal(skew.heard(1_030_100, 1_030_000, 1_030_200, 30_200), 'right');
  assert.equal(skew.skewMs, 0);
});

it('remembers what was said, of so many speakers and so much of each', () => {
  const said = new SaidOnce();
  assert.deepEqual([said.isNew('a', 'x'), said.isNew('a', 'x'), said.isNew('b', 'x')], [true, false, true]);
  const news = Array.from({ length: 100 }, (_, index) => said.isNew('a', `${index}`)).filter(Boolean);
  assert.equal(news.length, 31);
  const speakers = Array.from({ length: 5000 }, (_, index) => said.isNew(`speaker ${index}`, 'x')).filter(Boolean);
  assert.equal(speakers.length, 1022);
});
