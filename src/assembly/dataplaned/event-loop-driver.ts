// The data plane on the main thread, where the addon cannot be loaded: the same scheduler and nodes as in the worker, run by
// the event loop.
//
// A breath follows when frames have come, when one left frames behind, when operations are still to be applied, and with
// the tick. Between two breaths everything else of this thread has its turn, so frames wait for `show` and `show` for
// frames: a fallback that works, not the way to be fast.

import { CounterTable } from '../../core/counters.ts';
import { Arena, ArenaAllocator } from '../../packet/arena.ts';
import { DEFAULT_POOL, FramePool, poolOctets } from '../../packet/pool.ts';
import { createBooks } from '../../pipeline/books.ts';
import { CaptureWriter, createCaptureMemory } from '../../pipeline/capture.ts';
import { Dataplane } from './dataplane.ts';
import { COUNTER_ROWS, type DriverEvents, type FrameDriver } from './frame-driver.ts';
import { makePort, setPortState } from './port-factory.ts';
import type { Operation } from './spec.ts';
import type { ToWorker, WorkerTables } from './worker-protocol.ts';

/** Address space for packet memory; what is not used costs nothing. */
const ARENA_OCTETS = 1 << 30;
/** How long a change of configuration may hold up frames at a time. */
const APPLY_BUDGET_MS = 0.5;

export class EventLoopDriver implements FrameDriver {
  readonly arena = 0;
  readonly memory = new Arena(new ArrayBuffer(ARENA_OCTETS));
  readonly allocator = new ArenaAllocator(ARENA_OCTETS);
  readonly counters = new CounterTable(COUNTER_ROWS);
  readonly capture = createCaptureMemory();
  readonly tables: WorkerTables;
  readonly #events: DriverEvents;
  readonly #dataplane: Dataplane;
  readonly #pending: { operations: readonly Operation[]; next: number; ticket: number }[] = [];
  /** Ports that the next breath shall ask, by index; those without descriptors are asked by every one. */
  #ready = new Uint8Array(0);
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #breathing = false;
  #stopped = false;

  constructor(events: DriverEvents) {
    this.#events = events;
    const poolOffset = this.allocator.allocate(poolOctets(DEFAULT_POOL))!;
    this.#dataplane = new Dataplane({
      pool: new FramePool(this.memory, poolOffset, DEFAULT_POOL),
      counters: this.counters,
      books: createBooks(),
      tap: new CaptureWriter(this.capture, this.memory, () => performance.timeOrigin + performance.now()),
      now: () => performance.now(),
      audit: process.env.WIDEPLANE_AUDIT === '1',
    });
    const { fdb, endpointRemotes, neighbourMirror: neighbours, loopEpisodes: loops, conflicts } = this.#dataplane;
    this.tables = { fdb: fdb.buffer, endpointRemotes, neighbours, loops, conflicts };
  }

  ready(): Promise<void> {
    this.#schedule();
    return Promise.resolve();
  }

  get second(): number {
    return this.#dataplane.second;
  }

  post(message: ToWorker): void {
    if (this.#stopped) return;
    const dataplane = this.#dataplane;
    switch (message.kind) {
      case 'add-port': {
        const { description, row } = message;
        const port = makePort(undefined, this.memory, description, () => performance.now());
        dataplane.addPort(port, row);
        this.#watch();
        break;
      }
      case 'remove-port':
        dataplane.removePort(message.index);
        this.#watch();
        // As from a worker: after the caller has gone on.
        setImmediate(() => this.#events.portRemoved(message.index));
        break;
      case 'set-port-state': {
        const port = dataplane.ports().find(({ index }) => index === message.index);
        if (port !== undefined) setPortState(port, message);
        break;
      }
      case 'operations':
        this.#pending.push({ operations: message.operations, next: 0, ticket: message.ticket });
        break;
      case 'stop':
        break;
    }
    this.#schedule();
  }

  arrived(many: boolean): void {
    if (many) this.#breath();
    else this.#schedule();
  }

  stop(): Promise<void> {
    this.#stopped = true;
    clearImmediate(this.#immediate);
    clearTimeout(this.#timer);
    for (const port of this.#dataplane.ports()) port.close();
    return Promise.resolve();
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#immediate ??= setImmediate(() => {
      this.#immediate = undefined;
      this.#breath();
    });
  }

  #watch(): void {
    const ports = this.#dataplane.ports();
    this.#ready = new Uint8Array(Math.max(0, ...ports.map(({ index }) => index + 1))).fill(1);
  }

  /** One breath, and when the next one is. Sending can bring frames in, which wait for the next. */
  #breath(): void {
    if (this.#breathing || this.#stopped) return;
    this.#breathing = true;
    try {
      this.#applySome();
      this.#dataplane.breath(this.#ready);
    } catch (error) {
      // What ends a worker ends this: the state of the data plane is not known any more.
      this.#stopped = true;
      this.#events.died(error instanceof Error ? (error.stack ?? error.message) : String(error));
      return;
    } finally {
      this.#breathing = false;
    }
    clearTimeout(this.#timer);
    if (this.#pending.length > 0 || this.#ready.includes(1)) this.#schedule();
    else this.#timer = setTimeout(() => this.#breath(), Math.ceil(this.#dataplane.msUntilTick()));
  }

  #applySome(): void {
    const head = this.#pending[0];
    if (head === undefined) return;
    if (head.next < head.operations.length) {
      head.next = this.#dataplane.apply(head.operations, head.next, APPLY_BUDGET_MS);
    }
    if (head.next < head.operations.length) return;
    this.#pending.shift();
    this.#events.applied(head.ticket);
  }
}
