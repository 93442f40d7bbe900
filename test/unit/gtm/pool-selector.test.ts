import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PoolMode } from '../../../src/gtm/description.ts';
import { POOL_MODES } from '../../../src/gtm/description.ts';
import { PoolsAmong } from '../../../src/gtm/pool-selector.ts';
import { TraceEvent, TraceLog } from '../../../src/gtm/trace.ts';
import { assertShares } from '../../support/chi-square.ts';
import { GtmRig } from '../../support/gtm-rig.ts';

const POOL = { members: [{}] };
const TIMES = 12_000;

/** A wide IP that is not the first one, with a pool for each ratio. */
function rigOf(mode: PoolMode, ratios: readonly number[], settings = {}): GtmRig {
  const pools = ratios.map((ratio, pool) => ({ pool, ratio }));
  const other = { mode: 'ratio', pools: [{ pool: 0 }] } as const;
  return new GtmRig(
    ratios.map(() => POOL),
    [other, { mode, pools }],
    settings,
  );
}

function count(rig: GtmRig, times: number, among: PoolsAmong = PoolsAmong.available, tried: number[] = []): number[] {
  const counts = new Array<number>(rig.tables.layout.pools).fill(0);
  for (let time = 0; time < times; time++) counts[rig.choosePool(1, among, tried)]!++;
  return counts;
}

