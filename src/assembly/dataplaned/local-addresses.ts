// Our own addresses in the data plane: self IPs by domain, and the services where tunnels listen. Their networks are the
// routes by which source-checking tells whether a packet came the way that a reply to it would go.

import { type AddressWords, wordsShareNetwork } from '../../core/address.ts';
import { AddressMap } from '../../core/address-map.ts';
import { read32 } from '../../core/octets.ts';
import type { Domain, SourceCheck } from '../../bridge/domain.ts';
import type { Frame } from '../../packet/frame.ts';
import { SERVICE_BITS } from '../../tunnel/service.ts';
import { ETHERNET_HEADER_OCTETS, EtherType, etherType } from '../../wire/ethernet.ts';
import { IPV4_HEADER_OCTETS, IPV4_SOURCE } from '../../wire/ipv4.ts';
import { IPV6_HEADER_OCTETS, IPV6_SOURCE } from '../../wire/ipv6.ts';

export type LocalAddress = {
  name: string;
  domain: number;
  words: AddressWords;
  isIpv6: boolean;
  prefixBits: number;
  /** That of its domain; absent: 0. */
  routeDomain?: number;
};

export class LocalAddresses implements SourceCheck {
  /** By domain. */
  readonly #byDomain = new Map<number, LocalAddress[]>();
  /** All of them, for source-checking, which looks at each with every packet. */
  #all: LocalAddress[] = [];
  /** The domain that an address is ours in, by route domain. */
  readonly #owners = new AddressMap();
  /** Domains of each address, by the text of its words. */
  readonly #domainsOf = new Map<string, number[]>();
  /** By address, and (domain, service) in one number; among the addresses are multicast groups. */
  readonly #listeners = new AddressMap();
  // What was looked up last: bursts go to one listener.
  #last0 = 0;
  #last1 = 0;
  #last2 = 0;
  #last3 = 0;
  #lastPlace = -1;
  #lastListener = -1;
  // The same of `ownerOf`.
  #asked0 = 0;
  #asked1 = 0;
  #asked2 = 0;
  #asked3 = 0;
  #askedIn = -1;
  #lastOwner = -1;

  set(address: LocalAddress): void {
    this.remove(address.name);
    this.#all.push(address);
    const list = this.#byDomain.get(address.domain);
    if (list === undefined) this.#byDomain.set(address.domain, [address]);
    else list.push(address);
    this.#domainsOf.set(String(address.words), [...this.domainsOf(address.words), address.domain]);
    this.#owners.set(address.routeDomain ?? 0, ...address.words, address.domain);
    this.#askedIn = -1;
  }

  remove(name: string): void {
    const known = this.#all.find((address) => address.name === name);
    if (known === undefined) return;
    this.#all = this.#all.filter((address) => address !== known);
    this.#disown(known);
    for (const [domain, list] of this.#byDomain) {
      const position = list.findIndex((address) => address.name === name);
      if (position === -1) continue;
      const [{ words }] = list.splice(position, 1) as [LocalAddress];
      this.#leaveDomain(words, domain);
      if (list.length === 0) this.#byDomain.delete(domain);
    }
  }

