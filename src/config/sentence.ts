// Values of several words, each in its place: `a /Common/p`, `not country US`. What may stand at a place depends on the words
// before it, and is a kind itself: so reading, printing, completion and references follow from the places.

import type { NamedObject, NamesWithin, Reading, ScalarKind, WordBehind } from './property.ts';
import { Scanner, quote } from './scanner.ts';
import { ConfigSyntaxError } from '../core/errors.ts';

/** `refersTo` are the types of all objects that a place may name. */
export function sentenceKind(form: {
  readonly name: string;
  readonly expects: string;
  readonly wordBehind: WordBehind;
  readonly refersTo: readonly string[];
}): ScalarKind<string> {
  const { name, expects, wordBehind } = form;
  return {
    shape: 'scalar',
    name,
    expects,
    wordBehind,
    read: (text, folder) => readSentence(text, folder, expects, wordBehind),
    print: (value, folder) => changeWords(value, wordBehind, (word, kind) => kind.print(word, folder)),
    ...(form.refersTo.length === 0 ? {} : { within: withinSentence(form.refersTo, wordBehind) }),
  };
}

function withinSentence(types: readonly string[], wordBehind: WordBehind): NamesWithin {
  return {
    types,
    of: (value) => namedIn(value, wordBehind),
    renamed: (value, type, from, to) =>
      changeWords(value, wordBehind, (word, kind) =>
        word === from && kind.refersTo?.includes(type) === true ? to : word,
      ),
  };
}

/** The words of a sentence, quotes resolved; undefined where it is none. */
export function wordsOf(text: string): string[] | undefined {
  const words: string[] = [];
  try {
    const scanner = new Scanner(text);
    for (let token = scanner.next(); token !== undefined; token = scanner.next()) {
      if (token.kind !== 'word') return undefined;
      words.push(token.text);
    }
  } catch (error) {
    if (!(error instanceof ConfigSyntaxError)) throw error;
    return undefined;
  }
  return words;
}

/** The text of a sentence, in which each word can be told from the next. */
export function sentenceOf(words: readonly string[]): string {
  return words.map(quote).join(' ');
}

function readSentence(text: string, folder: string, expects: string, wordBehind: WordBehind): Reading<string> {
  const problem = `must be ${expects}`;
  const written = wordsOf(text);
  if (written === undefined) return { problem };
  const words: string[] = [];
  for (const word of written) {
    const reading = wordBehind(words)?.read(word, folder);
    if (reading === undefined) return { problem };
    if ('problem' in reading)
      return words.length === 0 ? { problem } : { problem: `${problem}: "${word}" ${reading.problem}` };
    words.push(reading.value);
  }
  return wordBehind(words) === undefined ? { value: sentenceOf(words) } : { problem };
}

function changeWords(
  value: string,
  wordBehind: WordBehind,
  change: (word: string, kind: ScalarKind<string>) => string,
): string {
  const words = wordsOf(value) ?? [];
  return sentenceOf(words.map((word, index) => change(word, wordBehind(words.slice(0, index))!)));
}

function namedIn(value: string, wordBehind: WordBehind): NamedObject[] {
  const words = wordsOf(value) ?? [];
  return words.flatMap((word, index) => {
    const types = wordBehind(words.slice(0, index))?.refersTo;
    return types === undefined ? [] : [{ types, name: word }];
  });
}
