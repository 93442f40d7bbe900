// Reads options that are described as data.

import type { Scanner } from '../config/scanner.ts';
import { readWord, unexpected } from './arguments.ts';
import type { Operand, OptionWord } from './verb.ts';

/** Option → its value, the empty string for one that takes none. Reads up to the end of the command. */
export function readOptions(scanner: Scanner, what: string, options: readonly OptionWord[]): Map<string, string> {
  const found = new Map<string, string>();
  for (let token = scanner.next(); token !== undefined; token = scanner.next()) {
    const option = token.kind === 'word' ? options.find(({ word }) => word === token.text) : undefined;
    if (option === undefined) {
      throw unexpected(token, `${what} takes: ${options.map(describeOption).join(', ')}`);
    }
    if (found.has(option.word)) throw unexpected(token, `${option.word} stands there already.`);
    found.set(option.word, option.value === undefined ? '' : readValue(scanner, option.value));
  }
  return found;
}

function readValue(scanner: Scanner, { help, words }: Operand): string {
  const token = readWord(scanner, help);
  if (words?.includes(token.text) === false) throw unexpected(token, `Expected ${words.join(' or ')}.`);
  return token.text;
}

/** Templates of F5 write it out; here one file holds the objects of every partition. */
export const PARTITIONS: OptionWord = {
  word: 'partitions',
  help: 'Of all partitions, as without it.',
  value: { kind: 'word', help: 'all', words: ['all'] },
};

function describeOption({ word, value }: OptionWord): string {
  return value === undefined ? word : `${word} ${value.kind.toUpperCase()}`;
}
