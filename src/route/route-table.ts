// Longest-prefix match (RFC 1812, section 5.2.4.3): which of many prefixes an address belongs to.
//
// Prefixes either contain each other or share nothing, so they cut the line of all addresses into intervals with one result
// each: n prefixes make 2n+1 of them at most. A search is a binary one for the interval, and for IPv4 it starts from an
// index over the range in which there are boundaries at all. That takes 12 octets a prefix and a few loads, where a trie of
// wide strides takes hundreds of octets a prefix and misses the cache when there are many tables (docs/decisions/routing.md).
//
// A table is never changed. It is packed elsewhere, on memory that threads share, and taken into use by one store.

import type { AddressWords } from '../core/address.ts';

/** Results of a search. From FIRST_ROUTE on they are the numbers of routes. */
export const RouteResult = {
  none: 0,
  /** One of our own addresses. */
  local: 1,
  /** The broadcast or network address of a connected network. */
  broadcast: 2,
  blackhole: 3,
  /** The way leads into another route domain, which strict isolation forbids. */
  isolated: 4,
} as const;
export const FIRST_ROUTE = 5;

/** What a table is packed from; of two equal prefixes the later one counts. */
export type Prefix = { words: AddressWords; bits: number; result: number };

export type PackedRoutes = {
  isIpv6: boolean;
  /** First address of each interval, one word for IPv4 and four for IPv6, with the sign bit turned: signed order is theirs. */
  starts: Int32Array;
  /** By interval. */
  results: Int32Array;
  /** IPv4: position of the interval in which each 2^shift addresses from `base` on begin. */
  index: Int32Array;
  base: number;
  shift: number;
};

const SIGN = 0x8000_0000 | 0;
const MAX_INDEX_BITS = 16;

export class RouteTable {
  readonly isIpv6: boolean;
  readonly #starts: Int32Array;
  readonly #results: Int32Array;
  readonly #index: Int32Array;
  readonly #base: number;
  readonly #shift: number;
  /** Of the addresses from the first boundary to the last, as distance from the first, with the sign bit turned. */
  readonly #span: number;

  constructor({ isIpv6, starts, results, index, base, shift }: PackedRoutes) {
    this.isIpv6 = isIpv6;
    this.#starts = starts;
    this.#results = results;
    this.#index = index;
    this.#base = base;
    this.#shift = shift;
    this.#span = isIpv6 ? 0 : ((starts[starts.length - 1]! ^ SIGN) - base) ^ SIGN;
  }

  /** The result of the longest prefix that an IPv4 address belongs to; RouteResult.none without one. */
  findIpv4(address: number): number {
    const starts = this.#starts;
    const offset = (address - this.#base) | 0;
    const key = address ^ SIGN;
    if ((offset ^ SIGN) > this.#span) {
      return this.#results[key < (this.#base ^ SIGN) ? 0 : starts.length - 1]!;
    }
    const at = offset >>> this.#shift;
    let low = this.#index[at]!;
    let high = this.#index[at + 1]!;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (starts[middle]! <= key) low = middle;
      else high = middle - 1;
    }
    return this.#results[low]!;
  }

  findIpv6(word0: number, word1: number, word2: number, word3: number): number {
    const starts = this.#starts;
    const a = word0 ^ SIGN;
    const b = word1 ^ SIGN;
    const c = word2 ^ SIGN;
    const d = word3 ^ SIGN;
    let low = 0;
    let high = this.#results.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const at = middle << 2;
      const start0 = starts[at]!;
      let isBefore = start0 < a;
      if (start0 === a) {
        const start1 = starts[at + 1]!;
        isBefore = start1 < b;
        if (start1 === b) {
          const start2 = starts[at + 2]!;
          isBefore = start2 < c || (start2 === c && starts[at + 3]! <= d);
        }
      }
      if (isBefore) low = middle;
      else high = middle - 1;
    }
    return this.#results[low]!;
  }
}

