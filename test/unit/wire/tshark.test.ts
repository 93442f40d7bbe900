// tshark reads every header that is written here, and does not complain.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AddressWords } from '../../../src/core/address.ts';
import { fragmentIpv4, fragmentIpv6 } from '../../../src/packet/fragment.ts';
import { segment } from '../../../src/packet/segment.ts';
import { Frame, FrameBatch, Gso } from '../../../src/packet/frame.ts';
import { Arena } from '../../../src/packet/arena.ts';
import { encapsulate, prepareEthernet } from '../../../src/tunnel/encapsulate.ts';
import { TunnelEndpoint } from '../../../src/tunnel/endpoint.ts';
import { protocolService } from '../../../src/tunnel/service.ts';
import { kindIsLayer3, TOS_PRESERVE, Tunnel, TunnelKind, type TunnelSpec } from '../../../src/tunnel/tunnel.ts';
import { RecordType } from '../../../src/route/group-membership.ts';
import { ARP_REPLY, ARP_REQUEST, writeArp } from '../../../src/wire/arp.ts';
import { EtherType, insertVlanTag, writeEthernet } from '../../../src/wire/ethernet.ts';
import { IcmpError, icmpErrorOctets, writeIcmpError } from '../../../src/wire/icmp-error.ts';
import { turnIntoEchoReplyV4 } from '../../../src/wire/icmpv4.ts';
import {
  ND_PACKET_OCTETS,
  solicitedNodeOf,
  turnIntoEchoReplyV6,
  writeNeighbourAdvertisement,
  writeNeighbourSolicitation,
} from '../../../src/wire/icmpv6.ts';
import {
  ALL_ROUTERS_V4,
  IGMP_IP_OCTETS,
  IGMP_OCTETS,
  IGMP_V2_LEAVE,
  IGMP_V2_REPORT,
  igmpV3ReportOctets,
  writeIgmp,
  writeIgmpV3Report,
} from '../../../src/wire/igmp.ts';
import { IpProtocol, ipv4PseudoHeaderSum, writeIpv4, writeIpv4Checksum } from '../../../src/wire/ipv4.ts';
import { ipv6PseudoHeaderSum, writeIpv6, writeIpv6Address } from '../../../src/wire/ipv6.ts';
import {
  ALL_ROUTERS_V6,
  MLD_IP_OCTETS,
  MLD_OCTETS,
  MLD_V1_DONE,
  MLD_V1_REPORT,
  mldV2ReportOctets,
  writeMld,
  writeMldV2Report,
} from '../../../src/wire/mld.ts';
import { LinkType, pcapngInterface, pcapngPacket, pcapngSectionHeader } from '../../../src/wire/pcapng.ts';
import { writeUdp, writeUdpChecksum } from '../../../src/wire/udp.ts';
import { writeVxlan } from '../../../src/wire/vxlan.ts';
import { addressAt, arenaWithPool, fromHex, vector } from '../../support/octets.ts';
import { transportFrame } from '../../support/transport-frames.ts';
import { tsharkComplaints, tsharkFields } from '../../support/tshark.ts';

const HEAD = pcapngSectionHeader('wideplane');
const ETHERNET = pcapngInterface({ name: '1.1', description: 'wan', linkType: LinkType.ethernet, snaplen: 0 });

function capture(...frames: Uint8Array[]): Uint8Array {
  const packets = frames.map((octets, index) =>
    pcapngPacket({
      interfaceId: 0,
      timeNs: 1_800_000_000_000_000_000n + BigInt(index),
      octets,
      originalOctets: octets.length,
      direction: 1,
      comment: '',
    }),
  );
  return Buffer.concat([HEAD, ETHERNET, ...packets]);
}

const SOURCE = 0x0a09_0101;
const DESTINATION = 0x0a09_0102;

function vxlanPacket(): Uint8Array {
  const inner = vector('kernel-echo-v4-request');
  const octets = new Uint8Array(50 + inner.length);
  const words = new Int32Array(octets.buffer, 0, octets.length >> 2);
  const ipOctets = octets.length - 14;
  writeEthernet(octets, 0, 0x0200, 1, 0x0200, 2, EtherType.ipv4);
  writeIpv4(octets, 14, 0xb8, ipOctets, 7, true, 64, IpProtocol.udp, SOURCE, DESTINATION);
  writeUdp(octets, 34, 50_000, 4789, ipOctets - 20);
  writeVxlan(octets, 42, 5001);
  octets.set(inner, 50);
  writeUdpChecksum(octets, words, 34, ipv4PseudoHeaderSum(octets, 14, IpProtocol.udp, ipOctets - 20));
  return octets;
}

