import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Column } from '../../../src/core/counters.ts';
import { imbalance } from '../../../src/pipeline/books.ts';
import {
  BRIDGE_MAC,
  Id,
  LOCAL,
  mac,
  memberRow,
  PEER_MAC,
  REMOTE,
  Rig,
  VNI,
  WAN_MAC,
  words,
} from '../../support/dataplane-rig.ts';
import { arp, ethernet, hostFrame, ipv4Packet, octets, udp, vxlan } from '../../support/frames.ts';
import { udpService } from '../../../src/tunnel/service.ts';
import { UdpChecksum } from '../../../src/tunnel/tunnel.ts';

const HOST_A = '02:aa:00:00:00:01';
const HOST_B = '02:bb:00:00:00:01';

const outer = (
  inner: Buffer,
  change: { source?: string; port?: number; vni?: number; ttl?: number; tos?: number } = {},
): Buffer =>
  ethernet(
    WAN_MAC,
    PEER_MAC,
    0x0800,
    ipv4Packet(
      {
        source: change.source ?? REMOTE,
        destination: LOCAL,
        protocol: 17,
        ttl: change.ttl ?? 64,
        tos: change.tos ?? 0,
      },
      udp(50_000, change.port ?? 4789, vxlan(change.vni ?? VNI, inner)),
    ),
  );

describe('encapsulation', () => {
  it('waits for the neighbour and then sends what waited', () => {
    const rig = Rig.withTunnel();
    rig.send(1, hostFrame(HOST_B, HOST_A));
    const [request] = rig.received(0);
    assert.equal(request?.toString('hex', 0, 6), 'ffffffffffff');
    assert.deepEqual([...rig.books], [1, 3, 1, 3, 1, 0, 1], 'one frame is held');
    rig.send(0, ethernet(WAN_MAC, PEER_MAC, 0x0806, arp(2, PEER_MAC, REMOTE, WAN_MAC, LOCAL)));
    const packet = rig.received(0)[0]!;
    assert.equal(packet.toString('hex', 0, 12), '02ee00000002020000000001');
    assert.deepEqual(packet.subarray(50), hostFrame(HOST_B, HOST_A));
    assert.equal(packet.readUInt16BE(36), 4789);
    assert.equal(packet.readUIntBE(46, 3), VNI);
    assert.equal(imbalance(rig.books), 0);
  });

  it('drops what waited when nobody answers', () => {
    const rig = Rig.withTunnel();
    rig.send(1, hostFrame(HOST_B, HOST_A));
    for (let second = 0; second < 5; second++) rig.advance(1001);
    assert.deepEqual(rig.drops(), { 'neighbour-unresolved': 1 });
    assert.equal(rig.received(0).length, 3, 'three requests');
  });

  it('bounds what waits', () => {
    const rig = Rig.withTunnel();
    for (let index = 0; index < 70; index++) rig.send(1, hostFrame(HOST_B, HOST_A));
    assert.deepEqual(rig.drops(), { 'neighbour-queue-full': 6 });
  });

  it('copies TOS and ECN, or sets the DSCP that is configured', () => {
    const rig = Rig.withTunnel();
    rig.resolveRemote();
    rig.send(1, hostFrame(HOST_B, HOST_A, 60, 0xb9));
    assert.equal(rig.received(0)[0]?.[15], 0xb9);
    rig.apply(rig.tunnelMember(Id.vx1, { tunnel: { tos: 0x28 } }));
    rig.send(1, hostFrame(HOST_B, HOST_A, 60, 0xb9));
    assert.equal(rig.received(0)[0]?.[15], 0x29);
  });

  it('refuses what is larger than the MTU of the tunnel', () => {
    const rig = Rig.withTunnel();
    rig.resolveRemote();
    rig.send(1, hostFrame(HOST_B, HOST_A, 1514));
    rig.send(1, hostFrame(HOST_B, HOST_A, 1515));
    assert.equal(rig.received(0).length, 1);
    assert.deepEqual(rig.drops(), { 'tunnel-mtu-exceeded': 1 });
  });

  it('says no-route for an endpoint that is on no connected network', () => {
    const rig = Rig.withTunnel();
    rig.apply(rig.tunnelMember(Id.vx1, { tunnel: { remote: words('10.77.0.1') } }));
    rig.send(1, hostFrame(HOST_B, HOST_A));
    assert.deepEqual(rig.drops(), { 'no-route': 1 });
  });

  it('computes the UDP checksum where it is configured', () => {
    const rig = Rig.withTunnel();
    rig.apply(rig.tunnelMember(Id.vx1, { tunnel: { udpChecksum: UdpChecksum.always } }));
    rig.resolveRemote();
    rig.send(1, hostFrame(HOST_B, HOST_A, 61));
    const packet = rig.received(0)[0]!;
    assert.notEqual(packet.readUInt16BE(40), 0);
    const datagram = packet.subarray(34);
    const pseudo = Buffer.concat([packet.subarray(26, 34), octets('0011'), datagram.subarray(4, 6), datagram]);
    let sum = 0;
    for (let at = 0; at < pseudo.length; at += 2) sum += (pseudo[at]! << 8) | (pseudo[at + 1] ?? 0);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    assert.equal(sum, 0xffff);
  });
});

