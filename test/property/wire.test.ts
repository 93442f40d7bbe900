// Every codec: what it writes it reads back; no octets make it throw; it reads nothing outside the frame, wherever the
// frame lies in memory.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { AddressWords } from '../../src/core/address.ts';
import { Drop, DROP_NAMES, FORWARD } from '../../src/core/drop-reason.ts';
import { macHigh16, macLow32 } from '../../src/core/mac.ts';
import { completeChecksum, completeUnannouncedChecksum } from '../../src/packet/complete-checksum.ts';
import { Frame } from '../../src/packet/frame.ts';
import { findTransport } from '../../src/packet/transport.ts';
import { decapsulateEcn, innerTos } from '../../src/tunnel/ecn.ts';
import * as arp from '../../src/wire/arp.ts';
import * as ethernet from '../../src/wire/ethernet.ts';
import * as etherip from '../../src/wire/etherip.ts';
import * as gre from '../../src/wire/gre.ts';
import * as icmpError from '../../src/wire/icmp-error.ts';
import * as icmpv4 from '../../src/wire/icmpv4.ts';
import * as icmpv6 from '../../src/wire/icmpv6.ts';
import * as igmp from '../../src/wire/igmp.ts';
import * as ipv4 from '../../src/wire/ipv4.ts';
import * as ipv6 from '../../src/wire/ipv6.ts';
import * as ipv6Extension from '../../src/wire/ipv6-extension.ts';
import * as mld from '../../src/wire/mld.ts';
import { tcpHeaderOctets } from '../../src/wire/tcp.ts';
import * as nvgre from '../../src/wire/nvgre.ts';
import * as udp from '../../src/wire/udp.ts';
import * as vxlan from '../../src/wire/vxlan.ts';
import { addressAt, FILLER, guard, vector, type Guarded } from '../support/octets.ts';

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const i32 = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
const remainder = fc.integer({ min: 0, max: 3 });
const RUNS = { numRuns: 3000 };

const VECTORS = [
  'kernel-echo-v4-request',
  'kernel-echo-v6-reply',
  'kernel-neighbour-solicitation',
  'kernel-neighbour-advertisement',
  'kernel-vxlan-arp-request',
  'kernel-vxlan-echo-request',
  'scapy-etherip',
  'scapy-gre-all',
].map((name) => vector(name));
const layers = [0, 14, 34, 42, 50, 54, 64, 84];

/** Random octets, and valid packets from one of their layers on with some octets changed and the end cut off. */
const octets = fc.oneof(
  fc.uint8Array({ maxLength: 90 }),
  fc
    .tuple(
      fc.constantFrom(...VECTORS),
      fc.constantFrom(...layers),
      fc.array(fc.tuple(fc.nat(63), u8), { maxLength: 3 }),
      fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(60) }),
    )
    .map(([packet, layer, changes, cut]) => {
      const copy = Uint8Array.from(packet.subarray(Math.min(layer, packet.length)));
      for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
      return copy.subarray(0, Math.max(0, copy.length - cut));
    }),
);

