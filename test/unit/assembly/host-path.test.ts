// The way to the sockets of this host on memory ports: what comes to them, what they send, and what is refused.
//
//   station 10.1.0.10 ─ port 0 ─ domain "a": 10.1.0.1/24 (tcp:443, udp:53), 2001:db8:a::1/64 ─ port 2 ─ host
//   station 10.2.0.20 ─ port 1 ─ domain "b": 10.2.0.1/24 (nothing) ─────────────────────────── port 3 ─ host

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HostPathSpec } from '../../../src/assembly/dataplaned/spec.ts';
import { FLOW_SECONDS } from '../../../src/route/host-flows.ts';
import { protocolService, udpService } from '../../../src/tunnel/service.ts';
import { TunnelKind } from '../../../src/tunnel/tunnel.ts';
import { parseService } from '../../../src/wire/service-names.ts';
import { mac, Rig, words } from '../../support/dataplane-rig.ts';
import {
  arp,
  ethernet,
  gre,
  igmpPacket,
  ipv4Packet,
  ipv6Octets,
  ipv6Packet,
  octets,
  onesComplement,
  udp,
} from '../../support/frames.ts';

const MAC = ['02:00:00:00:00:0a', '02:00:00:00:00:0b'] as const;
const STATION = ['02:11:00:00:00:0a', '02:11:00:00:00:0b'] as const;
const HOST = ['02:22:00:00:00:0a', '02:22:00:00:00:0b'] as const;
const ROUTER = '02:33:00:00:00:01';
const [SELF_A, SELF_B] = ['10.1.0.1', '10.2.0.1'];
const [NEAR, OTHER, FAR] = ['10.1.0.10', '10.2.0.20', '198.51.100.7'];
const [SELF6, NEAR6] = ['2001:db8:a::1', '2001:db8:a::10'];
/** Ports by which the host is behind each domain. */
const [TO_HOST_A, TO_HOST_B] = [2, 3];
const NEITHER = 0x8100;

function makeRig(change: Partial<HostPathSpec> = {}, routeDomains = [0, 0]): Rig {
  const rig = new Rig();
  for (let port = 0; port < 4; port++) rig.addPort(port);
  [SELF_A, SELF_B].forEach((self, port) => {
    const domain = port + 1;
    const routeDomain = routeDomains[port]!;
    const services = port === 0 ? [parseService('tcp:443')!, parseService('udp:53')!] : [];
    rig.apply(
      {
        op: 'set-domain',
        spec: { id: domain, name: `domain ${domain}`, localMember: 10 + port, mac: mac(MAC[port]!), routeDomain },
      },
      rig.interfaceMember(port, domain, port),
      {
        op: 'set-self',
        spec: { name: self, domain, words: words(self), isIpv6: false, prefixBits: 24, services, routeDomain },
      },
      {
        op: 'set-host-path',
        spec: {
          ...{ domain, port: TO_HOST_A + port, mac: mac(HOST[port]!), ownMac: mac(MAC[port]!), usesLastHop: true },
          ...change,
        },
      },
    );
  });
  const services = [parseService('tcp:443')!];
  rig.apply({
    op: 'set-self',
    spec: { name: SELF6, domain: 1, words: words(SELF6), isIpv6: true, prefixBits: 64, services },
  });
  for (const address of [NEAR, NEAR6, OTHER]) {
    const domain = address === OTHER ? 2 : 1;
    const station = mac(STATION[domain - 1]!);
    rig.apply({ op: 'set-static-neighbour', spec: { domain, address: words(address), mac: station } });
  }
  for (let port = 0; port < 4; port++) rig.received(port);
  return rig;
}

const SYN = 0x02;
const ACK = 0x10;
const RST = 0x04;

/** A TCP segment without options, its checksum not looked at by anything here. */
function tcp(sourcePort: number, destinationPort: number, flags: number, payload = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(destinationPort, 2);
  header[12] = 0x50;
  header[13] = flags;
  return Buffer.concat([header, payload]);
}

const packet4 = (source: string, destination: string, protocol: number, payload: Buffer): Buffer =>
  ipv4Packet({ source, destination, protocol }, payload);

