// Tunnels over IPv6 on our own addresses: neighbour discovery, headers, checksums, endpoints.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Operation } from '../../../src/assembly/dataplaned/spec.ts';
import { imbalance } from '../../../src/pipeline/books.ts';
import { udpService } from '../../../src/tunnel/service.ts';
import type { TunnelSpec } from '../../../src/tunnel/tunnel.ts';
import { UdpChecksum } from '../../../src/tunnel/tunnel.ts';
import { Id, mac, PEER_MAC, Rig, VNI, WAN_MAC, words } from '../../support/dataplane-rig.ts';
import {
  ethernet,
  hostFrame,
  ipv6Octets,
  ipv6Packet,
  octets,
  onesComplement,
  udp,
  vxlan,
} from '../../support/frames.ts';

const HOST_A = '02:aa:00:00:00:01';
const HOST_B = '02:bb:00:00:00:01';
const OWN = '2001:db8:9::1';
const FAR = '2001:db8:9::2';
const IP = 14;
const UDP = 54;
const INNER = 70;

const tunnel = (rig: Rig, change: Partial<TunnelSpec> = {}): Operation =>
  rig.tunnelMember(Id.vx1, {
    tunnel: { local: words(OWN), remote: words(FAR), udpChecksum: UdpChecksum.always, ...change },
  });

function makeRig(change: Partial<TunnelSpec> = {}): Rig {
  const rig = Rig.withTunnel();
  const self = { name: 'wan6', domain: Id.wanDomain, words: words(OWN), isIpv6: true, prefixBits: 64 };
  rig.apply({ op: 'set-self', spec: self }, tunnel(rig, change));
  return rig;
}

const resolve = (rig: Rig, address = FAR): void =>
  rig.apply({
    op: 'set-static-neighbour',
    spec: { domain: Id.wanDomain, address: words(address), mac: mac(PEER_MAC) },
  });

type Outer = { source?: string; destination?: string; checksum?: boolean; hopLimit?: number; trafficClass?: number };

function outer(inner: Buffer, change: Outer = {}, port = 4789): Buffer {
  const { source = FAR, destination = OWN, checksum = true, ...rest } = change;
  const datagram = udp(50_000, port, vxlan(VNI, inner));
  const packet = ipv6Packet({ source, destination, nextHeader: 17, ...rest }, datagram, checksum ? 6 : undefined);
  return ethernet(WAN_MAC, PEER_MAC, 0x86dd, packet);
}

function advertisement(flags: string, option = `0201${PEER_MAC}`): Buffer {
  const message = Buffer.concat([octets(`8800 0000 ${flags}000000`), ipv6Octets(FAR), octets(option)]);
  const fields = { source: FAR, destination: OWN, nextHeader: 58, hopLimit: 255 };
  return ethernet(WAN_MAC, PEER_MAC, 0x86dd, ipv6Packet(fields, message, 2));
}

/** Whether the UDP checksum of a frame is right. */
function checksumIsRight(frame: Buffer): boolean {
  const datagram = frame.subarray(UDP);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(datagram.length);
  const pseudo = Buffer.concat([frame.subarray(IP + 8, IP + 40), length, Buffer.from([0, 0, 0, 17]), datagram]);
  return onesComplement(pseudo) === 0;
}

