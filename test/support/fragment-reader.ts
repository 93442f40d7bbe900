// Fragments in frames, as a receiver reads them, without the code under test.

import assert from 'node:assert/strict';
import { onesComplement } from './frames.ts';

export type Together = {
  /** What the fragments carry together. */
  payload: Buffer;
  /** Octets of the largest of the IP packets. */
  largest: number;
  identifications: Set<number>;
};

/** The payload of all fragments of one packet, untagged frames of one IP version, in whatever order. */
export function together(frames: readonly Buffer[]): Together {
  const isIpv4 = frames[0]!.readUInt16BE(12) === 0x0800;
  const pieces = frames.map((frame) => {
    const packet = frame.subarray(14);
    const header = isIpv4 ? 20 : 48;
    if (isIpv4) assert.equal(onesComplement(packet.subarray(0, 20)), 0);
    else assert.equal(packet[6], 44);
    return {
      offset: isIpv4 ? (packet.readUInt16BE(6) & 0x1fff) * 8 : packet.readUInt16BE(42) & 0xfff8,
      more: isIpv4 ? (packet.readUInt16BE(6) & 0x2000) !== 0 : (packet.readUInt16BE(42) & 1) !== 0,
      identification: isIpv4 ? packet.readUInt16BE(4) : packet.readUInt32BE(44),
      payload: packet.subarray(header),
      octets: packet.length,
    };
  });
  pieces.sort((a, b) => a.offset - b.offset);
  pieces.forEach(({ offset, more }, index) => {
    const before = pieces[index - 1];
    assert.equal(offset, before === undefined ? 0 : before.offset + before.payload.length);
    assert.equal(more, index < pieces.length - 1);
  });
  return {
    payload: Buffer.concat(pieces.map(({ payload }) => payload)),
    largest: Math.max(...pieces.map(({ octets }) => octets)),
    identifications: new Set(pieces.map(({ identification }) => identification)),
  };
}
