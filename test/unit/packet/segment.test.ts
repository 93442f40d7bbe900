import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Drop, FORWARD } from '../../../src/core/drop-reason.ts';
import { completeUnannouncedChecksum } from '../../../src/packet/complete-checksum.ts';
import { Frame, FrameBatch, Gso } from '../../../src/packet/frame.ts';
import { segment } from '../../../src/packet/segment.ts';
import { arenaWithPool, guard, toHex } from '../../support/octets.ts';
import { naiveChecksum } from '../../support/naive-checksum.ts';
import { transportFrame, type TransportFields } from '../../support/transport-frames.ts';

const FIELDS: TransportFields = {
  family: 4,
  protocol: 'tcp',
  tags: [],
  ipOptions: new Uint8Array(0),
  identification: 1,
  sequence: 1,
  flags: 0x18,
  tcpOptions: new Uint8Array(12).fill(1),
  payload: new Uint8Array(3000).fill(7),
  checksum: 'partial',
};

function place(octets: Uint8Array, sizes = { smallSlots: 8, largeSlots: 2 }) {
  const { arena, pool, offset } = arenaWithPool(70_000, sizes);
  const frame = new Frame();
  frame.start = offset + 2;
  frame.end = frame.start + octets.length;
  arena.bytes.set(octets, frame.start);
  frame.gsoType = Gso.tcp4;
  frame.gsoSize = 1000;
  return { arena, pool, frame, into: new FrameBatch() };
}

describe('segment', () => {
  it('refuses what it cannot cut, and says so', () => {
    const udp = transportFrame({ ...FIELDS, protocol: 'udp' }).octets;
    const tcp = transportFrame(FIELDS).octets;
    const cases: [string, Uint8Array, Partial<Frame>, number][] = [
      ['UFO', udp, { gsoType: Gso.udp4 }, Drop.gsoUnsupported],
      ['a tunnelled super-frame', tcp, { gsoType: Gso.tcp4 | 0x20 }, Drop.gsoUnsupported],
      ['a type that the headers deny', tcp, { gsoType: Gso.tcp6 }, Drop.gsoUnsupported],
      ['TCP that is said to be UDP', tcp, { gsoType: Gso.udpL4 }, Drop.gsoUnsupported],
      ['segments of no octets', tcp, { gsoSize: 0 }, Drop.gsoUnsupported],
      ['segments larger than a buffer', tcp, { gsoSize: 9300 }, Drop.gsoUnsupported],
      ['what the ring has cut short', tcp, { truncatedFrom: 9000 }, Drop.frameTooLong],
    ];
    for (const [what, octets, change, verdict] of cases) {
      const { pool, frame, into } = place(octets);
      assert.equal(segment(pool, Object.assign(frame, change), into), verdict, what);
      assert.equal(into.length, 0, what);
      assert.equal(pool.free, 10, what);
    }
  });

  for (const [family, protocol, gsoType] of [
    [4, 'tcp', Gso.tcp4],
    [6, 'tcp', Gso.tcp6],
    [4, 'udp', Gso.udpL4],
  ] as const) {
    it(`cuts a packet without its Ethernet header as it cuts the frame: ${protocol} over IPv${family}`, () => {
      const { octets, transportAt } = transportFrame({ ...FIELDS, family, protocol });
      const cut = (isPacket: boolean): string[] => {
        const { arena, pool, frame, into } = place(octets);
        Object.assign(frame, { gsoType, checksumStart: frame.start + transportAt, checksumOffset: 16 });
        if (isPacket) frame.start += 14;
        assert.equal(segment(pool, frame, into, isPacket), FORWARD);
        return into.frames.slice(0, into.length).map(({ start, end }) => {
          assert.equal((isPacket ? start : start + 14) & 3, 0, 'the IP header is on a word boundary');
          return toHex(arena.bytes.slice(start, end));
        });
      };
      const packets = cut(true);
      assert.equal(packets.length, 3);
      assert.deepEqual(
        packets,
        cut(false).map((frame) => frame.slice(28)),
      );
    });
  }

  it('refuses a TCP header that does not fit', () => {
    const { octets, transportAt } = transportFrame({ ...FIELDS, payload: new Uint8Array(4) });
    octets[transportAt + 12] = 0xf0;
    const { pool, frame, into } = place(octets);
    assert.equal(segment(pool, frame, into), Drop.gsoUnsupported);
  });

  it('gives every buffer back when they do not suffice', () => {
    const { pool, frame, into } = place(transportFrame(FIELDS).octets, { smallSlots: 2, largeSlots: 0 });
    assert.equal(segment(pool, frame, into), Drop.noBuffer);
    assert.equal(into.length, 0);
    assert.equal(pool.free, 2);
  });

  it('appends to what the batch holds', () => {
    const { pool, frame, into } = place(transportFrame(FIELDS).octets);
    into.push(new Frame());
    assert.equal(segment(pool, frame, into), FORWARD);
    assert.equal(into.length, 4);
  });

  it('leaves UDP without a checksum without one', () => {
    const { arena, pool, frame, into } = place(transportFrame({ ...FIELDS, protocol: 'udp', checksum: 'none' }).octets);
    frame.gsoType = Gso.udpL4;
    assert.equal(segment(pool, frame, into), FORWARD);
    const part = into.frames[1]!;
    const lengthAndChecksum = toHex(arena.bytes.subarray(part.start + 38, part.start + 42));
    assert.equal(lengthAndChecksum, '03f00000');
  });

  it('keeps a packet without payload', () => {
    const { pool, frame, into } = place(transportFrame({ ...FIELDS, payload: new Uint8Array(0) }).octets);
    assert.equal(segment(pool, frame, into), FORWARD);
    assert.equal(into.length, 1);
  });
});

