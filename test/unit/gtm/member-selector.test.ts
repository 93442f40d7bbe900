// Modes that look at nothing that is measured, or at weights; and what holds for all modes.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MEMBER_MODES, type MemberMode } from '../../../src/gtm/description.ts';
import { Stage } from '../../../src/gtm/member-selector.ts';
import { MemberBit } from '../../../src/gtm/state-layout.ts';
import { TRACE_NUMBERS, TraceEvent, TraceLog } from '../../../src/gtm/trace.ts';
import { assertShares } from '../../support/chi-square.ts';
import { GtmRig } from '../../support/gtm-rig.ts';

const TIMES = 12_000;
const pool = (count: number) => ({ members: Array.from({ length: count }, () => ({})) });
/** Those that end the matter without a choice. */
const ENDS: readonly MemberMode[] = ['drop-packet', 'fallback-ip', 'none', 'return-to-dns'];
const CHOOSING = MEMBER_MODES.filter((mode) => !ENDS.includes(mode));

/** Of each member everything is known, and all of it is the same. */
function measuredAlike(members: number, seed = 1): GtmRig {
  const rig = new GtmRig([{ ...pool(members), qos: { rtt: 50, vsScore: 3 } }], [], {}, seed);
  const metrics = { connections: 5, packetsPerSecond: 5, kilobytesPerSecond: 5, capacity: 5, score: 5, cpu: 5 };
  for (let member = 0; member < members; member++) rig.measure(member, metrics);
  rig.measurePath(0, { roundTripTime: 5, hops: 5, completionRate: 5 });
  return rig;
}

describe('round robin among members', () => {
  it('gives usable members exactly equal shares, one after the other', () => {
    const rig = new GtmRig([pool(4)]);
    rig.setUsable(1, false);
    const chosen = Array.from({ length: 9 }, () => rig.choose('round-robin')[0]);
    assert.deepEqual(chosen, [0, 2, 3, 0, 2, 3, 0, 2, 3]);
  });

  it('stays exact while members come and go', () => {
    const rig = new GtmRig([pool(5)]);
    const usable = new Set([0, 1, 2, 3, 4]);
    for (const change of [2, 4, 2, 0, 1, 0, 4, 3, 1, 3]) {
      if (!usable.delete(change)) usable.add(change);
      rig.setUsable(change, usable.has(change));
      const counts = rig.count('round-robin', 100 * usable.size);
      assert.deepEqual(
        counts,
        [0, 1, 2, 3, 4].map((member) => (usable.has(member) ? 100 : 0)),
      );
    }
  });

  it('gives several in a row, and each is first equally often', () => {
    const rig = new GtmRig([pool(3)]);
    const chosen = Array.from({ length: 4 }, () => rig.choose('round-robin', { most: 2 }));
    assert.deepEqual(chosen, [
      [0, 1],
      [1, 2],
      [2, 0],
      [0, 1],
    ]);
    assert.deepEqual(rig.choose('round-robin', { most: 10 }), [1, 2, 0]);
  });

  it('has a place of its own for each pool', () => {
    const rig = new GtmRig([pool(2), pool(2)]);
    assert.deepEqual(
      [0, 1, 0, 1].map((number) => rig.choose('round-robin', { pool: number })[0]),
      [0, 2, 1, 3],
    );
  });

  it('goes on where it was when the tables are made anew, though members are others', () => {
    const named = (...names: string[]) => names.map((name) => ({ name }));
    const before = new GtmRig([{ members: named('x') }, { members: named('a', 'b', 'c', 'd') }]);
    assert.deepEqual(
      [before.choose('round-robin', { pool: 1 }), before.choose('round-robin', { pool: 1 })],
      [[1], [2]],
    );
    const after = new GtmRig([{ members: named('d', 'new', 'b', 'c'), carried: 1 }, { members: named('y', 'z') }]);
    after.members.carry(before.members);
    // Behind b stands c now.
    assert.deepEqual(after.choose('round-robin'), [3]);
    assert.deepEqual(after.choose('round-robin', { pool: 1 }), [4]);
  });
});

describe('round robin in tables that are made anew, without the member that was last', () => {
  const named = (...names: string[]) => ({ members: names.map((name) => ({ name })), carried: 0 });

  it('goes on behind the one in front of it', () => {
    for (const [chosen, next] of [
      [1, 'b'],
      [2, 'c'],
      [3, 'd'],
      [4, 'a'],
    ] as const) {
      const before = new GtmRig([named('a', 'b', 'c', 'd')]);
      for (let time = 0; time < chosen; time++) before.choose('round-robin');
      const left = ['a', 'b', 'c', 'd'].filter((_, place) => place !== chosen - 1);
      const after = new GtmRig([named(...left)]);
      after.members.carry(before.members);
      assert.equal(left[after.choose('round-robin')[0]!], next);
    }
  });
});

