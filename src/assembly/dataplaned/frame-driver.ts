// What runs the data plane, as the rest of dataplaned sees it: the worker thread, or the event loop where the addon is absent.

import { MAX_ASSOCIATIONS } from '../../config/types/net-ipsec-manual-security-association.ts';
import type { CounterTable } from '../../core/counters.ts';
import type { FrameRingMemory } from '../../port/frame-ring.ts';
import type { PortHost } from './port-factory.ts';
import type { ToWorker, WorkerTables } from './worker-protocol.ts';

/** Objects with counters: ports, members, tunnels, traffic selectors, and as many associations as there may be. */
export const COUNTER_ROWS = 16_384 + MAX_ASSOCIATIONS;

export type DriverEvents = {
  applied(ticket: number): void;
  portRemoved(index: number): void;
  /** It ended without being asked to. */
  died(reason: string): void;
};

export interface FrameDriver extends PortHost {
  readonly counters: CounterTable;
  readonly capture: SharedArrayBuffer;
  /** Of security associations (association-states.ts); undefined: IPsec needs the worker. */
  readonly associations?: SharedArrayBuffer;
  /** Messages of key exchange that wait for who has registered (key-exchange.ts). */
  readonly keyExchange?: FrameRingMemory;
  /** Tables that the data plane writes. */
  readonly tables: WorkerTables;
  /** Second of the data plane's clock. */
  readonly second: number;
  /** Resolves when the tables are there and messages are taken. */
  ready(): Promise<void>;
  post(message: ToWorker): void;
  /** Resolves when all ports are closed and it has ended. */
  stop(): Promise<void>;
}
