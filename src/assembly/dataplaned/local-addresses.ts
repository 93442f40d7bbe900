// Our own addresses in the data plane: self IPs by domain, and the UDP ports where tunnels listen.

import type { AddressWords } from '../../core/address.ts';
import { AddressMap } from '../../core/address-map.ts';

export type LocalAddress = {
  name: string;
  domain: number;
  words: AddressWords;
  isIpv6: boolean;
  prefixBits: number;
};

export class LocalAddresses {
  /** By domain. */
  readonly #byDomain = new Map<number, LocalAddress[]>();
  /** By address, and (domain, UDP port) in one number; among the addresses are multicast groups. */
  readonly #listeners = new AddressMap();
  // What was looked up last: bursts go to one listener.
  #last0 = 0;
  #last1 = 0;
  #last2 = 0;
  #last3 = 0;
  #lastPlace = -1;
  #lastListener = -1;

  set(address: LocalAddress): void {
    this.remove(address.name);
    const list = this.#byDomain.get(address.domain);
    if (list === undefined) this.#byDomain.set(address.domain, [address]);
    else list.push(address);
  }

  remove(name: string): void {
    for (const [domain, list] of this.#byDomain) {
      const position = list.findIndex((address) => address.name === name);
      if (position === -1) continue;
      list.splice(position, 1);
      if (list.length === 0) this.#byDomain.delete(domain);
    }
  }

  of(domain: number): readonly LocalAddress[] {
    return this.#byDomain.get(domain) ?? [];
  }

  /** Whether this IPv4 address is ours in this domain. */
  hasIpv4(domain: number, address: number): boolean {
    const list = this.#byDomain.get(domain);
    if (list === undefined) return false;
    for (const local of list) if (!local.isIpv6 && local.words[3] === address) return true;
    return false;
  }

  hasIpv6(domain: number, word0: number, word1: number, word2: number, word3: number): boolean {
    const list = this.#byDomain.get(domain);
    if (list === undefined) return false;
    for (const { isIpv6, words } of list) {
      if (isIpv6 && words[0] === word0 && words[1] === word1 && words[2] === word2 && words[3] === word3) return true;
    }
    return false;
  }

  /** Whether an IPv6 address is ours in this domain. */
  speaksIpv6(domain: number): boolean {
    return this.of(domain).some(({ isIpv6 }) => isIpv6);
  }

  addListener(domain: number, address: AddressWords, port: number, listener: number): void {
    this.#lastPlace = -1;
    this.#listeners.set((domain << 16) | port, ...address, listener);
  }

  removeListener(domain: number, address: AddressWords, port: number): void {
    this.#lastPlace = -1;
    this.#listeners.delete((domain << 16) | port, ...address);
  }

  /** The tunnel listener of this address and UDP port, or -1; for IPv4 the first three words are 0. */
  listener(domain: number, word0: number, word1: number, word2: number, word3: number, port: number): number {
    const place = (domain << 16) | port;
    if (
      word3 !== this.#last3 ||
      place !== this.#lastPlace ||
      word2 !== this.#last2 ||
      word1 !== this.#last1 ||
      word0 !== this.#last0
    ) {
      this.#last0 = word0;
      this.#last1 = word1;
      this.#last2 = word2;
      this.#last3 = word3;
      this.#lastPlace = place;
      this.#lastListener = this.#listeners.get(place, word0, word1, word2, word3);
    }
    return this.#lastListener;
  }
}