/** A tunnel whose header follows the IP header, with a frame or a packet in it. */
function directPacket(change: Pick<TunnelSpec, 'kind' | 'key' | 'gre'>, isIpv6: boolean): Uint8Array {
  const arena = new Arena(new ArrayBuffer(4096));
  const inner = vector('kernel-echo-v4-request').subarray(kindIsLayer3(change.kind) ? 14 : 0);
  const end = (last: number): AddressWords => (isIpv6 ? [0x2001_0db8, 0, 0, last] : [0, 0, 0, last]);
  const [local, remote] = [end(SOURCE), end(DESTINATION)];
  const spec: TunnelSpec = {
    ...{ member: 0, name: 't', local, remote, tos: TOS_PRESERVE, ttl: 64, mtu: 1500 },
    ...{ udpChecksum: 0, sourcePortMin: 0, sourcePortMax: 0, learnsEndpoints: false, receives: true, sends: true },
    ...{ usesPathMtu: true, mssClamp: 0 },
    ...{ service: protocolService(change.kind === TunnelKind.etherip ? 97 : 47), ...change },
  };
  const endpoint = new TunnelEndpoint(0, new Tunnel(0, spec, 0), remote);
  endpoint.egress = 1;
  prepareEthernet(endpoint, 0x0200, 1, 0x0200, 2);
  const frame = Object.assign(new Frame(), { start: 256, end: 256 + inner.length });
  arena.bytes.set(inner, frame.start);
  encapsulate(arena, frame, endpoint);
  return arena.bytes.slice(frame.start, frame.end);
}

const ALL_OPTIONS = { sendsChecksum: true, verifiesChecksum: true, sendsSequence: true, checksSequence: true };

/** GRE in all its forms, and EtherIP, each over IPv4 and over IPv6. */
function directPackets(): Uint8Array[] {
  const shapes = [
    { kind: TunnelKind.gre, key: 0, gre: undefined },
    { kind: TunnelKind.gre, key: 0xffff_ffff, gre: ALL_OPTIONS },
    { kind: TunnelKind.teb, key: 0, gre: undefined },
    { kind: TunnelKind.teb, key: 7, gre: ALL_OPTIONS },
    { kind: TunnelKind.nvgre, key: 5000, gre: undefined },
    { kind: TunnelKind.etherip, key: 0, gre: undefined },
  ];
  return shapes.flatMap((shape) => [directPacket(shape, false), directPacket(shape, true)]);
}

function tagged(frame: Uint8Array): Uint8Array {
  const octets = new Uint8Array(4 + frame.length);
  octets.set(frame, 4);
  insertVlanTag(octets, 4, EtherType.vlan, 0x6064);
  return octets;
}

function neighbourDiscovery(): Uint8Array[] {
  const source = addressAt(vector('kernel-neighbour-solicitation'), 22);
  const target = addressAt(vector('kernel-neighbour-solicitation'), 62);
  const [solicitation, advertisement] = [new Uint8Array(14 + ND_PACKET_OCTETS), new Uint8Array(14 + ND_PACKET_OCTETS)];
  const room = new Uint8Array(256);
  const words = new Int32Array(room.buffer);
  writeNeighbourSolicitation(room, words, 0, source, solicitedNodeOf(target), target, 0x0200, 2);
  writeNeighbourAdvertisement(room, words, 128, 0, 0x0200, 1);
  writeEthernet(solicitation, 0, 0x3333, 0xff000002 | 0, 0x0200, 2, EtherType.ipv6);
  writeEthernet(advertisement, 0, 0x0200, 2, 0x0200, 1, EtherType.ipv6);
  solicitation.set(room.subarray(0, ND_PACKET_OCTETS), 14);
  advertisement.set(room.subarray(128, 128 + ND_PACKET_OCTETS), 14);
  return [solicitation, advertisement];
}

const GROUP_V4 = 0xef01_0101 | 0;
const GROUP_V6: AddressWords = [0xff05_0000 | 0, 0, 0, 0x100];
const LINK_LOCAL: AddressWords = [0xfe80_0000 | 0, 0, 0x00ff_fe00, 2];

