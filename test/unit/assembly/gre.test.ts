// GRE for frames in all its forms, and EtherIP, through the data plane.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TunnelMemberSpec } from '../../../src/assembly/dataplaned/spec.ts';
import { Column } from '../../../src/core/counters.ts';
import { imbalance } from '../../../src/pipeline/books.ts';
import { protocolService } from '../../../src/tunnel/service.ts';
import { type GreOptions, TunnelKind } from '../../../src/tunnel/tunnel.ts';
import { EtherIpForm } from '../../../src/wire/etherip.ts';
import {
  BRIDGE_MAC,
  Id,
  LOCAL,
  mac,
  memberRow,
  PEER_MAC,
  REMOTE,
  Rig,
  WAN_MAC,
  words,
} from '../../support/dataplane-rig.ts';
import {
  etherip,
  ethernet,
  gre,
  type GreFields,
  hostFrame,
  ipv4Packet,
  ipv6Packet,
  octets,
  udp,
} from '../../support/frames.ts';

const HOST_A = '02:aa:00:00:00:01';
const HOST_B = '02:bb:00:00:00:01';
const TEB = 0x6558;
const GRE = protocolService(47);
const ETHERIP = protocolService(97);
const OTHER = '10.9.1.3';

const IN = hostFrame(HOST_A, HOST_B);
const OUT = hostFrame(HOST_B, HOST_A);

type Change = Partial<TunnelMemberSpec['tunnel']>;

const OPTIONS: GreOptions = {
  sendsChecksum: false,
  verifiesChecksum: false,
  sendsSequence: false,
  checksSequence: false,
};

/** The topology of the rig with one tunnel of this kind. */
function withTunnel(change: Change, member: Partial<Omit<TunnelMemberSpec, 'tunnel'>> = {}): Rig {
  const rig = Rig.withTunnel();
  rig.apply(rig.tunnelMember(Id.vx1, { ...member, tunnel: { service: GRE, key: 0, ...change } }));
  rig.resolveRemote();
  rig.received(0);
  return rig;
}

function outer(payload: Buffer, protocol = 47, source = REMOTE, fields: { tos?: number; flags?: number } = {}): Buffer {
  const packet = ipv4Packet({ source, destination: LOCAL, protocol, ...fields }, payload);
  return ethernet(WAN_MAC, PEER_MAC, 0x0800, packet);
}

const teb = (fields: GreFields = {}, inner = IN): Buffer => outer(gre(TEB, inner, fields));

