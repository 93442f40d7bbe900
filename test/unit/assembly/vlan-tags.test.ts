import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { viewOf } from '../../../src/assembly/dataplaned/config-view.ts';
import { buildModel } from '../../../src/assembly/dataplaned/build-model.ts';
import type { DeviceFacts } from '../../../src/assembly/dataplaned/model.ts';
import { Planner } from '../../../src/assembly/dataplaned/planner.ts';
import type { InterfaceMemberSpec } from '../../../src/assembly/dataplaned/spec.ts';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { imbalance } from '../../../src/pipeline/books.ts';
import { Id, mac, Rig } from '../../support/dataplane-rig.ts';
import { arp, ethernet, hostFrame, ipv4Packet, udp } from '../../support/frames.ts';
import { TmshSession } from '../../support/tmsh-session.ts';

const HOST_A = '02:aa:00:00:00:01';
const HOST_B = '02:bb:00:00:00:01';
const EVERYBODY = 'ff:ff:ff:ff:ff:ff';

/** The frame with tags behind its MACs, the first one outside: [TPID, TCI]. */
function tagged(frame: Buffer, ...tags: readonly (readonly [number, number])[]): Buffer {
  const octets = Buffer.alloc(tags.length * 4);
  tags.forEach(([tpid, tci], index) => {
    octets.writeUInt16BE(tpid, index * 4);
    octets.writeUInt16BE(tci, index * 4 + 2);
  });
  return Buffer.concat([frame.subarray(0, 12), octets, frame.subarray(12)]);
}

/** Port 1 is untagged in the VLAN; port 3 has the tags that `change` says. */
function rigWith(vlan: number, change: Partial<InterfaceMemberSpec>): Rig {
  const rig = new Rig();
  rig.addPort(1);
  rig.addPort(3);
  rig.apply(
    { op: 'set-domain', spec: { id: Id.bridgeDomain, name: 'lan', localMember: 11, mac: undefined } },
    rig.interfaceMember(Id.insideMember, Id.bridgeDomain, 1),
    rig.interfaceMember(Id.firstFree, Id.bridgeDomain, 3, vlan, change),
  );
  return rig;
}

const frame = hostFrame(EVERYBODY, HOST_A);
const back = hostFrame(HOST_A, HOST_B);

