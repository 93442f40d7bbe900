// Routing between VLANs on memory ports: who gets a packet, what it looks like then, and what is said when nobody does.
//
//   host 10.1.0.10 ─ port 0 ─ domain "a": 10.1.0.1/24, 2001:db8:a::1/64 ─┐
//                                                                        ├─ route domain 0
//   host 10.2.0.20 ─ port 1 ─ domain "b": 10.2.0.1/24, 2001:db8:b::1/64 ─┘
//   host 10.1.0.10 ─ port 2 ─ domain "c": 10.1.0.1/24 ─┐
//                                                      ├─ route domain 5
//   host 10.2.0.20 ─ port 3 ─ domain "d": 10.2.0.1/24 ─┘

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Book } from '../../../src/pipeline/books.ts';
import { Id, LOCAL, mac, PEER_MAC, REMOTE, Rig, type RigOptions, words } from '../../support/dataplane-rig.ts';
import { arp, ethernet, hostFrame, ipv4Packet, ipv6Packet, octets, onesComplement, udp } from '../../support/frames.ts';

const MAC = ['02:00:00:00:00:0a', '02:00:00:00:00:0b', '02:00:00:00:00:0c', '02:00:00:00:00:0d'] as const;
const HOST_MAC = ['02:11:00:00:00:0a', '02:11:00:00:00:0b', '02:11:00:00:00:0c', '02:11:00:00:00:0d'] as const;
const [HOST_A, HOST_B] = ['10.1.0.10', '10.2.0.20'];
const [HOST6_A, HOST6_B] = ['2001:db8:a::10', '2001:db8:b::20'];
const DOMAINS = [
  { id: 1, routeDomain: 0, self: '10.1.0.1', host: HOST_A },
  { id: 2, routeDomain: 0, self: '10.2.0.1', host: HOST_B },
  { id: 3, routeDomain: 5, self: '10.1.0.1', host: HOST_A },
  { id: 4, routeDomain: 5, self: '10.2.0.1', host: HOST_B },
] as const;

function makeRig(options: RigOptions & { resolved?: boolean } = {}): Rig {
  const rig = new Rig(options);
  DOMAINS.forEach(({ id, routeDomain, self }, port) => {
    rig.addPort(port);
    rig.apply(
      {
        op: 'set-domain',
        spec: { id, name: `domain ${id}`, localMember: 10 + port, mac: mac(MAC[port]!), routeDomain },
      },
      rig.interfaceMember(port, id, port),
      {
        op: 'set-self',
        spec: { name: `self ${id}`, domain: id, words: words(self), isIpv6: false, prefixBits: 24, routeDomain },
      },
    );
  });
  for (const [domain, address] of [
    [1, '2001:db8:a::1'],
    [2, '2001:db8:b::1'],
  ] as const) {
    rig.apply({
      op: 'set-self',
      spec: { name: `self6 ${domain}`, domain, words: words(address), isIpv6: true, prefixBits: 64 },
    });
  }
  if (options.resolved !== false) {
    DOMAINS.forEach(({ id, host }, port) => neighbour(rig, id, host, HOST_MAC[port]!));
    neighbour(rig, 1, HOST6_A, HOST_MAC[0]);
    neighbour(rig, 2, HOST6_B, HOST_MAC[1]);
  }
  for (let port = 0; port < 4; port++) rig.received(port);
  return rig;
}

function neighbour(rig: Rig, domain: number, address: string, station: string): void {
  rig.apply({ op: 'set-static-neighbour', spec: { domain, address: words(address), mac: mac(station) } });
}

type Packet = { source?: string; destination?: string; ttl?: number; size?: number; flags?: number; protocol?: number };

function packet4({
  source = HOST_A,
  destination = HOST_B,
  ttl = 64,
  size = 40,
  flags,
  protocol = 17,
}: Packet = {}): Buffer {
  const payload = udp(1111, 2222, Buffer.alloc(size - 28));
  return ipv4Packet({ source, destination, protocol, ttl, ...(flags === undefined ? {} : { flags }) }, payload);
}