describe('decapsulation', () => {
  it('delivers the inner frame and learns where it came from', () => {
    const rig = Rig.withTunnel();
    rig.resolveRemote();
    rig.send(0, outer(hostFrame(HOST_A, HOST_B)));
    assert.deepEqual(rig.received(1), [hostFrame(HOST_A, HOST_B)]);
    rig.send(1, hostFrame(HOST_B, HOST_A));
    assert.equal(rig.received(0).length, 1);
    assert.equal(rig.counters.read(memberRow(Id.vx1), Column.flooded), 0, 'the answer was not flooded');
  });

  const wrong: [reason: string, frame: () => Buffer][] = [
    ['unknown-vni', () => outer(hostFrame(HOST_A, HOST_B), { vni: 101 })],
    ['unknown-tunnel-port', () => outer(hostFrame(HOST_A, HOST_B), { port: 4790 })],
    ['unknown-remote', () => outer(hostFrame(HOST_A, HOST_B), { source: '10.9.1.3' })],
    ['ttl-expired', () => outer(hostFrame(HOST_A, HOST_B), { ttl: 0 })],
    ['inner-frame-too-short', () => outer(Buffer.alloc(13))],
    ['inner-source-mac-invalid', () => outer(hostFrame(HOST_A, '03:00:00:00:00:01'))],
    ['ecn-not-capable', () => outer(hostFrame(HOST_A, HOST_B), { tos: 3 })],
    [
      'ip-checksum-invalid',
      () => {
        const frame = outer(hostFrame(HOST_A, HOST_B));
        frame[24]! ^= 1;
        return frame;
      },
    ],
    [
      'udp-checksum-invalid',
      () => {
        const frame = outer(hostFrame(HOST_A, HOST_B));
        frame.writeUInt16BE(0x1234, 40);
        return frame;
      },
    ],
    [
      'vxlan-header-invalid',
      () => {
        const frame = outer(hostFrame(HOST_A, HOST_B));
        frame[42] = 0;
        return frame;
      },
    ],
  ];
  for (const [reason, frame] of wrong) {
    it(`drops by name: ${reason}`, () => {
      const rig = Rig.withTunnel();
      rig.send(0, frame());
      assert.deepEqual(rig.drops(), { [reason]: 1 });
      assert.deepEqual(rig.received(1), []);
    });
  }

  it('drops its own packet when it comes back', () => {
    const rig = Rig.withTunnel();
    rig.apply(rig.tunnelMember(Id.vx1, { replicates: true, tunnel: { remote: undefined } }));
    rig.send(0, outer(hostFrame(HOST_A, HOST_B), { source: LOCAL }));
    assert.deepEqual(rig.drops(), { 'own-packet-returned': 1 });
  });

  it('ignores reserved bits', () => {
    const rig = Rig.withTunnel();
    const frame = outer(hostFrame(HOST_A, HOST_B));
    frame[42] = 0xff;
    frame[43] = 0xff;
    frame[49] = 0xff;
    rig.send(0, frame);
    assert.equal(rig.received(1).length, 1);
  });

  it('serves a UDP socket port alike, in both directions', () => {
    const rig = new Rig();
    rig.addPort(1);
    rig.addPort(5, 'udp', { address: words(LOCAL), service: udpService(4789), scope: 0 });
    rig.apply(
      { op: 'set-domain', spec: { id: Id.bridgeDomain, name: 'bridge', localMember: 11, mac: mac(BRIDGE_MAC) } },
      rig.interfaceMember(Id.insideMember, Id.bridgeDomain, 1),
      rig.tunnelMember(Id.vx1),
    );
    rig.send(5, vxlan(VNI, hostFrame(HOST_A, HOST_B)));
    assert.deepEqual(rig.received(1), [hostFrame(HOST_A, HOST_B)]);
    rig.send(1, hostFrame(HOST_B, HOST_A));
    assert.deepEqual(rig.received(5), [vxlan(VNI, hostFrame(HOST_B, HOST_A))]);
  });
});

