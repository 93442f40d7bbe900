// Valid frames to start from, one or more for every way through the data plane, and the values that mean something there.

import { parseIpv4 } from '../../src/core/address.ts';
import { LOCAL, PEER_MAC, REMOTE, WAN_MAC, BRIDGE_MAC } from '../support/dataplane-rig.ts';
import {
  arp,
  etherip,
  ethernet,
  gre,
  type GreFields,
  hostFrame,
  igmpPacket,
  ipv4Packet,
  ipv6Octets,
  ipv6Packet,
  mldPacket,
  octets,
  onesComplement,
  udp,
  vxlan,
} from '../support/frames.ts';
import { EAST_MAC, FAR_MAC, ROUTED, ROUTED_ADDRESSES, WEST_MAC } from './routing.ts';
import { oversized } from './sizes.ts';
import type { OfferedMetadata } from '../support/fuzz-port.ts';
import { vector } from '../support/octets.ts';
import { transportFrame } from '../support/transport-frames.ts';
import { layoutOf, walkVxlan, type Dictionary, type Layout } from './mutator.ts';

/** Stations, by the member behind which they live for good. */
export const Station = {
  inside: '02:aa:00:00:00:01',
  insideToo: '02:aa:00:00:00:02',
  behindTunnel: '02:bb:00:00:00:01',
  behindOtherTunnel: '02:bb:00:00:00:02',
  behindDisabled: '02:cc:00:00:00:01',
  behindMissingPort: '02:cc:00:00:00:02',
  behindSmallMtu: '02:cc:00:00:00:03',
  behindNoRoute: '02:cc:00:00:00:04',
  behindUnresolved: '02:cc:00:00:00:05',
  behindSocket: '02:cc:00:00:00:06',
  behindInbound: '02:cc:00:00:00:07',
  behindTagged: '02:cc:00:00:00:08',
  /** These are learned. */
  inGroup: '02:aa:00:00:00:07',
  inGroupToo: '02:bb:00:00:00:07',
  behindTunnel6: '02:bb:00:00:00:06',
  behindGre: '02:bb:00:00:00:08',
  behindSubnet: '02:bb:00:00:00:09',
  behindEtherIp: '02:bb:00:00:00:0a',
  unknown: '02:dd:00:00:00:01',
} as const;

export const Vni = {
  pointToPoint: 100,
  multipoint: 200,
  noFlooding: 300,
  noEndpoints: 400,
  noRoute: 500,
  unresolved: 600,
  socket: 700,
  inboundOnly: 800,
  outboundOnly: 900,
  loop: 1000,
  overIpv6: 1100,
  multicast: 1200,
  multicast6: 1300,
} as const;

/** Keys of GRE tunnels; `any` stands for a tunnel without one, at the second address. */
export const GreKey = { minds: 0x0a0b0c0d, subnet: 0x001100, packets: 77 } as const;
/** Our second address on the wan, where there is a tunnel without a key. */
export const KEYLESS_LOCAL = '10.9.1.4';

export const LOOP_MAC = '02:00:00:00:00:05';
export const LOOP_PEER_MAC = '02:ee:00:00:00:05';
export const TRANSLUCENT_MAC = '02:00:00:00:00:06';
export const OPAQUE_MAC = '02:00:00:00:00:07';
export const STANDBY_MAC = '02:00:00:00:00:08';
/** The outer one of two tags. */
export const SERVICE_TAG = 300;
export const SOCKET_LOCAL = '10.9.2.1';
export const SOCKET_REMOTE = '10.9.2.2';
export const UNRESOLVED_REMOTE = '10.9.1.66';

export const LOCAL6 = '2001:db8::2';
export const REMOTE6 = '2001:db8::9';
export const GROUP = '239.1.1.1';
export const GROUP6 = 'ff05::100';

/** Of the domain with a way to the sockets of this host, and of their end of it. */
export const SELF_MAC = '02:00:00:00:00:09';
export const HOST_MAC = '02:22:00:00:00:09';
export const SELF = '10.7.0.1';
export const SELF6 = '2001:db8:7::1';
const CLIENT = '10.7.0.10';
const CLIENT6 = '2001:db8:7::10';

/** Ports of the topology: the underlay, two inside, the socket of tunnels whose address the host owns, the host itself. */
export const FuzzPorts = { wan: 0, inside: 1, insideToo: 2, socket: 3, host: 4 } as const;