describe('GRE for frames', () => {
  for (const [what, change, fields] of [
    ['without a key', { kind: TunnelKind.teb }, {}],
    ['with a key of 32 bits', { kind: TunnelKind.teb, key: 0xffff_fffe }, { key: 0xffff_fffe }],
    [
      'with key, checksum and sequence number',
      { kind: TunnelKind.teb, key: 7, gre: { ...OPTIONS, sendsChecksum: true, sendsSequence: true } },
      { key: 7, checksum: true, sequence: 0 },
    ],
    ['as NVGRE', { kind: TunnelKind.nvgre, key: 0x1388 }, { key: 0x138800 }],
  ] as const) {
    it(`sends and takes packets ${what}`, () => {
      const rig = withTunnel(change);
      rig.send(1, OUT);
      const [packet] = rig.received(0);
      assert.equal(packet?.toString('hex', 0, 14), '02ee000000020200000000010800');
      assert.deepEqual(packet.subarray(34), gre(TEB, OUT, fields));
      assert.equal(packet[23], 47);
      rig.send(0, teb(fields));
      assert.deepEqual(rig.received(1), [IN]);
      assert.deepEqual(rig.drops(), {});
      assert.equal(imbalance(rig.books), 0);
    });
  }

  it('counts sequence numbers up, for each end of its own', () => {
    const remotes = [REMOTE, OTHER].map(words);
    const rig = withTunnel(
      { kind: TunnelKind.teb, remote: undefined, gre: { ...OPTIONS, sendsSequence: true } },
      { replicates: true, floodRemotes: remotes },
    );
    rig.apply({
      op: 'set-static-neighbour',
      spec: { domain: Id.wanDomain, address: words(OTHER), mac: mac('02:ee:00:00:00:03') },
    });
    for (let turn = 0; turn < 3; turn++) rig.send(1, OUT);
    const numbers = rig.received(0).map((packet) => `${packet[33]} ${packet.readUInt32BE(38)}`);
    assert.deepEqual(numbers, ['2 0', '3 0', '2 1', '3 1', '2 2', '3 2']);
  });

  it('ignores the flow ID of NVGRE, and sends 0', () => {
    const rig = withTunnel({ kind: TunnelKind.nvgre, key: 0x1388 });
    rig.send(0, teb({ key: 0x1388ff }));
    assert.deepEqual(rig.received(1), [IN]);
    rig.send(1, OUT);
    assert.equal(rig.received(0)[0]?.readUInt32BE(38), 0x138800);
  });

  it('takes tags out before NVGRE, and drops what comes with one', () => {
    const tagged = (frame: Buffer): Buffer =>
      Buffer.concat([frame.subarray(0, 12), octets('81000064'), frame.subarray(12)]);
    const rig = withTunnel({ kind: TunnelKind.nvgre, key: 5 });
    // A second tag is payload to the VLAN, and would leave with the frame.
    rig.apply(rig.interfaceMember(Id.insideMember, Id.bridgeDomain, 1, 100));
    rig.send(1, tagged(tagged(OUT)));
    assert.deepEqual(rig.received(0)[0]?.subarray(42), OUT);
    rig.send(0, teb({ key: 0x500 }, tagged(IN)));
    assert.deepEqual(rig.drops(), { 'nvgre-inner-tagged': 1 });
  });

  it('tells tunnels between the same ends apart by key, by having one, and by what they carry', () => {
    const rig = withTunnel({ kind: TunnelKind.teb });
    const kinds: [number, Change][] = [
      [30, { kind: TunnelKind.teb, key: 1 }],
      [31, { kind: TunnelKind.teb, key: 0x100 }],
      [32, { kind: TunnelKind.nvgre, key: 2 }],
      [33, { kind: TunnelKind.nvgre, key: 0 }],
    ];
    for (const [member, change] of kinds) rig.apply(rig.tunnelMember(member, { tunnel: { service: GRE, ...change } }));
    const arrived = (fields: GreFields): number[] => {
      const count = (): number[] =>
        [Id.vx1, ...kinds.map(([member]) => member)].map((member) =>
          rig.counters.read(memberRow(member), Column.inFrames),
        );
      const before = count();
      rig.send(0, teb(fields));
      return count().map((now, index) => now - before[index]!);
    };
    assert.deepEqual(arrived({}), [1, 0, 0, 0, 0]);
    assert.deepEqual(arrived({ key: 1 }), [0, 1, 0, 0, 0]);
    assert.deepEqual(arrived({ key: 0x100 }), [0, 0, 1, 0, 0]);
    assert.deepEqual(arrived({ key: 0x200 }), [0, 0, 0, 1, 0]);
    assert.deepEqual(arrived({ key: 0x2ff }), [0, 0, 0, 1, 0]);
    assert.deepEqual(arrived({ key: 2 }), [0, 0, 0, 0, 1]);
    // A key with a sequence number is none of NVGRE's.
    assert.deepEqual(arrived({ key: 0x200, sequence: 1 }), [0, 0, 0, 0, 0]);
    assert.deepEqual(rig.drops(), { 'unknown-gre-key': 1 });
  });

  it('floods to each endpoint and learns behind which one a station is', () => {
    const remotes = [REMOTE, OTHER].map(words);
    const rig = withTunnel(
      { kind: TunnelKind.teb, remote: undefined, learnsEndpoints: true },
      { replicates: true, floodRemotes: remotes },
    );
    rig.apply({
      op: 'set-static-neighbour',
      spec: { domain: Id.wanDomain, address: words(OTHER), mac: mac('02:ee:00:00:00:03') },
    });
    rig.send(1, OUT);
    assert.equal(rig.received(0).length, 2);
    rig.send(0, outer(gre(TEB, IN), 47, OTHER));
    rig.send(1, OUT);
    assert.deepEqual(
      rig.received(0).map((packet) => packet[33]),
      [3],
    );
  });

  it('sends to the endpoint of a static station where it does not flood', () => {
    const rig = withTunnel({ kind: TunnelKind.nvgre, key: 5, remote: undefined }, { floods: false });
    rig.apply(rig.station(Id.bridgeDomain, HOST_B, Id.vx1, words(REMOTE)));
    rig.send(1, OUT);
    rig.send(1, hostFrame('02:bb:00:00:00:99', HOST_A));
    assert.equal(rig.received(0).length, 1);
    assert.deepEqual(rig.drops(), { 'flooding-none': 1 });
  });

  it('refuses what is larger than the MTU of the tunnel, whatever its own headers', () => {
    const rig = withTunnel({ kind: TunnelKind.teb, gre: { ...OPTIONS, sendsChecksum: true } });
    rig.send(1, hostFrame(HOST_B, HOST_A, 1514));
    rig.send(1, hostFrame(HOST_B, HOST_A, 1515));
    assert.equal(rig.received(0)[0]?.length, 1514 + 42);
    assert.deepEqual(rig.drops(), { 'tunnel-mtu-exceeded': 1 });
  });

  it('carries a mark of congestion in', () => {
    const rig = withTunnel({ kind: TunnelKind.teb });
    rig.send(0, outer(gre(TEB, hostFrame(HOST_A, HOST_B, 60, 2)), 47, REMOTE, { tos: 3 }));
    assert.equal(rig.received(1)[0]?.[15], 3);
    rig.send(1, hostFrame(HOST_B, HOST_A, 60, 0xb8));
    assert.equal(rig.received(0)[0]?.[15], 0xb8);
  });

  it('takes and sends by its secondary address what is its own', () => {
    const second = '10.9.1.9';
    const rig = withTunnel({ kind: TunnelKind.nvgre, key: 5, secondary: words(second) });
    const self = { isIpv6: false, prefixBits: 24 };
    rig.apply(
      { op: 'set-self', spec: { ...self, name: 'wan-too', domain: Id.wanDomain, words: words(second) } },
      { op: 'set-self', spec: { ...self, name: 'in', domain: Id.bridgeDomain, words: words('172.16.0.9') } },
    );
    const sources = (): string[] =>
      rig
        .received(0)
        .filter((packet) => packet.readUInt16BE(12) === 0x0800)
        .map((packet) => [...packet.subarray(26, 30)].join('.'));
    assert.deepEqual(sources(), [second, second], 'probe and announcement of the address in the tunnel');
    rig.send(1, OUT);
    assert.deepEqual(sources(), [LOCAL]);
    const toSecond = ipv4Packet({ source: REMOTE, destination: second, protocol: 47 }, gre(TEB, IN, { key: 0x500 }));
    rig.send(0, ethernet(WAN_MAC, PEER_MAC, 0x0800, toSecond));
    assert.deepEqual(rig.received(1).at(-1), IN);
  });
});

