// Tunnels that flood by multicast, on our own addresses: groups are joined and left, what is flooded goes to the group, what
// arrives for it is taken.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { linkLocalOf } from '../../../src/assembly/dataplaned/group-service.ts';
import type { Operation } from '../../../src/assembly/dataplaned/spec.ts';
import { Domain } from '../../../src/bridge/domain.ts';
import { formatWords } from '../../../src/core/address.ts';
import { UdpChecksum } from '../../../src/tunnel/tunnel.ts';
import { Id, LOCAL, mac, PEER_MAC, REMOTE, Rig, VNI, words } from '../../support/dataplane-rig.ts';
import {
  ethernet,
  hostFrame,
  igmpPacket,
  ipv4Packet,
  ipv6Octets,
  ipv6Packet,
  mldPacket,
  octets,
  udp,
  vxlan,
} from '../../support/frames.ts';

const HOST_A = '02:aa:00:00:00:01';
const HOST_B = '02:bb:00:00:00:01';
const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const LOCAL6 = '2001:db8:9::1';
const REMOTE6 = '2001:db8:9::2';
const GROUP_MAC_4 = '01:00:5e:01:01:01';
const GROUP_MAC_6 = '33:33:00:00:01:00';

const V4 = { local: LOCAL, remote: REMOTE, group: '239.1.1.1', groupMac: GROUP_MAC_4 };
const V6 = { local: LOCAL6, remote: REMOTE6, group: 'ff05::100', groupMac: GROUP_MAC_6 };

function tunnel(
  rig: Rig,
  { local, group }: { local: string; group: string },
  id: number = Id.vx1,
  key = VNI,
): Operation {
  return rig.tunnelMember(id, {
    ...{ replicates: true, floodRemotes: [words(group)] },
    tunnel: {
      ...{ key, local: words(local), remote: undefined, learnsEndpoints: true, ttl: 7 },
      ...{ udpChecksum: UdpChecksum.always, group: { address: words(group), domain: Id.wanDomain } },
    },
  });
}

function makeRig(version: typeof V4): { rig: Rig; joins: Buffer[] } {
  const rig = Rig.withTunnel();
  const self = { name: 'wan6', domain: Id.wanDomain, words: words(LOCAL6), isIpv6: true, prefixBits: 64 };
  rig.apply({ op: 'set-self', spec: self });
  rig.received(0);
  rig.apply(tunnel(rig, version));
  return { rig, joins: rig.received(0) };
}

function toGroup(version: typeof V4, inner: Buffer, vni = VNI): Buffer {
  const { remote, group, groupMac } = version;
  const datagram = udp(50_000, 4789, vxlan(vni, inner));
  if (version === V4) {
    const packet = ipv4Packet({ source: remote, destination: group, protocol: 17 }, datagram);
    return ethernet(groupMac, PEER_MAC, 0x0800, packet);
  }
  const packet = ipv6Packet({ source: remote, destination: group, nextHeader: 17 }, datagram, 6);
  return ethernet(groupMac, PEER_MAC, 0x86dd, packet);
}

