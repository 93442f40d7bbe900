// Octets for tests of codecs: vectors from text, and memory that notices a read outside the frame.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { AddressWords } from '../../src/core/address.ts';
import { Arena } from '../../src/packet/arena.ts';
import { FramePool, poolOctets, type PoolSizes } from '../../src/packet/pool.ts';

/** Octets from hexadecimal digits; white space counts for nothing. */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '');
  if (!/^([0-9a-fA-F]{2})*$/.test(digits)) throw new Error(`not hexadecimal octets: ${text.slice(0, 40)}`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function toHex(octets: Iterable<number>): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join('');
}

/** The octets of test/vectors/NAME.hex: comments behind #, the first of which says where they come from. */
export function vector(name: string): Uint8Array {
  const path = fileURLToPath(new URL(`../../../test/vectors/${name}.hex`, import.meta.url));
  const text = readFileSync(path, 'utf8');
  if (!text.startsWith('# ')) throw new Error(`${path} does not say where it comes from`);
  return fromHex(text.replace(/#.*$/gm, ''));
}

/** What memory holds before it is written: an octet that no header starts with. */
export const FILLER = 0xa5;

/** Octets at the very end of a region, behind filler; reading outside [start, end) throws. */
export type Guarded = {
  arena: Pick<Arena, 'buffer' | 'bytes' | 'words'>;
  bytes: Uint8Array;
  words: Int32Array;
  start: number;
  end: number;
};

/** Places the octets so that they begin at an address of this remainder modulo 4 and nothing follows them. */
export function guard(octets: Uint8Array, remainder = 2): Guarded {
  const start = 256 + remainder;
  const end = start + octets.length;
  const buffer = new ArrayBuffer(end);
  const plain = new Uint8Array(buffer).fill(FILLER);
  plain.set(octets, start);
  const bytes = guardReads(plain, (index) => index >= start && index < end);
  const words = guardReads(new Int32Array(buffer, 0, end >> 2), (index) => index * 4 >= start && index * 4 + 4 <= end);
  return { arena: { buffer, bytes, words }, bytes, words, start, end };
}

function guardReads<T extends Uint8Array | Int32Array>(array: T, isAllowed: (index: number) => boolean): T {
  return new Proxy(array, {
    get(target, key) {
      if (typeof key === 'string' && /^-?\d+$/.test(key)) {
        if (!isAllowed(Number(key))) throw new Error(`read of ${key}, outside the frame`);
        return target[Number(key)];
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
    set(target, key, value: number) {
      const index = Number(key);
      if (!(index >= 0 && index < target.length)) throw new Error(`write to ${String(key)}, outside the region`);
      target[index] = value;
      return true;
    },
  });
}

/** An arena of filler with a pool in it, and room for `octets` in front of the pool, from offset 4096. */
export function arenaWithPool(octets: number, sizes: PoolSizes): { arena: Arena; pool: FramePool; offset: number } {
  const offset = 4096;
  const poolOffset = offset + Math.ceil(octets / 4096) * 4096;
  const arena = new Arena(new ArrayBuffer(poolOffset + poolOctets(sizes)));
  arena.bytes.fill(FILLER);
  return { arena, pool: new FramePool(arena, poolOffset, sizes), offset };
}

/** The IPv6 address at an offset. */
export function addressAt(bytes: Uint8Array, at: number): AddressWords {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, 16);
  return [view.getInt32(0), view.getInt32(4), view.getInt32(8), view.getInt32(12)];
}
