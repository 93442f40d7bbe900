// What became of queries, as it is counted.

/** Numbers of what became of queries, in `Responder.counts` (responder.ts). */
export const Outcome = {
  // Each message has one of these.
  wideIp: 0,
  /** A wide IP said that there be no reply. */
  wideIpDropped: 1,
  zone: 2,
  forwarded: 3,
  unhandled: 4,
  unhandledDropped: 5,
  chaos: 6,
  malformed: 7,
  notImplemented: 8,
  badVersion: 9,
  /** A class or a transfer that is not served. */
  refused: 10,
  /** The access list does not have the client. */
  accessRefused: 11,
  /** No reply: less than a header, or a reply itself. */
  tooShort: 12,
  response: 13,
  // And these are said beside it.
  truncated: 14,
  /** By the rate limit: not sent, and sent truncated instead. */
  rateLimited: 15,
  slipped: 16,
  /** Server cookies that came with queries: ours, and others (forged, of another address, too old). */
  cookieValid: 17,
  cookieInvalid: 18,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];
export const OUTCOMES = Object.keys(Outcome).length;
