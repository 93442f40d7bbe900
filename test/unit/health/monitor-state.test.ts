import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Verdict } from '../../../src/health/probe.ts';
import { HealthRig, type MonitorWish, monitor, watch } from '../../support/health-rig.ts';

/** What comes of a probe that is sent from that time on, in milliseconds. */
type Step = readonly [number, Verdict];
type Case = {
  readonly it: string;
  readonly monitor: MonitorWish;
  readonly steps: readonly Step[];
  readonly until: number;
  /** When the verdict changes, and to what. */
  readonly becomes: readonly (readonly [number, string, string])[];
};

/** Probes at 0, 5, 10 s, … */
const LTM: MonitorWish = {
  module: 'ltm',
  name: 'm',
  timing: { interval: 5000, timeout: 16_000, probeTimeout: 5000 },
};
/** Probes at 0, 30, 60 s, … */
const GTM: MonitorWish = { name: 'm' };
const CHECKING = [0, 'unknown', 'Checking'] as const;
const UP = [0, 'available', 'Monitor m: answered'] as const;
const FLAPS = { changes: 3, window: 60_000, hold: 20_000 };

const CASES: readonly Case[] = [
  { it: 'is up at its first good answer', monitor: GTM, steps: [[0, 'up']], until: 600_000, becomes: [CHECKING, UP] },
  {
    it: 'is disabled when it answers that it wants no new clients',
    monitor: LTM,
    steps: [
      [0, 'up'],
      [8000, 'disabled'],
      [18_000, 'up'],
    ],
    until: 40_000,
    becomes: [
      CHECKING,
      UP,
      [10_000, 'disabled', 'Monitor m: answered that it wants no new clients'],
      [20_000, 'available', 'Monitor m: answered'],
    ],
  },
  {
    it: 'is down at once when nobody is there',
    monitor: LTM,
    steps: [
      [0, 'up'],
      [1, 'refused'],
      [11_000, 'up'],
    ],
    until: 40_000,
    becomes: [
      CHECKING,
      UP,
      [5000, 'offline', 'Monitor m: connection refused'],
      [15_000, 'available', 'Monitor m: answered'],
    ],
  },
  {
    it: 'is down at once by a wrong answer for gtm',
    monitor: GTM,
    steps: [
      [0, 'up'],
      [1, 'wrong'],
    ],
    until: 200_000,
    becomes: [CHECKING, UP, [30_000, 'offline', 'Monitor m: not what was expected']],
  },
  {
    it: 'is down by wrong answers at the timeout for ltm',
    monitor: LTM,
    steps: [
      [0, 'up'],
      [1, 'wrong'],
    ],
    until: 60_000,
    becomes: [CHECKING, UP, [16_000, 'offline', 'Monitor m: not what was expected; no good answer for 16 s']],
  },
  {
    it: 'stays up when one answer comes within the timeout',
    monitor: LTM,
    steps: [
      [0, 'up'],
      [1, 'wrong'],
      [14_000, 'up'],
      [16_000, 'silent'],
      [26_000, 'up'],
    ],
    until: 45_000,
    becomes: [CHECKING, UP],
  },
  {
    it: 'is down a timeout after the last good answer when it is silent',
    monitor: GTM,
    steps: [
      [0, 'up'],
      [31_000, 'silent'],
    ],
    until: 400_000,
    becomes: [CHECKING, UP, [150_000, 'offline', 'Monitor m: no answer; no good answer for 120 s']],
  },
  {
    it: 'is down only by the timeout when it ignores down responses',
    monitor: { ...GTM, ignoresDownResponse: true },
    steps: [
      [0, 'up'],
      [1, 'refused'],
      [61_000, 'wrong'],
    ],
    until: 400_000,
    becomes: [CHECKING, UP, [120_000, 'offline', 'Monitor m: not what was expected; no good answer for 120 s']],
  },
  {
    it: 'is unknown when nothing can be sent, and says why at the timeout',
    monitor: LTM,
    steps: [[0, 'impossible']],
    until: 60_000,
    becomes: [CHECKING, [16_000, 'unknown', 'Monitor m: no socket']],
  },
  {
    it: 'goes from up to unknown, never down, when nothing can be sent any more',
    monitor: LTM,
    steps: [
      [0, 'up'],
      [1, 'impossible'],
      [31_000, 'up'],
    ],
    until: 60_000,
    becomes: [CHECKING, UP, [16_000, 'unknown', 'Monitor m: no socket'], [35_000, 'available', 'Monitor m: answered']],
  },
  {
    it: 'stays down when nothing can be sent',
    monitor: LTM,
    steps: [
      [0, 'refused'],
      [1, 'impossible'],
    ],
    until: 60_000,
    becomes: [CHECKING, [0, 'offline', 'Monitor m: connection refused']],
  },
  {
    it: 'says another reason when it is down for another one, and keeps since when',
    monitor: LTM,
    steps: [
      [0, 'refused'],
      [1, 'silent'],
    ],
    until: 60_000,
    becomes: [CHECKING, [0, 'offline', 'Monitor m: connection refused'], [10_000, 'offline', 'Monitor m: no answer']],
  },
  {
    it: 'waits for time-until-up, to the millisecond',
    monitor: { ...LTM, timing: { ...LTM.timing, timeUntilUp: 12_345 } },
    steps: [
      [0, 'up'],
      [31_000, 'refused'],
      [41_000, 'up'],
    ],
    until: 100_000,
    becomes: [
      CHECKING,
      [12_345, 'available', 'Monitor m: answered'],
      [35_000, 'offline', 'Monitor m: connection refused'],
      [57_345, 'available', 'Monitor m: answered'],
    ],
  },
  {
    it: 'begins time-until-up anew after a bad answer',
    monitor: { ...LTM, timing: { ...LTM.timing, timeUntilUp: 12_000 } },
    steps: [
      [0, 'up'],
      [9000, 'wrong'],
      [11_000, 'up'],
    ],
    until: 60_000,
    becomes: [CHECKING, [27_000, 'available', 'Monitor m: answered']],
  },
  {
    it: 'stays down with manual-resume, and says what it waits for',
    monitor: { ...LTM, manualResume: true },
    steps: [
      [0, 'up'],
      [1, 'refused'],
      [11_000, 'up'],
    ],
    until: 600_000,
    becomes: [
      CHECKING,
      UP,
      [5000, 'offline', 'Monitor m: connection refused'],
      [15_000, 'offline', 'Monitor m: waits to be resumed'],
    ],
  },
  {
    it: 'is down by flapping until answers were good for the hold time',
    monitor: { ...LTM, flapLimit: FLAPS },
    steps: [
      [0, 'up'],
      [4000, 'refused'],
      [9000, 'up'],
      [14_000, 'refused'],
      [19_000, 'up'],
    ],
    until: 100_000,
    becomes: [
      CHECKING,
      UP,
      [5000, 'offline', 'Monitor m: connection refused'],
      [10_000, 'available', 'Monitor m: answered'],
      [15_000, 'offline', 'Monitor m: flaps: 3 changes within 60 s; has to answer well for 20 s'],
      [40_000, 'available', 'Monitor m: answered'],
    ],
  },
  {
    it: 'does not flap when changes are further apart than the window',
    monitor: { ...LTM, flapLimit: { ...FLAPS, window: 9999 } },
    steps: [
      [0, 'up'],
      [4000, 'refused'],
      [9000, 'up'],
      [14_000, 'refused'],
    ],
    until: 100_000,
    becomes: [
      CHECKING,
      UP,
      [5000, 'offline', 'Monitor m: connection refused'],
      [10_000, 'available', 'Monitor m: answered'],
      [15_000, 'offline', 'Monitor m: connection refused'],
    ],
  },
];

describe('what one monitor says', () => {
  for (const { it: name, monitor: wish, steps, until, becomes } of CASES) {
    it(name, () => {
      const rig = new HealthRig(({ at }) => ({ verdict: steps.findLast(([from]) => from <= at)![1] }));
      // The first place in the interval is its beginning, so that probes are at its multiples.
      rig.random = 0;
      rig.engine.want([watch('/Common/n', monitor(wish))]);
      rig.clock.goTo(until);
      const seen = rig.timeline.map(({ at, status, reason }) => [at, status, reason]);
      assert.deepEqual(seen, becomes);
      assert.equal(rig.prober.running, rig.engine.counts.running);
    });
  }
});
