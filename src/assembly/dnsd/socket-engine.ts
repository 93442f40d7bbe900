// The engine that is always there: a thread that does nothing but answer what comes to UDP sockets.

import { Worker } from 'node:worker_threads';
import type { ResponderOptions } from '../../dns/responder.ts';
import type { ZoneTable } from '../../dns/zone-table.ts';
import {
  type DeferredQuery,
  ENGINE_WORDS,
  type EngineListener,
  type EngineRequest,
  type EngineSetup,
  EngineWord,
  type FromEngine,
  type ToEngine,
} from './engine-protocol.ts';

export type EngineEvents = {
  /** Queries that somebody else is to answer. */
  deferred: (queries: readonly DeferredQuery[]) => void;
  /** The thread has ended by itself. */
  died: (reason: string) => void;
};

/** The thread keeps little that is young: its heap need not be large. */
const YOUNG_GENERATION_MB = 2;

type Waiting = { resolve: () => void; reject: (error: Error) => void };

export class SocketEngine {
  readonly #control = new Int32Array(new SharedArrayBuffer(ENGINE_WORDS * 4));
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ready: Promise<void>;
  readonly #ended: Promise<void>;
  #nextTicket = 1;
  #isStopping = false;

  constructor(events: EngineEvents) {
    const workerData: EngineSetup = { control: this.#control.buffer };
    this.#worker = new Worker(new URL('./socket-engine-main.js', import.meta.url), {
      workerData,
      name: 'dns',
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    let isReady: () => void = () => undefined;
    this.#ready = new Promise((resolve) => (isReady = resolve));
    this.#ended = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
    this.#worker.on('message', (message: FromEngine) => {
      if (message.kind === 'ready') isReady();
      else if (message.kind === 'deferred') events.deferred(message.queries);
      else this.#settle(message.ticket, message.failure);
    });
    this.#worker.on('error', (error) => events.died(error.message));
    this.#worker.on('exit', () => {
      for (const ticket of this.#waiting.keys()) this.#settle(ticket, 'the thread that answers has ended');
      if (!this.#isStopping) events.died('the thread that answers has ended');
    });
  }

  /** Resolves when the thread runs. */
  ready(): Promise<void> {
    return this.#ready;
  }

  /** Resolves when queries to the socket are answered; rejects when the thread cannot use it. */
  open(listener: EngineListener): Promise<void> {
    return this.#ask({ kind: 'open', listener });
  }

  /** Answers as these options say from the next batch of queries on. */
  change(id: number, answers: ResponderOptions): Promise<void> {
    return this.#ask({ kind: 'change', id, answers });
  }

  /** Resolves when the socket is closed. */
  close(id: number): Promise<void> {
    return this.#ask({ kind: 'close', id });
  }

  /** Other zones from the next batch of queries on, and where they are counted. */
  setZones(zones: readonly ZoneTable[], counts: Float64Array): Promise<void> {
    return this.#ask({ kind: 'zones', zones, counts });
  }

  /** Ends within the time that a step waits. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    Atomics.store(this.#control, EngineWord.stop, 1);
    Atomics.notify(this.#control, EngineWord.messages);
    await this.#ended;
  }

  #ask(request: EngineRequest): Promise<void> {
    const ticket = this.#nextTicket++;
    const answered = new Promise<void>((resolve, reject) => this.#waiting.set(ticket, { resolve, reject }));
    const message: ToEngine = { ticket, request };
    this.#worker.postMessage(message);
    Atomics.add(this.#control, EngineWord.messages, 1);
    Atomics.notify(this.#control, EngineWord.messages);
    return answered;
  }

  #settle(ticket: number, failure: string | undefined): void {
    const waiting = this.#waiting.get(ticket);
    this.#waiting.delete(ticket);
    if (failure === undefined) waiting?.resolve();
    else waiting?.reject(new Error(failure));
  }
}
