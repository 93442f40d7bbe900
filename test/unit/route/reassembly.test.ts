import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ipv4Fragment, ipv6Fragment, type Piece, piecesOf } from '../../support/fragments.ts';
import { ipv4Packet, ipv6Packet, octets } from '../../support/frames.ts';
import { DOMAIN, Reassembler } from '../../support/reassembler.ts';

const V4 = { source: '10.9.1.2', destination: '10.9.1.1', protocol: 17, identification: 0x1234 };
const V6 = { source: '2001:db8::9', destination: '2001:db8::2', nextHeader: 17, identification: 0x12345678 };
const PAYLOAD = Buffer.from(Array.from({ length: 3000 }, (_, at) => (at * 7) & 255));
const PIECES = piecesOf(PAYLOAD.length, 1480);
const WHOLE4 = ipv4Packet({ ...V4, flags: 0 }, PAYLOAD);
const WHOLE6 = ipv6Packet(V6, PAYLOAD);

const v4 = (piece: Piece, change = {}, more?: boolean): Buffer =>
  ipv4Fragment({ ...V4, ...change }, PAYLOAD, piece, more ?? piece.end < PAYLOAD.length);
const v6 = (piece: Piece, change = {}, more?: boolean): Buffer =>
  ipv6Fragment({ ...V6, ...change }, PAYLOAD, piece, more ?? piece.end < PAYLOAD.length);

