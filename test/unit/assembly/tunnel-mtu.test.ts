// Packets that are too large for a tunnel or for the way to its end, on memory ports; what ICMP errors teach; MSS clamping.
//
//   port 1 ─ bridge: self IP 172.16.0.254/24 and 2001:db8:16::254/64 ─ host 172.16.0.1, 2001:db8:16::1
//            tunnel vx1, MTU 1500, to a host 172.16.0.2 behind it
//   port 0 ─ wan: 10.9.1.1/24 and 2001:db8::2/64 ─ the other end, 10.9.1.2 and 2001:db8::9

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TunnelMemberSpec } from '../../../src/assembly/dataplaned/spec.ts';
import { protocolService } from '../../../src/tunnel/service.ts';
import { TunnelKind } from '../../../src/tunnel/tunnel.ts';
import { BRIDGE_MAC, Id, LOCAL, mac, PEER_MAC, REMOTE, Rig, VNI, WAN_MAC, words } from '../../support/dataplane-rig.ts';
import { together } from '../../support/fragment-reader.ts';
import { ethernet, ipv4Packet, ipv6Packet, onesComplement, udp, vxlan } from '../../support/frames.ts';
import { transportFrame } from '../../support/transport-frames.ts';

const HOST = '172.16.0.1';
const FAR_HOST = '172.16.0.2';
const SELF = '172.16.0.254';
const HOST6 = '2001:db8:16::1';
const FAR_HOST6 = '2001:db8:16::2';
const SELF6 = '2001:db8:16::254';
const HOST_MAC = '02:aa:00:00:00:01';
const FAR_MAC = '02:bb:00:00:00:01';
const LOCAL6 = '2001:db8::2';
const REMOTE6 = '2001:db8::9';

type Setup = { tunnel?: Partial<TunnelMemberSpec['tunnel']>; linkMtu?: number; self?: boolean };

function makeRig({ tunnel = {}, linkMtu = 9000, self = true }: Setup = {}): Rig {
  const rig = Rig.withTunnel();
  rig.apply(
    {
      op: 'set-self',
      spec: { name: 'wan6', domain: Id.wanDomain, words: words(LOCAL6), isIpv6: true, prefixBits: 64 },
    },
    rig.interfaceMember(Id.wanMember, Id.wanDomain, 0, 0, { mtu: linkMtu }),
    rig.tunnelMember(Id.vx1, { tunnel }),
    rig.station(Id.bridgeDomain, FAR_MAC, Id.vx1),
    { op: 'set-static-neighbour', spec: { domain: Id.wanDomain, address: words(REMOTE), mac: mac(PEER_MAC) } },
    { op: 'set-static-neighbour', spec: { domain: Id.wanDomain, address: words(REMOTE6), mac: mac(PEER_MAC) } },
  );
  if (self) {
    const spec = { domain: Id.bridgeDomain, prefixBits: 24, isIpv6: false };
    rig.apply(
      { op: 'set-self', spec: { ...spec, name: 'in', words: words(SELF) } },
      { op: 'set-self', spec: { ...spec, name: 'in6', words: words(SELF6), isIpv6: true, prefixBits: 64 } },
    );
  } else {
    rig.apply({ op: 'set-domain', spec: { id: Id.bridgeDomain, name: 'bridge', localMember: 11, mac: undefined } });
  }
  for (const port of [0, 1]) rig.received(port);
  return rig;
}

const inner4 = (octets: number, dontFragment: boolean): Buffer => {
  const flags = dontFragment ? 0x4000 : 0;
  const payload = udp(4000, 4001, Buffer.alloc(octets - 28, 0x63));
  return ipv4Packet({ source: HOST, destination: FAR_HOST, protocol: 17, flags, identification: 5 }, payload);
};
const inner6 = (octets: number): Buffer =>
  ipv6Packet(
    { source: HOST6, destination: FAR_HOST6, nextHeader: 17 },
    udp(4000, 4001, Buffer.alloc(octets - 48, 0x63)),
    6,
  );
/** From the host to the one behind the tunnel. */
const toFar = (packet: Buffer): Buffer => ethernet(FAR_MAC, HOST_MAC, packet[0]! >>> 4 === 4 ? 0x0800 : 0x86dd, packet);

/** The inner frame of a packet of the tunnel over IPv4. */
const innerOf = (frame: Buffer | undefined): Buffer => frame!.subarray(50);

