// Packets for security associations: IPv4 with options, IPv6 with extension headers, fragments of either, as arbitraries.

import fc from 'fast-check';
import { ipv4Packet, ipv6Packet } from './frames.ts';

export type SamplePacket = {
  octets: Buffer;
  family: 4 | 6;
  isFragment: boolean;
  hasFragmentHeader: boolean;
  /** Octets in front of what transport mode protects. */
  frontOctets: number;
};

const payload = fc.oneof(
  fc.uint8Array({ maxLength: 100 }),
  fc.uint8Array({ minLength: 1, maxLength: 1600 }),
  // Some that become smaller.
  fc.tuple(fc.integer({ min: 90, max: 3000 }), fc.nat(255)).map(([octets, fill]) => new Uint8Array(octets).fill(fill)),
);
const protocol = fc.constantFrom(1, 6, 17, 47, 132, 253);

const option = fc.oneof(
  fc.constant([1]),
  fc
    .tuple(fc.constantFrom(7, 68, 82, 130, 133, 134, 136, 148, 149, 158), fc.uint8Array({ maxLength: 6 }))
    .map(([type, data]) => [type, data.length + 2, ...data]),
);
const options = fc
  .array(option, { maxLength: 5 })
  .map((list) => list.flat())
  .filter((octets) => octets.length <= 40)
  .map((octets) => Buffer.from([...octets, ...new Array<number>((4 - (octets.length % 4)) % 4).fill(0)]));

const ipv4 = fc
  .record({
    payload,
    protocol,
    options,
    tos: fc.nat(255),
    ttl: fc.integer({ min: 1, max: 255 }),
    identification: fc.nat(0xffff),
    flags: fc.constantFrom(0, 0x4000, 0x4000, 0x2000, 0x2005, 0x0007),
  })
  .map(({ payload: body, ...fields }): SamplePacket => {
    const octets = ipv4Packet({ ...fields, source: '10.1.1.1', destination: '10.2.2.2' }, Buffer.from(body));
    const isFragment = (fields.flags & 0x3fff) !== 0;
    return { octets, family: 4, isFragment, hasFragmentHeader: false, frontOctets: 20 + fields.options.length };
  });

/** Hop-by-hop or destination options, padded to a multiple of 8. */
const optionHeader = fc
  .array(fc.tuple(fc.constantFrom(0x05, 0x1e, 0x26, 0x3e, 0xc2), fc.uint8Array({ maxLength: 9 })), { maxLength: 3 })
  .map((list) => {
    const octets = [0, 0, ...list.flatMap(([type, data]) => [type, data.length, ...data])];
    while (octets.length % 8 !== 0) octets.push(0);
    octets[1] = octets.length / 8 - 1;
    return Buffer.from(octets);
  });

type Extension = { type: number; octets: Buffer };

const extensions = fc
  .record({
    hopByHop: fc.option(optionHeader, { freq: 2 }),
    early: fc.option(optionHeader, { freq: 4 }),
    routing: fc.option(fc.constant(Buffer.from([0, 2, 4, 0, 0, 0, 0, 0, ...new Array<number>(16).fill(0x20)])), {
      freq: 3,
    }),
    fragment: fc.option(fc.constantFrom(0, 0, 1, 8, 9), { freq: 4 }),
    late: fc.option(optionHeader, { freq: 3 }),
  })
  .map(({ hopByHop, early, routing, fragment, late }) => {
    const list: Extension[] = [];
    if (hopByHop !== null) list.push({ type: 0, octets: hopByHop });
    if (early !== null) list.push({ type: 60, octets: early });
    if (routing !== null) list.push({ type: 43, octets: routing });
    if (fragment !== null) list.push({ type: 44, octets: Buffer.from([0, 0, 0, fragment, 1, 2, 3, 4]) });
    if (late !== null) list.push({ type: 60, octets: late });
    return { list, fragment };
  });

const ipv6 = fc
  .record({ payload, protocol, extensions, trafficClass: fc.nat(255), hopLimit: fc.integer({ min: 1, max: 255 }) })
  .map(({ payload: body, protocol: last, extensions: { list, fragment }, ...fields }): SamplePacket => {
    let frontOctets = 40;
    let at = 40;
    const chain = list.map(({ type, octets }, index) => {
      const copy = Buffer.from(octets);
      copy[0] = list[index + 1]?.type ?? last;
      at += copy.length;
      if (type !== 60) frontOctets = at;
      return copy;
    });
    const nextHeader = list[0]?.type ?? last;
    const addresses = { source: '2001:db8:1::1', destination: '2001:db8:2::2' };
    const octets = ipv6Packet({ ...fields, ...addresses, nextHeader }, Buffer.concat([...chain, Buffer.from(body)]));
    const isFragment = fragment !== null && fragment !== 0;
    return { octets, family: 6, isFragment, hasFragmentHeader: fragment !== null, frontOctets };
  });

export const samplePacket = fc.oneof(ipv4, ipv6);
