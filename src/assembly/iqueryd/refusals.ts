// Who was refused, counted, and said once a minute for each address and reason.

import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { logRefusal } from '../../trust/refusal.ts';
import { type PeerRole, type Refused, TRUST_PROBLEMS } from '../../trust/verdict.ts';

/** Why somebody is refused: what is wrong with a certificate, no TLS, or too many who have not shown theirs. */
export const REFUSED_FOR = [...TRUST_PROBLEMS, 'handshake', 'crowd'] as const;
type RefusedFor = (typeof REFUSED_FOR)[number];

/** What `show gtm iquery` calls the count of one. */
export const refusedLabel = (reason: RefusedFor): string => `Refused: ${reason}`;

const QUIET_MS = 60_000;
/** Addresses with reasons that are remembered; the oldest goes. */
const MOST_REMEMBERED = 1000;

type Said = { readonly at: number; more: number };

export class Refusals {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #said = new Map<string, Said>();
  readonly counts = new Map<RefusedFor, number>();

  /** `now`: milliseconds of a clock that nobody sets. */
  constructor(log: Log, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  /** A peer whose certificate is not trusted. `peer`: its address, with its server where that is known. */
  refused(peer: string, role: PeerRole, verdict: Refused): void {
    const more = this.#note(`${peer} ${role}`, verdict.problem);
    if (more === undefined) return;
    logRefusal(this.#log, peer, role, { ...verdict, reason: verdict.reason + moreText(more) });
  }

  /** Somebody with whom there was no TLS. */
  failed(peer: string, reason: string): void {
    const more = this.#note(peer, 'handshake');
    if (more === undefined) return;
    logEvent(this.#log, 'iquery-handshake-failed', `iQuery client ${peer}: ${reason}${moreText(more)}`, { peer });
  }

  crowded(peer: string, reason: string): void {
    const more = this.#note('', 'crowd');
    if (more === undefined) return;
    logEvent(this.#log, 'iquery-crowded', `iQuery client ${peer} is refused: ${reason}${moreText(more)}`, { peer });
  }

  /** How many were not said since the last line; undefined: this is not to be said. */
  #note(peer: string, problem: RefusedFor): number | undefined {
    this.counts.set(problem, (this.counts.get(problem) ?? 0) + 1);
    const key = `${peer} ${problem}`;
    const now = this.#now();
    const said = this.#said.get(key);
    if (said !== undefined && now - said.at < QUIET_MS) {
      said.more++;
      return undefined;
    }
    this.#said.delete(key);
    this.#said.set(key, { at: now, more: 0 });
    if (this.#said.size > MOST_REMEMBERED) this.#said.delete(this.#said.keys().next().value!);
    return said?.more ?? 0;
  }
}

const moreText = (more: number): string => (more === 0 ? '' : ` (and ${more} times more since that was said last)`);