for (const [version, fragment, whole] of [
  ['IPv4', v4, WHOLE4],
  ['IPv6', v6, WHOLE6],
] as const) {
  const first = PIECES[0]!;
  const last = PIECES.at(-1)!;
  describe(`fragments of ${version}`, () => {
    it('make the packet that they were cut from, in whatever order', () => {
      for (const order of [
        [0, 1, 2],
        [2, 1, 0],
        [1, 2, 0],
      ]) {
        const rig = new Reassembler();
        const out = order.map((index) => rig.accept(fragment(PIECES[index]!)));
        assert.deepEqual(out.slice(0, 2), [undefined, undefined]);
        assert.deepEqual(out[2], whole);
        assert.deepEqual([rig.held, rig.used, rig.drops], [0, 0, {}]);
      }
    });

    it('of several packets are kept apart: by identification, address and domain', () => {
      const rig = new Reassembler();
      const key = version === 'IPv4' ? { source: '10.9.1.3' } : { source: '2001:db8::3' };
      const others = [{}, { identification: 9 }, key];
      for (const change of others) assert.equal(rig.accept(fragment(first, change)), undefined);
      assert.equal(rig.accept(fragment(first), DOMAIN + 1), undefined);
      assert.equal(rig.held, 4);
      for (const change of others) assert.equal(rig.accept(fragment(PIECES[1]!, change)), undefined);
      for (const change of others) assert.equal(rig.accept(fragment(last, change))?.length, whole.length);
      assert.equal(rig.held, 1);
    });

    it('that come twice count once', () => {
      const rig = new Reassembler();
      for (const piece of [PIECES[0]!, PIECES[0]!, PIECES[1]!, PIECES[1]!]) {
        assert.equal(rig.accept(fragment(piece)), undefined);
      }
      assert.deepEqual(rig.accept(fragment(last)), whole);
      assert.deepEqual(rig.drops, {});
    });

    it('that overlap condemn the packet, and what still comes of it', () => {
      const overlaps: Piece[] = [
        { start: 1472, end: 2952 },
        { start: 8, end: 16 },
        { start: 0, end: 1488 },
      ];
      for (const piece of overlaps) {
        const rig = new Reassembler();
        rig.accept(fragment(first));
        rig.accept(fragment(piece, {}, true));
        for (const rest of PIECES) assert.equal(rig.accept(fragment(rest)), undefined);
        assert.deepEqual(rig.drops, { 'fragment-overlap': 5 }, 'the packet, the fragment and the three behind it');
        assert.deepEqual([rig.held, rig.used], [0, 0]);
      }
    });

    it('at the same place with other octets overlap', () => {
      const rig = new Reassembler();
      rig.accept(fragment(first));
      const forged = fragment(first);
      forged[forged.length - 1]! ^= 1;
      rig.accept(forged);
      assert.equal(rig.drops['fragment-overlap'], 2);
    });

    it('that contradict each other about the end condemn the packet', () => {
      for (const contradiction of [
        () => fragment({ start: 1480, end: 2000 }, {}, false),
        () => fragment({ start: 2960, end: 3000 }, {}, false),
      ]) {
        const rig = new Reassembler();
        rig.accept(fragment({ start: 2000, end: 2960 }, {}, true));
        rig.accept(fragment({ start: 2960, end: 2968 }, {}, false));
        rig.accept(contradiction());
        assert.deepEqual(Object.keys(rig.drops), ['fragment-invalid']);
        assert.equal(rig.held, 0);
      }
    });

    it('are dropped when the rest does not come', () => {
      const rig = new Reassembler();
      rig.accept(fragment(first));
      rig.reassembly.tick(rig.nowMs + 14_000);
      assert.equal(rig.held, 1);
      rig.reassembly.tick(rig.nowMs + 60_000);
      assert.deepEqual([rig.drops, rig.held, rig.used], [{ 'reassembly-timeout': 1 }, 0, 0]);
      assert.equal(rig.accept(fragment(last)), undefined, 'what comes later begins anew');
      assert.equal(rig.held, 1);
    });

    it('of too many packets make room by dropping the oldest', () => {
      const rig = new Reassembler();
      for (let identification = 0; identification < 130; identification++) {
        rig.accept(fragment(first, { identification }));
      }
      assert.deepEqual([rig.held, rig.drops], [128, { 'reassembly-full': 2 }]);
      for (const identification of [2, 129]) {
        rig.accept(fragment(PIECES[1]!, { identification }));
        assert.ok(rig.accept(fragment(last, { identification })) !== undefined);
      }
    });

    it('that are empty, of odd length, beyond the end or beyond a buffer are refused', () => {
      const rig = new Reassembler();
      rig.accept(fragment({ start: 8, end: 8 }, {}, false));
      rig.accept(fragment({ start: 0, end: 1001 }, {}, true));
      assert.deepEqual([rig.drops, rig.held], [{ 'fragment-invalid': 2 }, 0]);
      const large = Buffer.alloc(65_536);
      const beyond = { start: 65_512, end: 65_536 };
      const cut = version === 'IPv4' ? ipv4Fragment(V4, large, beyond) : ipv6Fragment(V6, large, beyond);
      rig.accept(cut);
      assert.equal(rig.drops['fragment-invalid'], 3);
      const high = { start: 9224, end: 9232 };
      rig.accept(version === 'IPv4' ? ipv4Fragment(V4, large, high) : ipv6Fragment(V6, large, high));
      assert.equal(rig.drops['fragment-too-large'], 1);
      rig.accept(fragment(first));
      assert.equal(rig.drops['fragment-too-large'], 2, 'the packet is condemned');
    });

    it('of the longest packets are put together while there are buffers for such', () => {
      const rig = new Reassembler({ smallSlots: 256, largeSlots: 8, packetSlots: 1 });
      const octets = version === 'IPv4' ? 65_515 : 65_535;
      const long = Buffer.from(Array.from({ length: octets }, (_, index) => index % 251));
      const made = (piece: Piece, identification: number): Buffer =>
        version === 'IPv4'
          ? ipv4Fragment({ ...V4, identification }, long, piece)
          : ipv6Fragment({ ...V6, identification }, long, piece);
      const pieces = piecesOf(octets, 1440).toReversed();
      const whole = pieces.flatMap((piece) => rig.accept(made(piece, 9)) ?? []);
      assert.equal(whole.length, 1);
      assert.deepEqual(whole[0]!.subarray(-octets), long);
      assert.deepEqual([rig.drops, rig.held, rig.used], [{}, 0, 0]);
      rig.accept(made(pieces[0]!, 10));
      rig.accept(made(pieces[0]!, 11));
      assert.deepEqual([rig.drops, rig.held], [{ 'no-buffer': 1 }, 1], 'there is one such buffer');
    });

    it('that are too many are refused', () => {
      const rig = new Reassembler();
      for (let start = 0; start < 121 * 8; start += 8) rig.accept(fragment({ start, end: start + 8 }));
      assert.deepEqual([rig.drops, rig.held], [{ 'fragment-invalid': 2 }, 0]);
    });

    it('without a free buffer are dropped', () => {
      const rig = new Reassembler({ smallSlots: 2, largeSlots: 1 });
      rig.accept(fragment(first));
      const large = rig.pool.acquire(5000)!;
      rig.accept(fragment(first, { identification: 5 }));
      assert.deepEqual([rig.drops, rig.held], [{ 'no-buffer': 1 }, 1], 'the other small buffer is that of the frame');
      rig.accept(fragment({ start: 1480, end: 3000 }));
      assert.deepEqual([rig.drops, rig.held], [{ 'no-buffer': 3 }, 0], 'what it has outgrown is given up');
      rig.pool.release(large);
      assert.equal(rig.used, 0);
    });

    it('of a member that goes are dropped', () => {
      const rig = new Reassembler();
      rig.accept(fragment(first), DOMAIN, 14, 5);
      rig.accept(fragment(first, { identification: 5 }), DOMAIN, 14, 6);
      rig.reassembly.forgetMember(5);
      assert.deepEqual([rig.drops, rig.held], [{ 'member-down': 1 }, 1]);
    });

    it('carry their congestion marks over, and contradictions drop the packet', () => {
      const mark = (ecn: number): object => (version === 'IPv4' ? { tos: ecn } : { trafficClass: ecn });
      const out = (marks: readonly number[]): Buffer | undefined => {
        const rig = new Reassembler();
        const packets = PIECES.map((piece, index) => rig.accept(fragment(piece, mark(marks[index]!))));
        return packets.at(-1);
      };
      const ecnOf = (packet: Buffer | undefined): number | undefined =>
        packet && (version === 'IPv4' ? packet[1]! : packet[1]! >>> 4) & 3;
      assert.equal(ecnOf(out([2, 2, 2])), 2);
      assert.equal(ecnOf(out([2, 3, 2])), 3);
      assert.equal(ecnOf(out([0, 0, 0])), 0);
      assert.equal(out([0, 3, 0]), undefined);
    });
  });
}

