// Modes that go by what is measured: the lowest or the highest of what is known; equal ones take turns.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MemberMode } from '../../../src/gtm/description.ts';
import { assertShares } from '../../support/chi-square.ts';
import { GtmRig, type Metrics, type RigMember } from '../../support/gtm-rig.ts';

const members = (count: number): RigMember[] => Array.from({ length: count }, (_, datacenter) => ({ datacenter }));
const pool = (count: number) => ({ members: members(count) });

type Measure = (rig: GtmRig, member: number, value: number) => void;
const server =
  (metric: keyof Metrics): Measure =>
  (rig, member, value) => {
    rig.measure(member, { [metric]: value });
  };
const path =
  (metric: 'roundTripTime' | 'hops' | 'completionRate'): Measure =>
  (rig, member, value) => {
    rig.measurePath(member, { [metric]: value });
  };

/** With what each goes by, and whether the lowest or the highest is the best. */
const MODES: readonly (readonly [MemberMode, Measure, 'lowest' | 'highest'])[] = [
  ['least-connections', server('connections'), 'lowest'],
  ['packet-rate', server('packetsPerSecond'), 'lowest'],
  ['kilobytes-per-second', server('kilobytesPerSecond'), 'lowest'],
  ['cpu', server('cpu'), 'lowest'],
  ['virtual-server-score', server('score'), 'highest'],
  ['lowest-round-trip-time', path('roundTripTime'), 'lowest'],
  ['fewest-hops', path('hops'), 'lowest'],
  ['completion-rate', path('completionRate'), 'highest'],
];

for (const [mode, measure, best] of MODES) {
  /** The worse the higher the number. */
  const set = (rig: GtmRig, member: number, rank: number): void => {
    measure(rig, member, best === 'lowest' ? rank : 1000 - rank);
  };

  describe(mode, () => {
    it(`is the ${best} that is known`, () => {
      const rig = new GtmRig([pool(4)]);
      set(rig, 0, 30);
      set(rig, 1, 10);
      set(rig, 2, 20);
      assert.deepEqual(rig.count(mode, 20), [0, 20, 0, 0]);
      rig.setUsable(1, false);
      assert.deepEqual(rig.count(mode, 20), [0, 0, 20, 0]);
      set(rig, 0, 0);
      assert.deepEqual(rig.count(mode, 20), [20, 0, 0, 0]);
    });

    it('has nobody when nothing is known of those that are usable', () => {
      const rig = new GtmRig([pool(3)]);
      assert.deepEqual(rig.choose(mode), []);
      set(rig, 1, 5);
      rig.setUsable(1, false);
      assert.deepEqual(rig.choose(mode, { most: 3 }), []);
    });

    it('lets equal bests take turns', () => {
      const rig = new GtmRig([pool(4)]);
      for (const [member, rank] of [5, 9, 5, 5].entries()) set(rig, member, rank);
      const chosen = Array.from({ length: 6 }, () => rig.choose(mode)[0]);
      assert.deepEqual(chosen, [0, 2, 3, 0, 2, 3]);
      rig.setUsable(2, false);
      assert.deepEqual(rig.count(mode, 100), [50, 0, 0, 50]);
    });

    it('is applied again for further answers, and passes over what is unknown', () => {
      const rig = new GtmRig([pool(5)]);
      for (const [member, rank] of [7, 3, 5].entries()) set(rig, member, rank);
      assert.deepEqual(rig.choose(mode, { most: 2 }), [1, 2]);
      assert.deepEqual(rig.choose(mode, { most: 5 }), [1, 2, 0]);
    });
  });
}

describe('turns of equal members', () => {
  it('make each first equally often, however many are answered', () => {
    for (const most of [1, 2, 3, 4]) {
      const rig = new GtmRig([pool(4)]);
      for (let member = 0; member < 4; member++) rig.measure(member, { connections: 5 });
      assert.deepEqual(rig.count('least-connections', 400, { most }), [100, 100, 100, 100]);
    }
  });

  it('are fair also behind one that is better', () => {
    const rig = new GtmRig([pool(4)]);
    for (const [member, connections] of [5, 1, 5, 5].entries()) rig.measure(member, { connections });
    const second = [0, 0, 0, 0];
    for (let time = 0; time < 300; time++) second[rig.choose('least-connections', { most: 2 })[1]!]!++;
    assert.deepEqual(second, [100, 0, 100, 100]);
  });

  it('are fair to clients of two places that ask by turns', () => {
    const rig = new GtmRig([pool(4)]);
    const counts = [0, 0, 0, 0];
    for (let time = 0; time < 400; time++) {
      // One has members 0 and 1 before it, and the other one 2 and 3.
      for (let member = 0; member < 4; member++) rig.scores.set(member, member >> 1 === time % 2 ? 9 : 1);
      counts[rig.choose('topology')[0]!]!++;
    }
    assert.deepEqual(counts, [100, 100, 100, 100]);
  });

  it('go on when the tables are made anew', () => {
    const named = (...names: string[]) => ({ members: names.map((name) => ({ name })), carried: 0 });
    const before = new GtmRig([named('a', 'b', 'c')]);
    const after = new GtmRig([named('x', 'c', 'b', 'a')]);
    for (const rig of [before, after]) for (let member = 0; member < 4; member++) rig.scores.set(member, 5);
    assert.deepEqual([before.choose('topology'), before.choose('topology')], [[0], [1]]);
    after.members.carry(before.members);
    // x is new and c was not chosen yet; then a was before b.
    const chosen = Array.from({ length: 5 }, () => after.choose('topology')[0]);
    assert.deepEqual(chosen, [0, 1, 3, 2, 0]);
  });
});

