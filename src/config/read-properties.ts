// Reads properties of an object from text, by its definition alone.
//
// The same reader serves a file (`load`: no verbs, what it does not know is kept) and a command (verbs, and what it does
// not know is an error).

import { ConfigError, ConfigSyntaxError } from '../core/errors.ts';
import type { TextPosition } from '../core/errors.ts';
import { parseCanonicalMac } from '../core/mac.ts';
import { applyEdits } from './edit.ts';
import type { Edit, PropertyEdit, RecordEdits } from './edit.ts';
import { wordInDomain } from './in-domain.ts';
import { dedent } from './indentation.ts';
import type { Kind, ListKind, Property, PropertyMap, RecordsKind, ScalarKind } from './property.ts';
import type { Scanner, Token } from './scanner.ts';
import { SHARED_PROPERTIES, takeSharedValue } from './shared-properties.ts';
import { RecordTableBuilder } from './record-table.ts';
import { sentenceOf, wordsOf } from './sentence.ts';
import type { MutableProperties, Properties, Scalar } from './value.ts';

/** What the definition does not have, kept as it was written: a property, an item of a list, or a comment. */
export type Extra = {
  /** Records that it stands in: property, key, …; empty for the object itself, a property alone for an item of it. */
  readonly path: readonly string[];
  /** The known property, or item, that it follows; undefined: it stands first. */
  readonly after: string | undefined;
  /** Name of the property or of the item; COMMENT for a comment. */
  readonly name: string;
  /** Source text from the name to the end of the value, without the indentation of its first line. */
  readonly text: string;
  readonly position?: TextPosition;
  /** Why an item has no effect. */
  readonly reason?: string;
};

export const COMMENT = '#';

/** Takes the errors of a text; an array is one. */
export type ErrorSink = { push(error: ConfigError): unknown; readonly length: number };

export type ReadContext = {
  readonly mode: 'load' | 'command';
  /** Type and name, for messages. */
  readonly object: string;
  readonly folder: string;
  /** Where addresses are that are written without one; absent: 0. */
  readonly routeDomain?: number;
  readonly extras: Extra[];
  /** Collects what is wrong with values; absent: the first one is thrown. */
  readonly errors?: ErrorSink;
};

type Found = { readonly name: string; readonly property: Property; readonly flag?: boolean };

const vocabularies = new WeakMap<PropertyMap, ReadonlyMap<string, Found>>();

/** The words that start a property: its name, or the keywords of a flag. */
export function vocabularyOf(map: PropertyMap): ReadonlyMap<string, Found> {
  let vocabulary = vocabularies.get(map);
  if (vocabulary === undefined) {
    const words = new Map<string, Found>();
    for (const [name, property] of Object.entries(map)) {
      if (property.kind.shape !== 'flag') {
        words.set(name, { name, property });
      } else {
        words.set(property.kind.whenTrue, { name, property, flag: true });
        words.set(property.kind.whenFalse, { name, property, flag: false });
      }
    }
    vocabulary = words;
    vocabularies.set(map, words);
  }
  return vocabulary;
}

/** Reads up to the brace that closes the object, which it takes, or up to the end of the text when `isOpen` is false. */
export function readProperties(
  scanner: Scanner,
  map: PropertyMap,
  context: ReadContext,
  isOpen: boolean,
  path: readonly string[] = [],
): PropertyEdit[] {
  const vocabulary = vocabularyOf(map);
  const edits: PropertyEdit[] = [];
  let after: string | undefined;
  for (;;) {
    const token = scanner.peek();
    for (const text of scanner.takeComments()) context.extras.push({ path, after, name: COMMENT, text });
    if (token === undefined) {
      if (isOpen) throw new ConfigSyntaxError('a } is missing', scanner.endPosition(), 'Close the block.');
      return edits;
    }
    if (scanner.isStanzaStart(token)) {
      throw new ConfigSyntaxError('a } is missing before this object', token.position, 'Close the block above it.');
    }
    scanner.next();
    if (token.kind === 'close' && isOpen) return edits;
    if (context.mode === 'load' && isComment(token)) {
      context.extras.push({ path, after, name: COMMENT, text: scanner.takeLine(token) });
      continue;
    }
    const found = token.kind === 'word' ? vocabulary.get(token.text) : undefined;
    if (found === undefined) {
      const isCommand = context.mode === 'command';
      const isTaken = token.kind === 'word' && (!isCommand || SHARED_PROPERTIES.includes(token.text));
      if (!isTaken) throw unexpected(token, vocabulary, context);
      const text = isCommand ? takeShared(scanner, token) : skipUnknown(scanner, token, vocabulary);
      context.extras.push({ path, after, name: token.text, text, position: token.position });
      continue;
    }
    const { name } = found;
    after = name;
    const edit: Edit | undefined =
      found.flag === undefined
        ? readValue(scanner, token, found, vocabulary, context, [...path, name])
        : { verb: 'set', value: found.flag };
    if (edit !== undefined) edits.push({ property: name, position: token.position, edit });
  }
}