function packet6({ source = HOST6_A, destination = HOST6_B, ttl = 64, size = 60 }: Packet = {}): Buffer {
  return ipv6Packet(
    { source, destination, nextHeader: 17, hopLimit: ttl },
    udp(1111, 2222, Buffer.alloc(size - 48)),
    6,
  );
}

/** To our MAC on a port, from the host there. */
const frame = (port: number, packet: Buffer): Buffer =>
  ethernet(MAC[port]!, HOST_MAC[port]!, packet[0]! >>> 4 === 4 ? 0x0800 : 0x86dd, packet);

describe('routing between two VLANs', () => {
  it('hands an IPv4 packet to the host on the other one, one hop older', () => {
    const rig = makeRig();
    rig.send(0, frame(0, packet4({ ttl: 9 })));
    assert.deepEqual(rig.received(1), [ethernet(HOST_MAC[1], MAC[1], 0x0800, packet4({ ttl: 8 }))]);
    assert.deepEqual(rig.drops(), {});
  });

  it('does the same with IPv6', () => {
    const rig = makeRig();
    rig.send(0, frame(0, packet6({ ttl: 9 })));
    assert.deepEqual(rig.received(1), [ethernet(HOST_MAC[1], MAC[1], 0x86dd, packet6({ ttl: 8 }))]);
    assert.deepEqual(rig.drops(), {});
  });

  it('cuts off the padding of a short frame', () => {
    const rig = makeRig();
    rig.send(0, Buffer.concat([frame(0, packet4({ size: 30 })), Buffer.alloc(16, 0xee)]));
    assert.deepEqual(rig.received(1), [ethernet(HOST_MAC[1], MAC[1], 0x0800, packet4({ size: 30, ttl: 63 }))]);
  });

  it('asks for the host, and sends what waits in order', () => {
    const rig = makeRig({ resolved: false });
    for (let ttl = 10; ttl < 13; ttl++) rig.send(0, frame(0, packet4({ ttl })));
    const [request, ...rest] = rig.received(1);
    assert.deepEqual(rest, []);
    assert.deepEqual(request?.subarray(12, 22), octets('0806 0001 0800 0604 0001'));
    assert.deepEqual(request.subarray(28, 32), Buffer.from([10, 2, 0, 1]), 'from the self IP of that network');
    assert.equal(rig.books[Book.held], 3);
    rig.send(1, ethernet(MAC[1], HOST_MAC[1], 0x0806, arp(2, HOST_MAC[1], HOST_B, MAC[1], '10.2.0.1')));
    assert.deepEqual(
      rig.received(1),
      [9, 10, 11].map((ttl) => ethernet(HOST_MAC[1], MAC[1], 0x0800, packet4({ ttl }))),
    );
    assert.equal(rig.books[Book.held], 0);
  });

  it('keeps route domains with the same addresses apart', () => {
    const rig = makeRig();
    rig.send(2, frame(2, packet4()));
    assert.equal(rig.received(1).length, 0);
    assert.deepEqual(rig.received(3), [ethernet(HOST_MAC[3], MAC[3], 0x0800, packet4({ ttl: 63 }))]);
    rig.send(0, frame(0, packet4()));
    assert.equal(rig.received(3).length, 0);
    assert.equal(rig.received(1).length, 1);
  });
});

