// The last probes of an instance, for whoever asks why. Good ones keep what was sent and received only for as long as they are the
// last of their kind: thousands of targets that are up cost a few numbers each.

import type { ProbeOutcome, Verdict } from './probe.ts';

export type PastProbe = {
  verdict: Verdict;
  reason: string;
  sent: string | undefined;
  received: string | undefined;
  /** Milliseconds. */
  took: number;
  /** Milliseconds since 1970 at which it was answered or given up. */
  at: number;
};

const KEPT_PROBES = 5;

export class ProbeHistory {
  /** Filled up, then used over and over. */
  readonly #ring: PastProbe[] = [];
  #next = 0;

  add(outcome: ProbeOutcome, at: number): void {
    const { verdict, took } = outcome;
    const last = this.#ring.length === 0 ? undefined : this.#ring[(this.#next + KEPT_PROBES - 1) % KEPT_PROBES];
    const sent = sameText(last?.sent, outcome.sent);
    const received = sameText(last?.received, outcome.received);
    const reason = sameText(last?.reason, outcome.reason) ?? '';
    if (last !== undefined && isGood(last.verdict) && isGood(verdict)) {
      last.sent = undefined;
      last.received = undefined;
    }
    const place = this.#ring[this.#next];
    if (place === undefined) this.#ring.push({ verdict, reason, sent, received, took, at });
    else {
      place.verdict = verdict;
      place.reason = reason;
      place.sent = sent;
      place.received = received;
      place.took = took;
      place.at = at;
    }
    this.#next = (this.#next + 1) % KEPT_PROBES;
  }

  /** The last first. */
  list(): readonly Readonly<PastProbe>[] {
    const { length } = this.#ring;
    return this.#ring.map((_, index) => this.#ring[(this.#next - 1 - index + 2 * length) % length]!);
  }
}

function isGood(verdict: Verdict): boolean {
  return verdict === 'up' || verdict === 'disabled';
}

/** The text that is there already, if it is the same: the new one can go at once. */
function sameText(old: string | undefined, text: string | undefined): string | undefined {
  return old === text ? old : text;
}