describe('bridge', () => {
  it('floods to all endpoints again when a station behind one of them has been silent for too long', () => {
    const rig = Rig.withTunnel({ ageingSeconds: 5 });
    const remotes = ['10.9.1.2', '10.9.1.3', '10.9.1.4'].map(words);
    const change = { replicates: true, floodRemotes: remotes, tunnel: { remote: undefined, learnsEndpoints: true } };
    rig.apply(rig.tunnelMember(Id.vx1, change));
    for (const remote of remotes) {
      rig.apply({ op: 'set-static-neighbour', spec: { domain: Id.wanDomain, address: remote, mac: mac(PEER_MAC) } });
    }
    const copies = (): number => {
      rig.send(1, hostFrame(HOST_B, HOST_A));
      return rig.received(0).filter((packet) => packet.readUInt16BE(12) === 0x0800).length;
    };
    assert.equal(copies(), 3);
    rig.send(0, outer(hostFrame(HOST_A, HOST_B), { source: '10.9.1.4' }));
    assert.equal(copies(), 1);
    for (let step = 0; step < 16; step++) rig.advance(250);
    assert.equal(copies(), 1, 'it was heard four seconds ago');
    // A sweep goes through the whole table in ten seconds.
    for (let step = 0; step < 60; step++) rig.advance(250);
    assert.equal(copies(), 3);
  });

  it('floods to each endpoint once, and learns the endpoint of a station', () => {
    const rig = Rig.withTunnel();
    const remotes = ['10.9.1.2', '10.9.1.3', '10.9.1.4'].map(words);
    const change = { replicates: true, floodRemotes: remotes, tunnel: { remote: undefined, learnsEndpoints: true } };
    rig.apply(rig.tunnelMember(Id.vx1, change));
    for (const [index, remote] of remotes.entries()) {
      const neighbour = { domain: Id.wanDomain, address: remote, mac: mac(`02:ee:00:00:00:0${index + 2}`) };
      rig.apply({ op: 'set-static-neighbour', spec: neighbour });
    }
    rig.send(1, hostFrame('ff:ff:ff:ff:ff:ff', HOST_A));
    const destinations = rig.received(0).map((packet) => packet.toString('hex', 0, 6));
    assert.deepEqual(destinations.sort(), ['02ee00000002', '02ee00000003', '02ee00000004']);
    rig.send(0, outer(hostFrame(HOST_A, HOST_B), { source: '10.9.1.3' }));
    rig.send(1, hostFrame(HOST_B, HOST_A));
    assert.deepEqual(
      rig.received(0).map((packet) => packet.toString('hex', 0, 6)),
      ['02ee00000003'],
    );
    assert.deepEqual(rig.drops(), {});
  });

  it('never sends from tunnel to tunnel of a group, nor back to the same tunnel', () => {
    const rig = Rig.withTunnel();
    rig.resolveRemote();
    rig.apply(rig.tunnelMember(Id.firstFree, { tunnel: { key: 200 } }));
    rig.received(0);
    rig.send(0, outer(hostFrame('ff:ff:ff:ff:ff:ff', HOST_B)));
    assert.equal(rig.received(0).length, 0);
    assert.equal(rig.received(1).length, 1);
  });

  it('drops unknown destinations on a tunnel that does not flood', () => {
    const rig = Rig.withTunnel();
    rig.apply(rig.tunnelMember(Id.vx1, { floods: false, tunnel: { remote: undefined } }));
    rig.send(1, hostFrame(HOST_B, HOST_A));
    assert.deepEqual(rig.drops(), { 'flooding-none': 1 });
    rig.apply(rig.station(Id.bridgeDomain, HOST_B, Id.vx1, words(REMOTE)));
    rig.resolveRemote();
    rig.send(1, hostFrame(HOST_B, HOST_A));
    assert.equal(rig.received(0).length, 1);
  });

  it('floods to no port that is not open yet, and to it once it is', () => {
    const rig = Rig.withTunnel();
    rig.resolveRemote();
    rig.apply(rig.interfaceMember(Id.firstFree, Id.bridgeDomain, 3, 0));
    rig.send(1, hostFrame('ff:ff:ff:ff:ff:ff', HOST_A));
    assert.deepEqual(rig.drops(), {});
    assert.equal(rig.received(0).length, 1);
    rig.addPort(3);
    rig.send(1, hostFrame('ff:ff:ff:ff:ff:ff', HOST_A));
    assert.equal(rig.received(3).length, 1);
  });

  it('separates VLANs by tag and tags what leaves', () => {
    const rig = Rig.withTunnel();
    rig.addPort(3);
    rig.apply(rig.interfaceMember(Id.firstFree, Id.bridgeDomain, 3, 77));
    const tagged = hostFrame(HOST_B, HOST_A);
    const frame = Buffer.concat([tagged.subarray(0, 12), octets('8100 a04d'), tagged.subarray(12)]);
    rig.send(3, frame);
    assert.deepEqual(rig.received(1), [tagged], 'untagged where the member is untagged');
    rig.send(1, hostFrame(HOST_A, HOST_B));
    const back = hostFrame(HOST_A, HOST_B);
    const expected = Buffer.concat([back.subarray(0, 12), octets('8100 004d'), back.subarray(12)]);
    assert.deepEqual(rig.received(3), [expected]);
    rig.send(3, tagged);
    assert.deepEqual(rig.drops(), { 'unknown-vlan': 1 });
  });

  it('forgets stations that are silent, and no others', () => {
    const rig = Rig.withTunnel({ ageingSeconds: 30 });
    rig.send(1, hostFrame(HOST_B, HOST_A));
    assert.equal(rig.dataplane.fdb.learned, 1);
    for (let second = 0; second < 25; second++) rig.advance(1000);
    rig.send(1, hostFrame(HOST_B, '02:aa:00:00:00:02'));
    for (let second = 0; second < 20; second++) rig.advance(1000);
    assert.equal(rig.dataplane.fdb.learned, 1);
  });

  it('learns no more stations than it may, and counts the others', () => {
    const rig = Rig.withTunnel();
    rig.apply({ op: 'set-learning', ageingSeconds: 300, limit: 2 });
    for (const last of ['01', '02', '03']) rig.send(1, hostFrame(HOST_B, `02:aa:00:00:01:${last}`));
    assert.equal(rig.dataplane.fdb.learned, 2);
    assert.equal(rig.counters.read(memberRow(Id.insideMember), Column.notLearned), 1);
  });

  it('counts a station that moves', () => {
    const rig = Rig.withTunnel();
    rig.send(1, hostFrame(HOST_B, HOST_A));
    rig.send(0, outer(hostFrame('02:cc:00:00:00:01', HOST_A)));
    assert.equal(rig.counters.read(memberRow(Id.vx1), Column.macMoves), 1);
  });

  it('keeps what it learned and counted when something else changes', () => {
    const rig = Rig.withTunnel();
    rig.resolveRemote();
    rig.send(1, hostFrame(HOST_B, HOST_A));
    const before = rig.counters.read(memberRow(Id.vx1), Column.outFrames);
    rig.apply({ op: 'set-domain', spec: { id: 7, name: 'other', localMember: 17, mac: mac('02:00:00:00:00:07') } });
    rig.apply({ op: 'remove-domain', id: 7 });
    assert.equal(rig.dataplane.fdb.learned, 1);
    assert.equal(rig.counters.read(memberRow(Id.vx1), Column.outFrames), before);
  });

  it('keeps the way to the other end when something else changes', () => {
    const rig = Rig.withTunnel();
    rig.send(1, hostFrame(HOST_B, HOST_A));
    rig.send(0, ethernet(WAN_MAC, PEER_MAC, 0x0806, arp(2, PEER_MAC, REMOTE, WAN_MAC, LOCAL)));
    rig.received(0);
    rig.addPort(3);
    rig.apply(
      { op: 'set-domain', spec: { id: 7, name: 'other', localMember: 17, mac: mac('02:00:00:00:00:07') } },
      rig.interfaceMember(Id.firstFree, 7, 3),
    );
    rig.send(1, hostFrame(HOST_B, HOST_A));
    const sent = rig.received(0).map((packet) => packet.readUInt16BE(12).toString(16));
    assert.deepEqual(sent, ['800'], 'the frame itself, and no ARP request before it');
  });

  it('forgets what it learned behind a member that goes away', () => {
    const rig = Rig.withTunnel();
    rig.send(0, outer(hostFrame(HOST_A, HOST_B)));
    assert.equal(rig.dataplane.fdb.learned, 2, 'the peer on wan, and the host behind the tunnel');
    rig.apply({ op: 'remove-member', id: Id.vx1 });
    assert.equal(rig.dataplane.fdb.learned, 1);
  });
});