export type Seed = { port: number; octets: Uint8Array; layout: Layout; metadata: OfferedMetadata };

const u16 = (value: number): Uint8Array => Uint8Array.of(value >>> 8, value);
const address = (text: string): Uint8Array => Uint8Array.from(text.split('.').map(Number));

// UNRESOLVED_REMOTE is not among the addresses: a mutated ARP packet would answer for it.
export const DICTIONARY: Dictionary = {
  mac: [
    ...Object.values(Station),
    WAN_MAC,
    BRIDGE_MAC,
    PEER_MAC,
    OPAQUE_MAC,
    EAST_MAC,
    WEST_MAC,
    FAR_MAC,
    'ff:ff:ff:ff:ff:ff',
    '33:33:ff:00:00:02',
    '01:80:c2:00:00:00',
    '01:80:c2:00:00:0e',
    '01:00:5e:00:00:05',
    '01:00:5e:01:01:01',
    '33:33:00:00:01:00',
  ].map((text) => octets(text)),
  type: [0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8, 0x88cc, 0x6558, 0x88be, 0].map(u16),
  tci: [0, 30, 31, 32, 40, 50, 60, 70, 80, 90, 100, 110, 111, 200, SERVICE_TAG, 0xe064, 4095].map(u16),
  ipv4: [
    ...[LOCAL, REMOTE, KEYLESS_LOCAL, SOCKET_LOCAL, '10.9.1.3', '10.9.1.255', '224.0.0.5', '172.16.0.1'],
    ...[SELF, CLIENT, GROUP, ...ROUTED_ADDRESSES],
  ].map(address),
  ipv6: [LOCAL6, REMOTE6, SELF6, CLIENT6, GROUP6, 'ff02::1', 'ff02::16', '::', 'fe80::1'].map((text) =>
    ipv6Octets(text),
  ),
  port: [4789, 4790, 53, 443, 0].map(u16),
  vni: Object.values(Vni).map((vni) => Uint8Array.of(vni >>> 16, vni >>> 8, vni)),
  flags: [0x08, 0x00, 0x0c, 0x45, 0x46, 0x60, 0x03, 0x01, 0x20, 0x40, 0x30, 0xb0].map((value) =>
    Uint8Array.of(value, 0, 0, 0),
  ),
  length: [7, 8, 20, 28, 60, 1500, 9000].map(u16),
  small: [0, 1, 2, 6, 8, 17, 47, 58, 97, 128, 135, 136, 255].map((value) => Uint8Array.of(value, 0)),
};

const big = (size: number, destination: string): Buffer => hostFrame(destination, Station.inside, size);

function tunnelled(vni: number, inner: Buffer, tos = 0, source = REMOTE): Buffer {
  const datagram = udp(50_000, 4789, vxlan(vni, inner));
  return ethernet(WAN_MAC, PEER_MAC, 0x0800, ipv4Packet({ source, destination: LOCAL, protocol: 17, tos }, datagram));
}

/** A tunnelled packet that carries a UDP checksum. */
function tunnelledWithChecksum(): Buffer {
  const frame = tunnelled(Vni.pointToPoint, hostFrame(Station.inside, Station.behindTunnel));
  const pseudo = Buffer.concat([frame.subarray(26, 34), Buffer.of(0, 17), frame.subarray(38, 40)]);
  frame.writeUInt16BE(onesComplement(Buffer.concat([pseudo, frame.subarray(34)])), 40);
  return frame;
}

function tag(frame: Buffer, vlan: number, tpid = 0x8100): Buffer {
  return Buffer.concat([frame.subarray(0, 12), u16(tpid), u16(vlan), frame.subarray(12)]);
}

function echoToGroup(): Buffer {
  const frame = Buffer.from(vector('kernel-echo-v6-request'));
  octets(OPAQUE_MAC).copy(frame, 0);
  return frame;
}

