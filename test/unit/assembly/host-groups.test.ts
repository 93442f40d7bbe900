// Multicast between the network and the sockets of this host, on memory ports.
//
//   station ─ port 0 ─ domain: 10.1.0.1/24 (udp:62960, 89), 2001:db8:a::1/64 (udp:62960) ─ port 2 ─ host
//   station ─ port 1 ─┘

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GROUP_SECONDS, QUERY_SECONDS } from '../../../src/route/host-groups.ts';
import { parseService } from '../../../src/wire/service-names.ts';
import { mac, Rig, words } from '../../support/dataplane-rig.ts';
import {
  ethernet,
  igmpPacket,
  ipv4Packet,
  ipv6Octets,
  ipv6Packet,
  mldPacket,
  octets,
  onesComplement,
  udp,
} from '../../support/frames.ts';

const [MAC, STATION, HOST] = ['02:00:00:00:00:0a', '02:11:00:00:00:0a', '02:22:00:00:00:0a'];
const [SELF, NEAR, SELF6, NEAR6] = ['10.1.0.1', '10.1.0.10', '2001:db8:a::1', '2001:db8:a::10'];
const [GROUP, GROUP_MAC] = ['224.0.0.245', '01:00:5e:00:00:f5'];
const [GROUP6, GROUP6_MAC] = ['ff05::f5', '33:33:00:00:00:f5'];
const TO_HOST = 2;
const FAILOVER = 62_960;

function makeRig(): Rig {
  const rig = new Rig();
  for (const port of [0, 1, TO_HOST]) rig.addPort(port);
  const services = [parseService(`udp:${FAILOVER}`)!];
  const services4 = [...services, parseService('89:0')!];
  rig.apply(
    { op: 'set-domain', spec: { id: 1, name: 'a', localMember: 10, mac: mac(MAC) } },
    rig.interfaceMember(0, 1, 0),
    rig.interfaceMember(1, 1, 1),
    {
      op: 'set-self',
      spec: { name: SELF, domain: 1, words: words(SELF), isIpv6: false, prefixBits: 24, services: services4 },
    },
    { op: 'set-self', spec: { name: SELF6, domain: 1, words: words(SELF6), isIpv6: true, prefixBits: 64, services } },
    { op: 'set-host-path', spec: { domain: 1, port: TO_HOST, mac: mac(HOST), ownMac: mac(MAC), usesLastHop: true } },
  );
  rig.advance(1000);
  for (const port of [0, 1, TO_HOST]) rig.received(port);
  return rig;
}

/** A report of IGMPv3 or MLDv2 with one record, as the kernel of the host sends it. */
function report(group: string, type: number): Buffer {
  const isIpv6 = group.includes(':');
  const address = isIpv6 ? ipv6Octets(group) : Buffer.from(group.split('.').map(Number));
  const message = Buffer.concat([
    octets(isIpv6 ? '8f00000000000001' : '2200000000000001'),
    Buffer.from([type, 0, 0, 0]),
    address,
  ]);
  if (isIpv6) return ethernet('33:33:00:00:00:16', HOST, 0x86dd, mldPacket('fe80::22', 'ff02::16', message));
  return ethernet('01:00:5e:00:00:16', HOST, 0x0800, igmpPacket(SELF, '224.0.0.22', message));
}

const [JOIN, LEAVE] = [4, 3];
const datagram = udp(FAILOVER, FAILOVER, Buffer.from('state'));
const toGroup = (source: string): Buffer => ipv4Packet({ source, destination: GROUP, protocol: 17, ttl: 1 }, datagram);
const toGroup6 = (source: string): Buffer => ipv6Packet({ source, destination: GROUP6, nextHeader: 17 }, datagram);

