import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CrossingSpec } from '../../../src/bridge/crossing.ts';
import { viewOf } from '../../../src/assembly/dataplaned/config-view.ts';
import { buildModel } from '../../../src/assembly/dataplaned/build-model.ts';
import type { DeviceFacts } from '../../../src/assembly/dataplaned/model.ts';
import { Planner } from '../../../src/assembly/dataplaned/planner.ts';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { imbalance } from '../../../src/pipeline/books.ts';
import { Id, LOCAL, mac, PEER_MAC, REMOTE, Rig, WAN_MAC, words } from '../../support/dataplane-rig.ts';
import { arp, ethernet, hostFrame, ipv4Packet, octets, onesComplement, udp, vxlan } from '../../support/frames.ts';
import { fromHex, vector } from '../../support/octets.ts';

const GROUP = '02:00:00:00:00:02';
/** A and A2 live behind port 1, B behind port 2, C behind port 3, which is of the same VLAN as port 2. */
const A = '00:aa:00:00:00:01';
const B = '00:bb:00:00:00:02';
const C = '00:cc:00:00:00:03';
const EVERYBODY = 'ff:ff:ff:ff:ff:ff';
const NOBODY = '00:00:00:00:00:00';
const IP_A = '172.16.0.1';
const IP_B = '172.16.0.2';

/** The MAC as it is seen from the other VLANs of a translucent group. */
const other = (text: string): string => text.replace(/^00/, '02');

/** Ports 1 (VLAN 1), 2 and 3 (VLAN 2) in one group. */
function groupOf(crossing: Partial<CrossingSpec>): Rig {
  const rig = new Rig();
  for (const port of [1, 2, 3]) rig.addPort(port);
  const standard = { mode: 'transparent', bridgesAll: false, bridgesMulticast: true, bridgesInStandby: true } as const;
  rig.apply(
    {
      op: 'set-domain',
      spec: {
        id: Id.bridgeDomain,
        name: 'group',
        localMember: 11,
        mac: mac(GROUP),
        crossing: { ...standard, ...crossing },
      },
    },
    rig.interfaceMember(21, Id.bridgeDomain, 1, 0, { segment: 1 }),
    rig.interfaceMember(22, Id.bridgeDomain, 2, 0, { segment: 2 }),
    rig.interfaceMember(23, Id.bridgeDomain, 3, 0, { segment: 2 }),
  );
  return rig;
}

/** What has left by each of the three ports. */
const left = (rig: Rig): Buffer[][] => [1, 2, 3].map((port) => rig.received(port));

const experimental = (destination: string, source: string): Buffer =>
  ethernet(destination, source, 0x88b5, Buffer.alloc(46));