/** Frames of the VLAN groups: through one tag on the one side, through two on the other. */
function groupSeeds(): Seed[] {
  const everybody = 'ff:ff:ff:ff:ff:ff';
  const double = (frame: Buffer, inner: number): Buffer => tag(tag(frame, inner), SERVICE_TAG, 0x88a8);
  const from = (source: string): Buffer => {
    const datagram = udp(4000, 4001, Buffer.alloc(20));
    const packet = ipv4Packet({ source, destination: '172.16.0.2', protocol: 17 }, datagram);
    return ethernet(Station.unknown, Station.inGroup, 0x0800, packet);
  };
  const ask = (sender: string, target: string, station: string): Buffer =>
    ethernet(everybody, station, 0x0806, arp(1, station, sender, '00:00:00:00:00:00', target));
  const [one, other] = ['172.16.0.1', '172.16.0.2'];
  return [
    seed(FuzzPorts.inside, tag(hostFrame(everybody, Station.inGroup), 70)),
    seed(FuzzPorts.insideToo, double(hostFrame(everybody, Station.inGroupToo), 30)),
    seed(FuzzPorts.insideToo, tag(hostFrame(everybody, Station.inGroupToo), 30), {
      vlanTpid: 0x88a8,
      vlanTci: SERVICE_TAG,
    }),
    // The other station as it is seen from here.
    seed(FuzzPorts.inside, tag(hostFrame(Station.inGroupToo.replace(/^02/, '00'), Station.inGroup), 70)),
    seed(FuzzPorts.inside, tag(ask(one, other, Station.inGroup), 70)),
    seed(FuzzPorts.inside, tag(ethernet(everybody, Station.inGroup, 0x88b5, Buffer.alloc(46)), 70)),
    seed(FuzzPorts.inside, tag(hostFrame('01:00:5e:00:00:05', Station.inGroup), 70)),
    seed(FuzzPorts.inside, tag(from('10.9.1.9'), 70)),
    seed(FuzzPorts.inside, tag(ask(one, other, Station.inGroup), 80)),
    seed(FuzzPorts.insideToo, double(ask(other, one, Station.inGroupToo), 31)),
    seed(FuzzPorts.inside, tag(hostFrame(OPAQUE_MAC, Station.inGroup), 80)),
    seed(FuzzPorts.insideToo, double(hostFrame(OPAQUE_MAC, Station.inGroupToo), 31)),
    seed(FuzzPorts.inside, tag(hostFrame(everybody, Station.inGroup), 90)),
    ...[70, 80].map((vlan) => seed(FuzzPorts.inside, tag(Buffer.from(vector('kernel-neighbour-solicitation')), vlan))),
    seed(FuzzPorts.inside, tag(echoToGroup(), 80)),
  ];
}

/** What an IP protocol of its own carries, to the address of tunnels with a key or to that of the others. */
function carried(protocol: number, payload: Buffer, destination = LOCAL, tos = 0): Seed {
  const packet = ipv4Packet({ source: REMOTE, destination, protocol, tos }, payload);
  return seed(FuzzPorts.wan, ethernet(WAN_MAC, PEER_MAC, 0x0800, packet));
}

/** Tunnels whose header follows the IP header. */
function directSeeds(): Seed[] {
  const frame = hostFrame(Station.inside, Station.behindTunnel);
  const tagged = tag(Buffer.from(frame), 5);
  const minds: GreFields = { key: GreKey.minds, checksum: true, sequence: 1 };
  const damaged = gre(0x6558, frame, minds);
  damaged[60]! ^= 0x11;
  const packet = frame.subarray(14);
  const over6 = ipv6Packet({ source: REMOTE6, destination: LOCAL6, nextHeader: 47 }, gre(0x6558, frame, { key: 5 }));
  return [
    carried(47, gre(0x6558, frame, { ...minds, sequence: 0x7fff_0000 })),
    carried(47, gre(0x6558, frame, minds)),
    carried(47, gre(0x6558, frame, { key: GreKey.minds }), LOCAL, 3),
    carried(47, damaged),
    carried(47, gre(0x6558, frame, { key: GreKey.subnet << 8 })),
    carried(47, gre(0x6558, tagged, { key: GreKey.subnet << 8 })),
    carried(47, gre(0x6558, frame, { key: 1 })),
    carried(47, gre(0x6558, frame)),
    carried(47, gre(0x6558, frame), KEYLESS_LOCAL),
    carried(47, gre(0x0800, packet, { key: GreKey.packets })),
    carried(47, gre(0x88be, frame)),
    carried(47, gre(0, Buffer.alloc(0))),
    carried(47, gre(0x6558, frame, { flags: 0x4000 })),
    carried(97, etherip(frame)),
    carried(97, etherip(frame, '0300')),
    carried(97, etherip(frame, '4000')),
    seed(FuzzPorts.wan, ethernet(WAN_MAC, PEER_MAC, 0x86dd, over6)),
    ...[Station.behindGre, Station.behindSubnet, Station.behindEtherIp].map((station) => inside(station, 200, 2)),
    superFrame(4, 'tcp', Station.behindGre),
  ];
}

