// When a daemon that died is started again.
//
// A daemon that was ready, or ran for a while, is started at once, however often that happens: traffic waits. One that dies
// on its way to being ready is started at once the first time, then after delays that double. More than `stormDeaths`
// deaths within `stormMs` are spread out in any case: such a loop would burn a core in start-ups.

export type RestartPolicy = {
  /** A run of at least this long ends a series of quick deaths. */
  stableMs: number;
  firstDelayMs: number;
  longestDelayMs: number;
  stormDeaths: number;
  stormMs: number;
  stormDelayMs: number;
};

export const RESTART_POLICY: RestartPolicy = {
  stableMs: 1000,
  firstDelayMs: 100,
  longestDelayMs: 10_000,
  stormDeaths: 30,
  stormMs: 60_000,
  stormDelayMs: 1000,
};

export class RestartSchedule {
  readonly #policy: RestartPolicy;
  #quickDeaths = 0;
  #deaths: number[] = [];

  constructor(policy: RestartPolicy = RESTART_POLICY) {
    this.#policy = policy;
  }

  /**
   * The daemon that was started at `startedMs` died at `diedMs`, after it was ready or not; returns how long to wait
   * before the next start.
   */
  delayAfter(startedMs: number, diedMs: number, wasReady: boolean): number {
    const policy = this.#policy;
    this.#deaths = [...this.#deaths.filter((at) => diedMs - at < policy.stormMs), diedMs];
    this.#quickDeaths = wasReady || diedMs - startedMs >= policy.stableMs ? 0 : this.#quickDeaths + 1;
    const backOff =
      this.#quickDeaths < 2 ? 0 : Math.min(policy.firstDelayMs * 2 ** (this.#quickDeaths - 2), policy.longestDelayMs);
    return this.#deaths.length > policy.stormDeaths ? Math.max(backOff, policy.stormDelayMs) : backOff;
  }
}
