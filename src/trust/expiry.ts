// When to warn of certificates that expire: once at each of these days before, once a day when they have.

import { agoText, daysLeft, inText, timeText } from './time-text.ts';

const WARN_DAYS = [1, 3, 7, 14, 30] as const;

export type Expiring = {
  readonly fingerprint: string;
  readonly notAfter: Date;
  /** `the device certificate`. */
  readonly what: string;
  /** What the person can do. */
  readonly fix: string;
};

export type ExpiryWarning = { readonly isExpired: boolean; readonly message: string; readonly fingerprint: string };

/** Remembers what was said. */
export class ExpiryBook {
  readonly #said = new Map<string, string>();

  /** What is to be said now; `all`: every certificate that counts, others are forgotten. */
  due(all: readonly Expiring[], now: Date): ExpiryWarning[] {
    const warnings: ExpiryWarning[] = [];
    const kept = new Set(all.map(keyOf));
    for (const key of this.#said.keys()) if (!kept.has(key)) this.#said.delete(key);
    for (const expiring of all) {
      const stage = stageOf(expiring.notAfter, now);
      if (stage === undefined || this.#said.get(keyOf(expiring)) === stage) continue;
      this.#said.set(keyOf(expiring), stage);
      warnings.push({
        isExpired: now > expiring.notAfter,
        fingerprint: expiring.fingerprint,
        message: `${expiring.what} ${expiryText(expiring.notAfter, now)}; ${expiring.fix}`,
      });
    }
    return warnings;
  }
}

/** `expires at 2026-01-02T03:04:05Z, in 6 days`. */
export function expiryText(notAfter: Date, now: Date): string {
  return now > notAfter
    ? `expired at ${timeText(notAfter)}, ${agoText(notAfter, now)}`
    : `expires at ${timeText(notAfter)}, ${inText(notAfter, now)}`;
}

function keyOf({ fingerprint, what }: Expiring): string {
  return `${fingerprint} ${what}`;
}

function stageOf(notAfter: Date, now: Date): string | undefined {
  const left = daysLeft(notAfter, now);
  if (left < 0) return `expired ${left}`;
  const days = WARN_DAYS.find((most) => left < most);
  return days === undefined ? undefined : `${days}`;
}