describe('an inbound NVGRE tunnel', () => {
  const HNV = 0xfff;
  const from = (source: string, family: 4 | 6 = 4): Buffer => {
    const payload = udp(1, 2, Buffer.alloc(20));
    const packet =
      family === 4
        ? ipv4Packet({ source, destination: '172.16.0.2', protocol: 17 }, payload)
        : ipv6Packet({ source, destination: 'fd00::2', nextHeader: 17 }, payload, 6);
    return ethernet(HOST_A, HOST_B, family === 4 ? 0x0800 : 0x86dd, packet);
  };

  it('hands what it takes to the tunnel of the subnet that it comes from', () => {
    const rig = Rig.withTunnel();
    const nvgre = { kind: TunnelKind.nvgre, service: GRE, remote: undefined };
    const subnet = (prefix: string, prefixBits: number, member: number) => {
      const isIpv6 = prefix.includes(':');
      return { words: words(prefix), prefixBits, isIpv6, member };
    };
    const subnets = [
      subnet('10.3.3.1', 24, 30),
      subnet('10.3.0.1', 16, 31),
      subnet('fd00:3:3::1', 64, 30),
      subnet('fd00:4::1', 40, 31),
    ];
    rig.apply(
      rig.tunnelMember(30, { tunnel: { ...nvgre, key: 5000 } }),
      rig.tunnelMember(31, { tunnel: { ...nvgre, key: 5001 } }),
      rig.tunnelMember(32, { tunnel: { ...nvgre, key: HNV, sends: false, subnets } }),
    );
    const arrived = (frame: Buffer): number[] => {
      const count = (): number[] => [30, 31, 32].map((member) => rig.counters.read(memberRow(member), Column.inFrames));
      const before = count();
      rig.send(0, teb({ key: HNV << 8 }, frame));
      assert.deepEqual(rig.received(1), [frame]);
      return count().map((now, index) => now - before[index]!);
    };
    assert.deepEqual(arrived(from('10.3.3.77')), [1, 0, 0]);
    assert.deepEqual(arrived(from('10.3.4.77')), [0, 1, 0]);
    assert.deepEqual(arrived(from('fd00:3:3::77', 6)), [1, 0, 0]);
    assert.deepEqual(arrived(from('fd00:4:0:7::77', 6)), [0, 1, 0]);
    assert.deepEqual(arrived(from('10.4.3.77')), [0, 0, 1], 'of no subnet that is known');
    const frame = ethernet(HOST_A, HOST_B, 0x88b5, Buffer.alloc(46));
    assert.deepEqual(arrived(frame), [0, 0, 1], 'not IP');
  });
});

