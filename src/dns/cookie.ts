// DNS cookies as servers of one address agree on them (RFC 7873, RFC 9018):
//
//   client cookie (8) | version 1 (1) | reserved 0 (3) | timestamp (4) | SipHash-2-4 of all before it and the address (8)

import { read32, write32 } from '../core/octets.ts';
import type { Query } from './query.ts';
import { sipHash } from './sip-hash.ts';

export const COOKIE_OCTETS = 24;
const CLIENT_OCTETS = 8;
const HASHED_OCTETS = 16;
const VERSION = 1;
/** Seconds (RFC 9018, section 4.3): how old a cookie may be, and how far ahead another server's clock. */
const OLDEST = 3600;
const AHEAD = 300;

/** What the cookie of a query says of its sender. */
export const CookieState = {
  none: 0,
  /** The sender's own, or one of ours that does not hold (any more). */
  unproven: 1,
  /** Ours, made for this address: the sender is where it says. */
  proven: 2,
} as const;
export type CookieState = (typeof CookieState)[keyof typeof CookieState];

export class Cookies {
  readonly #key: Uint8Array;
  readonly #input = new Uint8Array(HASHED_OCTETS + 16);
  readonly #hash = new Uint8Array(8);

  /** `key`: 16 octets that all servers of the address share. */
  constructor(key: Uint8Array) {
    if (key.length !== 16) throw new RangeError(`a cookie key has 16 octets, not ${key.length}`);
    this.#key = key;
  }

  /** `address`: 4 or 16 octets from `addressAt` on. `now`: seconds since 1970. */
  check(query: Query, addresses: Uint8Array, addressAt: number, addressOctets: number, now: number): CookieState {
    if (query.cookieOctets === 0) return CookieState.none;
    const { octets, cookieStart } = query;
    if (query.cookieOctets !== COOKIE_OCTETS || octets[cookieStart + CLIENT_OCTETS] !== VERSION) {
      return CookieState.unproven;
    }
    // Serial number arithmetic (RFC 1982).
    const age = (now - read32(octets, cookieStart + 12)) | 0;
    if (age > OLDEST || age < -AHEAD) return CookieState.unproven;
    for (let index = 0; index < HASHED_OCTETS; index++) this.#input[index] = octets[cookieStart + index]!;
    this.#seal(addresses, addressAt, addressOctets);
    for (let index = 0; index < 8; index++) {
      if (this.#hash[index] !== octets[cookieStart + HASHED_OCTETS + index]) return CookieState.unproven;
    }
    return CookieState.proven;
  }

  /** Writes the cookie for the sender of a query that has one, COOKIE_OCTETS at `into`. */
  write(
    query: Query,
    addresses: Uint8Array,
    addressAt: number,
    addressOctets: number,
    now: number,
    output: Uint8Array,
    into: number,
  ): void {
    const input = this.#input;
    for (let index = 0; index < CLIENT_OCTETS; index++) input[index] = query.octets[query.cookieStart + index]!;
    input[8] = VERSION;
    input[9] = input[10] = input[11] = 0;
    write32(input, 12, now);
    this.#seal(addresses, addressAt, addressOctets);
    for (let index = 0; index < HASHED_OCTETS; index++) output[into + index] = input[index]!;
    for (let index = 0; index < 8; index++) output[into + HASHED_OCTETS + index] = this.#hash[index]!;
  }

  #seal(addresses: Uint8Array, at: number, length: number): void {
    for (let index = 0; index < length; index++) this.#input[HASHED_OCTETS + index] = addresses[at + index]!;
    sipHash(this.#key, this.#input, 0, HASHED_OCTETS + length, this.#hash, 0);
  }
}
