// How many hops away something is: echo requests over one hop, two, and so on, until the target answers itself.

import type { Echo, EchoRequest } from './path-echo.ts';
import type { ProbeTarget } from './packet-probes.ts';

export type HopSettings = {
  /** Of the IP packet. */
  readonly octets: number;
  /** Packets for each number of hops, at most. */
  readonly samples: number;
  readonly timeoutMs: number;
};

export type AskEcho = (request: EchoRequest) => Promise<Echo>;

/** As `traceroute` has it. */
const MOST_HOPS = 30;
/** Numbers of hops that are tried at the same time: a router that says nothing holds up no more than these. */
const AT_A_TIME = 4;

/** undefined: it does not answer, or is further away than that. The target itself counts: a neighbour is one hop away. */
export async function countHops(
  ask: AskEcho,
  target: ProbeTarget,
  { octets, samples, timeoutMs }: HopSettings,
): Promise<number | undefined> {
  const reaches = async (hops: number): Promise<boolean> => {
    for (let sample = 0; sample < Math.max(1, samples); sample++) {
      const { end } = await ask({ target, hops, octets, timeoutMs });
      if (end !== 'silent') return end === 'reply';
    }
    return false;
  };
  for (let first = 1; first <= MOST_HOPS; first += AT_A_TIME) {
    const tried = Array.from({ length: Math.min(AT_A_TIME, MOST_HOPS + 1 - first) }, (_, step) => first + step);
    const reached = await Promise.all(tried.map(reaches));
    const place = reached.indexOf(true);
    if (place >= 0) return first + place;
  }
  return undefined;
}
