// The policy database against a linear scan in order, on selectors that overlap.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { AddressWords } from '../../src/core/address.ts';
import { PolicyDatabase } from '../../src/ipsec/policy-database.ts';
import { readSelectors, selectors } from '../../src/ipsec/packet-selectors.ts';
import { ANY_PROTOCOL, type SelectorSpec } from '../../src/ipsec/traffic-selector.ts';

const word = fc.constantFrom(0x0a000001, 0x0a000002, 0x0a010001, 0xc0a80101 | 0, 0x20010db8, 0, -1);
const address = (isIpv6: boolean): fc.Arbitrary<AddressWords> =>
  isIpv6 ? fc.tuple(word, word, word, word) : fc.tuple(fc.constant(0), fc.constant(0), fc.constant(0), word);
const port = fc.constantFrom(0, 80, 4500);
const protocol = fc.constantFrom(ANY_PROTOCOL, 6, 17, 97);

const selector = fc.boolean().chain((isIpv6) =>
  fc.record({
    scope: fc.constantFrom(0, 1),
    direction: fc.constantFrom('in' as const, 'out' as const),
    order: fc.integer({ min: 0, max: 3 }),
    isIpv6: fc.constant(isIpv6),
    source: address(isIpv6),
    sourceBits: fc.constantFrom(0, 8, 16, 24, 32, ...(isIpv6 ? [64, 100, 128] : [])),
    destination: address(isIpv6),
    destinationBits: fc.constantFrom(0, 8, 16, 31, 32, ...(isIpv6 ? [64, 96, 128] : [])),
    sourcePort: port,
    destinationPort: port,
    protocol,
  }),
);

const packet = fc.boolean().chain((isIpv6) =>
  fc.record({
    isIpv6: fc.constant(isIpv6),
    source: address(isIpv6),
    destination: address(isIpv6),
    // -1: the packet does not show them.
    sourcePort: fc.constantFrom(-1, 80, 4500, 9),
    destinationPort: fc.constantFrom(-1, 80, 4500, 9),
    protocol: fc.constantFrom(6, 17, 97, 1),
  }),
);
type Packet = { isIpv6: boolean; source: AddressWords; destination: AddressWords } & Record<
  'sourcePort' | 'destinationPort' | 'protocol',
  number
>;

const bit = (words: AddressWords, at: number): number => (words[at >> 5]! >>> (31 - (at & 31))) & 1;

function sharesPrefix(a: AddressWords, b: AddressWords, bits: number, isIpv6: boolean): boolean {
  const first = isIpv6 ? 0 : 96;
  for (let at = first; at < first + bits; at++) if (bit(a, at) !== bit(b, at)) return false;
  return true;
}

const matches = (spec: SelectorSpec, one: Packet): boolean =>
  spec.isIpv6 === one.isIpv6 &&
  sharesPrefix(spec.source, one.source, spec.sourceBits, spec.isIpv6) &&
  sharesPrefix(spec.destination, one.destination, spec.destinationBits, spec.isIpv6) &&
  (spec.sourcePort === 0 || spec.sourcePort === one.sourcePort) &&
  (spec.destinationPort === 0 || spec.destinationPort === one.destinationPort) &&
  (spec.protocol === ANY_PROTOCOL || spec.protocol === one.protocol);

function show({ isIpv6, source, destination, sourcePort, destinationPort, protocol: upper }: Packet): void {
  const [source0, source1, source2, source3] = source;
  const [destination0, destination1, destination2, destination3] = destination;
  Object.assign(selectors, { isIpv6, source0, source1, source2, source3, sourcePort, protocol: upper });
  Object.assign(selectors, { destination0, destination1, destination2, destination3, destinationPort });
}

void describe('the policy database', () => {
  void it('finds what a scan in order finds, before and after changes', () => {
    fc.assert(
      fc.property(
        fc.array(selector, { maxLength: 30 }),
        fc.array(packet, { minLength: 1, maxLength: 30 }),
        fc.nat(),
        (given, packets, gone) => {
          const database = new PolicyDatabase();
          let specs: SelectorSpec[] = given.map((one, id) => ({
            ...one,
            id,
            name: `s${id}`,
            row: 0,
            action: 'protect',
            policy: 0,
          }));
          for (const spec of specs) database.set(spec);
          for (const round of ['all', 'one less'] as const) {
            if (round === 'one less') {
              const victim = gone % (specs.length + 1);
              database.remove(victim);
              specs = specs.filter(({ id }) => id !== victim);
            }
            for (const one of packets) {
              show(one);
              for (const direction of ['in', 'out'] as const) {
                for (const scope of [0, 1]) {
                  const wanted = specs
                    .filter((spec) => spec.direction === direction && spec.scope === scope)
                    .sort((a, b) => a.order - b.order || a.id - b.id)
                    .find((spec) => matches(spec, one));
                  assert.equal(database.find(direction, scope)?.id, wanted?.id);
                }
              }
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  void it('says which directions there are', () => {
    const database = new PolicyDatabase();
    assert.deepEqual([database.hasIn, database.hasOut], [false, false]);
    const spec = fc.sample(selector, { numRuns: 1, seed: 1 })[0]!;
    database.set({ ...spec, direction: 'in', id: 3, name: 's', row: 0, action: 'discard', policy: -1 });
    assert.deepEqual([database.hasIn, database.hasOut], [true, false]);
    database.remove(3);
    assert.deepEqual([database.hasIn, database.hasOut], [false, false]);
  });
});

void describe('what selectors see of a packet', () => {
  const udp4 = Buffer.from('4500001c000000004011000001020304050607080050119400080000', 'hex');

  void it('reads addresses, protocol and ports', () => {
    readSelectors(udp4, 0, udp4.length);
    const { isIpv6, source3, destination3, protocol: upper, sourcePort, destinationPort } = selectors;
    assert.deepEqual(
      [isIpv6, source3, destination3, upper, sourcePort, destinationPort],
      [false, 0x01020304, 0x05060708, 17, 80, 4500],
    );
  });

  void it('sees no ports in a later fragment, and those of the first', () => {
    const later = Buffer.from(udp4);
    later.writeUInt16BE(0x0001, 6);
    readSelectors(later, 0, later.length);
    assert.equal(selectors.sourcePort, -1);
    later.writeUInt16BE(0x2000, 6);
    readSelectors(later, 0, later.length);
    assert.equal(selectors.sourcePort, 80);
  });

  void it('steps over extension headers of IPv6', () => {
    const packet6 = Buffer.alloc(40 + 8 + 8);
    packet6[0] = 0x60;
    packet6.writeUInt16BE(16, 4);
    packet6[6] = 60;
    packet6[40] = 6;
    packet6.writeUInt16BE(443, 48);
    packet6.writeUInt16BE(80, 50);
    readSelectors(packet6, 0, packet6.length);
    assert.deepEqual([selectors.protocol, selectors.sourcePort, selectors.destinationPort], [6, 443, 80]);
  });
});
