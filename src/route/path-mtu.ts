// The path MTU to the ends of tunnels, as far as it is smaller than that of the first link: learned from ICMP errors
// (RFC 1191 for IPv4, RFC 8201 for IPv6), and forgotten after a while, for the path may have become better.
//
// Whether an error is to be believed at all is for others to say; here its value must make sense.

import { AddressMap } from '../core/address-map.ts';

/** RFC 1191, section 3, and RFC 8200, section 5. */
export const MIN_PATH_MTU_V4 = 68;
export const MIN_PATH_MTU_V6 = 1280;

/** After this long without another error a longer packet is tried again (RFC 1191, section 6.3; RFC 8201, section 5.3). */
const LIFETIME_MS = 600_000;
/** Remote ends that may be remembered. */
const MAX_PATHS = 4096;

/** Of what an old router means that names no MTU: the next below the packet's size (RFC 1191, section 7.1). */
const PLATEAUS = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, MIN_PATH_MTU_V4] as const;

/** An MTU that was named, or none (0), about an IPv4 packet of so many octets; 0: it makes no sense. */
export function plausibleMtuV4(named: number, packetOctets: number): number {
  const mtu = named === 0 ? (PLATEAUS.find((plateau) => plateau < packetOctets) ?? 0) : named;
  return mtu >= MIN_PATH_MTU_V4 && mtu < packetOctets ? mtu : 0;
}

/** The same for IPv6. */
export function plausibleMtuV6(named: number, packetOctets: number): number {
  return named >= MIN_PATH_MTU_V6 && named < packetOctets ? named : 0;
}

/** Where a path leads, in a route domain. */
export type PathEnd = { routeDomain: number; words: readonly [number, number, number, number] };

export class PathMtuTable {
  readonly #index = new AddressMap();
  readonly #ends: (PathEnd | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #mtus: number[] = [];
  readonly #expiresMs: number[] = [];

  get size(): number {
    return this.#ends.length - this.#free.length;
  }

  /** The MTU of the path; Infinity: nothing is known of it. */
  of({ routeDomain, words }: PathEnd): number {
    const at = this.#index.get(routeDomain, ...words);
    return at === -1 ? Infinity : this.#mtus[at]!;
  }

  /** Notes that the path takes no more than `mtu`; true when that is less than was known. */
  lower(end: PathEnd, mtu: number, nowMs: number): boolean {
    const known = this.#index.get(end.routeDomain, ...end.words);
    if (known !== -1 && mtu >= this.#mtus[known]!) {
      // The same again says that it still is so; a larger one may be of another path before a change.
      if (mtu === this.#mtus[known]) this.#expiresMs[known] = nowMs + LIFETIME_MS;
      return false;
    }
    const at = known === -1 ? this.#enter(end) : known;
    if (at === -1) return false;
    this.#mtus[at] = mtu;
    this.#expiresMs[at] = nowMs + LIFETIME_MS;
    return true;
  }

  #enter(end: PathEnd): number {
    if (this.size >= MAX_PATHS) return -1;
    const at = this.#free.pop() ?? this.#ends.length;
    this.#ends[at] = end;
    this.#index.set(end.routeDomain, ...end.words, at);
    return at;
  }

  /** Forgets what has not been said again for long, and returns which paths that concerns. */
  expire(nowMs: number): PathEnd[] {
    const expired: PathEnd[] = [];
    this.#ends.forEach((end, at) => {
      if (end === undefined || nowMs < this.#expiresMs[at]!) return;
      expired.push(end);
      this.#index.delete(end.routeDomain, ...end.words);
      this.#ends[at] = undefined;
      this.#free.push(at);
    });
    return expired;
  }
}