describe('an IPv4 packet that was put together', () => {
  it('has the options of its first fragment and a right checksum', () => {
    const rig = new Reassembler();
    const options = octets('94040000 0104 0001');
    rig.accept(v4(PIECES[2]!));
    rig.accept(v4(PIECES[0]!, { options }));
    assert.deepEqual(rig.accept(v4(PIECES[1]!)), ipv4Packet({ ...V4, flags: 0, options }, PAYLOAD));
  });

  it('is not made of fragments of another protocol', () => {
    const rig = new Reassembler();
    rig.accept(v4(PIECES[0]!));
    rig.accept(v4(PIECES[1]!));
    assert.equal(rig.accept(v4(PIECES[2]!, { protocol: 47 })), undefined);
    assert.equal(rig.held, 2);
  });
});

describe('an IPv6 packet that was put together', () => {
  it('is what its first fragment says, whatever the others name as protocol', () => {
    const rig = new Reassembler();
    rig.accept(v6(PIECES[2]!, { nextHeader: 6 }));
    rig.accept(v6(PIECES[1]!, { nextHeader: 47 }));
    assert.deepEqual(rig.accept(v6(PIECES[0]!)), WHOLE6);
  });

  it('keeps the headers in front of the fragment header', () => {
    const rig = new Reassembler();
    const options = octets('2c00 0104 0000 0000');
    const behind = (packet: Buffer): Buffer => {
      const payload = Buffer.concat([options, packet.subarray(40)]);
      return ipv6Packet({ ...V6, nextHeader: 60 }, payload);
    };
    for (const piece of PIECES.slice(0, 2)) rig.accept(behind(v6(piece)));
    const expected = ipv6Packet({ ...V6, nextHeader: 60 }, Buffer.concat([octets('1100 0104 0000 0000'), PAYLOAD]));
    assert.deepEqual(rig.accept(behind(v6(PIECES[2]!))), expected);
  });

  it('comes out at once when it is one fragment, even while others of the same identification wait', () => {
    const rig = new Reassembler();
    rig.accept(v6(PIECES[0]!));
    const small = PAYLOAD.subarray(0, 100);
    const atomic = ipv6Fragment(V6, small, { start: 0, end: 100 });
    assert.deepEqual(rig.accept(atomic), ipv6Packet(V6, small));
    assert.equal(rig.held, 1);
  });

  it('is refused when its first fragment does not have all headers', () => {
    const rig = new Reassembler();
    const headers = octets('1103 0104 0000 0000 0000000000000000');
    rig.accept(ipv6Fragment({ ...V6, nextHeader: 60 }, Buffer.concat([headers, PAYLOAD]), { start: 0, end: 16 }));
    assert.deepEqual(rig.drops, { 'fragment-invalid': 1 });
  });

  it('passes when it has no fragment header at all', () => {
    const rig = new Reassembler();
    assert.deepEqual(rig.accept(WHOLE6), WHOLE6);
  });
});
