// What a bigip monitor sees of another machine, by what is heard of it over iQuery: the outcome that is reported to the engine.

import { noVirtual, type SeenVirtual, virtualOutcome } from './bigip-view.ts';
import type { ProbeOutcome } from './probe.ts';

/**
 * How it stands with what is heard of a server:
 * `no-mesh`: iqueryd has not been heard of. `unlisted`: iqueryd does not dial it. `stranger`: it is connected, and cannot be understood.
 * `waiting`: it has not been heard for the first time. `heard`: it has, within the monitor's timeout. `silent`: it has not.
 */
export type PeerPhase = 'no-mesh' | 'unlisted' | 'stranger' | 'waiting' | 'heard' | 'silent';

/** What is known of a server, as far as its time goes. Milliseconds. */
export type PeerTimes = {
  readonly isListed: boolean;
  readonly isStranger: boolean;
  readonly wasHeard: boolean;
  /** Whether all its virtual servers have been told. */
  readonly hasTold: boolean;
  /** For how long it has not been heard, or has not been heard for the first time. */
  readonly silence: number;
};

export function phaseOf(peer: PeerTimes | undefined, timeout: number): PeerPhase {
  if (peer === undefined) return 'no-mesh';
  if (!peer.wasHeard && !peer.isListed) return 'unlisted';
  if (peer.isStranger) return 'stranger';
  if (peer.silence >= timeout) return peer.wasHeard || peer.isListed ? 'silent' : 'unlisted';
  return peer.wasHeard ? 'heard' : 'waiting';
}

export type PeerViewed = {
  readonly server: string;
  /** Of the server, for messages. */
  readonly address: string;
  /** Milliseconds. */
  readonly timeout: number;
  /** Why it is not connected; empty: it is. */
  readonly problem: string;
  /** Why iqueryd has not been heard for longer than what it said is good for; empty: it has. */
  readonly stale: string;
};

/** Whether nothing is known yet that could be held against what was known before. */
export function isUndecided(phase: PeerPhase): boolean {
  return phase === 'no-mesh' || phase === 'waiting';
}

export function serverView(phase: PeerPhase, viewed: PeerViewed): ProbeOutcome {
  if (phase !== 'heard') return absentView(phase, viewed);
  return marked({ verdict: 'up', reason: 'connected over iQuery', took: 0 }, viewed);
}

/**
 * `virtual`: what the server said last of it; undefined: it has none like this. `isFollowing`: whether it goes down with its server when
 * that is not heard any more.
 */
export function virtualView(
  phase: PeerPhase,
  viewed: PeerViewed,
  virtual: SeenVirtual | undefined,
  place: { readonly address: string; readonly port: number },
  isFollowing: boolean,
): ProbeOutcome {
  const goesOn = phase === 'heard' || (phase === 'silent' && !isFollowing && virtual !== undefined);
  if (!goesOn) return absentView(phase, viewed);
  const where = `bigip ${viewed.server}`;
  if (virtual === undefined) return marked(noVirtual(place.address, place.port, `on ${where}`), viewed);
  const outcome = virtualOutcome(virtual, `${where}: `);
  if (phase === 'heard') return marked(outcome, viewed);
  return marked({ ...outcome, reason: `${outcome.reason} (as it said last; ${silenceText(viewed)})` }, viewed);
}

function absentView(phase: PeerPhase, viewed: PeerViewed): ProbeOutcome {
  const impossible = (reason: string): ProbeOutcome => ({ verdict: 'impossible', reason, took: 0 });
  const why = viewed.problem === '' ? '' : `: ${viewed.problem}`;
  switch (phase) {
    case 'silent':
      return marked({ verdict: 'refused', reason: silenceText(viewed), took: 0 }, viewed);
    case 'stranger':
      return impossible(
        `${viewed.server} is connected over iQuery, and what a BIG-IP says there is not public: ` +
          'make it product generic-host with monitors that probe, or have its REST asked',
      );
    case 'unlisted':
      return impossible('Nothing has been heard of it over iQuery: it is no enabled server of product bigip');
    default:
      return impossible(`Nothing has been heard of it over iQuery${why}`);
  }
}

/** `Nothing heard of 192.0.2.1 for 90 s over iQuery: connection refused`. */
function silenceText({ address, timeout, problem }: PeerViewed): string {
  return `Nothing heard of ${address} for ${timeout / 1000} s over iQuery${problem === '' ? '' : `: ${problem}`}`;
}

function marked(outcome: ProbeOutcome, { stale }: PeerViewed): ProbeOutcome {
  return stale === '' ? outcome : { ...outcome, reason: `${outcome.reason} (stale: ${stale})` };
}
