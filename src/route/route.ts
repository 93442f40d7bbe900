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

  constructor(onLink: number, hops: readonly NextHop[], mtu: number) {
    this.onLink = onLink;
    this.hops = hops;
    this.mtu = mtu;
    this.#usable = hops;
    this.nextHopChanged();
  }

  nextHopChanged(): void {
    const ready = this.hops.filter(({ isReady }) => isReady);
    this.#usable = ready.length === 0 ? this.hops : ready;
  }

  /** The gateway of a flow. A flow stays with its gateway for as long as the same ones answer. */
  select(flowHash: number): NextHop | undefined {
    const usable = this.#usable;
    return usable[Math.imul(flowHash >>> 16, usable.length) >>> 16];
  }
}
