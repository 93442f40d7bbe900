import assert from 'node:assert/strict';
import fc from 'fast-check';
import { it } from 'node:test';
import { RateLimiter, RateVerdict } from '../../src/dns/rate-limiter.ts';

const event = fc.record({
  kind: fc.nat(3),
  host: fc.nat(40),
  /** Seconds since the event before. */
  pause: fc.oneof({ weight: 30, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(1, 2, 60) }),
  times: fc.integer({ min: 1, max: 6 }),
});

it('who stays within the rate is never limited, however many there are; alone, who does not is', () => {
  fc.assert(
    fc.property(
      fc.array(event, { minLength: 1, maxLength: 200 }),
      fc.integer({ min: 1, max: 12 }),
      fc.constantFrom(1, 8, 65_536),
      (events, perSecond, buckets) => {
        const limiter = new RateLimiter({ perSecond, slip: 2, ipv4Prefix: 32, ipv6Prefix: 64 }, buckets);
        let now = 1;
        const used = new Map<string, number>();
        for (const { kind, host, pause, times } of events) {
          now += pause;
          for (let time = 0; time < times; time++) {
            const key = `${now} ${kind} ${host}`;
            const count = (used.get(key) ?? 0) + 1;
            used.set(key, count);
            const verdict = limiter.take(kind, Uint8Array.of(10, 0, 0, host), 0, 4, now);
            if (count <= perSecond) assert.equal(verdict, RateVerdict.pass);
            else if (buckets > 1000) assert.notEqual(verdict, RateVerdict.pass);
          }
        }
      },
    ),
    { numRuns: 1000 },
  );
});
