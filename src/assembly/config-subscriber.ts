// How a daemon gets its configuration: from configd while it lives, from its own last snapshot when it does not.
//
// The daemon sees one snapshot in its life and then changes only, whatever becomes of configd: when configd comes back,
// its snapshot is compared with what runs here, and what is the same is not touched.

import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { applyChanges, diffObjects, mapObjects, objectKey } from '../config/change.ts';
import type { ConfigChange, Generation } from '../config/change.ts';
import type { AnyConfigObject } from '../config/object-type.ts';
import type { ConfigObject } from '../config/object-types.ts';
import { errorText } from '../core/errors.ts';
import { logEvent } from '../core/log-codes.ts';
import type { Log } from '../core/log.ts';
import { IpcClient } from '../ipc/ipc-client.ts';
import { IpcError } from '../ipc/ipc-error.ts';
import { ObjectReader } from '../ipc/object-lines.ts';
import type { ReadObject } from '../ipc/object-lines.ts';
import { changeHeadSchema } from '../ipc/schema.ts';
import type { ApplyFailure, ParamsOf, Update } from '../ipc/schema.ts';
import { removeLeftovers } from '../store/atomic-file.ts';
import type { JournaledFile } from '../store/journaled-file.ts';
import { readSnapshot, SNAPSHOT_FILE, snapshotFile } from './config-snapshot.ts';
import type { Snapshot } from './config-snapshot.ts';

/** What applies the configuration; each returns the objects that could not be applied, and must not throw for those. */
export type ConfigApplier = {
  /** Called once, before any onDiff. */
  onSnapshot(generation: Generation, objects: readonly ConfigObject[]): Promise<ApplyFailure[]> | ApplyFailure[];
  /** Changes in the order in which they can be applied (config/change.ts). */
  onDiff(generation: Generation, changes: readonly ConfigChange[]): Promise<ApplyFailure[]> | ApplyFailure[];
  /** What cannot be applied at present, for appliers where that changes without a change of the configuration. */
  failures?(): readonly ApplyFailure[];
};

export type ConfigSubscriberOptions = {
  /** `dataplaned`. */
  readonly daemon: string;
  /** Types of the objects that it gets; absent: all. */
  readonly types?: readonly string[];
  /** Socket of configd. */
  readonly socketPath: string;
  /** The daemon's own directory, which exists; the last applied snapshot is kept there. Absent: none is kept. */
  readonly directory?: string;
  readonly applier: ConfigApplier;
  readonly log: Log;
};

/** How long configd may be absent at start before the daemon takes its own snapshot. */
const START_GRACE_MS = 1000;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1000;
/** How often an applier is asked whether it still cannot apply the same. */
const REVIEW_MS = 500;

export class ConfigSubscriber {
  readonly #options: ConfigSubscriberOptions;
  readonly #snapshotPath: string | undefined;
  readonly #stop = new AbortController();
  #client: IpcClient | undefined;
  #generation: Generation | undefined;
  #objects = new Map<string, AnyConfigObject>();
  /** What configd was told last on this connection; undefined while something is being applied. */
  #acknowledged: ParamsOf<'acknowledge'> | undefined;
  #isLost = false;
  #isSnapshotRefused = false;
  /** What runs, in the daemon's own files. */
  readonly #snapshots: JournaledFile<Snapshot> | undefined;
  #firstApplied: () => void = () => undefined;
  #done: Promise<void> | undefined;

  constructor(options: ConfigSubscriberOptions) {
    this.#options = options;
    const { directory, log } = options;
    if (directory === undefined) return;
    const path = join(directory, SNAPSHOT_FILE);
    this.#snapshotPath = path;
    this.#snapshots = snapshotFile(path, (error) => logEvent(log, 'snapshot-failed', errorText(error), { path }));
  }

  /** The generation that runs; undefined before the first. */
  get generation(): Generation | undefined {
    return this.#generation;
  }

