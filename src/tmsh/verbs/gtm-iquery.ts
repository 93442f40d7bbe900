// `show gtm iquery` and `reset-stats gtm iquery`: connections of the mesh, which are no objects of the configuration.

import type { Scanner } from '../../config/scanner.ts';
import { readWord } from '../arguments.ts';
import { fieldPages } from '../field-format.ts';
import { renderPages } from '../show.ts';
import type { Operand, OptionWord, Phrase } from '../verb.ts';

const WORDS = ['gtm', 'iquery'];
const PATH = WORDS.join(' ');

const ADDRESS: Operand = {
  kind: 'word',
  help: 'an address that is dialled, or all',
  words: ['all'],
  isOptional: true,
};

const OPTIONS: readonly OptionWord[] = [
  { word: 'field-fmt', help: 'Names and values in braces, for programs.' },
  { word: 'raw', help: 'Numbers in full, as without it.' },
];

export const showGtmIquery: Phrase = {
  words: WORDS,
  help: 'Connections to other machines over iQuery, and from them.',
  operand: ADDRESS,
  options: OPTIONS,
  async *run({ scanner, backend, session }) {
    const { names, given } = readRest(scanner, OPTIONS);
    const page = (cursor: string | undefined) => backend.show(PATH, names, cursor);
    if (given.has('field-fmt')) yield* fieldPages(PATH, page, session.folder);
    else yield* renderPages('Gtm::IQuery', page, session.folder);
  },
};

export const resetGtmIquery: Phrase = {
  words: WORDS,
  help: 'Set counters of connections over iQuery to 0.',
  operand: ADDRESS,
  async *run({ scanner, backend }) {
    const { names } = readRest(scanner, []);
    const count = await backend.resetStats(PATH, names);
    if (count === 0) yield 'No address is dialled over iQuery.\n';
  },
};

/** Addresses, and options before or behind them; undefined names: all. */
function readRest(
  scanner: Scanner,
  options: readonly OptionWord[],
): { names: string[] | undefined; given: ReadonlySet<string> } {
  const names: string[] = [];
  const given = new Set<string>();
  while (scanner.peek() !== undefined) {
    const { text } = readWord(scanner, 'an address');
    if (options.some(({ word }) => word === text)) given.add(text);
    else names.push(text);
  }
  return { names: names.length === 0 || names.includes('all') ? undefined : names, given };
}
