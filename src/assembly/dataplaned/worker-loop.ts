// The loop of the worker thread: messages, a breath, and a wait when there was nothing to do.

import type { MessagePort } from 'node:worker_threads';
import { receiveMessageOnPort } from 'node:worker_threads';
import { CounterTable } from '../../core/counters.ts';
import { loadAddon } from '../../native/addon.ts';
import { openCryptoBatch } from '../../net/batch-crypto.ts';
import { DeflateCompressor } from '../../net/deflate.ts';
import { Arena } from '../../packet/arena.ts';
import { FramePool } from '../../packet/pool.ts';
import { CaptureWriter } from '../../pipeline/capture.ts';
import { Dataplane } from './dataplane.ts';
import { listenerOf, makePort, type PortDescription, setPortState } from './port-factory.ts';
import type { Operation } from './spec.ts';
import { SpinPolicy } from './spin-policy.ts';
import {
  CONTROL_HEARTBEAT,
  CONTROL_MESSAGES,
  type FromWorker,
  type ToWorker,
  type WorkerSetup,
} from './worker-protocol.ts';

/** How long a change of configuration may hold up frames at a time. */
const APPLY_BUDGET_MS = 0.5;
/** Descriptors that one wait can watch: two per port, and the event. */
const MAX_DESCRIPTORS = 1024;

/** Runs until it is told to stop. */
export function runWorkerLoop(setup: WorkerSetup, parent: MessagePort): void {
  new WorkerLoop(setup, parent).run();
}

class WorkerLoop {
  readonly #setup: WorkerSetup;
  readonly #parent: MessagePort;
  readonly #addon;
  readonly #arena: Arena;
  readonly #dataplane: Dataplane;
  readonly #control: Int32Array;
  #seenMessages = 0;
  #stopping = false;
  /** Operations that are still to be applied, with the ticket of their message. */
  readonly #pending: { operations: readonly Operation[]; next: number; ticket: number }[] = [];
  /** Pairs as `wait` takes them; the first is the event. */
  readonly #descriptors = new Int32Array(2 * MAX_DESCRIPTORS);
  #descriptorCount = 0;
  /** Index of the port that each of them belongs to. */
  readonly #portOf = new Int32Array(MAX_DESCRIPTORS);
  /** Ports that the next breath shall ask, by index. */
  #ready = new Uint8Array(0);
  readonly #spin: SpinPolicy;

  constructor(setup: WorkerSetup, parent: MessagePort) {
    const { addon } = loadAddon();
    if (addon === undefined) throw new Error('the worker needs the addon');
    this.#addon = addon;
    this.#spin = new SpinPolicy(() => addon.preemptions());
    this.#setup = setup;
    this.#parent = parent;
    const arena = new Arena(addon.arenaBuffer(setup.arena));
    this.#arena = arena;
    this.#control = new Int32Array(setup.control);
    this.#dataplane = new Dataplane({
      pool: new FramePool(arena, setup.poolOffset, setup.poolSizes),
      counters: new CounterTable(setup.counters),
      books: new Float64Array(setup.books),
      tap: new CaptureWriter(setup.capture, arena, () => performance.timeOrigin + performance.now()),
      now: () => performance.now(),
      crypto: openCryptoBatch(addon, setup.arena),
      compressor: new DeflateCompressor(),
      associations: setup.associations,
      keyExchange: setup.keyExchange,
      audit: setup.audit,
    });
    this.#watch();
    const { fdb, endpointRemotes, neighbourMirror: neighbours, loopEpisodes: loops, conflicts } = this.#dataplane;
    this.#post({ kind: 'ready', tables: { fdb: fdb.buffer, endpointRemotes, neighbours, loops, conflicts } });
  }

  run(): void {
    while (!this.#stopping) {
      if (Atomics.load(this.#control, CONTROL_MESSAGES) !== this.#seenMessages) this.#takeMessages();
      if (this.#pending.length > 0) this.#applySome();
      else if (!this.#dataplane.isSettled) this.#dataplane.settle(APPLY_BUDGET_MS);
      this.#dataplane.breath(this.#ready);
      this.#control[CONTROL_HEARTBEAT] = this.#dataplane.second;
      this.#wait();
    }
    this.#dataplane.takeLeave();
    for (const port of this.#dataplane.ports()) port.close();
    this.#post({ kind: 'stopped' });
  }

  #post(message: FromWorker): void {
    this.#parent.postMessage(message);
  }

  #takeMessages(): void {
    this.#seenMessages = Atomics.load(this.#control, CONTROL_MESSAGES);
    this.#addon.eventDrain(this.#setup.event);
    for (;;) {
      const received = receiveMessageOnPort(this.#parent);
      if (received === undefined) return;
      this.#take(received.message as ToWorker);
    }
  }

  #take(message: ToWorker): void {
    const dataplane = this.#dataplane;
    switch (message.kind) {
      case 'add-port':
        this.#addPort(message.description, message.row);
        this.#watch();
        break;
      case 'remove-port':
        dataplane.removePort(message.index, APPLY_BUDGET_MS);
        this.#watch();
        this.#post({ kind: 'port-removed', index: message.index });
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
        this.#stopping = true;
        break;
    }
  }

  #addPort(description: PortDescription, row: number): void {
    const port = makePort(this.#addon, this.#arena, description, () => performance.now());
    this.#dataplane.addPort(port, row, listenerOf(description), APPLY_BUDGET_MS);
  }

  #applySome(): void {
    const head = this.#pending[0]!;
    if (head.next < head.operations.length) {
      head.next = this.#dataplane.apply(head.operations, head.next, APPLY_BUDGET_MS);
    } else if (!this.#dataplane.isSettled) {
      this.#dataplane.settle(APPLY_BUDGET_MS);
    }
    if (head.next < head.operations.length || !this.#dataplane.isSettled) return;
    this.#pending.shift();
    this.#post({ kind: 'applied', ticket: head.ticket });
  }

  /** Lists the descriptors to wait for; all ports are asked once. */
  #watch(): void {
    let count = 0;
    this.#descriptors[2 * count++] = this.#setup.event;
    const ports = this.#dataplane.ports();
    for (const port of ports) {
      for (const descriptor of port.descriptors) {
        this.#portOf[count] = port.index;
        this.#descriptors[2 * count++] = descriptor;
      }
    }
    this.#descriptorCount = count;
    this.#ready = new Uint8Array(Math.max(0, ...ports.map(({ index }) => index + 1)));
    // Where there is no port, nobody would take the mark away, and the loop would never sleep.
    for (const { index } of ports) this.#ready[index] = 1;
  }

  /** Marks the ports that have frames; when there is nothing else to do, waits for one. */
  #wait(): void {
    const isBusy = this.#pending.length > 0 || !this.#dataplane.isSettled || this.#ready.includes(1);
    const timeoutMs = isBusy ? 0 : Math.ceil(this.#dataplane.msUntilTick());
    const sinceUs = performance.now() * 1000;
    const spinUs = timeoutMs === 0 ? 0 : this.#spin.before(sinceUs);
    const found = this.#addon.wait(this.#descriptors, this.#descriptorCount, timeoutMs, spinUs);
    if (timeoutMs > 0) this.#spin.after(sinceUs, performance.now() * 1000, spinUs, found > 0);
    if (found === 0) return;
    for (let index = 1; index < this.#descriptorCount; index++) {
      if (this.#descriptors[2 * index + 1] === 1) this.#ready[this.#portOf[index]!] = 1;
    }
  }
}