/** Between sockets of this host and stations behind VLAN 40. */
function hostSeeds(): Seed[] {
  const tcp = (from: number, to: number, flags: number): Buffer => {
    const header = Buffer.alloc(32, 1);
    header.writeUInt16BE(from, 0);
    header.writeUInt16BE(to, 2);
    header.writeUInt16BE(0x5000 | flags, 12);
    return header;
  };
  const packet4 = (source: string, destination: string, protocol: number, payload: Buffer): Buffer =>
    ipv4Packet({ source, destination, protocol }, payload);
  const packet6 = (source: string, destination: string, payload: Buffer): Buffer =>
    ipv6Packet({ source, destination, nextHeader: 6 }, payload);
  const frame = (to: string, from: string, packet: Buffer): Buffer =>
    ethernet(to, from, packet[0]! >>> 4 === 4 ? 0x0800 : 0x86dd, packet);
  const station = (packet: Buffer): Seed => seed(FuzzPorts.inside, tag(frame(SELF_MAC, Station.inGroup, packet), 40));
  const host = (packet: Buffer): Seed => seed(FuzzPorts.host, frame(SELF_MAC, HOST_MAC, packet));
  const asked = arp(1, HOST_MAC, SELF, '00:00:00:00:00:00', '169.254.1.1');
  const solicited = Buffer.from(vector('kernel-neighbour-solicitation'));
  const unreachable = Buffer.concat([octets('0303 0000 00000000'), packet4(SELF, CLIENT, 6, tcp(6000, 80, 2))]);
  unreachable.writeUInt16BE(onesComplement(unreachable), 2);
  const accepted = [
    station(packet4(CLIENT, SELF, 6, tcp(5000, 443, 2))),
    station(packet4(CLIENT, SELF, 6, tcp(80, 6000, 0x12))),
    station(packet6(CLIENT6, SELF6, tcp(5000, 443, 2))),
    host(packet4(SELF, CLIENT, 6, tcp(443, 5000, 0x12))),
    host(packet6(SELF6, CLIENT6, tcp(443, 5000, 0x12))),
    seed(FuzzPorts.host, ethernet('ff:ff:ff:ff:ff:ff', HOST_MAC, 0x0806, asked)),
    seed(FuzzPorts.host, solicited),
  ];
  return [
    ...accepted,
    station(packet4(CLIENT, SELF, 6, tcp(5000, 22, 2))),
    station(packet4(CLIENT, SELF, 1, unreachable)),
    host(packet4(SELF, CLIENT, 6, tcp(6000, 80, 2))),
    host(packet4('172.17.0.2', CLIENT, 6, tcp(6000, 80, 2))),
  ];
}

/** The same over IPv6, to our address or to a group; `checksum` false leaves the checksum out. */
function tunnelled6(vni: number, inner: Buffer, destination = LOCAL6, checksum = true, trafficClass = 0): Buffer {
  const datagram = udp(50_000, 4789, vxlan(vni, inner));
  const fields = { source: REMOTE6, destination, nextHeader: 17, trafficClass };
  const packet = ipv6Packet(fields, datagram, checksum ? 6 : undefined);
  return ethernet(destination === GROUP6 ? '33:33:00:00:01:00' : WAN_MAC, PEER_MAC, 0x86dd, packet);
}

function toGroup(vni: number, inner: Buffer): Buffer {
  const datagram = udp(50_000, 4789, vxlan(vni, inner));
  const packet = ipv4Packet({ source: REMOTE, destination: GROUP, protocol: 17 }, datagram);
  return ethernet('01:00:5e:01:01:01', PEER_MAC, 0x0800, packet);
}

const igmp = (mac: string, destination: string, message: string): Seed =>
  seed(FuzzPorts.wan, ethernet(mac, PEER_MAC, 0x0800, igmpPacket(REMOTE, destination, octets(message))));