/** Each codec's checks, and after them everything that they allow to be called. */
const CODECS: Record<string, (frame: Guarded) => number> = {
  ethernet: ({ bytes, start, end }) => {
    const verdict = ethernet.checkEthernet(bytes, start, end);
    if (verdict !== FORWARD) return verdict;
    ethernet.etherType(bytes, start);
    for (const mac of [start, start + 6]) {
      macHigh16(bytes, mac);
      macLow32(bytes, mac);
      ethernet.macIsZero(bytes, mac);
    }
    if (ethernet.isVlanTagged(bytes, start)) {
      ethernet.vlanTci(bytes, start);
      ethernet.etherType(bytes, start + 4);
      ethernet.stripVlanTag(bytes, start);
    } else ethernet.insertVlanTag(bytes, start, 0x8100, 5);
    return verdict;
  },
  arp: ({ bytes, start, end }) => {
    const verdict = arp.checkArp(bytes, start, end);
    if (verdict !== FORWARD) return verdict;
    arp.arpOperation(bytes, start);
    arp.arpSenderIp(bytes, start);
    arp.arpTargetIp(bytes, start);
    arp.turnIntoArpReply(bytes, start, 0x0200, 1);
    return verdict;
  },
  ipv4: ({ bytes, words, start, end }) => {
    const verdict = ipv4.checkIpv4(bytes, start, end);
    if (verdict !== FORWARD) return verdict;
    ipv4.ipv4Tos(bytes, start);
    ipv4.ipv4Ttl(bytes, start);
    ipv4.ipv4Source(bytes, start);
    ipv4.ipv4Destination(bytes, start);
    ipv4.ipv4IsFragment(bytes, start);
    const payload = start + ipv4.ipv4HeaderOctets(bytes, start);
    const payloadEnd = start + ipv4.ipv4TotalOctets(bytes, start);
    if (ipv4.ipv4Protocol(bytes, start) !== ipv4.IpProtocol.icmp) return verdict;
    if (icmpv4.checkIcmpv4(bytes, words, payload, payloadEnd) !== FORWARD) return verdict;
    if (icmpv4.isEchoRequestV4(bytes, payload)) icmpv4.turnIntoEchoReplyV4(bytes, start);
    return verdict;
  },
  ipv6: ({ bytes, words, start, end }) => {
    const verdict = ipv6.checkIpv6(bytes, start, end);
    if (verdict !== FORWARD) return verdict;
    ipv6.ipv6TrafficClass(bytes, start);
    ipv6.ipv6HopLimit(bytes, start);
    ipv6.ipv6IsUnspecified(bytes, start + ipv6.IPV6_SOURCE);
    if (ipv6.ipv6NextHeader(bytes, start) !== ipv4.IpProtocol.icmpv6) return verdict;
    if (icmpv6.checkIcmpv6(bytes, words, start) !== FORWARD) return verdict;
    const type = icmpv6.icmpv6Type(bytes, start);
    if (type === icmpv6.ICMPV6_ECHO_REQUEST) icmpv6.turnIntoEchoReplyV6(bytes, start);
    if (icmpv6.checkNeighbourDiscovery(bytes, start) !== FORWARD) return verdict;
    icmpv6.findLinkLayerOption(bytes, start, icmpv6.OPTION_SOURCE_LINK_LAYER);
    return verdict;
  },
  'ipv6 extension headers': ({ bytes, start, end }) => {
    const verdict = ipv6.checkIpv6(bytes, start, end);
    if (verdict !== FORWARD || !ipv6Extension.findUpperLayer(bytes, start, end)) return verdict;
    const { fragmentAt, fragmentNextHeaderAt, protocolAt, protocol } = ipv6Extension.upperLayer;
    assert.equal(bytes[protocolAt], protocol);
    if (fragmentAt === 0) return verdict;
    assert.equal(bytes[fragmentNextHeaderAt], ipv6.IPV6_FRAGMENT);
    ipv6Extension.fragmentOffset(bytes, fragmentAt);
    ipv6Extension.fragmentIdentification(bytes, fragmentAt);
    ipv6Extension.hasMoreFragments(bytes, fragmentAt);
    return verdict;
  },
  'packets that an ICMP error is about': ({ bytes, start, end }) => {
    const verdict = bytes.length > start && bytes[start]! >>> 4 === 4 ? ipv4.checkIpv4 : ipv6.checkIpv6;
    if (verdict(bytes, start, end) !== FORWARD) return Drop.ipHeaderInvalid;
    icmpError.mayReport(bytes, start, end);
    assert.ok(icmpError.icmpErrorOctets(bytes, start, end) <= icmpError.MAX_ICMP_ERROR_OCTETS);
    return FORWARD;
  },
  'ICMP errors received': ({ bytes, start, end }) => {
    if (end - start < 8) return Drop.icmpInvalid;
    for (const read of [icmpError.readIcmpv4Error, icmpError.readIcmpv6Error]) {
      if (!read(bytes, start, end)) continue;
      const { ipStart, upperStart, end: quotedEnd } = icmpError.quoted;
      assert.ok(ipStart === start + 8 && upperStart + 8 <= quotedEnd && quotedEnd <= end);
    }
    return FORWARD;
  },
  udp: ({ bytes, words, start, end }) => {
    const verdict = udp.checkUdp(bytes, start, end);
    if (verdict !== FORWARD) return verdict;
    udp.udpSourcePort(bytes, start);
    udp.udpDestinationPort(bytes, start);
    udp.checkUdpChecksum(bytes, words, start, 1234);
    return verdict;
  },
  igmp: ({ bytes, start, end }) => {
    const verdict = igmp.checkIgmp(bytes, start, end);
    if (verdict !== FORWARD) return verdict;
    igmp.igmpType(bytes, start);
    igmp.igmpGroup(bytes, start);
    const version = igmp.igmpQueryVersion(bytes, start, end);
    igmp.igmpMaxResponseMs(bytes, start, version);
    if (version === 3) igmp.igmpRobustness(bytes, start);
    return verdict;
  },
  mld: ({ bytes, words, start, end }) => {
    if (ipv6.checkIpv6(bytes, start, end) !== FORWARD) return Drop.ipHeaderInvalid;
    const message = mld.findMld(bytes, start);
    if (message === 0) return Drop.groupMessageInvalid;
    const verdict = mld.checkMld(bytes, words, start, message);
    if (verdict !== FORWARD || mld.mldType(bytes, message) !== mld.MLD_QUERY) return verdict;
    ipv6.ipv6IsUnspecified(bytes, mld.mldGroupAt(message));
    const version = mld.mldQueryVersion(message, start + 40 + ipv6.ipv6PayloadOctets(bytes, start));
    mld.mldMaxResponseMs(bytes, message, version);
    if (version === 2) mld.mldRobustness(bytes, message);
    return verdict;
  },
  vxlan: ({ bytes, start, end }) => {
    const verdict = vxlan.checkVxlan(bytes, start, end);
    if (verdict === FORWARD) vxlan.vxlanVni(bytes, start);
    return verdict;
  },
  gre: ({ bytes, words, start, end }) => {
    const verdict = gre.checkGre(bytes, start, end);
    if (verdict !== FORWARD) return verdict;
    const flags = gre.greFlags(bytes, start);
    gre.greProtocol(bytes, start);
    assert.ok(start + gre.greHeaderOctets(flags) <= end);
    if ((flags & gre.GreFlag.key) !== 0) nvgre.nvgreVsid(gre.greKey(bytes, start, flags));
    if ((flags & gre.GreFlag.sequence) !== 0) gre.greSequence(bytes, start, flags);
    return (flags & gre.GreFlag.checksum) === 0 ? FORWARD : gre.checkGreChecksum(bytes, words, start, end);
  },
  etherip: ({ bytes, start, end }) => etherip.checkEtherIp(bytes, start, end),
  tcp: ({ bytes, start, end }) => {
    const headerOctets = tcpHeaderOctets(bytes, start, end);
    assert.ok(headerOctets === 0 || (headerOctets >= 20 && start + headerOctets <= end));
    return FORWARD;
  },
  ecn: ({ bytes, start, end }) => {
    innerTos(bytes, start, end);
    return decapsulateEcn(bytes, start, end, 3);
  },
  transport: ({ bytes, start, end }) => (findTransport(bytes, start, end) ? FORWARD : 1),
  'unannounced checksum': ({ arena, start, end }) => {
    const frame = Object.assign(new Frame(), { start, end });
    completeUnannouncedChecksum(arena, frame);
    return FORWARD;
  },
};