describe('a translucent group', () => {
  it('toggles the local bit of the source on the way over, and of the destination on the way back', () => {
    const rig = groupOf({ mode: 'translucent' });
    rig.send(1, hostFrame(EVERYBODY, A));
    assert.deepEqual(left(rig), [[], [hostFrame(EVERYBODY, other(A))], [hostFrame(EVERYBODY, other(A))]]);
    rig.send(2, hostFrame(other(A), B));
    assert.deepEqual(left(rig), [[hostFrame(A, other(B))], [], []]);
    rig.send(1, hostFrame(other(B), A));
    assert.deepEqual(left(rig), [[], [hostFrame(B, other(A))], []]);
    assert.deepEqual(rig.drops(), {});
    assert.equal(imbalance(rig.books), 0);
  });

  it('leaves alone what stays within a VLAN', () => {
    const rig = groupOf({ mode: 'translucent' });
    rig.send(3, hostFrame(EVERYBODY, C));
    left(rig);
    rig.send(2, hostFrame(C, B));
    assert.deepEqual(left(rig), [[], [], [hostFrame(C, B)]]);
    // Not even a kind of frame that does not cross.
    rig.send(2, experimental(C, B));
    assert.deepEqual(left(rig), [[], [], [experimental(C, B)]]);
    assert.deepEqual(rig.drops(), {});
  });

  it('does not lose a bit that a MAC has already', () => {
    const rig = groupOf({ mode: 'translucent' });
    rig.send(1, hostFrame(EVERYBODY, other(A)));
    assert.deepEqual(left(rig)[1], [hostFrame(EVERYBODY, A)]);
    rig.send(2, hostFrame(A, B));
    assert.deepEqual(left(rig)[0], [hostFrame(other(A), other(B))]);
  });

  it('tells two stations apart that differ in this bit alone', () => {
    const rig = groupOf({ mode: 'translucent' });
    rig.send(1, hostFrame(EVERYBODY, A));
    rig.send(2, hostFrame(EVERYBODY, other(A)));
    left(rig);
    // From VLAN 2, 02:aa… is the one at hand; its twin of VLAN 1 looks the same from here, and is hidden by it.
    rig.send(3, hostFrame(other(A), C));
    assert.deepEqual(left(rig), [[], [hostFrame(other(A), C)], []]);
  });

  it('toggles the MACs in ARP with those of the frame', () => {
    const rig = groupOf({ mode: 'translucent' });
    rig.send(1, ethernet(EVERYBODY, A, 0x0806, arp(1, A, IP_A, NOBODY, IP_B)));
    const asked = ethernet(EVERYBODY, other(A), 0x0806, arp(1, other(A), IP_A, NOBODY, IP_B));
    assert.deepEqual(left(rig), [[], [asked], [asked]]);
    rig.send(2, ethernet(other(A), B, 0x0806, arp(2, B, IP_B, other(A), IP_A)));
    assert.deepEqual(left(rig), [[ethernet(A, other(B), 0x0806, arp(2, other(B), IP_B, A, IP_A))], [], []]);
  });

  it('toggles the options of neighbour discovery and corrects the checksum', () => {
    const rig = groupOf({ mode: 'translucent' });
    const solicitation = Buffer.from(vector('kernel-neighbour-solicitation'));
    octets(A).copy(solicitation, 6);
    rig.send(1, solicitation);
    const seen = left(rig)[1]![0]!;
    assert.equal(seen[6], solicitation[6]! ^ 2);
    const option = seen.indexOf(Buffer.from([1, 1]), 14 + 40 + 24);
    assert.equal(option, 14 + 40 + 24);
    assert.equal(seen[option + 2], solicitation[option + 2]! ^ 2);
    const sum = (packet: Buffer): number => {
      const pseudo = Buffer.concat([packet.subarray(22, 54), fromHex('00000020 0000003a'), packet.subarray(54)]);
      return onesComplement(pseudo);
    };
    assert.equal(sum(solicitation), 0, 'the checksum of the vector is right');
    assert.equal(sum(seen), 0);
  });

  it('knows stations by the MAC that they have, also static ones', () => {
    const rig = groupOf({ mode: 'translucent' });
    rig.apply(rig.station(Id.bridgeDomain, B, 22));
    rig.send(1, hostFrame(other(B), A));
    assert.deepEqual(left(rig), [[], [hostFrame(B, other(A))], []]);
    const { high, low } = mac(A);
    assert.notEqual(rig.dataplane.fdb.find(Id.bridgeDomain, high, low), -1);
    assert.equal(rig.dataplane.fdb.find(Id.bridgeDomain, high ^ 0x0200, low), -1);
  });

  it('is no disguise for what is ours', () => {
    const rig = groupOf({ mode: 'translucent' });
    rig.apply({
      op: 'set-self',
      spec: { name: 'self', domain: Id.bridgeDomain, words: words('172.16.0.9'), isIpv6: false, prefixBits: 24 },
    });
    const announced = ethernet(EVERYBODY, GROUP, 0x0806, arp(1, GROUP, '172.16.0.9', NOBODY, '172.16.0.9'));
    const probe = ethernet(EVERYBODY, GROUP, 0x0806, arp(1, GROUP, '0.0.0.0', NOBODY, '172.16.0.9'));
    const both = [probe, announced];
    assert.deepEqual(left(rig), [both, both, both]);
    rig.send(2, ethernet(EVERYBODY, B, 0x0806, arp(1, B, IP_B, NOBODY, '172.16.0.9')));
    assert.deepEqual(left(rig)[1], [ethernet(B, GROUP, 0x0806, arp(2, GROUP, '172.16.0.9', B, IP_B))]);
  });
});

