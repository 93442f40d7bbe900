// A seeded mutator of configuration text: characters that mean something to the scanner, words of the language, lines and
// halves of other texts. The same seed gives the same texts.

import { MODULES } from '../../src/config/stanza-line.ts';
import { OBJECT_TYPES } from '../../src/config/object-types.ts';
import { vocabularyOf } from '../../src/config/read-properties.ts';
import { Random } from './mutator.ts';

const SPECIAL = '{}{}"\\#\n\n \t\r:/%.-0z'.split('');
const CHARACTERS = [...SPECIAL, '\0', '\uFEFF', 'é', '😀', '\u2028', '\\\n', '\r\n'];
const RUNS = '{}"\\# x\n'.split('');

const WORDS = [
  ...OBJECT_TYPES.flatMap((type) => [type.path, ...vocabularyOf(type.properties).keys()]),
  ...MODULES,
  ...[
    'none',
    'default',
    'all',
    'add',
    'delete',
    'modify',
    'replace-all-with',
    'enabled',
    'disabled',
    'and',
    'min',
    'of',
  ],
  ...[
    '0',
    '-1',
    '4095',
    '99999999999999999999',
    '1.1',
    '10.1.1.1',
    '10.1.1.1/24',
    '::',
    'any',
    '/',
    '/Common',
    '/Common/',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'ff:ff:ff:ff:ff:ff',
    '/Common/tcp-forward',
    '""',
    '"a b"',
    '{ }',
    '{ a b }',
  ],
];

/** A text with one mutation, and the offset where it is: what stands before it is unchanged. */
export type Mutated = { readonly text: string; readonly at: number };

export class TextMutator {
  readonly random: Random;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  /** `other` lends its half. */
  mutate(text: string, other: string): Mutated {
    const { random } = this;
    const at = random.below(text.length + 1);
    const cut = (from: number, to: number, put: string): Mutated => ({
      text: text.slice(0, from) + put + text.slice(to),
      at: from,
    });
    const [lineStart, lineEnd] = lineAt(text, at);
    const [wordStart, wordEnd] = wordAt(text, at);
    switch (random.below(13)) {
      case 0:
        return cut(at, at + 1, '');
      case 1:
        return cut(at, at, random.pick(CHARACTERS));
      case 2:
        return cut(at, at + 1, random.pick(CHARACTERS));
      case 3:
        return cut(at, at + 1, String.fromCharCode(random.below(0x180)));
      case 4:
      case 5:
        return cut(wordStart, wordEnd, random.pick(WORDS));
      case 6:
        return cut(wordStart, wordEnd, '');
      case 7:
        return cut(wordStart, wordStart, `${random.pick(WORDS)} `);
      case 8:
        return cut(lineStart, lineEnd, '');
      case 9:
        return cut(lineStart, lineStart, text.slice(lineStart, lineEnd));
      case 10:
        return cut(at, text.length, '');
      case 11:
        return cut(at, text.length, other.slice(random.below(other.length + 1)));
      default:
        return cut(at, at, random.pick(RUNS).repeat(1 + random.below(300)));
    }
  }
}

function lineAt(text: string, at: number): [number, number] {
  const end = text.indexOf('\n', at);
  return [text.lastIndexOf('\n', at - 1) + 1, end < 0 ? text.length : end + 1];
}

function wordAt(text: string, at: number): [number, number] {
  let start = at;
  let end = at;
  while (start > 0 && /\S/.test(text[start - 1]!)) start--;
  while (end < text.length && /\S/.test(text[end]!)) end++;
  return [start, end];
}