/** Every message of IGMP and MLD that leaves here. */
function membership(): Uint8Array[] {
  const frame = (octets: number, type: number, write: (octets: Uint8Array, words: Int32Array) => void): Uint8Array => {
    const room = new Uint8Array(2 + 14 + octets + 2);
    write(room, new Int32Array(room.buffer, 0, room.length >> 2));
    const [group, own] = type === EtherType.ipv4 ? [0x0100, 0x5e01_0101] : [0x3333, 0x100];
    writeEthernet(room, 2, group, own, 0x0200, 2, type);
    return room.slice(2, 16 + octets);
  };
  const reports = [RecordType.isExclude, RecordType.toExclude, RecordType.toInclude];
  const old = IGMP_IP_OCTETS + IGMP_OCTETS;
  const v1 = MLD_IP_OCTETS + MLD_OCTETS;
  return [
    frame(igmpV3ReportOctets(3), EtherType.ipv4, (octets) => {
      const records = reports.map((type) => ({ type, group: GROUP_V4 }));
      writeIgmpV3Report(octets, 16, SOURCE, records);
    }),
    frame(old, EtherType.ipv4, (octets) => writeIgmp(octets, 16, IGMP_V2_REPORT, SOURCE, GROUP_V4, GROUP_V4)),
    frame(old, EtherType.ipv4, (octets) => writeIgmp(octets, 16, IGMP_V2_LEAVE, SOURCE, ALL_ROUTERS_V4, GROUP_V4)),
    frame(mldV2ReportOctets(3), EtherType.ipv6, (octets, words) => {
      const records = reports.map((type) => ({ type, group: GROUP_V6 }));
      writeMldV2Report(octets, words, 16, LINK_LOCAL, records);
    }),
    frame(v1, EtherType.ipv6, (octets, words) => {
      writeMld(octets, words, 16, MLD_V1_REPORT, LINK_LOCAL, GROUP_V6, GROUP_V6);
    }),
    frame(v1, EtherType.ipv6, (octets, words) => {
      writeMld(octets, words, 16, MLD_V1_DONE, LINK_LOCAL, ALL_ROUTERS_V6, GROUP_V6);
    }),
  ];
}

function echoReplies(): Uint8Array[] {
  const [v4, v6] = [vector('kernel-echo-v4-request'), vector('kernel-echo-v6-request')];
  turnIntoEchoReplyV4(v4, 14);
  turnIntoEchoReplyV6(v6, 14);
  return [v4, v6];
}

function segments(family: 4 | 6, protocol: 'tcp' | 'udp'): Uint8Array[] {
  const { arena, pool, offset } = arenaWithPool(16_384, { smallSlots: 8, largeSlots: 0 });
  const { octets } = transportFrame({
    family,
    protocol,
    tags: [],
    ipOptions: new Uint8Array(0),
    identification: 1,
    sequence: 0,
    flags: 0x18,
    tcpOptions: fromHex('0101080a0000000100000000'),
    payload: new Uint8Array(3000).map((_, index) => index),
    checksum: 'partial',
  });
  arena.bytes.set(octets, offset);
  const frame = Object.assign(new Frame(), {
    start: offset,
    end: offset + octets.length,
    gsoSize: 1200,
    checksumStart: 1,
  });
  frame.gsoType = protocol === 'udp' ? Gso.udpL4 : family === 4 ? Gso.tcp4 : Gso.tcp6;
  const into = new FrameBatch();
  assert.equal(segment(pool, frame, into), 0);
  return into.frames.slice(0, into.length).map(({ start, end }) => arena.bytes.slice(start, end));
}

const ERRORS = Object.values(IcmpError);
const REPORTED_MTU = 1400;

/** Every error about an IPv4 packet, then every one about an IPv6 packet. */
function icmpErrors(): Uint8Array[] {
  const { arena } = arenaWithPool(8192, { smallSlots: 1, largeSlots: 1 });
  const { bytes, words } = arena;
  return ['kernel-echo-v4-request', 'kernel-echo-v6-request'].flatMap((name, version) => {
    const about = vector(name);
    const [ip, ipEnd, at] = [4096 + 2, 4096 + 2 + about.length - 14, 4096 + 2048];
    bytes.set(about.subarray(14), ip);
    const source: AddressWords = version === 0 ? [0, 0, 0, 0x0a090101] : [0x20010db8, 0, 0, 1];
    return ERRORS.map((error) => {
      const octets = icmpErrorOctets(bytes, ip, ipEnd);
      writeEthernet(bytes, at, 0x0200, 1, 0x0200, 2, version === 0 ? EtherType.ipv4 : EtherType.ipv6);
      writeIcmpError(bytes, words, at + 14, ip, ipEnd, error, REPORTED_MTU, source);
      return bytes.slice(at, at + 14 + octets);
    });
  });
}