/** Whether a word where a name has to stand is a comment behind something else. */
function isComment(token: Token): boolean {
  return token.kind === 'word' && !token.isQuoted && token.text.startsWith('#');
}

function unexpected(token: Token, vocabulary: ReadonlyMap<string, Found>, context: ReadContext): ConfigSyntaxError {
  const words = [...vocabulary.keys()].join(', ');
  return new ConfigSyntaxError(
    `unexpected argument "${token.text}"`,
    token.position,
    `${context.object} takes: ${words}`,
  );
}

function takeShared(scanner: Scanner, name: Token): string {
  return dedent(`${name.text} ${takeSharedValue(scanner, name)}`, indentationOf(scanner, name));
}

/** Skips the value of an unknown property: the rest of its line, or up to the end of the block that starts on it. */
function skipUnknown(scanner: Scanner, name: Token, vocabulary: ReadonlyMap<string, Found>): string {
  let end = name.end;
  let values = 0;
  for (;;) {
    const token = scanner.peek();
    if (token === undefined || token.kind === 'close') break;
    if (scanner.text.slice(end, token.start).includes('\n')) break;
    if (values > 0 && token.kind === 'word' && vocabulary.has(token.text)) break;
    scanner.next();
    end = token.kind === 'open' ? scanner.skipBlock(token, false) : token.end;
    if (token.kind === 'open') break;
    values++;
  }
  scanner.dropComments(end);
  return dedent(scanner.text.slice(name.start, end), indentationOf(scanner, name));
}

/** The spaces that the line of a token starts with. */
function indentationOf(scanner: Scanner, { start, position }: Token): number {
  const lineStart = start - (position.column - 1);
  let at = lineStart;
  while (at < start && scanner.text[at] === ' ') at++;
  return at - lineStart;
}

function readValue(
  scanner: Scanner,
  at: Token,
  { name, property }: Found,
  vocabulary: ReadonlyMap<string, Found>,
  context: ReadContext,
  path: readonly string[],
): Edit | undefined {
  const kind = property.kind;
  const token = scanner.peek();
  if (token === undefined || token.kind === 'close') {
    throw new ConfigSyntaxError(`"${name}" needs a value`, at.position, `Expected ${expects(kind)}.`);
  }
  if (kind.shape === 'list') return readList(scanner, name, property, kind, context);
  if (kind.shape === 'records') return readRecords(scanner, name, property, kind, context, path);
  scanner.next();
  if (token.kind === 'open') {
    throw new ConfigSyntaxError(`"${name}" takes no block`, token.position, `Expected ${expects(kind)}.`);
  }
  const scalar = kind as ScalarKind;
  if (isUnset(token, scalar, property)) return { verb: 'unset' };
  const whole = scalar.isPhrase === true ? takePhrase(scanner, token) : takeWholeSentence(scanner, token, scalar);
  const value = readScalar(whole, name, scalar, context);
  if (scalar.isSecret === true) refuseMoreWords(scanner, token, name, vocabulary);
  return value === undefined ? undefined : { verb: 'set', value };
}

/** What stands behind a secret on its line would be taken for a property, and be shown. */
function refuseMoreWords(scanner: Scanner, value: Token, name: string, vocabulary: ReadonlyMap<string, unknown>): void {
  const next = scanner.peek();
  if (next?.kind !== 'word' || scanner.text.slice(value.end, next.start).includes('\n')) return;
  if (next.text.startsWith('#') || (!next.isQuoted && vocabulary.has(next.text))) return;
  const hint = 'A text of several words stands in double quotes.';
  throw new ConfigSyntaxError(`${name} takes one word, but there is more behind it`, next.position, hint);
}

