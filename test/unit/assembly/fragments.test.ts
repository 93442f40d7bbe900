// Packets that do not fit, on memory ports: what is put together, what is cut, and what is said about the rest.
//
//   port 0 ─ wan: 10.9.1.1/24, 2001:db8::2/64, MTU 1500 ─ the other end of the tunnel, 10.9.1.2 and 2001:db8::9
//   port 1 ─ bridge, with tunnel vx1 to 10.9.1.2
//   port 2 ─ small: 10.3.0.1/24, MTU 1000 ─ host 10.3.0.20

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Book } from '../../../src/pipeline/books.ts';
import {
  Id,
  LOCAL,
  mac,
  PEER_MAC,
  REMOTE,
  Rig,
  type RigOptions,
  VNI,
  WAN_MAC,
  words,
} from '../../support/dataplane-rig.ts';
import { together } from '../../support/fragment-reader.ts';
import { ipv4Fragment, ipv6Fragment, piecesOf } from '../../support/fragments.ts';
import {
  ethernet,
  hostFrame,
  type Ipv4Fields,
  ipv4Packet,
  ipv6Packet,
  onesComplement,
  udp,
  vxlan,
} from '../../support/frames.ts';

const LOCAL6 = '2001:db8::2';
const REMOTE6 = '2001:db8::9';
const HOST_MAC = '02:aa:00:00:00:01';
const FAR_MAC = '02:bb:00:00:00:01';
const SMALL_MAC = '02:00:00:00:00:03';
const SMALL_HOST_MAC = '02:cc:00:00:00:01';
const SMALL_HOST = '10.3.0.20';
const SMALL_DOMAIN = 30;
const VX6 = 31;

function makeRig(options: RigOptions = {}): Rig {
  const rig = Rig.withTunnel(options);
  rig.addPort(2);
  const self = { isIpv6: false, prefixBits: 24 };
  rig.apply(
    {
      op: 'set-self',
      spec: { name: 'wan6', domain: Id.wanDomain, words: words(LOCAL6), isIpv6: true, prefixBits: 64 },
    },
    rig.interfaceMember(Id.wanMember, Id.wanDomain, 0, 0, { mtu: 1500 }),
    { op: 'set-domain', spec: { id: SMALL_DOMAIN, name: 'small', localMember: 32, mac: mac(SMALL_MAC) } },
    rig.interfaceMember(33, SMALL_DOMAIN, 2, 0, { mtu: 1000 }),
    { op: 'set-self', spec: { ...self, name: 'small', domain: SMALL_DOMAIN, words: words('10.3.0.1') } },
    rig.tunnelMember(VX6, { tunnel: { key: VNI + 1, local: words(LOCAL6), remote: words(REMOTE6) } }),
    neighbour(Id.wanDomain, REMOTE, PEER_MAC),
    neighbour(Id.wanDomain, REMOTE6, PEER_MAC),
    neighbour(SMALL_DOMAIN, SMALL_HOST, SMALL_HOST_MAC),
  );
  for (const port of [0, 1, 2]) rig.received(port);
  return rig;
}

function neighbour(domain: number, address: string, station: string): Parameters<Rig['apply']>[0] {
  return { op: 'set-static-neighbour', spec: { domain, address: words(address), mac: mac(station) } };
}

const fromPeer = (packet: Buffer): Buffer =>
  ethernet(WAN_MAC, PEER_MAC, packet[0]! >>> 4 === 4 ? 0x0800 : 0x86dd, packet);
const OUTER: Ipv4Fields = { source: REMOTE, destination: LOCAL, protocol: 17, identification: 7 };
const OUTER6 = { source: REMOTE6, destination: LOCAL6, nextHeader: 17, identification: 7 };

/** Fragments of an IPv4 packet that carries the payload, of at most `octets` each. */
const cut4 = (payload: Buffer, octets: number, fields = OUTER): Buffer[] =>
  piecesOf(payload.length, octets).map((piece) => fromPeer(ipv4Fragment(fields, payload, piece)));
const cut6 = (payload: Buffer, octets: number, fields = OUTER6): Buffer[] =>
  piecesOf(payload.length, octets).map((piece) => fromPeer(ipv6Fragment(fields, payload, piece)));

function echo(octets: number): Buffer {
  const message = Buffer.concat([Buffer.from([8, 0, 0, 0, 0, 1, 0, 1]), Buffer.alloc(octets, 0x61)]);
  message.writeUInt16BE(onesComplement(message), 2);
  return message;
}

