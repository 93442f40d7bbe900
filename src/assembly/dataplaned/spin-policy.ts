// When the worker looks for frames a moment longer before it sleeps.
//
// Waking a thread costs some ten microseconds on a virtual machine, twice for a request and its answer. Where frames tend
// to follow one another within the window, looking again and again for that long is faster; where they do not, it is a
// waste. So the policy watches how soon frames came, and spends a tenth of a core at most. Where other threads want the
// core, which shows when this one is made to leave it, the time is theirs.

/** How long one look lasts: the time that a host behind the underlay takes to answer, and little more. */
export const SPIN_US = 50;
/** Looks in vain before the policy gives up until frames follow one another again. */
const PATIENCE = 4;
/** The share of time that may be spent looking, and for how many looks it may be saved up. */
const SHARE = 0.1;
const SAVED_LOOKS = 20;
/** Between two looks at how often the thread was made to leave its core, and how often means that others want it. */
const WINDOW_US = 20_000;
const WANTED_PER_SECOND = 100;

export class SpinPolicy {
  #patience = 0;
  #savedUs = SPIN_US * SAVED_LOOKS;
  #lastUs = 0;
  readonly #preemptions: () => number;
  #preempted = 0;
  #windowStartUs = -Infinity;
  #isWanted = false;

  /** `preemptions`: how often the thread was made to leave its core. */
  constructor(preemptions: () => number) {
    this.#preemptions = preemptions;
  }

  /** How long to look before sleeping, at this time: microseconds. */
  before(nowUs: number): number {
    this.#savedUs = Math.min(SPIN_US * SAVED_LOOKS, this.#savedUs + (nowUs - this.#lastUs) * SHARE);
    this.#lastUs = nowUs;
    if (this.#patience <= 0 || this.#savedUs < SPIN_US) return 0;
    const elapsedUs = nowUs - this.#windowStartUs;
    if (elapsedUs >= WINDOW_US) {
      const preempted = this.#preemptions();
      this.#isWanted = (preempted - this.#preempted) * 1e6 > WANTED_PER_SECOND * elapsedUs;
      this.#preempted = preempted;
      this.#windowStartUs = nowUs;
    }
    return this.#isWanted ? 0 : SPIN_US;
  }

  /** Takes note of a wait that began at `sinceUs`, after a look of `spinUs`, and whether it ended by frames. */
  after(sinceUs: number, nowUs: number, spinUs: number, frames: boolean): void {
    const waitedUs = nowUs - sinceUs;
    this.#savedUs -= Math.min(waitedUs, spinUs);
    if (frames && waitedUs <= SPIN_US) this.#patience = PATIENCE;
    else if (spinUs > 0) this.#patience -= 1;
  }
}