describe('what crosses a group', () => {
  for (const mode of ['transparent', 'translucent'] as const) {
    it(`${mode}: IP and ARP, and the rest with bridge-traffic`, () => {
      const rig = groupOf({ mode });
      for (const destination of [EVERYBODY, B]) rig.send(1, experimental(destination, A));
      rig.send(2, hostFrame(EVERYBODY, B));
      left(rig);
      const seenB = mode === 'transparent' ? B : other(B);
      rig.send(1, experimental(seenB, A));
      assert.deepEqual(left(rig), [[], [], []]);
      assert.deepEqual(rig.drops(), { 'traffic-not-bridged': 3 });
      rig.apply(groupSpec({ mode, bridgesAll: true }));
      rig.send(1, experimental(seenB, A));
      assert.equal(left(rig)[1]!.length, 1);
      assert.equal(imbalance(rig.books), 0);
    });
  }

  it('a frame that others of its VLAN get is counted once as not bridged', () => {
    const rig = groupOf({});
    rig.send(2, experimental(EVERYBODY, B));
    assert.deepEqual(left(rig), [[], [], [experimental(EVERYBODY, B)]]);
    assert.deepEqual(rig.drops(), { 'traffic-not-bridged': 1 });
    assert.equal(imbalance(rig.books), 0);
  });

  it('multicast only with bridge-multicast, broadcast always', () => {
    const rig = groupOf({ bridgesMulticast: false });
    rig.send(1, hostFrame('01:00:5e:00:00:05', A));
    assert.deepEqual(left(rig), [[], [], []]);
    rig.send(1, hostFrame(EVERYBODY, A));
    assert.deepEqual(
      left(rig).map(({ length }) => length),
      [0, 1, 1],
    );
    rig.send(2, hostFrame('01:00:5e:00:00:05', B));
    assert.equal(left(rig)[2]!.length, 1, 'within the VLAN it is no concern of the group');
    assert.deepEqual(rig.drops(), { 'multicast-not-bridged': 2 });
  });

  it('nothing while the device is standby, unless the group bridges then', () => {
    const rig = groupOf({ bridgesInStandby: false, bridgesAll: true });
    rig.apply({ op: 'set-failover-state', active: false });
    rig.send(1, hostFrame(EVERYBODY, A));
    rig.send(2, hostFrame(A, B));
    assert.deepEqual(left(rig), [[], [], []]);
    assert.deepEqual(rig.drops(), { 'standby-not-bridged': 2 });
    rig.apply({ op: 'set-failover-state', active: true });
    rig.send(2, hostFrame(A, B));
    assert.equal(left(rig)[0]!.length, 1);
    rig.apply({ op: 'set-failover-state', active: false }, groupSpec({ bridgesAll: true }));
    rig.send(2, hostFrame(A, B));
    assert.equal(left(rig)[0]!.length, 1);
  });
});

function groupSpec(crossing: Partial<CrossingSpec>): Parameters<Rig['apply']>[0] {
  const standard = { mode: 'transparent', bridgesAll: false, bridgesMulticast: true, bridgesInStandby: true } as const;
  const spec = { id: Id.bridgeDomain, name: 'group', localMember: 11, mac: mac(GROUP) };
  return { op: 'set-domain', spec: { ...spec, crossing: { ...standard, ...crossing } } };
}

