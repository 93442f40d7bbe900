// What is watched, probed and judged: instances of monitors are shared among the watches that use them, and what changes is told in
// one piece. docs/decisions/health.md has the rules.

import type { Clock } from './clock.ts';
import type { Monitor } from './monitor.ts';
import { type LastChange, MonitorInstance, placeOf, placeText } from './monitor-instance.ts';
import type { MonitorStatus } from './monitor-state.ts';
import { type ProbeCounts, ProbeSchedule } from './probe-schedule.ts';
import type { PastProbe } from './probe-history.ts';
import type { Prober, ProbeOutcome, ProbePlace } from './probe.ts';
import type { TakenVerdict, Watch, WatchKind, WatchVerdict } from './watch.ts';
import { WatchState } from './watch-state.ts';

export type VerdictChange = { readonly watch: Watch; readonly verdict: WatchVerdict };

export type EngineOptions = {
  readonly clock: Clock;
  /** Stays the caller's, who closes it. */
  readonly prober: Prober;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Probes at a time. */
  readonly mostRunning: number;
  /** Verdicts that are new or others; all that is decided at a time is one call. */
  readonly changed: (changes: readonly VerdictChange[]) => void;
};

/** One monitor at one place, for a person. Times are milliseconds, `at` and `since` those since 1970. */
export type InstanceExplanation = {
  readonly monitor: Monitor;
  readonly place: ProbePlace;
  readonly status: MonitorStatus;
  readonly reason: string;
  readonly since: number;
  readonly isHeld: boolean;
  readonly isFlapping: boolean;
  /** For how long answers have been good, and have to be, where it is not up although they are. */
  readonly rising: { readonly goodFor: number; readonly needed: number } | undefined;
  readonly lastChange: LastChange | undefined;
  /** The last first. */
  readonly probes: readonly Readonly<PastProbe>[];
  readonly isRunning: boolean;
  /** From now; undefined: nothing is sent. */
  readonly nextProbeIn: number | undefined;
};

export type WatchExplanation = {
  readonly watch: Watch;
  readonly verdict: WatchVerdict;
  /** Of the wall clock. */
  readonly now: number;
  /** By the monitors of the rule, then by the places. */
  readonly monitors: readonly (readonly InstanceExplanation[])[];
};

