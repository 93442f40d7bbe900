// The templates of `$GENERATE`: `$` is the number, `$$` a dollar, `${offset,width,base}` the number otherwise, as BIND has it.

import { RecordTextError } from './words.ts';

export type GenerateRange = { readonly first: number; readonly last: number; readonly step: number };

type Part = Uint8Array | { readonly offset: number; readonly width: number; readonly base: string };
export type Template = readonly Part[];

const MAX_NUMBER = 0x7fff_ffff;
/** No name and no number is longer. */
const MAX_WIDTH = 255;
const MODIFIER = /^\{(-?\d{1,10})(?:,(\d{1,3})(?:,([doxXnN]))?)?\}/;

/** `FIRST-LAST` or `FIRST-LAST/STEP`. */
export function parseRange(text: string): GenerateRange {
  const found = /^(\d{1,10})-(\d{1,10})(?:\/(\d{1,10}))?$/.exec(text);
  const [first, last, step] = [found?.[1], found?.[2], found?.[3] ?? '1'].map(Number) as [number, number, number];
  if (!(first <= last && last <= MAX_NUMBER && step > 0 && step <= MAX_NUMBER)) {
    throw new RecordTextError(`not a range: "${text}"`);
  }
  return { first, last, step };
}

/** Of a word as it was written: a backslash protects what follows it, and both stay. Text of one octet a character. */
export function parseTemplate(text: string): Template {
  const parts: Part[] = [];
  let literal = '';
  for (let at = 0; at < text.length;) {
    if (text[at] === '\\') {
      literal += text.slice(at, at + 2);
      at += 2;
    } else if (text[at] !== '$') {
      literal += text[at++]!;
    } else if (text[at + 1] === '$') {
      literal += '$';
      at += 2;
    } else {
      const modifier = text[at + 1] === '{' ? MODIFIER.exec(text.slice(at + 1)) : ['', '0'];
      if (modifier === null) throw new RecordTextError('not ${offset,width,base}: base is one of d, o, x, X, n and N');
      const [whole, offset, width = '0', base = 'd'] = modifier;
      if (Number(width) > MAX_WIDTH) throw new RecordTextError(`a width of more than ${MAX_WIDTH}`);
      parts.push(latin1(literal), { offset: Number(offset), width: Number(width), base });
      literal = '';
      at += 1 + whole!.length;
    }
  }
  return [...parts, latin1(literal)];
}

/** The template with a number put in. */
export function expandTemplate(template: Template, number: number): Uint8Array {
  const parts = template.map((part) =>
    part instanceof Uint8Array ? part : latin1(numberText(number + part.offset, part)),
  );
  const octets = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    octets.set(part, at);
    at += part.length;
  }
  return octets;
}

function numberText(value: number, { width, base }: { width: number; base: string }): string {
  if (base === 'n' || base === 'N') return nibbles(value >>> 0, width, base === 'N');
  if (base === 'd') {
    const digits = String(Math.abs(value)).padStart(value < 0 ? width - 1 : width, '0');
    return value < 0 ? `-${digits}` : digits;
  }
  const digits = (value >>> 0).toString(base === 'o' ? 8 : 16).padStart(width, '0');
  return base === 'X' ? digits.toUpperCase() : digits;
}

/** Hexadecimal digits as labels, the lowest first; the width counts the dots as well, and may end in one. */
function nibbles(value: number, width: number, capital: boolean): string {
  let text = '';
  do {
    text += (value & 15).toString(16);
    value >>>= 4;
    if (text.length < width || value !== 0) text += '.';
  } while (value !== 0 || text.length < width);
  return capital ? text.toUpperCase() : text;
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
