// The text of one field, put together from the pieces in which it comes, and what it says.

import type { FieldShape } from './message-shape.ts';

/** Grows to the longest field that has come. */
const FIRST_OCTETS = 1024;
const MOST_DIGITS = 16;

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/** Octets of what a word may be, and what it then says. */
type Words = readonly { readonly octets: Uint8Array; readonly value: string | boolean }[];

const FLAGS: Words = [
  { octets: encoder.encode('yes'), value: true },
  { octets: encoder.encode('no'), value: false },
];
const choices = new WeakMap<readonly string[], Words>();

export class FieldText {
  #octets = new Uint8Array(FIRST_OCTETS);
  #length = 0;
  #field: FieldShape | undefined;

  start(field: FieldShape): void {
    this.#field = field;
    this.#length = 0;
  }

  /** False: it is longer than the field can be. */
  add(octets: Uint8Array, start: number, end: number): boolean {
    const length = this.#length + end - start;
    if (length > (this.#field?.mostOctets ?? 0)) {
      // As much as is shown of it.
      const room = Math.max(0, Math.min(this.#octets.length, this.#field?.mostOctets ?? 0) - this.#length);
      this.#copy(octets, start, Math.min(end, start + room));
      return false;
    }
    if (length > this.#octets.length) this.#grow(length);
    this.#copy(octets, start, end);
    return true;
  }

  #copy(octets: Uint8Array, start: number, end: number): void {
    const own = this.#octets;
    let into = this.#length;
    // Short as most are, this is faster than set().
    for (let at = start; at < end; at++) own[into++] = octets[at]!;
    this.#length = into;
  }

  #grow(length: number): void {
    const larger = new Uint8Array(Math.max(length, 2 * this.#octets.length));
    larger.set(this.#octets.subarray(0, this.#length));
    this.#octets = larger;
  }

  /** What it says, as the field's type; undefined: nothing that the field can be. */
  value(): string | number | boolean | undefined {
    const field = this.#field!.field;
    switch (field.shape) {
      case 'integer':
        return this.#number();
      case 'flag':
        return this.#word(FLAGS);
      case 'choice':
        return this.#word(wordsOf(field.choices));
      default: {
        const text = this.#decode();
        return text.length > this.#field!.mostCharacters ? undefined : text;
      }
    }
  }

  /** For an error. */
  shown(): string {
    return utf8.decode(this.#octets.subarray(0, this.#length));
  }

  #decode(): string {
    // A copy: a part of the text of all that came would keep all of it.
    return this.#length === 0 ? '' : utf8.decode(this.#octets.subarray(0, this.#length));
  }

  #number(): number | undefined {
    const [start, end] = this.#trimmed();
    if (end === start || end - start > MOST_DIGITS) return undefined;
    let value = 0;
    for (let at = start; at < end; at++) {
      const digit = this.#octets[at]! - 0x30;
      if (digit < 0 || digit > 9) return undefined;
      value = value * 10 + digit;
    }
    return Number.isSafeInteger(value) ? value : undefined;
  }

  #word(words: Words): string | boolean | undefined {
    const [start, end] = this.#trimmed();
    return words.find(({ octets }) => this.#is(octets, start, end))?.value;
  }

  #is(octets: Uint8Array, start: number, end: number): boolean {
    if (octets.length !== end - start) return false;
    for (let at = 0; at < octets.length; at++) if (octets[at] !== this.#octets[start + at]) return false;
    return true;
  }

  /** Without the white space around it. */
  #trimmed(): [start: number, end: number] {
    let start = 0;
    let end = this.#length;
    while (start < end && this.#octets[start]! <= 0x20) start++;
    while (end > start && this.#octets[end - 1]! <= 0x20) end--;
    return [start, end];
  }
}

function wordsOf(values: readonly string[]): Words {
  let words = choices.get(values);
  if (words === undefined) {
    words = values.map((value) => ({ octets: encoder.encode(value), value }));
    choices.set(values, words);
  }
  return words;
}