describe('our own addresses', () => {
  it('answers ARP for a self IP only', () => {
    const rig = Rig.withTunnel();
    const ask = (target: string): Buffer =>
      ethernet('ff:ff:ff:ff:ff:ff', PEER_MAC, 0x0806, arp(1, PEER_MAC, REMOTE, '00:00:00:00:00:00', target));
    rig.send(0, ask(LOCAL));
    const expected = ethernet(PEER_MAC, WAN_MAC, 0x0806, arp(2, WAN_MAC, LOCAL, PEER_MAC, REMOTE));
    assert.deepEqual(rig.received(0), [expected]);
    rig.send(0, ask('10.9.1.77'));
    assert.deepEqual(rig.received(0), []);
    assert.deepEqual(rig.drops(), {});
  });

  it('asks whether somebody has a new self IP, and announces it', () => {
    const rig = Rig.withTunnel();
    rig.apply({
      op: 'set-self',
      spec: { name: 'second', domain: Id.wanDomain, words: words('10.9.2.1'), isIpv6: false, prefixBits: 24 },
    });
    const [probe, announcement] = rig.received(0);
    assert.equal(probe!.toString('hex', 28, 42), `00000000${'00'.repeat(6)}0a090201`);
    assert.equal(announcement!.toString('hex', 28, 32), '0a090201');
    assert.equal(announcement!.toString('hex', 38, 42), '0a090201');
  });

  it('answers echo requests', () => {
    const rig = Rig.withTunnel();
    const echo = octets('0800 f7ff 0000 0000');
    rig.send(
      0,
      ethernet(WAN_MAC, PEER_MAC, 0x0800, ipv4Packet({ source: REMOTE, destination: LOCAL, protocol: 1 }, echo)),
    );
    const [reply] = rig.received(0);
    assert.equal(reply?.[34], 0, 'an echo reply');
    assert.equal(reply.toString('hex', 26, 34), '0a0901010a090102');
  });

  it('drops by name what nobody serves', () => {
    const rig = Rig.withTunnel();
    const tcp = ipv4Packet({ source: REMOTE, destination: LOCAL, protocol: 6 }, Buffer.alloc(20));
    rig.send(0, ethernet(WAN_MAC, PEER_MAC, 0x0800, tcp));
    const other = ipv4Packet({ source: REMOTE, destination: '10.9.7.9', protocol: 6 }, Buffer.alloc(20));
    rig.send(0, ethernet(WAN_MAC, PEER_MAC, 0x0800, other));
    assert.deepEqual(rig.drops(), { 'local-unsupported': 1, 'no-route': 1 });
  });

  it('drops frames that carry our own source MAC', () => {
    const rig = Rig.withTunnel();
    rig.send(0, hostFrame(HOST_B, WAN_MAC));
    assert.deepEqual(rig.drops(), { 'own-frame-returned': 1 });
  });
});
