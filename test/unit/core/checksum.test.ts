import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  checksumAdd,
  checksumAddWords,
  checksumFinish,
  checksumFold,
  checksumUpdate16,
} from '../../../src/core/checksum.ts';
import { vector } from '../../support/octets.ts';

describe('Internet checksum', () => {
  it('adds up the example of RFC 1071, section 3', () => {
    const octets = vector('rfc1071-example');
    assert.equal(checksumFold(checksumAdd(octets, 0, octets.length, 0)), 0xddf2);
  });

  it('handles odd starts and ends, and sums in several ranges', () => {
    const octets = Uint8Array.of(0xff, 0x12, 0x34, 0x56, 0x78, 0x9a);
    assert.equal(checksumAdd(octets, 1, 6, 0), 0x1234 + 0x5678 + 0x9a00);
    assert.equal(checksumAdd(octets, 3, 5, checksumAdd(octets, 1, 3, 0)), 0x1234 + 0x5678);
    assert.equal(checksumAdd(octets, 2, 2, 7), 7);
  });

  it('keeps 64 KB of ones within range', () => {
    const buffer = new ArrayBuffer(65536);
    const octets = new Uint8Array(buffer).fill(0xff);
    assert.equal(checksumFold(checksumAdd(octets, 0, 65536, 0xffff)), 0xffff);
    assert.equal(checksumFold(checksumAddWords(octets, new Int32Array(buffer), 0, 65536, 0xffff)), 0xffff);
    assert.equal(checksumFold(checksumAddWords(octets, new Int32Array(buffer), 1, 65536, 0)), 0xff00);
  });

  it('updates as the examples of RFC 1624, section 4', () => {
    assert.equal(checksumUpdate16(0xdd2f, 0x5555, 0x3285), 0x0000);
    assert.equal(checksumUpdate16(0x1234, 0x5555, 0x5555), 0x1234);
  });

  it('is zero over a range that holds its own checksum', () => {
    const octets = vector('kernel-echo-v4-request').subarray(14, 34);
    assert.equal(checksumFinish(checksumAdd(octets, 0, 20, 0)), 0);
  });
});