describe('two tags', () => {
  for (const tpid of [0x8100, 0x88a8, 0x9100]) {
    it(`are read and written, the outer one of TPID 0x${tpid.toString(16)}`, () => {
      const rig = rigWith(300, { innerVlan: 30, tpid });
      rig.send(3, tagged(frame, [tpid, 300], [0x8100, 30]));
      assert.deepEqual(rig.received(1), [frame]);
      rig.send(1, back);
      assert.deepEqual(rig.received(3), [tagged(back, [tpid, 300], [0x8100, 30])]);
      assert.deepEqual(rig.drops(), {});
      assert.equal(imbalance(rig.books), 0);
    });
  }

  it('are read whichever TPID of IEEE 802.1 the outer one has', () => {
    const rig = rigWith(300, { innerVlan: 30, tpid: 0x9100 });
    for (const tpid of [0x8100, 0x88a8, 0x9100]) rig.send(3, tagged(frame, [tpid, 300], [0x8100, 30]));
    assert.equal(rig.received(1).length, 3);
  });

  it('may stand beside the octets, the outer one of them', () => {
    const rig = rigWith(300, { innerVlan: 30, tpid: 0x88a8 });
    for (const tpid of [0x8100, 0x88a8]) {
      rig.inject(3, tagged(frame, [0x8100, 30]), { vlanTpid: tpid, vlanTci: 0xa000 | 300 });
      rig.dataplane.breath();
    }
    assert.deepEqual(rig.received(1), [frame, frame]);
  });

  it('keep the priority of the outer one, both', () => {
    const rig = rigWith(300, { innerVlan: 30, tpid: 0x88a8 });
    rig.addPort(4);
    rig.apply(rig.interfaceMember(Id.firstFree + 1, Id.bridgeDomain, 4, 301, { innerVlan: 31 }));
    rig.send(3, tagged(frame, [0x88a8, 0xa000 | 300], [0x8100, 30]));
    assert.deepEqual(rig.received(4), [tagged(frame, [0x8100, 0xa000 | 301], [0x8100, 0xa000 | 31])]);
  });

  it('must both be known', () => {
    const rig = rigWith(300, { innerVlan: 30, tpid: 0x88a8 });
    rig.send(3, tagged(frame, [0x88a8, 300], [0x8100, 31]));
    rig.send(3, tagged(frame, [0x88a8, 301], [0x8100, 30]));
    rig.send(3, tagged(frame, [0x88a8, 300]));
    rig.send(3, tagged(frame, [0x8100, 30]));
    assert.deepEqual(rig.drops(), { 'unknown-vlan': 4 });
  });

  it('are told apart by the inner one where the outer one is the same', () => {
    const rig = rigWith(300, { innerVlan: 30, tpid: 0x88a8 });
    rig.addPort(4);
    rig.apply(
      { op: 'set-domain', spec: { id: 7, name: 'other', localMember: 17, mac: undefined } },
      rig.interfaceMember(Id.firstFree + 1, 7, 3, 300, { innerVlan: 31, tpid: 0x88a8 }),
      rig.interfaceMember(Id.firstFree + 2, 7, 4),
    );
    rig.send(3, tagged(frame, [0x88a8, 300], [0x8100, 31]));
    assert.deepEqual([rig.received(1).length, rig.received(4).length], [0, 1]);
    // Without the second VLAN its frames are nobody's, and the first one is as it was.
    rig.apply({ op: 'remove-member', id: Id.firstFree + 1 });
    rig.send(3, tagged(frame, [0x88a8, 300], [0x8100, 31]));
    rig.send(3, tagged(frame, [0x88a8, 300], [0x8100, 30]));
    assert.deepEqual([rig.received(1).length, rig.received(4).length], [1, 0]);
    assert.deepEqual(rig.drops(), { 'unknown-vlan': 1 });
  });

  it('change places between two VLANs without leaving anything behind', () => {
    const rig = rigWith(300, { innerVlan: 30, tpid: 0x88a8 });
    const at = (id: number, innerVlan: number) =>
      rig.interfaceMember(id, Id.bridgeDomain, 3, 300, { innerVlan, tpid: 0x88a8 });
    rig.apply(at(Id.firstFree + 1, 31));
    rig.apply(at(Id.firstFree, 31), at(Id.firstFree + 1, 30));
    rig.apply({ op: 'remove-member', id: Id.firstFree }, { op: 'remove-member', id: Id.firstFree + 1 });
    // No member has a service tag any more: the tag is payload again, and there is no untagged member.
    rig.send(3, tagged(frame, [0x88a8, 300], [0x8100, 30]));
    rig.apply(rig.interfaceMember(Id.firstFree, Id.bridgeDomain, 3));
    rig.send(3, tagged(frame, [0x88a8, 300], [0x8100, 30]));
    assert.deepEqual(rig.received(1), [tagged(frame, [0x88a8, 300], [0x8100, 30])]);
    assert.deepEqual(rig.drops(), { 'unknown-vlan': 1 });
  });

  it('do not count towards the MTU', () => {
    const rig = rigWith(300, { innerVlan: 30, tpid: 0x88a8, mtu: 1500 });
    for (const size of [1514, 1515]) rig.send(1, hostFrame(EVERYBODY, HOST_B, size));
    assert.deepEqual(
      rig.received(3).map(({ length }) => length),
      [1522],
    );
    assert.deepEqual(rig.drops(), { 'vlan-mtu-exceeded': 1 });
  });
});

