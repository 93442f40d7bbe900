// Follows what healthd measures: a snapshot first, then each change at once. When healthd dies what it said last goes on to count,
// and is called stale once it is older than it is good for; when healthd comes back it is compared with what it says then.

import { setTimeout as delay } from 'node:timers/promises';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import type { Measured } from '../../ipc/healthd-schema.ts';
import { IpcClient } from '../../ipc/ipc-client.ts';
import { IpcError } from '../../ipc/ipc-error.ts';

export type Forgotten = Pick<Measured, 'kind' | 'key'>;

/** What takes what was measured. */
export type MeasureTarget = {
  /** healthd has said something, if only that it lives. */
  heard(): void;
  /** One change. `isWhole`: what is not in it is not watched any more. */
  measure(measured: readonly Measured[], forgotten: readonly Forgotten[], isWhole: boolean): void;
  /** Seconds without a word of healthd, where that is longer than something that it measured is good for. */
  staleFor(): number | undefined;
};

export type HealthFollowerOptions = {
  /** Socket of healthd. */
  readonly socketPath: string;
  readonly target: MeasureTarget;
  readonly log: Log;
};

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1000;
/** How often it is looked whether something is stale. */
const REVIEW_MS = 500;

export class HealthFollower {
  readonly #options: HealthFollowerOptions;
  readonly #stop = new AbortController();
  #client: IpcClient | undefined;
  #review: NodeJS.Timeout | undefined;
  #done: Promise<void> | undefined;
  /** Why healthd is not heard, as it was last found. */
  #problem = '';
  #isStale = false;

  constructor(options: HealthFollowerOptions) {
    this.#options = options;
  }

  /** To be called when what was known is there; a second call does nothing. */
  start(): void {
    if (this.#done !== undefined) return;
    this.#done = this.#run();
    this.#review = setInterval(() => this.#look(), REVIEW_MS);
  }

  /** Nothing is measured after it. */
  async stop(): Promise<void> {
    clearInterval(this.#review);
    this.#stop.abort();
    this.#client?.close();
    await this.#done;
  }

  async #run(): Promise<void> {
    const signal: AbortSignal = this.#stop.signal;
    let retryMs = FIRST_RETRY_MS;
    while (!signal.aborted) {
      try {
        await this.#follow();
      } catch (error) {
        if (!(error instanceof IpcError)) throw error;
        this.#problem = error.message;
        if (error.code === 'disconnected') retryMs = FIRST_RETRY_MS;
      }
      await delay(retryMs, undefined, { signal }).catch(() => undefined);
      retryMs = Math.min(LAST_RETRY_MS, retryMs * 2);
    }
  }

  #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Follows one connection to its end; throws an IpcError. What was not whole when it ended is forgotten. */
  async #follow(): Promise<void> {
    const { socketPath, target } = this.#options;
    const client = await IpcClient.connect(socketPath);
    if (this.#isStopped()) {
      client.close();
      return;
    }
    this.#client = client;
    try {
      let change = new Change();
      for await (const { begin, measured, forgotten, last } of client.stream('health-reports', {})) {
        if (this.#isStopped()) return;
        target.heard();
        if (begin === true) change = new Change(true);
        change.measured.push(...measured);
        change.forgotten.push(...forgotten);
        if (!last) continue;
        if (change.isWhole || change.measured.length > 0 || change.forgotten.length > 0) {
          target.measure(change.measured, change.forgotten, change.isWhole);
        }
        change = new Change();
        if (this.#isStale) this.#look();
      }
    } finally {
      client.close();
    }
    throw new IpcError('disconnected', `healthd at ${socketPath} ended its reports`);
  }

  /** Says once that what counts is stale, and once that it is not any more. */
  #look(): void {
    const { target, log } = this.#options;
    const seconds = target.staleFor();
    if ((seconds !== undefined) === this.#isStale) return;
    this.#isStale = seconds !== undefined;
    if (seconds === undefined) {
      logEvent(log, 'health-fresh', 'healthd is heard of again');
      return;
    }
    const why = this.#client?.isConnected === true ? 'it is connected, and silent' : this.#problem;
    logEvent(log, 'health-stale', `nothing heard of healthd for ${Math.floor(seconds)} s: ${why}`);
  }
}

class Change {
  readonly measured: Measured[] = [];
  readonly forgotten: Forgotten[] = [];
  readonly isWhole: boolean;

  constructor(isWhole = false) {
    this.isWhole = isWhole;
  }
}