describe('what is measured of paths', () => {
  const twoRig = (settings = {}): GtmRig =>
    new GtmRig([{ members: [...members(2), { datacenter: -1 }] }], [], settings);

  it('is that of the client that asks', () => {
    const rig = twoRig();
    rig.measurePath(0, { roundTripTime: 10 });
    rig.measurePath(1, { roundTripTime: 20 });
    rig.client.setResolver(Uint8Array.of(192, 0, 2, 2), 0, 4);
    assert.deepEqual(rig.choose('lowest-round-trip-time'), []);
    rig.measurePath(0, { roundTripTime: 20 });
    rig.measurePath(1, { roundTripTime: 10 });
    assert.deepEqual(rig.choose('lowest-round-trip-time'), [1]);
    rig.client.setResolver(Uint8Array.of(192, 0, 2, 1), 0, 4);
    assert.deepEqual(rig.choose('lowest-round-trip-time'), [0]);
    // The same words of the other family are another client.
    rig.client.setResolver(Uint8Array.of(192, 0, 2, 1, ...new Array<number>(12).fill(0)), 0, 16);
    assert.deepEqual(rig.choose('lowest-round-trip-time'), []);
    rig.measurePath(1, { roundTripTime: 10 });
    assert.deepEqual(rig.choose('lowest-round-trip-time', { most: 3 }), [1]);
  });

  it('is of no use behind its time, unless that is ignored', () => {
    for (const ignorePathTtl of [false, true]) {
      const rig = twoRig({ ignorePathTtl });
      rig.measurePath(0, { hops: 3 }, rig.client.now);
      rig.measurePath(1, { hops: 9 }, rig.client.now + 10);
      assert.deepEqual(rig.choose('fewest-hops'), [0]);
      rig.client.now += 1;
      assert.deepEqual(rig.choose('fewest-hops'), ignorePathTtl ? [0] : [1]);
      rig.client.now += 10;
      assert.deepEqual(rig.choose('fewest-hops'), ignorePathTtl ? [0] : []);
    }
  });

  it('may be known in part', () => {
    const rig = twoRig();
    rig.measurePath(0, { hops: 3 });
    rig.measurePath(1, { roundTripTime: 9 });
    assert.deepEqual(rig.choose('fewest-hops', { most: 3 }), [0]);
    assert.deepEqual(rig.choose('lowest-round-trip-time', { most: 3 }), [1]);
    assert.deepEqual(rig.choose('completion-rate'), []);
  });
});

describe('members that are names', () => {
  it('have nothing that is measured of a virtual server', () => {
    const rig = new GtmRig([{ members: [{ isName: true, ratio: 3 }, { isName: true }, {}], dynamicRatio: true }]);
    rig.measure(0, { connections: 1, score: 100 });
    rig.measure(2, { connections: 7, score: 4 });
    assert.deepEqual(rig.choose('least-connections', { most: 3 }), [2]);
    assert.deepEqual(rig.choose('virtual-server-score', { most: 3 }), [2]);
    assertShares(rig.count('ratio', 12_000), [3, 1, 4]);
  });
});

describe('topology among members', () => {
  it('is the highest score, and no record is as good as 0', () => {
    const rig = new GtmRig([pool(4)]);
    rig.scores.set(1, 10).set(2, 30).set(3, 20);
    assert.deepEqual(rig.choose('topology', { most: 4 }), [2, 3, 1, 0]);
    rig.setUsable(2, false);
    assert.deepEqual(rig.count('topology', 10), [0, 0, 0, 10]);
    rig.scores.clear();
    rig.scores.set(1, 0);
    assert.deepEqual(rig.count('topology', 99), [33, 33, 0, 33]);
  });

  it('has nobody at score 0 where that does not count', () => {
    const rig = new GtmRig([pool(3)], [], { topologyAllowZeroScores: false });
    rig.scores.set(1, 0);
    assert.deepEqual(rig.choose('topology'), []);
    rig.scores.set(2, 1);
    assert.deepEqual(rig.choose('topology', { most: 3 }), [2]);
  });

  it('looks a client up once for a query', () => {
    const rig = new GtmRig([pool(3)]);
    rig.choose('topology');
    assert.equal(rig.lookUps, 1);
    // As it would for another pool of the same answer.
    rig.members.choose(0, 16, 0, rig.client, 1);
    assert.equal(rig.lookUps, 1);
  });
});