/** A token with what belongs to it, as one text: `a and b`, `min 1 of { a b }`. */
function takePhrase(scanner: Scanner, token: Token): Token {
  const words = [token.text];
  const isNext = (word: string): boolean => {
    const next = scanner.peek();
    return next?.kind === 'word' && !next.isQuoted && next.text === word;
  };
  const count = token.text === 'min' ? scanner.peek() : undefined;
  if (count?.kind === 'word') {
    words.push(scanner.next()!.text);
    if (!isNext('of')) throw new ConfigSyntaxError('"of" is missing', count.position, 'Write min 1 of { … }.');
    scanner.next();
    words.push('of', '{', ...takeWords(scanner, takeOpen(scanner, 'of')).map((word) => word.text), '}');
  }
  while (isNext('and')) {
    scanner.next();
    const next = scanner.next();
    if (next?.kind !== 'word') {
      throw new ConfigSyntaxError('a name is missing behind "and"', next?.position ?? scanner.endPosition());
    }
    words.push('and', next.text);
  }
  return { ...token, text: words.join(' '), end: scanner.lastEnd };
}

/** A word with those that belong to it by its kind, as one text: as many as there are. */
export function takeSentence(source: TokenSource, first: Token, { wordBehind }: Pick<ScalarKind, 'wordBehind'>): Token {
  if (wordBehind === undefined) return first;
  // In quotes it may stand as a whole.
  const words = first.isQuoted ? (wordsOf(first.text) ?? [first.text]) : [first.text];
  let { end } = first;
  while (wordBehind(words) !== undefined && source.peek()?.kind === 'word') {
    const next = source.next()!;
    words.push(next.text);
    ({ end } = next);
  }
  return { ...first, text: sentenceOf(words), end };
}

/** The same, where all must be there; throws a ConfigSyntaxError. */
export function takeWholeSentence(scanner: Scanner, first: Token, kind: Pick<ScalarKind, 'wordBehind'>): Token {
  const sentence = takeSentence(scanner, first, kind);
  const missing = kind.wordBehind?.(wordsOf(sentence.text) ?? []);
  if (missing === undefined) return sentence;
  const position = scanner.peek()?.position ?? scanner.endPosition();
  throw new ConfigSyntaxError(`a word is missing behind "${sentence.text}"`, position, `Expected ${missing.expects}.`);
}

/** Where tokens are taken from. */
export type TokenSource = Pick<Scanner, 'peek' | 'next'>;

/** `none` takes away a value that may be absent; `default` restores a default where it can be no value itself. */
function isUnset(token: Token, kind: ScalarKind, property: Property): boolean {
  return !token.isQuoted && unsetWords(kind, property).includes(token.text);
}

/** The words that take away a value; none of them is a value itself. */
export function unsetWords(kind: ScalarKind, property: Property): readonly string[] {
  const isOptional = property.default === undefined && property.required !== true && property.assigned !== true;
  const hasWord = property.default !== undefined && !['string', 'reference'].includes(kind.name);
  return [...(isOptional ? ['none'] : []), ...(hasWord ? ['default'] : [])].filter(
    (word) => kind.words?.includes(word) !== true,
  );
}

function readScalar(token: Token, name: string, kind: ScalarKind, context: ReadContext): Scalar | undefined {
  const reading = kind.read(wordInDomain(token.text, kind, context.routeDomain), context.folder);
  if ('value' in reading) return reading.value;
  const { object } = context;
  const position = { object, property: name, position: token.position };
  const error =
    kind.isSecret === true
      ? new ConfigError('configuration', `${object}: ${name} ${reading.problem}.`, position)
      : new ConfigError('configuration', `${object}: ${name} ${reading.problem}, not "${token.text}".`, {
          ...position,
          value: token.text,
        });
  if (context.errors === undefined) throw error;
  context.errors.push(error);
  return undefined;
}

type Verb = 'add' | 'delete' | 'modify' | 'replace-all-with' | 'none' | 'default';
const VERBS: readonly string[] = ['add', 'delete', 'modify', 'replace-all-with', 'none', 'default'] satisfies Verb[];

/** The verbs that may stand before a block. */
export function blockVerbs(kind: ListKind | RecordsKind, mode: ReadContext['mode']): readonly string[] {
  if (mode === 'load') return ['none'];
  return kind.shape === 'list' ? VERBS.filter((verb) => verb !== 'modify') : VERBS;
}

