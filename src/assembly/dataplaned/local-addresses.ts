// Our own addresses in the data plane: self IPs by domain, and the UDP ports where tunnels listen.

import type { AddressWords } from '../../core/address.ts';
import { PairMap } from '../../core/pair-map.ts';

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
  /** Domains of the IPv4 addresses. */
  readonly #domainsOf = new Map<number, number[]>();
  /** (IPv4 address, domain << 16 | UDP port) to listener. */
  readonly #listeners = new PairMap();
  // What was looked up last: bursts go to one listener.
  #lastAddress = 0;
  #lastPlace = -1;
  #lastListener = -1;

  set(address: LocalAddress): void {
    this.remove(address.name);
    const list = this.#byDomain.get(address.domain);
    if (list === undefined) this.#byDomain.set(address.domain, [address]);
    else list.push(address);
    if (address.isIpv6) return;
    const ipv4 = address.words[3];
    this.#domainsOf.set(ipv4, [...this.domainsOf(ipv4), address.domain]);
  }

  remove(name: string): void {
    for (const [domain, list] of this.#byDomain) {
      const position = list.findIndex((address) => address.name === name);
      if (position === -1) continue;
      const [{ isIpv6, words }] = list.splice(position, 1) as [LocalAddress];
      if (!isIpv6) this.#leaveDomain(words[3], domain);
      if (list.length === 0) this.#byDomain.delete(domain);
    }
  }

  #leaveDomain(ipv4: number, domain: number): void {
    const domains = [...this.domainsOf(ipv4)];
    domains.splice(domains.indexOf(domain), 1);
    if (domains.length === 0) this.#domainsOf.delete(ipv4);
    else this.#domainsOf.set(ipv4, domains);
  }

  /** Domains in which this IPv4 address is ours. */
  domainsOf(ipv4: number): readonly number[] {
    return this.#domainsOf.get(ipv4) ?? [];
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

  addListener(domain: number, address: number, port: number, listener: number): void {
    this.#lastPlace = -1;
    this.#listeners.set(address, (domain << 16) | port, listener);
  }

  removeListener(domain: number, address: number, port: number): void {
    this.#lastPlace = -1;
    this.#listeners.delete(address, (domain << 16) | port);
  }

  /** The tunnel listener of this IPv4 address and UDP port, or -1. */
  listener(domain: number, address: number, port: number): number {
    const place = (domain << 16) | port;
    if (address !== this.#lastAddress || place !== this.#lastPlace) {
      this.#lastAddress = address;
      this.#lastPlace = place;
      this.#lastListener = this.#listeners.get(address, place);
    }
    return this.#lastListener;
  }
}
