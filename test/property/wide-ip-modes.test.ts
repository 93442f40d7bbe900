// Choices among members of any pool in any state, against a model that is as simple as the definitions.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { MemberMode } from '../../src/gtm/description.ts';
import { Stage } from '../../src/gtm/member-selector.ts';
import { MemberBit } from '../../src/gtm/state-layout.ts';
import { GtmRig } from '../support/gtm-rig.ts';

const SEED = 20_261_130;

/** Few values, so that many are equal. */
const metric = fc.oneof(fc.constant(-1), fc.nat(4), fc.nat(1000));
const member = fc.record({
  ratio: fc.nat(3),
  isName: fc.boolean(),
  bits: fc.constantFrom(
    0,
    MemberBit.usable,
    MemberBit.fallback,
    MemberBit.usable | MemberBit.fallback,
    MemberBit.drains,
  ),
  number: metric,
  score: fc.oneof(fc.constant(undefined), fc.nat(3)),
});
type Member = typeof member extends fc.Arbitrary<infer Of> ? Of : never;

type Value = (member: Member) => number | undefined;
const ofServer =
  (sign: number): Value =>
  ({ isName, number }) =>
    isName || number < 0 ? undefined : sign * number;
const ofPath =
  (sign: number): Value =>
  ({ number }) =>
    number < 0 ? undefined : sign * number;

/** What the highest of is chosen; undefined: no candidate. */
const VALUES: readonly (readonly [MemberMode, Value])[] = [
  ['least-connections', ofServer(-1)],
  ['packet-rate', ofServer(-1)],
  ['kilobytes-per-second', ofServer(-1)],
  ['cpu', ofServer(-1)],
  ['virtual-server-score', ofServer(1)],
  ['fewest-hops', ofPath(-1)],
  ['lowest-round-trip-time', ofPath(-1)],
  ['completion-rate', ofPath(1)],
  ['topology', ({ score }) => score ?? 0],
];

function rigOf(members: readonly Member[]): GtmRig {
  const rig = new GtmRig([{ members: [{}] }, { members: members.map((of, place) => ({ ...of, datacenter: place })) }]);
  for (const [place, { bits, number, score }] of members.entries()) {
    const row = place + 1;
    rig.setBits(row, bits);
    const ofLoad = { connections: number, packetsPerSecond: number, kilobytesPerSecond: number, cpu: number };
    rig.measure(row, { ...ofLoad, score: number, capacity: number });
    if (score !== undefined) rig.scores.set(row, score);
    if (number >= 0) rig.measurePath(place, { hops: number, roundTripTime: number, completionRate: number });
  }
  return rig;
}

const isEligible = ({ bits }: Member, stage: Stage): boolean =>
  (bits & (stage === Stage.fallback ? MemberBit.fallback : MemberBit.usable)) !== 0;
const pools = fc.array(member, { maxLength: 12 });
const stages = fc.constantFrom<Stage>(Stage.preferred, Stage.alternate, Stage.fallback);
const most = fc.integer({ min: 1, max: 14 });

/** Places of members in the pool. */
function choose(rig: GtmRig, mode: MemberMode, stage: Stage, count: number): number[] {
  return rig.choose(mode, { pool: 1, stage, most: count }).map((row) => row - 1);
}

it('modes that go by a number take the best ones that are known, one after the other', () => {
  fc.assert(
    fc.property(pools, stages, most, fc.constantFrom(...VALUES), (members, stage, count, [mode, value]) => {
      const rig = rigOf(members);
      const known = members.filter((one) => isEligible(one, stage)).flatMap((one) => value(one) ?? []);
      const best = known.sort((one, other) => other - one).slice(0, count);
      for (let time = 0; time < 3; time++) {
        const chosen = choose(rig, mode, stage, count);
        assert.equal(new Set(chosen).size, chosen.length);
        assert.ok(chosen.every((place) => isEligible(members[place]!, stage)));
        assert.deepEqual(
          chosen.map((place) => value(members[place]!)),
          best,
        );
      }
    }),
    { numRuns: 1500, seed: SEED },
  );
});

it('who is equal for everybody has been chosen as often as the others, or once less', () => {
  fc.assert(
    fc.property(
      pools,
      stages,
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(...VALUES),
      (members, stage, times, of) => {
        const [mode, value] = of;
        const rig = rigOf(members);
        const counts = new Map<number, number>();
        for (let time = 0; time < times; time++) {
          for (const place of choose(rig, mode, stage, 1)) counts.set(place, (counts.get(place) ?? 0) + 1);
        }
        const candidates = [...members.keys()].filter(
          (place) => isEligible(members[place]!, stage) && value(members[place]!) !== undefined,
        );
        const best = Math.max(...candidates.map((place) => value(members[place]!)!));
        const equal = candidates.filter((place) => value(members[place]!) === best);
        const often = equal.map((place) => counts.get(place) ?? 0);
        assert.equal(
          often.reduce((sum, count) => sum + count, 0),
          equal.length === 0 ? 0 : times,
        );
        if (equal.length > 0) assert.ok(Math.max(...often) - Math.min(...often) <= 1, often.join(' '));
      },
    ),
    { numRuns: 500, seed: SEED },
  );
});

it('round robin is the next one of those that may be chosen, while they come and go', () => {
  const step = fc.record({ place: fc.nat(11), bits: fc.nat(7), count: most, stage: stages });
  fc.assert(
    fc.property(pools, fc.array(step, { maxLength: 30 }), (members, steps) => {
      const now = members.map((one) => ({ ...one }));
      const rig = rigOf(now);
      let last = -1;
      for (const { place, bits, count, stage } of steps) {
        if (now[place] !== undefined) {
          now[place].bits = bits;
          rig.setBits(place + 1, bits);
        }
        const behind = now.map((_, index) => (last + 1 + index) % now.length);
        const expected = behind.filter((index) => isEligible(now[index]!, stage)).slice(0, count);
        assert.deepEqual(choose(rig, 'round-robin', stage, count), expected);
        last = expected[0] ?? last;
      }
    }),
    { numRuns: 1000, seed: SEED },
  );
});

it('modes by chance take only who has a weight, unless nobody has, and each once', () => {
  fc.assert(
    fc.property(
      pools,
      stages,
      most,
      fc.constantFrom('ratio', 'virtual-server-capacity'),
      (members, stage, count, mode) => {
        const weight = ({ ratio, isName, number }: Member): number | undefined =>
          mode === 'ratio' ? ratio : isName || number < 0 ? undefined : number;
        const rig = rigOf(members);
        const candidates = members.filter((one) => isEligible(one, stage) && weight(one) !== undefined);
        const weighty = candidates.filter((one) => weight(one)! > 0);
        const choices = weighty.length > 0 ? weighty : candidates;
        const chosen = choose(rig, mode, stage, count);
        assert.equal(chosen.length, Math.min(count, choices.length));
        assert.equal(new Set(chosen).size, chosen.length);
        assert.ok(chosen.every((place) => choices.includes(members[place]!)));
      },
    ),
    { numRuns: 1000, seed: SEED },
  );
});
