// How a listener answers: what its profile says, and what all listeners have.

import type { ChaosNames } from './chaos.ts';
import type { RateLimit } from './rate-limiter.ts';

/** What becomes of a query that no source answers (`ltm profile dns`, `unhandled-query-action`). */
export type UnhandledAction = 'allow' | 'drop' | 'hint' | 'noerror' | 'reject';

/** All of it plain data, which a message to a thread can carry. */
export type ResponderOptions = {
  readonly unhandled: UnhandledAction;
  /** Octets of a message over UDP that we send at most, and say that we take. */
  readonly udpOctets: number;
  /** Whether a name server stands behind us for what no zone of ours has (default false). */
  readonly hasBackend?: boolean;
  /** Whether wide IPs are asked (`enable-gtm`, default true). */
  readonly asksWideIps?: boolean;
  /** Whether sources are asked for a query that wants recursion (`process-rd`, default true); else the action decides. */
  readonly processRd?: boolean;
  /** Who may ask, as `packPrefixes` has it; without it everybody. */
  readonly allowedClients?: Uint8Array;
  /** Without it answers are not limited. */
  readonly rateLimit?: RateLimit;
  /** What NSID says (RFC 5001); without it the option is not answered. */
  readonly nsid?: Uint8Array;
  /** 16 octets that all servers of the address share; without them cookies are not answered. */
  readonly cookieKey?: Uint8Array;
  readonly chaos?: ChaosNames;
};
