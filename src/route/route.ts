// A route as packets take it: on the link of a domain, or by one of several gateways of the same cost (RFC 2992).

import type { NextHop, NextHopUser } from './next-hop.ts';

export class Route implements NextHopUser {
  /** Domain on whose link the destinations themselves are; -1: they are behind `hops`. */
  readonly onLink: number;
  readonly hops: readonly NextHop[];
  /** Largest IP packet that may take it, in octets; 0: what the way out carries. */
  readonly mtu: number;
  /** The gateways that answer; while none does, all of them. */
  #usable: readonly NextHop[];
  /** Told when other gateways answer than before. */
  readonly #changed: () => void;

  constructor(onLink: number, hops: readonly NextHop[], mtu: number, changed: () => void) {
    this.onLink = onLink;
    this.hops = hops;
    this.mtu = mtu;
    this.#usable = usableOf(hops);
    this.#changed = changed;
  }

  nextHopChanged(): void {
    if (this.hops.length < 2) return;
    const usable = usableOf(this.hops);
    const before = this.#usable;
    if (usable.length === before.length && usable.every((hop, place) => hop === before[place])) return;
    this.#usable = usable;
    this.#changed();
  }

  /** The gateway of a flow. A flow stays with its gateway for as long as the same ones answer. */
  select(flowHash: number): NextHop | undefined {
    const usable = this.#usable;
    return usable[Math.imul(flowHash >>> 16, usable.length) >>> 16];
  }
}

function usableOf(hops: readonly NextHop[]): readonly NextHop[] {
  const ready = hops.filter(({ isReady }) => isReady);
  return ready.length === 0 ? hops : ready;
}
