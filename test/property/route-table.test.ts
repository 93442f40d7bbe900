// Longest-prefix match against a linear scan, on tables whose prefixes lie in each other and beside each other.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { packRoutes, type Prefix, RouteResult, RouteTable } from '../../src/route/route-table.ts';
import type { AddressWords } from '../../src/core/address.ts';

/** Few different words make prefixes that touch and contain each other; the rest are any. */
const word = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(0, -1, 0x0a000000, 0x0a010000, 0x0a0100ff, 0x0a010100, 0x7fffffff, 0x80000000 | 0),
  },
  { weight: 1, arbitrary: fc.integer({ min: -0x80000000, max: 0x7fffffff }) },
);

function addressOf(isIpv6: boolean): fc.Arbitrary<AddressWords> {
  const zero = fc.constant(0);
  const upper = isIpv6 ? word : zero;
  return fc.tuple(upper, upper, upper, word);
}

const prefixesOf = (isIpv6: boolean): fc.Arbitrary<Prefix[]> =>
  fc.array(
    fc.record({
      words: addressOf(isIpv6),
      bits: fc.integer({ min: 0, max: isIpv6 ? 128 : 32 }),
      result: fc.integer({ min: 1, max: 9 }),
    }),
    { maxLength: 40 },
  );

/** The bits of a word that a prefix covers. */
function maskOf(bits: number): number {
  const own = Math.min(32, Math.max(0, bits));
  return own === 0 ? 0 : -1 << (32 - own);
}

function covers({ words, bits }: Prefix, address: AddressWords, isIpv6: boolean): boolean {
  const length = isIpv6 ? bits : bits + 96;
  return [0, 1, 2, 3].every((at) => ((words[at]! ^ address[at]!) & maskOf(length - at * 32)) === 0);
}

/** Every prefix is looked at. */
function scan(prefixes: readonly Prefix[], address: AddressWords, isIpv6: boolean): number {
  let best = -1;
  let result: number = RouteResult.none;
  for (const prefix of prefixes) {
    if (prefix.bits < best || !covers(prefix, address, isIpv6)) continue;
    best = prefix.bits;
    result = prefix.result;
  }
  return result;
}

/** Where results change: the ends of prefixes, and what lies beside them. */
function edgesOf({ words, bits }: Prefix, isIpv6: boolean): AddressWords[] {
  const total = isIpv6 ? 128n : 32n;
  const value = words.reduce((all, one) => (all << 32n) | BigInt(one >>> 0), 0n);
  const size = 1n << (total - BigInt(bits));
  const first = (value / size) * size;
  return [first - 1n, first, first + size - 1n, first + size].map((at) => {
    const own = BigInt.asUintN(Number(total), at);
    const wordAt = (place: bigint): number => Number(BigInt.asIntN(32, own >> (place * 32n)));
    return [wordAt(3n), wordAt(2n), wordAt(1n), wordAt(0n)];
  });
}

describe('a route table', () => {
  for (const isIpv6 of [false, true]) {
    it(`finds what a linear scan finds, IPv${isIpv6 ? 6 : 4}`, () => {
      fc.assert(
        fc.property(prefixesOf(isIpv6), fc.array(addressOf(isIpv6), { maxLength: 20 }), (prefixes, addresses) => {
          const table = new RouteTable(packRoutes(isIpv6, prefixes));
          for (const address of [...addresses, ...prefixes.flatMap((prefix) => edgesOf(prefix, isIpv6))]) {
            const found = isIpv6 ? table.findIpv6(...address) : table.findIpv4(address[3]);
            assert.equal(found, scan(prefixes, address, isIpv6), address.join(' '));
          }
        }),
        { numRuns: 1500 },
      );
    });
  }

  it('is right with many prefixes of the lengths that are common', () => {
    let state = 20_261_124;
    const random = (): number => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state;
    };
    const prefixes: Prefix[] = [];
    for (let count = 0; count < 5000; count++) {
      const bits = 8 + ((random() >>> 8) % 25);
      const low = (random() & maskOf(bits)) | 0;
      prefixes.push({ words: [0, 0, 0, low], bits, result: 1 + (count % 1000) });
    }
    const table = new RouteTable(packRoutes(false, prefixes));
    for (let count = 0; count < 2000; count++) {
      const near = prefixes[(random() >>> 1) % prefixes.length]!;
      const address = count % 2 === 0 ? random() : near.words[3] + (random() & 0xff);
      const words: AddressWords = [0, 0, 0, address | 0];
      assert.equal(table.findIpv4(address | 0), scan(prefixes, words, false));
    }
  });
});