describe('codecs on any octets', () => {
  for (const [name, codec] of Object.entries(CODECS)) {
    it(`${name} never throws and reads nothing outside the frame`, () => {
      fc.assert(
        fc.property(octets, remainder, (data, at) => {
          assert.ok(DROP_NAMES[codec(guard(data, at))] !== undefined);
        }),
        RUNS,
      );
    });
  }

  it('an announced checksum stays within the frame', () => {
    fc.assert(
      fc.property(octets, remainder, fc.integer({ min: -20, max: 120 }), fc.nat(40), (data, at, offset, field) => {
        const { arena, start, end } = guard(data, at);
        const frame = Object.assign(new Frame(), { start, end, checksumStart: start + offset, checksumOffset: field });
        const inside = offset >= 0 && offset + field + 2 <= data.length;
        assert.equal(completeChecksum(arena, frame) === FORWARD, inside);
      }),
      RUNS,
    );
  });
});

describe('codecs read what they write', () => {
  const room = (): { bytes: Uint8Array; words: Int32Array } => {
    const bytes = new Uint8Array(128).fill(FILLER);
    return { bytes, words: new Int32Array(bytes.buffer) };
  };
  /** Exactly the octets [at, at + count) may have changed. */
  const assertWithin = (bytes: Uint8Array, at: number, count: number): void => {
    assert.ok(bytes.subarray(0, at).every((octet) => octet === FILLER));
    assert.ok(bytes.subarray(at + count).every((octet) => octet === FILLER));
  };

  it('Ethernet, with and without a tag', () => {
    fc.assert(
      fc.property(u16, i32, u16, i32, u16, u16, remainder, (dh, dl, sh, sl, type, tci, at) => {
        const { bytes } = room();
        const start = 8 + at;
        ethernet.writeEthernet(bytes, start, dh, dl, sh, sl, type);
        assertWithin(bytes, start, 14);
        const read = (from: number): number[] => [
          macHigh16(bytes, from),
          macLow32(bytes, from),
          macHigh16(bytes, from + 6),
          macLow32(bytes, from + 6),
        ];
        assert.deepEqual(read(start), [dh, dl, sh, sl]);
        assert.equal(ethernet.etherType(bytes, start), type);
        const tagged = ethernet.insertVlanTag(bytes, start, ethernet.EtherType.vlan, tci);
        assert.equal(ethernet.checkEthernet(bytes, tagged, start + 14), FORWARD);
        assert.deepEqual(read(tagged), [dh, dl, sh, sl]);
        assert.equal(ethernet.vlanTci(bytes, tagged), tci);
        assert.equal(ethernet.etherType(bytes, tagged + 4), type);
        assert.equal(ethernet.stripVlanTag(bytes, tagged), start);
        assert.deepEqual([...read(start), ethernet.etherType(bytes, start)], [dh, dl, sh, sl, type]);
      }),
    );
  });

  it('ARP', () => {
    const mac = fc
      .tuple(
        u16.map((high) => high & 0xfeff),
        i32,
      )
      .filter(([high, low]) => (high | low) !== 0);
    fc.assert(
      fc.property(fc.constantFrom(1, 2), mac, i32, mac, i32, remainder, (operation, [sh, sl], si, [th, tl], ti, at) => {
        const { bytes } = room();
        arp.writeArp(bytes, at, operation, sh, sl, si, th, tl, ti);
        assertWithin(bytes, at, 28);
        assert.equal(arp.checkArp(bytes, at, at + 28), FORWARD);
        assert.equal(arp.arpOperation(bytes, at), operation);
        assert.equal(arp.arpSenderIp(bytes, at), si);
        assert.equal(arp.arpTargetIp(bytes, at), ti);
        assert.equal(macHigh16(bytes, at + arp.ARP_SENDER_MAC), sh);
      }),
    );
  });

  it('IPv4', () => {
    fc.assert(
      fc.property(
        u8,
        fc.integer({ min: 20, max: 100 }),
        u16,
        fc.boolean(),
        u8,
        u8,
        i32,
        i32,
        remainder,
        (...fields) => {
          const [tos, total, identification, dontFragment, ttl, protocol, source, destination, at] = fields;
          const { bytes } = room();
          ipv4.writeIpv4(bytes, at, tos, total, identification, dontFragment, ttl, protocol, source, destination);
          assertWithin(bytes, at, 20);
          assert.equal(ipv4.checkIpv4(bytes, at, at + total), FORWARD);
          assert.deepEqual(
            [
              ipv4.ipv4Tos(bytes, at),
              ipv4.ipv4TotalOctets(bytes, at),
              ipv4.ipv4Ttl(bytes, at),
              ipv4.ipv4Protocol(bytes, at),
              ipv4.ipv4Source(bytes, at),
              ipv4.ipv4Destination(bytes, at),
            ],
            [tos, total, ttl, protocol, source, destination],
          );
        },
      ),
    );
  });

  it('IPv6', () => {
    fc.assert(
      fc.property(u8, fc.nat(0xfffff), fc.nat(60), u8, u8, remainder, (tc, flow, payload, next, hops, at) => {
        const { bytes } = room();
        ipv6.writeIpv6(bytes, at, tc, flow, payload, next, hops);
        assertWithin(bytes, at, 8);
        assert.equal(ipv6.checkIpv6(bytes, at, at + 40 + payload), FORWARD);
        assert.deepEqual(
          [
            ipv6.ipv6TrafficClass(bytes, at),
            ipv6.ipv6PayloadOctets(bytes, at),
            ipv6.ipv6NextHeader(bytes, at),
            ipv6.ipv6HopLimit(bytes, at),
          ],
          [tc, payload, next, hops],
        );
      }),
    );
  });

  it('UDP with its checksum', () => {
    fc.assert(
      fc.property(
        u16,
        u16,
        fc.uint8Array({ maxLength: 60 }),
        fc.nat(0x1ffff),
        remainder,
        (sp, dp, data, pseudo, at) => {
          const { bytes, words } = room();
          const count = 8 + data.length;
          udp.writeUdp(bytes, at, sp, dp, count);
          bytes.set(data, at + 8);
          assertWithin(bytes, at, count);
          udp.writeUdpChecksum(bytes, words, at, pseudo);
          assert.equal(udp.checkUdp(bytes, at, at + count), FORWARD);
          assert.equal(udp.checkUdpChecksum(bytes, words, at, pseudo), FORWARD);
          assert.notEqual((bytes[at + 6]! << 8) | bytes[at + 7]!, 0);
          assert.deepEqual([udp.udpSourcePort(bytes, at), udp.udpDestinationPort(bytes, at)], [sp, dp]);
        },
      ),
    );
  });

  it('GRE', () => {
    const options = fc.record({ checksum: fc.boolean(), key: fc.boolean(), sequence: fc.boolean() });
    fc.assert(
      fc.property(
        options,
        u16,
        i32,
        i32,
        fc.uint8Array({ maxLength: 60 }),
        remainder,
        (has, type, key, number, data, at) => {
          const { bytes, words } = room();
          const { checksum, key: keyed, sequence } = gre.GreFlag;
          const flags = (has.checksum ? checksum : 0) | (has.key ? keyed : 0) | (has.sequence ? sequence : 0);
          const end = at + gre.greHeaderOctets(flags) + data.length;
          gre.writeGre(bytes, at, flags, type, key, number);
          bytes.set(data, end - data.length);
          if (has.checksum) gre.writeGreChecksum(bytes, words, at, end);
          assertWithin(bytes, at, end - at);
          assert.equal(gre.checkGre(bytes, at, end), FORWARD);
          assert.deepEqual([gre.greFlags(bytes, at), gre.greProtocol(bytes, at)], [flags, type]);
          if (has.key) assert.equal(gre.greKey(bytes, at, flags), key);
          if (has.sequence) assert.equal(gre.greSequence(bytes, at, flags), number);
          if (has.checksum) assert.equal(gre.checkGreChecksum(bytes, words, at, end), FORWARD);
        },
      ),
    );
  });

  it('VXLAN', () => {
    fc.assert(
      fc.property(fc.nat(vxlan.VNI_MAX), remainder, (vni, at) => {
        const { bytes } = room();
        vxlan.writeVxlan(bytes, at, vni);
        assertWithin(bytes, at, 8);
        assert.equal(vxlan.checkVxlan(bytes, at, at + 8), FORWARD);
        assert.equal(vxlan.vxlanVni(bytes, at), vni);
      }),
    );
  });

  it('IGMP up to version 2', () => {
    const types = [igmp.IGMP_QUERY, igmp.IGMP_V1_REPORT, igmp.IGMP_V2_REPORT, igmp.IGMP_V2_LEAVE];
    fc.assert(
      fc.property(fc.constantFrom(...types), i32, i32, i32, remainder, (type, source, destination, group, at) => {
        const bytes = new Uint8Array(96).fill(FILLER);
        igmp.writeIgmp(bytes, at, type, source, destination, group);
        assertWithin(bytes, at, igmp.IGMP_IP_OCTETS + igmp.IGMP_OCTETS);
        assert.equal(ipv4.checkIpv4(bytes, at, bytes.length), FORWARD);
        assert.equal(ipv4.ipv4HeaderOctets(bytes, at), igmp.IGMP_IP_OCTETS);
        assert.deepEqual([ipv4.ipv4Source(bytes, at), ipv4.ipv4Destination(bytes, at)], [source, destination]);
        assert.deepEqual([ipv4.ipv4Ttl(bytes, at), ipv4.ipv4Protocol(bytes, at)], [1, 2]);
        const start = at + igmp.IGMP_IP_OCTETS;
        assert.equal(igmp.checkIgmp(bytes, start, start + igmp.IGMP_OCTETS), FORWARD);
        assert.equal(igmp.igmpType(bytes, start), type);
        assert.equal(igmp.igmpGroup(bytes, start), group);
      }),
    );
  });

  it('reports of IGMPv3 and MLDv2', () => {
    const record = fc.record({ type: fc.integer({ min: 1, max: 6 }), group: i32 });
    fc.assert(
      fc.property(fc.array(record, { maxLength: 8 }), i32, remainder, (records, source, at) => {
        const bytes = new Uint8Array(512).fill(FILLER);
        const words = new Int32Array(bytes.buffer);
        igmp.writeIgmpV3Report(bytes, at, source, records);
        assertWithin(bytes, at, igmp.igmpV3ReportOctets(records.length));
        assert.equal(ipv4.checkIpv4(bytes, at, bytes.length), FORWARD);
        const start = at + igmp.IGMP_IP_OCTETS;
        assert.equal(igmp.checkIgmp(bytes, start, at + igmp.igmpV3ReportOctets(records.length)), FORWARD);
        records.forEach(({ type, group }, index) => {
          assert.equal(bytes[start + 8 + 8 * index], type);
          assert.equal(addressAt(bytes, start + 12 + 8 * index)[0], group);
        });

        const groups = records.map(({ type, group }) => ({ type, group: [0xff050000 | 0, 0, 1, group] as const }));
        const linkLocal: AddressWords = [0xfe800000 | 0, 0, 0, source];
        bytes.fill(FILLER);
        mld.writeMldV2Report(bytes, words, at, linkLocal, groups);
        assertWithin(bytes, at, mld.mldV2ReportOctets(groups.length));
        assert.equal(ipv6.checkIpv6(bytes, at, at + mld.mldV2ReportOctets(groups.length)), FORWARD);
        const message = mld.findMld(bytes, at);
        assert.equal(message, at + mld.MLD_IP_OCTETS);
        assert.equal(mld.checkMld(bytes, words, at, message), FORWARD);
        assert.equal(mld.mldType(bytes, message), mld.MLD_V2_REPORT);
        groups.forEach(({ type, group }, index) => {
          assert.equal(bytes[message + 8 + 20 * index], type);
          assert.deepEqual(addressAt(bytes, message + 12 + 20 * index), group);
        });
      }),
    );
  });

  it('MLD of version 1', () => {
    const types = [mld.MLD_QUERY, mld.MLD_V1_REPORT, mld.MLD_V1_DONE];
    fc.assert(
      fc.property(fc.constantFrom(...types), i32, i32, remainder, (type, source, low, at) => {
        const bytes = new Uint8Array(128).fill(FILLER);
        const words = new Int32Array(bytes.buffer);
        const group: AddressWords = [0xff020000 | 0, 0, 0, low];
        mld.writeMld(bytes, words, at, type, [0xfe800000 | 0, 0, 1, source], group, group);
        assertWithin(bytes, at, mld.MLD_IP_OCTETS + mld.MLD_OCTETS);
        const message = mld.findMld(bytes, at);
        assert.equal(mld.checkMld(bytes, words, at, message), FORWARD);
        assert.equal(mld.mldType(bytes, message), type);
        assert.deepEqual(addressAt(bytes, mld.mldGroupAt(message)), group);
        // Forwarded, it is from another link.
        bytes[at + 7] = 2;
        assert.equal(mld.checkMld(bytes, words, at, message), Drop.groupMessageInvalid);
      }),
    );
  });

  it('neighbour solicitation and its answer', () => {
    const address = fc
      .tuple(i32, i32, i32, i32)
      .map(([a, b, c, d]): AddressWords => [0x20010db8 ^ (a & 0xff), b, c, d]);
    fc.assert(
      fc.property(address, address, u16, i32, remainder, (source, target, high, low, at) => {
        const bytes = new Uint8Array(256).fill(FILLER);
        const words = new Int32Array(bytes.buffer);
        const group = icmpv6.solicitedNodeOf(target);
        icmpv6.writeNeighbourSolicitation(bytes, words, at, source, group, target, high, low);
        assertWithin(bytes, at, icmpv6.ND_PACKET_OCTETS);
        const reply = at + 100;
        icmpv6.writeNeighbourAdvertisement(bytes, words, reply, at, high, low);
        for (const start of [at, reply]) {
          assert.equal(ipv6.checkIpv6(bytes, start, start + icmpv6.ND_PACKET_OCTETS), FORWARD);
          assert.equal(icmpv6.checkIcmpv6(bytes, words, start), FORWARD);
          assert.equal(icmpv6.checkNeighbourDiscovery(bytes, start), FORWARD);
        }
        const mac = icmpv6.findLinkLayerOption(bytes, reply, icmpv6.OPTION_TARGET_LINK_LAYER);
        assert.deepEqual([macHigh16(bytes, mac), macLow32(bytes, mac)], [high, low]);
        assert.deepEqual(addressAt(bytes, reply + 24), source);
        assert.deepEqual(addressAt(bytes, reply + 8), target);
      }),
    );
  });
});
