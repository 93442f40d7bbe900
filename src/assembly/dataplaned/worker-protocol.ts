// What the main thread of dataplaned and its worker say to each other.
//
// The worker has no event loop. The main thread posts a message, bumps the control word and signals the event descriptor;
// the worker looks at the word once per breath. What the worker posts reaches the main thread like any message.

import type { PoolSizes } from '../../packet/pool.ts';
import type { FrameRingMemory } from '../../port/frame-ring.ts';
import type { PortDescription } from './port-factory.ts';
import type { Operation } from './spec.ts';

export type WorkerSetup = {
  arena: number;
  poolOffset: number;
  poolSizes: PoolSizes;
  counters: SharedArrayBuffer;
  books: SharedArrayBuffer;
  capture: SharedArrayBuffer;
  /** Of security associations, as in association-states.ts. */
  associations: SharedArrayBuffer;
  /** Messages of key exchange on their way to the main thread, as in key-exchange.ts. */
  keyExchange: FrameRingMemory;
  /** CONTROL_* words. */
  control: SharedArrayBuffer;
  /** Descriptor that is signalled together with CONTROL_MESSAGES. */
  event: number;
  audit: boolean;
};

/** Grows with every message to the worker. */
export const CONTROL_MESSAGES = 0;
/** The second of the worker's clock as of its last breath: what ages count from, and how a stuck worker is noticed. */
export const CONTROL_HEARTBEAT = 1;
export const CONTROL_WORDS = 2;

export type ToWorker =
  | { kind: 'add-port'; description: PortDescription; row: number }
  | { kind: 'remove-port'; index: number }
  | { kind: 'set-port-state'; index: number; isUp: boolean; mtu: number; joins: boolean }
  /** Answered by `applied` with the same ticket, when all of them are. */
  | { kind: 'operations'; operations: readonly Operation[]; ticket: number }
  | { kind: 'stop' };

/** Tables that the worker writes and the main thread reads. */
export type WorkerTables = {
  fdb: SharedArrayBuffer;
  endpointRemotes: SharedArrayBuffer;
  neighbours: SharedArrayBuffer;
  /** Episodes of the loop guard. */
  loops: SharedArrayBuffer;
  /** Addresses of ours that others have. */
  conflicts: SharedArrayBuffer;
};

export type FromWorker =
  | { kind: 'ready'; tables: WorkerTables }
  | { kind: 'applied'; ticket: number }
  /** The worker no longer touches the port: its handle may be closed. */
  | { kind: 'port-removed'; index: number }
  | { kind: 'stopped' };