const mld = (mac: string, destination: string, message: string): Seed =>
  seed(FuzzPorts.wan, ethernet(mac, PEER_MAC, 0x86dd, mldPacket('fe80::9', destination, octets(message))));

function advertisement(): Buffer {
  const message = Buffer.concat([octets('8800 0000 60000000'), ipv6Octets(REMOTE6), octets(`0201${PEER_MAC}`)]);
  const fields = { source: REMOTE6, destination: LOCAL6, nextHeader: 58, hopLimit: 255 };
  return ethernet(WAN_MAC, PEER_MAC, 0x86dd, ipv6Packet(fields, message, 2));
}

function echoRequest(): Buffer {
  const message = octets('0800 0000 0001 0001 0102030405060708');
  message.writeUInt16BE(onesComplement(message), 2);
  return ethernet(WAN_MAC, PEER_MAC, 0x0800, ipv4Packet({ source: REMOTE, destination: LOCAL, protocol: 1 }, message));
}

function superFrame(family: 4 | 6, protocol: 'tcp' | 'udp', destination: string): Seed {
  const { octets: frame, transportAt } = transportFrame({
    family,
    protocol,
    tags: [],
    ipOptions: new Uint8Array(0),
    identification: 7,
    sequence: 1,
    flags: 0x18,
    tcpOptions: new Uint8Array(12).fill(1),
    payload: new Uint8Array(3000).fill(7),
    checksum: 'partial',
  });
  frame.set(octets(destination), 0);
  frame.set(octets(Station.inside), 6);
  const gsoType = protocol === 'udp' ? 5 : family === 4 ? 1 : 4;
  const checksumOffset = protocol === 'udp' ? 6 : 16;
  return seed(FuzzPorts.inside, frame, { gsoType, gsoSize: 1000, checksumStart: transportAt, checksumOffset });
}

function seed(port: number, frame: Uint8Array, metadata: OfferedMetadata = {}): Seed {
  return { port, octets: frame, layout: layoutOf(frame), metadata };
}

function datagram(vni: number, inner: Buffer, tos = 0): Seed {
  const payload = vxlan(vni, inner);
  const layout: Layout = { fields: [], ipv4Headers: [] };
  walkVxlan(payload, 0, layout);
  return { port: FuzzPorts.socket, octets: payload, layout, metadata: { address: parseIpv4(SOCKET_REMOTE)!, tos } };
}

const inside = (destination: string, size = 60, tos = 0): Seed =>
  seed(FuzzPorts.inside, hostFrame(destination, Station.inside, size, tos));
const ends = (destination: string): Seed => seed(FuzzPorts.inside, tag(hostFrame(destination, Station.insideToo), 60));
const fromTunnel = (vni: number, destination: string, tos = 0): Seed =>
  seed(FuzzPorts.wan, tunnelled(vni, hostFrame(destination, Station.behindTunnel, 60, tos & 2), tos));

function solicitation(): Seed {
  const frame = vector('kernel-neighbour-solicitation');
  frame.set(octets(PEER_MAC), 6);
  return seed(FuzzPorts.wan, frame);
}

function echoV6(): Seed {
  const frame = vector('kernel-echo-v6-request');
  frame.set(octets(WAN_MAC), 0);
  frame.set(octets(PEER_MAC), 6);
  return seed(FuzzPorts.wan, frame);
}

