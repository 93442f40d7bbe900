// Types as a bit map in windows of 256 (RFC 4034, section 4.1.2).

import { nextWord, type FieldKind } from './rdata-fields.ts';
import { QUOTES, RecordTextError, wordText } from './words.ts';

const WINDOW_HEADER_OCTETS = 2;
const MAX_WINDOW_OCTETS = 32;

/** The field, by the two ways between a type and its mnemonic. */
export function typeBitmap(
  typeOf: (mnemonic: string) => number | undefined,
  typeName: (type: number) => string,
): FieldKind {
  return {
    read(words, into) {
      const types = new Set<number>();
      nextWord(words, 'a type');
      do {
        const type = typeOf(wordText(words));
        if (type === undefined) throw new RecordTextError(`unknown type "${wordText(words)}"`);
        types.add(type);
      } while (words.next(QUOTES.string));
      const sorted = [...types].sort((a, b) => a - b);
      for (const window of new Set(sorted.map((type) => type >>> 8))) {
        const bits = sorted.filter((type) => type >>> 8 === window).map((type) => type & 0xff);
        const octets = new Uint8Array((bits.at(-1)! >>> 3) + 1);
        for (const bit of bits) octets[bit >>> 3]! |= 0x80 >>> (bit & 7);
        into.put8(window);
        into.put8(octets.length);
        into.putAll(octets);
      }
    },
    skip(octets, at, end) {
      for (let last = -1; at < end;) {
        if (at + WINDOW_HEADER_OCTETS > end) return -1;
        const window = octets[at]!;
        const length = octets[at + 1]!;
        const next = at + WINDOW_HEADER_OCTETS + length;
        if (window <= last || length === 0 || length > MAX_WINDOW_OCTETS || next > end) return -1;
        if (octets[next - 1] === 0) return -1;
        last = window;
        at = next;
      }
      return end;
    },
    print(octets, at, end) {
      const names: string[] = [];
      while (at < end) {
        const window = octets[at]! << 8;
        const first = at + WINDOW_HEADER_OCTETS;
        at = first + octets[at + 1]!;
        for (let bit = 0; bit < 8 * (at - first); bit++) {
          if ((octets[first + (bit >>> 3)]! & (0x80 >>> (bit & 7))) !== 0) names.push(typeName(window | bit));
        }
      }
      return names.join(' ');
    },
  };
}