describe('GRE that is dropped by name', () => {
  const rx = { ...OPTIONS, verifiesChecksum: true, checksSequence: true };
  const damaged = (): Buffer => {
    const packet = teb({ checksum: true });
    packet[80]! ^= 1;
    return packet;
  };
  const wrong: [reason: string, frame: Buffer, change?: Change][] = [
    ['gre-header-invalid', teb({ flags: 0x4000 })],
    ['gre-header-invalid', teb({ flags: 1 })],
    ['gre-header-invalid', outer(octets('2000655800'))],
    ['gre-checksum-invalid', damaged()],
    ['gre-protocol-unknown', outer(gre(0x88be, IN))],
    ['gre-protocol-unknown', outer(gre(0x0800, IN.subarray(14)))],
    ['gre-keepalive', outer(gre(0, Buffer.alloc(0)))],
    ['unknown-gre-key', teb({ key: 0 })],
    ['unknown-gre-key', teb({ key: 9 })],
    ['gre-key-missing', teb(), { key: 9 }],
    ['unknown-remote', outer(gre(TEB, IN), 47, OTHER)],
    ['own-packet-returned', outer(gre(TEB, IN), 47, LOCAL)],
    ['inner-frame-too-short', outer(gre(TEB, Buffer.alloc(13)))],
    ['tunnel-disabled', teb(), { receives: false }],
    ['ecn-not-capable', outer(gre(TEB, IN), 47, REMOTE, { tos: 3 })],
    ['local-unsupported', outer(etherip(IN), 97)],
    ['local-unsupported', outer(IN, 50)],
  ];
  for (const [index, [reason, frame, change]] of wrong.entries()) {
    it(`${reason} (${index})`, () => {
      const rig = withTunnel({ kind: TunnelKind.teb, gre: rx, ...change });
      rig.send(0, frame);
      assert.deepEqual(rig.drops(), { [reason]: 1 });
      assert.deepEqual(rig.received(1), []);
    });
  }

  it('looks at the checksum only where it is told to', () => {
    const rig = withTunnel({ kind: TunnelKind.teb });
    rig.send(0, damaged());
    assert.equal(rig.received(1).length, 1);
  });

  it('drops sequence numbers that are not above the last one, across the turn of 32 bits and by sender', () => {
    const rig = withTunnel({ kind: TunnelKind.teb, remote: undefined, gre: rx }, { replicates: true });
    const send = (sequence: number, source = REMOTE): number => {
      rig.send(0, outer(gre(TEB, IN, { sequence }), 47, source));
      return rig.received(1).length;
    };
    assert.deepEqual(
      [0xffff_fffe, 0xffff_ffff, 0xffff_ffff, 0, 5, 3, 5, 6].map((n) => send(n)),
      [1, 1, 0, 1, 1, 0, 0, 1],
    );
    assert.equal(send(2, OTHER), 1, 'another sender has a count of its own');
    assert.deepEqual(rig.drops(), { 'gre-sequence-old': 3 });
  });

  it('takes sequence numbers in any order where it is not told to look', () => {
    const rig = withTunnel({ kind: TunnelKind.teb });
    for (const sequence of [5, 5, 3]) rig.send(0, teb({ sequence }));
    assert.equal(rig.received(1).length, 3);
  });
});