describe('neighbour discovery for a tunnel', () => {
  it('asks the solicited-node group, takes the answer, and sends what waited', () => {
    const rig = makeRig();
    rig.received(0);
    rig.send(1, hostFrame(HOST_B, HOST_A));
    const [question] = rig.received(0);
    assert.equal(question?.toString('hex', 0, 12), '3333ff000002020000000001');
    assert.equal(question.toString('hex', IP + 8, IP + 24), ipv6Octets(OWN).toString('hex'));
    assert.equal(question[IP + 7], 255);
    assert.equal(question[IP + 40], 135);
    rig.send(0, advertisement('60'));
    const [packet] = rig.received(0);
    assert.equal(packet?.toString('hex', 0, 12), '02ee00000002020000000001');
    assert.deepEqual(packet.subarray(INNER), hostFrame(HOST_B, HOST_A));
    assert.equal(imbalance(rig.books), 0);
  });

  it('confirms with the neighbour itself, and gives it up when it is silent', () => {
    const rig = makeRig();
    rig.send(1, hostFrame(HOST_B, HOST_A));
    rig.send(0, advertisement('60'));
    rig.received(0);
    rig.advance(30_001);
    const [question] = rig.received(0);
    assert.equal(question?.toString('hex', 0, 6), '02ee00000002');
    assert.equal(question.toString('hex', IP + 24, IP + 40), ipv6Octets(FAR).toString('hex'));
    // An answer without the option: the station is still there.
    rig.send(0, advertisement('40', ''));
    rig.advance(2000);
    assert.deepEqual(rig.received(0), []);
    for (let second = 0; second < 40; second++) rig.advance(1001);
    rig.received(0);
    rig.send(1, hostFrame(HOST_B, HOST_A));
    assert.equal(rig.received(0)[0]?.toString('hex', 0, 6), '3333ff000002', 'it is asked for again');
  });

  it('gives up the neighbour of a learned end too, which stays an end and hears advertisements that nobody asked for', () => {
    const rig = makeRig({ remote: undefined, learnsEndpoints: true });
    const destinationOf = (): string | undefined => {
      rig.received(0);
      rig.send(1, hostFrame(HOST_B, HOST_A));
      return rig.received(0)[0]?.toString('hex', 0, 6);
    };
    rig.send(0, advertisement('60'));
    rig.send(0, outer(hostFrame(HOST_A, HOST_B)));
    assert.equal(destinationOf(), '3333ff000002', "it was nobody's neighbour when it advertised itself");
    rig.send(0, advertisement('60'));
    assert.equal(destinationOf(), '02ee00000002');
    for (let second = 0; second < 40; second++) rig.advance(1001);
    assert.equal(destinationOf(), '3333ff000002', 'nobody answers any more');
    for (let second = 0; second < 5; second++) rig.advance(1001);
    assert.equal(rig.drops()['neighbour-unresolved'], 1);
    rig.send(0, advertisement('60'));
    assert.equal(destinationOf(), '02ee00000002');
    assert.equal(imbalance(rig.books), 0);
  });

  it('takes another MAC only from an advertisement that overrides, or from a solicitation', () => {
    const rig = makeRig();
    rig.send(1, hostFrame(HOST_B, HOST_A));
    rig.send(0, advertisement('60'));
    rig.received(0);
    const other = '02:ee:00:00:00:77';
    const destinationOf = (): string | undefined => {
      rig.send(1, hostFrame(HOST_B, HOST_A));
      return rig.received(0)[0]?.toString('hex', 0, 6);
    };
    rig.send(0, advertisement('40', `0201${other}`));
    assert.equal(destinationOf(), '02ee00000002');
    rig.send(0, advertisement('20', `0201${other}`));
    assert.equal(destinationOf(), '02ee00000077');
    const message = Buffer.concat([octets('8700 0000 00000000'), ipv6Octets(OWN), octets(`0101${PEER_MAC}`)]);
    const fields = { source: FAR, destination: OWN, nextHeader: 58, hopLimit: 255 };
    rig.send(0, ethernet(WAN_MAC, PEER_MAC, 0x86dd, ipv6Packet(fields, message, 2)));
    assert.equal(rig.received(0)[0]?.[IP + 40], 136, 'the solicitation is answered');
    assert.equal(destinationOf(), '02ee00000002');
  });

  it('asks whether somebody has a new self IP, and announces it to all nodes', () => {
    const rig = Rig.withTunnel();
    const self = { name: 'wan6', domain: Id.wanDomain, words: words(OWN), isIpv6: true, prefixBits: 64 };
    rig.apply({ op: 'set-self', spec: self });
    const [probe, frame] = rig.received(0);
    assert.deepEqual(
      [probe!.toString('hex', 0, 6), probe!.length, probe![IP + 40]],
      ['3333ff000001', 14 + 40 + 24, 135],
    );
    assert.equal(probe!.toString('hex', IP + 8, IP + 24), '00'.repeat(16));
    assert.equal(frame?.toString('hex', 0, 6), '333300000001');
    assert.equal(frame[IP + 40], 136);
  });
});