describe('a packet that cannot go on', () => {
  /** Type, code and the rest of the header of an ICMP error, and whether its checksums are right. */
  function readError(reply: Buffer | undefined): { type: number; code: number; mtu: number; source: string } {
    assert.ok(reply !== undefined, 'there is no error');
    assert.deepEqual(reply.subarray(0, 6), octets(HOST_MAC[0]), 'it goes back to the station that sent the packet');
    const ip = reply.subarray(14);
    assert.equal(onesComplement(ip.subarray(0, 20)), 0);
    assert.equal(onesComplement(ip.subarray(20)), 0);
    return { type: ip[20]!, code: ip[21]!, mtu: ip.readUInt16BE(26), source: [...ip.subarray(12, 16)].join('.') };
  }

  it('is reported to its sender when its TTL runs out', () => {
    const rig = makeRig();
    rig.send(0, frame(0, packet4({ ttl: 1 })));
    assert.deepEqual(rig.drops(), { 'ttl-expired': 1 });
    assert.deepEqual(readError(rig.received(0)[0]), { type: 11, code: 0, mtu: 0, source: '10.1.0.1' });
  });

  it('is reported when there is no route', () => {
    const rig = makeRig();
    rig.send(0, frame(0, packet4({ destination: '10.99.0.1' })));
    assert.deepEqual(rig.drops(), { 'no-route': 1 });
    assert.deepEqual(readError(rig.received(0)[0]), { type: 3, code: 0, mtu: 0, source: '10.1.0.1' });
  });

  it('is reported when it is larger than the way out', () => {
    const rig = makeRig();
    rig.apply(rig.interfaceMember(1, 2, 1, 0, { mtu: 1400 }));
    rig.send(0, frame(0, packet4({ size: 1401 })));
    assert.deepEqual(rig.drops(), { 'route-mtu-exceeded': 1 });
    assert.deepEqual(readError(rig.received(0)[0]), { type: 3, code: 4, mtu: 1400, source: '10.1.0.1' });
    rig.send(0, frame(0, packet4({ size: 1400 })));
    assert.equal(rig.received(1).length, 1);
  });

  it('is reported when the host does not answer', () => {
    const rig = makeRig({ resolved: false });
    neighbour(rig, 1, HOST_A, HOST_MAC[0]);
    rig.send(0, frame(0, packet4()));
    for (let second = 0; second < 6; second++) rig.advance(1001);
    assert.deepEqual(rig.drops(), { 'neighbour-unresolved': 1 });
    assert.equal(rig.books[Book.held], 0);
    assert.deepEqual(readError(rig.received(0)[0]), { type: 3, code: 1, mtu: 0, source: '10.1.0.1' });
  });

  it('goes silently into a blackhole', () => {
    const rig = makeRig();
    rig.route('10.66.0.0/16', { kind: 'blackhole' });
    rig.send(0, frame(0, packet4({ destination: '10.66.1.1' })));
    assert.deepEqual(rig.drops(), { blackhole: 1 });
    assert.deepEqual(rig.received(0), []);
  });
});

describe('several gateways of one route', () => {
  const gateways = [2, 3].map((last) => ({ domain: 2, address: words(`10.2.0.${last}`) }));
  const STATIONS = ['02:33:00:00:00:02', '02:33:00:00:00:03'];

  /** To which of the two gateways each of 64 flows goes. */
  function spread(rig: Rig): number[] {
    const counts = [0, 0];
    for (let flow = 0; flow < 64; flow++) {
      const packet = ipv4Packet(
        { source: HOST_A, destination: '10.50.0.1', protocol: 17 },
        udp(1000 + flow, 2222, Buffer.alloc(12)),
      );
      rig.send(0, frame(0, packet));
      for (const sent of rig.received(1)) {
        const station = STATIONS.findIndex((text) => octets(text).equals(sent.subarray(0, 6)));
        if (station !== -1) counts[station]! += 1;
      }
    }
    return counts;
  }

  function withGateways(answering: readonly number[]): Rig {
    const rig = makeRig();
    rig.route('10.50.0.0/16', { kind: 'gateways', gateways, mtu: 0 });
    for (const which of answering) neighbour(rig, 2, `10.2.0.${which + 2}`, STATIONS[which]!);
    rig.received(1);
    return rig;
  }

  it('share the flows between them, each of which stays with one', () => {
    const rig = withGateways([0, 1]);
    const first = spread(rig);
    assert.ok(first.every((count) => count > 16) && (first[0] ?? 0) + (first[1] ?? 0) === 64, first.join(' '));
    assert.deepEqual(spread(rig), first);
  });

  it('leave out one that does not answer, and ask for it until it does', () => {
    const rig = withGateways([1]);
    assert.deepEqual(spread(rig), [0, 64]);
    for (let second = 0; second < 8; second++) rig.advance(1001);
    const asked = rig.received(1).filter((sent) => sent.readUInt16BE(12) === 0x0806 && sent[41] === 2);
    assert.ok(asked.length > 3, `${asked.length} requests for the silent gateway`);
    rig.send(1, ethernet(MAC[1], STATIONS[0]!, 0x0806, arp(2, STATIONS[0]!, '10.2.0.2', MAC[1], '10.2.0.1')));
    const both = spread(rig);
    assert.ok(
      both.every((count) => count > 16),
      both.join(' '),
    );
  });
});

