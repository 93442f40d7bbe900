// The routing part of what the fuzz test works on, and the packets that go there.
//
//   port 1, VLAN 110 ─ east: 10.20.0.1/24, 2001:db8:20::1/64 ─┐
//   port 2, VLAN 110 ─ west: 10.21.0.1/16, 2001:db8:21::1/64, ┼─ route domain 0; routes into a blackhole, into another route
//                            MTU 576                          │  domain, by two gateways, and into the GRE tunnel of packets
//   port 1, VLAN 111 ─ far:  10.20.0.1/24, route domain 5 ────┘  is its parent

import type { Operation } from '../../src/assembly/dataplaned/spec.ts';
import { mac, type Rig, words } from '../support/dataplane-rig.ts';
import { arp, ethernet, ipv4Packet, ipv6Packet, octets, onesComplement, udp } from '../support/frames.ts';
import { transportFrame } from '../support/transport-frames.ts';
import type { OfferedMetadata } from '../support/fuzz-port.ts';

export const EAST_MAC = '02:00:00:00:00:20';
export const WEST_MAC = '02:00:00:00:00:21';
export const FAR_MAC = '02:00:00:00:00:22';
export const HOST = '02:20:00:00:00:0a';
const GATEWAY = '02:21:00:00:00:02';
const [EAST, FAR] = [30, 32];
/** The domain of the smaller MTU. */
export const WEST = 31;
const [EAST_VLAN, FAR_VLAN] = [110, 111];
/** So few that mutation alone reaches the limit. */
export const HOST_LIMIT = 10;
const SILENT_HOSTS = 12;
/** Of what passes there are more, so that enough of all frames does. */
const ACCEPTED_COPIES = 14;

/** Addresses that mean something to the routes. */
export const ROUTED_ADDRESSES = [
  '10.20.0.1',
  '10.20.0.255',
  '10.21.0.2',
  '10.66.0.1',
  '10.67.0.1',
  '10.68.0.1',
  '10.69.0.1',
];

export function routingOperations(rig: Rig, ports: { inside: number; insideToo: number }): Operation[] {
  const domain = (id: number, localMember: number, text: string, routeDomain: number): Operation => ({
    op: 'set-domain',
    spec: { id, name: `domain ${id}`, localMember, mac: mac(text), routeDomain },
  });
  const self = (of: number, text: string, prefixBits: number, routeDomain = 0): Operation => ({
    op: 'set-self',
    spec: {
      name: `${of} ${text}`,
      domain: of,
      words: words(text),
      isIpv6: text.includes(':'),
      prefixBits,
      routeDomain,
    },
  });
  const neighbour = (of: number, text: string, station: string): Operation => ({
    op: 'set-static-neighbour',
    spec: { domain: of, address: words(text), mac: mac(station) },
  });
  return [
    domain(EAST, 46, EAST_MAC, 0),
    domain(WEST, 47, WEST_MAC, 0),
    domain(FAR, 48, FAR_MAC, 5),
    rig.interfaceMember(50, EAST, ports.inside, EAST_VLAN),
    rig.interfaceMember(51, WEST, ports.insideToo, EAST_VLAN, { mtu: 576 }),
    rig.interfaceMember(52, FAR, ports.inside, FAR_VLAN),
    self(EAST, '10.20.0.1', 24),
    self(EAST, '2001:db8:20::1', 64),
    self(WEST, '10.21.0.1', 16),
    self(WEST, '2001:db8:21::1', 64),
    self(FAR, '10.20.0.1', 24, 5),
    neighbour(EAST, '10.20.0.10', HOST),
    neighbour(EAST, '2001:db8:20::10', HOST),
    neighbour(WEST, '10.21.0.2', GATEWAY),
    neighbour(WEST, '2001:db8:21::2', GATEWAY),
  ];
}

/** `tunnel`: the domain of a layer 3 tunnel. */
export function addRoutes(rig: Rig, tunnel: number): void {
  const west = (text: string): { domain: number; address: ReturnType<typeof words> } => ({
    domain: WEST,
    address: words(text),
  });
  rig.parent(5, 0);
  rig.route('10.66.0.0/16', { kind: 'blackhole' });
  rig.route('10.67.0.0/16', { kind: 'isolated' });
  rig.route('10.68.0.0/16', { kind: 'gateways', gateways: [west('10.21.0.2'), west('10.21.0.3')], mtu: 0 });
  rig.route('10.69.0.0/16', { kind: 'link', domain: tunnel, mtu: 0 });
  rig.route('2001:db8:66::/48', { kind: 'blackhole' });
}

