// Looks each second at what this machine and its virtual servers carry, and decides what of it is news: whatever has changed since the
// last interval at its end, and before it what is over a tenth more or less than what was said, or has crossed a limit.

import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import type { LoadSource, LoadTarget, VirtualLoad } from './load-source.ts';
import { loadBetween, type MachineCounters, type MachineLoad } from './machine-load.ts';

export const LOOK_MS = 1000;
const NEWS_SHARE = 0.1;
/** Looks take one part in so many of the time at most. */
const REST = 20;

/** What counts connections (`ConnectionCounter`). */
export type Counter = {
  want(targets: readonly (LoadTarget & { readonly key: string })[]): void;
  count(): Promise<ReadonlyMap<string, number>>;
};

/** Of the whole machine; connections are those of its virtual servers together. */
export type WholeLoad = MachineLoad & { readonly connections: number | undefined };

export type LoadKeeperOptions = {
  /** undefined: nobody can count. */
  readonly counter: Counter | undefined;
  readonly readMachine: () => Promise<MachineCounters>;
  readonly log: Log;
  /** Milliseconds, by a clock that nobody sets. */
  readonly now?: () => number;
};

type Counted = { readonly target: LoadTarget; said: number | undefined; now: number | undefined };

export const targetKey = ({ address, port }: LoadTarget): string => `${address} ${port}`;

export class LoadKeeper implements LoadSource {
  /** Milliseconds between two notes of everything. */
  intervalMs = 10_000;
  /** Limits of connections, by `targetKey`; and that of the machine as a whole. */
  limits: ReadonlyMap<string, readonly number[]> = new Map();
  machineLimits: readonly number[] = [];
  readonly #options: LoadKeeperOptions;
  readonly #now: () => number;
  readonly #listeners = new Set<(changed: readonly LoadTarget[]) => void>();
  readonly #machineListeners = new Set<(load: WholeLoad) => void>();
  #counted = new Map<string, Counted>();
  #before: MachineCounters | undefined;
  #machine: MachineLoad | undefined;
  #saidConnections: number | undefined;
  #noteAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #problem = '';

  constructor(options: LoadKeeperOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  start(): void {
    this.#timer = setTimeout(() => void this.#run(), 0);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  want(targets: readonly LoadTarget[]): void {
    const before = this.#counted;
    this.#counted = new Map(
      targets.map((target) => {
        const key = targetKey(target);
        return [key, before.get(key) ?? { target, said: undefined, now: undefined }];
      }),
    );
    this.#options.counter?.want([...this.#counted].map(([key, { target }]) => ({ ...target, key })));
  }

  loadOf(target: LoadTarget): VirtualLoad {
    return { connections: this.#counted.get(targetKey(target))?.said };
  }

  onChanged(listener: (changed: readonly LoadTarget[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Hears of the machine as a whole. */
  onMachine(listener: (load: WholeLoad) => void): () => void {
    this.#machineListeners.add(listener);
    return () => this.#machineListeners.delete(listener);
  }

  /** One look. */
  async look(): Promise<void> {
    // What a machine does is a difference of two looks: there is none to say before the second.
    const isDue = this.#machine === undefined || this.#now() - this.#noteAt >= this.intervalMs;
    await this.#count();
    if (isDue) await this.#readMachine();
    this.#tell(isDue);
    if (isDue) this.#noteAt = this.#now();
  }

  async #run(): Promise<void> {
    const start = this.#now();
    await this.look();
    if (this.#isStopped) return;
    const took = this.#now() - start;
    this.#timer = setTimeout(() => void this.#run(), Math.max(LOOK_MS - took, REST * took));
  }

  async #count(): Promise<void> {
    const counted = [...this.#counted];
    if (counted.length === 0) return;
    try {
      const counts = await this.#options.counter?.count();
      for (const [key, each] of counted) each.now = counts?.get(key);
      this.#problem = '';
    } catch (error) {
      for (const [, each] of counted) each.now = undefined;
      this.#complain(errorText(error));
    }
  }

  async #readMachine(): Promise<void> {
    try {
      const after = await this.#options.readMachine();
      if (this.#before !== undefined) this.#machine = loadBetween(this.#before, after);
      this.#before = after;
    } catch (error) {
      this.#machine = undefined;
      this.#complain(errorText(error));
    }
  }

  #tell(isDue: boolean): void {
    const changed: LoadTarget[] = [];
    for (const [key, each] of this.#counted) {
      const { said, now, target } = each;
      if (said === now || !(isDue || isNews(said, now, this.limits.get(key) ?? []))) continue;
      each.said = now;
      changed.push(target);
    }
    if (changed.length > 0) for (const listener of this.#listeners) listener(changed);
    const connections = this.#connections();
    if (this.#machine === undefined) return;
    if (!isDue && !isNews(this.#saidConnections, connections, this.machineLimits)) return;
    this.#saidConnections = connections;
    for (const listener of this.#machineListeners) listener({ ...this.#machine, connections });
  }

  /** undefined: of one of its virtual servers it is not known. */
  #connections(): number | undefined {
    let sum = 0;
    for (const { now } of this.#counted.values()) {
      if (now === undefined) return undefined;
      sum += now;
    }
    return sum;
  }

  #complain(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    logEvent(this.#options.log, 'load-unknown', problem);
  }
}

/** Whether a number must not wait. Limits are exceeded above their value. */
function isNews(said: number | undefined, now: number | undefined, limits: readonly number[]): boolean {
  if (said === undefined || now === undefined) return said !== now;
  if (said === now) return false;
  return Math.abs(now - said) > NEWS_SHARE * said || limits.some((limit) => said > limit !== now > limit);
}
