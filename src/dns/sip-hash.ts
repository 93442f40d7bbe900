// SipHash-2-4 (Aumasson and Bernstein, 2012) of octets under a key of 16: what interoperable server cookies are made with
// (RFC 9018, section 4). Words of 64 bits are two of 32, so that nothing is allocated.

import { write32 } from '../core/octets.ts';

/** High and low halves of v0 to v3. */
const v = new Int32Array(8);

function readLow(octets: Uint8Array, at: number): number {
  return octets[at]! | (octets[at + 1]! << 8) | (octets[at + 2]! << 16) | (octets[at + 3]! << 24);
}

/** v[to] += v[from]. */
function add(to: number, from: number): void {
  const low = (v[to + 1]! >>> 0) + (v[from + 1]! >>> 0);
  v[to + 1] = low;
  v[to] = v[to]! + v[from]! + (low > 0xffff_ffff ? 1 : 0);
}

/** v[word] is turned left by less than 32 bits and xored with v[other]. */
function turn(word: number, bits: number, other: number): void {
  const high = v[word]!;
  const low = v[word + 1]!;
  v[word] = ((high << bits) | (low >>> (32 - bits))) ^ v[other]!;
  v[word + 1] = ((low << bits) | (high >>> (32 - bits))) ^ v[other + 1]!;
}

/** v[word] is turned left by 32 bits. */
function swap(word: number): void {
  const high = v[word]!;
  v[word] = v[word + 1]!;
  v[word + 1] = high;
}

function round(): void {
  add(0, 2);
  turn(2, 13, 0);
  swap(0);
  add(4, 6);
  turn(6, 16, 4);
  add(0, 6);
  turn(6, 21, 0);
  add(4, 2);
  turn(2, 17, 4);
  swap(4);
}

/** Writes the eight octets of the hash, as RFC 9018 has them in a cookie, at `into`. `key`: 16 octets. */
export function sipHash(
  key: Uint8Array,
  octets: Uint8Array,
  start: number,
  end: number,
  output: Uint8Array,
  into: number,
): void {
  v[0] = readLow(key, 4) ^ 0x736f6d65;
  v[1] = readLow(key, 0) ^ 0x70736575;
  v[2] = readLow(key, 12) ^ 0x646f7261;
  v[3] = readLow(key, 8) ^ 0x6e646f6d;
  v[4] = readLow(key, 4) ^ 0x6c796765;
  v[5] = readLow(key, 0) ^ 0x6e657261;
  v[6] = readLow(key, 12) ^ 0x74656462;
  v[7] = readLow(key, 8) ^ 0x79746573;
  const whole = start + ((end - start) & ~7);
  for (let at = start; at < whole; at += 8) mix(readLow(octets, at + 4), readLow(octets, at));
  // What is left over, and the length modulo 256 in the last octet.
  let low = 0;
  let high = (end - start) << 24;
  for (let at = whole, bits = 0; at < end; at++, bits += 8) {
    if (bits < 32) low |= octets[at]! << bits;
    else high |= octets[at]! << (bits - 32);
  }
  mix(high, low);
  v[5] ^= 0xff;
  for (let count = 0; count < 4; count++) round();
  const hashLow = v[1] ^ v[3] ^ v[5] ^ v[7];
  const hashHigh = v[0] ^ v[2] ^ v[4] ^ v[6];
  // Little-endian, as the algorithm gives it.
  write32(output, into, reverse(hashLow));
  write32(output, into + 4, reverse(hashHigh));
}

function mix(high: number, low: number): void {
  v[6]! ^= high;
  v[7]! ^= low;
  round();
  round();
  v[0]! ^= high;
  v[1]! ^= low;
}

function reverse(word: number): number {
  return ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}