describe('a packet that is larger than the tunnel', () => {
  it('is reported to its sender with the MTU of the tunnel, where we have an address', () => {
    const rig = makeRig({ tunnel: { mtu: 1400 } });
    rig.send(1, toFar(inner4(1401, true)));
    assert.deepEqual(rig.received(0), []);
    const [error] = rig.received(1);
    assert.equal(error?.toString('hex', 0, 12), `${HOST_MAC}${BRIDGE_MAC}`.replaceAll(':', ''));
    assert.deepEqual([...error.subarray(26, 34)], [...SELF.split('.'), ...HOST.split('.')].map(Number));
    assert.deepEqual([error[34], error[35], error.readUInt16BE(40)], [3, 4, 1400]);
    assert.equal(onesComplement(error.subarray(34)), 0);
    assert.deepEqual(error.subarray(42, 42 + 40), inner4(1401, true).subarray(0, 40));
    assert.deepEqual(rig.drops(), { 'tunnel-mtu-exceeded': 1 });
    rig.send(1, toFar(inner4(1400, true)));
    assert.equal(rig.received(0).length, 1, 'one that fits goes');
  });

  it('is reported to its sender over IPv6', () => {
    const rig = makeRig({ tunnel: { mtu: 1400 } });
    rig.send(1, toFar(inner6(1401)));
    const [error] = rig.received(1);
    assert.deepEqual([error![54], error![55], error!.readUInt32BE(58)], [2, 0, 1400]);
    assert.equal(error!.subarray(14 + 24, 14 + 40).toString('hex'), inner6(60).toString('hex', 8, 24));
    assert.deepEqual(rig.drops(), { 'tunnel-mtu-exceeded': 1 });
  });

  it('is cut when it may be', () => {
    const rig = makeRig({ tunnel: { mtu: 1400 } });
    rig.send(1, toFar(inner4(3000, false)));
    const frames = rig.received(0).map(innerOf);
    const { payload, largest, identifications } = together(frames);
    assert.deepEqual([frames.length, largest, [...identifications]], [3, 1396, [5]]);
    assert.deepEqual(payload, inner4(3000, false).subarray(20));
    for (const frame of frames)
      assert.equal(frame.toString('hex', 0, 12), toFar(inner4(60, true)).toString('hex', 0, 12));
    assert.deepEqual(rig.drops(), {});
  });

  it('is dropped where we are a switch without an address', () => {
    const rig = makeRig({ tunnel: { mtu: 1400 }, self: false });
    for (const packet of [inner4(1401, true), inner4(1401, false), inner6(1401)]) rig.send(1, toFar(packet));
    assert.deepEqual([rig.received(0), rig.received(1)], [[], []]);
    assert.deepEqual(rig.drops(), { 'tunnel-mtu-exceeded': 3 });
  });

  it('is dropped when nobody can be told: to a group, not IP at all', () => {
    const rig = makeRig({ tunnel: { mtu: 1400 } });
    rig.send(1, ethernet('ff:ff:ff:ff:ff:ff', HOST_MAC, 0x88b5, Buffer.alloc(1500)));
    const group = ipv4Packet({ source: HOST, destination: '239.1.1.1', protocol: 17 }, Buffer.alloc(1480));
    rig.send(1, ethernet('01:00:5e:01:01:01', HOST_MAC, 0x0800, group));
    assert.deepEqual([rig.received(0), rig.received(1)], [[], []]);
    assert.equal(rig.drops()['tunnel-mtu-exceeded'], 2);
  });

  it('of IPv6 with up to 1280 octets goes all the same, in fragments of the outer packet', () => {
    const rig = makeRig({ linkMtu: 1000 });
    rig.send(1, toFar(inner6(1280)));
    const { payload, largest } = together(rig.received(0));
    assert.ok(largest <= 1000);
    assert.deepEqual(payload.subarray(16), toFar(inner6(1280)));
    rig.send(1, toFar(inner6(1281)));
    const [error] = rig.received(1);
    assert.deepEqual([error![54], error!.readUInt32BE(58)], [2, 1280]);
  });
});