for (const [name, version] of [
  ['IPv4', V4],
  ['IPv6', V6],
] as const) {
  describe(name, () => {
    it('joins the group, once more after a while, and leaves it', () => {
      const { rig, joins } = makeRig(version);
      const type = version === V4 ? [0x22, 38] : [143, 62];
      assert.equal(joins.length, 1);
      assert.equal(joins[0]![type[1]!], type[0]);
      assert.equal(joins[0]![type[1]! + 8], 4, 'a change to "everything but"');
      for (let step = 0; step < 40; step++) rig.advance(250);
      assert.equal(rig.received(0).length, 1);
      rig.apply({ op: 'remove-member', id: Id.vx1 });
      const [leave] = rig.received(0);
      assert.equal(leave?.[type[1]! + 8], 3, 'a change to "nothing"');
      for (let step = 0; step < 40; step++) rig.advance(250);
      assert.equal(rig.received(0).length, 1);
    });

    it('sends broadcast, unknown unicast and multicast to the group, each once', () => {
      const { rig } = makeRig(version);
      for (const destination of [BROADCAST, HOST_B, '01:00:5e:00:00:fb']) {
        rig.send(1, hostFrame(destination, HOST_A));
        const packets = rig.received(0);
        assert.equal(packets.length, 1);
        assert.equal(packets[0]!.toString('hex', 0, 6), version.groupMac.replaceAll(':', ''));
        const inner = version === V4 ? 50 : 70;
        assert.deepEqual(packets[0]!.subarray(inner), hostFrame(destination, HOST_A));
        assert.equal(packets[0]![version === V4 ? 22 : 21], 7, 'the TTL of the tunnel');
      }
      assert.deepEqual(rig.drops(), {});
    });

    it('takes what arrives for the group, learns the end, and answers it alone', () => {
      const { rig } = makeRig(version);
      const neighbour = { domain: Id.wanDomain, address: words(version.remote), mac: mac(PEER_MAC) };
      rig.apply({ op: 'set-static-neighbour', spec: neighbour });
      rig.send(0, toGroup(version, hostFrame(HOST_A, HOST_B)));
      assert.deepEqual(rig.received(1), [hostFrame(HOST_A, HOST_B)]);
      rig.received(0);
      rig.send(1, hostFrame(HOST_B, HOST_A));
      assert.equal(rig.received(0)[0]?.toString('hex', 0, 6), PEER_MAC.replaceAll(':', ''));
    });

    it('takes nothing for groups that it is not in', () => {
      const { rig } = makeRig(version);
      const other = version === V4 ? { ...V4, group: '239.1.1.2', groupMac: '01:00:5e:01:01:02' } : undefined;
      if (other !== undefined) {
        const frame = toGroup(V4, hostFrame(HOST_A, HOST_B));
        frame.set(octets(other.groupMac), 0);
        rig.send(0, frame);
      } else {
        const datagram = udp(50_000, 4789, vxlan(VNI, hostFrame(HOST_A, HOST_B)));
        const packet = ipv6Packet({ source: REMOTE6, destination: 'ff05::101', nextHeader: 17 }, datagram, 6);
        rig.send(0, ethernet('33:33:00:00:01:01', PEER_MAC, 0x86dd, packet));
      }
      assert.deepEqual(rig.received(1), []);
    });

    it('drops by the VNI, as from any sender', () => {
      const { rig } = makeRig(version);
      rig.send(0, toGroup(version, hostFrame(HOST_A, HOST_B), 4711));
      assert.equal(rig.drops()['unknown-vni'], 1);
    });
  });
}

it('leaves every group when the data plane stops', () => {
  const { rig } = makeRig(V4);
  rig.apply(tunnel(rig, V6, Id.firstFree));
  rig.received(0);
  rig.dataplane.takeLeave();
  const left = rig.received(0).map((frame) => frame.readUInt16BE(12));
  assert.deepEqual(left.sort(), [0x0800, 0x86dd]);
});

describe('several tunnels in one group', () => {
  it('each take their VNI, join once, and leave with the last', () => {
    const { rig } = makeRig(V4);
    rig.apply(tunnel(rig, V4, Id.firstFree, 200));
    assert.deepEqual(rig.received(0), [], 'the group is joined already');
    rig.send(0, toGroup(V4, hostFrame(HOST_A, HOST_B), 200));
    assert.equal(rig.received(1).length, 1);
    rig.apply({ op: 'remove-member', id: Id.vx1 });
    assert.deepEqual(rig.received(0), []);
    rig.send(0, toGroup(V4, hostFrame(HOST_A, HOST_B), 200));
    assert.equal(rig.received(1).length, 1);
    rig.apply({ op: 'remove-member', id: Id.firstFree });
    assert.equal(rig.received(0).length, 1);
  });

  it('serves tunnels of two local addresses on one VLAN', () => {
    const { rig } = makeRig(V4);
    const self = { name: 'second', domain: Id.wanDomain, words: words('10.9.1.9'), isIpv6: false, prefixBits: 24 };
    rig.apply({ op: 'set-self', spec: self }, tunnel(rig, { local: '10.9.1.9', group: V4.group }, Id.firstFree, 200));
    rig.send(0, toGroup(V4, hostFrame(HOST_A, HOST_B), 100));
    rig.send(0, toGroup(V4, hostFrame(HOST_A, HOST_B), 200));
    assert.equal(rig.received(1).length, 2);
  });
});

