import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { DeflateCompressor } from '../../../src/net/deflate.ts';

const compressor = new DeflateCompressor();
/** Octets behind filler, in memory that threads share, as the arena is. */
const place = (octets: Uint8Array): { bytes: Uint8Array; start: number; end: number } => {
  const bytes = new Uint8Array(new SharedArrayBuffer(octets.length + 20)).fill(0xa5);
  bytes.set(octets, 10);
  return { bytes, start: 10, end: 10 + octets.length };
};
const text = Buffer.from('the same again and again, '.repeat(50));

describe('DEFLATE', () => {
  it('makes raw streams that zlib reads', () => {
    const { bytes, start, end } = place(text);
    const octets = compressor.compress(bytes, start, end, text.length);
    assert.ok(octets > 0 && octets < 100);
    assert.deepEqual(inflateRawSync(compressor.output.subarray(0, octets)), text);
  });

  it('says when it would take more than the limit', () => {
    const { bytes, start, end } = place(text);
    const octets = compressor.compress(bytes, start, end, text.length);
    assert.equal(compressor.compress(bytes, start, end, octets), octets);
    assert.equal(compressor.compress(bytes, start, end, octets - 1), -1);
  });

  it('reads what zlib makes with its largest window, up to the limit', () => {
    const { bytes, start, end } = place(deflateRawSync(text, { level: 9, windowBits: 15 }));
    assert.equal(compressor.decompress(bytes, start, end, text.length), text.length);
    assert.deepEqual(Buffer.from(compressor.output.subarray(0, text.length)), text);
    assert.equal(compressor.decompress(bytes, start, end, text.length - 1), -1);
    assert.equal(compressor.decompress(bytes, start, end, 0), -1);
  });

  it('reads no stream that is broken or cut short', () => {
    const whole = place(deflateRawSync(text));
    assert.equal(compressor.decompress(whole.bytes, whole.start, whole.end - 3, 65_535), -1);
    const { bytes, start, end } = place(Uint8Array.of(0xff, 0xff, 0xff));
    assert.equal(compressor.decompress(bytes, start, end, 65_535), -1);
    assert.equal(compressor.decompress(bytes, start, start, 65_535), -1);
  });
});
