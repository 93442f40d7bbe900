// One probe: what is asked of whoever sends one, and what comes of it.

import type { Monitor } from './monitor.ts';

/** Where a probe goes. */
export type ProbePlace = {
  readonly family: 4 | 6;
  /** Canonical text without a route domain. */
  readonly address: string;
  /** 0: the target has none. */
  readonly port: number;
  /** The next hop by which it has to go (transparent monitors); undefined: as the host's routes say. */
  readonly via: string | undefined;
};

/**
 * What came of a probe:
 * `up`: answered as it should. `disabled`: answered that it shall get no new clients (`recv disable`).
 * `refused`: the target, or a router, says that nobody is there (RST, ICMP unreachable).
 * `wrong`: answered otherwise than it should. `silent`: no answer within the time, or no way to it.
 * `impossible`: it could not be sent, by a fault on our side: this says nothing of the target.
 */
export type Verdict = 'up' | 'disabled' | 'refused' | 'wrong' | 'silent' | 'impossible';

export type ProbeOutcome = {
  readonly verdict: Verdict;
  /** For a person, without the target's name: `connection refused`. */
  readonly reason: string;
  /** What was sent and received, as text for a person, at most `MAX_SHOWN` characters each; undefined: nothing worth showing. */
  readonly sent?: string | undefined;
  readonly received?: string | undefined;
  /** Milliseconds from the first packet to the answer, or to giving up. */
  readonly took: number;
};

export const MAX_SHOWN = 512;

/** Ends a probe; its outcome is nobody's any more. */
export type Cancel = () => void;

/** Sends probes of some types. Calls back once, never before it returns; never throws for what a target does. */
export interface Prober {
  /** `timeout`: milliseconds that this attempt may take. */
  probe(monitor: Monitor, place: ProbePlace, timeout: number, done: (outcome: ProbeOutcome) => void): Cancel;
  /** Closes what it has open. */
  close(): void;
}
