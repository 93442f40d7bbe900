// Sends probes when they are due, so many at a time at most, and wakes states at their deadlines, by one timer for all of them.
// docs/decisions/health.md, "Thousands of probes", says how load is spread.

import type { Clock } from './clock.ts';
import { DueHeap } from './due-heap.ts';
import { longestProbe, type MonitorInstance } from './monitor-instance.ts';
import { nextDue, PhaseBook } from './phase-book.ts';
import type { Prober, ProbeOutcome } from './probe.ts';

/** Milliseconds between the first probes of two instances that come at once. */
const FIRST_GAP = 0.5;
/** The second probe is at its place in the interval, yet not earlier behind the first than this part of the interval. */
const SECOND_NOT_BEFORE = 1 / 2;
/** Who has not told what came of a probe so long after its time, never will. */
const GRACE = 2000;
/** A first probe that goes out so long after its instance came is late. */
const LATE = 1000;
/** A timer that is later than this means that the process stood still: nobody was silent in the meantime. */
const STANDSTILL = 1000;

export type ProbeCounts = {
  /** Probes that began. */
  probes: number;
  up: number;
  disabled: number;
  refused: number;
  wrong: number;
  silent: number;
  impossible: number;
  /** On their way now. */
  running: number;
  instances: number;
  /** That had to wait because as many were running as may. */
  delayed: number;
};

export type ScheduleOptions = {
  readonly clock: Clock;
  readonly prober: Prober;
  readonly random: () => number;
  readonly mostRunning: number;
  /** Status or reason of it are others. */
  readonly changed: (instance: MonitorInstance) => void;
  /** All that was due has been looked at. */
  readonly ticked: () => void;
};

export class ProbeSchedule {
  readonly counts: ProbeCounts = {
    probes: 0,
    up: 0,
    disabled: 0,
    refused: 0,
    wrong: 0,
    silent: 0,
    impossible: 0,
    running: 0,
    instances: 0,
    delayed: 0,
  };
  readonly #options: ScheduleOptions;
  readonly #heap = new DueHeap<MonitorInstance>();
  readonly #phases: PhaseBook;
  /** Due, and not begun; those before `#queueAt` have. */
  #queue: MonitorInstance[] = [];
  #queueAt = 0;
  /** When the next first probe may go out. */
  #nextFirst = -Infinity;
  #cancelTimer: (() => void) | undefined;
  #armedFor = Infinity;
  #isTicking = false;
  #isClosed = false;

  constructor(options: ScheduleOptions) {
    this.#options = options;
    this.#phases = new PhaseBook(options.random);
  }

  add(instance: MonitorInstance): void {
    this.counts.instances++;
    if (!instance.isReported) {
      instance.phase = this.#phases.take(instance.monitor.timing);
      this.#nextFirst = Math.max(this.#nextFirst, this.#options.clock.now());
      instance.nextProbe = this.#nextFirst;
      this.#nextFirst += FIRST_GAP;
    }
    this.update(instance);
  }

  remove(instance: MonitorInstance): void {
    this.counts.instances--;
    instance.isGone = true;
    if (!instance.isReported) this.#phases.give(instance.monitor.timing, instance.phase);
    this.#heap.remove(instance);
    this.#abandon(instance);
  }

