// One tmsh command: parsed by the definitions of the object types, and run.
//
//     create | modify  module component NAME { property value … }
//     delete           module component NAME | { NAME … } | all
//     list             [module [component [NAME] [property …]]] [all-properties] [one-line]
//     show             module component [NAME], show sys config status
//     reset-stats      module component [NAME]
//     save sys config [file F], load sys config [file F] [merge] [verify]

import { isBuiltIn } from '../config/configuration.ts';
import { objectKey } from '../config/change.ts';
import { loadText, nameOf } from '../config/load-text.ts';
import { COMMON } from '../config/name.ts';
import type { AnyObjectType } from '../config/object-type.ts';
import { readProperties } from '../config/read-properties.ts';
import { Scanner } from '../config/scanner.ts';
import type { Token } from '../config/scanner.ts';
import { Transaction } from '../config/transaction.ts';
import type { ConfigWarning } from '../config/validate.ts';
import { ConfigSyntaxError, formatPosition } from '../core/errors.ts';
import { expectEnd, readType, readTypes, readWord, readWords, resolveNames, unexpected } from './arguments.ts';
import type { TmshBackend } from './backend.ts';
import { listObjects } from './list.ts';
import { renderPages } from './show.ts';

type Output = AsyncGenerator<string, void>;
type Verb = (scanner: Scanner, backend: TmshBackend) => Output;

const VERBS: ReadonlyMap<string, Verb> = new Map<string, Verb>([
  ['create', create],
  ['modify', modify],
  ['delete', remove],
  ['list', listObjects],
  ['show', show],
  ['reset-stats', resetStats],
  ['save', save],
  ['load', load],
]);

/** The verbs that change something and therefore stand in the audit log. */
export const CHANGING_VERBS: ReadonlySet<string> = new Set(['create', 'modify', 'delete', 'load', 'save']);

/** The verb of a command, for the audit log; empty where there is none. */
export function verbOf(command: string): string {
  return /^\s*(?:tmsh\s+)?([a-z-]+)/.exec(command)?.[1] ?? '';
}

/**
 * Runs one command and yields its output. Throws a ConfigSyntaxError, ConfigError, ConfigErrors, StoreError or IpcError;
 * a command that throws has changed nothing.
 */
export async function* runCommand(command: string, backend: TmshBackend): Output {
  const scanner = new Scanner(command);
  let first = scanner.next();
  // Manuals write the prompt's program before the command.
  if (first?.text === 'tmsh' && !first.isQuoted) first = scanner.next();
  if (first === undefined) return;
  const verb = first.kind === 'word' ? VERBS.get(first.text) : undefined;
  if (verb === undefined) throw unexpected(first, `A command starts with one of: ${[...VERBS.keys()].join(', ')}.`);
  yield* verb(scanner, backend);
}

// eslint-disable-next-line @typescript-eslint/require-await
async function* create(scanner: Scanner, backend: TmshBackend): Output {
  yield* change(scanner, backend, (transaction, type, token, edits) => {
    transaction.create(type, nameOf(type, token?.text ?? '', COMMON), edits, token?.position);
  });
}

// eslint-disable-next-line @typescript-eslint/require-await
async function* modify(scanner: Scanner, backend: TmshBackend): Output {
  yield* change(scanner, backend, (transaction, type, token, edits) => {
    if (edits.length === 0) {
      throw new ConfigSyntaxError('one or more properties must be specified', scanner.endPosition());
    }
    const names = token === undefined ? [''] : resolveNames(backend.configuration, type, token);
    for (const name of names) transaction.modify(type, name, edits, undefined, token?.position);
  });
}

type Change = (
  transaction: Transaction,
  type: AnyObjectType,
  name: Token | undefined,
  edits: ReturnType<typeof readProperties>,
) => void;

/** Type, name and properties; the braces around the properties may also stand around the name, or be left out. */
function* change(scanner: Scanner, backend: TmshBackend, apply: Change): Generator<string> {
  const type = readType(scanner);
  let isOpen = scanner.peek()?.kind === 'open' && scanner.next() !== undefined;
  const name = type.naming === 'singleton' ? undefined : readWord(scanner, `a ${type.label} name`);
  if (!isOpen && scanner.peek()?.kind === 'open') isOpen = scanner.next() !== undefined;
  const object = objectKey({ type: type.path, name: name?.text ?? '' });
  const context = { mode: 'command', object, folder: COMMON, extras: [] } as const;
  const edits = readProperties(scanner, type.properties, { ...context, extras: [] }, isOpen);
  expectEnd(scanner);
  const transaction = new Transaction(backend.configuration);
  apply(transaction, type, name, edits);
  const committed = transaction.finish();
  backend.commit(committed);
  yield* warnings(committed.warnings);
}