describe('ratio among members', () => {
  const ratios = [1, 0, 2, 7];
  const rigOf = (seed = 1) => new GtmRig([{ members: ratios.map((ratio) => ({ ratio })) }], [], {}, seed);

  it('gives shares in proportion, and nothing to ratio 0', () => {
    assertShares(rigOf().count('ratio', TIMES), ratios);
  });

  it('leaves out what is not usable, and what has ratio 0 as long as another has more', () => {
    const rig = rigOf(2);
    rig.setUsable(3, false);
    assertShares(rig.count('ratio', TIMES), [1, 0, 2, 0]);
    rig.setUsable(2, false);
    assert.deepEqual(rig.count('ratio', 100), [100, 0, 0, 0]);
    rig.setUsable(0, false);
    assert.deepEqual(rig.count('ratio', 100), [0, 100, 0, 0]);
  });

  it('gives equal shares when all ratios are 0', () => {
    const rig = new GtmRig([{ members: [{ ratio: 0 }, { ratio: 0 }, { ratio: 0 }] }]);
    assertShares(rig.count('ratio', TIMES), [1, 1, 1]);
  });

  it('is applied again among the rest for further answers', () => {
    const rig = rigOf(3);
    const pairs = new Map<string, number>();
    for (let time = 0; time < TIMES; time++) {
      const pair = rig.choose('ratio', { most: 2 }).join();
      pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
    }
    // P(i, j) = ri / 10 × rj / (10 - ri)
    const expected = [
      ['0,2', (1 / 10) * (2 / 9)],
      ['0,3', (1 / 10) * (7 / 9)],
      ['2,0', (2 / 10) * (1 / 8)],
      ['2,3', (2 / 10) * (7 / 8)],
      ['3,0', (7 / 10) * (1 / 3)],
      ['3,2', (7 / 10) * (2 / 3)],
    ] as const;
    assert.equal(pairs.size, expected.length);
    assertShares(
      expected.map(([pair]) => pairs.get(pair) ?? 0),
      expected.map(([, share]) => share),
    );
    assert.deepEqual(rig.choose('ratio', { most: 9 }).sort(), [0, 2, 3]);
  });

  it('follows scores of virtual servers where ratios are dynamic, and what was written where there is none', () => {
    const rig = new GtmRig([{ members: [{ ratio: 9 }, { ratio: 9 }, { ratio: 5 }], dynamicRatio: true }]);
    rig.measure(0, { score: 20 });
    rig.measure(1, { score: 0 });
    assertShares(rig.count('ratio', TIMES), [20, 0, 5]);
    const written = new GtmRig([{ members: [{ ratio: 9 }, { ratio: 1 }] }]);
    written.measure(1, { score: 1000 });
    assertShares(written.count('ratio', TIMES), [9, 1]);
  });
});

describe('virtual server capacity', () => {
  it('gives shares in proportion to what is known', () => {
    const rig = new GtmRig([pool(4)]);
    assert.deepEqual(rig.choose('virtual-server-capacity'), []);
    rig.measure(0, { capacity: 100 });
    rig.measure(1, { capacity: 300 });
    rig.measure(2, { capacity: 0 });
    assertShares(rig.count('virtual-server-capacity', TIMES), [1, 3, 0, 0]);
    rig.setUsable(1, false);
    assert.deepEqual(rig.count('virtual-server-capacity', 50), [50, 0, 0, 0]);
  });

  it('gives equal shares when all of them have none', () => {
    const rig = new GtmRig([pool(3)]);
    rig.measure(0, { capacity: 0 });
    rig.measure(2, { capacity: 0 });
    assertShares(rig.count('virtual-server-capacity', TIMES), [1, 0, 1]);
  });
});

describe('global availability among members', () => {
  it('is the first one by order that is usable', () => {
    const rig = new GtmRig([pool(4)]);
    assert.deepEqual(rig.count('global-availability', 10), [10, 0, 0, 0]);
    rig.setUsable(0, false);
    rig.setUsable(2, false);
    assert.deepEqual(rig.count('global-availability', 10), [0, 10, 0, 0]);
    assert.deepEqual(rig.choose('global-availability', { most: 2 }), [1, 3]);
    rig.setUsable(0, true);
    assert.deepEqual(rig.choose('global-availability', { most: 2 }), [0, 1]);
  });
});

