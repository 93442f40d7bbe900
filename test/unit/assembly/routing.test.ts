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
import { mac, Rig, type RigOptions, words } from '../../support/dataplane-rig.ts';
import { arp, ethernet, ipv4Packet, ipv6Packet, octets, onesComplement, udp } from '../../support/frames.ts';

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
    assert.deepEqual(request?.subarray(28, 32), Buffer.from([10, 2, 0, 1]), 'from the self IP of that network');
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