describe('a service tag alone', () => {
  it('is taken off, and what is behind it is the customer’s', () => {
    const rig = rigWith(300, { tpid: 0x88a8 });
    const customers = tagged(frame, [0x8100, 30]);
    rig.send(3, tagged(customers, [0x88a8, 300]));
    rig.send(3, tagged(frame, [0x88a8, 300]));
    assert.deepEqual(rig.received(1), [customers, frame]);
    rig.send(1, back);
    assert.deepEqual(rig.received(3), [tagged(back, [0x88a8, 300])]);
  });
});

describe('frames that arrive', () => {
  it('may be as large as the MTU of their VLAN, a tag of the customer not counted', () => {
    const rig = rigWith(0, { mtu: 1500 });
    rig.send(3, hostFrame(EVERYBODY, HOST_A, 1514));
    rig.send(3, tagged(hostFrame(EVERYBODY, HOST_A, 1514), [0x88a8, 30]));
    rig.send(3, hostFrame(EVERYBODY, HOST_A, 1515));
    assert.equal(rig.received(1).length, 2);
    assert.deepEqual(rig.drops(), { 'vlan-mtu-exceeded': 1 });
  });
});

describe('source-checking', () => {
  const from = (source: string): Buffer => {
    const datagram = udp(4000, 4001, Buffer.alloc(20));
    const packet = ipv4Packet({ source, destination: '172.16.0.2', protocol: 17 }, datagram);
    return ethernet(EVERYBODY, HOST_A, 0x0800, packet);
  };
  const self = (name: string, domain: number, last: number, prefixBits: number) =>
    ({ op: 'set-self', spec: { name, domain, words: [0, 0, 0, last], isIpv6: false, prefixBits } }) as const;

  it('drops what comes from the network of another VLAN, by the longest prefix', () => {
    const rig = rigWith(0, { checksSource: true });
    rig.apply(
      { op: 'set-domain', spec: { id: 7, name: 'other', localMember: 17, mac: mac('02:00:00:00:00:07') } },
      self('here', Id.bridgeDomain, 0x0a0a0001, 16),
      self('there', 7, 0x0a0a0101, 24),
    );
    for (const source of ['10.10.2.9', '10.10.1.9', '192.0.2.1', '0.0.0.0']) rig.send(3, from(source));
    // Not IP, and on a VLAN without the check.
    rig.send(3, ethernet(EVERYBODY, HOST_A, 0x0806, arp(1, HOST_A, '10.10.1.9', '00:00:00:00:00:00', '10.10.1.1')));
    assert.equal(rig.received(1).length, 4);
    rig.send(1, from('10.10.1.9'));
    assert.equal(rig.received(3).length, 1);
    assert.deepEqual(rig.drops(), { 'source-check-failed': 1 });
  });

  it('checks IPv6 alike', () => {
    const rig = rigWith(0, { checksSource: true });
    const self6 = { name: 'there', domain: 7, words: [0x20010db8, 0, 0, 1] as const, isIpv6: true, prefixBits: 64 };
    rig.apply(
      { op: 'set-domain', spec: { id: 7, name: 'other', localMember: 17, mac: mac('02:00:00:00:00:07') } },
      { op: 'set-self', spec: self6 },
    );
    const packet = Buffer.alloc(48);
    packet[0] = 0x60;
    packet.writeUInt32BE(0x20010db8, 8);
    packet.writeUInt32BE(9, 20);
    rig.send(3, ethernet(EVERYBODY, HOST_A, 0x86dd, packet));
    packet.writeUInt32BE(1, 12);
    rig.send(3, ethernet(EVERYBODY, HOST_A, 0x86dd, packet));
    assert.equal(rig.received(1).length, 1);
    assert.deepEqual(rig.drops(), { 'source-check-failed': 1 });
  });
});