/** Mostly what is forwarded; each of the others leads to a drop that mutation alone would seldom find. */
export const SEEDS: readonly Seed[] = [
  ...oversized(Station.inside, Station.behindTunnel).map(({ port, octets: frame }) => seed(FuzzPorts[port], frame)),
  ...ROUTED.map(({ port, octets: frame, metadata }) => seed(FuzzPorts[port], frame, metadata)),
  inside(Station.behindTunnel),
  inside(Station.behindTunnel, 600, 2),
  inside(Station.behindSocket, 300),
  inside(Station.behindTagged, 200),
  inside(Station.unknown),
  inside('ff:ff:ff:ff:ff:ff'),
  // A station that moves to and fro, as in a loop.
  ...[1, 2, 3].flatMap(() => [
    seed(FuzzPorts.inside, hostFrame('ff:ff:ff:ff:ff:ff', Station.unknown)),
    seed(FuzzPorts.insideToo, hostFrame(Station.inside, Station.unknown)),
  ]),
  inside(Station.behindOtherTunnel, 1400),
  seed(FuzzPorts.inside, tag(hostFrame(Station.behindTunnel, Station.insideToo), 100)),
  seed(FuzzPorts.inside, hostFrame(Station.behindTunnel, Station.insideToo), { vlanTpid: 0x8100, vlanTci: 100 }),
  seed(FuzzPorts.insideToo, hostFrame(Station.inside, Station.behindSmallMtu)),
  fromTunnel(Vni.pointToPoint, Station.inside),
  fromTunnel(Vni.pointToPoint, Station.inside, 2),
  fromTunnel(Vni.multipoint, Station.inside),
  seed(FuzzPorts.wan, tunnelledWithChecksum()),
  inside(Station.behindTunnel6, 400, 2),
  seed(FuzzPorts.wan, tunnelled6(Vni.overIpv6, hostFrame(Station.inside, Station.behindTunnel6))),
  seed(FuzzPorts.wan, tunnelled6(Vni.overIpv6, hostFrame(Station.inside, Station.behindTunnel6), LOCAL6, true, 3)),
  seed(FuzzPorts.wan, tunnelled6(Vni.overIpv6, hostFrame(Station.inside, Station.behindTunnel6), LOCAL6, false)),
  seed(FuzzPorts.wan, tunnelled6(Vni.multicast6, hostFrame(Station.inside, Station.behindTunnel6), GROUP6)),
  seed(FuzzPorts.wan, toGroup(Vni.multicast, hostFrame(Station.inside, Station.behindTunnel))),
  seed(FuzzPorts.wan, advertisement()),
  igmp('01:00:5e:00:00:01', '224.0.0.1', '1164 0000 00000000 02 7d 0000'),
  igmp('01:00:5e:01:01:01', GROUP, '110a 0000 ef010101'),
  igmp('01:00:5e:01:01:01', GROUP, '1600 0000 ef010101'),
  mld('33:33:00:00:00:01', 'ff02::1', `8200 0000 2710 0000 ${'00'.repeat(16)} 02 7d 0000`),
  mld('33:33:00:00:01:00', GROUP6, `8200 0000 03e8 0000 ff05 ${'00'.repeat(12)} 0100`),
  datagram(Vni.socket, hostFrame(Station.inside, Station.behindSocket)),
  datagram(Vni.socket, hostFrame(Station.inside, Station.behindSocket, 400, 2), 2),
  seed(FuzzPorts.wan, ethernet(WAN_MAC, PEER_MAC, 0x0806, arp(1, PEER_MAC, REMOTE, '00:00:00:00:00:00', LOCAL))),
  seed(FuzzPorts.wan, ethernet(WAN_MAC, PEER_MAC, 0x0806, arp(2, PEER_MAC, REMOTE, WAN_MAC, LOCAL))),
  seed(FuzzPorts.wan, echoRequest()),
  solicitation(),
  echoV6(),
  superFrame(4, 'tcp', Station.behindTunnel),
  superFrame(6, 'tcp', Station.behindSocket),
  superFrame(4, 'udp', Station.unknown),
  inside(Station.behindDisabled),
  ends(Station.behindMissingPort),
  ends(Station.behindNoRoute),
  ends(Station.behindUnresolved),
  ends(Station.behindInbound),
  ends(Station.unknown),
  seed(FuzzPorts.inside, big(1700, Station.behindTunnel)),
  seed(FuzzPorts.inside, big(1400, Station.behindSmallMtu)),
  seed(FuzzPorts.inside, tag(hostFrame(Station.unknown, Station.insideToo), 50)),
  seed(FuzzPorts.insideToo, tag(hostFrame(Station.unknown, Station.insideToo), 30)),
  fromTunnel(Vni.outboundOnly, Station.inside),
  fromTunnel(Vni.pointToPoint, Station.behindOtherTunnel),
  fromTunnel(Vni.pointToPoint, Station.inside, 3),
  seed(FuzzPorts.wan, tunnelled(Vni.pointToPoint, hostFrame(Station.inside, Station.behindTunnel), 0, LOCAL)),
  ...groupSeeds(),
  ...directSeeds(),
  ...hostSeeds(),
];
