// The engine on packet rings: a thread that does nothing but answer questions that come to one device for some addresses. It
// stands beside an engine on sockets, which answers what is left to the kernel: fragments, options, tags, large questions.

import { FRAME_OUTCOMES } from '../../dns/frame-reply.ts';
import { OUTCOMES } from '../../dns/outcome.ts';
import type { ResponderOptions } from '../../dns/responder-options.ts';
import { type EngineEvents, EngineThread } from './engine-thread.ts';

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

type RingCounts = {
  /** What became of messages (`Outcome`), of frames (`FrameOutcome`), and what was lost (`RingLoss`). */
  readonly counts: Float64Array<SharedArrayBuffer>;
  readonly frameCounts: Float64Array<SharedArrayBuffer>;
  readonly losses: Float64Array<SharedArrayBuffer>;
};

export type RingEngineOptions = {
  /** Number of the listener. */
  readonly id: number;
  readonly ring: RingPlace;
  readonly answers: ResponderOptions;
  /** Memory of a query log. */
  readonly log: SharedArrayBuffer;
};

export type RingEngineSetup = RingEngineOptions & RingCounts & { readonly control: SharedArrayBuffer };

const floats = (length: number): Float64Array<SharedArrayBuffer> =>
  new Float64Array(new SharedArrayBuffer(length * Float64Array.BYTES_PER_ELEMENT));

export class RingEngine extends EngineThread {
  readonly counts: Float64Array;
  readonly frameCounts: Float64Array;
  readonly losses: Float64Array;
  readonly #id: number;

  constructor(options: RingEngineOptions, events: EngineEvents) {
    const shared = { counts: floats(OUTCOMES), frameCounts: floats(FRAME_OUTCOMES), losses: floats(RING_LOSSES) };
    super('./ring-engine-main.js', { ...options, ...shared }, events);
    this.counts = shared.counts;
    this.frameCounts = shared.frameCounts;
    this.losses = shared.losses;
    this.#id = options.id;
  }

  /** Answers as these options say from the next batch of queries on. */
  async change(answers: ResponderOptions): Promise<void> {
    await this.ask({ kind: 'change', id: this.#id, answers });
  }
}