const segment4 = (source: string, destination: string, from: number, to: number, flags: number): Buffer =>
  packet4(source, destination, 6, tcp(from, to, flags));

function icmp4(type: number, rest: Buffer): Buffer {
  const message = Buffer.concat([Buffer.from([type, 0, 0, 0]), rest]);
  message.writeUInt16BE(onesComplement(message), 2);
  return message;
}

/** From the network to our MAC. */
const inbound = (port: number, packet: Buffer, from: string = STATION[port]!): Buffer =>
  ethernet(MAC[port]!, from, packet[0]! >>> 4 === 4 ? 0x0800 : 0x86dd, packet);
/** As the host gets it. */
const toHost = (port: number, packet: Buffer): Buffer =>
  ethernet(HOST[port]!, MAC[port]!, packet[0]! >>> 4 === 4 ? 0x0800 : 0x86dd, packet);
/** As the host sends it. */
const fromHost = (port: number, packet: Buffer): Buffer =>
  ethernet(MAC[port]!, HOST[port]!, packet[0]! >>> 4 === 4 ? 0x0800 : 0x86dd, packet);
/** As a station gets it from us. */
const outbound = (port: number, packet: Buffer, to: string = STATION[port]!): Buffer =>
  ethernet(to, MAC[port]!, packet[0]! >>> 4 === 4 ? 0x0800 : 0x86dd, packet);

describe('packets for a self IP', () => {
  it('go to the host where the service is let in', () => {
    const rig = makeRig();
    const packets = [segment4(NEAR, SELF_A, 5000, 443, SYN), packet4(NEAR, SELF_A, 17, udp(5000, 53, Buffer.alloc(9)))];
    for (const packet of packets) rig.send(0, inbound(0, packet));
    assert.deepEqual(
      rig.received(TO_HOST_A),
      packets.map((packet) => toHost(0, packet)),
    );
    const packet6 = ipv6Packet({ source: NEAR6, destination: SELF6, nextHeader: 6 }, tcp(5000, 443, SYN));
    rig.send(0, inbound(0, packet6));
    assert.deepEqual(rig.received(TO_HOST_A), [toHost(0, packet6)]);
    assert.deepEqual(rig.drops(), {});
  });

  it('are refused where it is not, and said to be', () => {
    const rig = makeRig();
    rig.send(0, inbound(0, segment4(NEAR, SELF_A, 5000, 22, SYN)));
    rig.send(0, inbound(0, segment4(NEAR, SELF_A, 5000, 53, SYN)));
    rig.send(0, inbound(0, packet4(NEAR, SELF_A, 17, udp(5000, 443, Buffer.alloc(9)))));
    rig.send(0, inbound(0, packet4(NEAR, SELF_A, 89, Buffer.alloc(40))));
    rig.send(0, inbound(0, ipv6Packet({ source: NEAR6, destination: SELF6, nextHeader: 6 }, tcp(5000, 53, SYN))));
    assert.deepEqual(rig.drops(), { 'port-lockdown': 5 });
    assert.deepEqual(rig.received(TO_HOST_A), []);
  });

  it('lose the padding of a short frame', () => {
    const rig = makeRig();
    const packet = segment4(NEAR, SELF_A, 5000, 443, SYN);
    rig.send(0, Buffer.concat([inbound(0, packet), Buffer.alloc(6, 0xee)]));
    assert.deepEqual(rig.received(TO_HOST_A), [toHost(0, packet)]);
  });

  it('come by the domain that the address is on, wherever they came in', () => {
    const rig = makeRig();
    const packet = segment4(OTHER, SELF_A, 5000, 443, SYN);
    rig.send(1, inbound(1, packet));
    assert.deepEqual(rig.received(TO_HOST_A), [toHost(0, packet)]);
    assert.deepEqual(rig.received(TO_HOST_B), []);
  });

  it('find nobody in another route domain', () => {
    const rig = makeRig({}, [0, 5]);
    rig.send(1, inbound(1, segment4(OTHER, SELF_A, 5000, 443, SYN)));
    assert.deepEqual(rig.received(TO_HOST_A), []);
    assert.equal(rig.drops()['port-lockdown'], undefined);
  });

  it('do not come from ourselves', () => {
    const rig = makeRig();
    rig.send(0, inbound(0, segment4(SELF_A, SELF_A, 5000, 443, SYN)));
    assert.deepEqual(rig.drops(), { 'own-packet-returned': 1 });
  });

  it('are dropped as before where there is no way to the host', () => {
    const rig = makeRig();
    rig.apply({ op: 'remove-host-path', domain: 1 });
    rig.send(0, inbound(0, segment4(NEAR, SELF_A, 5000, 443, SYN)));
    rig.send(0, inbound(0, packet4(NEAR, SELF_A, 17, udp(5000, 53, Buffer.alloc(9)))));
    assert.deepEqual(rig.drops(), { 'local-unsupported': 1, 'unknown-tunnel-port': 1 });
  });

  it('are still answered by us where they ask for an echo', () => {
    const rig = makeRig();
    rig.send(0, inbound(0, packet4(NEAR, SELF_A, 1, icmp4(8, Buffer.from([0, 1, 0, 1])))));
    assert.equal(rig.received(0).length, 1);
    assert.deepEqual(rig.received(TO_HOST_A), []);
  });
});

