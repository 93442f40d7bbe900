// The words of one record's RDATA, wherever they come from, and the octets that they become.

import { write16, write32 } from '../core/octets.ts';

export const MAX_RDATA_OCTETS = 65535;

/** A text that is not what it should be; the reader adds the place. The message is a sentence without a dot. */
export class RecordTextError extends Error {
  override readonly name = 'RecordTextError';
}

/**
 * How quotes are read: not at all, as one string where a word begins, or behind the first `=` of a word as well
 * (`alpn="h2,h3"`, RFC 9460, section 2.1).
 */
export const QUOTES = { none: 0, string: 1, pair: 2 } as const;
export type Quotes = (typeof QUOTES)[keyof typeof QUOTES];

/** A cursor over words: the current one is [start, end) of `text`, escapes as written, quotes around it left off. */
export type Words = {
  readonly text: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** The word stood in quotes. */
  readonly quoted: boolean;
  /** With QUOTES.pair: the `"` behind `=` is left in the word. Moves on; false where the record ends. */
  next(quotes: Quotes): boolean;
  /** Stands in front of the current word again; nothing where `next` said that there is none. */
  back(): void;
};

const decoder = new TextDecoder('latin1');

/** The current word as it was written. */
export function wordText(words: Words): string {
  return decoder.decode(words.text.subarray(words.start, words.end));
}

/** RDATA being written. */
export class RdataBuffer {
  /** With room for a name behind the longest RDATA, so that only `end` is looked at. */
  readonly octets: Uint8Array = new Uint8Array(MAX_RDATA_OCTETS + 260);
  end = 0;

  put8(value: number): void {
    this.room(1);
    this.octets[this.end++] = value;
  }

  put16(value: number): void {
    this.room(2);
    write16(this.octets, this.end, value);
    this.end += 2;
  }

  put32(value: number): void {
    this.room(4);
    write32(this.octets, this.end, value);
    this.end += 4;
  }

  putAll(octets: Uint8Array): void {
    this.room(octets.length);
    this.octets.set(octets, this.end);
    this.end += octets.length;
  }

  room(octets: number): void {
    if (this.end + octets > MAX_RDATA_OCTETS)
      throw new RecordTextError(`RDATA is longer than ${MAX_RDATA_OCTETS} octets`);
  }
}
