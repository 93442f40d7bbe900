// Whose monitors decide what is probed: those of the prober that the configuration elects, where it can be asked, or of this machine.
// Who is asked changes only when the one who is to be has a verdict to give, so nothing flaps.

import {
  type ProberCandidate,
  type ProberConfiguration,
  type ProberRanking,
  rankProbers,
} from '../../health/prober-election.ts';
import type { TakenVerdict, Watch } from '../../health/watch.ts';
import { ownerOf } from './bigip-reporter.ts';
import { isElected } from './measured.ts';
import type { MeshFacts } from './mesh-facts.ts';

/** How a watch is decided. */
export type ProberChoice =
  | { readonly by: 'here'; readonly why: string }
  | { readonly by: 'peer'; readonly server: string; readonly why: string }
  | { readonly by: 'nobody'; readonly why: string };

const NO_SERVER: ProberChoice = { by: 'here', why: 'this machine is no gtm server' };

export class ProberKeeper {
  readonly #mesh: Pick<MeshFacts, 'proberProblem' | 'verdictOf'>;
  #rankings: ReadonlyMap<string, ProberRanking> = new Map();
  #own: ReadonlySet<string> = new Set();
  /** Watches as they were made for a choice, by the choice in words. */
  #made = new WeakMap<Watch, { readonly choice: string; readonly watch: Watch }>();

  constructor(mesh: Pick<MeshFacts, 'proberProblem' | 'verdictOf'>) {
    this.#mesh = mesh;
  }

  /** Goes over to a configuration. `own`: each `gtm server` that is this machine. */
  want(configuration: ProberConfiguration, own: ReadonlySet<string>): void {
    this.#rankings = rankProbers(configuration);
    this.#own = own;
  }

  /** The watches as the engine is to have them; the same ones as before where the choice is. */
  assign(watches: readonly Watch[]): Watch[] {
    return watches.map((watch) => {
      if (!isElected(watch)) return watch;
      const choice = this.choiceOf(watch);
      if (choice.by === 'here') return watch;
      const words = choice.by === 'peer' ? `peer ${choice.server}` : `nobody ${choice.why}`;
      const made = this.#made.get(watch);
      if (made?.choice === words) return made.watch;
      const assigned: Watch =
        choice.by === 'peer' ? { ...watch, prober: choice.server } : { ...watch, places: [], unprobed: choice.why };
      this.#made.set(watch, { choice: words, watch: assigned });
      return assigned;
    });
  }

  /** What the prober of a watch found, in words that name it; undefined: it has not found anything yet. */
  verdictOf({ prober, kind, key }: Watch): TakenVerdict | undefined {
    const verdict = prober === undefined ? undefined : this.#mesh.verdictOf(prober, kind, key);
    if (verdict === undefined || verdict.reason === '') return verdict;
    return { status: verdict.status, reason: `${verdict.reason} (probed by ${prober})` };
  }

  /** Who decides it, and why; of a watch that is nobody else's, this machine. */
  choiceOf(watch: Pick<Watch, 'kind' | 'key' | 'rule' | 'places'>): ProberChoice {
    if (this.#own.size === 0) return NO_SERVER;
    const { server } = ownerOf(watch);
    const ranking = this.#rankings.get(server);
    if (ranking === undefined) return { by: 'here', why: 'its server is not there' };
    const skipped: string[] = [];
    let connected: ProberCandidate | undefined;
    for (const candidate of ranking.candidates) {
      const who = candidate.server;
      if (this.#own.has(who))
        return { by: 'here', why: whyText(`this machine is ${who}, by ${candidate.why}`, skipped) };
      const problem = this.#mesh.proberProblem(who);
      if (problem === '') {
        if (this.#mesh.verdictOf(who, watch.kind, watch.key) !== undefined) {
          return { by: 'peer', server: who, why: whyText(candidate.why, skipped) };
        }
        connected ??= candidate;
      }
      skipped.push(`${who} ${problem === '' ? 'has not told what it found' : problem}`);
    }
    if (ranking.endsHere) return { by: 'here', why: whyText('no other prober can be asked', skipped) };
    // Nobody else may probe it: what is known stays until it is told.
    if (connected !== undefined) return { by: 'peer', server: connected.server, why: connected.why };
    const none = skipped.length === 0 ? 'no server may probe it' : skipped.join(', ');
    return { by: 'nobody', why: `No prober, and prober-fallback is ${ranking.fallback}: ${none}` };
  }
}

function whyText(why: string, skipped: readonly string[]): string {
  return skipped.length === 0 ? why : `${why}; ${skipped.join('; ')}`;
}