describe('fragments for a self IP', () => {
  const MORE = 0x2000;
  const part = (flags: number, payload: Buffer, protocol = 17): Buffer =>
    ipv4Packet({ source: NEAR, destination: SELF_A, protocol, flags, identification: 77 }, payload);
  const whole = udp(5000, 53, Buffer.alloc(60, 7));
  const first = part(MORE, whole.subarray(0, 32));
  const last = part(32 / 8, whole.subarray(32));

  it('go to the host as they are, the later ones after the first', () => {
    const rig = makeRig();
    rig.send(0, inbound(0, first));
    rig.send(0, Buffer.concat([inbound(0, last), Buffer.alloc(10, 0xee)]));
    assert.deepEqual(rig.received(TO_HOST_A), [toHost(0, first), toHost(0, last)]);
    assert.deepEqual(rig.drops(), {});
  });

  it('do not without the first, after one that is refused, or for a tunnel', () => {
    const rig = makeRig();
    rig.send(0, inbound(0, last));
    rig.send(0, inbound(0, part(MORE, udp(5000, 54, Buffer.alloc(24)))));
    rig.send(0, inbound(0, last));
    rig.apply(
      rig.tunnelMember(20, {
        domain: 2,
        tunnel: { local: words(SELF_A), remote: words(NEAR), service: udpService(53) },
      }),
    );
    rig.send(0, inbound(0, first));
    assert.deepEqual(rig.received(TO_HOST_A), []);
  });

  it('of IPv6 as well', () => {
    const rig = makeRig();
    const segment = tcp(5000, 443, SYN, Buffer.alloc(36, 9));
    const piece = (offset: number, more: number, payload: Buffer, next = 6): Buffer => {
      const header = Buffer.from([next, 0, 0, offset | more, 0, 0, 0, 5]);
      return ipv6Packet({ source: NEAR6, destination: SELF6, nextHeader: 44 }, Buffer.concat([header, payload]));
    };
    const pieces = [piece(0, 1, segment.subarray(0, 32)), piece(32, 0, segment.subarray(32))];
    for (const packet of pieces) rig.send(0, inbound(0, packet));
    assert.deepEqual(
      rig.received(TO_HOST_A),
      pieces.map((packet) => toHost(0, packet)),
    );
  });
});