  /** Hands an address over to another domain of its route domain that has it too, if there is one. */
  #disown({ words, routeDomain = 0 }: LocalAddress): void {
    this.#askedIn = -1;
    const heir = this.#all.find(
      (other) => (other.routeDomain ?? 0) === routeDomain && String(other.words) === String(words),
    );
    if (heir === undefined) this.#owners.delete(routeDomain, ...words);
    else this.#owners.set(routeDomain, ...words, heir.domain);
  }

  #leaveDomain(words: AddressWords, domain: number): void {
    const domains = [...this.domainsOf(words)];
    domains.splice(domains.indexOf(domain), 1);
    if (domains.length === 0) this.#domainsOf.delete(String(words));
    else this.#domainsOf.set(String(words), domains);
  }

  /** Domains in which this address is ours. */
  domainsOf(words: AddressWords): readonly number[] {
    return this.#domainsOf.get(String(words)) ?? [];
  }

  /** The domain that an address is ours in, or -1; an IPv6 address of ::/96 is none of ours. */
  ownerOf(routeDomain: number, word0: number, word1: number, word2: number, word3: number): number {
    if (
      word3 !== this.#asked3 ||
      routeDomain !== this.#askedIn ||
      word2 !== this.#asked2 ||
      word1 !== this.#asked1 ||
      word0 !== this.#asked0
    ) {
      this.#asked0 = word0;
      this.#asked1 = word1;
      this.#asked2 = word2;
      this.#asked3 = word3;
      this.#askedIn = routeDomain;
      this.#lastOwner = this.#owners.get(routeDomain, word0, word1, word2, word3);
    }
    return this.#lastOwner;
  }

  /** Whether an IPv4 address is on the network of a self IP of a domain; also where there is no self IP to tell. */
  isOnLinkIpv4(domain: number, address: number): boolean {
    let isTold = false;
    for (const { isIpv6, words, prefixBits } of this.of(domain)) {
      if (isIpv6) continue;
      if (sharesBits(words[3], address, prefixBits)) return true;
      isTold = true;
    }
    return !isTold;
  }

  /** Our own address that speaks to another one on a domain: one of the same network, or the first; undefined: none. */
  sourceFor(domain: number, other: AddressWords, isIpv6: boolean): AddressWords | undefined {
    let first: AddressWords | undefined;
    for (const local of this.of(domain)) {
      if (local.isIpv6 !== isIpv6) continue;
      if (wordsShareNetwork(local.words, other, local.prefixBits, isIpv6)) return local.words;
      first ??= local.words;
    }
    return first;
  }

  /** Our own address on the network that another one is of, in its route domain; undefined: it is on none of ours. */
  neighbourOf(routeDomain: number, other: AddressWords, isIpv6: boolean): AddressWords | undefined {
    let best: LocalAddress | undefined;
    for (const local of this.#all) {
      if (local.isIpv6 !== isIpv6 || (local.routeDomain ?? 0) !== routeDomain || !isOn(local, ...other)) continue;
      if (best === undefined || local.prefixBits > best.prefixBits) best = local;
    }
    return best?.words;
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

  addListener(domain: number, address: AddressWords, service: number, listener: number): void {
    this.#lastPlace = -1;
    this.#listeners.set((domain << SERVICE_BITS) | service, ...address, listener);
  }

  removeListener(domain: number, address: AddressWords, service: number): void {
    this.#lastPlace = -1;
    this.#listeners.delete((domain << SERVICE_BITS) | service, ...address);
  }

  /** The tunnel listener of this address and service, or -1; for IPv4 the first three words are 0. */
  listener(domain: number, word0: number, word1: number, word2: number, word3: number, service: number): number {
    const place = (domain << SERVICE_BITS) | service;
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

  /** False for a packet whose source is on the network of a self IP of another domain of its route domain, by the longest prefix. */
  accepts(bytes: Uint8Array, frame: Frame, domain: Domain): boolean {
    const ip = frame.start + ETHERNET_HEADER_OCTETS;
    const type = etherType(bytes, frame.start);
    if (type === EtherType.ipv4) {
      if (frame.end - ip < IPV4_HEADER_OCTETS) return true;
      return this.#isRouteBack(domain, false, 0, 0, 0, read32(bytes, ip + IPV4_SOURCE));
    }
    if (type !== EtherType.ipv6 || frame.end - ip < IPV6_HEADER_OCTETS) return true;
    const source = ip + IPV6_SOURCE;
    return this.#isRouteBack(
      domain,
      true,
      read32(bytes, source),
      read32(bytes, source + 4),
      read32(bytes, source + 8),
      read32(bytes, source + 12),
    );
  }

  #isRouteBack(
    { id: domain, routeDomain }: Domain,
    isIpv6: boolean,
    a: number,
    b: number,
    c: number,
    d: number,
  ): boolean {
    // Where two domains have the same network, either is the way back.
    let here = -1;
    let elsewhere = -1;
    for (let index = 0; index < this.#all.length; index++) {
      const local = this.#all[index]!;
      if (local.isIpv6 !== isIpv6 || (local.routeDomain ?? 0) !== routeDomain || !isOn(local, a, b, c, d)) continue;
      if (local.domain === domain) here = Math.max(here, local.prefixBits);
      else elsewhere = Math.max(elsewhere, local.prefixBits);
    }
    return here >= elsewhere;
  }
}

/** Whether an address, as four words, is on the network of a self IP. */
function isOn({ isIpv6, words, prefixBits }: LocalAddress, a: number, b: number, c: number, d: number): boolean {
  if (!isIpv6) return sharesBits(words[3], d, prefixBits);
  return (
    sharesBits(words[0], a, prefixBits) &&
    sharesBits(words[1], b, prefixBits - 32) &&
    sharesBits(words[2], c, prefixBits - 64) &&
    sharesBits(words[3], d, prefixBits - 96)
  );
}

/** Whether the first `bits` of two words are the same; up to none of them, and up to all. */
const sharesBits = (one: number, other: number, bits: number): boolean =>
  bits <= 0 || (one ^ other) >>> Math.max(0, 32 - bits) === 0;