describe('route domains', () => {
  it('ask their parent for what has no route', () => {
    const rig = makeRig();
    const other = frame(2, packet4({ destination: '2.2.2.2' }));
    rig.route('2.2.0.0/16', { kind: 'gateways', gateways: [{ domain: 2, address: words(HOST_B) }], mtu: 0 });
    rig.send(2, other);
    assert.deepEqual(rig.drops(), { 'no-route': 1 });
    rig.parent(5, 0);
    rig.send(2, other);
    assert.deepEqual(rig.received(1), [
      ethernet(HOST_MAC[1], MAC[1], 0x0800, packet4({ destination: '2.2.2.2', ttl: 63 })),
    ]);
  });

  it('let no packet through to the addresses of the parent itself', () => {
    const rig = makeRig();
    rig.apply({
      op: 'set-self',
      spec: { name: 'only', domain: 1, words: words('10.9.0.1'), isIpv6: false, prefixBits: 24 },
    });
    rig.parent(5, 0);
    rig.send(2, frame(2, packet4({ destination: '10.9.0.1' })));
    assert.deepEqual(rig.drops(), { 'strict-isolation': 1 });
  });

  it('answer echo on an address of another VLAN of the same domain', () => {
    const rig = makeRig();
    const message = octets('0800 0000 0001 0001 0102030405060708');
    message.writeUInt16BE(onesComplement(message), 2);
    const echo = (destination: string): Buffer => ipv4Packet({ source: HOST_A, destination, protocol: 1 }, message);
    rig.send(0, frame(0, echo('10.2.0.1')));
    const [reply] = rig.received(0);
    assert.equal(reply?.[34], 0, 'an echo reply');
    assert.deepEqual(reply.subarray(0, 6), octets(HOST_MAC[0]));
  });
});

describe('a packet that no router forwards', () => {
  const cases: [reason: string, packet: Packet][] = [
    ['not-forwarded', { destination: '10.2.0.255' }],
    ['not-forwarded', { destination: '169.254.1.1' }],
    ['not-forwarded', { destination: '127.0.0.1' }],
    ['source-not-forwarded', { source: '127.0.0.1' }],
    ['source-not-forwarded', { source: '224.0.0.5' }],
  ];
  for (const [reason, packet] of cases) {
    it(`is dropped with ${reason}: ${packet.source ?? HOST_A} to ${packet.destination ?? HOST_B}`, () => {
      const rig = makeRig();
      rig.send(0, frame(0, packet4(packet)));
      assert.deepEqual(rig.drops(), { [reason]: 1 });
      assert.deepEqual(rig.received(0), [], 'and nothing is said');
    });
  }

  it('is dropped when there are too many hosts already', () => {
    const rig = makeRig({ resolved: false, hostLimit: 3 });
    for (let host = 30; host < 35; host++) rig.send(0, frame(0, packet4({ destination: `10.2.0.${host}` })));
    assert.deepEqual(rig.drops(), { 'too-many-hosts': 2 });
    for (let second = 0; second < 12; second++) rig.advance(1001);
    const before = rig.drops()['too-many-hosts'];
    rig.send(0, frame(0, packet4({ destination: '10.2.0.40' })));
    assert.equal(rig.drops()['too-many-hosts'], before, 'those that did not answer are forgotten');
    assert.equal(rig.books[Book.held], 1);
  });
});