describe('an opaque group', () => {
  const ask = (sender: string, senderIp: string, targetIp: string): Buffer =>
    ethernet(EVERYBODY, sender, 0x0806, arp(1, sender, senderIp, NOBODY, targetIp));
  const packet = (source: string, destination: string, ttl = 64): Buffer =>
    ipv4Packet({ source, destination, protocol: 17, ttl }, udp(4000, 4001, Buffer.alloc(20)));

  /** A group in which A has asked for B, and B has answered. */
  function acquainted(): Rig {
    const rig = groupOf({ mode: 'opaque' });
    rig.send(1, ask(A, IP_A, IP_B));
    const asked = ethernet(EVERYBODY, GROUP, 0x0806, arp(1, GROUP, IP_A, NOBODY, IP_B));
    assert.deepEqual(left(rig), [[], [asked], [asked]]);
    rig.send(2, ethernet(GROUP, B, 0x0806, arp(2, B, IP_B, GROUP, IP_A)));
    assert.deepEqual(left(rig), [[ethernet(A, GROUP, 0x0806, arp(2, GROUP, IP_B, A, IP_A))], [], []]);
    return rig;
  }

  it('answers ARP with its own MAC, and routes what is sent to it', () => {
    const rig = acquainted();
    rig.send(1, ethernet(GROUP, A, 0x0800, packet(IP_A, IP_B)));
    assert.deepEqual(left(rig), [[], [ethernet(B, GROUP, 0x0800, packet(IP_A, IP_B, 63))], []]);
    rig.send(2, ethernet(GROUP, B, 0x0800, packet(IP_B, IP_A)));
    assert.deepEqual(left(rig), [[ethernet(A, GROUP, 0x0800, packet(IP_B, IP_A, 63))], [], []]);
    assert.deepEqual(rig.drops(), {});
    assert.equal(imbalance(rig.books), 0);
  });

  it('passes on a request that is sent to it alone', () => {
    const rig = acquainted();
    rig.send(1, ethernet(GROUP, A, 0x0806, arp(1, A, IP_A, NOBODY, IP_B)));
    assert.deepEqual(left(rig), [[], [ethernet(B, GROUP, 0x0806, arp(1, GROUP, IP_A, NOBODY, IP_B))], []]);
  });

  it('switches within a VLAN as ever', () => {
    const rig = acquainted();
    rig.send(3, hostFrame(B, C));
    assert.deepEqual(left(rig), [[], [hostFrame(B, C)], []]);
  });

  it('lets no unicast pass at layer 2, and broadcasts with its own MAC', () => {
    const rig = acquainted();
    rig.send(1, hostFrame(B, A));
    assert.deepEqual(left(rig), [[], [], []]);
    assert.deepEqual(rig.drops(), { 'unknown-destination': 1 });
    rig.send(1, hostFrame(EVERYBODY, A));
    assert.deepEqual(left(rig)[1], [hostFrame(EVERYBODY, GROUP)]);
  });

  it('routes fragments, and drops what is too old', () => {
    const rig = acquainted();
    const fragment = ipv4Packet({ source: IP_A, destination: IP_B, protocol: 17, flags: 0x2010 }, Buffer.alloc(24));
    rig.send(1, ethernet(GROUP, A, 0x0800, fragment));
    assert.equal(left(rig)[1]!.length, 1);
    rig.send(1, ethernet(GROUP, A, 0x0800, packet(IP_A, IP_B, 1)));
    assert.deepEqual(left(rig), [[], [], []]);
    assert.deepEqual(rig.drops(), { 'ttl-expired': 1 });
  });

  it('asks for a host that it has not heard, a few times a second', () => {
    const rig = groupOf({ mode: 'opaque' });
    for (let index = 0; index < 3; index++) rig.send(1, ethernet(GROUP, A, 0x0800, packet(IP_A, IP_B)));
    const asked = ethernet(EVERYBODY, GROUP, 0x0806, arp(1, GROUP, IP_A, NOBODY, IP_B));
    assert.deepEqual(left(rig), [[asked], [asked], [asked]]);
    assert.deepEqual(rig.drops(), { 'host-unresolved': 3 });
    rig.send(2, ethernet(GROUP, B, 0x0806, arp(2, B, IP_B, GROUP, IP_A)));
    rig.send(1, ethernet(GROUP, A, 0x0800, packet(IP_A, IP_B)));
    assert.equal(left(rig)[1]!.length, 1);
  });

  it('does the same for IPv6, by neighbour discovery', () => {
    const rig = groupOf({ mode: 'opaque' });
    const [ip6A, ip6B] = ['20010db8000000000000000000000001', '20010db8000000000000000000000002'];
    const solicited = `ff0200000000000000000001ff${ip6B.slice(-6)}`;
    /** A discovery message of one option, as RFC 4861 draws it. */
    const message = (type: number, from: string, to: string, option: number, station: string): Buffer => {
      const head = octets(`6000 0000 0020 3aff ${from} ${to}`);
      const body = octets(`${type.toString(16)}00 0000 0000 0000 ${ip6B} 0${option}01 ${station}`);
      const pseudo = Buffer.concat([head.subarray(8), octets('00000020 0000003a'), body]);
      body.writeUInt16BE(onesComplement(pseudo), 2);
      return Buffer.concat([head, body]);
    };
    const datagram = (from: string, to: string, hops: number): Buffer =>
      octets(`6000 0000 0008 11 ${hops.toString(16).padStart(2, '0')} ${from} ${to} 0fa0 0fa1 0008 ffff`);
    const toAll = `33:33:ff:${ip6B.slice(-6).replace(/..(?=.)/g, '$&:')}`;
    rig.send(1, ethernet(toAll, A, 0x86dd, message(135, ip6A, solicited, 1, A)));
    const asked = ethernet(toAll, GROUP, 0x86dd, message(135, ip6A, solicited, 1, GROUP));
    assert.deepEqual(left(rig), [[], [asked], [asked]]);
    rig.send(2, ethernet(GROUP, B, 0x86dd, message(136, ip6B, ip6A, 2, B)));
    assert.deepEqual(left(rig), [[ethernet(A, GROUP, 0x86dd, message(136, ip6B, ip6A, 2, GROUP))], [], []]);
    rig.send(1, ethernet(GROUP, A, 0x86dd, datagram(ip6A, ip6B, 64)));
    assert.deepEqual(left(rig), [[], [ethernet(B, GROUP, 0x86dd, datagram(ip6A, ip6B, 63))], []]);
    rig.send(2, ethernet(GROUP, B, 0x86dd, datagram(ip6B, ip6A, 1)));
    rig.send(2, ethernet(GROUP, B, 0x86dd, datagram(ip6B, `${ip6A.slice(0, -1)}9`, 64)));
    assert.deepEqual(left(rig), [[], [], []]);
    assert.deepEqual(rig.drops(), { 'ttl-expired': 1, 'host-unresolved': 1 });
    assert.equal(imbalance(rig.books), 0);
  });

  it('still answers for a self IP of the group', () => {
    const rig = acquainted();
    rig.apply({
      op: 'set-self',
      spec: { name: 'self', domain: Id.bridgeDomain, words: words('172.16.0.9'), isIpv6: false, prefixBits: 24 },
    });
    left(rig);
    rig.send(1, ask(A, IP_A, '172.16.0.9'));
    assert.deepEqual(rig.received(1), [ethernet(A, GROUP, 0x0806, arp(2, GROUP, '172.16.0.9', A, IP_A))]);
  });
});