describe('EtherIP', () => {
  const change = { kind: TunnelKind.etherip, service: ETHERIP } as const;

  for (const header of ['3000', '0300']) {
    it(`takes ${header} and sends what is configured`, () => {
      const etherIpForm = header === '3000' ? EtherIpForm.rfc : EtherIpForm.lowNibble;
      const rig = withTunnel({ ...change, etherIpForm });
      rig.send(1, OUT);
      const [packet] = rig.received(0);
      assert.equal(packet?.[23], 97);
      assert.deepEqual(packet.subarray(34), etherip(OUT, header));
      rig.send(0, outer(etherip(IN, header), 97));
      assert.deepEqual(rig.received(1), [IN]);
    });
  }

  it('drops another version, and what is too short', () => {
    const rig = withTunnel(change);
    rig.send(0, outer(etherip(IN, '4000'), 97));
    rig.send(0, outer(Buffer.of(0x30), 97));
    rig.send(0, outer(etherip(IN.subarray(0, 13)), 97));
    assert.deepEqual(rig.drops(), { 'ether-ip-version-invalid': 2, 'inner-frame-too-short': 1 });
  });
});

describe('over IPv6', () => {
  const LOCAL6 = '2001:db8::2';
  const REMOTE6 = '2001:db8::9';

  for (const [what, change, protocol, payload] of [
    ['GRE for frames', { kind: TunnelKind.teb, key: 7 }, 47, (inner: Buffer) => gre(TEB, inner, { key: 7 })],
    ['EtherIP', { kind: TunnelKind.etherip, service: ETHERIP }, 97, (inner: Buffer) => etherip(inner)],
  ] as const) {
    it(`carries ${what} in both directions`, () => {
      const rig = withTunnel({ ...change, local: words(LOCAL6), remote: words(REMOTE6) });
      rig.apply(
        {
          op: 'set-self',
          spec: { name: 'wan6', domain: Id.wanDomain, words: words(LOCAL6), isIpv6: true, prefixBits: 64 },
        },
        { op: 'set-static-neighbour', spec: { domain: Id.wanDomain, address: words(REMOTE6), mac: mac(PEER_MAC) } },
      );
      rig.received(0);
      rig.send(1, OUT);
      const [packet] = rig.received(0);
      assert.deepEqual(packet?.subarray(54), payload(OUT));
      assert.equal(packet[20], protocol);
      const fields = { source: REMOTE6, destination: LOCAL6, nextHeader: protocol };
      rig.send(0, ethernet(WAN_MAC, PEER_MAC, 0x86dd, ipv6Packet(fields, payload(IN))));
      assert.deepEqual(rig.received(1), [IN]);
    });
  }
});

describe('a tunnel that changes its encapsulation', () => {
  it('goes on with headers of the new one', () => {
    const rig = withTunnel({ kind: TunnelKind.teb });
    for (const [change, payload] of [
      [{ kind: TunnelKind.teb, gre: { ...OPTIONS, sendsSequence: true } }, gre(TEB, OUT, { sequence: 0 })],
      [{ kind: TunnelKind.etherip, service: ETHERIP }, etherip(OUT)],
      [{ kind: TunnelKind.nvgre, key: 1 }, gre(TEB, OUT, { key: 256 })],
    ] as const) {
      rig.apply(rig.tunnelMember(Id.vx1, { tunnel: { service: GRE, key: 0, ...change } }));
      rig.send(1, OUT);
      assert.deepEqual(rig.received(0).at(-1)?.subarray(34), payload);
    }
  });
});

describe('a tunnel behind a socket of its IP protocol', () => {
  it('writes and reads no more than the tunnel header', () => {
    const rig = new Rig();
    rig.addPort(1);
    rig.addPort(5, 'udp', { address: words(LOCAL), service: GRE, scope: 0 });
    rig.apply(
      { op: 'set-domain', spec: { id: Id.bridgeDomain, name: 'bridge', localMember: 11, mac: mac(BRIDGE_MAC) } },
      rig.interfaceMember(Id.insideMember, Id.bridgeDomain, 1),
      rig.tunnelMember(Id.vx1, { tunnel: { kind: TunnelKind.teb, service: GRE, key: 3 } }),
    );
    rig.send(5, gre(TEB, IN, { key: 3 }));
    assert.deepEqual(rig.received(1), [IN]);
    rig.send(1, OUT);
    assert.deepEqual(rig.received(5), [gre(TEB, OUT, { key: 3 })]);
  });
});