/** The verb before a block; a block without one replaces all. */
function readVerb(scanner: Scanner, name: string, kind: ListKind | RecordsKind, context: ReadContext): Verb {
  const token = scanner.peek()!;
  if (token.kind === 'open') return 'replace-all-with';
  scanner.next();
  if (token.isQuoted || !blockVerbs(kind, context.mode).includes(token.text)) {
    const hint = context.mode === 'command' ? `Write ${name} add { … }, or ${expects(kind)}.` : `Write ${name} { … }.`;
    throw new ConfigSyntaxError(`unexpected argument "${token.text}"`, token.position, hint);
  }
  return token.text as Verb;
}

function takeOpen(scanner: Scanner, name: string): Token {
  const token = scanner.next();
  if (token?.kind === 'open') return token;
  throw new ConfigSyntaxError(
    `a { is missing behind "${name}"`,
    token?.position ?? scanner.endPosition(),
    'What belongs to a list stands in braces.',
  );
}

/** The words up to the closing brace, each with those that belong to it by their kind. */
function takeWords(scanner: Scanner, open: Token, kind: Pick<ScalarKind, 'wordBehind'> = {}): Token[] {
  const words: Token[] = [];
  for (;;) {
    const token = scanner.next();
    if (token === undefined) throw new ConfigSyntaxError('this brace is never closed', open.position, 'Add a }.');
    if (token.kind === 'close') return words;
    if (token.kind === 'open') throw new ConfigSyntaxError('unexpected argument "{"', token.position);
    words.push(isAll(token, words, scanner) ? token : takeWholeSentence(scanner, token, kind));
  }
}

/** `{ all }` stands for every item, whatever words an item has. */
function isAll(token: Token, before: readonly Token[], scanner: Scanner): boolean {
  return token.text === 'all' && !token.isQuoted && before.length === 0 && scanner.peek()?.kind === 'close';
}

function readList(
  scanner: Scanner,
  name: string,
  property: Property,
  kind: ListKind,
  context: ReadContext,
): Edit | undefined {
  const whole = scanner.peek()!;
  if (whole.kind === 'word' && kind.wholes?.includes(whole.text) === true) {
    scanner.next();
    return { verb: 'set', value: [whole.text] };
  }
  if (kind.isLines === true && startsLine(scanner, kind)) return readLine(scanner, name, kind, context);
  const verb = readVerb(scanner, name, kind, context);
  if (verb === 'none' || verb === 'default') return unsetList(verb, property);
  const words = takeWords(scanner, takeOpen(scanner, name), kind.item);
  if (verb === 'delete' && words.length === 1 && words[0]!.text === 'all') return { verb: 'delete-all' };
  const items = words.flatMap((token) => {
    const value = readScalar(token, name, kind.item, context);
    return value === undefined ? [] : [value as string];
  });
  if (verb === 'add') return { verb: 'add-items', items };
  if (verb === 'delete') return { verb: 'delete-items', items };
  return { verb: 'set', value: items };
}

/** Whether an item stands next, and neither braces nor a verb before some. */
export function startsLine(source: TokenSource, kind: ListKind): boolean {
  const token = source.peek();
  return token?.kind === 'word' && (token.isQuoted || !blockVerbs(kind, 'command').includes(token.text));
}

/** An item without braces, as `user-defined LEVEL 7`; `none` behind its first word takes it away. */
function readLine(scanner: Scanner, name: string, kind: ListKind, context: ReadContext): Edit | undefined {
  const first = scanner.next()!;
  const second = scanner.peek();
  if (context.mode === 'command' && second?.kind === 'word' && !second.isQuoted && second.text === 'none') {
    scanner.next();
    return { verb: 'set-line', name: first.text, item: undefined };
  }
  const item = readScalar(takeWholeSentence(scanner, first, kind.item), name, kind.item, context);
  return item === undefined ? undefined : { verb: 'set-line', name: first.text, item: item as string };
}

function unsetList(verb: 'none' | 'default', property: Property): Edit {
  return verb === 'none' && property.default !== undefined && isFull(property.default)
    ? { verb: 'set', value: [] }
    : { verb: 'unset' };
}

function isFull(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}

