// A clock that goes when it is told to, a prober that answers as it is told to, and monitors to try them with.

import type { Clock } from '../../src/health/clock.ts';
import { HealthEngine, type VerdictChange } from '../../src/health/health-engine.ts';
import type { Monitor, MonitorRule, Timing } from '../../src/health/monitor.ts';
import type { Cancel, Prober, ProbeOutcome, ProbePlace, Verdict } from '../../src/health/probe.ts';
import type { Watch, WatchKind, WatchStatus } from '../../src/health/watch.ts';

/** 2026-01-01T00:00:00Z, where the wall clock of tests begins. */
export const EPOCH = 1_767_225_600_000;

type Timer = { readonly at: number; readonly order: number; readonly fire: () => void; isGone: boolean };

const isBefore = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

export class FakeClock implements Clock {
  #now = 0;
  #order = 0;
  /** A heap. */
  readonly #timers: Timer[] = [];

  now(): number {
    return this.#now;
  }

  wall(): number {
    return EPOCH + this.#now;
  }

  setTimer(milliseconds: number, fire: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, milliseconds), order: this.#order++, fire, isGone: false };
    const timers = this.#timers;
    let at = timers.push(timer) - 1;
    for (let above = (at - 1) >> 1; at > 0 && isBefore(timer, timers[above]!); above = (at - 1) >> 1) {
      timers[at] = timers[above]!;
      at = above;
    }
    timers[at] = timer;
    return () => {
      timer.isGone = true;
    };
  }

  /** Goes to that time, and fires all that is due until then. */
  goTo(time: number): void {
    for (let next = this.#timers[0]; next !== undefined && next.at <= time; next = this.#timers[0]) {
      this.#removeFirst();
      if (next.isGone) continue;
      this.#now = Math.max(this.#now, next.at);
      next.fire();
    }
    this.#now = Math.max(this.#now, time);
  }

  #removeFirst(): void {
    const timers = this.#timers;
    const last = timers.pop()!;
    if (timers.length === 0) return;
    let at = 0;
    for (let below = 1; below < timers.length; below = 2 * at + 1) {
      if (below + 1 < timers.length && isBefore(timers[below + 1]!, timers[below]!)) below++;
      if (isBefore(last, timers[below]!)) break;
      timers[at] = timers[below]!;
      at = below;
    }
    timers[at] = last;
  }

  advance(milliseconds: number): void {
    this.goTo(this.#now + milliseconds);
  }

  /** Time goes, and nothing runs: as when a process is stopped. */
  jump(milliseconds: number): void {
    this.#now += milliseconds;
  }
}

export type Sent = { readonly monitor: Monitor; readonly place: ProbePlace; readonly at: number };

/** What comes of a probe, after so many milliseconds; undefined: nothing ever. */
export type Script = (
  sent: Sent,
) => (Partial<ProbeOutcome> & { readonly verdict: Verdict; readonly after?: number }) | undefined;

const REASONS: Record<Verdict, string> = {
  up: 'answered',
  disabled: 'answered that it wants no new clients',
  refused: 'connection refused',
  wrong: 'not what was expected',
  silent: 'no answer',
  impossible: 'no socket',
};

export class ScriptedProber implements Prober {
  script: Script;
  sent: Sent[] = [];
  running = 0;
  mostRunning = 0;
  readonly #clock: Clock;

  constructor(clock: Clock, script: Script) {
    this.#clock = clock;
    this.script = script;
  }

  probe(monitor: Monitor, place: ProbePlace, timeout: number, done: (outcome: ProbeOutcome) => void): Cancel {
    const sent = { monitor, place, at: this.#clock.now() };
    this.sent.push(sent);
    const answer = this.script(sent);
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    if (answer === undefined)
      return () => {
        this.running--;
      };
    const took = answer.after ?? (answer.verdict === 'silent' ? timeout : 0);
    const outcome = { reason: REASONS[answer.verdict], took, ...answer };
    const cancel = this.#clock.setTimer(took, () => {
      this.running--;
      done(outcome);
    });
    return () => {
      this.running--;
      cancel();
    };
  }

  close(): void {
    this.script = () => undefined;
  }
}

/** As `gtm monitor tcp` is, unless it is said otherwise. */
export const TIMING: Timing = {
  interval: 30_000,
  timeout: 120_000,
  upInterval: 0,
  timeUntilUp: 0,
  probeTimeout: 5000,
  probeAttempts: 1,
  probeInterval: 1000,
};

export type MonitorWish = Partial<Omit<Monitor, 'timing'>> & { readonly timing?: Partial<Timing> };

export function monitor({ timing, ...wish }: MonitorWish = {}): Monitor {
  return {
    module: 'gtm',
    type: 'tcp',
    name: '/Common/tcp',
    timing: { ...TIMING, ...timing },
    probe: { type: 'tcp', exchange: { send: '', receive: '', receiveDisable: '' } },
    isReverse: false,
    isTransparent: false,
    address: undefined,
    port: undefined,
    manualResume: false,
    ignoresDownResponse: false,
    flapLimit: undefined,
    ...wish,
  };
}

export function place(address = '192.0.2.1', port = 80): ProbePlace {
  return { family: address.includes(':') ? 6 : 4, address, port, via: undefined };
}

export function rule(monitors: readonly Monitor[], atLeast = monitors.length): MonitorRule {
  return { atLeast, monitors };
}

export function watch(
  key: string,
  monitors: MonitorRule | Monitor,
  places = [place()],
  kind: WatchKind = 'node',
): Watch {
  return { kind, key, places, unprobed: undefined, rule: 'monitors' in monitors ? monitors : rule([monitors]) };
}

/** An engine of which every change is noted. */
export class HealthRig {
  readonly clock = new FakeClock();
  readonly prober: ScriptedProber;
  /** Where in its part of the interval a probe is. */
  random = 0.5;
  readonly engine: HealthEngine;
  readonly calls: (readonly VerdictChange[])[] = [];
  readonly timeline: { at: number; key: string; status: WatchStatus; reason: string }[] = [];

  constructor(script: Script, mostRunning = 1000) {
    this.prober = new ScriptedProber(this.clock, script);
    this.engine = new HealthEngine({
      clock: this.clock,
      prober: this.prober,
      random: () => this.random,
      mostRunning,
      changed: (changes) => {
        this.calls.push(changes);
        for (const { watch, verdict } of changes) {
          this.timeline.push({ at: this.clock.now(), key: watch.key, status: verdict.status, reason: verdict.reason });
        }
      },
    });
  }

  get changes(): readonly VerdictChange[] {
    return this.calls.flat();
  }

  status(key: string, kind: WatchKind = 'node'): string | undefined {
    return this.engine.verdictOf(kind, key)?.status;
  }

  reason(key: string, kind: WatchKind = 'node'): string | undefined {
    return this.engine.verdictOf(kind, key)?.reason;
  }
}