export class HealthEngine {
  readonly #options: EngineOptions;
  readonly #schedule: ProbeSchedule;
  #watches = new Map<string, WatchState>();
  #instances = new Map<string, MonitorInstance>();
  #users = new Map<MonitorInstance, WatchState[]>();
  /** Numbers of monitors by what they say, which is long. */
  #monitorNumbers = new Map<string, number>();
  #lastNumber = 0;
  /** What was reported last, by type and place. */
  readonly #reports = new Map<string, ProbeOutcome>();
  #reported = new Map<string, MonitorInstance[]>();
  #restoredHeld = new Set<string>();
  #dirty: WatchState[] = [];
  #cancelFlush: (() => void) | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    const { clock, prober, random, mostRunning } = options;
    this.#schedule = new ProbeSchedule({
      clock,
      prober,
      random,
      mostRunning,
      changed: (instance) => this.#changed(instance),
      ticked: () => this.#flush(),
    });
  }

  get counts(): Readonly<ProbeCounts> {
    return this.#schedule.counts;
  }

  /**
   * Goes over to these. Instances that stay the same (what the monitor says, and the place) keep their state; of a monitor that says
   * something else now at the same place, the state goes on. `known`: verdicts of before a restart, by `${kind} ${key}`, for watches
   * that are new.
   */
  want(watches: readonly Watch[], known?: ReadonlyMap<string, WatchVerdict>): void {
    const wall = this.#options.clock.wall();
    const [before, watchesBefore] = [this.#instances, this.#watches];
    this.#instances = new Map();
    this.#watches = new Map();
    this.#users = new Map();
    const numbers = new MonitorNumbers(this.#monitorNumbers, this.#lastNumber);
    const fresh: MonitorInstance[] = [];
    const others: WatchState[] = [];
    for (const watch of watches) {
      const name = `${watch.kind} ${watch.key}`;
      const old = watchesBefore.get(name);
      const instances = watch.rule.monitors.map((monitor, at) => {
        const number = numbers.of(monitor);
        if (old?.watch === watch) return this.#keep(old.instances[at]!);
        if (watch.prober !== undefined) return [];
        return watch.places.map((target) => this.#instanceOf(number, monitor, target, before, fresh));
      });
      const isSame = old?.isSame(watch, instances) === true;
      const state = isSame ? old : new WatchState(watch, instances, wall, old?.verdict ?? known?.get(name));
      state.watch = watch;
      state.told = old?.told;
      if (!isSame) others.push(state);
      this.#watches.set(name, state);
      for (const list of instances) for (const instance of list) this.#use(instance, state);
    }
    this.#monitorNumbers = numbers.used;
    this.#lastNumber = numbers.last;
    this.#replace(before, fresh);
    for (const state of others) {
      state.judge(wall);
      this.#mark(state);
    }
  }

  verdictOf(kind: WatchKind, key: string): WatchVerdict | undefined {
    return this.#watches.get(`${kind} ${key}`)?.verdict;
  }

  /** What went down in a monitor with manual-resume, and waits to be resumed; to be kept over restarts. */
  get held(): ReadonlySet<string> {
    const held = new Set(this.#restoredHeld);
    for (const instance of this.#instances.values()) if (instance.state.isHeld) held.add(instance.heldKey);
    return held;
  }

  /** To be called before `want`: what was held before the restart. */
  restoreHeld(keys: Iterable<string>): void {
    this.#restoredHeld = new Set(keys);
  }

  /** Resumes what is held of a watch and answers well again; how many instances those are. */
  resume(kind: WatchKind, key: string): number {
    const state = this.#watches.get(`${kind} ${key}`);
    let resumed = 0;
    for (const instance of new Set(state?.instances.flat())) {
      if (!instance.state.resume(this.#options.clock.now())) continue;
      resumed++;
      this.#changed(instance);
      this.#schedule.update(instance);
    }
    return resumed;
  }

  explain(kind: WatchKind, key: string): WatchExplanation | undefined {
    const state = this.#watches.get(`${kind} ${key}`);
    if (state === undefined) return undefined;
    const { watch, verdict, instances } = state;
    const monitors = instances.map((places) => places.map((instance) => this.#explainInstance(instance)));
    return { watch, verdict, now: this.#options.clock.wall(), monitors };
  }

  /**
   * For monitors that send nothing, what others say of an address and port. It holds until the next report, also for instances that
   * come later; `impossible`: nothing is known, which is said at once.
   */
  report(type: 'bigip' | 'virtual-location', place: Pick<ProbePlace, 'address' | 'port'>, outcome: ProbeOutcome): void {
    const key = reportKey(type, place);
    this.#reports.set(key, outcome);
    for (const instance of this.#reported.get(key) ?? []) this.#takeReport(instance, outcome);
  }

  /** For a watch with a prober: what that found. */
  take(kind: WatchKind, key: string, verdict: TakenVerdict): void {
    const state = this.#watches.get(`${kind} ${key}`);
    if (state?.watch.prober === undefined) return;
    state.taken = verdict;
    if (state.judge(this.#options.clock.wall())) this.#mark(state);
  }

  /** Gives up what runs. */
  close(): void {
    this.#schedule.close();
    this.#cancelFlush?.();
  }

  #use(instance: MonitorInstance, state: WatchState): void {
    const users = this.#users.get(instance);
    if (users === undefined) this.#users.set(instance, [state]);
    else if (users.at(-1) !== state) users.push(state);
  }

  /** Those of a watch that is the same as before. */
  #keep(instances: readonly MonitorInstance[]): readonly MonitorInstance[] {
    for (const instance of instances) this.#instances.set(instance.key, instance);
    return instances;
  }

  #instanceOf(
    number: number,
    monitor: Monitor,
    target: ProbePlace,
    before: Map<string, MonitorInstance>,
    fresh: MonitorInstance[],
  ): MonitorInstance {
    const place = placeOf(monitor, target);
    const key = `${number} ${placeText(place)}`;
    const known = this.#instances.get(key) ?? before.get(key);
    if (known !== undefined) {
      this.#instances.set(key, known);
      return known;
    }
    const { clock } = this.#options;
    const instance = new MonitorInstance(key, monitor, place, clock.now(), clock.wall(), this.#schedule.done);
    this.#instances.set(key, instance);
    fresh.push(instance);
    return instance;
  }

  /** Lets instances go that nobody wants any more, and begins with those that are new. */
  #replace(before: Map<string, MonitorInstance>, fresh: readonly MonitorInstance[]): void {
    const wall = this.#options.clock.wall();
    const gone = new Map<string, MonitorInstance>();
    for (const [key, instance] of before) {
      if (this.#instances.get(key) === instance) continue;
      gone.set(instance.heldKey, instance);
      this.#schedule.remove(instance);
    }
    this.#reported = new Map();
    for (const instance of this.#instances.values()) {
      if (!instance.isReported) continue;
      const key = reportKey(instance.monitor.type, instance.place);
      this.#reported.set(key, [...(this.#reported.get(key) ?? []), instance]);
    }
    for (const key of this.#reports.keys()) if (!this.#reported.has(key)) this.#reports.delete(key);
    for (const instance of fresh) {
      const { heldKey } = instance;
      const old = gone.get(heldKey);
      if (old !== undefined) instance.inherit(old);
      if (this.#restoredHeld.has(heldKey)) {
        instance.state.hold();
        instance.noteChange(wall);
      }
      this.#schedule.add(instance);
      const report = instance.isReported && this.#reports.get(reportKey(instance.monitor.type, instance.place));
      if (report) this.#takeReport(instance, report);
    }
    this.#restoredHeld.clear();
  }

  #takeReport(instance: MonitorInstance, outcome: ProbeOutcome): void {
    const { clock } = this.#options;
    instance.history.add(outcome, clock.wall());
    if (instance.state.take(outcome, clock.now())) this.#changed(instance);
    this.#schedule.update(instance);
  }

  #changed(instance: MonitorInstance): void {
    const wall = this.#options.clock.wall();
    if (instance.noteChange(wall)) this.#schedule.changePeriod(instance);
    for (const state of this.#users.get(instance) ?? []) if (state.judge(wall)) this.#mark(state);
  }

  #mark(state: WatchState): void {
    if (state.isDirty) return;
    state.isDirty = true;
    this.#dirty.push(state);
    this.#cancelFlush ??= this.#options.clock.setTimer(0, () => this.#flush());
  }

  #flush(): void {
    if (this.#dirty.length === 0) return;
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    const changes: VerdictChange[] = [];
    for (const state of this.#dirty) {
      state.isDirty = false;
      const { watch, verdict, told } = state;
      const isSame = told?.status === verdict.status && told.reason === verdict.reason && told.since === verdict.since;
      if (isSame || this.#watches.get(`${watch.kind} ${watch.key}`) !== state) continue;
      state.told = verdict;
      changes.push({ watch, verdict });
    }
    this.#dirty = [];
    if (changes.length > 0) this.#options.changed(changes);
  }

  #explainInstance(instance: MonitorInstance): InstanceExplanation {
    const now = this.#options.clock.now();
    const { monitor, place, state, since, lastChange, history, isRunning, nextProbe } = instance;
    const { status, reason, isHeld, isFlapping, goodSince, goodNeeded, isUp } = state;
    return {
      monitor,
      place,
      status,
      reason,
      since,
      isHeld,
      isFlapping,
      rising: isUp || goodSince < 0 || isHeld ? undefined : { goodFor: now - goodSince, needed: goodNeeded },
      lastChange,
      probes: history.list(),
      isRunning,
      nextProbeIn: nextProbe === Infinity ? undefined : Math.max(0, nextProbe - now),
    };
  }
}

/** Gives the same number to monitors that say the same. */
class MonitorNumbers {
  readonly used = new Map<string, number>();
  last: number;
  readonly #before: ReadonlyMap<string, number>;
  readonly #byIdentity = new Map<Monitor, number>();

  constructor(before: ReadonlyMap<string, number>, last: number) {
    this.#before = before;
    this.last = last;
  }

  of(monitor: Monitor): number {
    const known = this.#byIdentity.get(monitor);
    if (known !== undefined) return known;
    const text = JSON.stringify(monitor);
    const number = this.used.get(text) ?? this.#before.get(text) ?? ++this.last;
    this.used.set(text, number);
    this.#byIdentity.set(monitor, number);
    return number;
  }
}

function reportKey(type: string, { address, port }: Pick<ProbePlace, 'address' | 'port'>): string {
  return `${type} ${address} ${port}`;
}