function readRecords(
  scanner: Scanner,
  name: string,
  property: Property,
  kind: RecordsKind,
  context: ReadContext,
  path: readonly string[],
): Edit {
  const verb = readVerb(scanner, name, kind, context);
  if (verb === 'none' || verb === 'default') return unsetList(verb, property);
  const open = takeOpen(scanner, name);
  if (kind.isTable === true && context.mode === 'load') return readTable(scanner, open, name, kind, context, path);
  if (verb === 'delete') {
    const words = takeWords(scanner, open, kind.key);
    if (words.length === 1 && words[0]!.text === 'all') return { verb: 'delete-all' };
    const keys = words.flatMap((token) => {
      const key = readScalar(token, name, kind.key, context);
      return key === undefined ? [] : [key as string];
    });
    return { verb: 'delete-records', keys };
  }
  const records: RecordEdits[] = [];
  for (;;) {
    const record = readRecord(scanner, open, name, kind, context, path);
    if (record === undefined) break;
    if (record.key !== undefined) records.push({ ...record, key: record.key });
  }
  const verbs = { add: 'add-records', modify: 'modify-records', 'replace-all-with': 'replace-records' } as const;
  return { verb: verbs[verb], records };
}

/** The next record; its key is undefined when it cannot be read. Undefined behind the last one. */
function readRecord(
  scanner: Scanner,
  open: Token,
  name: string,
  kind: RecordsKind,
  context: ReadContext,
  path: readonly string[],
): (Omit<RecordEdits, 'key'> & { readonly key: string | undefined }) | undefined {
  const token = scanner.next();
  if (token === undefined) throw new ConfigSyntaxError('this brace is never closed', open.position, 'Add a }.');
  if (token.kind === 'close') return undefined;
  if (token.kind === 'open') throw new ConfigSyntaxError('unexpected argument "{"', token.position);
  const whole = takeWholeSentence(scanner, token, kind.key);
  const key = readScalar(whole, name, kind.key, context) as string | undefined;
  const inner = [...path, key ?? whole.text];
  let edits: PropertyEdit[] = [];
  if (scanner.peek()?.kind === 'open') {
    scanner.next();
    const object = `${context.object} ${name} ${whole.text}`;
    edits = readProperties(scanner, kind.properties, { ...context, object }, true, inner);
  }
  if (context.mode === 'command' || kind.isTable === true) return { key, position: token.position, edits };
  const end = scanner.lastEnd;
  const source = () => dedent(scanner.text.slice(token.start, end), indentationOf(scanner, token));
  return { key, position: token.position, edits, source };
}

/** A record as it is saved, without anything that needs more than a look: a MAC address, braces, words. */
const PLAIN_RECORD = /[ \t\r\n\f\v]*([0-9a-f:]{17})[ \t\r\n\f\v]*\{([^{}"\\#]*)\}/y;

/**
 * Reads all records of a table. What stands in the braces is read once for all records that have the same there: a million
 * of them take a second instead of ten.
 */
function readTable(
  scanner: Scanner,
  open: Token,
  name: string,
  kind: RecordsKind,
  context: ReadContext,
  path: readonly string[],
): Edit {
  const builder = new RecordTableBuilder<Properties>();
  const contentByText = new Map<string, number>();
  let twice: string | undefined;
  const add = (mac: number, content: number, key: string): void => {
    if (!builder.add(Math.floor(mac / 2 ** 32), mac | 0, content)) twice ??= key;
  };
  for (;;) {
    const plain = scanner.match(PLAIN_RECORD);
    const known = plain === undefined ? undefined : contentByText.get(plain[2]!);
    const mac = plain === undefined ? -1 : parseCanonicalMac(plain[1]!);
    if (known !== undefined && mac !== -1) {
      scanner.skip(plain![0].length);
      add(mac, known, plain![1]!);
      continue;
    }
    const found = context.extras.length + (context.errors?.length ?? 0);
    const record = readRecord(scanner, open, name, kind, context, path);
    if (record === undefined) return { verb: 'set-table', table: builder.build(), twice };
    if (record.key === undefined) continue;
    const own: MutableProperties = {};
    applyEdits(`${context.object} ${name} ${record.key}`, kind.properties, own, record.edits);
    const content = builder.contentOf(own);
    add(parseCanonicalMac(record.key), content, record.key);
    const isClean = context.extras.length + (context.errors?.length ?? 0) === found;
    if (plain !== undefined && isClean) contentByText.set(plain[2]!, content);
  }
}

function expects(kind: Kind): string {
  switch (kind.shape) {
    case 'scalar':
      return kind.expects;
    case 'flag':
      return `${kind.whenTrue} or ${kind.whenFalse}`;
    case 'list':
      return `{ ${kind.item.expects} … }`;
    case 'records':
      return `{ ${kind.key.expects} { … } … }`;
  }
}