  /** Starts, and resolves when the first configuration was applied, wherever it came from. */
  async start(): Promise<void> {
    if (this.#snapshotPath !== undefined) await removeLeftovers(this.#snapshotPath);
    const applied = new Promise<void>((resolve) => (this.#firstApplied = resolve));
    this.#done = this.#run();
    // What onSnapshot throws is the daemon's end: it reaches the caller of start or, later, of `finished`.
    await Promise.race([applied, this.#done]);
  }

  /** Settles when the subscriber has ended: rejects with what the applier threw. */
  async finished(): Promise<void> {
    await this.#done;
  }

  /** Disconnects; no call of the applier starts after it. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#client?.close();
    await this.#done;
    await this.#snapshots?.close();
  }

  async #run(): Promise<void> {
    const signal: AbortSignal = this.#stop.signal;
    const startedAt = performance.now();
    let retryMs = FIRST_RETRY_MS;
    while (!signal.aborted) {
      try {
        await this.#follow();
        retryMs = FIRST_RETRY_MS;
      } catch (error) {
        if (!(error instanceof IpcError)) throw error;
        if (this.#isStopped()) return;
        this.#reportLost(error.message);
        if (error.code !== 'unreachable') retryMs = FIRST_RETRY_MS;
      }
      const graceMs = startedAt + START_GRACE_MS - performance.now();
      if (this.#generation === undefined && graceMs <= 0) await this.#startFromSnapshot();
      await delay(graceMs > 0 ? Math.min(retryMs, graceMs) : retryMs, undefined, { signal }).catch(() => undefined);
      retryMs = Math.min(LAST_RETRY_MS, retryMs * 2);
    }
  }

  #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Follows one connection to its end; throws an IpcError. */
  async #follow(): Promise<void> {
    const { daemon, types, socketPath } = this.#options;
    const client = await IpcClient.connect(socketPath);
    this.#client = client;
    // A configd that accepts and does not answer is as absent as one that does not listen.
    const silence = this.#generation === undefined ? setTimeout(() => client.close(), START_GRACE_MS) : undefined;
    const review = setInterval(() => this.#review(client), REVIEW_MS);
    try {
      let pending: ReadUpdate = new ReadUpdate();
      for await (const update of client.stream('subscribe', {
        daemon,
        ...(types === undefined ? {} : { types: [...types] }),
      })) {
        clearTimeout(silence);
        if (this.#isStopped()) return;
        pending.add(update);
        if (!update.last) continue;
        const { objects } = pending.finished();
        pending = new ReadUpdate();
        this.#acknowledged = undefined;
        const failures = await this.#apply(update, objects);
        this.#reportFound();
        const acknowledged = { daemon, generation: update.generation, failures };
        const answer = client.request('acknowledge', acknowledged);
        // What runs is told first, and written then.
        this.#keepSnapshot();
        await answer;
        this.#acknowledged = acknowledged;
      }
    } finally {
      clearTimeout(silence);
      clearInterval(review);
      this.#acknowledged = undefined;
      client.close();
    }
    throw new IpcError('disconnected', `configd at ${socketPath} ended the subscription`);
  }

  /** Acknowledges again when a device that came or went has changed what can be applied. */
  #review(client: IpcClient): void {
    const before = this.#acknowledged;
    const failures = this.#options.applier.failures?.();
    if (before === undefined || failures === undefined) return;
    if (JSON.stringify(failures) === JSON.stringify(before.failures)) return;
    this.#acknowledged = { ...before, failures: [...failures] };
    // A connection that was lost is noticed by whoever follows it.
    void client.request('acknowledge', this.#acknowledged).catch(() => undefined);
  }

  async #apply(update: Update, read: readonly ReadObject[]): Promise<ApplyFailure[]> {
    const { generation } = update;
    if (update.update === 'snapshot') {
      const objects = mapObjects(read.map(({ object }) => object));
      if (this.#generation === undefined) return this.#applySnapshot(generation, objects);
      return this.#applyDiff(generation, diffObjects(this.#objects, objects));
    }
    const { from } = update;
    const ours = this.#generation;
    if (from?.epoch !== ours?.epoch || from?.number !== ours?.number) {
      throw new IpcError('refused', 'configd sent a diff that does not start at the generation that runs here');
    }
    // What the update does not name is the same before and after.
    const before = new Map<string, AnyConfigObject>();
    const after = new Map<string, AnyConfigObject>();
    for (const { object, head } of read) {
      const key = objectKey(object);
      const known = this.#objects.get(key);
      if (known !== undefined) before.set(key, known);
      if (changeHeadSchema.parse(head).action === 'delete') after.delete(key);
      else after.set(key, object);
    }
    return this.#applyDiff(generation, diffObjects(before, after));
  }

  async #applySnapshot(generation: Generation, objects: Map<string, AnyConfigObject>): Promise<ApplyFailure[]> {
    const failures = await this.#options.applier.onSnapshot(generation, [...objects.values()] as ConfigObject[]);
    this.#applied(generation, objects, failures);
    return failures;
  }

  async #applyDiff(generation: Generation, changes: readonly ConfigChange[]): Promise<ApplyFailure[]> {
    const failures = await this.#options.applier.onDiff(generation, changes);
    this.#applied(generation, applyChanges(this.#objects, changes), failures);
    return failures;
  }

  #applied(generation: Generation, objects: Map<string, AnyConfigObject>, failures: readonly ApplyFailure[]): void {
    const { log } = this.#options;
    this.#generation = generation;
    this.#objects = objects;
    for (const { object, reason } of failures) logEvent(log, 'config-apply-failed', `${object}: ${reason}`, { object });
    logEvent(log, 'config-applied', `runs generation ${generation.number}`, { ...generation, objects: objects.size });
    this.#firstApplied();
  }

  #keepSnapshot(): void {
    if (this.#generation !== undefined) this.#snapshots?.keep({ generation: this.#generation, objects: this.#objects });
  }

  async #startFromSnapshot(): Promise<void> {
    const { log } = this.#options;
    const path = this.#snapshotPath;
    if (path === undefined) return;
    let snapshot: Snapshot | undefined;
    try {
      snapshot = await readSnapshot(path);
    } catch (error) {
      if (!this.#isSnapshotRefused) logEvent(log, 'snapshot-failed', errorText(error), { path });
      this.#isSnapshotRefused = true;
    }
    if (snapshot === undefined) return;
    const fields = { path, ...snapshot.generation };
    logEvent(log, 'snapshot-loaded', 'configd is absent: starting from the last applied configuration', fields);
    await this.#applySnapshot(snapshot.generation, new Map(snapshot.objects));
  }

  #reportLost(message: string): void {
    if (!this.#isLost) logEvent(this.#options.log, 'configd-lost', message);
    this.#isLost = true;
  }

  #reportFound(): void {
    if (this.#isLost) logEvent(this.#options.log, 'configd-found', 'configd is back');
    this.#isLost = false;
  }
}

/** What has come of one update. */
class ReadUpdate {
  readonly #reader = new ObjectReader();
  readonly objects: ReadObject[] = [];

  add({ text }: Update): void {
    this.objects.push(...this.#reader.push(text));
  }

  finished(): this {
    this.#reader.finish();
    return this;
  }
}