describe('every mode that chooses', () => {
  for (const mode of CHOOSING) {
    it(`${mode}: never takes who is not usable, and has nobody when nobody is`, () => {
      const rig = measuredAlike(4);
      rig.setBits(1, MemberBit.fallback | MemberBit.drains);
      rig.setBits(3, 0);
      for (const stage of [Stage.preferred, Stage.alternate]) {
        const counts = rig.count(mode, 200, { stage });
        assert.equal(counts[0]! + counts[2]!, 200);
      }
      for (let member = 0; member < 4; member++) rig.setBits(member, MemberBit.fallback);
      assert.deepEqual(rig.choose(mode), []);
      assert.deepEqual(rig.choose(mode, { stage: Stage.alternate, most: 3 }), []);
    });

    it(`${mode}: as fallback looks at another bit`, () => {
      const rig = measuredAlike(3);
      rig.setBits(0, MemberBit.usable);
      rig.setBits(1, MemberBit.fallback);
      rig.setBits(2, 0);
      assert.deepEqual(rig.count(mode, 20, { stage: Stage.fallback }), [0, 20, 0]);
      assert.deepEqual(rig.count(mode, 20, { stage: Stage.alternate }), [20, 0, 0]);
    });

    it(`${mode}: has no pool without members to choose from, and takes each member once`, () => {
      assert.deepEqual(new GtmRig([pool(0)]).choose(mode), []);
      const rig = measuredAlike(5);
      for (const most of [1, 2, 4, 5, 6]) {
        const chosen = rig.choose(mode, { most });
        assert.equal(chosen.length, Math.min(5, most));
        assert.equal(new Set(chosen).size, chosen.length);
      }
    });
  }

  it('is a choice, and the others are none', () => {
    const rig = measuredAlike(3);
    for (const mode of ENDS) assert.deepEqual(rig.choose(mode), []);
    assert.equal(CHOOSING.length, 15);
  });
});

describe('what is told of a choice', () => {
  /** Members with what the mode goes by; undefined for those that it passes over. */
  function told(rig: GtmRig, mode: MemberMode): [number, number | undefined][] {
    const log = new TraceLog();
    rig.members.trace = log;
    rig.choose(mode, { most: 2 });
    rig.members.trace = undefined;
    const candidates: [number, number | undefined][] = [];
    for (let at = 0; at < log.numbers.length; at += TRACE_NUMBERS) {
      const [event, member, value] = log.numbers.slice(at, at + TRACE_NUMBERS);
      candidates.push([member!, event === TraceEvent.memberCandidate ? value : undefined]);
      assert.ok(event === TraceEvent.memberCandidate || event === TraceEvent.memberUnknown);
    }
    return candidates;
  }

  it('is everybody that could be chosen, by order, and what the mode goes by', () => {
    const rig = new GtmRig([{ members: [{ ratio: 3 }, { ratio: 0 }, {}, { ratio: 8 }], qos: { vsScore: 2 } }]);
    rig.setUsable(2, false);
    rig.measure(0, { connections: 70, score: 5, capacity: 9 });
    rig.measure(3, { connections: 0, score: 0, capacity: 0 });
    rig.scores.set(1, 40);
    assert.deepEqual(told(rig, 'round-robin'), [
      [0, 0],
      [1, 1],
      [3, 3],
    ]);
    assert.deepEqual(told(rig, 'global-availability'), [
      [0, 0],
      [1, 1],
      [3, 3],
    ]);
    assert.deepEqual(told(rig, 'ratio'), [
      [0, 3],
      [1, 0],
      [3, 8],
    ]);
    assert.deepEqual(told(rig, 'virtual-server-capacity'), [
      [0, 9],
      [1, undefined],
      [3, 0],
    ]);
    assert.deepEqual(told(rig, 'least-connections'), [
      [0, 70],
      [1, undefined],
      [3, 0],
    ]);
    assert.deepEqual(told(rig, 'virtual-server-score'), [
      [0, 5],
      [1, undefined],
      [3, 0],
    ]);
    assert.deepEqual(told(rig, 'quality-of-service'), [
      [0, 10],
      [1, undefined],
      [3, 0],
    ]);
    assert.deepEqual(told(rig, 'topology'), [
      [0, 0],
      [1, 40],
      [3, 0],
    ]);
    assert.deepEqual(told(rig, 'cpu'), [
      [0, undefined],
      [1, undefined],
      [3, undefined],
    ]);
  });

  it('changes no choice', () => {
    for (const mode of CHOOSING) {
      const [silent, watched] = [measuredAlike(4, 9), measuredAlike(4, 9)];
      watched.members.trace = new TraceLog();
      for (let time = 0; time < 50; time++) {
        assert.deepEqual(watched.choose(mode, { most: 2 }), silent.choose(mode, { most: 2 }), mode);
      }
    }
  });
});