describe('encapsulation over IPv6', () => {
  for (const size of [60, 61, 62, 63, 1400]) {
    it(`writes headers and the right checksum for ${size} octets`, () => {
      const rig = makeRig({ ttl: 61, tos: 0x28 });
      resolve(rig);
      rig.received(0);
      const inner = hostFrame(HOST_B, HOST_A, size, 0xb9);
      rig.send(1, inner);
      const [packet] = rig.received(0);
      assert.ok(packet !== undefined);
      assert.deepEqual(packet.subarray(INNER), inner);
      assert.equal(packet.readUInt32BE(IP) >>> 28, 6);
      assert.equal((packet.readUInt32BE(IP) >>> 20) & 0xff, 0x29, 'DSCP as configured, ECN of the inner packet');
      assert.notEqual(packet.readUInt32BE(IP) & 0xfffff, 0, 'a flow label');
      assert.equal(packet.readUInt16BE(IP + 4), 8 + 8 + inner.length);
      assert.deepEqual([packet[IP + 6], packet[IP + 7]], [17, 61]);
      assert.equal(
        packet.toString('hex', IP + 8, IP + 40),
        ipv6Octets(OWN).toString('hex') + ipv6Octets(FAR).toString('hex'),
      );
      assert.equal(packet.readUInt16BE(UDP + 2), 4789);
      assert.equal(packet.readUInt16BE(UDP + 4), 8 + 8 + inner.length);
      assert.equal(packet.readUIntBE(UDP + 12, 3), VNI);
      assert.ok(checksumIsRight(packet));
    });
  }

  it('leaves the checksum out only where that is configured', () => {
    const rig = makeRig({ udpChecksum: UdpChecksum.never });
    resolve(rig);
    rig.received(0);
    rig.send(1, hostFrame(HOST_B, HOST_A));
    assert.equal(rig.received(0)[0]?.readUInt16BE(UDP + 6), 0);
  });

  it('gives flows labels of their own, and each flow the same one', () => {
    const rig = makeRig();
    resolve(rig);
    rig.received(0);
    const labels = [HOST_A, HOST_A, '02:aa:00:00:00:09'].map((source, index) => {
      const frame = hostFrame(HOST_B, source);
      if (index === 2) frame.writeUInt16BE(4711, 34);
      rig.send(1, frame);
      return rig.received(0)[0]!.readUInt32BE(IP) & 0xfffff;
    });
    assert.equal(labels[0], labels[1]);
    assert.notEqual(labels[0], labels[2]);
  });

  it('says no-route for an endpoint that is on no connected network', () => {
    const rig = makeRig({ remote: words('2001:db8:77::1') });
    rig.send(1, hostFrame(HOST_B, HOST_A));
    assert.deepEqual(rig.drops(), { 'no-route': 1 });
  });

  it('goes over from IPv4 to IPv6 and forgets what was learned behind the ends of before', () => {
    const rig = Rig.withTunnel();
    rig.apply(rig.tunnelMember(Id.vx1, { replicates: true, tunnel: { remote: undefined, learnsEndpoints: true } }));
    rig.resolveRemote();
    const inner = udp(50_000, 4789, vxlan(VNI, hostFrame(HOST_A, HOST_B)));
    const header = octets('4500 0000 0000 4000 4011 0000 0a090102 0a090101');
    header.writeUInt16BE(20 + inner.length, 2);
    header.writeUInt16BE(onesComplement(header), 10);
    rig.send(0, ethernet(WAN_MAC, PEER_MAC, 0x0800, Buffer.concat([header, inner])));
    assert.equal(rig.received(1).length, 1);
    rig.received(0);
    rig.send(1, hostFrame(HOST_B, HOST_A));
    assert.equal(rig.received(0)[0]?.readUInt16BE(12), 0x0800);
    const self = { name: 'wan6', domain: Id.wanDomain, words: words(OWN), isIpv6: true, prefixBits: 64 };
    rig.apply({ op: 'set-self', spec: self }, tunnel(rig));
    resolve(rig);
    rig.received(0);
    rig.send(1, hostFrame(HOST_B, HOST_A));
    assert.equal(rig.received(0)[0]?.readUInt16BE(12), 0x86dd);
  });
});