/** Packs the prefixes of one IP version. */
export function packRoutes(isIpv6: boolean, prefixes: readonly Prefix[]): PackedRoutes {
  const stride = isIpv6 ? 4 : 1;
  const first = new Int32Array(prefixes.length * stride);
  const last = new Int32Array(prefixes.length * stride);
  prefixes.forEach((prefix, place) => writeEnds(prefix, stride, first, last, place * stride));
  const order = [...prefixes.keys()].sort(
    (a, b) => compare(first, a * stride, first, b * stride, stride) || prefixes[a]!.bits - prefixes[b]!.bits || a - b,
  );
  const cuts = new Cuts(prefixes.length, stride);
  // Prefixes that contain the place at which the sweep is, the longest last.
  const open: number[] = [];
  const closeBefore = (at: number): void => {
    while (open.length > 0 && (at === -1 || compare(last, open.at(-1)! * stride, first, at * stride, stride) < 0)) {
      const closed = open.pop()!;
      const outer = open.at(-1);
      cuts.behind(last, closed * stride, outer === undefined ? RouteResult.none : prefixes[outer]!.result);
    }
  };
  for (const place of order) {
    closeBefore(place);
    open.push(place);
    cuts.at(first, place * stride, prefixes[place]!.result);
  }
  closeBefore(-1);
  return { isIpv6, ...cuts.finish(), ...indexOf(isIpv6, cuts) };
}

function writeEnds({ words, bits }: Prefix, stride: number, first: Int32Array, last: Int32Array, at: number): void {
  for (let word = 0; word < stride; word++) {
    const own = Math.min(32, Math.max(0, bits - word * 32));
    const mask = own === 0 ? 0 : -1 << (32 - own);
    const value = words[4 - stride + word]! & mask;
    first[at + word] = value ^ SIGN;
    last[at + word] = (value | ~mask) ^ SIGN;
  }
}

function compare(a: Int32Array, atA: number, b: Int32Array, atB: number, stride: number): number {
  for (let word = 0; word < stride; word++) {
    const difference = a[atA + word]! - b[atB + word]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The intervals as they come about, in order. */
class Cuts {
  readonly starts: Int32Array;
  readonly results: Int32Array;
  count = 1;
  readonly #stride: number;

  constructor(prefixes: number, stride: number) {
    this.#stride = stride;
    this.starts = new Int32Array((2 * prefixes + 1) * stride).fill(SIGN, 0, stride);
    this.results = new Int32Array(2 * prefixes + 1);
  }

  /** From this address on the result is another one. */
  at(words: Int32Array, from: number, result: number): void {
    const stride = this.#stride;
    const at = this.count * stride;
    for (let word = 0; word < stride; word++) this.starts[at + word] = words[from + word]!;
    this.#cut(result);
  }

  /** The same from the address behind one; behind the last address there is none. */
  behind(words: Int32Array, from: number, result: number): void {
    const stride = this.#stride;
    const at = this.count * stride;
    let carry = 1;
    for (let word = stride - 1; word >= 0; word--) {
      const value = words[from + word]! ^ SIGN;
      this.starts[at + word] = (value + carry) ^ SIGN;
      if (carry === 1 && value !== -1) carry = 0;
    }
    if (carry === 0) this.#cut(result);
  }

  #cut(result: number): void {
    const stride = this.#stride;
    const { starts, results } = this;
    const at = this.count * stride;
    if (compare(starts, at - stride, starts, at, stride) === 0) {
      results[this.count - 1] = result;
      // What is now as the interval before it needs no boundary.
      if (this.count > 1 && results[this.count - 2] === result) this.count -= 1;
    } else if (results[this.count - 1] !== result) {
      results[this.count++] = result;
    }
  }

  finish(): { starts: Int32Array; results: Int32Array } {
    return {
      starts: shared(this.starts.subarray(0, this.count * this.#stride)),
      results: shared(this.results.subarray(0, this.count)),
    };
  }
}

function indexOf(isIpv6: boolean, { starts, count }: Cuts): { index: Int32Array; base: number; shift: number } {
  if (isIpv6) return { index: new Int32Array(0), base: 0, shift: 0 };
  const base = starts[Math.min(1, count - 1)]! ^ SIGN;
  const span = ((starts[count - 1]! ^ SIGN) - base) >>> 0;
  const bits = Math.min(MAX_INDEX_BITS, 32 - Math.clz32(count));
  const shift = Math.max(0, 32 - Math.clz32(span) - bits);
  const index = new Int32Array((span >>> shift) + 2);
  let place = Math.min(1, count - 1);
  for (let at = 0; at < index.length; at++) {
    const limit = at * 2 ** shift;
    while (place + 1 < count && ((starts[place + 1]! ^ SIGN) - base) >>> 0 <= limit) place += 1;
    index[at] = place;
  }
  return { index: shared(index), base, shift };
}

/** A copy on memory that can be handed to another thread without being copied. */
function shared(values: Int32Array): Int32Array {
  const copy = new Int32Array(new SharedArrayBuffer(values.byteLength));
  copy.set(values);
  return copy;
}

/** A table without any prefix. */
export const NO_ROUTES = {
  ipv4: new RouteTable(packRoutes(false, [])),
  ipv6: new RouteTable(packRoutes(true, [])),
};