// eslint-disable-next-line @typescript-eslint/require-await
async function* remove(scanner: Scanner, backend: TmshBackend): Output {
  const type = readType(scanner);
  const tokens = type.naming === 'singleton' ? [] : readWords(scanner, `a ${type.label} name`);
  expectEnd(scanner);
  const transaction = new Transaction(backend.configuration);
  if (type.naming === 'singleton') transaction.delete(type, '');
  for (const token of tokens) {
    const names = resolveNames(backend.configuration, type, token);
    const isMany = token.text === 'all' || token.text.includes('*');
    for (const name of names) {
      if (!isMany || !isBuiltIn(type, name)) transaction.delete(type, name, token.position);
    }
  }
  const committed = transaction.finish();
  backend.commit(committed);
  yield* warnings(committed.warnings);
}

async function* show(scanner: Scanner, backend: TmshBackend): Output {
  if (isWord(scanner, 'sys')) {
    takeWords(scanner, ['sys', 'config', 'status']);
    expectEnd(scanner);
    yield* renderPages('Sys::Config', () => Promise.resolve(backend.status()));
    return;
  }
  const { type, names } = readTarget(scanner, backend);
  const module = type.path.split(' ')[0]!;
  const title = `${module[0]!.toUpperCase()}${module.slice(1)}::${type.label}`;
  yield* renderPages(title, (cursor) => backend.show(type.path, names, cursor));
}

async function* resetStats(scanner: Scanner, backend: TmshBackend): Output {
  const { type, names } = readTarget(scanner, backend);
  const objects = await backend.resetStats(type.path, names);
  if (objects === 0) yield `No ${type.label} has counters.\n`;
}

/** A type and, if the command names any, its objects. */
function readTarget(scanner: Scanner, backend: TmshBackend): { type: AnyObjectType; names: string[] | undefined } {
  const types = readTypes(scanner);
  const type = types.length === 1 ? types[0]! : readType(scanner);
  if (scanner.peek() === undefined) return { type, names: undefined };
  const tokens = readWords(scanner, `a ${type.label} name`);
  expectEnd(scanner);
  const names = tokens.flatMap((token) => resolveNames(backend.configuration, type, token));
  return { type, names: tokens.some((token) => token.text === 'all') ? undefined : names };
}

async function* save(scanner: Scanner, backend: TmshBackend): Output {
  takeWords(scanner, ['sys', 'config']);
  const file = readFileOption(scanner);
  expectEnd(scanner);
  yield 'Saving running configuration...\n';
  yield `  ${await backend.save(file)}\n`;
}

async function* load(scanner: Scanner, backend: TmshBackend): Output {
  takeWords(scanner, ['sys', 'config']);
  let file: string | undefined;
  let isMerge = false;
  let isVerify = false;
  for (let token = scanner.peek(); token !== undefined; token = scanner.peek()) {
    if (isWord(scanner, 'file')) file = readFileOption(scanner);
    else if (isWord(scanner, 'merge')) isMerge = scanner.next() !== undefined;
    else if (isWord(scanner, 'verify')) isVerify = scanner.next() !== undefined;
    else throw unexpected(token, 'load sys config takes: file NAME, merge, verify');
  }
  const { path, text } = await backend.read(file);
  yield `${isVerify ? 'Validating' : 'Loading'} configuration...\n  ${path}\n`;
  const before = backend.configuration;
  const loaded = loadText(text, before, { file: path, ...(isMerge ? { mergeInto: before } : {}) });
  if (!isVerify) backend.commit(loaded);
  if (!isVerify && !isMerge && file === undefined) backend.noteLoaded(text);
  for (const { text: what, position } of loaded.unknown) {
    yield `Warning: ${formatPosition(position)}: ${what}; it is kept and saved, but has no effect.\n`;
  }
  yield* warnings(loaded.warnings);
}

function* warnings(found: readonly ConfigWarning[]): Generator<string> {
  for (const { text, hint, position } of found) {
    const place = position?.file === undefined ? '' : `${formatPosition(position)}: `;
    yield `Warning: ${place}${text}${hint === undefined ? '' : ` ${hint}`}\n`;
  }
}

function isWord(scanner: Scanner, word: string): boolean {
  const token = scanner.peek();
  return token?.kind === 'word' && token.text.replace(/^\//, '') === word;
}

function takeWords(scanner: Scanner, words: readonly string[]): void {
  for (const word of words) {
    if (isWord(scanner, word)) {
      scanner.next();
      continue;
    }
    const token = scanner.next();
    if (token !== undefined) throw unexpected(token, `Expected ${word}.`);
    throw new ConfigSyntaxError(`"${word}" is missing`, scanner.endPosition());
  }
}

function readFileOption(scanner: Scanner): string | undefined {
  if (!isWord(scanner, 'file')) return undefined;
  scanner.next();
  return readWord(scanner, 'a file name').text;
}