export function tag(frame: Buffer, vlan: number): Buffer {
  return Buffer.concat([frame.subarray(0, 12), Buffer.of(0x81, 0x00, vlan >>> 8, vlan), frame.subarray(12)]);
}

type Sent = { port: 'inside' | 'insideToo'; octets: Uint8Array; metadata?: OfferedMetadata };

const packet = (destination: string, size = 40, ttl = 64, source = '10.20.0.10'): Buffer =>
  ipv4Packet({ source, destination, protocol: 17, ttl }, udp(1111, 2222, Buffer.alloc(size)));
const packet6 = (destination: string, size = 40, hopLimit = 64, source = '2001:db8:20::10'): Buffer =>
  ipv6Packet({ source, destination, nextHeader: 17, hopLimit }, udp(1111, 2222, Buffer.alloc(size)), 6);

const east = (inner: Buffer, vlan = EAST_VLAN): Sent => {
  const type = inner[0]! >>> 4 === 4 ? 0x0800 : 0x86dd;
  const own = vlan === EAST_VLAN ? EAST_MAC : FAR_MAC;
  return { port: 'inside', octets: tag(ethernet(own, HOST, type, inner), vlan) };
};

function echo(destination: string): Buffer {
  const message = octets('0800 0000 0001 0001 0102030405060708');
  message.writeUInt16BE(onesComplement(message), 2);
  return ipv4Packet({ source: '10.20.0.10', destination, protocol: 1 }, message);
}

/** A TCP super-frame that is routed as it is, or whose segments are too large. */
function superFrame(gsoSize: number): Sent {
  const { octets: frame, transportAt } = transportFrame({
    ...{
      family: 4,
      protocol: 'tcp',
      tags: [[0x8100, EAST_VLAN]],
      ipOptions: new Uint8Array(0),
      identification: 7,
      sequence: 1,
    },
    ...{
      flags: 0x18,
      tcpOptions: new Uint8Array(12).fill(1),
      payload: new Uint8Array(3000).fill(7),
      checksum: 'partial',
    },
  });
  frame.set(octets(EAST_MAC), 0);
  frame.set(octets(HOST), 6);
  const header = Buffer.from(frame.buffer, frame.byteOffset + 18, 20);
  header.set([10, 21, 0, 2], 16);
  header.writeUInt16BE(0, 10);
  header.writeUInt16BE(onesComplement(header), 10);
  const metadata = { gsoType: 1, gsoSize, checksumStart: transportAt, checksumOffset: 16 };
  return { port: 'inside', octets: frame, metadata };
}

const PASSING: readonly Sent[] = [
  east(packet('10.21.0.2')),
  east(packet('10.21.0.2', 300)),
  east(packet6('2001:db8:21::2')),
  east(packet('10.68.1.1')),
  east(packet('10.68.1.2', 200)),
  east(packet('10.69.1.1')),
  east(echo('10.20.0.1')),
  east(echo('10.21.0.1')),
  {
    port: 'insideToo',
    octets: tag(ethernet(WEST_MAC, GATEWAY, 0x0800, packet('10.20.0.10', 40, 64, '10.68.1.1')), EAST_VLAN),
  },
  superFrame(500),
];

export const ROUTED: readonly Sent[] = [
  ...Array.from({ length: ACCEPTED_COPIES }, () => PASSING).flat(),
  east(packet('10.21.0.2', 1000)),
  east(packet6('2001:db8:21::2', 1000)),
  east(packet('10.21.0.2', 40, 1)),
  east(packet6('2001:db8:21::2', 40, 1)),
  east(packet('10.66.0.1')),
  east(packet6('2001:db8:66::1')),
  east(packet('10.67.0.1')),
  east(packet('10.99.0.1')),
  east(packet6('2001:db8:99::1')),
  east(packet('10.21.255.255')),
  east(packet('169.254.0.9')),
  east(packet('10.21.0.2', 40, 64, '127.0.0.1')),
  east(packet6('2001:db8:21::2', 40, 64, 'fe80::1')),
  east(packet('10.21.0.1'), FAR_VLAN),
  east(packet('10.21.0.2'), FAR_VLAN),
  superFrame(1000),
  // For one of them more packets come than may wait.
  ...Array.from({ length: 21 }, () => east(packet('10.21.7.1'))),
  ...Array.from({ length: SILENT_HOSTS }, (_, host) => east(packet(`10.21.7.${host + 1}`))),
  {
    port: 'insideToo',
    octets: tag(ethernet(WEST_MAC, GATEWAY, 0x0806, arp(2, GATEWAY, '10.21.0.3', WEST_MAC, '10.21.0.1')), EAST_VLAN),
  },
];
