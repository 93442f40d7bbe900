// The engine on packet rings: a thread that does nothing but answer questions that come to one device for some addresses. It
// stands beside an engine on sockets, which answers what is left to the kernel: fragments, options, tags, large questions.

import { Worker } from 'node:worker_threads';
import { FRAME_OUTCOMES } from '../../dns/frame-reply.ts';
import { OUTCOMES } from '../../dns/responder.ts';
import type { ZoneTable } from '../../dns/zone-table.ts';
import { type EngineSetup, EngineWord, type FromEngine, type ToEngine } from './socket-engine.ts';

/** Words of `RingEngine.losses`. */
export const RingLoss = {
  /** Frames for which the ring had no room. */
  overruns: 0,
  /** Replies that the device did not take. */
  failed: 1,
} as const;
const RING_LOSSES = Object.keys(RingLoss).length;

export type RingPlace = {
  readonly device: string;
  /** By a packet ring, the default, beside which the kernel gets the same questions; or by AF_XDP, which keeps them from it. */
  readonly form?: 'packet-ring' | 'af-xdp';
  readonly port: number;
  /** 4 or 16 octets each. */
  readonly addresses: readonly Uint8Array[];
  /** A packet socket of the network namespace of the device; absent: that of this process. It is closed by the engine. Not for AF_XDP. */
  readonly socket?: number;
};

export type RingEngineSetup = Omit<EngineSetup, 'socket'> & {
  readonly ring: RingPlace;
  /** What became of frames (`FrameOutcome`), and what was lost (`RingLoss`). */
  readonly frameCounts: SharedArrayBuffer;
  readonly losses: SharedArrayBuffer;
};

/** A message that the engine does not answer itself. */
export type ForwardedQuery = {
  readonly kind: 'forward';
  readonly octets: Uint8Array;
  /** 4 or 16 octets. */
  readonly address: Uint8Array;
  readonly port: number;
};
export type FromRingEngine = FromEngine | ForwardedQuery;

const floats = (length: number): SharedArrayBuffer => new SharedArrayBuffer(length * Float64Array.BYTES_PER_ELEMENT);

export class RingEngine {
  readonly counts: Float64Array;
  readonly frameCounts: Float64Array;
  readonly losses: Float64Array;
  readonly #control = new Int32Array(new SharedArrayBuffer(16));
  readonly #worker: Worker;
  readonly #listening: Promise<void>;
  readonly #ended: Promise<Error | undefined>;

  /** `forward` gets what a responder leaves to others. */
  constructor(
    setup: Omit<RingEngineSetup, 'control' | 'counts' | 'frameCounts' | 'losses'>,
    forward: (query: ForwardedQuery) => void = () => undefined,
  ) {
    const shared = { counts: floats(OUTCOMES), frameCounts: floats(FRAME_OUTCOMES), losses: floats(RING_LOSSES) };
    this.counts = new Float64Array(shared.counts);
    this.frameCounts = new Float64Array(shared.frameCounts);
    this.losses = new Float64Array(shared.losses);
    const workerData: RingEngineSetup = { ...setup, ...shared, control: this.#control.buffer };
    this.#worker = new Worker(new URL('./ring-engine-main.js', import.meta.url), { workerData, name: 'dns-ring' });
    this.#listening = new Promise((resolve, reject) => {
      this.#worker.on('message', (message: FromRingEngine) => {
        if (message.kind === 'listening') resolve();
        else forward(message);
      });
      this.#worker.on('error', reject);
    });
    this.#ended = new Promise((resolve) => {
      this.#worker.once('error', resolve);
      this.#worker.once('exit', () => resolve(undefined));
    });
  }

  /** Resolves when questions are answered; rejects when the device cannot be had. */
  listening(): Promise<void> {
    return this.#listening;
  }

  /** Resolves when it has ended: to what went wrong (the device has gone), or undefined after `stop`. */
  ended(): Promise<Error | undefined> {
    return this.#ended;
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