describe('groups that sockets of this host have joined', () => {
  it('are asked for, at once and again and again', () => {
    const rig = new Rig();
    rig.addPort(TO_HOST);
    rig.apply(
      { op: 'set-domain', spec: { id: 1, name: 'a', localMember: 10, mac: mac(MAC) } },
      { op: 'set-host-path', spec: { domain: 1, port: TO_HOST, mac: mac(HOST), ownMac: mac(MAC), usesLastHop: true } },
    );
    for (let round = 0; round < 3; round++) {
      rig.advance(QUERY_SECONDS * 1000);
      const [query4, query6, ...rest] = rig.received(TO_HOST, true);
      assert.deepEqual(rest, []);
      assert.deepEqual([...query4!.subarray(0, 6)], [...octets('01:00:5e:00:00:01')]);
      assert.equal(query4![34], 0x11);
      assert.equal(onesComplement(query4!.subarray(34)), 0);
      assert.deepEqual([...query6!.subarray(0, 6)], [...octets('33:33:00:00:00:01')]);
      assert.equal(query6![62], 130);
    }
  });

  it('are joined on the network, and left there', () => {
    for (const [group, at] of [
      [GROUP, 38 + 8],
      [GROUP6, 62 + 8],
    ] as const) {
      const rig = makeRig();
      rig.send(TO_HOST, report(group, JOIN));
      rig.advance(300);
      const joined = rig.received(0);
      assert.equal(joined[0]![at], JOIN, 'a record that says so');
      assert.deepEqual(rig.received(1)[0], joined[0]);
      rig.send(TO_HOST, report(group, LEAVE));
      rig.advance(20_000);
      assert.ok(rig.received(0).some((frame) => frame[at] === LEAVE));
      assert.deepEqual(rig.drops(), {});
    }
  });

  it('come in, to their own MAC, while they are joined and where allow-service lets them', () => {
    for (const [group, packet, groupMac, type] of [
      [GROUP, toGroup(NEAR), GROUP_MAC, 0x0800],
      [GROUP6, toGroup6(NEAR6), GROUP6_MAC, 0x86dd],
    ] as const) {
      const rig = makeRig();
      const frame = ethernet(groupMac, STATION, type, packet);
      rig.send(0, frame);
      assert.deepEqual(rig.received(TO_HOST), []);
      rig.send(TO_HOST, report(group, JOIN));
      rig.advance(300);
      rig.send(0, frame);
      assert.deepEqual(rig.received(TO_HOST), [ethernet(groupMac, MAC, type, packet)]);
      assert.ok(
        rig.received(1).some((other) => other.equals(frame)),
        'other stations get it as well',
      );
      rig.apply({
        op: 'set-self',
        spec: {
          name: 'none',
          domain: 1,
          words: words(type === 0x0800 ? SELF : SELF6),
          isIpv6: type !== 0x0800,
          prefixBits: 24,
          services: [],
        },
      });
      for (const name of [SELF, SELF6]) rig.apply({ op: 'remove-self', name });
      rig.send(0, frame);
      assert.deepEqual(rig.received(TO_HOST), []);
      assert.deepEqual(rig.drops(), { 'port-lockdown': 1 });
    }
  });

  it('of other protocols as well, and in fragments', () => {
    const rig = makeRig();
    rig.send(TO_HOST, report('224.0.0.5', JOIN));
    rig.advance(300);
    const mac5 = '01:00:5e:00:00:05';
    const hello = ipv4Packet({ source: NEAR, destination: '224.0.0.5', protocol: 89, ttl: 1 }, Buffer.alloc(44));
    const parts = [0x2000, 1].map((flags) =>
      ipv4Packet(
        { source: NEAR, destination: '224.0.0.5', protocol: 89, flags, identification: 9 },
        Buffer.alloc(8, 7),
      ),
    );
    for (const packet of [hello, ...parts]) rig.send(0, ethernet(mac5, STATION, 0x0800, packet));
    assert.deepEqual(
      rig.received(TO_HOST),
      [hello, ...parts].map((packet) => ethernet(mac5, MAC, 0x0800, packet)),
    );
    rig.send(
      0,
      ethernet(mac5, STATION, 0x0800, ipv4Packet({ source: NEAR, destination: '224.0.0.5', protocol: 112 }, hello)),
    );
    assert.deepEqual(rig.drops(), { 'port-lockdown': 1 });
  });

  it('are forgotten when the host does not name them any more', () => {
    const rig = makeRig();
    rig.send(TO_HOST, report(GROUP, JOIN));
    for (let second = 0; second < GROUP_SECONDS; second += 5) {
      rig.send(TO_HOST, report(GROUP, 2));
      rig.advance(5000);
    }
    rig.received(TO_HOST);
    rig.send(0, ethernet(GROUP_MAC, STATION, 0x0800, toGroup(NEAR)));
    assert.equal(rig.received(TO_HOST).length, 1);
    rig.advance((GROUP_SECONDS + 1) * 1000);
    rig.received(TO_HOST);
    rig.send(0, ethernet(GROUP_MAC, STATION, 0x0800, toGroup(NEAR)));
    assert.deepEqual(rig.received(TO_HOST), []);
  });

  it('are not those of neighbour discovery and of all systems', () => {
    const rig = makeRig();
    for (const group of ['224.0.0.1', 'ff02::1', 'ff02::1:ff00:1', 'ff01::f5']) rig.send(TO_HOST, report(group, JOIN));
    rig.advance(2000);
    assert.deepEqual(rig.received(0), []);
  });

  it('are not heard from a message that is damaged or ends too early', () => {
    const rig = makeRig();
    const damaged = report(GROUP, JOIN);
    damaged[damaged.length - 1]! ^= 1;
    const message = octets('220000000000000904000000e00000f504000003e00000f6');
    rig.send(TO_HOST, damaged);
    rig.send(TO_HOST, ethernet('01:00:5e:00:00:16', HOST, 0x0800, igmpPacket(SELF, '224.0.0.22', message)));
    rig.advance(300);
    const joined = rig.received(0);
    assert.equal(joined.length, 1);
    assert.equal(joined[0]!.subarray(-4).toString('hex'), 'e00000f5', 'the whole record, and none behind it');
  });
});

describe('what the host sends to a group', () => {
  it('goes to every member of the domain, from our MAC', () => {
    const rig = makeRig();
    for (const [packet, groupMac, type] of [
      [toGroup(SELF), GROUP_MAC, 0x0800],
      [toGroup6(SELF6), GROUP6_MAC, 0x86dd],
    ] as const) {
      rig.send(TO_HOST, ethernet(groupMac, HOST, type, packet));
      for (const port of [0, 1]) assert.deepEqual(rig.received(port), [ethernet(groupMac, MAC, type, packet)]);
    }
    assert.deepEqual(rig.drops(), {});
  });

  it('has to come from a self IP', () => {
    const rig = makeRig();
    rig.send(TO_HOST, ethernet(GROUP_MAC, HOST, 0x0800, toGroup('172.17.0.2')));
    assert.deepEqual(rig.received(0), []);
    assert.deepEqual(rig.drops(), { 'host-unsupported': 1 });
  });

  it('is not taken for that of another, should it come back', () => {
    const rig = makeRig();
    rig.send(TO_HOST, report(GROUP, JOIN));
    rig.advance(300);
    rig.send(0, ethernet(GROUP_MAC, STATION, 0x0800, toGroup(SELF)));
    assert.deepEqual(rig.received(TO_HOST), []);
    assert.deepEqual(rig.drops(), { 'own-packet-returned': 1 });
  });
});