/** A tunnelled packet of each version, cut into fragments. */
function fragments(): Uint8Array[] {
  const { arena, pool, offset } = arenaWithPool(16_384, { smallSlots: 16, largeSlots: 0 });
  const v4 = vxlanPacket();
  v4[20] = 0;
  writeIpv4Checksum(v4, 14);
  const payload = v4.subarray(34);
  const v6 = new Uint8Array(54 + payload.length);
  writeEthernet(v6, 0, 0x0200, 1, 0x0200, 2, EtherType.ipv6);
  writeIpv6(v6, 14, 0, 7, payload.length, IpProtocol.udp, 64);
  writeIpv6Address(v6, 14 + 8, [0x20010db8, 0, 0, 1]);
  writeIpv6Address(v6, 14 + 24, [0x20010db8, 0, 0, 2]);
  v6.set(payload, 54);
  writeUdpChecksum(v6, new Int32Array(v6.buffer), 54, ipv6PseudoHeaderSum(v6, 14, IpProtocol.udp, payload.length));
  return [v4, v6].flatMap((octets, version) => {
    arena.bytes.set(octets, offset);
    const frame = Object.assign(new Frame(), { start: offset, end: offset + octets.length });
    const into = new FrameBatch();
    const cut = version === 0 ? fragmentIpv4 : fragmentIpv6;
    assert.equal(cut(pool, frame, offset + 14, 96, 77, into), 0);
    return into.frames.slice(0, into.length).map(({ start, end }) => arena.bytes.slice(start, end));
  });
}

