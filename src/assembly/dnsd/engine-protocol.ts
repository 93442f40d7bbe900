// What the main thread and the thread of an engine say to each other.

import { OUTCOMES } from '../../dns/outcome.ts';
import type { ResponderOptions } from '../../dns/responder-options.ts';
import type { SourceData, VersionedDecision } from './source-data.ts';

/** Words that both threads see. */
export const EngineWord = { stop: 0, messages: 1 } as const;
export const ENGINE_WORDS = 4;

/** Numbers of a listener in shared memory: what became of queries (`Outcome`), then these. */
export const ListenerCount = {
  received: OUTCOMES,
  sent: OUTCOMES + 1,
  oversized: OUTCOMES + 2,
  overruns: OUTCOMES + 3,
  failed: OUTCOMES + 4,
} as const;
const LISTENER_COUNTS = OUTCOMES + 5;

export const createListenerCounts = (): Float64Array<SharedArrayBuffer> =>
  new Float64Array(new SharedArrayBuffer(LISTENER_COUNTS * Float64Array.BYTES_PER_ELEMENT));

export type EngineListener = {
  /** Chosen by the main thread. */
  readonly id: number;
  /** A bound UDP socket, which the engine takes over. */
  readonly descriptor: number;
  readonly family: 4 | 6;
  readonly counts: Float64Array<SharedArrayBuffer>;
  readonly answers: ResponderOptions;
};

/** `log`: where queries are written down (query-log.ts). */
export type EngineSetup = { readonly control: SharedArrayBuffer; readonly log: SharedArrayBuffer };

/** Where the address of the client stands in those words, in octets. */
export const CLIENT_OFFSET = 8;

export type EngineRequest =
  | { readonly kind: 'sources'; readonly sources: SourceData }
  /** To give back the memory of tables that nobody has any more. */
  | { readonly kind: 'collect' }
  | { readonly kind: 'open'; readonly listener: EngineListener }
  | { readonly kind: 'change'; readonly id: number; readonly answers: ResponderOptions }
  | { readonly kind: 'close'; readonly id: number };

export type ToEngine = { readonly ticket: number; readonly request: EngineRequest };

/** A query that the main thread is to have answered by somebody else. */
export type DeferredQuery = {
  /** Number of the listener. */
  readonly id: number;
  /** By which a reply is sent by the socket of the listener (`Addon.replySend`). */
  readonly words: Int32Array;
  readonly octets: Uint8Array;
};

export type FromEngine =
  | { readonly kind: 'ready' }
  /** What a request asked for is so, or has failed; `socket`: the handle of one that was opened. */
  | { readonly kind: 'done'; readonly ticket: number; readonly failure?: string; readonly socket?: number }
  | { readonly kind: 'deferred'; readonly queries: readonly DeferredQuery[] }
  /** Decisions of wide IPs that shall be logged; `lost`: how many more there were. */
  | { readonly kind: 'decided'; readonly decisions: readonly VersionedDecision[]; readonly lost: number };