describe('three tunnels in a group', () => {
  it('do not exchange frames, each of them does with the VLAN', () => {
    const rig = Rig.withTunnel();
    rig.resolveRemote();
    const vnis = [100, 200, 300];
    rig.apply(groupSpec({ mode: 'transparent', bridgesAll: true }));
    vnis.forEach((key, index) =>
      rig.apply(
        rig.tunnelMember(index === 0 ? Id.vx1 : Id.firstFree + index, { segment: 10 + index, tunnel: { key } }),
      ),
    );
    rig.received(0);
    const outer = (vni: number, inner: Buffer): Buffer => {
      const datagram = udp(50_000, 4789, vxlan(vni, inner));
      const fields = { source: REMOTE, destination: LOCAL, protocol: 17 };
      return ethernet(WAN_MAC, PEER_MAC, 0x0800, ipv4Packet(fields, datagram));
    };
    const station = (index: number): string => `00:bb:00:00:00:0${index}`;
    vnis.forEach((vni, index) => rig.send(0, outer(vni, hostFrame(EVERYBODY, station(index)))));
    assert.equal(rig.received(1).length, 3, 'each broadcast once to the VLAN');
    assert.equal(rig.received(0).length, 0, 'and to no other tunnel');
    // Known unicast alike.
    rig.send(0, outer(100, hostFrame(station(1), station(0))));
    assert.equal(rig.received(0).length, 0);
    assert.deepEqual(rig.drops(), { 'split-horizon': 1 });
    rig.send(1, hostFrame(EVERYBODY, A));
    assert.deepEqual(
      rig.received(0).map((datagram) => datagram.readUIntBE(46, 3)),
      vnis,
    );
    rig.send(1, hostFrame(station(2), A));
    assert.deepEqual(
      rig.received(0).map((datagram) => datagram.readUIntBE(46, 3)),
      [300],
    );
    assert.equal(imbalance(rig.books), 0);
  });
});

