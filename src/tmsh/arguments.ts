// The parts that commands have in common: the type, names with wildcards, the end.

import { objectsOf } from '../config/configuration.ts';
import type { Configuration } from '../config/configuration.ts';
import { objectKey } from '../config/change.ts';
import { ROOT, folderOf, leafOf } from '../config/folders.ts';
import { nameOf } from '../config/load-text.ts';
import { COMMON } from '../config/name.ts';
import { labelled } from '../config/object-type.ts';
import type { AnyObjectType } from '../config/object-type.ts';
import { OBJECT_TYPES, findObjectType } from '../config/object-types.ts';
import { takeWholeSentence } from '../config/read-properties.ts';
import type { Scanner, Token } from '../config/scanner.ts';
import { ConfigError, ConfigSyntaxError } from '../core/errors.ts';
import { settleName } from './settle-references.ts';
import type { OptionWord } from './verb.ts';

/** Throws for any token: `unexpected argument "foo"`. */
export function unexpected(token: Token, hint?: string): ConfigSyntaxError {
  return new ConfigSyntaxError(`unexpected argument "${token.text}"`, token.position, hint);
}

export function expectEnd(scanner: Scanner): void {
  const token = scanner.next();
  if (token !== undefined) throw unexpected(token, 'The command ends before it.');
}

/**
 * Reads module and component: the types that they name, one or those of a whole module. `takes` is asked of each word
 * that is neither: true takes it, so that options may stand before the module and between its words.
 */