describe('what the host sends', () => {
  it('goes to its neighbour, from our MAC, whatever MAC the host gave it', () => {
    const rig = makeRig();
    const packet = segment4(SELF_A, NEAR, 6000, 80, SYN);
    rig.send(TO_HOST_A, fromHost(0, packet));
    rig.send(TO_HOST_A, ethernet('02:99:00:00:00:01', HOST[0], 0x0800, packet));
    assert.deepEqual(rig.received(0), [outbound(0, packet), outbound(0, packet)]);
    const packet6 = ipv6Packet({ source: SELF6, destination: NEAR6, nextHeader: 6 }, tcp(6000, 80, SYN));
    rig.send(TO_HOST_A, fromHost(0, packet6));
    assert.deepEqual(rig.received(0), [outbound(0, packet6)]);
  });

  it('leaves by another domain where the destination is there', () => {
    const rig = makeRig();
    const packet = segment4(SELF_A, OTHER, 6000, 80, SYN);
    rig.send(TO_HOST_A, fromHost(0, packet));
    assert.deepEqual(rig.received(1), [outbound(1, packet)]);
  });

  it('gets its answers although nothing is let in, for as long as a flow lives', () => {
    const rig = makeRig();
    const answer = packet4(OTHER, SELF_B, 17, udp(123, 6000, Buffer.alloc(5)));
    rig.send(1, inbound(1, answer));
    assert.deepEqual(rig.drops(), { 'port-lockdown': 1 });
    rig.send(TO_HOST_B, fromHost(1, packet4(SELF_B, OTHER, 17, udp(6000, 123, Buffer.alloc(5)))));
    rig.send(1, inbound(1, answer));
    assert.deepEqual(rig.received(TO_HOST_B), [toHost(1, answer)]);
    rig.send(1, inbound(1, packet4(OTHER, SELF_B, 17, udp(124, 6000, Buffer.alloc(5)))));
    assert.deepEqual(rig.drops(), { 'port-lockdown': 2 });
    rig.nowMs += (FLOW_SECONDS.udp + 1) * 1000;
    rig.send(1, inbound(1, answer));
    assert.deepEqual(rig.drops(), { 'port-lockdown': 3 });
  });

  it('opens nothing by refusing a connection', () => {
    const rig = makeRig();
    rig.send(TO_HOST_B, fromHost(1, segment4(SELF_B, OTHER, 22, 7000, RST | ACK)));
    rig.send(1, inbound(1, segment4(OTHER, SELF_B, 7000, 22, SYN)));
    assert.deepEqual(rig.drops(), { 'port-lockdown': 1 });
  });

  it('hears the answers to its own echoes, by their identifier', () => {
    const rig = makeRig();
    const [request, reply] = [8, 0].map((type) => icmp4(type, Buffer.from([0x12, 0x34, 0, 1]))) as [Buffer, Buffer];
    rig.send(TO_HOST_B, fromHost(1, packet4(SELF_B, OTHER, 1, request)));
    assert.deepEqual(rig.received(1), [outbound(1, packet4(SELF_B, OTHER, 1, request))]);
    rig.send(1, inbound(1, packet4(OTHER, SELF_B, 1, reply)));
    assert.deepEqual(rig.received(TO_HOST_B), [toHost(1, packet4(OTHER, SELF_B, 1, reply))]);
    rig.send(1, inbound(1, packet4(OTHER, SELF_B, 1, icmp4(0, Buffer.from([0x12, 0x35, 0, 1])))));
    assert.deepEqual(rig.drops(), { 'port-lockdown': 1 });
  });

  it('hears errors about its packets, from whoever says so, and no others', () => {
    const rig = makeRig();
    const sent = packet4(SELF_B, OTHER, 17, udp(6000, 123, Buffer.alloc(5)));
    const unsent = packet4(SELF_B, OTHER, 17, udp(6001, 123, Buffer.alloc(5)));
    rig.send(TO_HOST_B, fromHost(1, sent));
    const about = (packet: Buffer): Buffer =>
      packet4('203.0.113.1', SELF_B, 1, icmp4(3, Buffer.concat([Buffer.alloc(4), packet.subarray(0, 28)])));
    rig.send(1, inbound(1, about(sent)));
    assert.deepEqual(rig.received(TO_HOST_B), [toHost(1, about(sent))]);
    rig.send(1, inbound(1, about(unsent)));
    assert.deepEqual(rig.drops(), { 'port-lockdown': 1 });
  });

  it('is told by an ICMP error, which is let in, that there is no route', () => {
    const rig = makeRig();
    const packet = segment4(SELF_A, FAR, 6000, 80, SYN);
    rig.send(TO_HOST_A, fromHost(0, packet));
    const [error, ...rest] = rig.received(TO_HOST_A);
    assert.deepEqual(rest, []);
    assert.deepEqual(error?.subarray(0, 14), toHost(0, packet).subarray(0, 14));
    assert.equal(error[23], 1, 'ICMP');
    assert.equal(error[34], 3, 'unreachable');
    assert.deepEqual(error.subarray(42, 62), packet.subarray(0, 20));
    assert.deepEqual(rig.drops(), { 'no-route': 1 });
  });

  it('has to come from a self IP of the domain, and go to one host', () => {
    const rig = makeRig();
    for (const [source, destination] of [
      ['172.17.0.2', NEAR],
      [SELF_B, NEAR],
      [SELF_A, '255.255.255.255'],
    ] as const) {
      rig.send(TO_HOST_A, fromHost(0, packet4(source, destination, 17, udp(5353, 5353, Buffer.alloc(5)))));
    }
    rig.send(TO_HOST_A, ethernet(MAC[0], HOST[0], NEITHER, Buffer.alloc(50)));
    assert.deepEqual(rig.drops(), { 'host-unsupported': 4 });
    assert.deepEqual(rig.received(0), []);
  });
});

