// The data plane that the fuzz test works on: every kind of member, tunnel and dead end at once.
//
//   port 0 ─ wan: self IPs 10.9.1.1 and 2001:db8::2, the underlay of the tunnels
//   port 1 ─ bridge, untagged, VLAN 100 and (disabled) 200; ends, VLAN 60; loop, VLAN 50
//   port 2 ─ bridge, untagged, MTU 576; lonely, VLAN 30, with no other member
//   port 3 ─ UDP socket 10.9.2.1:4789
//   port 9 ─ configured in ends, but not there
//   bridge: tunnels point to point, multipoint, over the socket
//   ends:   tunnels without flooding, without endpoints, without a route, one-way, with a remote end that never answers
//   loop:   a tunnel whose remote end lies behind itself

import type { Operation } from '../../src/assembly/dataplaned/spec.ts';
import { FORWARD, type Verdict } from '../../src/core/drop-reason.ts';
import {
  Id,
  ipv4,
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
import { ADAPTER_REFUSALS, FuzzPort } from '../support/fuzz-port.ts';
import type { Random } from './mutator.ts';
import {
  FuzzPorts,
  LOOP_MAC,
  LOOP_PEER_MAC,
  SOCKET_LOCAL,
  SOCKET_REMOTE,
  Station,
  UNRESOLVED_REMOTE,
  Vni,
} from './seeds.ts';
import { UdpChecksum } from '../../src/tunnel/tunnel.ts';

const MISSING_PORT = 9;
const REFUSED_PERCENT = 2;

const Domain = { wan: Id.wanDomain, bridge: Id.bridgeDomain, lonely: 3, loop: 4, ends: 5 } as const;

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
} as const;

/** Members of the domain `ends` that stations live behind. */
const ENDS = new Set<number>([Member.missing, Member.noRoute, Member.unresolved, Member.inboundOnly]);

export function buildTopology(
  random: Random,
  pool: { smallSlots: number; largeSlots: number },
): { rig: Rig; ports: FuzzPort[] } {
  const rig = new Rig({ pool, learnedLimit: 4096 });
  const fate = (): Verdict => (random.chance(REFUSED_PERCENT) ? random.pick(ADAPTER_REFUSALS) : FORWARD);
  const ports = Object.values(FuzzPorts).map((index) => {
    const medium = index === FuzzPorts.socket ? 'udp' : 'ethernet';
    const port = new FuzzPort(rig.arena, rig.allocator, { index, medium, fate });
    const listener = { address: ipv4(SOCKET_LOCAL), port: 4789 };
    rig.dataplane.addPort(port, portRow(index), medium === 'udp' ? listener : undefined);
    return port;
  });
  rig.apply(...domains(), ...interfaces(rig), ...tunnels(rig), ...stations(rig));
  return { rig, ports };
}

function domains(): Operation[] {
  const self = { domain: Domain.wan, isIpv6: false, prefixBits: 24 };
  return [
    { op: 'set-domain', spec: { id: Domain.wan, name: 'wan', localMember: 10, mac: mac(WAN_MAC) } },
    { op: 'set-domain', spec: { id: Domain.bridge, name: 'bridge', localMember: 11, mac: mac(BRIDGE_MAC) } },
    { op: 'set-domain', spec: { id: Domain.lonely, name: 'lonely', localMember: 12, mac: undefined } },
    { op: 'set-domain', spec: { id: Domain.loop, name: 'loop', localMember: 13, mac: mac(LOOP_MAC) } },
    { op: 'set-domain', spec: { id: Domain.ends, name: 'ends', localMember: 14, mac: undefined } },
    { op: 'set-self', spec: { ...self, name: 'wan', words: words(LOCAL) } },
    { op: 'set-self', spec: { ...self, name: 'wan6', words: [0x20010db8, 0, 0, 2], isIpv6: true, prefixBits: 64 } },
    { op: 'set-self', spec: { ...self, name: 'loop', domain: Domain.loop, words: words('10.8.0.1') } },
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
    rig.interfaceMember(Member.loop, Domain.loop, FuzzPorts.inside, 50),
    disabled,
    rig.interfaceMember(Member.endsInside, Domain.ends, FuzzPorts.inside, 60),
    rig.interfaceMember(Member.missing, Domain.ends, MISSING_PORT),
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
    rig.tunnelMember(Member.loopTunnel, {
      domain: Domain.loop,
      splitHorizonGroup: 0,
      tunnel: { key: Vni.loop, local: words('10.8.0.1'), remote: words('10.8.0.2') },
    }),
  ];
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
  ];
  const remoteOf = (member: number) => (member === Member.multipoint ? words(REMOTE) : undefined);
  return [
    ...places.map(([station, member]) =>
      rig.station(ENDS.has(member) ? Domain.ends : Domain.bridge, station, member, remoteOf(member)),
    ),
    rig.station(Domain.loop, LOOP_PEER_MAC, Member.loopTunnel),
    { op: 'set-static-neighbour', spec: { domain: Domain.wan, address: ipv4(REMOTE), mac: mac(PEER_MAC) } },
    { op: 'set-static-neighbour', spec: { domain: Domain.wan, address: ipv4('10.9.1.3'), mac: mac(PEER_MAC) } },
    { op: 'set-static-neighbour', spec: { domain: Domain.loop, address: ipv4('10.8.0.2'), mac: mac(LOOP_PEER_MAC) } },
  ];
}