describe('tshark', () => {
  it('finds nothing wrong with any header that is written', () => {
    const arps = [ARP_REQUEST, ARP_REPLY].map((operation) => {
      const octets = new Uint8Array(42);
      writeEthernet(octets, 0, 0x0200, 1, 0x0200, 2, EtherType.arp);
      writeArp(octets, 14, operation, 0x0200, 2, SOURCE, 0x0200, 1, DESTINATION);
      return octets;
    });
    const frames = [vxlanPacket(), tagged(vxlanPacket()), ...arps, ...neighbourDiscovery(), ...echoReplies()];
    frames.push(...membership(), ...icmpErrors(), ...directPackets(), ...fragments());
    frames.push(...segments(4, 'tcp'), ...segments(6, 'tcp'), ...segments(4, 'udp'), ...segments(6, 'udp'));
    assert.deepEqual(tsharkComplaints(capture(...frames)), []);
    const bad = tsharkFields(capture(...frames), [
      'frame.number',
      'ip.checksum.status',
      'udp.checksum.status',
      'tcp.checksum.status',
      'icmp.checksum.status',
      'icmpv6.checksum.status',
      'igmp.checksum.status',
      'gre.checksum.status',
    ]);
    const wrong = bad.filter(([, ...statuses]) =>
      statuses.some((status) => status.split(',').some((one) => one === '0')),
    );
    assert.deepEqual(wrong, [], 'status 0 is a wrong checksum');
  });

  it('complains about a frame that is wrong, so its silence means something', () => {
    const wrong = vxlanPacket();
    wrong[24]! ^= 0xff;
    assert.equal(tsharkComplaints(capture(vxlanPacket(), wrong)).length, 1);
  });

  it('reads reports and leaves of groups as they were meant', () => {
    const names = ['igmp.type', 'igmp.maddr', 'igmp.record_type', 'icmpv6.type', 'icmpv6.mldr.mar.record_type'];
    names.push('icmpv6.mldr.mar.multicast_address', 'icmpv6.mld.multicast_address', 'ip.ttl', 'ipv6.hlim');
    assert.deepEqual(tsharkFields(capture(...membership()), names), [
      ['0x22', '239.1.1.1,239.1.1.1,239.1.1.1', '2,4,3', '', '', '', '', '1', ''],
      ['0x16', '239.1.1.1', '', '', '', '', '', '1', ''],
      ['0x17', '239.1.1.1', '', '', '', '', '', '1', ''],
      ['', '', '', '143', '2,4,3', 'ff05::100,ff05::100,ff05::100', '', '', '1'],
      ['', '', '', '131', '', '', 'ff05::100', '', '1'],
      ['', '', '', '132', '', '', 'ff05::100', '', '1'],
    ]);
  });

  it('puts fragments together and reads the tunnel in them', () => {
    const names = ['ip.fragment.count', 'ipv6.fragment.count', 'ip.reassembled.length', 'ipv6.reassembled.length'];
    const read = tsharkFields(capture(...fragments()), [...names, 'udp.checksum.status', 'vxlan.vni', 'icmp.seq']);
    assert.deepEqual(
      read.filter(([, , , , , vni]) => vni !== ''),
      [
        ['2', '', '90', '', '1', '5001', '1'],
        ['', '2', '', '90', '1', '5001', '1'],
      ],
    );
  });

  it('reads ICMP errors as they were meant', () => {
    const names = ['icmp.type', 'icmp.code', 'icmp.mtu', 'icmpv6.type', 'icmpv6.code', 'icmpv6.mtu', 'icmpv6.pointer'];
    // The echo request in each of them is read as well.
    const first = tsharkFields(capture(...icmpErrors()), names).map((line) => line.map((field) => field.split(',')[0]));
    const v4 = (type: number, code: number, mtu = ''): string[] => [String(type), String(code), mtu, '', '', '', ''];
    const v6 = (type: number, code: number, mtu = '', at = ''): string[] => [
      '',
      '',
      '',
      String(type),
      String(code),
      mtu,
      at,
    ];
    assert.deepEqual(first, [
      ...[v4(3, 0), v4(3, 1), v4(3, 2), v4(3, 3), v4(3, 4, String(REPORTED_MTU)), v4(3, 13), v4(11, 0), v4(11, 1)],
      ...[
        v6(1, 0),
        v6(1, 3),
        v6(4, 1, '', '6'),
        v6(1, 4),
        v6(2, 0, String(REPORTED_MTU)),
        v6(1, 1),
        v6(3, 0),
        v6(3, 1),
      ],
    ]);
  });

  it('reads tunnels without a UDP header as they were meant', () => {
    const names = ['gre.flags_and_version', 'gre.proto', 'gre.key', 'gre.checksum.status', 'gre.sequence_number'];
    names.push('etherip.ver', 'icmp.seq', 'icmp.checksum.status');
    const expected = [
      ['0x0000', '0x0800', '', '', '', ''],
      ['0xb000', '0x0800', '0xffffffff', '1', '0', ''],
      ['0x0000', '0x6558', '', '', '', ''],
      ['0xb000', '0x6558', '0x00000007', '1', '0', ''],
      ['0x2000', '0x6558', '0x00138800', '', '', ''],
      ['', '', '', '', '', '3'],
    ].flatMap((fields) => [
      [...fields, '1', '1'],
      [...fields, '1', '1'],
    ]);
    assert.deepEqual(tsharkFields(capture(...directPackets()), names), expected);
  });

  it('reads the headers as they were meant', () => {
    const names = ['eth.src', 'vlan.id', 'ip.dsfield', 'ip.ttl', 'udp.srcport', 'vxlan.vni', 'icmp.seq'];
    assert.deepEqual(tsharkFields(capture(tagged(vxlanPacket())), names), [
      ['02:00:00:00:00:02,02:00:00:00:00:0a', '100', '0xb8,0x00', '64,64', '50000', '5001', '1'],
    ]);
  });
});

describe('pcapng', () => {
  it('carries interface, time, direction, length and comment', () => {
    const second = pcapngInterface({ name: '/Common/vx1', description: '', linkType: LinkType.ethernet, snaplen: 96 });
    const packet = pcapngPacket({
      interfaceId: 1,
      timeNs: 1_800_000_000_123_456_789n,
      octets: vector('kernel-vxlan-echo-request').subarray(0, 61),
      originalOctets: 1500,
      direction: 2,
      comment: 'dropped: unknown-vni (no tunnel has this VNI)',
    });
    const names = [
      'frame.interface_name',
      'frame.time_epoch',
      'frame.packet_flags_direction',
      'frame.len',
      'frame.cap_len',
      'frame.comment',
    ];
    assert.deepEqual(tsharkFields(Buffer.concat([HEAD, ETHERNET, second, packet]), names), [
      [
        '/Common/vx1',
        '1800000000.123456789',
        '0x00000002',
        '1500',
        '61',
        'dropped: unknown-vni (no tunnel has this VNI)',
      ],
    ]);
  });
});