describe('auto-lasthop', () => {
  const syn = segment4(FAR, SELF_A, 5000, 443, SYN);
  const answer = segment4(SELF_A, FAR, 443, 5000, SYN | ACK);

  it('sends replies to the MAC that the request came from, without any route', () => {
    const rig = makeRig();
    rig.send(0, inbound(0, syn, ROUTER));
    assert.deepEqual(rig.received(TO_HOST_A), [toHost(0, syn)]);
    rig.send(TO_HOST_A, fromHost(0, answer));
    assert.deepEqual(rig.received(0), [outbound(0, answer, ROUTER)]);
    assert.deepEqual(rig.drops(), {});
  });

  it('follows the router to another port', () => {
    const rig = makeRig();
    rig.apply(rig.interfaceMember(5, 1, 1, 77));
    rig.send(0, inbound(0, syn, ROUTER));
    rig.inject(1, inbound(0, syn, ROUTER), { vlanTpid: 0x8100, vlanTci: 77 });
    rig.dataplane.breath();
    rig.received(1);
    rig.send(TO_HOST_A, fromHost(0, answer));
    assert.deepEqual(rig.received(0), []);
    assert.equal(rig.received(1).length, 1);
  });

  it('goes back into another domain, by which the request came', () => {
    const rig = makeRig();
    rig.send(1, inbound(1, syn, ROUTER));
    rig.send(TO_HOST_A, fromHost(0, answer));
    assert.deepEqual(rig.received(1), [outbound(1, answer, ROUTER)]);
  });

  it('is off where the VLAN says so', () => {
    const rig = makeRig({ usesLastHop: false });
    rig.send(0, inbound(0, syn, ROUTER));
    rig.send(TO_HOST_A, fromHost(0, answer));
    assert.deepEqual(rig.received(0), []);
    assert.deepEqual(rig.drops(), { 'no-route': 1 });
  });

  it('does not hold for what this host began', () => {
    const rig = makeRig();
    rig.send(TO_HOST_A, fromHost(0, segment4(SELF_A, NEAR, 6000, 80, SYN)));
    rig.send(0, inbound(0, segment4(NEAR, SELF_A, 80, 6000, SYN | ACK), ROUTER));
    rig.received(0);
    const packet = segment4(SELF_A, NEAR, 6000, 80, ACK);
    rig.send(TO_HOST_A, fromHost(0, packet));
    assert.deepEqual(rig.received(0), [outbound(0, packet)]);
  });
});