function echo6(octets: number): Buffer {
  const message = Buffer.concat([Buffer.from([128, 0, 0, 0, 0, 1, 0, 1]), Buffer.alloc(octets, 0x61)]);
  return ipv6Packet({ ...OUTER6, nextHeader: 58 }, message, 2).subarray(40);
}

describe('fragments for us', () => {
  const inner = hostFrame(HOST_MAC, FAR_MAC, 1500);

  it('of a tunnelled packet over IPv4 are put together, and the frame in them is bridged', () => {
    for (const octets of [800, 1480]) {
      const rig = makeRig();
      const frames = cut4(udp(50_000, 4789, vxlan(VNI, inner)), octets);
      for (const frame of frames.toReversed()) rig.send(0, frame);
      assert.deepEqual(rig.received(1), [inner]);
      assert.deepEqual([rig.drops(), rig.books[Book.held]], [{}, 0]);
    }
  });

  it('of a tunnelled packet over IPv6 are put together, and the frame in them is bridged', () => {
    const rig = makeRig();
    for (const frame of cut6(udp(50_000, 4789, vxlan(VNI + 1, inner)), 1232)) rig.send(0, frame);
    assert.deepEqual(rig.received(1), [inner]);
    assert.deepEqual(rig.drops(), {});
  });

  it('whose checksum is wrong once they are together are dropped as the whole packet is', () => {
    const rig = makeRig();
    const datagram = udp(50_000, 4789, vxlan(VNI, inner));
    datagram.writeUInt16BE(0x1234, 6);
    for (const frame of cut4(datagram, 1200)) rig.send(0, frame);
    assert.deepEqual(rig.drops(), { 'udp-checksum-invalid': 1 });
  });

  it('are counted when the rest does not come', () => {
    const rig = makeRig();
    rig.send(0, cut4(udp(50_000, 4789, vxlan(VNI, inner)), 800)[0]!);
    assert.equal(rig.books[Book.held], 1);
    rig.advance(16_000);
    assert.deepEqual([rig.drops(), rig.books[Book.held]], [{ 'reassembly-timeout': 1 }, 0]);
  });

  it('are reported when the first is there and the rest does not come, from the address that they were sent to', () => {
    const datagram = udp(50_000, 4789, vxlan(VNI, inner));
    for (const [frames, ipOctets, kind, source] of [
      [cut4(datagram, 800), 20, 0x0b01, words(LOCAL)],
      [cut6(datagram, 800), 40, 0x0301, words(LOCAL6)],
    ] as const) {
      const rig = makeRig();
      rig.send(0, frames[0]!);
      rig.advance(61_000);
      const errors = rig.received(0).filter((frame) => frame.readUInt16BE(14 + ipOctets) === kind);
      assert.equal(errors.length, 1);
      const [error] = errors as [Buffer];
      assert.equal(error.subarray(0, 12).toString('hex'), (PEER_MAC + WAN_MAC).replaceAll(':', ''));
      assert.equal(error.readInt32BE(14 + (ipOctets === 20 ? 12 : 20)), source[3] | 0);
      const quoted = error.subarray(14 + ipOctets + 8);
      assert.deepEqual(quoted, frames[0]!.subarray(14, 14 + quoted.length));
      assert.ok(quoted.length >= 500);
      assert.deepEqual([rig.drops(), rig.books[Book.held]], [{ 'reassembly-timeout': 1 }, 0]);

      rig.send(0, frames[1]!);
      rig.advance(61_000);
      assert.equal(rig.drops()['reassembly-timeout'], 2);
      const later = rig.received(0).filter((frame) => frame.readUInt16BE(14 + ipOctets) === kind);
      assert.deepEqual(later, [], 'nothing about a packet whose first fragment never came');
    }
  });

  it('of an echo request are answered in fragments', () => {
    const rig = makeRig();
    for (const frame of cut4(echo(4000), 1480, { ...OUTER, protocol: 1 })) rig.send(0, frame);
    const replies = rig.received(0);
    assert.equal(replies.length, 3);
    const { payload, largest, identifications } = together(replies);
    assert.deepEqual([largest, identifications.size], [1500, 1]);
    assert.deepEqual([payload.length, payload[0], onesComplement(payload)], [4008, 0, 0]);
    assert.deepEqual(rig.drops(), {});
  });

  it('of an echo request over IPv6 are answered in fragments', () => {
    const rig = makeRig();
    for (const frame of cut6(echo6(4000), 1448, { ...OUTER6, nextHeader: 58 })) rig.send(0, frame);
    const replies = rig.received(0);
    const { payload, largest, identifications } = together(replies);
    assert.deepEqual([replies.length, largest, identifications.size], [3, 1496, 1]);
    assert.deepEqual([payload.length, payload[0]], [4008, 129]);
    const blank = Buffer.from(payload);
    blank.fill(0, 2, 4);
    const right = ipv6Packet({ source: LOCAL6, destination: REMOTE6, nextHeader: 58 }, blank, 2);
    assert.deepEqual(payload, right.subarray(40), 'its checksum is right');
  });

  it('to a group are not put together', () => {
    const rig = makeRig();
    const group = { address: words('239.1.1.1'), domain: Id.wanDomain };
    const tunnel = { key: VNI + 2, remote: undefined, learnsEndpoints: true, group };
    rig.apply(rig.tunnelMember(34, { replicates: true, floodRemotes: [group.address], tunnel }));
    const fields = { ...OUTER, destination: '239.1.1.1' };
    for (const frame of cut4(udp(50_000, 4789, vxlan(VNI + 2, inner)), 800, fields)) {
      Buffer.from('01005e010101', 'hex').copy(frame);
      rig.send(0, frame);
    }
    assert.equal(rig.drops()['ip-fragment'], 2);
    assert.equal(rig.books[Book.held], 0);
  });
});

