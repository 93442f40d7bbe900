import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  checksumAdd,
  checksumAddWords,
  checksumFinish,
  checksumFold,
  checksumUpdate16,
} from '../../src/core/checksum.ts';
import { guard } from '../support/octets.ts';
import { naiveChecksum, naiveSum } from '../support/naive-checksum.ts';

const remainder = fc.integer({ min: 0, max: 3 });

describe('Internet checksum against the model', () => {
  it('by octets and by words, at any alignment, reading nothing outside the range', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), remainder, (octets, at) => {
        const { bytes, words, start, end } = guard(octets, at);
        assert.equal(checksumFold(checksumAdd(bytes, start, end, 0)), naiveSum(octets));
        assert.equal(checksumFold(checksumAddWords(bytes, words, start, end, 0)), naiveSum(octets));
      }),
      { numRuns: 2000 },
    );
  });

  it('in pieces of even length, onto any sum', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.nat(100),
        fc.nat(0x7fff_ffff),
        remainder,
        (octets, half, sum, at) => {
          const { bytes, words, start, end } = guard(octets, at);
          const middle = Math.min(end, start + 2 * half);
          const whole = checksumAddWords(bytes, words, start, end, sum);
          const pieces = checksumAddWords(
            bytes,
            words,
            middle,
            end,
            checksumAddWords(bytes, words, start, middle, sum),
          );
          // Zero has two forms in one's complement.
          assert.equal(checksumFold(whole) % 0xffff, checksumFold(pieces) % 0xffff);
          assert.ok(whole >= 0 && whole <= 0x7fff_ffff);
        },
      ),
    );
  });

  it('over payloads of up to 64 KB', () => {
    fc.assert(
      fc.property(fc.integer({ min: 60_000, max: 65_535 }), remainder, fc.nat(255), (octets, at, fill) => {
        const data = new Uint8Array(octets).fill(fill);
        const buffer = new ArrayBuffer(octets + 8);
        new Uint8Array(buffer).set(data, at);
        const sum = checksumAddWords(
          new Uint8Array(buffer),
          new Int32Array(buffer, 0, (octets + 8) >> 2),
          at,
          at + octets,
          0,
        );
        assert.equal(checksumFold(sum), naiveSum(data));
      }),
      { numRuns: 30 },
    );
  });

  it('updated as if computed anew', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 24, maxLength: 24 }),
        fc.nat(5),
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        (octets, word, value) => {
          const view = new DataView(octets.buffer, octets.byteOffset);
          const before = naiveChecksum(octets);
          const old16 = view.getUint16(4 * word);
          octets.set(value.subarray(0, 2), 4 * word);
          assert.equal(
            checksumUpdate16(before, old16, view.getUint16(4 * word)) % 0xffff,
            naiveChecksum(octets) % 0xffff,
          );
        },
      ),
    );
  });

  it('of a range with its checksum in it is 0', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 60 }), (octets) => {
        octets.set([0, 0], 2);
        const sum = checksumFinish(checksumAdd(octets, 0, octets.length, 0));
        octets.set([sum >>> 8, sum & 255], 2);
        assert.equal(checksumFinish(checksumAdd(octets, 0, octets.length, 0)), 0);
      }),
    );
  });
});
