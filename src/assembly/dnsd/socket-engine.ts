// The engine that is always there: a thread that does nothing but answer what comes to one UDP socket.

import { Worker } from 'node:worker_threads';
import { OUTCOMES, type ResponderOptions } from '../../dns/responder.ts';
import type { ZoneTable } from '../../dns/zone-table.ts';
import type { ReplySocketOptions } from '../../net/reply-socket.ts';

/** Words that both threads see. */
export const EngineWord = { stop: 0, messages: 1 } as const;
const ENGINE_WORDS = 4;

/** Options that a message can carry. */
export type EngineSetup = {
  readonly control: SharedArrayBuffer;
  /** What became of queries (`Outcome`). */
  readonly counts: SharedArrayBuffer;
  readonly socket: ReplySocketOptions;
  readonly responder: ResponderOptions;
  readonly zones: readonly ZoneTable[];
};

export type ToEngine = { readonly kind: 'zones'; readonly zones: readonly ZoneTable[] };
export type FromEngine = { readonly kind: 'listening' };

export class SocketEngine {
  readonly counts: Float64Array;
  readonly #control = new Int32Array(new SharedArrayBuffer(ENGINE_WORDS * 4));
  readonly #worker: Worker;
  readonly #listening: Promise<void>;
  readonly #ended: Promise<void>;

  constructor(setup: Omit<EngineSetup, 'control' | 'counts'>) {
    const counts = new SharedArrayBuffer(OUTCOMES * Float64Array.BYTES_PER_ELEMENT);
    this.counts = new Float64Array(counts);
    const workerData: EngineSetup = { ...setup, control: this.#control.buffer, counts };
    this.#worker = new Worker(new URL('./socket-engine-main.js', import.meta.url), { workerData, name: 'dns' });
    this.#ended = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
    this.#listening = new Promise((resolve, reject) => {
      this.#worker.once('message', () => resolve());
      this.#worker.once('error', reject);
    });
  }

  /** Resolves when queries are answered; rejects when the address cannot be had. */
  listening(): Promise<void> {
    return this.#listening;
  }

  /** Other zones from the next batch of queries on. */
  setZones(zones: readonly ZoneTable[]): void {
    const message: ToEngine = { kind: 'zones', zones };
    this.#worker.postMessage(message);
    Atomics.add(this.#control, EngineWord.messages, 1);
  }

  /** Ends within the time that a step waits. */
  async stop(): Promise<void> {
    Atomics.store(this.#control, EngineWord.stop, 1);
    await this.#ended;
  }
}
