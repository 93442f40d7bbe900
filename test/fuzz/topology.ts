// The data plane that the fuzz test works on: every kind of member, tunnel and dead end at once.
//
//   port 0 ─ wan: self IPs 10.9.1.1 and 2001:db8::2, the underlay of the tunnels
//   port 1 ─ bridge, untagged, VLAN 100 and (disabled) 200; ends, VLAN 60; loop, VLAN 50
//   port 2 ─ bridge, untagged, MTU 576; lonely, VLAN 30, with no other member
//   port 3 ─ UDP socket 10.9.2.1:4789
//   port 1, VLAN 70 and port 2, tags 300 and 30: a translucent group; VLAN 80 and 300, 31: an opaque one; VLAN 90 and 300, 32:
//            one that does not bridge, since the device is standby
//   port 1, VLAN 40: stations that talk to the sockets of this host; port 4 ─ this host, self IPs 10.7.0.1 and 2001:db8:7::1
//   port 9 ─ configured in ends, but not there
//   bridge: tunnels point to point, over IPv6, multipoint, over the socket
//   ends:   tunnels without flooding, without endpoints, without a route, one-way, with a remote end that never answers
//   bridge: GRE with a key, checksum and sequence number, NVGRE, EtherIP, GRE without a key at 10.9.1.4, GRE over IPv6
//   packets: GRE for packets
//   groups: tunnels that flood to a multicast group, over IPv4 and IPv6
//   loop:   a tunnel whose remote end lies behind itself

import type { Operation } from '../../src/assembly/dataplaned/spec.ts';
import type { CrossingSpec } from '../../src/bridge/crossing.ts';
import { FORWARD, type Verdict } from '../../src/core/drop-reason.ts';
import type { PoolSizes } from '../../src/packet/pool.ts';
import {
  Id,
  LOCAL,
  mac,
  PEER_MAC,
  portRow,
  REMOTE,
  Rig,
  WAN_MAC,
  BRIDGE_MAC,
  words,
} from '../support/dataplane-rig.ts';
import { addRoutes, HOST_LIMIT, routingOperations } from './routing.ts';
import { addNarrowRoute, reassemblyLimit } from './sizes.ts';
import { ADAPTER_REFUSALS, FuzzPort } from '../support/fuzz-port.ts';
import type { Random } from './mutator.ts';
import {
  FuzzPorts,
  GROUP,
  GROUP6,
  GreKey,
  KEYLESS_LOCAL,
  HOST_MAC,
  LOCAL6,
  LOOP_MAC,
  LOOP_PEER_MAC,
  OPAQUE_MAC,
  REMOTE6,
  SELF,
  SELF6,
  SELF_MAC,
  SERVICE_TAG,
  SOCKET_LOCAL,
  SOCKET_REMOTE,
  STANDBY_MAC,
  Station,
  TRANSLUCENT_MAC,
  UNRESOLVED_REMOTE,
  Vni,
} from './seeds.ts';
import { protocolService, udpService } from '../../src/tunnel/service.ts';
import { TunnelKind, UdpChecksum } from '../../src/tunnel/tunnel.ts';
import { parseService } from '../../src/wire/service-names.ts';

const MISSING_PORT = 9;
const REFUSED_PERCENT = 2;

const Domain = {
  wan: Id.wanDomain,
  bridge: Id.bridgeDomain,
  lonely: 3,
  loop: 4,
  ends: 5,
  translucent: 6,
  opaque: 7,
  standby: 8,
  groups: 9,
  packets: 19,
  host: 40,
} as const;

const Member = {
  wan: 0,
  inside: 1,
  insideTagged: 2,
  insideToo: 3,
  lonely: 4,
  loop: 5,
  disabled: 6,
  endsInside: 8,
  missing: 7,
  pointToPoint: 20,
  multipoint: 21,
  noFlooding: 22,
  noEndpoints: 23,
  noRoute: 24,
  unresolved: 25,
  socket: 26,
  inboundOnly: 27,
  outboundOnly: 28,
  loopTunnel: 29,
  translucent: 30,
  translucentToo: 31,
  opaque: 32,
  opaqueToo: 33,
  standby: 34,
  standbyToo: 35,
  overIpv6: 36,
  multicast: 37,
  multicast6: 38,
  gre: 40,
  subnet: 41,
  etherIp: 42,
  keyless: 43,
  gre6: 44,
  packets: 45,
  host: 60,
} as const;

