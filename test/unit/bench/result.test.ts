import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BENCHMARKS } from '../../bench/benchmark.ts';
import { QUIET_MPPS, isQuiet } from '../../bench/quiet.ts';
import { median, reaches, resultOf, tableOf } from '../../bench/result.ts';
import type { Round } from '../../bench/result.ts';

const benchmark = (name: string) => BENCHMARKS.find((one) => one.name === name)!;
const rest = { forwarderMpps: 2, busyBefore: 0 };
const disturbed = { forwarderMpps: 0.5, busyBefore: 0.9 };
const rounds = (...pairs: [wideplane: number, peer: number][]): Round[] =>
  pairs.map(([wideplane, peer]) => ({ wideplane, peer, control: rest }));

describe('a result', () => {
  it('has a ratio above 1 where more is better and wideplane has more', () => {
    const result = resultOf(benchmark('vxlan-encap-64-vs-kernel'), rounds([2, 1], [4, 1], [3, 2]), 2, 3);
    assert.deepEqual(
      [result.wideplane, result.peer, result.peerName, result.ratio, result.quiet],
      [3, 1, 'kernel', 3, true],
    );
  });

  it('has a ratio above 1 where less is better and wideplane needs less', () => {
    const times = resultOf(benchmark('vxlan-rtt-vs-ovs'), rounds([50, 100]), 2, 1);
    assert.equal(times.ratio, 2);
    const idle = resultOf(benchmark('idle-cpu'), rounds([0.5, 2]), 2, 1);
    assert.deepEqual([idle.ratio, idle.peerName], [4, 'budget']);
  });

  it('counts every round where a budget is kept or not, however busy the machine is', () => {
    const busy: Round[] = [{ wideplane: 200, peer: 250, control: disturbed }];
    const result = resultOf(benchmark('dataplaned-memory'), busy, 2, 1);
    assert.deepEqual([result.quiet, result.ratio], [true, 1.25]);
  });

  it('keeps disturbed rounds, and leaves them out of the medians', () => {
    const result = resultOf(
      benchmark('idle-cpu'),
      [...rounds([1, 2], [1, 2]), { wideplane: 9, peer: 2, control: disturbed }],
      2,
      2,
    );
    assert.equal(result.wideplane, 1);
    assert.deepEqual(
      result.rounds.map(({ quiet }) => quiet),
      [true, true, false],
    );
  });

  it('is void when too few rounds were quiet, whatever its ratio', () => {
    const result = resultOf(benchmark('idle-cpu'), [{ wideplane: 1, peer: 2, control: disturbed }], 2, 1);
    assert.equal(result.quiet, false);
    assert.ok(reaches(result));
    assert.match(tableOf([result]), /void: not quiet/);
  });
});

describe('a round is quiet', () => {
  it('when the forwarder is as fast as on a quiet machine', () => {
    assert.ok(isQuiet({ forwarderMpps: QUIET_MPPS, busyBefore: 1 }, 9));
  });

  it('on a slow machine when that was at rest and the forwarder near its best', () => {
    assert.ok(isQuiet({ forwarderMpps: 0.6, busyBefore: 0.02 }, 0.7));
    assert.ok(!isQuiet({ forwarderMpps: 0.6, busyBefore: 0.2 }, 0.7));
    assert.ok(!isQuiet({ forwarderMpps: 0.5, busyBefore: 0.02 }, 0.7));
  });
});

describe('the median', () => {
  it('is the middle, or the mean of both middles', () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 3, 2]), 2.5);
  });
});
