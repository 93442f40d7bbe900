// GRE for packets, as a layer 3 interface of the router.
//
//   host 172.16.0.1 ─ port 1 ─ domain "bridge": 172.16.0.9/24 ─┐
//                                                              ├─ router
//   10.9.1.2 ─ port 0 ─ tunnel "gre": 192.168.7.1/24 ──────────┘

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Column } from '../../../src/core/counters.ts';
import { imbalance } from '../../../src/pipeline/books.ts';
import { Direction, type Tap } from '../../../src/pipeline/tap.ts';
import { protocolService } from '../../../src/tunnel/service.ts';
import { TunnelKind, type TunnelSpec } from '../../../src/tunnel/tunnel.ts';
import {
  BRIDGE_MAC,
  Id,
  LOCAL,
  mac,
  memberRow,
  PEER_MAC,
  REMOTE,
  Rig,
  type RigOptions,
  WAN_MAC,
  words,
} from '../../support/dataplane-rig.ts';
import {
  ethernet,
  gre,
  type GreFields,
  ipv4Packet,
  ipv6Packet,
  octets,
  onesComplement,
  udp,
} from '../../support/frames.ts';

const HOST_MAC = '02:aa:00:00:00:01';
const HOST = '172.16.0.1';
const FAR = '192.168.7.2';
const HOST6 = 'fd00:16::1';
const FAR6 = 'fd00:7::2';
const TUNNEL = 30;
const DOMAIN = 9;

function makeRig(change: Partial<TunnelSpec> = {}, options: RigOptions = {}): Rig {
  const rig = Rig.withTunnel(options);
  const self = { isIpv6: false, prefixBits: 24 };
  const self6 = { isIpv6: true, prefixBits: 64 };
  const neighbour = (domain: number, address: string, station: string) =>
    ({ op: 'set-static-neighbour', spec: { domain, address: words(address), mac: mac(station) } }) as const;
  rig.apply(
    { op: 'set-domain', spec: { id: DOMAIN, name: 'gre', localMember: 12, mac: undefined, isLayer3: true } },
    rig.tunnelMember(TUNNEL, {
      domain: DOMAIN,
      splitHorizonGroup: 0,
      tunnel: { kind: TunnelKind.gre, service: protocolService(47), key: 0, ...change },
    }),
    { op: 'set-self', spec: { ...self, name: 'in', domain: Id.bridgeDomain, words: words('172.16.0.9') } },
    { op: 'set-self', spec: { ...self, name: 'far', domain: DOMAIN, words: words('192.168.7.1') } },
    { op: 'set-self', spec: { ...self6, name: 'in6', domain: Id.bridgeDomain, words: words('fd00:16::9') } },
    { op: 'set-self', spec: { ...self6, name: 'far6', domain: DOMAIN, words: words('fd00:7::1') } },
    neighbour(Id.bridgeDomain, HOST, HOST_MAC),
    neighbour(Id.bridgeDomain, HOST6, HOST_MAC),
  );
  rig.resolveRemote();
  rig.received(0);
  rig.received(1);
  return rig;
}

const packet4 = (source: string, destination: string, ttl: number, size = 20): Buffer =>
  ipv4Packet({ source, destination, protocol: 17, ttl, tos: 0x28 }, udp(1, 2, Buffer.alloc(size)));
const packet6 = (source: string, destination: string, hopLimit: number): Buffer =>
  ipv6Packet({ source, destination, nextHeader: 17, hopLimit }, udp(1, 2, Buffer.alloc(20)), 6);
const outer = (payload: Buffer): Buffer =>
  ethernet(WAN_MAC, PEER_MAC, 0x0800, ipv4Packet({ source: REMOTE, destination: LOCAL, protocol: 47 }, payload));

const all = { sendsChecksum: true, sendsSequence: true, verifiesChecksum: true, checksSequence: true };

