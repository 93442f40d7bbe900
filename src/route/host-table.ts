// Hosts that were heard by ARP: (domain, IPv4 address) → MAC and member. What routing within a VLAN group looks up.
//
// Bounded, and forgetful: a host that is silent for a while makes room. Nobody is asked, and nothing waits here.

import { PairMap } from '../core/pair-map.ts';

export class HostTable {
  readonly #index = new PairMap();
  readonly #capacity: number;
  /** Places that were given back, the last one first. */
  readonly #free: number[] = [];
  #used = 0;
  readonly #address: Int32Array;
  /** 0: the place is free. */
  readonly #domain: Int32Array;
  readonly macHigh: Int32Array;
  readonly macLow: Int32Array;
  readonly member: Int32Array;
  readonly #heardMs: Float64Array;
  #sweep = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#address = new Int32Array(capacity);
    this.#domain = new Int32Array(capacity);
    this.macHigh = new Int32Array(capacity);
    this.macLow = new Int32Array(capacity);
    this.member = new Int32Array(capacity);
    this.#heardMs = new Float64Array(capacity);
  }

  get size(): number {
    return this.#used - this.#free.length;
  }

  /** The place of a host in macHigh, macLow and member, or -1. */
  find(domain: number, address: number): number {
    return this.#index.get(domain, address);
  }

  /** Notes where a host lives; false when the table has no room for one that is new. */
  heard(domain: number, address: number, macHigh: number, macLow: number, member: number, nowMs: number): boolean {
    let at = this.find(domain, address);
    if (at === -1) {
      const place = this.#free.pop() ?? (this.#used < this.#capacity ? this.#used++ : -1);
      if (place === -1) return false;
      at = place;
      this.#index.set(domain, address, at);
      this.#domain[at] = domain;
      this.#address[at] = address;
    }
    this.macHigh[at] = macHigh;
    this.macLow[at] = macLow;
    this.member[at] = member;
    this.#heardMs[at] = nowMs;
    return true;
  }

  forgetMember(member: number): void {
    for (let at = 0; at < this.#used; at++) if (this.member[at] === member) this.#forget(at);
  }

  forgetDomain(domain: number): void {
    for (let at = 0; at < this.#used; at++) if (this.#domain[at] === domain) this.#forget(at);
  }

  /** Looks at `places` hosts, going round, and forgets those that were last heard before `beforeMs`. */
  age(beforeMs: number, places: number): void {
    for (let step = 0; step < Math.min(places, this.#used); step++) {
      this.#sweep = (this.#sweep + 1) % this.#used;
      if (this.#heardMs[this.#sweep]! < beforeMs) this.#forget(this.#sweep);
    }
  }

  #forget(at: number): void {
    const domain = this.#domain[at]!;
    if (domain === 0) return;
    this.#index.delete(domain, this.#address[at]!);
    this.#domain[at] = 0;
    this.#free.push(at);
  }
}