describe('decapsulation over IPv6', () => {
  it('delivers the inner frame, and learns the endpoint of its station', () => {
    const rig = makeRig({ remote: undefined, learnsEndpoints: true });
    resolve(rig);
    resolve(rig, '2001:db8:9::3');
    rig.received(0);
    rig.send(0, outer(hostFrame(HOST_A, HOST_B), { source: '2001:db8:9::3' }));
    assert.deepEqual(rig.received(1), [hostFrame(HOST_A, HOST_B)]);
    rig.send(1, hostFrame(HOST_B, HOST_A));
    const [packet] = rig.received(0);
    assert.equal(packet?.toString('hex', IP + 24, IP + 40), ipv6Octets('2001:db8:9::3').toString('hex'));
  });

  it('tells ends apart that differ in one word only', () => {
    // The interface part of the remote address is that of our own.
    const rig = makeRig({ remote: words('2001:db8:8::1') });
    rig.send(0, outer(hostFrame(HOST_A, HOST_B), { source: '2001:db8:8::1' }));
    assert.equal(rig.received(1).length, 1, JSON.stringify(rig.drops()));
  });

  it('accepts a zero checksum only where that is configured', () => {
    const rig = makeRig();
    rig.send(0, outer(hostFrame(HOST_A, HOST_B), { checksum: false }));
    assert.deepEqual(rig.drops(), { 'udp-checksum-missing': 1 });
    rig.apply(tunnel(rig, { udpChecksum: UdpChecksum.never }));
    rig.send(0, outer(hostFrame(HOST_A, HOST_B), { checksum: false }));
    rig.send(0, outer(hostFrame(HOST_A, HOST_B)));
    assert.equal(rig.received(1).length, 2, 'and a checksum that is right in any case');
  });

  const wrong: [reason: string, frame: () => Buffer][] = [
    ['unknown-tunnel-port', () => outer(hostFrame(HOST_A, HOST_B), {}, 4790)],
    ['no-route', () => outer(hostFrame(HOST_A, HOST_B), { destination: '2001:db8:99::77' })],
    ['not-for-us', () => outer(hostFrame(HOST_A, HOST_B), { destination: 'fe80::77' })],
    ['unknown-remote', () => outer(hostFrame(HOST_A, HOST_B), { source: '2001:db8:9::3' })],
    ['own-packet-returned', () => outer(hostFrame(HOST_A, HOST_B), { source: OWN })],
    ['ttl-expired', () => outer(hostFrame(HOST_A, HOST_B), { hopLimit: 0 })],
    ['ecn-not-capable', () => outer(hostFrame(HOST_A, HOST_B), { trafficClass: 3 })],
    [
      'udp-checksum-invalid',
      () => {
        const frame = outer(hostFrame(HOST_A, HOST_B));
        frame[frame.length - 1]! ^= 1;
        return frame;
      },
    ],
  ];
  for (const [reason, frame] of wrong) {
    it(`drops with ${reason}`, () => {
      const rig = makeRig();
      rig.send(0, frame());
      assert.deepEqual(rig.drops(), { [reason]: 1 });
    });
  }

  it('takes no IPv6 packet for an IPv4 tunnel whose address has the same last word', () => {
    const rig = Rig.withTunnel();
    rig.send(0, outer(hostFrame(HOST_A, HOST_B), { source: '::a09:102', destination: '::a09:101' }));
    assert.deepEqual(rig.drops(), { 'source-not-forwarded': 1 });
  });
});

describe('the socket of a tunnel over IPv6', () => {
  it('gets the address of the other end', () => {
    const rig = Rig.withTunnel();
    rig.addPort(5, 'udp', { address: words('2001:db8:5::1'), service: udpService(4789), scope: 0 });
    const local = words('2001:db8:5::1');
    rig.apply(rig.tunnelMember(Id.vx1, { tunnel: { local, remote: words('2001:db8:6::2') } }));
    rig.send(1, hostFrame(HOST_B, HOST_A));
    const [payload] = rig.received(5);
    assert.deepEqual(payload?.subarray(8), hostFrame(HOST_B, HOST_A));
    assert.deepEqual(rig.drops(), {});
  });
});