describe('GRE for packets', () => {
  for (const [what, change, fields] of [
    ['without a key', {}, {}],
    ['with key, checksum and sequence number', { key: 7, gre: all }, { key: 7, checksum: true, sequence: 0 }],
  ] as [string, Partial<TunnelSpec>, GreFields][]) {
    it(`routes IPv4 in both directions ${what}`, () => {
      const rig = makeRig(change);
      rig.send(1, ethernet(BRIDGE_MAC, HOST_MAC, 0x0800, packet4(HOST, FAR, 9)));
      const [sent] = rig.received(0);
      assert.deepEqual(sent?.subarray(34), gre(0x0800, packet4(HOST, FAR, 8), fields));
      assert.deepEqual([sent[15], sent[22], sent[23]], [0x28, 64, 47], 'TOS, TTL and protocol of the outer header');
      rig.send(0, outer(gre(0x0800, packet4(FAR, HOST, 9), fields)));
      assert.deepEqual(rig.received(1), [ethernet(HOST_MAC, BRIDGE_MAC, 0x0800, packet4(FAR, HOST, 8))]);
      assert.deepEqual(rig.drops(), {});
      assert.equal(imbalance(rig.books), 0);
    });
  }

  it('is counted, and seen by a capture, in both directions', () => {
    const seen: string[] = [];
    const tap: Tap = {
      ...{ passing: true, dropped: false, recordDrop: () => undefined },
      recordPass: (frame, row, direction) => {
        if (row === memberRow(TUNNEL)) seen.push(`${direction} ${frame.end - frame.start} ${frame.outerStart}`);
      },
    };
    const rig = makeRig({}, { tap });
    rig.send(1, ethernet(BRIDGE_MAC, HOST_MAC, 0x0800, packet4(HOST, FAR, 9)));
    rig.send(0, outer(gre(0x0800, packet4(FAR, HOST, 9, 30))));
    const counted = [Column.inFrames, Column.inOctets, Column.outFrames, Column.outOctets];
    assert.deepEqual(
      counted.map((column) => rig.counters.read(memberRow(TUNNEL), column)),
      [1, packet4(FAR, HOST, 9, 30).length, 1, packet4(HOST, FAR, 9).length],
    );
    assert.deepEqual(seen, [
      `${Direction.outbound} ${packet4(HOST, FAR, 9).length} 0`,
      `${Direction.inbound} ${packet4(FAR, HOST, 9, 30).length} 0`,
    ]);
  });

  it('routes IPv6 by the same tunnel', () => {
    const rig = makeRig();
    rig.send(1, ethernet(BRIDGE_MAC, HOST_MAC, 0x86dd, packet6(HOST6, FAR6, 9)));
    assert.deepEqual(rig.received(0)[0]?.subarray(34), gre(0x86dd, packet6(HOST6, FAR6, 8)));
    rig.send(0, outer(gre(0x86dd, packet6(FAR6, HOST6, 9))));
    assert.deepEqual(rig.received(1), [ethernet(HOST_MAC, BRIDGE_MAC, 0x86dd, packet6(FAR6, HOST6, 8))]);
    assert.deepEqual(rig.drops(), {});
  });

  it('answers echo to the address of the tunnel, by the tunnel', () => {
    const rig = makeRig();
    const message = octets('0800 0000 0001 0001 0102030405060708');
    message.writeUInt16BE(onesComplement(message), 2);
    const request = ipv4Packet({ source: FAR, destination: '192.168.7.1', protocol: 1 }, message);
    rig.send(0, outer(gre(0x0800, request)));
    const [reply] = rig.received(0);
    assert.equal(reply?.readUInt16BE(36), 0x0800);
    assert.deepEqual([...reply.subarray(50, 59)], [192, 168, 7, 1, 192, 168, 7, 2, 0]);
  });

  it('asks nobody for a MAC: any address of its network lies behind the tunnel', () => {
    const rig = makeRig();
    rig.send(1, ethernet(BRIDGE_MAC, HOST_MAC, 0x0800, packet4(HOST, '192.168.7.99', 9)));
    const sent = rig.received(0);
    assert.deepEqual(
      sent.map((frame) => frame.subarray(34)),
      [gre(0x0800, packet4(HOST, '192.168.7.99', 8))],
    );
  });

  it('says what fits when a packet is larger than the tunnel carries', () => {
    const rig = makeRig({ mtu: 1476 });
    rig.send(1, ethernet(BRIDGE_MAC, HOST_MAC, 0x0800, packet4(HOST, FAR, 9, 1448)));
    assert.equal(rig.received(0).length, 1);
    rig.send(1, ethernet(BRIDGE_MAC, HOST_MAC, 0x0800, packet4(HOST, FAR, 9, 1449)));
    assert.deepEqual(rig.drops(), { 'route-mtu-exceeded': 1 });
    const [error] = rig.received(1);
    assert.deepEqual([error?.[34], error?.[35], error?.readUInt16BE(40)], [3, 4, 1476], 'type, code and MTU');
  });

  it('carries a mark of congestion in', () => {
    const rig = makeRig();
    const capable = ipv4Packet({ source: FAR, destination: HOST, protocol: 17, tos: 2 }, udp(1, 2, Buffer.alloc(20)));
    const marked = ipv4Packet({ source: REMOTE, destination: LOCAL, protocol: 47, tos: 3 }, gre(0x0800, capable));
    rig.send(0, ethernet(WAN_MAC, PEER_MAC, 0x0800, marked));
    const [packet] = rig.received(1);
    assert.equal(packet?.[15], 3);
    assert.equal(onesComplement(packet.subarray(14, 34)), 0, 'the header checksum follows');
  });

  for (const [reason, payload] of [
    ['gre-protocol-unknown', gre(0x6558, Buffer.alloc(60))],
    ['gre-protocol-unknown', gre(0x0806, Buffer.alloc(28))],
    ['unknown-gre-key', gre(0x0800, packet4(FAR, HOST, 9), { key: 1 })],
    ['ip-header-invalid', gre(0x0800, octets('4500'))],
    ['ip-header-invalid', gre(0x0800, Buffer.alloc(40))],
    ['ip-header-invalid', gre(0x0800, Buffer.alloc(0))],
  ] as [string, Buffer][]) {
    it(`drops by name: ${reason}`, () => {
      const rig = makeRig();
      rig.send(0, outer(payload));
      assert.deepEqual(rig.drops(), { [reason]: 1 });
    });
  }
});
