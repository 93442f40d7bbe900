// The worker as its main thread sees it: memory that both share, messages to it, its death.

import { Worker } from 'node:worker_threads';
import { CounterTable } from '../../core/counters.ts';
import type { Addon } from '../../native/addon.ts';
import { Arena, ArenaAllocator } from '../../packet/arena.ts';
import { DEFAULT_POOL, poolOctets } from '../../packet/pool.ts';
import { type Books, createBooks } from '../../pipeline/books.ts';
import { createCaptureMemory } from '../../pipeline/capture.ts';
import { createFrameRing, type FrameRingMemory, frameRingOctets } from '../../port/frame-ring.ts';
import { createAssociationStates } from './association-states.ts';
import { COUNTER_ROWS, type DriverEvents, type FrameDriver } from './frame-driver.ts';
import { KEY_EXCHANGE_SLOTS } from './key-exchange.ts';
import {
  CONTROL_HEARTBEAT,
  CONTROL_MESSAGES,
  CONTROL_WORDS,
  type FromWorker,
  type ToWorker,
  type WorkerSetup,
  type WorkerTables,
} from './worker-protocol.ts';

/** Address space for packet memory; what is not used costs nothing. */
const ARENA_OCTETS = 1 << 30;
/**
 * What the worker's heap collects young objects in. It makes few, only while a configuration is applied, and frames wait while
 * those that live on are copied: the fewer at a time the better.
 */
const YOUNG_GENERATION_MB = 3;

export class WorkerThread implements FrameDriver {
  readonly arena: number;
  readonly memory: Arena;
  readonly allocator = new ArenaAllocator(ARENA_OCTETS);
  readonly counters = new CounterTable(COUNTER_ROWS);
  readonly books: Books = createBooks();
  readonly capture = createCaptureMemory();
  readonly associations = createAssociationStates();
  readonly keyExchange: FrameRingMemory;
  /** Tables of the worker, once it is ready. */
  tables: WorkerTables = {
    fdb: new SharedArrayBuffer(0),
    endpointRemotes: new SharedArrayBuffer(0),
    neighbours: new SharedArrayBuffer(0),
    loops: new SharedArrayBuffer(0),
    conflicts: new SharedArrayBuffer(0),
  };
  readonly #addon: Addon;
  readonly #control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));
  readonly #event: number;
  readonly #worker: Worker;
  readonly #ready: Promise<void>;
  #stopping = false;

  constructor(addon: Addon, events: DriverEvents) {
    this.#addon = addon;
    this.arena = addon.arenaCreate(ARENA_OCTETS);
    this.memory = new Arena(addon.arenaBuffer(this.arena));
    const poolOffset = this.allocator.allocate(poolOctets(DEFAULT_POOL))!;
    this.keyExchange = createFrameRing(
      this.allocator.allocate(frameRingOctets(KEY_EXCHANGE_SLOTS))!,
      KEY_EXCHANGE_SLOTS,
    );
    this.#event = addon.eventOpen();
    const setup: WorkerSetup = {
      arena: this.arena,
      poolOffset,
      poolSizes: DEFAULT_POOL,
      counters: this.counters.buffer,
      books: this.books.buffer as SharedArrayBuffer,
      capture: this.capture,
      associations: this.associations,
      keyExchange: this.keyExchange,
      control: this.#control.buffer,
      event: this.#event,
      audit: process.env.WIDEPLANE_AUDIT === '1',
    };
    this.#worker = new Worker(new URL('./worker-main.js', import.meta.url), {
      workerData: setup,
      name: 'dataplane',
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    this.#ready = new Promise((resolve) => {
      this.#worker.on('message', (message: FromWorker) => {
        if (message.kind === 'ready') {
          this.tables = message.tables;
          resolve();
        } else if (message.kind === 'applied') events.applied(message.ticket);
        else if (message.kind === 'port-removed') events.portRemoved(message.index);
      });
    });
    this.#worker.on('error', (error) => {
      events.died(error instanceof Error ? (error.stack ?? error.message) : String(error));
    });
    this.#worker.on('exit', (code) => {
      if (!this.#stopping) events.died(`exit status ${code}`);
    });
  }

  /** Resolves when the worker has built its tables and takes messages. */
  ready(): Promise<void> {
    return this.#ready;
  }

  /** Second of the worker's clock. */
  get second(): number {
    return Atomics.load(this.#control, CONTROL_HEARTBEAT);
  }

  post(message: ToWorker): void {
    this.#worker.postMessage(message);
    Atomics.add(this.#control, CONTROL_MESSAGES, 1);
    this.#addon.eventSignal(this.#event);
  }

  /** Ports of this thread wake the worker by a descriptor of their own. */
  arrived(): void {
    return;
  }

  /** Resolves when the worker has closed its ports and ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const exited = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
    this.post({ kind: 'stop' });
    await exited;
    this.#addon.closeDescriptor(this.#event);
  }
}
