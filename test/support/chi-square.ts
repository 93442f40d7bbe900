// How likely counts are if they come from the distribution that they should have: Pearson's test.

import assert from 'node:assert/strict';

/** Below this nobody believes in chance; with fixed seeds a test that passes once passes always. */
const LEAST_LIKELY = 1e-6;

/** Coefficients of Lanczos' approximation for g = 7 (as Godfrey computed them): 15 digits. */
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

/** The logarithm of the gamma function of a number above 0. */
export function logGamma(x: number): number {
  // Reflection, where the approximation is not good.
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const t = x + 6.5;
  let sum = LANCZOS[0]!;
  for (let index = 1; index < LANCZOS.length; index++) sum += LANCZOS[index]! / (x - 1 + index);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

/** The regularised incomplete gamma function Q(a, x): 1 at x = 0, and 0 far behind a. */
export function upperGamma(a: number, x: number): number {
  if (x <= 0) return 1;
  const scale = Math.exp(a * Math.log(x) - x - logGamma(a));
  return x < a + 1 ? 1 - scale * lowerSeries(a, x) : scale * upperFraction(a, x);
}

/** P(a, x) without its scale, as the series of DLMF 8.11.4. */
function lowerSeries(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= x / (a + n);
    sum += term;
  }
  return sum;
}

/** Q(a, x) without its scale, as the continued fraction of DLMF 8.9.2 by Lentz's method. */
function upperFraction(a: number, x: number): number {
  const tiny = 1e-300;
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let result = d;
  for (let n = 1; n < 100_000; n++) {
    const an = -n * (n - a);
    b += 2;
    d = an * d + b;
    if (Math.abs(d) < tiny) d = tiny;
    c = b + an / c;
    if (Math.abs(c) < tiny) c = tiny;
    d = 1 / d;
    const step = c * d;
    result *= step;
    if (Math.abs(step - 1) < 1e-15) break;
  }
  return result;
}

/** How likely a sum of so many squares of normal numbers is at least `statistic`. */
export function chiSquareTail(statistic: number, degrees: number): number {
  return degrees === 0 ? 1 : upperGamma(degrees / 2, statistic / 2);
}

/** How likely counts are at least as far as these from shares in proportion to `weights`; 0 when one without weight has any. */
export function likelihood(counts: readonly number[], weights: readonly number[]): number {
  assert.equal(counts.length, weights.length);
  const total = sum(counts);
  const weight = sum(weights);
  let statistic = 0;
  let cells = 0;
  for (let index = 0; index < counts.length; index++) {
    const expected = (total * weights[index]!) / weight;
    if (expected === 0 && counts[index]! > 0) return 0;
    if (expected === 0) continue;
    statistic += (counts[index]! - expected) ** 2 / expected;
    cells++;
  }
  return chiSquareTail(statistic, cells - 1);
}

/** How likely two rows of counts are at least as far apart as these when they come from one distribution. */
export function likelihoodOfSame(some: readonly number[], others: readonly number[]): number {
  assert.equal(some.length, others.length);
  const totals = [sum(some), sum(others)];
  let statistic = 0;
  let cells = 0;
  for (let index = 0; index < some.length; index++) {
    const both = some[index]! + others[index]!;
    if (both === 0) continue;
    cells++;
    for (const [row, counts] of [some, others].entries()) {
      const expected = (both * totals[row]!) / (totals[0]! + totals[1]!);
      statistic += (counts[index]! - expected) ** 2 / expected;
    }
  }
  return chiSquareTail(statistic, cells - 1);
}

export function assertShares(counts: readonly number[], weights: readonly number[], what = ''): void {
  const p = likelihood(counts, weights);
  assert.ok(p > LEAST_LIKELY, `${what} ${counts.join(' ')} by weights ${weights.join(' ')}: p = ${p}`);
}

export function assertSameShares(some: readonly number[], others: readonly number[], what = ''): void {
  const p = likelihoodOfSame(some, others);
  assert.ok(p > LEAST_LIKELY, `${what} ${some.join(' ')} and ${others.join(' ')}: p = ${p}`);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
