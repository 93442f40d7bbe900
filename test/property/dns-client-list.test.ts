import assert from 'node:assert/strict';
import fc from 'fast-check';
import { it } from 'node:test';
import type { IpPrefix } from '../../src/core/address.ts';
import { read32 } from '../../src/core/octets.ts';
import { ClientList, packPrefixes } from '../../src/dns/client-list.ts';

// Few different octets: prefixes are within each other and side by side.
const octet = fc.constantFrom(0, 1, 127, 128, 255);
const prefix = fc.constantFrom(4, 16).chain((size) =>
  fc.record({
    address: fc
      .uint8Array({ minLength: size, maxLength: size })
      .chain((any) =>
        fc.array(octet, { minLength: size, maxLength: size }).map((few) => (any[0]! > 20 ? Uint8Array.from(few) : any)),
      ),
    bits: fc.integer({ min: 0, max: size * 8 }),
  }),
);
function prefixOf({ address, bits }: { address: Uint8Array; bits: number }): IpPrefix {
  const octets = new Uint8Array(16);
  octets.set(address, 16 - address.length);
  const words = [read32(octets, 0), read32(octets, 4), read32(octets, 8), read32(octets, 12)] as const;
  return { address: { family: address.length === 4 ? 4 : 6, words, routeDomain: 0 }, length: bits };
}

const bit = (address: Uint8Array, index: number): number => (address[index >>> 3]! >>> (7 - (index & 7))) & 1;

it('a list of clients has the addresses that one of its prefixes has', () => {
  fc.assert(
    fc.property(fc.array(prefix, { maxLength: 12 }), fc.array(prefix), fc.nat(200), (prefixes, others, flipped) => {
      const list = new ClientList(packPrefixes(prefixes.map(prefixOf)));
      const near = prefixes.map(({ address }) => {
        const other = address.slice();
        other[(flipped >>> 3) % other.length]! ^= 0x80 >>> (flipped & 7);
        return other;
      });
      for (const address of [...prefixes, ...others].map((each) => each.address).concat(near)) {
        const expected = prefixes.some(
          (each) =>
            each.address.length === address.length &&
            Array.from({ length: each.bits }, (_, index) => index).every(
              (index) => bit(each.address, index) === bit(address, index),
            ),
        );
        assert.equal(list.has(Uint8Array.of(9, ...address), 1, address.length), expected);
      }
    }),
    { numRuns: 2000 },
  );
});