export function readTypes(scanner: Scanner, takes: (token: Token) => boolean = () => false): readonly AnyObjectType[] {
  let path = '';
  for (;;) {
    const token = scanner.peek();
    const word = token?.kind === 'word' ? token.text : undefined;
    const next = path === '' ? (word ?? '').replace(/^\//, '') : `${path} ${word ?? ''}`;
    const isPath = word !== undefined && OBJECT_TYPES.some((type) => `${type.path} `.startsWith(`${next} `));
    if (isPath) {
      scanner.next();
      path = next;
      continue;
    }
    const type = findObjectType(path);
    if (type !== undefined) return [type];
    const under = OBJECT_TYPES.filter((candidate) => path === '' || candidate.path.startsWith(`${path} `));
    if (token === undefined) return under;
    if (takes(token)) {
      scanner.next();
      continue;
    }
    const words = new Set(under.map((candidate) => candidate.path.slice(path.length).trim().split(' ')[0]));
    throw unexpected(token, `Expected one of: ${[...words].join(', ')}.`);
  }
}

/** Words of a module and a component: `gtm wideip`. */
const COMPONENT_WORDS = 2;

/** Words that stand for every component, of all modules or of the one before them, for verbs that take modules. */
export const ALL_WORDS: readonly string[] = ['all', '/', '/all'];

/** Reads module and component down to one type. */
export function readType(scanner: Scanner, takes?: (token: Token) => boolean): AnyObjectType {
  const types = readTypes(scanner, takes);
  if (types.length === 1) return types[0]!;
  throw missingComponent(scanner, types);
}

function missingComponent(scanner: Scanner, types: readonly AnyObjectType[]): ConfigSyntaxError {
  const paths = types.map((type) => type.path).join(', ');
  return new ConfigSyntaxError('a component is missing', scanner.endPosition(), `Expected one of: ${paths}.`);
}

export function readWord(scanner: Scanner, what: string): Token {
  const token = scanner.next();
  if (token?.kind === 'word') return token;
  if (token !== undefined) throw unexpected(token, `Expected ${what}.`);
  throw new ConfigSyntaxError(`${what} is missing`, scanner.endPosition());
}

/** The name of an object, which may be several words: as one token. */
export function readName(scanner: Scanner, type: AnyObjectType, what = `a ${type.label} name`): Token {
  return takeName(scanner, readWord(scanner, what), type);
}

/** A name of which the first word was taken. */
export function takeName(scanner: Scanner, first: Token, { nameKind }: AnyObjectType): Token {
  const isWhole = nameKind === undefined || (!first.isQuoted && isPattern(first.text));
  return isWhole ? first : takeWholeSentence(scanner, first, nameKind);
}

/** One name, or several in braces. */
export function readNames(scanner: Scanner, type: AnyObjectType): Token[] {
  return readWords(scanner, `a ${type.label} name`, type);
}

/** One word, or several in braces; with a type, names of its objects. */
export function readWords(scanner: Scanner, what: string, type?: AnyObjectType): Token[] {
  const read = (): Token => (type === undefined ? readWord(scanner, what) : readName(scanner, type, what));
  if (scanner.peek()?.kind !== 'open') return [read()];
  const open = scanner.next()!;
  const words: Token[] = [];
  while (scanner.peek()?.kind === 'word') words.push(read());
  const close = scanner.next();
  if (close?.kind === 'close' && words.length > 0) return words;
  if (close !== undefined) throw unexpected(close, `Expected ${what}.`);
  throw new ConfigSyntaxError('this brace is never closed', open.position, 'Add a }.');
}

/** A configuration, or what a transaction makes of it. */
type Objects = Pick<Configuration, 'objects'>;

/** The name that a word means in a folder; bare names within it are settled by what there is. */
export function nameIn(objects: Objects, type: AnyObjectType, word: string, folder: string): string {
  const near = nameOf(type, word, folder);
  if (type.nameKind === undefined || folder === COMMON) return near;
  return settleName(type.nameKind, near, nameOf(type, word, COMMON), (types, name) =>
    types.some((path) => objects.objects.has(objectKey({ type: path, name }))),
  );
}

/** Whether a word stands for objects of several names, where none is called so. */
export function isPattern(word: string): boolean {
  return word === 'all' || word.includes('*');
}

/** True when the word names an object of the type, alone or by a wildcard. */
export function namesObject(objects: Objects, type: AnyObjectType, word: string, folder: string): boolean {
  return matchingNames(objects, type, word, folder).length > 0;
}

/** The objects that a word names, with `isRecursive` also in folders below; throws a ConfigError where there is none. */
export function resolveNames(
  objects: Objects,
  type: AnyObjectType,
  token: Token,
  folder: string,
  isRecursive = false,
): string[] {
  const names = matchingNames(objects, type, token.text, folder, isRecursive);
  if (names.length > 0) return names;
  const name = nameIn(objects, type, token.text, folder);
  const subject = type.companionOf?.[0] ?? type;
  throw new ConfigError('notFound', `The requested ${labelled(subject, name)} was not found.`, {
    object: objectKey({ type: type.path, name }),
    position: token.position,
    hint: `list ${subject.path} shows those that exist.`,
  });
}

/** Whether an object lies in the folder, or with `isRecursive` below it; those of types without folders lie in all. */
export function isNear(type: AnyObjectType, name: string, folder: string, isRecursive: boolean): boolean {
  if (type.naming !== 'full-path' || folderOf(name) === folder) return true;
  return isRecursive && name.startsWith(folder === ROOT ? ROOT : `${folder}/`);
}

/** The one object that a word names; throws a ConfigError where there are none or several. */
export function resolveOne(objects: Objects, type: AnyObjectType, token: Token, folder: string): string {
  const [name, ...others] = resolveNames(objects, type, token, folder);
  if (others.length === 0) return name!;
  throw new ConfigError('configuration', `${token.text} names ${others.length + 1} objects, but must name one.`, {
    position: token.position,
    hint: `They are: ${[name, ...others].slice(0, 5).join(', ')}`,
  });
}

/** A type, and its objects that a command names; undefined: all in the folder, with `recursive` also those below it. */
export type Target = {
  readonly type: AnyObjectType;
  readonly names: string[] | undefined;
  /** The options that were written. */
  readonly options: ReadonlySet<string>;
};

/** Reads a type, names and options, to the end of the command. Options take no value, and may stand anywhere. */
export function resolveTarget(
  scanner: Scanner,
  configuration: Configuration,
  folder: string,
  options: readonly OptionWord[] = [],
): Target {
  const given = new Set<string>();
  return resolveRest(
    scanner,
    configuration,
    folder,
    options,
    given,
    readType(scanner, (token) => takeOption(token, options, given)),
  );
}

/**
 * The same for a component of several types, as `gtm wideip` is of a, aaaa and others: where it alone is named, all of their objects
 * are meant.
 */
export function resolveTargets(
  scanner: Scanner,
  configuration: Configuration,
  folder: string,
  options: readonly OptionWord[],
): readonly Target[] {
  const given = new Set<string>();
  const types = readTypes(scanner, (token) => takeOption(token, options, given));
  const components = new Set(types.map(({ path }) => path.split(' ').slice(0, COMPONENT_WORDS).join(' ')));
  if (types.length === 1) return [resolveRest(scanner, configuration, folder, options, given, types[0]!)];
  if (components.size > 1) throw missingComponent(scanner, types);
  return types.map((type) => ({ type, names: undefined, options: given }));
}

/** Names and options behind a type. */
function resolveRest(
  scanner: Scanner,
  configuration: Configuration,
  folder: string,
  options: readonly OptionWord[],
  given: Set<string>,
  type: AnyObjectType,
): Target {
  const takes = (token: Token): boolean => takeOption(token, options, given);
  let tokens: Token[] | undefined;
  for (let next = scanner.peek(); next !== undefined; next = scanner.peek()) {
    const isName = tokens === undefined && namesObject(configuration, type, next.text, folder);
    if (!isName && takes(next)) scanner.next();
    else if (tokens === undefined && type.naming !== 'singleton') tokens = readNames(scanner, type);
    else if (options.length === 0) expectEnd(scanner);
    else throw unexpected(next, `${type.path} takes: ${options.map(({ word }) => word).join(', ')}`);
  }
  const isRecursive = given.has('recursive');
  const names = tokens?.flatMap((token) => resolveNames(configuration, type, token, folder, isRecursive));
  return { type, names: tokens?.some(({ text }) => text === 'all') === true ? undefined : names, options: given };
}

/** Whether a word is one of the options, which is noted; throws a ConfigSyntaxError where it was given before. */
function takeOption(token: Token, options: readonly OptionWord[], given: Set<string>): boolean {
  if (token.kind !== 'word' || token.isQuoted || !options.some(({ word }) => word === token.text)) return false;
  if (given.has(token.text)) throw unexpected(token, `${token.text} stands there already.`);
  given.add(token.text);
  return true;
}

/** What `all` and wildcards match lies in the folder that they are written for. */
function matchingNames(
  objects: Objects,
  type: AnyObjectType,
  word: string,
  folder: string,
  isRecursive = false,
): string[] {
  const wanted = nameIn(objects, type, word, folder);
  const isThere = objects.objects.has(objectKey({ type: type.path, name: wanted }));
  if (!isPattern(word) || (isThere && type.hasWildcardNames === true)) return isThere ? [wanted] : [];
  const names = objectsOf(objects, type).map((object) => object.name);
  const within = word === 'all' ? folder : folderOf(wanted);
  const near = names.filter((name) => isNear(type, name, within, isRecursive));
  if (word === 'all') return near;
  const leaf = (name: string): string => (type.naming === 'full-path' ? leafOf(name) : name);
  return near.filter((name) => matches(leaf(wanted), leaf(name)));
}

/** Whether a text is what a pattern with stars says; in one pass, whatever the pattern. */
function matches(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop() ?? '';
  const end = text.length - last.length;
  if (end < first.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