describe('a layer 3 tunnel', () => {
  const [INNER, PEER] = ['172.16.9.1', '172.16.9.2'];
  const [TO_HOST_GRE, GRE_DOMAIN, GRE_MEMBER] = [4, 3, 30];
  const GATEWAY = '02:00:00:00:00:0c';
  const HOST_GRE = '02:22:00:00:00:0c';

  function greRig(): Rig {
    const rig = makeRig();
    rig.addPort(TO_HOST_GRE);
    const services = [parseService('tcp:443')!, parseService('udp:53')!];
    rig.apply(
      { op: 'set-domain', spec: { id: GRE_DOMAIN, name: 'gre', localMember: 15, mac: undefined, isLayer3: true } },
      rig.tunnelMember(GRE_MEMBER, {
        ...{ domain: GRE_DOMAIN, splitHorizonGroup: 0 },
        tunnel: {
          ...{ kind: TunnelKind.gre, key: 0, service: protocolService(47), mtu: 1476 },
          ...{ local: words(SELF_A), remote: words(NEAR) },
        },
      }),
      {
        op: 'set-self',
        spec: { name: INNER, domain: GRE_DOMAIN, words: words(INNER), isIpv6: false, prefixBits: 24, services },
      },
      {
        op: 'set-host-path',
        spec: {
          ...{ domain: GRE_DOMAIN, port: TO_HOST_GRE, usesLastHop: true },
          ...{ mac: mac(HOST_GRE), ownMac: mac(GATEWAY) },
        },
      },
    );
    for (let port = 0; port < 5; port++) rig.received(port);
    return rig;
  }

  const carried = (packet: Buffer): Buffer => inbound(0, packet4(NEAR, SELF_A, 47, gre(0x0800, packet)));

  it('carries packets between the host and its other end, both ways', () => {
    const rig = greRig();
    const syn = segment4(PEER, INNER, 5000, 443, SYN);
    rig.send(0, carried(syn));
    assert.deepEqual(rig.received(TO_HOST_GRE), [ethernet(HOST_GRE, GATEWAY, 0x0800, syn)]);
    rig.send(0, carried(segment4(PEER, INNER, 5000, 22, SYN)));
    assert.deepEqual(rig.drops(), { 'port-lockdown': 1 });
    const packet = segment4(INNER, PEER, 6000, 80, SYN);
    rig.send(TO_HOST_GRE, ethernet(GATEWAY, HOST_GRE, 0x0800, packet));
    const [outer] = rig.received(0);
    assert.deepEqual(outer?.subarray(38), packet);
    assert.equal(outer[23], 47);
  });

  it('carries what is sent to a group, both ways', () => {
    const rig = greRig();
    const group = '224.0.0.251';
    const report = Buffer.from('2200000000000001040000 00e00000fb'.replace(' ', ''), 'hex');
    const question = packet4(PEER, group, 17, udp(5000, 53, Buffer.alloc(9)));
    rig.send(0, carried(question));
    assert.deepEqual(rig.drops(), { 'not-forwarded': 1 });
    rig.send(TO_HOST_GRE, ethernet('01:00:5e:00:00:16', HOST_GRE, 0x0800, igmpPacket(INNER, '224.0.0.22', report)));
    rig.send(0, carried(question));
    assert.deepEqual(rig.received(TO_HOST_GRE), [ethernet('01:00:5e:00:00:fb', GATEWAY, 0x0800, question)]);
    const packet = packet4(INNER, group, 17, udp(5000, 53, Buffer.alloc(9)));
    rig.send(TO_HOST_GRE, ethernet('01:00:5e:00:00:fb', HOST_GRE, 0x0800, packet));
    const [outer] = rig.received(0);
    assert.deepEqual(outer?.subarray(38), packet);
    assert.deepEqual(rig.drops(), { 'not-forwarded': 1 });
  });

  it('is the last hop of what came by it, without any route', () => {
    const rig = greRig();
    rig.send(0, carried(segment4(FAR, INNER, 5000, 443, SYN)));
    rig.received(TO_HOST_GRE);
    const answer = segment4(INNER, FAR, 443, 5000, SYN | ACK);
    rig.send(TO_HOST_GRE, ethernet(GATEWAY, HOST_GRE, 0x0800, answer));
    const [outer] = rig.received(0);
    assert.deepEqual(outer?.subarray(38), answer);
    assert.deepEqual(rig.drops(), {});
  });
});