describe('queries', () => {
  const query = (message: string): Buffer =>
    ethernet('01:00:5e:00:00:01', PEER_MAC, 0x0800, igmpPacket(REMOTE, '224.0.0.1', octets(message)));

  /** What leaves until well after the time that a query allows. */
  const answers = (rig: Rig): Buffer[] => {
    for (let step = 0; step < 48; step++) rig.advance(250);
    return rig.received(0);
  };

  it('of IGMPv3, 2 and 1 are answered in their version, and version 2 gets a leave', () => {
    const { rig } = makeRig(V4);
    answers(rig);
    rig.send(0, query('1164 0000 00000000 02 7d 0000'));
    assert.deepEqual(
      answers(rig).map((frame) => frame.toString('hex', 38, 39)),
      ['22'],
    );
    rig.send(0, query('1164 0000 00000000'));
    const [report] = answers(rig);
    assert.equal(report?.toString('hex', 0, 6), '01005e010101');
    assert.equal(report[38], 0x16);
    rig.apply({ op: 'remove-member', id: Id.vx1 });
    const [leave] = rig.received(0);
    assert.equal(leave?.[38], 0x17);
    assert.equal(leave.toString('hex', 30, 34), 'e0000002');
    rig.apply(tunnel(rig, V4));
    answers(rig);
    rig.send(0, query('1100 0000 00000000'));
    assert.deepEqual(
      answers(rig).map((frame) => frame[38]),
      [0x12],
    );
  });

  it('of MLDv2 and 1 are answered in their version, from a link-local address', () => {
    const { rig } = makeRig(V6);
    answers(rig);
    const ask = (message: string): void =>
      rig.send(0, ethernet('33:33:00:00:00:01', PEER_MAC, 0x86dd, mldPacket('fe80::9', 'ff02::1', octets(message))));
    ask(`8200 0000 2710 0000 ${'00'.repeat(16)} 02 7d 0000`);
    const [report] = answers(rig);
    assert.equal(report?.[62], 143);
    assert.equal(report.toString('hex', 22, 38), ipv6Octets('fe80::ff:fe00:1').toString('hex'));
    ask(`8200 0000 2710 0000 ${'00'.repeat(16)}`);
    assert.deepEqual(
      answers(rig).map((frame) => frame[62]),
      [131],
    );
    rig.apply({ op: 'remove-member', id: Id.vx1 });
    assert.deepEqual(
      rig.received(0).map((frame) => frame[62]),
      [132],
    );
  });

  it('that are damaged or from another link are dropped by name', () => {
    const { rig } = makeRig(V6);
    rig.apply(tunnel(rig, V4, Id.firstFree));
    const damaged = query('1164 0000 00000000');
    damaged[41]! ^= 1;
    rig.send(0, damaged);
    const message = octets(`8200 0000 2710 0000 ${'00'.repeat(16)}`);
    rig.send(0, ethernet('33:33:00:00:00:01', PEER_MAC, 0x86dd, mldPacket('2001:db8:9::2', 'ff02::1', message)));
    assert.deepEqual(rig.drops(), { 'group-message-invalid': 2 });
  });

  it('are nothing to a domain that is in no group', () => {
    const rig = Rig.withTunnel();
    rig.send(0, query('1164 0000 00000000'));
    assert.deepEqual(answers(rig), []);
    assert.deepEqual(rig.drops(), { 'unknown-destination': 1 });
  });
});

it('the link-local address is ours to solicit and ping, where there is an IPv6 self IP', () => {
  const { rig } = makeRig(V6);
  const solicit = (): void => {
    const message = Buffer.concat([
      octets('8700 0000 00000000'),
      ipv6Octets('fe80::ff:fe00:1'),
      octets(`0101${PEER_MAC}`),
    ]);
    const fields = { source: 'fe80::9', destination: 'ff02::1:ff00:1', nextHeader: 58, hopLimit: 255 };
    rig.send(0, ethernet('33:33:ff:00:00:01', PEER_MAC, 0x86dd, ipv6Packet(fields, message, 2)));
  };
  rig.received(0);
  solicit();
  const [answer] = rig.received(0);
  assert.equal(answer?.[54], 136);
  rig.apply({ op: 'remove-self', name: 'wan6' });
  rig.received(0);
  solicit();
  assert.deepEqual(rig.received(0), []);
});

it('the link-local address follows from the MAC (RFC 4291, appendix A)', () => {
  const domain = new Domain(1, 'wan');
  const { high, low } = mac('34:56:78:9a:bc:de');
  domain.macHigh = high;
  domain.macLow = low;
  assert.equal(formatWords(linkLocalOf(domain)), 'fe80::3656:78ff:fe9a:bcde');
});