describe('a tunnel over a link that is too small for it', () => {
  it('carries what the link leaves room for, with use-pmtu', () => {
    const rig = makeRig({ linkMtu: 1500 });
    rig.send(1, toFar(inner4(1450, true)));
    const [frame] = rig.received(0);
    assert.deepEqual([frame!.length, frame!.readUInt16BE(20)], [1514, 0x4000]);
    rig.send(1, toFar(inner4(1451, true)));
    assert.deepEqual([rig.received(0).length, rig.received(1)[0]!.readUInt16BE(40)], [0, 1450]);
  });

  it('sends its packets in fragments, without use-pmtu', () => {
    const rig = makeRig({ linkMtu: 1500, tunnel: { usesPathMtu: false } });
    const seen = new Set<number>();
    for (let count = 0; count < 3; count++) {
      rig.send(1, toFar(inner4(1500, true)));
      const frames = rig.received(0);
      const { payload, largest, identifications } = together(frames);
      assert.deepEqual([frames.length, largest], [2, 1500]);
      assert.deepEqual(payload.subarray(8), vxlan(VNI, toFar(inner4(1500, true))));
      for (const one of identifications) seen.add(one);
      rig.send(1, toFar(inner4(100, true)));
      const [small] = rig.received(0);
      assert.equal(small!.readUInt16BE(20), 0, 'DF is clear');
      assert.equal(onesComplement(small!.subarray(14, 34)), 0);
      seen.add(small!.readUInt16BE(18));
    }
    assert.equal(seen.size, 6, 'each packet has an identification of its own');
  });

  it('does so over IPv6', () => {
    const rig = makeRig({
      linkMtu: 1500,
      tunnel: { usesPathMtu: false, local: words(LOCAL6), remote: words(REMOTE6) },
    });
    rig.send(1, toFar(inner4(1500, true)));
    const frames = rig.received(0);
    const { payload, largest } = together(frames);
    assert.deepEqual([frames.length, largest], [2, 1496]);
    assert.deepEqual(payload.subarray(8), vxlan(VNI, toFar(inner4(1500, true))));
  });

  it('does so with GRE, and its other end puts them together', () => {
    const gre = { kind: TunnelKind.teb, service: protocolService(47), key: 7, usesPathMtu: false };
    const rig = makeRig({ linkMtu: 800, tunnel: gre });
    rig.send(1, toFar(inner4(1500, true)));
    const frames = rig.received(0);
    assert.equal(frames.length, 2 + (1514 + 8 > 2 * 776 ? 1 : 0));
    for (const frame of frames) {
      // The same packets on their way back.
      const packet = ipv4Turned(frame.subarray(14));
      rig.send(0, ethernet(WAN_MAC, PEER_MAC, 0x0800, packet));
    }
    assert.deepEqual(rig.drops(), { 'same-member': 1 }, 'it came back to where its destination lives');
  });
});

/** With source and destination exchanged; the checksum stays right. */
function ipv4Turned(packet: Buffer): Buffer {
  const turned = Buffer.from(packet);
  packet.copy(turned, 12, 16, 20);
  packet.copy(turned, 16, 12, 16);
  return turned;
}

/** A "fragmentation needed" about an outer packet, as much of it as said, from a router on the way. */
function tooBig(outer: Buffer, mtu: number, quotedOctets = 548): Buffer {
  const message = Buffer.alloc(8);
  message.set([3, 4]);
  message.writeUInt16BE(mtu, 6);
  const whole = Buffer.concat([message, outer.subarray(14, 14 + quotedOctets)]);
  whole.writeUInt16BE(onesComplement(whole), 2);
  return ethernet(
    WAN_MAC,
    PEER_MAC,
    0x0800,
    ipv4Packet({ source: '10.8.0.1', destination: LOCAL, protocol: 1 }, whole),
  );
}

function tooBig6(outer: Buffer, mtu: number): Buffer {
  const message = Buffer.alloc(8);
  message.set([2, 0]);
  message.writeUInt32BE(mtu, 4);
  const whole = Buffer.concat([message, outer.subarray(14, 14 + 1200)]);
  const fields = { source: '2001:db8:8::1', destination: LOCAL6, nextHeader: 58 };
  return ethernet(WAN_MAC, PEER_MAC, 0x86dd, ipv6Packet(fields, whole, 2));
}

/** The MTU that a host is told when it sends this much, or 0: it went. */
function toldMtu(rig: Rig, octets = 1500): number {
  rig.received(1);
  rig.send(1, toFar(inner4(octets, true)));
  return rig.received(1)[0]?.readUInt16BE(40) ?? 0;
}

