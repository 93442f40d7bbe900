import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Xoshiro } from '../../../src/gtm/random.ts';
import { chiSquareTail, likelihood, likelihoodOfSame, logGamma, upperGamma } from '../../support/chi-square.ts';

function near(found: number, wanted: number, relative = 1e-10): void {
  assert.ok(Math.abs(found - wanted) <= relative * Math.abs(wanted), `${found} instead of ${wanted}`);
}

/** For an even number of degrees there is a sum: e^-h (1 + h + h²/2! + ...), h being half of the statistic. */
function tailOfEven(statistic: number, degrees: number): number {
  const half = statistic / 2;
  let term = 1;
  let sum = 1;
  for (let n = 1; n < degrees / 2; n++) {
    term *= half / n;
    sum += term;
  }
  return Math.exp(-half) * sum;
}

describe('the chi-square test', () => {
  it('has the logarithm of the gamma function', () => {
    near(logGamma(0.5), Math.log(Math.sqrt(Math.PI)));
    near(logGamma(10), Math.log(362_880));
    near(logGamma(0.25), Math.log(3.6256099082219083));
    near(logGamma(101), 363.7393755555635);
  });

  it('has tails as the sum for even degrees gives them', () => {
    for (const degrees of [2, 4, 6, 10, 20, 64]) {
      for (const statistic of [0.1, 1, 3, degrees / 2, degrees, degrees + 2, 2 * degrees, 5 * degrees, 200]) {
        near(chiSquareTail(statistic, degrees), tailOfEven(statistic, degrees));
      }
    }
  });

  it('has tails as tables have them', () => {
    near(chiSquareTail(3.841458820694124, 1), 0.05);
    near(chiSquareTail(6.634896601021213, 1), 0.01);
    near(chiSquareTail(7.814727903251179, 3), 0.05);
    near(chiSquareTail(11.070497693516351, 5), 0.05);
    near(chiSquareTail(18.307038053275146, 10), 0.05);
    near(chiSquareTail(1, 1), 0.31731050786291415);
    // Five times the deviation of a normal number.
    near(chiSquareTail(25, 1), 5.733031437583867e-7);
    near(chiSquareTail(124.34211340400407, 100), 0.05);
    assert.equal(upperGamma(3, 0), 1);
    assert.equal(chiSquareTail(1e6, 4), 0);
  });

  it('says of counts how likely they are', () => {
    assert.equal(likelihood([10, 20, 30], [1, 2, 3]), 1);
    // (10-15)²/15 + (20-15)²/15
    near(likelihood([10, 20], [1, 1]), chiSquareTail(50 / 15, 1));
    assert.equal(likelihood([1, 0, 1000], [0, 1, 1000]), 0);
    assert.equal(likelihood([0, 500], [0, 1]), 1);
    assert.ok(likelihood([5200, 4800], [1, 1]) < 1e-4);
    assert.equal(likelihoodOfSame([100, 200], [10, 20]), 1);
    // A table of two by two has (ad - bc)² n / (product of the sums of rows and columns).
    near(
      likelihoodOfSame([30, 70], [45, 55]),
      chiSquareTail(((30 * 55 - 70 * 45) ** 2 * 200) / (100 * 100 * 75 * 125), 1),
    );
  });

  it('calls one of twenty fair samples less likely than one of twenty', () => {
    const random = new Xoshiro([1, 22, 333, 4444]);
    let rare = 0;
    for (let sample = 0; sample < 2000; sample++) {
      const counts = [0, 0, 0, 0, 0];
      for (let draw = 0; draw < 500; draw++) counts[(random.next() >>> 0) % 5]!++;
      if (likelihood(counts, [1, 1, 1, 1, 1]) < 0.05) rare++;
    }
    assert.ok(likelihood([rare, 2000 - rare], [5, 95]) > 1e-6, `${rare} of 2000`);
  });
});
