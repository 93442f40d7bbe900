import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Arena } from '../../../src/packet/arena.ts';
import { Frame } from '../../../src/packet/frame.ts';
import { noteFlow } from '../../../src/tunnel/inner-packet.ts';
import { ethernet, ipv4Packet, octets, udp } from '../../support/frames.ts';

const MAC_A = '02:aa:00:00:00:01';
const MAC_B = '02:bb:00:00:00:01';
const addresses = { source: '172.16.1.1', destination: '172.16.1.2' };

const arena = new Arena(new ArrayBuffer(65_536));

/** TOS and hash of the octets when the frame starts at this arena offset. */
function noted(packet: Buffer, start: number): { tos: number; hash: number } {
  arena.bytes.fill(0xa5);
  arena.bytes.set(packet, start);
  const frame = new Frame();
  frame.start = start;
  frame.end = start + packet.length;
  const tos = noteFlow(arena, frame);
  return { tos, hash: frame.flowHash };
}

const ON_A_WORD = 4098;
const OFF_A_WORD = [4096, 4097, 4099];

const datagram = (sourcePort: number, fields: { tos?: number; flags?: number; protocol?: number } = {}): Buffer =>
  ethernet(
    MAC_B,
    MAC_A,
    0x0800,
    ipv4Packet({ ...addresses, protocol: 17, ...fields }, udp(sourcePort, 9, Buffer.alloc(22))),
  );

describe('the flow of an inner packet', () => {
  const cases: [name: string, packet: Buffer, tos: number][] = [
    ['UDP', datagram(5000), 0],
    ['UDP with a TOS', datagram(5000, { tos: 0xb9 }), 0xb9],
    ['TCP', datagram(5000, { protocol: 6, tos: 0x02 }), 0x02],
    ['ICMP', datagram(5000, { protocol: 1 }), 0],
    ['the first fragment', datagram(5000, { flags: 0x2000 }), 0],
    ['a later fragment', datagram(5000, { flags: 0x00b9 }), 0],
    [
      'an IPv4 header and nothing behind',
      ethernet(MAC_B, MAC_A, 0x0800, ipv4Packet({ ...addresses, protocol: 17 }, Buffer.alloc(0))),
      0,
    ],
    ['a type that says IPv4 over something else', ethernet(MAC_B, MAC_A, 0x0800, Buffer.alloc(46, 0x66)), 0],
    ['ARP', ethernet(MAC_B, MAC_A, 0x0806, Buffer.alloc(46)), 0],
    [
      'IPv6',
      ethernet(
        MAC_B,
        MAC_A,
        0x86dd,
        octets(`6b90 0000 0008 1140 ${'fd'.repeat(16)} ${'fe'.repeat(16)} 1388 0009 0008 0000`),
      ),
      0xb9,
    ],
    [
      'a tagged packet',
      ethernet(MAC_B, MAC_A, 0x8100, Buffer.concat([octets('0064 0800'), datagram(5000, { tos: 4 }).subarray(14)])),
      4,
    ],
  ];
  for (const [name, packet, tos] of cases) {
    it(`does not depend on where the frame lies: ${name}`, () => {
      const aligned = noted(packet, ON_A_WORD);
      assert.equal(aligned.tos, tos);
      for (const start of OFF_A_WORD) assert.deepEqual(noted(packet, start), aligned, `at ${start}`);
    });
  }

  it('tells flows apart by their ports, and keeps fragments of one datagram together', () => {
    const hash = (packet: Buffer): number => noted(packet, ON_A_WORD).hash;
    assert.notEqual(hash(datagram(5000)), hash(datagram(5001)));
    assert.equal(hash(datagram(5000, { flags: 0x2000 })), hash(datagram(5001, { flags: 0x00b9 })));
  });
});