describe('a tunnel endpoint', () => {
  it('is reached by a gateway, and by another one when the route changes', () => {
    const rig = Rig.withTunnel();
    rig.apply(rig.tunnelMember(Id.vx1, { tunnel: { remote: words('203.0.113.9') } }));
    rig.send(1, hostFrame('02:bb:00:00:00:01', '02:aa:00:00:00:01'));
    assert.deepEqual(rig.drops(), { 'no-route': 1 });
    for (const [gateway, station] of [
      ['10.9.1.254', '02:ee:00:00:00:fe'],
      ['10.9.1.253', '02:ee:00:00:00:fd'],
    ] as const) {
      neighbour(rig, Id.wanDomain, gateway, station);
      const target = { domain: Id.wanDomain, address: words(gateway) };
      rig.route('203.0.113.0/24', { kind: 'gateways', gateways: [target], mtu: 0 });
      rig.received(0);
      rig.send(1, hostFrame('02:bb:00:00:00:01', '02:aa:00:00:00:01'));
      const [sent] = rig.received(0);
      assert.deepEqual(sent?.subarray(0, 6), octets(station));
      assert.deepEqual(sent.subarray(30, 34), Buffer.from([203, 0, 113, 9]));
    }
    rig.route('203.0.113.0/24', undefined);
    rig.send(1, hostFrame('02:bb:00:00:00:01', '02:aa:00:00:00:01'));
    assert.deepEqual(rig.drops(), { 'no-route': 2 });
  });

  it('of the same address in two route domains is two', () => {
    const rig = Rig.withTunnel();
    rig.addPort(2);
    const [domain, member] = [5, Id.firstFree];
    rig.apply(
      { op: 'set-domain', spec: { id: domain, name: 'wan7', localMember: 15, mac: mac(MAC[2]), routeDomain: 7 } },
      rig.interfaceMember(9, domain, 2),
      {
        op: 'set-self',
        spec: { name: 's7', domain, words: words(LOCAL), isIpv6: false, prefixBits: 24, routeDomain: 7 },
      },
      rig.tunnelMember(member, { domain: Id.bridgeDomain, tunnel: { routeDomain: 7 } }),
    );
    rig.resolveRemote();
    neighbour(rig, domain, REMOTE, HOST_MAC[2]);
    for (const port of [0, 2]) rig.received(port);
    rig.send(1, hostFrame('02:bb:00:00:00:01', '02:aa:00:00:00:01'));
    assert.deepEqual(rig.received(0)[0]?.subarray(0, 6), octets(PEER_MAC));
    assert.deepEqual(rig.received(2)[0]?.subarray(0, 6), octets(HOST_MAC[2]));
  });
});

describe('a super-frame', () => {
  it('is routed as it is where its segments fit, and reported where they do not', () => {
    const rig = makeRig();
    rig.apply(rig.interfaceMember(1, 2, 1, 0, { mtu: 1400 }));
    const payload = Buffer.concat([Buffer.alloc(12), Buffer.of(0x50), Buffer.alloc(7), Buffer.alloc(4000)]);
    const packet = ipv4Packet({ source: HOST_A, destination: HOST_B, protocol: 6 }, payload);
    const meta = { gsoType: 1, gsoSize: 1360, checksumStart: 34, checksumOffset: 16 };
    rig.inject(0, frame(0, packet), meta);
    rig.dataplane.breath();
    assert.equal(rig.received(1)[0]?.length, 14 + packet.length);
    rig.inject(0, frame(0, packet), { ...meta, gsoSize: 1361 });
    rig.dataplane.breath();
    assert.deepEqual(rig.drops(), { 'route-mtu-exceeded': 1 });
    assert.equal(rig.received(0)[0]?.[34], 3, 'destination unreachable');
  });
});