/** Members of the domain `ends` that stations live behind. */
const ENDS = new Set<number>([Member.missing, Member.noRoute, Member.unresolved, Member.inboundOnly]);

export function buildTopology(random: Random, pool: PoolSizes): { rig: Rig; ports: FuzzPort[] } {
  const rig = new Rig({
    pool,
    learnedLimit: 4096,
    hostLimit: HOST_LIMIT,
    reassemblyLimit: reassemblyLimit(pool.smallSlots),
  });
  const fate = (): Verdict => (random.chance(REFUSED_PERCENT) ? random.pick(ADAPTER_REFUSALS) : FORWARD);
  const ports = Object.values(FuzzPorts).map((index) => {
    const medium = index === FuzzPorts.socket ? 'udp' : 'ethernet';
    const port = new FuzzPort(rig.arena, rig.allocator, { index, medium, fate });
    const listener = { address: words(SOCKET_LOCAL), service: udpService(4789), scope: 0 };
    rig.dataplane.addPort(port, portRow(index), medium === 'udp' ? listener : undefined);
    return port;
  });
  rig.apply(...domains(), ...interfaces(rig), ...tunnels(rig), ...stations(rig));
  rig.apply(...routingOperations(rig, FuzzPorts));
  addRoutes(rig, Domain.packets);
  addNarrowRoute(rig);
  return { rig, ports };
}

function domains(): Operation[] {
  const self = { domain: Domain.wan, isIpv6: false, prefixBits: 24 };
  const self6 = { isIpv6: true, prefixBits: 64 };
  const services = [parseService('tcp:443')!];
  return [
    { op: 'set-domain', spec: { id: Domain.wan, name: 'wan', localMember: 10, mac: mac(WAN_MAC) } },
    { op: 'set-domain', spec: { id: Domain.bridge, name: 'bridge', localMember: 11, mac: mac(BRIDGE_MAC) } },
    { op: 'set-domain', spec: { id: Domain.lonely, name: 'lonely', localMember: 12, mac: undefined } },
    { op: 'set-domain', spec: { id: Domain.loop, name: 'loop', localMember: 13, mac: mac(LOOP_MAC) } },
    { op: 'set-domain', spec: { id: Domain.ends, name: 'ends', localMember: 14, mac: undefined } },
    group(Domain.translucent, 15, TRANSLUCENT_MAC, { mode: 'translucent' }),
    group(Domain.opaque, 16, OPAQUE_MAC, { mode: 'opaque', bridgesMulticast: true }),
    group(Domain.standby, 17, STANDBY_MAC, { mode: 'transparent', bridgesInStandby: false }),
    { op: 'set-failover-state', active: false },
    { op: 'set-domain', spec: { id: Domain.groups, name: 'groups', localMember: 18, mac: undefined } },
    { op: 'set-domain', spec: { id: Domain.packets, name: 'packets', localMember: 19, mac: undefined } },
    { op: 'set-self', spec: { ...self, name: 'wan', words: words(LOCAL) } },
    { op: 'set-self', spec: { ...self, name: 'wan-too', words: words(KEYLESS_LOCAL) } },
    { op: 'set-self', spec: { ...self, name: 'wan6', words: [0x20010db8, 0, 0, 2], isIpv6: true, prefixBits: 64 } },
    { op: 'set-domain', spec: { id: Domain.host, name: 'host', localMember: 61, mac: mac(SELF_MAC) } },
    { op: 'set-self', spec: { ...self, name: 'host', domain: Domain.host, words: words(SELF), services } },
    { op: 'set-self', spec: { ...self6, name: 'host6', domain: Domain.host, words: words(SELF6), services } },
    {
      op: 'set-host-path',
      spec: {
        ...{ domain: Domain.host, port: FuzzPorts.host, usesLastHop: true },
        ...{ mac: mac(HOST_MAC), ownMac: mac(SELF_MAC) },
      },
    },
    { op: 'set-self', spec: { ...self, name: 'loop', domain: Domain.loop, words: words('10.8.0.1') } },
  ];
}

