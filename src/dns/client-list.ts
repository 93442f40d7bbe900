// Who may ask: address prefixes of both families, looked up without a look at each of them.
//
// What goes between threads is flat octets, for each prefix: octets of an address of its family (4 or 16), bits of the prefix (1),
// the address. Bits of the address behind the prefix say nothing.

import { addressOctets, type IpPrefix } from '../core/address.ts';

/** Prefixes as flat octets; route domains say nothing here. */
export function packPrefixes(prefixes: readonly IpPrefix[]): Uint8Array {
  const parts = prefixes.map(({ address, length }) => {
    const octets = addressOctets(address);
    return [octets.length, length, ...octets];
  });
  return Uint8Array.from(parts.flat());
}

/** The first and the last address of ranges that do not touch each other, in ascending order: 2 × `size` octets each. */
type Ranges = { readonly size: number; readonly octets: Uint8Array };

export class ClientList {
  readonly #ipv4: Ranges;
  readonly #ipv6: Ranges;

  constructor(packed: Uint8Array) {
    this.#ipv4 = rangesOf(packed, 4);
    this.#ipv6 = rangesOf(packed, 16);
  }

  /** Whether an address of 4 or 16 octets is in one of the prefixes. */
  has(addresses: Uint8Array, at: number, length: number): boolean {
    const { size, octets } = length === 4 ? this.#ipv4 : this.#ipv6;
    // The last range that does not start behind the address.
    let low = 0;
    let high = octets.length / (2 * size);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(octets, middle * 2 * size, addresses, at, size) <= 0) low = middle + 1;
      else high = middle;
    }
    return low > 0 && compare(octets, (low * 2 - 1) * size, addresses, at, size) >= 0;
  }
}

function rangesOf(packed: Uint8Array, size: number): Ranges {
  const ranges: { first: Uint8Array; last: Uint8Array }[] = [];
  for (let at = 0; at < packed.length; at += 2 + packed[at]!) {
    if (packed[at] !== size) continue;
    const bits = packed[at + 1]!;
    const first = packed.slice(at + 2, at + 2 + size);
    const last = first.slice();
    for (let index = 0; index < size; index++) {
      const host = 0xff >>> Math.min(8, Math.max(0, bits - index * 8));
      first[index]! &= ~host;
      last[index]! |= host;
    }
    ranges.push({ first, last });
  }
  // Two prefixes are apart, or one is within the other: the wider one is in front.
  ranges.sort((a, b) => compare(a.first, 0, b.first, 0, size) || compare(b.last, 0, a.last, 0, size));
  const apart: Uint8Array[] = [];
  for (const { first, last } of ranges) {
    const before = apart.at(-1);
    if (before === undefined || compare(before, 0, last, 0, size) < 0) apart.push(first, last);
  }
  return { size, octets: Uint8Array.from(apart.flatMap((address) => [...address])) };
}

/** Below, at or above 0 as the first address stands before, at or behind the second. */
function compare(octets: Uint8Array, at: number, others: Uint8Array, otherAt: number, length: number): number {
  for (let index = 0; index < length; index++) {
    const difference = octets[at + index]! - others[otherAt + index]!;
    if (difference !== 0) return difference;
  }
  return 0;
}