/** An outer packet that the tunnel has just sent. */
function sent(rig: Rig, octets = 1500): Buffer {
  rig.received(0);
  rig.send(1, toFar(inner4(octets, true)));
  return rig.received(0)[0]!;
}

describe('the path MTU', () => {
  it('is learned from an ICMP error about a packet of the tunnel, however much of it is quoted', () => {
    for (const quotedOctets of [28, 36, 548]) {
      const rig = makeRig();
      rig.send(0, tooBig(sent(rig), 1400, quotedOctets));
      assert.deepEqual([toldMtu(rig), toldMtu(rig, 1350)], [1350, 0]);
      assert.deepEqual(rig.drops(), { 'tunnel-mtu-exceeded': 1 });
    }
  });

  it('is learned over IPv6', () => {
    const rig = makeRig({ tunnel: { local: words(LOCAL6), remote: words(REMOTE6) } });
    rig.send(0, tooBig6(sent(rig), 1400));
    assert.deepEqual([toldMtu(rig), toldMtu(rig, 1330)], [1330, 0]);
  });

  it('is learned by GRE tunnels as well', () => {
    const gre = { kind: TunnelKind.teb, service: protocolService(47), key: 7 };
    const rig = makeRig({ tunnel: gre });
    const outer = sent(rig);
    const other = Buffer.from(outer);
    other[14 + 20 + 7] = 8;
    rig.send(0, tooBig(other, 1300));
    assert.deepEqual([toldMtu(rig), rig.drops()], [0, { 'icmp-error-refused': 1 }], 'another key');
    rig.send(0, tooBig(outer, 1400));
    assert.equal(toldMtu(rig), 1400 - 20 - 8 - 14);
  });

  it('of one end holds for all tunnels to it, and for no other', () => {
    const rig = makeRig();
    rig.apply(
      rig.tunnelMember(40, { tunnel: { key: VNI + 1 } }),
      rig.tunnelMember(41, { tunnel: { key: 9, remote: words('10.9.1.3') } }),
    );
    rig.send(0, tooBig(sent(rig), 1400));
    for (const [member, expected] of [
      [40, 1350],
      [41, 1500],
    ] as const) {
      rig.apply(rig.station(Id.bridgeDomain, FAR_MAC, member));
      assert.equal(toldMtu(rig, 1501), expected);
    }
  });

  it('is only lowered', () => {
    const rig = makeRig();
    const outer = sent(rig);
    rig.send(0, tooBig(outer, 1400));
    rig.send(0, tooBig(outer, 1450));
    assert.equal(toldMtu(rig), 1350);
    rig.send(0, tooBig(outer, 1300));
    assert.equal(toldMtu(rig), 1250);
  });

  it('is forgotten after ten minutes', () => {
    const rig = makeRig();
    rig.send(0, tooBig(sent(rig), 1400));
    rig.advance(599_000);
    assert.equal(toldMtu(rig), 1350);
    rig.advance(2000);
    assert.equal(toldMtu(rig), 0);
  });

  it('does not concern a tunnel without use-pmtu', () => {
    const rig = makeRig({ tunnel: { usesPathMtu: false } });
    rig.send(0, tooBig(sent(rig), 1400));
    assert.deepEqual([toldMtu(rig), rig.drops()], [0, { 'icmp-error-refused': 1 }]);
  });

  const forged: [what: string, change: (outer: Buffer) => void][] = [
    ['to another end', (outer) => outer.writeUInt8(77, 33)],
    ['with another VNI', (outer) => outer.writeUInt8(VNI + 1, 14 + 20 + 8 + 6)],
    ['from a port that the tunnel does not use', (outer) => outer.writeUInt16BE(1234, 34)],
    ['that may be fragmented', (outer) => outer.writeUInt16BE(0, 20)],
    ['with a larger TTL than ours', (outer) => outer.writeUInt8(65, 22)],
    ['that is larger than ours are', (outer) => outer.writeUInt16BE(1600, 16)],
  ];
  for (const [what, change] of forged) {
    it(`is not believed about a packet ${what}`, () => {
      const rig = makeRig();
      const outer = sent(rig);
      change(outer);
      rig.send(0, tooBig(outer, 1400));
      assert.deepEqual([rig.drops(), toldMtu(rig)], [{ 'icmp-error-refused': 1 }, 0]);
    });
  }

  it('is not believed when the tunnel has sent nothing lately', () => {
    const rig = makeRig();
    const outer = sent(rig);
    rig.advance(12_000);
    rig.send(0, tooBig(outer, 1400));
    assert.deepEqual([rig.drops(), toldMtu(rig)], [{ 'icmp-error-refused': 1 }, 0]);
  });

  it('is not believed when its value makes no sense', () => {
    const rig = makeRig();
    const outer = sent(rig);
    for (const mtu of [67, 1550, 9000]) rig.send(0, tooBig(outer, mtu));
    assert.deepEqual([rig.drops(), toldMtu(rig)], [{ 'icmp-error-refused': 3 }, 0]);
  });

  it('is guessed when an old router names none', () => {
    const rig = makeRig();
    rig.send(0, tooBig(sent(rig), 0));
    assert.equal(toldMtu(rig), 1442);
  });

  it('is not looked at too often', () => {
    const rig = makeRig();
    const outer = sent(rig);
    for (let mtu = 1500; mtu > 1400; mtu--) rig.send(0, tooBig(outer, mtu));
    assert.deepEqual(rig.drops(), { 'icmp-error-refused': 50 });
    assert.equal(toldMtu(rig), 1451 - 50);
  });

  it('is no business of ours in an error about something else, nor is another error of a tunnel', () => {
    const rig = makeRig();
    const outer = sent(rig);
    const other = Buffer.from(outer);
    other.writeUInt16BE(53, 36);
    rig.send(0, tooBig(other, 1400));
    assert.deepEqual(rig.drops(), { 'local-unsupported': 1 });
    const unreachable = tooBig(outer, 0);
    unreachable[35] = 1;
    unreachable.writeUInt16BE(0, 36);
    unreachable.writeUInt16BE(onesComplement(unreachable.subarray(34)), 36);
    rig.send(0, unreachable);
    assert.deepEqual([rig.drops(), toldMtu(rig)], [{ 'local-unsupported': 1 }, 0]);
  });
});

