// The sum is written out here as docs/decisions/wide-ip-modes.md has it.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { QosWeights } from '../../../src/gtm/description.ts';
import { FACTORS, GtmRig } from '../../support/gtm-rig.ts';

/** What a pool has when nobody says anything (F5-REFERENCE 3.2). */
const DEFAULTS: QosWeights = {
  rtt: 50,
  lcs: 30,
  hitRatio: 5,
  kilobytesPerSecond: 3,
  packetRate: 1,
  hops: 0,
  topology: 0,
  vsCapacity: 0,
  vsScore: 0,
};

type Measured = Partial<Omit<Record<keyof QosWeights, number>, 'lcs'>>;

function rigOf(weights: Partial<QosWeights>, measured: readonly Measured[]): GtmRig {
  const rig = new GtmRig([{ members: measured.map((_, datacenter) => ({ datacenter })), qos: weights }]);
  for (const [member, numbers] of measured.entries()) {
    const { rtt, hops, hitRatio, kilobytesPerSecond, packetRate, topology, vsCapacity, vsScore } = numbers;
    rig.measure(member, {
      kilobytesPerSecond: kilobytesPerSecond ?? -1,
      packetsPerSecond: packetRate ?? -1,
      capacity: vsCapacity ?? -1,
      score: vsScore ?? -1,
    });
    if (topology !== undefined) rig.scores.set(member, topology);
    if (rtt ?? hops ?? hitRatio) {
      rig.measurePath(member, { roundTripTime: rtt ?? -1, hops: hops ?? -1, completionRate: hitRatio ?? -1 });
    }
  }
  return rig;
}

const COSTS: readonly string[] = ['rtt', 'hops', 'packetRate', 'kilobytesPerSecond'];

/** undefined: nothing that counts is known. */
function sumOf(weights: Partial<QosWeights>, measured: Measured): number | undefined {
  let sum: number | undefined;
  for (const [quality, number] of Object.entries(measured)) {
    const weight = weights[quality as keyof QosWeights] ?? 0;
    const factor = FACTORS[quality as keyof QosWeights];
    if (weight === 0) continue;
    sum = (sum ?? 0) + weight * (COSTS.includes(quality) ? factor / Math.max(number, 1) : number / factor);
  }
  return sum;
}

describe('quality of service', () => {
  it('weighs what is measured as it is described', () => {
    const number = fc.option(fc.integer({ min: 0, max: 50_000 }), { nil: undefined });
    const weight = fc.constantFrom(0, 0, 1, 3, 5, 50, 100);
    const measured = fc.record(
      {
        rtt: fc.integer({ min: 1, max: 100_000 }),
        hops: fc.integer({ min: 1, max: 64 }),
        hitRatio: fc.integer({ min: 1, max: 1000 }),
        kilobytesPerSecond: number,
        packetRate: number,
        topology: number,
        vsCapacity: number,
        vsScore: number,
      },
      { requiredKeys: [] },
    );
    const weights = fc.record({
      rtt: weight,
      hops: weight,
      hitRatio: weight,
      kilobytesPerSecond: weight,
      packetRate: weight,
      topology: weight,
      vsCapacity: weight,
      vsScore: weight,
      lcs: weight,
    });
    fc.assert(
      fc.property(fc.array(measured, { minLength: 1, maxLength: 6 }), weights, (members, pool) => {
        const known = members.map((member) =>
          Object.fromEntries(Object.entries(member).filter(([, value]) => value !== undefined)),
        );
        const sums = known.map((member) => sumOf(pool, member));
        const [chosen] = rigOf(pool, known).choose('quality-of-service');
        const highest = Math.max(...sums.map((sum) => sum ?? -1));
        if (chosen === undefined) assert.equal(highest, -1);
        // Two sums of the same may differ by how they were rounded.
        else assert.ok(Math.abs(sums[chosen]! - highest) <= 1e-12 * highest, `${sums.join(' ')}: ${chosen}`);
      }),
      { numRuns: 500, seed: 7 },
    );
  });

  it('goes mostly by the round trip time with the weights that a pool has by default', () => {
    const rig = rigOf(DEFAULTS, [
      { rtt: 20_000, hitRatio: 1000, packetRate: 10, kilobytesPerSecond: 100 },
      { rtt: 5000, hitRatio: 900, packetRate: 10, kilobytesPerSecond: 100 },
      { rtt: 40_000, hitRatio: 1000, packetRate: 10, kilobytesPerSecond: 100 },
    ]);
    assert.deepEqual(rig.choose('quality-of-service', { most: 3 }), [1, 0, 2]);
  });

  it('adds nothing for what is unknown, and passes over who has nothing that counts', () => {
    const rig = rigOf({ vsScore: 1, rtt: 50 }, [
      { vsScore: 3 },
      { hops: 1, vsCapacity: 100 },
      { vsScore: 3, rtt: 1000 },
    ]);
    assert.deepEqual(rig.choose('quality-of-service', { most: 3 }), [2, 0]);
    assert.deepEqual(rigOf(DEFAULTS, [{}, { vsScore: 1 }]).choose('quality-of-service'), []);
    assert.deepEqual(rigOf({}, [{ rtt: 1 }, { vsScore: 1 }]).choose('quality-of-service'), []);
  });

  it('counts a score of topology only where a record says it', () => {
    const rig = rigOf({ topology: 2, vsScore: 1 }, [{ vsScore: 1 }, { vsScore: 1, topology: 10 }, { topology: 0 }]);
    assert.deepEqual(rig.choose('quality-of-service', { most: 3 }), [1, 0, 2]);
  });

  it('lets equal sums take turns', () => {
    const rig = rigOf({ vsScore: 1 }, [{ vsScore: 4 }, { vsScore: 4 }, { vsScore: 3 }]);
    assert.deepEqual(rig.count('quality-of-service', 100), [50, 50, 0]);
  });
});
