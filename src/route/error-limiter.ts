// How many ICMP errors are sent: token buckets (RFC 1812, section 4.3.2.8; RFC 4443, section 2.4 f).
//
// One bucket for all errors, and one for each destination, so that a single sender whose packets are all refused takes no
// answers away from others. Destinations share buckets by hash: the memory is fixed, whoever asks.

import { hashPair } from '../core/pair-map.ts';

/** Errors a second, and how many may go at once after a pause. */
export type ErrorRate = { perSecond: number; burst: number };

/** What traceroute and path MTU discovery of many hosts need, and no more than a small part of a slow link. */
const TOTAL: ErrorRate = { perSecond: 1000, burst: 200 };
const BY_DESTINATION: ErrorRate = { perSecond: 20, burst: 20 };
const BUCKETS = 1024;

export class ErrorLimiter {
  readonly #total: ErrorRate;
  readonly #byDestination: ErrorRate;
  /** Of all errors at index BUCKETS, of each destination below. */
  readonly #tokens = new Float64Array(BUCKETS + 1);
  readonly #filledMs = new Float64Array(BUCKETS + 1).fill(-Infinity);

  constructor(total: ErrorRate = TOTAL, byDestination: ErrorRate = BY_DESTINATION) {
    this.#total = total;
    this.#byDestination = byDestination;
  }

  /** Whether an error may go to this address now; if so, it counts. */
  allows(word0: number, word1: number, word2: number, word3: number, nowMs: number): boolean {
    const bucket = hashPair(hashPair(word0, word1), hashPair(word2, word3)) & (BUCKETS - 1);
    const tokens = this.#tokens;
    this.#fill(bucket, this.#byDestination, nowMs);
    this.#fill(BUCKETS, this.#total, nowMs);
    if (tokens[bucket]! < 1 || tokens[BUCKETS]! < 1) return false;
    tokens[bucket]! -= 1;
    tokens[BUCKETS]! -= 1;
    return true;
  }

  #fill(bucket: number, rate: ErrorRate, nowMs: number): void {
    const earned = ((nowMs - this.#filledMs[bucket]!) * rate.perSecond) / 1000;
    this.#tokens[bucket] = Math.min(rate.burst, this.#tokens[bucket]! + earned);
    this.#filledMs[bucket] = nowMs;
  }
}
