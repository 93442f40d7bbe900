// One stanza of a text: `module component name { properties }`.

import { ConfigSyntaxError } from '../core/errors.ts';
import type { TextPosition } from '../core/errors.ts';
import { objectKey } from './change.ts';
import type { PropertyEdit } from './edit.ts';
import { COMMON, fullPath } from './name.ts';
import type { AnyObjectType } from './object-type.ts';
import { findObjectType } from './object-types.ts';
import type { ErrorSink, Extra } from './read-properties.ts';
import { readProperties } from './read-properties.ts';
import type { Scanner, Token } from './scanner.ts';
import { sentenceOf } from './sentence.ts';
import { MODULES } from './stanza-line.ts';
import { headerOf } from './unknown.ts';

/** What stands where a stanza does, whether its type is known or not. */
type Source = {
  readonly header: string;
  /** From the type to the brace that closes the stanza. */
  readonly text: string;
  /** Comments in front of it. */
  readonly lead: string;
  readonly position: TextPosition;
};

export type KnownStanza = Source & {
  readonly type: AnyObjectType;
  readonly name: string;
  readonly key: string;
  readonly edits: readonly PropertyEdit[];
  readonly extras: readonly Extra[];
};

export type UnknownStanza = Source & { readonly type: undefined };

export type Stanza = KnownStanza | UnknownStanza;

/** Code in Tcl, and templates, which hold it: blocks in which braces count wherever they stand. */
const CODE_TYPES = new Set(['rule', 'script', 'template']);

/** Called with the name as soon as it is known, so that it is known of a stanza that cannot be read, too. */
export type NameSeen = (name: string) => void;

/** The next stanza; undefined at the end. Throws a ConfigSyntaxError. */
export function readStanza(
  scanner: Scanner,
  errors: ErrorSink,
  seen: NameSeen,
  routeDomainOf: (name: string) => number,
): Stanza | undefined {
  const first = scanner.next();
  if (first === undefined) return undefined;
  const lead = scanner.takeComments().join('\n');
  const words = readHeader(scanner, first);
  const open = scanner.peek()?.kind === 'open' ? scanner.next() : undefined;
  const header = headerOf(words);
  const position = first.position;
  const sourceFrom = () => ({ header, lead, position, text: scanner.text.slice(first.start, scanner.lastEnd) });

  const found = typeOf(words);
  if (found === undefined) {
    skipUnknown(scanner, words, open);
    return { ...sourceFrom(), type: undefined };
  }
  const { type, rest } = found;
  const stray = type.nameKind?.wordBehind === undefined ? rest[type.naming === 'singleton' ? 0 : 1] : undefined;
  if (stray !== undefined) {
    const hint = open === undefined ? 'A { is missing.' : `One name stands behind ${type.path}.`;
    throw new ConfigSyntaxError(`unexpected argument "${stray.text}"`, stray.position, hint);
  }
  if (type.naming !== 'singleton' && rest.length === 0) {
    throw new ConfigSyntaxError(
      'a name is missing',
      (open ?? scanner.peek())?.position ?? scanner.endPosition(),
      `Write ${type.path} NAME {`,
    );
  }
  const name = nameOf(type, nameTextOf(type, rest), COMMON);
  seen(name);
  const key = objectKey({ type: type.path, name });
  const extras: Extra[] = [];
  const routeDomain = routeDomainOf(name);
  const context = { mode: 'load', object: key, folder: COMMON, routeDomain, extras, errors } as const;
  const edits = open === undefined ? [] : readProperties(scanner, type.properties, context, true);
  return { ...sourceFrom(), type, name, key, edits, extras };
}

/** The words up to the brace or the end of the line. */
function readHeader(scanner: Scanner, first: Token): Token[] {
  if (first.kind !== 'word' || first.isQuoted || !MODULES.includes(first.text)) {
    const hint = 'An object starts with its type, as in net vlan /Common/wan { … }.';
    throw new ConfigSyntaxError(`unexpected argument "${first.text}"`, first.position, hint);
  }
  const words = [first];
  for (let token = scanner.peek(); token?.kind === 'word'; token = scanner.peek()) {
    if (scanner.text.slice(scanner.lastEnd, token.start).includes('\n')) {
      if (!/\\\r?\n/.test(scanner.text.slice(scanner.lastEnd, token.start))) break;
    }
    words.push(scanner.next()!);
  }
  return words;
}

function skipUnknown(scanner: Scanner, words: readonly Token[], open: Token | undefined): void {
  if (open === undefined) {
    const position = scanner.peek()?.position ?? scanner.endPosition();
    const hint = `What belongs to ${headerOf(words)} stands in braces.`;
    throw new ConfigSyntaxError('a { is missing', position, hint);
  }
  const isCode = words.slice(0, 3).some((word) => CODE_TYPES.has(word.text));
  scanner.dropComments(scanner.skipBlock(open, isCode));
}

/** The name as one text, of the words that stand behind a type. */
export function nameTextOf({ nameKind }: AnyObjectType, rest: readonly Token[]): string {
  const first = rest[0]?.text ?? '';
  return nameKind?.wordBehind === undefined || rest.length < 2 ? first : sentenceOf(rest.map(({ text }) => text));
}

/** The name that a text means in a folder; what cannot be a name stays as it is. */
export function nameOf(type: AnyObjectType, word: string, folder: string): string {
  if (type.nameKind !== undefined) {
    const reading = type.nameKind.read(word, folder);
    return 'value' in reading ? reading.value : word;
  }
  return type.naming === 'full-path' ? fullPath(word, folder) : word;
}

/** The type that the first words name, and the words behind it. */
export function typeOf(words: readonly Token[]): { type: AnyObjectType; rest: readonly Token[] } | undefined {
  for (let count = Math.min(words.length, 4); count > 0; count--) {
    const path = words
      .slice(0, count)
      .map((word) => word.text)
      .join(' ');
    const type = findObjectType(path);
    if (type !== undefined) return { type, rest: words.slice(count) };
  }
  return undefined;
}