describe('completeUnannouncedChecksum', () => {
  it('leaves a wrong checksum wrong', () => {
    const { octets, transportAt } = transportFrame({ ...FIELDS, checksum: 'complete' });
    octets[transportAt + 16]! ^= 0x55;
    const { arena, bytes, start, end } = guard(octets);
    completeUnannouncedChecksum(arena, Object.assign(new Frame(), { start, end }));
    assert.equal(toHex(bytes.slice(start, end)), toHex(octets));
  });

  it('leaves a finished checksum that happens to equal the sum of the pseudo-header', () => {
    const payload = new Uint8Array(20);
    const target = transportFrame({ ...FIELDS, payload, checksum: 'partial' });
    // The last two octets are chosen such that the finished checksum is what an unfinished one would be.
    const wanted = (target.octets[target.transportAt + 16]! << 8) | target.octets[target.transportAt + 17]!;
    const zero = transportFrame({ ...FIELDS, payload, checksum: 'complete' });
    const now = (zero.octets[zero.transportAt + 16]! << 8) | zero.octets[zero.transportAt + 17]!;
    const add = naiveChecksum(Uint8Array.from([wanted >> 8, wanted & 255, (~now >> 8) & 255, ~now & 255]));
    payload.set([add >> 8, add & 255], 18);
    const { octets } = transportFrame({ ...FIELDS, payload, checksum: 'complete' });
    assert.equal(
      (octets[target.transportAt + 16]! << 8) | octets[target.transportAt + 17]!,
      wanted,
      'the case is set up',
    );
    const { arena, bytes, start, end } = guard(octets);
    completeUnannouncedChecksum(arena, Object.assign(new Frame(), { start, end }));
    assert.equal(toHex(bytes.slice(start, end)), toHex(octets));
  });

  it('leaves UDP without a checksum, fragments and other protocols alone', () => {
    const none = transportFrame({ ...FIELDS, protocol: 'udp', checksum: 'none' }).octets;
    const fragment = transportFrame(FIELDS).octets;
    fragment[20] = 0x20;
    const icmp = transportFrame(FIELDS).octets;
    icmp[23] = 1;
    for (const octets of [none, fragment, icmp]) {
      const { arena, bytes, start, end } = guard(octets);
      completeUnannouncedChecksum(arena, Object.assign(new Frame(), { start, end }));
      assert.equal(toHex(bytes.slice(start, end)), toHex(octets));
    }
  });
});