function group(id: number, localMember: number, text: string, change: Partial<CrossingSpec>): Operation {
  const crossing = { mode: 'transparent', bridgesAll: false, bridgesMulticast: false, bridgesInStandby: true } as const;
  return {
    op: 'set-domain',
    spec: { id, name: `group ${id}`, localMember, mac: mac(text), crossing: { ...crossing, ...change } },
  };
}

/** The two VLANs of a group: one tag on port 1, two on port 2. */
function pair(rig: Rig, ids: readonly [number, number], domain: number, vlan: number, innerVlan: number): Operation[] {
  const [one, two] = ids;
  const checksSource = domain === Domain.translucent;
  return [
    rig.interfaceMember(one, domain, FuzzPorts.inside, vlan, { segment: one, checksSource }),
    rig.interfaceMember(two, domain, FuzzPorts.insideToo, SERVICE_TAG, { segment: two, innerVlan, tpid: 0x88a8 }),
  ];
}

function interfaces(rig: Rig): Operation[] {
  const disabled = rig.interfaceMember(Member.disabled, Domain.bridge, FuzzPorts.inside, 200);
  if (disabled.op === 'set-interface-member') disabled.spec.enabled = false;
  const small = rig.interfaceMember(Member.insideToo, Domain.bridge, FuzzPorts.insideToo);
  if (small.op === 'set-interface-member') small.spec.mtu = 576;
  return [
    rig.interfaceMember(Member.wan, Domain.wan, FuzzPorts.wan),
    rig.interfaceMember(Member.inside, Domain.bridge, FuzzPorts.inside),
    rig.interfaceMember(Member.insideTagged, Domain.bridge, FuzzPorts.inside, 100),
    small,
    rig.interfaceMember(Member.lonely, Domain.lonely, FuzzPorts.insideToo, 30),
    rig.interfaceMember(Member.host, Domain.host, FuzzPorts.inside, 40),
    rig.interfaceMember(Member.loop, Domain.loop, FuzzPorts.inside, 50),
    disabled,
    rig.interfaceMember(Member.endsInside, Domain.ends, FuzzPorts.inside, 60),
    rig.interfaceMember(Member.missing, Domain.ends, MISSING_PORT),
    ...pair(rig, [Member.translucent, Member.translucentToo], Domain.translucent, 70, 30),
    ...pair(rig, [Member.opaque, Member.opaqueToo], Domain.opaque, 80, 31),
    ...pair(rig, [Member.standby, Member.standbyToo], Domain.standby, 90, 32),
  ];
}

function tunnels(rig: Rig): Operation[] {
  const any = { remote: undefined, learnsEndpoints: true };
  const ends = { domain: Domain.ends, splitHorizonGroup: Domain.ends };
  return [
    rig.tunnelMember(Member.pointToPoint, { tunnel: { key: Vni.pointToPoint } }),
    rig.tunnelMember(Member.multipoint, {
      replicates: true,
      floodRemotes: [words(REMOTE), words('10.9.1.3')],
      tunnel: { ...any, key: Vni.multipoint, udpChecksum: UdpChecksum.always },
    }),
    rig.tunnelMember(Member.noFlooding, { ...ends, floods: false, tunnel: { ...any, key: Vni.noFlooding } }),
    rig.tunnelMember(Member.noEndpoints, { ...ends, replicates: true, tunnel: { ...any, key: Vni.noEndpoints } }),
    rig.tunnelMember(Member.noRoute, { ...ends, tunnel: { key: Vni.noRoute, remote: words('203.0.113.9') } }),
    rig.tunnelMember(Member.unresolved, { ...ends, tunnel: { key: Vni.unresolved, remote: words(UNRESOLVED_REMOTE) } }),
    rig.tunnelMember(Member.socket, {
      tunnel: { key: Vni.socket, local: words(SOCKET_LOCAL), remote: words(SOCKET_REMOTE) },
    }),
    rig.tunnelMember(Member.inboundOnly, { ...ends, tunnel: { key: Vni.inboundOnly, sends: false } }),
    rig.tunnelMember(Member.outboundOnly, { ...ends, tunnel: { key: Vni.outboundOnly, receives: false } }),
    rig.tunnelMember(Member.overIpv6, {
      tunnel: {
        ...{ key: Vni.overIpv6, local: words(LOCAL6), remote: words(REMOTE6) },
        udpChecksum: UdpChecksum.always,
      },
    }),
    groupTunnel(rig, Member.multicast, Vni.multicast, LOCAL, GROUP),
    groupTunnel(rig, Member.multicast6, Vni.multicast6, LOCAL6, GROUP6),
    ...directTunnels(rig),
    rig.tunnelMember(Member.loopTunnel, {
      domain: Domain.loop,
      splitHorizonGroup: 0,
      tunnel: { key: Vni.loop, local: words('10.8.0.1'), remote: words('10.8.0.2') },
    }),
  ];
}

