// The next hops by which probes of transparent monitors go: the supervisor has packets with a mark go by each of them, and says which
// mark that is.

import { errorText } from '../../core/errors.ts';
import { placeOf } from '../../health/monitor-instance.ts';
import type { Watch } from '../../health/watch.ts';
import { MOST_NEXT_HOPS } from '../../ipc/healthd-schema.ts';
import type { ResultOf } from '../../ipc/schema.ts';

/** Asks the supervisor for all of them; undefined: there is none. */
type AskForNextHops = (hops: readonly string[]) => Promise<ResultOf<'set-next-hops'>['hops'] | undefined>;

const NO_SUPERVISOR = 'transparent monitors need wideplane up, which has their probes go by the next hop';

export class NextHops {
  readonly #ask: AskForNextHops;
  #wanted: readonly string[] = [];
  /** The mark of each next hop, or why there is none. */
  #marks: ReadonlyMap<string, number | string> = new Map();
  #isAsking = false;

  constructor(ask: AskForNextHops) {
    this.#ask = ask;
  }

  readonly markOf = (hop: string): number | string =>
    this.#marks.get(hop) ?? `more than ${MOST_NEXT_HOPS} next hops of transparent monitors`;

  /** Goes over to what is watched; resolves when marks can be used. Undefined: no next hop is another one. */
  want(watches: readonly Watch[]): Promise<void> | undefined {
    const hops = [...new Set(watches.flatMap(hopsOf))].sort().slice(0, MOST_NEXT_HOPS);
    const isSame = hops.length === this.#wanted.length && hops.every((hop, index) => hop === this.#wanted[index]);
    if (isSame) return undefined;
    this.#wanted = hops;
    return this.#settle();
  }

  /** Asks again for those to which there was no way. */
  async review(): Promise<void> {
    if (!this.#isAsking && this.#wanted.some((hop) => typeof this.markOf(hop) === 'string')) await this.#settle();
  }

  async #settle(): Promise<void> {
    const hops = this.#wanted;
    this.#isAsking = true;
    const all = (reason: string): Map<string, string> => new Map(hops.map((hop) => [hop, reason]));
    let marks: ReadonlyMap<string, number | string>;
    try {
      const made = await this.#ask(hops);
      marks =
        made === undefined
          ? all(NO_SUPERVISOR)
          : new Map(made.map(({ hop, mark, failure = 'no route' }) => [hop, mark ?? failure]));
    } catch (error) {
      marks = all(`no next hops: ${errorText(error)}`);
    }
    this.#isAsking = false;
    // Somebody may have wanted others meanwhile.
    if (hops === this.#wanted) this.#marks = marks;
  }
}

function hopsOf({ places, rule }: Watch): string[] {
  return rule.monitors
    .filter(({ isTransparent }) => isTransparent)
    .flatMap((monitor) => places.flatMap((target) => placeOf(monitor, target).via ?? []));
}
