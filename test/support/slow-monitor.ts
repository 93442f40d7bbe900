// What one monitor says of one place, written out: it keeps all that ever happened, and looks at all of it whenever it is asked.

import type { Monitor } from '../../src/health/monitor.ts';
import type { Verdict } from '../../src/health/probe.ts';

type Event = { readonly at: number; readonly verdict: Verdict };

export class SlowMonitor {
  readonly #monitor: Monitor;
  readonly #events: Event[] = [];
  /** When there had been no good answer for a timeout. */
  readonly #silences: number[] = [];
  /** When it changed between up and down since flapping was over last. */
  #changes: number[] = [];
  /** When flapping began, if it is not over. */
  #flapsSince: number | undefined;
  status: 'unknown' | 'up' | 'disabled' | 'down' = 'unknown';
  isHeld = false;

  constructor(monitor: Monitor) {
    this.#monitor = monitor;
  }

  get isFlapping(): boolean {
    return this.#flapsSince !== undefined;
  }

  get #isUp(): boolean {
    return this.status === 'up' || this.status === 'disabled';
  }

  answer(at: number, verdict: Verdict): void {
    this.#events.push({ at, verdict });
    const { ignoresDownResponse, module } = this.#monitor;
    switch (verdict) {
      case 'up':
      case 'disabled':
        if (this.#isUp) this.status = verdict;
        else this.#riseIfDue(at);
        return;
      case 'impossible':
        if (this.status !== 'down' && this.#isTimeoutOver(at)) this.status = 'unknown';
        return;
      default: {
        const isWord = verdict === 'refused' || (verdict === 'wrong' && module === 'gtm');
        if (this.status === 'down') return;
        if ((isWord && !ignoresDownResponse) || this.#isTimeoutOver(at)) this.#fall(at);
      }
    }
  }

  /** All that is to happen in that moment has happened. */
  pass(at: number, isRunning: boolean): void {
    if (this.#isTimeoutOver(at)) {
      const isNew = !this.#silences.some((silence) => silence >= this.#lastGood + this.#monitor.timing.timeout);
      if (!isNew) return;
      this.#silences.push(at);
      if (this.status === 'down') return;
      const since = this.#events.slice(this.#events.findLastIndex(isGood) + 1);
      if (since.at(-1)?.verdict === 'impossible') this.status = 'unknown';
      else if (since.length > 0 || isRunning) this.#fall(at);
    } else this.#riseIfDue(at);
  }

  resume(at: number): boolean {
    if (!this.isHeld || this.#goodSince === undefined) return false;
    this.isHeld = false;
    this.#riseIfDue(at);
    return true;
  }

  get #lastGood(): number {
    return this.#events.findLast(isGood)?.at ?? 0;
  }

  #isTimeoutOver(at: number): boolean {
    return at >= this.#lastGood + this.#monitor.timing.timeout;
  }

  /** The first of the good answers that no bad one and no silence has come after. */
  get #goodSince(): number | undefined {
    const isBreak = ({ verdict }: Event): boolean =>
      verdict === 'refused' || verdict === 'wrong' || verdict === 'silent';
    const unbroken = this.#events.slice(this.#events.findLastIndex(isBreak) + 1);
    return unbroken.find((event) => isGood(event) && this.#silences.every((silence) => silence < event.at))?.at;
  }

  #riseIfDue(at: number): void {
    const since = this.#goodSince;
    if (this.#isUp || this.isHeld || since === undefined) return;
    const { timing, flapLimit } = this.#monitor;
    if (this.#flapsSince !== undefined) {
      const from = Math.max(since, this.#flapsSince);
      if (at < from + Math.max(flapLimit!.hold, timing.timeUntilUp)) return;
      this.#flapsSince = undefined;
      this.#changes = [];
    } else {
      if (at < since + timing.timeUntilUp) return;
      if (this.status === 'down' && this.#change(at)) return;
    }
    this.status = this.#events.findLast(isGood)!.verdict as 'up' | 'disabled';
  }

  #fall(at: number): void {
    const wasUp = this.#isUp;
    this.status = 'down';
    if (this.#monitor.manualResume) this.isHeld = true;
    if (wasUp) this.#change(at);
  }

  /** Whether it is one change too many. */
  #change(at: number): boolean {
    const { flapLimit } = this.#monitor;
    if (flapLimit === undefined) return false;
    this.#changes.push(at);
    if (this.#changes.filter((change) => at - change <= flapLimit.window).length < flapLimit.changes) return false;
    this.#flapsSince = at;
    return true;
  }
}

function isGood({ verdict }: Event): boolean {
  return verdict === 'up' || verdict === 'disabled';
}