  /** Its state was changed from outside. */
  update(instance: MonitorInstance): void {
    if (instance.isGone || this.#isClosed) return;
    this.#heap.set(instance, Math.min(instance.nextProbe, instance.state.deadline));
    this.#arm();
  }

  /** The time between its probes may be another now. */
  changePeriod(instance: MonitorInstance): void {
    if (instance.monitor.timing.upInterval === 0 || instance.startedAt < 0) return;
    instance.nextProbe = nextDue(instance.phase, instance.period, this.#options.clock.now());
  }

  /** A probe has ended. */
  readonly done = (instance: MonitorInstance, outcome: ProbeOutcome): void => {
    if (!instance.isRunning || this.#isClosed) return;
    instance.cancel = undefined;
    this.#end(instance, outcome);
    this.#drain();
  };

  /** Gives up what runs; the prober is not closed. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    for (const instance of this.#heap.all) this.#abandon(instance);
    this.#queue = [];
  }

  #end(instance: MonitorInstance, outcome: ProbeOutcome): void {
    const { clock, changed } = this.#options;
    const now = clock.now();
    instance.isRunning = false;
    this.counts.running--;
    this.counts[outcome.verdict]++;
    instance.history.add(outcome, clock.wall());
    if (instance.state.take(outcome, now)) changed(instance);
    if (instance.isPending) this.#begin(instance, now);
    this.update(instance);
  }

  #abandon(instance: MonitorInstance): void {
    instance.isPending = false;
    if (!instance.isRunning) return;
    instance.isRunning = false;
    this.counts.running--;
    instance.cancel?.();
    instance.cancel = undefined;
  }

  #arm(): void {
    const wakeAt = this.#heap.first?.wakeAt ?? Infinity;
    if (this.#isTicking || wakeAt >= this.#armedFor) return;
    this.#cancelTimer?.();
    this.#armedFor = wakeAt;
    this.#cancelTimer = this.#options.clock.setTimer(Math.max(0, wakeAt - this.#options.clock.now()), this.#tick);
  }

  readonly #tick = (): void => {
    const { clock, ticked } = this.#options;
    const now = clock.now();
    const late = now - this.#armedFor;
    this.#armedFor = Infinity;
    this.#cancelTimer = undefined;
    this.#isTicking = true;
    if (late > STANDSTILL) for (const { state } of this.#heap.all) state.skip(late);
    for (let next = this.#heap.first; next !== undefined && next.wakeAt <= now; next = this.#heap.first) {
      this.#wake(next, now);
    }
    this.#drain();
    this.#isTicking = false;
    this.#arm();
    ticked();
  };

  #wake(instance: MonitorInstance, now: number): void {
    const { state } = instance;
    if (now >= state.deadline && state.wake(now, instance.isRunning && !instance.isLate))
      this.#options.changed(instance);
    if (now >= instance.nextProbe) this.#due(instance, now);
    this.update(instance);
  }

  #due(instance: MonitorInstance, now: number): void {
    const { period, phase } = instance;
    const isFirst = instance.startedAt < 0 && !instance.isQueued;
    instance.nextProbe = nextDue(phase, period, isFirst ? now + period * SECOND_NOT_BEFORE : now);
    if (instance.isQueued) return;
    if (instance.isRunning) {
      const took = now - instance.startedAt;
      instance.isPending = true;
      if (took <= longestProbe(instance.monitor.timing) + GRACE) return;
      instance.cancel?.();
      instance.cancel = undefined;
      this.#end(instance, { verdict: 'impossible', reason: 'the probe never came to an end', took });
    } else this.#begin(instance, now);
  }

  /** Sends a probe, or lets it wait behind those that wait already. */
  #begin(instance: MonitorInstance, now: number): void {
    instance.isPending = false;
    if (this.counts.running < this.#options.mostRunning && this.#queue.length === this.#queueAt) {
      const isFirst = instance.startedAt < 0;
      this.#start(instance, now, isFirst && now - instance.state.lastGood > LATE);
      return;
    }
    this.counts.delayed++;
    instance.isQueued = true;
    this.#queue.push(instance);
  }

  #drain(): void {
    while (this.#queueAt < this.#queue.length && this.counts.running < this.#options.mostRunning) {
      const instance = this.#queue[this.#queueAt++]!;
      instance.isQueued = false;
      if (!instance.isGone) this.#start(instance, this.#options.clock.now(), true);
    }
    if (this.#queueAt === this.#queue.length) this.#queue.length = 0;
    else if (this.#queueAt > 4096) this.#queue = this.#queue.slice(this.#queueAt);
    else return;
    this.#queueAt = 0;
  }

  #start(instance: MonitorInstance, now: number, isLate: boolean): void {
    const { monitor, place, done } = instance;
    instance.isRunning = true;
    instance.isLate = isLate;
    instance.startedAt = now;
    this.counts.running++;
    this.counts.probes++;
    try {
      instance.cancel = this.#options.prober.probe(monitor, place, monitor.timing.probeTimeout, done);
    } catch (error) {
      const reason = `the probe failed: ${error instanceof Error ? error.message : String(error)}`;
      this.#end(instance, { verdict: 'impossible', reason, took: 0 });
    }
  }
}