describe('a routed packet that does not fit the way out', () => {
  const addresses = { source: REMOTE, destination: SMALL_HOST, protocol: 17, identification: 99 };
  const payload = udp(1111, 2222, Buffer.alloc(1400, 0x62));

  it('is cut when it may be, and its TTL counted once', () => {
    const rig = makeRig();
    rig.send(0, fromPeer(ipv4Packet({ ...addresses, flags: 0, ttl: 9 }, payload)));
    const frames = rig.received(2);
    const { payload: came, largest, identifications } = together(frames);
    assert.deepEqual([frames.length, largest, [...identifications]], [2, 996, [99]]);
    assert.deepEqual(came, payload);
    for (const frame of frames) {
      assert.equal(frame.subarray(0, 6).toString('hex'), SMALL_HOST_MAC.replaceAll(':', ''));
      assert.equal(frame[22], 8);
    }
    assert.deepEqual(rig.drops(), {});
  });

  it('is cut again when it is a fragment already', () => {
    const rig = makeRig();
    for (const frame of cut4(payload, 1200, addresses)) rig.send(0, frame);
    const frames = rig.received(2);
    assert.equal(frames.length, 3);
    assert.deepEqual(together(frames).payload, payload);
  });

  it('is reported with the MTU of the way out when it must not be', () => {
    const rig = makeRig();
    rig.send(0, fromPeer(ipv4Packet({ ...addresses, flags: 0x4000 }, payload)));
    assert.deepEqual(rig.received(2), []);
    const [error] = rig.received(0);
    assert.deepEqual([error![34], error![35], error!.readUInt16BE(40)], [3, 4, 1000]);
    assert.deepEqual(rig.drops(), { 'route-mtu-exceeded': 1 });
  });

  it('is cut when its next hop has answered, if that is not known yet', () => {
    const rig = makeRig();
    rig.apply({ op: 'remove-static-neighbour', domain: SMALL_DOMAIN, address: words(SMALL_HOST) });
    rig.send(0, fromPeer(ipv4Packet({ ...addresses, flags: 0 }, payload)));
    rig.received(2);
    rig.apply(neighbour(SMALL_DOMAIN, SMALL_HOST, SMALL_HOST_MAC));
    assert.deepEqual(together(rig.received(2)).payload, payload);
  });

  it('without a free buffer for a fragment is dropped', () => {
    const rig = makeRig({ pool: { smallSlots: 8, largeSlots: 1 } });
    const taken = [...Array.from({ length: 7 }, () => rig.pool.acquire(100)!), rig.pool.acquire(5000)!];
    rig.send(0, fromPeer(ipv4Packet({ ...addresses, flags: 0 }, payload)));
    assert.deepEqual(rig.drops(), { 'no-buffer': 1 });
    for (const frame of taken) rig.pool.release(frame);
    assert.equal(rig.pool.free, 9);
  });
});