describe('the configuration of tags', () => {
  const facts = new Map<string, DeviceFacts>([['e1', { mac: mac('02:00:00:00:00:01'), mtu: 1600, isUp: true }]]);

  it('becomes what stands on the wire', () => {
    const text = `
      net interface 1.1 { device e1 qinq-ethertype 0x88a8 }
      net vlan double { interfaces { 1.1 { tagged tag-mode double } } tag 300 customer-tag 30 }
      net vlan service { interfaces { 1.1 { tagged tag-mode service } } tag 301 customer-tag 30 }
      net vlan customer { interfaces { 1.1 { tagged tag-mode customer } } tag 302 customer-tag 32 }
      net vlan plain { interfaces { 1.1 { tagged } } tag 303 customer-tag 33 }
      net vlan untagged { interfaces { 1.1 { untagged } } tag 304 source-checking enabled }
    `;
    const { configuration } = loadText(text, emptyConfiguration());
    const model = buildModel(viewOf(configuration.views.values()), facts);
    assert.deepEqual(model.failures, []);
    const specs = [...new Planner(250).plan(model).operations].flatMap((operation) =>
      operation.op === 'set-interface-member' ? [operation.spec] : [],
    );
    assert.deepEqual(
      specs.map(({ vlan, innerVlan, tpid, checksSource }) => [vlan, innerVlan, tpid, checksSource]),
      [
        [300, 30, 0x88a8, false],
        [301, 0, 0x88a8, false],
        [32, 0, 0x8100, false],
        [303, 0, 0x8100, false],
        [0, 0, 0x8100, true],
      ],
    );
    assert.equal(new Set(specs.map(({ segment }) => segment)).size, 5, 'each VLAN is one segment of a group');
  });

  const refused: [what: string, before: string[], command: string, message: RegExp][] = [
    [
      'a mode that needs a customer tag without one',
      [],
      'create net vlan v interfaces add { 1.1 { tagged tag-mode double } } tag 5',
      /VLAN \(\/Common\/v\): interface 1.1 has tag-mode double, but the VLAN has no customer-tag/,
    ],
    [
      'a mode on an untagged interface',
      [],
      'create net vlan v interfaces add { 1.1 { untagged tag-mode service } } tag 5',
      /VLAN \(\/Common\/v\): interface 1.1 has tag-mode service, but is untagged/,
    ],
    [
      'the same pair of tags twice',
      ['create net vlan v interfaces add { 1.1 { tagged tag-mode double } } tag 5 customer-tag 6'],
      'create net vlan w interfaces add { 1.1 { tagged tag-mode double } } tag 5 customer-tag 6',
      /VLAN \(\/Common\/w\): tags 5 and 6 of interface 1.1 belong to VLAN \(\/Common\/v\)/,
    ],
    [
      'a customer tag that is the tag of another VLAN',
      ['create net vlan v interfaces add { 1.1 { tagged } } tag 6'],
      'create net vlan w interfaces add { 1.1 { tagged tag-mode customer } } tag 5 customer-tag 6',
      /VLAN \(\/Common\/w\): tag 6 of interface 1.1 belongs to VLAN \(\/Common\/v\)/,
    ],
    [
      'an ethertype that is none of a tag',
      [],
      'modify net interface 1.1 qinq-ethertype 0x0800',
      /qinq-ethertype.*0x8100, 0x88a8 or 0x9100/s,
    ],
  ];
  for (const [what, before, command, message] of refused) {
    it(`refuses ${what}`, async () => {
      const session = new TmshSession();
      await session.run('create net interface 1.1 device e1', ...before);
      assert.match((await session.refusal(command)) ?? 'it was not refused', message);
    });
  }

  it('gives the same outer tag to several VLANs of different customers', async () => {
    const session = new TmshSession();
    await session.run(
      'create net interface 1.1 device e1',
      'create net vlan v interfaces add { 1.1 { tagged tag-mode double } } tag 5 customer-tag 6',
      'create net vlan w interfaces add { 1.1 { tagged tag-mode double } } tag 5 customer-tag 7',
      'create net vlan x interfaces add { 1.1 { tagged } } tag 5',
    );
    assert.match(await session.run('list net vlan v'), /customer-tag 6/);
    assert.match(await session.run('list net vlan v'), /tag-mode double/);
  });
});
