// A watch, the instances that it is judged by, and what follows from them.

import type { MonitorInstance } from './monitor-instance.ts';
import { judgeRule, overPlaces } from './rule-verdict.ts';
import type { TakenVerdict, Watch, WatchVerdict } from './watch.ts';
import { CHECKING } from './monitor-state.ts';

const AS_KNOWN = ' (as known before)';

export class WatchState {
  watch: Watch;
  /** By the monitors of the rule, then by the places. */
  readonly instances: readonly (readonly MonitorInstance[])[];
  verdict: WatchVerdict;
  /** What was told last; undefined: nothing yet. */
  told: WatchVerdict | undefined;
  isDirty = false;
  /** Of a watch with a prober: what that said last. */
  taken: TakenVerdict | undefined;
  /** What was known before stays until the monitors have been heard. */
  #isKnownBefore: boolean;

  constructor(
    watch: Watch,
    instances: readonly (readonly MonitorInstance[])[],
    wall: number,
    known: WatchVerdict | undefined,
  ) {
    this.watch = watch;
    this.instances = instances;
    this.#isKnownBefore = known !== undefined;
    this.verdict = { status: 'unknown', reason: CHECKING, since: wall };
    if (known !== undefined) {
      const reason = known.reason.endsWith(AS_KNOWN) ? known.reason : known.reason + AS_KNOWN;
      this.verdict = { ...known, reason };
    }
  }

  /** Whether it is the same to be judged by. */
  isSame({ rule, unprobed, places, prober }: Watch, instances: readonly (readonly MonitorInstance[])[]): boolean {
    const isSameList = (list: readonly MonitorInstance[], index: number): boolean => {
      const own = this.instances[index];
      return own?.length === list.length && list.every((instance, at) => instance === own[at]);
    };
    return (
      rule.atLeast === this.watch.rule.atLeast &&
      unprobed === this.watch.unprobed &&
      prober === this.watch.prober &&
      places.length === this.watch.places.length &&
      instances.length === this.instances.length &&
      instances.every(isSameList)
    );
  }

  /** Looks at the instances anew; whether the verdict is another. */
  judge(wall: number): boolean {
    const { status, reason, isChecking } = this.#follow();
    if (isChecking && this.#isKnownBefore) return false;
    this.#isKnownBefore = false;
    const before = this.verdict;
    if (status === before.status && reason === before.reason) return false;
    this.verdict = { status, reason, since: status === before.status ? before.since : wall };
    return true;
  }

  #follow(): Pick<WatchVerdict, 'status' | 'reason'> & { readonly isChecking: boolean } {
    const { rule, places, unprobed, prober } = this.watch;
    if (prober !== undefined) return this.#followProber();
    if (places.length === 0) {
      return { status: 'unknown', reason: unprobed ?? 'Nothing to probe', isChecking: false };
    }
    const names = places.map(({ address }) => address);
    return judgeRule(
      rule,
      this.instances.map((instances) =>
        overPlaces(
          instances.map(({ state }) => state),
          names,
        ),
      ),
    );
  }

  #followProber(): Pick<WatchVerdict, 'status' | 'reason'> & { readonly isChecking: boolean } {
    const { taken } = this;
    if (taken === undefined || taken.reason === CHECKING)
      return { status: 'unknown', reason: CHECKING, isChecking: true };
    return { ...taken, isChecking: false };
  }
}