describe('a connection from before a restart', () => {
  it('goes on, and remembers its last hop again', () => {
    const rig = makeRig();
    const socket = { routeDomain: 0, protocol: 6, localPort: 40_000, remotePort: 80 };
    const from = segment4(FAR, SELF_B, 80, 40_000, ACK);
    rig.send(1, inbound(1, from, ROUTER));
    assert.deepEqual(rig.drops(), { 'port-lockdown': 1 });
    rig.apply({ op: 'seed-host-flows', sockets: [{ ...socket, local: words(SELF_B), remote: words(FAR) }] });
    rig.send(1, inbound(1, from, ROUTER));
    assert.deepEqual(rig.received(TO_HOST_B), [toHost(1, from)]);
    const answer = segment4(SELF_B, FAR, 40_000, 80, ACK);
    rig.send(TO_HOST_B, fromHost(1, answer));
    assert.deepEqual(rig.received(1), [outbound(1, answer, ROUTER)]);
  });
});

describe('the link to the host', () => {
  const BROADCAST = 'ff:ff:ff:ff:ff:ff';

  it('answers ARP for every address but those of the host', () => {
    const rig = makeRig();
    for (const target of ['169.254.1.1', NEAR, FAR]) {
      rig.send(TO_HOST_A, ethernet(BROADCAST, HOST[0], 0x0806, arp(1, HOST[0], SELF_A, '00:00:00:00:00:00', target)));
      const reply = ethernet(HOST[0], MAC[0], 0x0806, arp(2, MAC[0], target, HOST[0], SELF_A));
      assert.deepEqual(rig.received(TO_HOST_A), [reply]);
    }
    for (const [source, target] of [
      [SELF_A, SELF_A],
      ['0.0.0.0', SELF_A],
      ['0.0.0.0', '0.0.0.0'],
    ] as const) {
      rig.send(TO_HOST_A, ethernet(BROADCAST, HOST[0], 0x0806, arp(1, HOST[0], source, '00:00:00:00:00:00', target)));
    }
    assert.deepEqual(rig.received(TO_HOST_A), []);
    assert.deepEqual(rig.received(0), [], 'nothing of this is for the network');
    assert.deepEqual(rig.drops(), {});
  });

  const solicitation = (source: string, target: string): Buffer => {
    const group = Buffer.from(ipv6Octets('ff02::1:ff00:0'));
    group.set(ipv6Octets(target).subarray(13), 13);
    const destination = [0, 2, 4, 6, 8, 10, 12, 14].map((at) => group.readUInt16BE(at).toString(16)).join(':');
    const option = source === '::' ? Buffer.alloc(0) : Buffer.concat([Buffer.from([1, 1]), octets(HOST[0])]);
    const message = Buffer.concat([Buffer.from([135, 0, 0, 0, 0, 0, 0, 0]), ipv6Octets(target), option]);
    const packet = ipv6Packet({ source, destination, nextHeader: 58, hopLimit: 255 }, message, 2);
    return ethernet('33:33:ff:00:00:01', HOST[0], 0x86dd, packet);
  };

  it('answers neighbour discovery for every address but those of the host', () => {
    const rig = makeRig();
    for (const target of ['fe80::1', NEAR6, '2001:db8:ffff::1']) {
      rig.send(TO_HOST_A, solicitation('fe80::22', target));
      const [reply, ...rest] = rig.received(TO_HOST_A);
      assert.deepEqual(rest, []);
      assert.deepEqual(reply?.subarray(0, 14), toHost(0, Buffer.from([0x60])).subarray(0, 14));
      assert.deepEqual(reply.subarray(38, 54), ipv6Octets('fe80::22'));
      assert.equal(reply[54], 136);
      assert.deepEqual(reply.subarray(62, 78), ipv6Octets(target));
      assert.deepEqual(reply.subarray(80, 86), octets(MAC[0]));
    }
    for (const [source, target] of [
      ['::', 'fe80::22'],
      ['fe80::22', SELF6],
    ] as const) {
      rig.send(TO_HOST_A, solicitation(source, target));
    }
    assert.deepEqual(rig.received(TO_HOST_A), []);
    assert.deepEqual(rig.received(0), [], 'nothing of this is for the network');
    assert.deepEqual(rig.drops(), {});
  });
});
