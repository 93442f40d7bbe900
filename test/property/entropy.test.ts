// The flow hash: one value per flow wherever the frame lies in memory, one port per flow, fragments included.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Arena } from '../../src/packet/arena.ts';
import { Frame } from '../../src/packet/frame.ts';
import { flowHash, sourcePort } from '../../src/tunnel/entropy.ts';
import { noteFlow } from '../../src/tunnel/inner-packet.ts';
import { ethernet, hostFrame, ipv4Packet, octets, udp } from '../support/frames.ts';

const arena = new Arena(new ArrayBuffer(16_384));

function place(octetsOfFrame: Uint8Array, start: number): Frame {
  const frame = new Frame();
  arena.bytes.fill(0xa5);
  arena.bytes.set(octetsOfFrame, start);
  frame.start = start;
  frame.end = start + octetsOfFrame.length;
  return frame;
}

const A = '02:aa:00:00:00:01';
const B = '02:bb:00:00:00:01';

const address = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((parts) => parts.join('.'));
const ipv4Frame = fc
  .record({ source: address, destination: address, protocol: fc.constantFrom(1, 6, 17, 50), tos: fc.nat(255) })
  .chain((fields) => fc.uint8Array({ minLength: 0, maxLength: 64 }).map((payload) => ({ fields, payload })))
  .map(({ fields, payload }) => ethernet(B, A, 0x0800, ipv4Packet(fields, Buffer.from(payload))));

describe('flow hash', () => {
  it('does not depend on where the frame lies, and never reads past its end', () => {
    const anyFrame = fc.oneof(ipv4Frame, fc.uint8Array({ minLength: 14, maxLength: 120 }));
    fc.assert(
      fc.property(anyFrame, (frame) => {
        const results = [130, 131, 132, 133].map((start) => {
          const placed = place(frame, start);
          const tos = noteFlow(arena, placed);
          return `${placed.flowHash} ${tos}`;
        });
        assert.equal(new Set(results).size, 1, results.join(', '));
        const placed = place(frame, 131);
        assert.equal(flowHash(arena.bytes, placed.start, placed.end), Number(results[0]!.split(' ')[0]));
        const before = results[0];
        arena.bytes.fill(0x5a, placed.end);
        noteFlow(arena, placed);
        assert.equal(placed.flowHash, Number(before!.split(' ')[0]), 'octets behind the frame change nothing');
      }),
    );
  });

  it('is the same for every fragment of a datagram', () => {
    const fragment = (flags: number, payload: Buffer): Buffer =>
      ethernet(
        B,
        A,
        0x0800,
        ipv4Packet({ source: '172.16.0.1', destination: '172.16.0.2', protocol: 17, flags }, payload),
      );
    const hashes = [
      fragment(0x2000, udp(4000, 4001, Buffer.alloc(100, 1))),
      fragment(0x2010, Buffer.alloc(100, 2)),
      fragment(0x0020, Buffer.alloc(50, 3)),
    ].map((frame) => {
      const placed = place(frame, 130);
      noteFlow(arena, placed);
      return placed.flowHash;
    });
    assert.equal(new Set(hashes).size, 1);
  });

  it('tells flows apart by ports, by IPv6 addresses and by MACs', () => {
    const hashOf = (frame: Buffer): number => {
      const placed = place(frame, 130);
      noteFlow(arena, placed);
      return placed.flowHash;
    };
    const other = hostFrame(B, A);
    other.writeUInt16BE(4002, 34);
    assert.notEqual(hashOf(hostFrame(B, A)), hashOf(other));
    const ipv6 = (last: string): Buffer =>
      ethernet(
        B,
        A,
        0x86dd,
        octets(
          `60000000 0008 11 40 20010db8000000000000000000000001 20010db80000000000000000000000${last} 0fa0 0fa1 0008 0000`,
        ),
      );
    assert.notEqual(hashOf(ipv6('02')), hashOf(ipv6('03')));
    assert.notEqual(hashOf(ethernet(B, A, 0x88b5, Buffer.alloc(46))), hashOf(ethernet(A, B, 0x88b5, Buffer.alloc(46))));
  });
});

describe('source port', () => {
  it('stays in the range and uses all of it', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(60_000), fc.nat(5000), (hash, min, span) => {
        const port = sourcePort(hash, min, min + span);
        assert.ok(port >= min && port <= min + span);
      }),
    );
    const ports = new Set<number>();
    for (let hash = 0; hash < 1 << 16; hash++) ports.add(sourcePort(hash << 16, 49_152, 49_167));
    assert.equal(ports.size, 16);
  });
});
