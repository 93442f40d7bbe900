// A thread that answers queries, as the main thread sees it: requests, what it leaves to others, its end.

import { Worker } from 'node:worker_threads';
import {
  type DeferredQuery,
  ENGINE_WORDS,
  type EngineRequest,
  EngineWord,
  type FromEngine,
  type ToEngine,
} from './engine-protocol.ts';
import type { SourceData, VersionedDecision } from './source-data.ts';

export type EngineEvents = {
  /** Queries that somebody else is to answer. */
  deferred: (queries: readonly DeferredQuery[]) => void;
  /** Decisions of wide IPs that shall be logged, and how many more there were. */
  decided: (decisions: readonly VersionedDecision[], lost: number) => void;
  /** The thread has ended by itself. */
  died: (reason: string) => void;
};

/** The thread keeps little that is young: its heap need not be large. */
const YOUNG_GENERATION_MB = 2;

type Waiting = { resolve: (socket: number | undefined) => void; reject: (error: Error) => void };

export class EngineThread {
  readonly #control = new Int32Array(new SharedArrayBuffer(ENGINE_WORDS * 4));
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ready: Promise<void>;
  readonly #ended: Promise<void>;
  #nextTicket = 1;
  #isStopping = false;

  /** `program`: the file of the thread, beside this one; `setup`: what it finds besides the control words. */
  constructor(program: string, setup: object, events: EngineEvents) {
    this.#worker = new Worker(new URL(program, import.meta.url), {
      workerData: { ...setup, control: this.#control.buffer },
      name: 'dns',
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    let failure = 'the thread that answers has ended';
    this.#ready = new Promise((resolve, reject) => {
      this.#worker.on('message', (message: FromEngine) => {
        if (message.kind === 'ready') resolve();
        else if (message.kind === 'deferred') events.deferred(message.queries);
        else if (message.kind === 'decided') events.decided(message.decisions, message.lost);
        else this.#settle(message.ticket, message.failure, message.socket);
      });
      this.#worker.on('error', (error) => {
        failure = error.message;
        reject(error);
      });
    });
    // Who has not waited for it hears of it by `died`.
    this.#ready.catch(() => undefined);
    this.#ended = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        for (const ticket of this.#waiting.keys()) this.#settle(ticket, failure);
        if (!this.#isStopping) events.died(failure);
        resolve();
      });
    });
  }

  /** Resolves when the thread runs, and has what it needs; rejects when it cannot have that. */
  ready(): Promise<void> {
    return this.#ready;
  }

  /** Resolves when the thread has ended. */
  ended(): Promise<void> {
    return this.#ended;
  }

  /** Others from the next batch of queries on. */
  async setSources(sources: SourceData): Promise<void> {
    await this.ask({ kind: 'sources', sources });
  }

  /** Gives back the memory of tables that the thread has no more; it answers nothing for some ten milliseconds. */
  async collectGarbage(): Promise<void> {
    await this.ask({ kind: 'collect' });
  }

  /** Resolves when it is so, to the handle of a socket that was opened; rejects with what failed. */
  protected ask(request: EngineRequest): Promise<number | undefined> {
    const ticket = this.#nextTicket++;
    const answered = new Promise<number | undefined>((resolve, reject) =>
      this.#waiting.set(ticket, { resolve, reject }),
    );
    const message: ToEngine = { ticket, request };
    this.#worker.postMessage(message);
    Atomics.add(this.#control, EngineWord.messages, 1);
    Atomics.notify(this.#control, EngineWord.messages);
    return answered;
  }

  /** Ends within the time that a step waits. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    Atomics.store(this.#control, EngineWord.stop, 1);
    Atomics.notify(this.#control, EngineWord.messages);
    await this.#ended;
  }

  #settle(ticket: number, failure: string | undefined, socket?: number): void {
    const waiting = this.#waiting.get(ticket);
    this.#waiting.delete(ticket);
    if (failure === undefined) waiting?.resolve(socket);
    else waiting?.reject(new Error(failure));
  }
}