describe('the configuration of groups', () => {
  const facts = new Map<string, DeviceFacts>([['e1', { mac: mac(WAN_MAC), mtu: 1600, isUp: true }]]);
  const modelOf = (group: string) => {
    const text = `
      net interface 1.1 { device e1 }
      net vlan one { interfaces { 1.1 { untagged } } tag 10 }
      net vlan two { interfaces { 1.1 { tagged } } tag 20 }
      net vlan-group g { members { one two } ${group} }
      net self s { address 172.16.0.9/24 vlan g }
    `;
    const { configuration } = loadText(text, emptyConfiguration());
    return buildModel(viewOf(configuration.views.values()), facts);
  };

  it('is translucent, for IP and ARP, multicast included, by default', () => {
    assert.deepEqual(modelOf('').domains.get('/Common/g'), {
      name: '/Common/g',
      mac: mac(WAN_MAC),
      crossing: { mode: 'translucent', bridgesAll: false, bridgesMulticast: true, bridgesInStandby: true },
      routeDomain: 0,
      isLayer3: false,
    });
  });

  it('reaches the data plane, with the self IP of the group', () => {
    const model = modelOf('mode opaque bridge-traffic enabled bridge-multicast disabled bridge-in-standby disabled');
    assert.deepEqual(model.failures, []);
    const operations = [...new Planner(250).plan(model).operations];
    const domain = operations.find((operation) => operation.op === 'set-domain');
    assert.deepEqual(domain?.spec.crossing, {
      mode: 'opaque',
      bridgesAll: true,
      bridgesMulticast: false,
      bridgesInStandby: false,
    });
    const self = operations.find((operation) => operation.op === 'set-self');
    assert.equal(self?.spec.domain, domain.spec.id);
  });

  it('says that virtual-wire is carried as transparent', () => {
    const model = modelOf('mode virtual-wire');
    assert.equal(model.domains.get('/Common/g')?.crossing?.mode, 'transparent');
    assert.deepEqual(
      model.failures.map(({ object }) => object),
      ['net vlan-group /Common/g'],
    );
  });
});
