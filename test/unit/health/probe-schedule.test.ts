// time-out: 240 s
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MAX_SHOWN } from '../../../src/health/probe.ts';
import type { Timing } from '../../../src/health/monitor.ts';
import type { Watch } from '../../../src/health/watch.ts';
import { HealthRig, monitor, place, type Script, watch } from '../../support/health-rig.ts';

const INTERVAL = 5000;
const TIMING: Partial<Timing> = { interval: INTERVAL, timeout: 16_000, probeTimeout: INTERVAL };
const TARGET = monitor({ module: 'ltm', timing: TIMING });

function many(count: number, first = 0, target = TARGET): Watch[] {
  return Array.from({ length: count }, (_, index) => {
    const number = first + index;
    return watch(`/Common/${number}`, target, [place(`10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`)]);
  });
}

/** How many probes began in each part of an interval, over some intervals. */
function load(rig: HealthRig, from: number, parts: number, intervals: number): number[] {
  const loads = new Array<number>(parts * intervals).fill(0);
  rig.prober.sent = [];
  rig.clock.goTo(from + intervals * INTERVAL);
  const width = INTERVAL / parts;
  for (const { at } of rig.prober.sent) {
    const part = Math.floor((at - from) / width);
    if (part >= 0 && part < loads.length) loads[part]!++;
  }
  return loads;
}

const up: Script = () => ({ verdict: 'up', after: 1 });

it('10,000 instances are probed evenly: no 100 ms have 1.3 times their share', () => {
  const rig = new HealthRig(up);
  rig.engine.want(many(10_000));
  rig.clock.goTo(INTERVAL);
  assert.equal(new Set(rig.prober.sent.map(({ place: { address } }) => address)).size, 10_000, 'each has had its turn');
  const loads = load(rig, INTERVAL, 50, 5);
  assert.ok(Math.max(...loads) <= 1.3 * 200, `${Math.max(...loads)} in the fullest 100 ms`);
  const settled = loads.slice(50);
  assert.ok(Math.min(...settled) >= 0.7 * 200, `${Math.min(...settled)} in the emptiest 100 ms`);
});

it('load stays even when many come and go', () => {
  const rig = new HealthRig(up);
  rig.engine.want(many(4000));
  rig.clock.goTo(10_000);
  for (let round = 1; round <= 5; round++) {
    rig.engine.want([...many(4000).filter((_, index) => index % 3 !== round % 3), ...many(1500, 4000 + 500 * round)]);
    rig.clock.goTo(10_000 * (round + 1));
  }
  const { instances } = rig.engine.counts;
  const loads = load(rig, 70_000, 50, 2);
  const share = instances / 50;
  assert.ok(Math.max(...loads) <= 1.3 * share, `${Math.max(...loads)} in the fullest 100 ms, of ${share}`);
});

it('there are never more probes at a time than may be, nobody is left out, and who waits is counted', () => {
  const rig = new HealthRig(() => ({ verdict: 'up', after: 1000 }), 100);
  rig.engine.want(many(2000));
  rig.clock.goTo(60_000);
  assert.equal(rig.prober.mostRunning, 100);
  assert.ok(rig.engine.counts.delayed > 0);
  const probed = new Set(rig.prober.sent.map(({ place: { address } }) => address));
  assert.equal(probed.size, 2000);
  // 100 at a time, of a second each: 20 s a round, which is what 2,000 targets can have.
  const counts = new Map<string, number>();
  for (const {
    place: { address },
  } of rig.prober.sent)
    counts.set(address, (counts.get(address) ?? 0) + 1);
  assert.ok(Math.min(...counts.values()) >= 2, `3 is what each can have, and one had ${Math.min(...counts.values())}`);
  assert.ok(Math.max(...counts.values()) <= 4, `3 is what each can have, and one had ${Math.max(...counts.values())}`);
});

it('who had to wait for a probe is not down for that', () => {
  const rig = new HealthRig(() => ({ verdict: 'up', after: 1000 }), 10);
  rig.engine.want(many(1000));
  rig.clock.goTo(400_000);
  assert.deepEqual(
    rig.timeline.filter(({ status }) => status === 'offline'),
    [],
  );
});

it('a probe that takes as long as its interval is followed by the next at once, and never doubled', () => {
  const rig = new HealthRig(() => ({ verdict: 'silent' }));
  rig.random = 0;
  rig.engine.want(many(1));
  rig.clock.goTo(24_999);
  assert.deepEqual(
    rig.prober.sent.map(({ at }) => at),
    [0, 5000, 10_000, 15_000, 20_000],
  );
  assert.equal(rig.prober.mostRunning, 1);
});

it('memory of 10,000 instances stays flat over 40 probes of each', () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const slow = monitor();
  const rig = new HealthRig(({ at, place: { address } }) => ({
    verdict: 'up',
    // As probers do: a new text for each probe.
    received: `${at} ${address} `.padEnd(MAX_SHOWN, 'x'),
  }));
  // What was sent is not kept here either.
  const send = rig.prober.probe.bind(rig.prober);
  rig.prober.probe = (...probe) => {
    rig.prober.sent.length = 0;
    return send(...probe);
  };
  rig.engine.want(many(10_000, 0, slow));
  const used = (until: number): number => {
    rig.clock.goTo(until);
    gc();
    return process.memoryUsage().heapUsed;
  };
  const first = used(60_000);
  const later = used(60_000 + 1_200_000);
  assert.ok(later - first < 5_000_000, `${later - first} octets more after twenty minutes`);
  assert.ok(later < 100_000_000, `${later} octets`);
});