describe('the choice among pools', () => {
  for (const mode of POOL_MODES) {
    it(`by ${mode} takes pools that are available and not tried, or all that are enabled`, () => {
      const rig = rigOf(mode, [1, 1, 1, 1]);
      rig.setPool(0, 0, true);
      rig.setPool(1, 0, false);
      assert.deepEqual(count(rig, 50).slice(0, 2), [0, 0]);
      assert.deepEqual(count(rig, 10, PoolsAmong.available, [2]), [0, 0, 0, 10]);
      assert.equal(rig.choosePool(1, PoolsAmong.available, [2, 3]), -1);
      assert.deepEqual(count(rig, 10, PoolsAmong.enabled, [2, 3]), [10, 0, 0, 0]);
      assert.equal(rig.choosePool(1, PoolsAmong.enabled, [0, 2, 3]), -1);
    });

    it(`by ${mode} has none in a wide IP without pools`, () => {
      assert.equal(rigOf(mode, []).choosePool(0), -1);
    });
  }

  it('by round robin gives exactly equal shares, also while pools come and go', () => {
    const rig = rigOf('round-robin', [5, 1, 1, 0]);
    const sequence = Array.from({ length: 5 }, () => rig.choosePool(1));
    assert.deepEqual(sequence, [0, 1, 2, 3, 0]);
    rig.setPool(2, 0, true);
    assert.deepEqual(count(rig, 300), [100, 100, 0, 100]);
    rig.setPool(2, 3, true);
    assert.deepEqual(count(rig, 400), [100, 100, 100, 100]);
  });

  it('by round robin goes on behind the pool that answered when one before it could not', () => {
    const rig = rigOf('round-robin', [1, 1, 1]);
    assert.equal(rig.choosePool(1), 0);
    assert.equal(rig.choosePool(1, PoolsAmong.available, [0]), 1);
    assert.equal(rig.choosePool(1), 2);
  });

  it('by ratio gives shares in proportion, nothing to ratio 0 unless all have that', () => {
    const rig = rigOf('ratio', [3, 0, 1, 6]);
    assertShares(count(rig, TIMES), [3, 0, 1, 6]);
    rig.setPool(3, 0, true);
    assertShares(count(rig, TIMES), [3, 0, 1, 0]);
    assertShares(count(rig, TIMES, PoolsAmong.enabled), [3, 0, 1, 6]);
    assertShares(count(rigOf('ratio', [0, 0]), TIMES), [1, 1]);
  });

  it('by global availability is the first one', () => {
    const rig = rigOf('global-availability', [1, 9, 9]);
    assert.deepEqual(count(rig, 10), [10, 0, 0]);
    rig.setPool(0, 0, true);
    assert.deepEqual(count(rig, 10), [0, 10, 0]);
  });

  it('by topology is the highest score; equal ones take turns', () => {
    const rig = rigOf('topology', [1, 1, 1]);
    // The first reference is that of the other wide IP.
    rig.scores.set(1001, 5).set(1002, 7).set(1003, 7);
    assert.deepEqual(count(rig, 100), [0, 50, 50]);
    rig.setPool(1, 0, true);
    rig.setPool(2, 0, true);
    assert.deepEqual(count(rig, 10), [10, 0, 0]);
  });

  it('by topology counts no record as 0, which may be good for nothing', () => {
    const alike = rigOf('topology', [1, 1]);
    assert.deepEqual(count(alike, 10), [5, 5]);
    alike.scores.set(1002, 0);
    assert.deepEqual(count(alike, 10), [5, 5]);
    const rig = rigOf('topology', [1, 1], { topologyAllowZeroScores: false });
    assert.equal(rig.choosePool(1), -1);
    rig.scores.set(1002, 1);
    assert.equal(rig.choosePool(1), 1);
  });

  it('tells which pools could be chosen, and what the mode goes by', () => {
    const told = (mode: PoolMode): number[] => {
      const rig = rigOf(mode, [3, 4, 5, 0]);
      rig.scores.set(1001, 7).set(1004, 9);
      rig.setPool(1, 0, true);
      const log = new TraceLog();
      rig.pools.trace = log;
      rig.choosePool(1, PoolsAmong.available, [2]);
      return log.numbers;
    };
    const { poolCandidate } = TraceEvent;
    const places = [poolCandidate, 1, 0, 0, poolCandidate, 4, 3, 0];
    assert.deepEqual(told('round-robin'), places);
    assert.deepEqual(told('global-availability'), places);
    assert.deepEqual(told('ratio'), [poolCandidate, 1, 3, 0, poolCandidate, 4, 0, 0]);
    assert.deepEqual(told('topology'), [poolCandidate, 1, 7, 0, poolCandidate, 4, 9, 0]);
  });

  it('goes on where it was when the tables are made anew', () => {
    for (const mode of ['round-robin', 'topology'] as const) {
      const before = new GtmRig([POOL, POOL, POOL], [{ mode, pools: [{ pool: 0 }, { pool: 1 }, { pool: 2 }] }]);
      assert.deepEqual([before.choosePool(), before.choosePool()], [0, 1]);
      // What was pool 1 is pool 0 now, pool 2 is 1, pool 0 is 2, and the wide IP is the second.
      const pools = [1, 2, 0].map((carried) => ({ ...POOL, carried }));
      const after = new GtmRig(pools, [
        { mode, pools: [{ pool: 0 }] },
        { mode, pools: [{ pool: 2 }, { pool: 0 }, { pool: 1 }], carried: 0 },
      ]);
      after.pools.carry(before.pools);
      assert.deepEqual([after.choosePool(1), after.choosePool(1), after.choosePool(0)], [2, 0, 0], mode);
    }
  });

  it('goes on behind the pool in front of the one that was last, when that is gone', () => {
    const before = new GtmRig(
      [POOL, POOL, POOL],
      [{ mode: 'round-robin', pools: [0, 1, 2].map((pool) => ({ pool })) }],
    );
    assert.deepEqual([before.choosePool(), before.choosePool()], [0, 1]);
    const pools = [0, 2].map((carried) => ({ ...POOL, carried }));
    const after = new GtmRig(pools, [{ mode: 'round-robin', pools: [{ pool: 0 }, { pool: 1 }], carried: 0 }]);
    after.pools.carry(before.pools);
    assert.deepEqual([after.choosePool(), after.choosePool()], [1, 0]);
  });
});
