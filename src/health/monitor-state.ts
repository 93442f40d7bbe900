// What one monitor says of one place: outcomes of probes and the time make it up or down (docs/decisions/health.md, "One monitor
// at one place"). Whoever owns it calls `wake` at `deadline`. Times are those of `Clock.now`, in milliseconds.

import { FlapCounter } from './flap-counter.ts';
import type { Monitor, MonitorType } from './monitor.ts';
import type { ProbeOutcome, Verdict } from './probe.ts';

/** `disabled`: up, and wants no new clients. */
export type MonitorStatus = 'unknown' | 'up' | 'disabled' | 'down';

export const CHECKING = 'Checking';
const WAITS_TO_BE_RESUMED = 'waits to be resumed';

/** Types that send nothing: others report. */
export function isReported(type: MonitorType): boolean {
  return type === 'bigip' || type === 'virtual-location';
}

export class MonitorState {
  readonly monitor: Monitor;
  status: MonitorStatus = 'unknown';
  reason: string = CHECKING;
  /** Nothing has been decided yet. */
  isChecking = true;
  /** It went down, and waits to be resumed. */
  isHeld = false;
  /** It changed too often, and has to answer well for a while. */
  isFlapping = false;
  /** Since when answers have been good without a break; negative: the last was not. */
  goodSince = -1;
  /** When the last good answer came, or when it all began. */
  lastGood: number;
  readonly #isReported: boolean;
  readonly #flaps: FlapCounter | undefined;
  /** What the last outcome after `lastGood` was, if there was one. */
  #bad: Verdict | undefined;
  #badReason = '';
  /** What the last good answer was. */
  #good: 'up' | 'disabled' = 'up';
  #goodReason = '';
  /** `timeout` has gone since `lastGood`, and that has been looked at. */
  #isExpired = false;

  constructor(monitor: Monitor, now: number) {
    this.monitor = monitor;
    this.lastGood = now;
    this.#isReported = isReported(monitor.type);
    this.#flaps = monitor.flapLimit === undefined ? undefined : new FlapCounter(monitor.flapLimit);
  }

  get isUp(): boolean {
    return this.status === 'up' || this.status === 'disabled';
  }

  /** For how long answers have to be good before it is up. */
  get goodNeeded(): number {
    const { timeUntilUp } = this.monitor.timing;
    return this.isFlapping ? Math.max(timeUntilUp, this.#flaps!.limit.hold) : timeUntilUp;
  }

  /** When `wake` has to be called, if nothing else happens until then. */
  get deadline(): number {
    return Math.min(this.#risesAt, this.#expiresAt);
  }

  get #risesAt(): number {
    return this.goodSince >= 0 && !this.isUp && !this.isHeld ? this.goodSince + this.goodNeeded : Infinity;
  }

  get #expiresAt(): number {
    const isAwaited = this.status === 'down' ? this.goodSince >= 0 : !this.#isExpired;
    return isAwaited && !this.#isReported ? this.lastGood + this.monitor.timing.timeout : Infinity;
  }

  /** What came of a probe; whether status or reason are others now. */
  take({ verdict, reason }: ProbeOutcome, now: number): boolean {
    switch (verdict) {
      case 'up':
      case 'disabled':
        return this.#takeGood(verdict, reason, now);
      case 'impossible':
        return this.#takeImpossible(reason, now);
      default:
        return this.#takeBad(verdict, reason, now);
    }
  }

