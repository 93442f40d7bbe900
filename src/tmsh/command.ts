// One tmsh command: its verb is found in the table, its fixed words or object type decide what runs.

import { realCommand } from '../config/aliases.ts';
import { COMMON } from '../config/name.ts';
import { OBJECT_TYPES } from '../config/object-types.ts';
import { Scanner } from '../config/scanner.ts';
import { MODULES } from '../config/stanza-line.ts';
import type { Token } from '../config/scanner.ts';
import { ConfigSyntaxError } from '../core/errors.ts';
import { unexpected } from './arguments.ts';
import type { TmshBackend } from './backend.ts';
import { placeInBatch } from './batch.ts';
import { commandsOf } from './sequence.ts';
import type { Command, Output, Phrase, Run, Session, Verb } from './verb.ts';
import { VERBS, findVerb } from './verbs.ts';

/** What whoever types has at first. */
export function newSession(folder: string = COMMON): Session {
  return { folder };
}

/** Whether a line changes something and therefore stands in the audit log. */
export function isChange(line: string): boolean {
  return commandsOf(line).some(changes);
}

function changes(command: string): boolean {
  const [name = '', ...words] = leadingWords(command);
  const verb = findVerb(name);
  return (verb && longestPhrase(verb, words)?.changes) ?? verb?.changes ?? false;
}

/**
 * Runs one command, or several between semicolons up to the first that fails, and yields their output. Throws a
 * ConfigSyntaxError, ConfigError, ConfigErrors, StoreError or IpcError; a command that throws has changed nothing.
 */
export async function* runCommand(
  line: string,
  backend: TmshBackend,
  session: Session = newSession(),
  input?: string,
  base?: string,
): Output {
  const texts = { ...(input === undefined ? {} : { input }), ...(base === undefined ? {} : { base }) };
  for (const command of commandsOf(line)) yield* runOne(command, backend, session, texts);
}

type Texts = Pick<Command, 'input' | 'base'>;

async function* runOne(written: string, backend: TmshBackend, session: Session, texts: Texts): Output {
  const { command, warning } = realCommand(written);
  if (warning !== undefined) yield `Warning: ${warning}\n`;
  const scanner = new Scanner(command, session.batch && placeInBatch(session.batch));
  let first = scanner.next();
  // Manuals write the prompt's program before the command.
  if (first?.text === 'tmsh' && !first.isQuoted) first = scanner.next();
  if (first === undefined) return;
  const verb = first.kind === 'word' ? findVerb(first.text) : undefined;
  if (verb === undefined) {
    const verbs = `A command starts with one of: ${VERBS.map(({ name }) => name).join(', ')}.`;
    const isStanza = MODULES.includes(bare(first.text)) && command.includes('{');
    throw unexpected(
      first,
      isStanza ? 'To paste a part of a file, type first: load sys config from-terminal merge' : verbs,
    );
  }
  const run = runOf(verb, scanner, leadingWords(command).slice(1));
  yield* run({ text: command.trim(), scanner, backend, session, ...texts });
}

/** The words at the start of a command, as far as they are plain; a text that ends within quotes has none behind them. */
function leadingWords(command: string): string[] {
  const scanner = new Scanner(command);
  const words: string[] = [];
  try {
    for (let token = scanner.next(); token?.kind === 'word' && !token.isQuoted; token = scanner.next()) {
      if (words.length === 0 && token.text === 'tmsh') continue;
      words.push(words.length === 1 ? bare(token.text) : token.text);
      if (words.length > MOST_WORDS) break;
    }
  } catch (error) {
    if (!(error instanceof ConfigSyntaxError)) throw error;
  }
  return words;
}

/** More than the longest phrase and the longest type have. */
const MOST_WORDS = 8;

/** A module may be written with a slash before it. */
function bare(word: string): string {
  return word.replace(/^\/(?=.)/, '');
}

function longestPhrase({ phrases = [] }: Verb, words: readonly string[]): Phrase | undefined {
  const fitting = phrases.filter((phrase) => commonWords(phrase.words, words) === phrase.words.length);
  return fitting.toSorted((a, b) => b.words.length - a.words.length)[0];
}

/** What runs; the words of a phrase have been taken from the scanner. Throws a ConfigSyntaxError. */
function runOf(verb: Verb, scanner: Scanner, words: readonly string[]): Run {
  const { phrases = [], objects } = verb;
  const types = objects === undefined ? [] : OBJECT_TYPES.filter((type) => objects.accepts?.(type) ?? true);
  const paths = types.map((type) => type.path.split(' '));
  const inTypes = Math.max(0, ...paths.map((path) => commonWords(path, words)));
  const phrase = longestPhrase(verb, words);
  if (phrase !== undefined && phrase.words.length >= inTypes && (phrase.words.length > 0 || objects === undefined)) {
    for (let taken = 0; taken < phrase.words.length; taken++) scanner.next();
    return phrase.run;
  }
  const inPhrases = Math.max(0, ...phrases.map((each) => commonWords(each.words, words)));
  const isType = paths.some((path) => commonWords(path, words) === path.length);
  const isOption = objects?.areOptionsAnywhere === true && objects.options?.some(({ word }) => word === words[inTypes]);
  const isModule = inPhrases === inTypes && (objects?.takesModules === true || isOption === true);
  if (objects !== undefined && (inPhrases < inTypes || inPhrases === 0 || isType || isModule)) return objects.run;
  const path = words.slice(0, inPhrases);
  let token: Token | undefined;
  for (let taken = 0; taken <= inPhrases; taken++) token = scanner.next();
  const expected = [...phrases.map((each) => each.words), ...paths]
    .filter((each) => each.length > path.length && commonWords(each, path) === path.length)
    .map((each) => each[path.length]!);
  const hint = `Expected one of: ${[...new Set(expected)].join(', ')}.`;
  if (token !== undefined) throw unexpected(token, hint);
  throw new ConfigSyntaxError(`the command is not complete`, scanner.endPosition(), hint);
}

/** How many words both start with. */
function commonWords(a: readonly string[], b: readonly string[]): number {
  let count = 0;
  while (count < a.length && count < b.length && a[count] === b[count]) count++;
  return count;
}