/** Tunnels whose header follows the IP header. */
function directTunnels(rig: Rig): Operation[] {
  const service = protocolService(47);
  const frames = { kind: TunnelKind.teb, service };
  const minds = { sendsChecksum: true, verifiesChecksum: true, sendsSequence: true, checksSequence: true };
  return [
    rig.tunnelMember(Member.gre, { tunnel: { ...frames, key: GreKey.minds, gre: minds } }),
    rig.tunnelMember(Member.subnet, { tunnel: { kind: TunnelKind.nvgre, service, key: GreKey.subnet } }),
    rig.tunnelMember(Member.etherIp, {
      tunnel: { kind: TunnelKind.etherip, service: protocolService(97), key: 0 },
    }),
    rig.tunnelMember(Member.keyless, { tunnel: { ...frames, key: 0, local: words(KEYLESS_LOCAL) } }),
    rig.tunnelMember(Member.gre6, {
      tunnel: { ...frames, key: 5, local: words(LOCAL6), remote: words(REMOTE6), gre: minds },
    }),
    rig.tunnelMember(Member.packets, {
      domain: Domain.packets,
      tunnel: { kind: TunnelKind.gre, service, key: GreKey.packets },
    }),
  ];
}

/** Both in one domain without split horizon, so that what comes by one leaves by the other. */
function groupTunnel(rig: Rig, member: number, key: number, local: string, group: string): Operation {
  return rig.tunnelMember(member, {
    ...{ domain: Domain.groups, splitHorizonGroup: 0, replicates: true, floodRemotes: [words(group)] },
    tunnel: {
      ...{ key, local: words(local), remote: undefined, learnsEndpoints: true, udpChecksum: UdpChecksum.always },
      group: { address: words(group), domain: Domain.wan },
    },
  });
}

function stations(rig: Rig): Operation[] {
  const places: [string, number][] = [
    [Station.inside, Member.inside],
    [Station.behindTunnel, Member.pointToPoint],
    [Station.behindOtherTunnel, Member.multipoint],
    [Station.behindDisabled, Member.disabled],
    [Station.behindMissingPort, Member.missing],
    [Station.behindSmallMtu, Member.insideToo],
    [Station.behindNoRoute, Member.noRoute],
    [Station.behindUnresolved, Member.unresolved],
    [Station.behindSocket, Member.socket],
    [Station.behindInbound, Member.inboundOnly],
    [Station.behindTagged, Member.insideTagged],
    [Station.behindTunnel6, Member.overIpv6],
    [Station.behindGre, Member.gre],
    [Station.behindSubnet, Member.subnet],
    [Station.behindEtherIp, Member.etherIp],
  ];
  const remoteOf = (member: number) => (member === Member.multipoint ? words(REMOTE) : undefined);
  return [
    ...places.map(([station, member]) =>
      rig.station(ENDS.has(member) ? Domain.ends : Domain.bridge, station, member, remoteOf(member)),
    ),
    rig.station(Domain.loop, LOOP_PEER_MAC, Member.loopTunnel),
    { op: 'set-static-neighbour', spec: { domain: Domain.wan, address: words(REMOTE), mac: mac(PEER_MAC) } },
    { op: 'set-static-neighbour', spec: { domain: Domain.wan, address: words('10.9.1.3'), mac: mac(PEER_MAC) } },
    { op: 'set-static-neighbour', spec: { domain: Domain.wan, address: words(REMOTE6), mac: mac(PEER_MAC) } },
    { op: 'set-static-neighbour', spec: { domain: Domain.loop, address: words('10.8.0.2'), mac: mac(LOOP_PEER_MAC) } },
  ];
}
