// Reads options that are described as data.

import type { Scanner } from '../config/scanner.ts';
import { readWord, unexpected } from './arguments.ts';
import type { OptionWord } from './verb.ts';

/** Option → its value, the empty string for one that takes none. Reads up to the end of the command. */
export function readOptions(scanner: Scanner, what: string, options: readonly OptionWord[]): Map<string, string> {
  const found = new Map<string, string>();
  for (let token = scanner.next(); token !== undefined; token = scanner.next()) {
    const option = token.kind === 'word' ? options.find(({ word }) => word === token.text) : undefined;
    if (option === undefined) {
      throw unexpected(token, `${what} takes: ${options.map(describeOption).join(', ')}`);
    }
    if (found.has(option.word)) throw unexpected(token, `${option.word} stands there already.`);
    found.set(option.word, option.value === undefined ? '' : readWord(scanner, option.value.help).text);
  }
  return found;
}

function describeOption({ word, value }: OptionWord): string {
  return value === undefined ? word : `${word} ${value.kind.toUpperCase()}`;
}
