// Follows what another daemon tells: a snapshot first, then each change at once, and beats. When that daemon dies what it said last goes on
// to count, and is called stale once it is older than its taker finds good; when it comes back it is compared with what it says then.

import { setTimeout as delay } from 'node:timers/promises';
import { logEvent, type LogCode } from '../core/log-codes.ts';
import type { Log } from '../core/log.ts';
import { IpcClient } from '../ipc/ipc-client.ts';
import { IpcError } from '../ipc/ipc-error.ts';
import type { ItemOf } from '../ipc/schema.ts';

/** Methods whose items are pieces of a snapshot, pieces of changes, and beats. */
export type FollowedMethod = 'health-reports' | 'local-states' | 'mesh-states' | 'mesh-metrics' | 'path-resolvers';

/** Where a piece stands: without a word it is a change by itself. */
type Placed = { readonly begin?: true | undefined; readonly last?: boolean | undefined };

/** What takes what is told. */
export type ReportTarget<R> = {
  /** The daemon has said something, if only that it lives. */
  heard(): void;
  /** One change, whole: its pieces in their order. A beat is one piece with nothing in it. `isWhole`: what is not in it is gone. */
  take(pieces: readonly R[], isWhole: boolean): void;
  /** Seconds without a word of the daemon, where that is longer than what it said is good for. */
  staleFor(): number | undefined;
};

export type ReportFollowerOptions<M extends FollowedMethod> = {
  /** Who is followed, for messages. */
  readonly daemon: string;
  readonly method: M;
  readonly socketPath: string;
  readonly target: ReportTarget<ItemOf<M>>;
  /** Said once when what counts is stale, and once when it is not any more. */
  readonly codes: { readonly stale: LogCode; readonly fresh: LogCode };
  readonly log: Log;
};

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1000;
/** How often it is looked whether something is stale. */
const REVIEW_MS = 500;

export class ReportFollower<M extends FollowedMethod> {
  readonly #options: ReportFollowerOptions<M>;
  readonly #stop = new AbortController();
  #client: IpcClient | undefined;
  #review: NodeJS.Timeout | undefined;
  #done: Promise<void> | undefined;
  /** Why the daemon is not heard, as it was last found. */
  #problem = '';
  #isStale = false;

  constructor(options: ReportFollowerOptions<M>) {
    this.#options = options;
  }

  /** To be called when what was known is there; a second call does nothing. */
  start(): void {
    if (this.#done !== undefined) return;
    this.#done = this.#run();
    this.#review = setInterval(() => this.#look(), REVIEW_MS);
  }

  /** Why nothing is heard, for a person. */
  get problem(): string {
    if (this.#client?.isConnected === true) return 'it is connected, and silent';
    return this.#problem === '' ? 'it has not been reached yet' : this.#problem;
  }

  /** Nothing is taken after it. */
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
    const { daemon, method, socketPath, target } = this.#options;
    const client = await IpcClient.connect(socketPath);
    if (this.#isStopped()) {
      client.close();
      return;
    }
    this.#client = client;
    try {
      let pieces: ItemOf<M>[] = [];
      let isWhole = false;
      for await (const piece of client.stream<FollowedMethod>(method, {}) as AsyncIterable<ItemOf<M>>) {
        if (this.#isStopped()) return;
        target.heard();
        const { begin, last = true } = piece as Placed;
        if (begin === true) [pieces, isWhole] = [[], true];
        pieces.push(piece);
        if (!last) continue;
        target.take(pieces, isWhole);
        [pieces, isWhole] = [[], false];
        if (this.#isStale) this.#look();
      }
    } finally {
      client.close();
    }
    throw new IpcError('disconnected', `${daemon} at ${socketPath} ended its reports`);
  }

  /** Says once that what counts is stale, and once that it is not any more. */
  #look(): void {
    const { daemon, target, codes, log } = this.#options;
    const seconds = target.staleFor();
    if ((seconds !== undefined) === this.#isStale) return;
    this.#isStale = seconds !== undefined;
    if (seconds === undefined) logEvent(log, codes.fresh, `${daemon} is heard of again`);
    else logEvent(log, codes.stale, `nothing heard of ${daemon} for ${Math.floor(seconds)} s: ${this.problem}`);
  }
}
