// DEFLATE by node:zlib, for IPComp.
//
// What is decompressed comes from a peer that has authenticated it, so that an exception for a broken stream is no way to load
// this host. The window is as small as packets are: a stream of its own for each costs a sixth of what one with the defaults does.

import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Compressor } from '../ipsec/compressor.ts';

const SPEED = { level: 1, windowBits: 12, memLevel: 4, chunkSize: 2048 } as const;
const NOTHING = new Uint8Array(0);

export class DeflateCompressor implements Compressor {
  output: Uint8Array = NOTHING;

  compress(bytes: Uint8Array, start: number, end: number, limit: number): number {
    this.output = deflateRawSync(bytes.subarray(start, end), SPEED);
    return this.output.length <= limit ? this.output.length : -1;
  }

  decompress(bytes: Uint8Array, start: number, end: number, limit: number): number {
    if (limit <= 0) return -1;
    try {
      this.output = inflateRawSync(bytes.subarray(start, end), { maxOutputLength: limit });
      return this.output.length;
    } catch {
      this.output = NOTHING;
      return -1;
    }
  }
}