describe('mss-clamp', () => {
  const syn = (family: 4 | 6, mss: number): Buffer => {
    const { octets } = transportFrame({
      ...{ family, protocol: 'tcp', tags: [], ipOptions: new Uint8Array(0), identification: 1, sequence: 7 },
      ...{ flags: 0x02, tcpOptions: Uint8Array.of(2, 4, mss >>> 8, mss & 255), payload: new Uint8Array(0) },
      checksum: 'complete',
    });
    const frame = Buffer.from(octets);
    Buffer.from(`${FAR_MAC}${HOST_MAC}`.replaceAll(':', ''), 'hex').copy(frame);
    return frame;
  };
  const turned = (frame: Buffer): Buffer =>
    Buffer.concat([frame.subarray(6, 12), frame.subarray(0, 6), frame.subarray(12)]);

  it('lowers what both ends offer, in both directions', () => {
    const cases: [setting: number, family: 4 | 6, offered: number, expected: number][] = [
      [-1, 4, 1460, 1360],
      [-1, 6, 1440, 1340],
      [-1, 4, 1300, 1300],
      [1200, 4, 1460, 1200],
      [1200, 6, 1460, 1200],
      [0, 4, 1460, 1460],
    ];
    for (const [mssClamp, family, offered, expected] of cases) {
      const rig = makeRig({ tunnel: { mtu: 1400, mssClamp } });
      rig.send(1, syn(family, offered));
      assert.deepEqual(innerOf(rig.received(0)[0]), syn(family, expected));
      const datagram = udp(50_000, 4789, vxlan(VNI, turned(syn(family, offered))));
      const packet = ipv4Packet({ source: REMOTE, destination: LOCAL, protocol: 17 }, datagram);
      rig.apply(rig.station(Id.bridgeDomain, HOST_MAC, Id.insideMember));
      rig.send(0, ethernet(WAN_MAC, PEER_MAC, 0x0800, packet));
      assert.deepEqual(rig.received(1), [turned(syn(family, expected))]);
    }
  });

  it('follows the path MTU', () => {
    const rig = makeRig({ tunnel: { mssClamp: -1 } });
    rig.send(0, tooBig(sent(rig), 1400));
    rig.send(1, syn(4, 1460));
    assert.deepEqual(innerOf(rig.received(0)[0]), syn(4, 1310));
  });
});
