import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ErrorLimiter } from '../../../src/route/error-limiter.ts';

const RATES = [
  { perSecond: 100, burst: 50 },
  { perSecond: 10, burst: 5 },
] as const;

/** How many of `tries` errors to an address are allowed. */
function allowed(limiter: ErrorLimiter, address: number, nowMs: number, tries = 200): number {
  let count = 0;
  for (let index = 0; index < tries; index++) if (limiter.allows(0, 0, 0, address, nowMs)) count += 1;
  return count;
}

describe('the limit of ICMP errors', () => {
  it('lets a burst through and then a steady rate, to each destination', () => {
    const limiter = new ErrorLimiter(...RATES);
    assert.equal(allowed(limiter, 1, 1000), 5);
    assert.equal(allowed(limiter, 1, 1099), 0);
    assert.equal(allowed(limiter, 1, 1100), 1);
    assert.equal(allowed(limiter, 1, 60_000), 5, 'a long pause earns no more than the burst');
  });

  it('takes nothing from others while one destination asks without end', () => {
    const limiter = new ErrorLimiter(...RATES);
    allowed(limiter, 1, 1000, 100_000);
    assert.equal(allowed(limiter, 2, 1000), 5);
  });

  it('bounds all destinations together', () => {
    const limiter = new ErrorLimiter(...RATES);
    let total = 0;
    for (let address = 1; address <= 10_000; address++) total += allowed(limiter, address, 1000, 2);
    assert.equal(total, 50);
  });

  it('counts IPv6 destinations apart', () => {
    const limiter = new ErrorLimiter(...RATES);
    for (let index = 0; index < 10; index++) limiter.allows(0x20010db8, 0, 0, 1, 0);
    assert.ok(!limiter.allows(0x20010db8, 0, 0, 1, 0));
    assert.ok(limiter.allows(0x20010db8, 1, 0, 1, 0));
  });
});