  /** A deadline has come. `isRunning`: a probe is on its way that went out in time, and has not been answered. */
  wake(now: number, isRunning: boolean): boolean {
    if (now >= this.#expiresAt) return this.#expire(now, isRunning);
    return now >= this.#risesAt && this.#rise(now);
  }

  /** Whether it was held and its answers are good: then it goes up, as soon as they have been good for long enough. */
  resume(now: number): boolean {
    if (!this.isHeld || this.goodSince < 0) return false;
    this.isHeld = false;
    if (now < this.#risesAt) this.reason = `is resumed, and has to answer well for ${this.goodNeeded / 1000} s`;
    else this.#rise(now);
    return true;
  }

  /** It was held before the restart. */
  hold(): void {
    if (!this.monitor.manualResume) return;
    this.isHeld = true;
    this.isChecking = false;
    this.status = 'down';
    this.reason = WAITS_TO_BE_RESUMED;
  }

  /** Goes on where the same monitor was when it had other properties; its timeout begins anew. */
  inherit(before: MonitorState): void {
    this.status = before.status;
    this.reason = before.reason;
    this.isChecking = before.isChecking;
    this.isHeld = before.isHeld && this.monitor.manualResume;
    this.isFlapping = before.isFlapping && this.#flaps !== undefined;
    this.goodSince = before.goodSince;
    this.#good = before.#good;
    this.#goodReason = before.#goodReason;
  }

  /** The process did not run for so long: this is nobody's silence. */
  skip(milliseconds: number): void {
    this.lastGood += milliseconds;
    if (this.goodSince >= 0) this.goodSince += milliseconds;
  }

  #takeGood(verdict: 'up' | 'disabled', reason: string, now: number): boolean {
    this.lastGood = now;
    this.#isExpired = false;
    this.#bad = undefined;
    this.#good = verdict;
    this.#goodReason = reason;
    if (this.goodSince < 0) this.goodSince = now;
    if (this.isUp) return (this.#isReported || this.status !== verdict) && this.#set(verdict, reason);
    if (this.isHeld) return this.#say(WAITS_TO_BE_RESUMED);
    return now >= this.#risesAt && this.#rise(now);
  }

  #takeImpossible(reason: string, now: number): boolean {
    const isOther = this.#bad !== 'impossible';
    this.#note('impossible', reason);
    if (this.#isReported) {
      this.goodSince = -1;
      return this.status === 'down' && this.isHeld ? false : this.#set('unknown', reason);
    }
    if (this.status === 'down' || now < this.lastGood + this.monitor.timing.timeout) return false;
    return (isOther || this.status !== 'unknown') && this.#set('unknown', reason);
  }

  #takeBad(verdict: 'refused' | 'wrong' | 'silent', reason: string, now: number): boolean {
    const isOther = this.#bad !== verdict;
    this.#note(verdict, reason);
    this.goodSince = -1;
    if (this.status === 'down') return (isOther || this.#isReported) && !this.isFlapping && this.#say(reason);
    if (this.#isDownAtOnce(verdict)) return this.#fall(reason, now);
    const { timeout } = this.monitor.timing;
    return now >= this.lastGood + timeout && this.#fall(`${reason}; ${noGoodAnswer(timeout)}`, now);
  }

  #isDownAtOnce(verdict: 'refused' | 'wrong' | 'silent'): boolean {
    const { ignoresDownResponse, module } = this.monitor;
    if (this.#isReported) return true;
    if (ignoresDownResponse || verdict === 'silent') return false;
    return verdict === 'refused' || module === 'gtm';
  }

  #note(verdict: Verdict, reason: string): void {
    this.#bad = verdict;
    this.#badReason = reason;
  }

  #expire(now: number, isRunning: boolean): boolean {
    this.goodSince = -1;
    const text = noGoodAnswer(this.monitor.timing.timeout);
    if (this.status === 'down') return !this.isFlapping && this.#say(text);
    this.#isExpired = true;
    if (this.#bad === 'impossible') return this.#set('unknown', this.#badReason);
    if (this.#bad !== undefined) return this.#fall(`${this.#badReason}; ${text}`, now);
    // Nobody has asked since: what comes of the next probe decides.
    return isRunning && this.#fall(text, now);
  }

  #fall(reason: string, now: number): boolean {
    if (this.monitor.manualResume) this.isHeld = true;
    const wasUp = this.isUp;
    this.#set('down', reason);
    if (wasUp) this.#noteChange(now);
    return true;
  }

  #rise(now: number): boolean {
    const wasDown = this.status === 'down';
    if (this.isFlapping) {
      this.isFlapping = false;
      this.#flaps!.clear();
    } else if (wasDown && this.#noteChange(now)) {
      this.goodSince = now;
      return true;
    }
    return this.#set(this.#good, this.#goodReason);
  }

  /** It changes between up and down; whether it does so too often, and is down for that. */
  #noteChange(now: number): boolean {
    if (this.#flaps?.note(now) !== true) return false;
    const { changes, window, hold } = this.#flaps.limit;
    this.isFlapping = true;
    this.reason = `flaps: ${changes} changes within ${window / 1000} s; has to answer well for ${hold / 1000} s`;
    return true;
  }

  #set(status: MonitorStatus, reason: string): boolean {
    const isSame = this.status === status && this.reason === reason && !this.isChecking;
    this.isChecking = false;
    this.status = status;
    this.reason = reason;
    return !isSame;
  }

  #say(reason: string): boolean {
    return this.#set(this.status, reason);
  }
}

function noGoodAnswer(timeout: number): string {
  return `no good answer for ${timeout / 1000} s`;
}
