import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type RateLimit, RateLimiter, RateVerdict } from '../../../src/dns/rate-limiter.ts';

const LIMIT: RateLimit = { perSecond: 3, slip: 2, ipv4Prefix: 24, ipv6Prefix: 56 };
const client = (...octets: number[]): Uint8Array => Uint8Array.from(octets);
const HERE = client(192, 0, 2, 1);

function take(limiter: RateLimiter, address: Uint8Array, now: number, kind = 7): RateVerdict {
  return limiter.take(kind, Uint8Array.of(0, ...address), 1, address.length, now);
}

const { pass, drop, slip } = RateVerdict;

describe('a rate limiter', () => {
  it('lets the rate pass in a second, and of the rest every second one slip', () => {
    const limiter = new RateLimiter(LIMIT);
    for (const now of [1, 2, 50]) {
      const verdicts = Array.from({ length: 8 }, () => take(limiter, HERE, now));
      assert.deepEqual(verdicts, [pass, pass, pass, drop, slip, drop, slip, drop]);
    }
  });

  it('lets none or each slip when it is told so', () => {
    for (const [every, then] of [
      [0, drop],
      [1, slip],
    ] as const) {
      const limiter = new RateLimiter({ ...LIMIT, slip: every });
      const verdicts = Array.from({ length: 5 }, () => take(limiter, HERE, 1));
      assert.deepEqual(verdicts, [pass, pass, pass, then, then]);
    }
  });

  it('takes all addresses of a prefix for one client, and all others for others', () => {
    const limiter = new RateLimiter({ ...LIMIT, perSecond: 1, slip: 0, ipv4Prefix: 22, ipv6Prefix: 58 });
    const v6 = (...last: number[]): Uint8Array =>
      client(...[0x20, 1, 0xd, 0xb8, 0, 0, 0], ...last, ...new Array<number>(8).fill(1));
    assert.equal(take(limiter, client(10, 0, 4, 1), 1), pass);
    assert.equal(take(limiter, client(10, 0, 7, 9), 1), drop);
    assert.equal(take(limiter, client(10, 0, 8, 1), 1), pass);
    assert.equal(take(limiter, client(10, 0, 4, 1), 1, 8), pass);
    assert.equal(take(limiter, v6(0x3f), 1), pass);
    assert.equal(take(limiter, v6(0x00), 1), drop);
    assert.equal(take(limiter, v6(0x40), 1), pass);
  });

  it('holds on to who asks most when there are more clients than places', () => {
    const limiter = new RateLimiter({ ...LIMIT, ipv4Prefix: 32 }, 64);
    for (let count = 0; count < 100; count++) take(limiter, HERE, 1);
    let limited = 0;
    for (let other = 0; other < 10_000; other++) {
      if (take(limiter, client(10, 1, other >>> 8, other & 255), 1) !== pass) limited++;
      if (other % 100 === 0) assert.notEqual(take(limiter, HERE, 1), pass);
    }
    assert.equal(limited, 0);
  });
});
