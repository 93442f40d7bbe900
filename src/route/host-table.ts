// Hosts that were heard by ARP or neighbour discovery: (domain, address) → MAC and member. What routing within a VLAN group
// looks up. An address is four words; IPv4 stands in the last, behind IPV4_MARK (as in ::ffff:0:0/96, RFC 4291).
//
// Bounded, and forgetful: a host that is silent for a while makes room, and so does one of two whose addresses have the same
// hash. Nobody is asked, and nothing waits here.

import { hashPair, PairMap } from '../core/pair-map.ts';

/** The third word of an IPv4 address; the first two are 0. */
export const IPV4_MARK = 0xffff;

export class HostTable {
  readonly #index = new PairMap();
  readonly #capacity: number;
  /** Places that were given back, the last one first. */
  readonly #free: number[] = [];
  #used = 0;
  readonly #word0: Int32Array;
  readonly #word1: Int32Array;
  readonly #word2: Int32Array;
  readonly #word3: Int32Array;
  /** 0: the place is free. */
  readonly #domain: Int32Array;
  readonly macHigh: Int32Array;
  readonly macLow: Int32Array;
  readonly member: Int32Array;
  readonly #heardMs: Float64Array;
  #sweep = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#word0 = new Int32Array(capacity);
    this.#word1 = new Int32Array(capacity);
    this.#word2 = new Int32Array(capacity);
    this.#word3 = new Int32Array(capacity);
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
  find(domain: number, word0: number, word1: number, word2: number, word3: number): number {
    const at = this.#index.get(keyOf(domain, word0, word1, word2), word3);
    if (at === -1 || this.#domain[at] !== domain) return -1;
    return this.#word0[at] === word0 && this.#word1[at] === word1 && this.#word2[at] === word2 ? at : -1;
  }

  /** Notes where a host lives; false when the table has no room for one that is new. */
  heard(
    domain: number,
    word0: number,
    word1: number,
    word2: number,
    word3: number,
    macHigh: number,
    macLow: number,
    member: number,
    nowMs: number,
  ): boolean {
    const key = keyOf(domain, word0, word1, word2);
    let at = this.#index.get(key, word3);
    if (at === -1) {
      at = this.#free.pop() ?? (this.#used < this.#capacity ? this.#used++ : -1);
      if (at === -1) return false;
      this.#index.set(key, word3, at);
    }
    this.#domain[at] = domain;
    this.#word0[at] = word0;
    this.#word1[at] = word1;
    this.#word2[at] = word2;
    this.#word3[at] = word3;
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
    this.#index.delete(keyOf(domain, this.#word0[at]!, this.#word1[at]!, this.#word2[at]!), this.#word3[at]!);
    this.#domain[at] = 0;
    this.#free.push(at);
  }
}

const keyOf = (domain: number, word0: number, word1: number, word2: number): number =>
  hashPair(hashPair(word0, word1), word2) ^ domain;
