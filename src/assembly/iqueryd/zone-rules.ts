// Which of two files of a zone counts: the later serial (RFC 1982); of the same serial the later file, and the other is kept.

import { isSerialAfter } from '../../dns/serial.ts';

export type ZoneVersion = {
  readonly digest: string;
  readonly serial: number;
  /** Milliseconds since 1970. */
  readonly time: number;
};

export type ZoneDecision = 'same' | 'take' | 'wait' | 'yield' | 'stand';

/** `ours` undefined: there is none that can be served. */
export function decideZone(ours: ZoneVersion | undefined, theirs: ZoneVersion): ZoneDecision {
  if (ours === undefined) return 'take';
  if (ours.digest === theirs.digest) return 'same';
  if (isSerialAfter(theirs.serial, ours.serial)) return 'take';
  if (isSerialAfter(ours.serial, theirs.serial)) return 'wait';
  return theirs.time > ours.time || (theirs.time === ours.time && theirs.digest > ours.digest) ? 'yield' : 'stand';
}

/** The one that is to be taken, and from whom. */
export function chooseZone<T extends { readonly version: ZoneVersion }>(
  ours: ZoneVersion | undefined,
  peers: readonly T[],
): { readonly peer: T; readonly decision: 'take' | 'yield' } | undefined {
  let best: T | undefined;
  for (const peer of peers) {
    const decision = decideZone(best?.version ?? ours, peer.version);
    if (decision === 'take' || decision === 'yield') best = peer;
  }
  if (best === undefined) return undefined;
  return { peer: best, decision: decideZone(ours, best.version) === 'yield' ? 'yield' : 'take' };
}
