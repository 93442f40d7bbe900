// Reads a configuration from text in the format of bigip.conf.
//
// A stanza is `module component name { properties }`. What is wrong with values is collected, so that one reading shows all
// of it; a text whose braces do not match is refused at the first such place.

import { ConfigError, ConfigSyntaxError } from '../core/errors.ts';
import type { TextPosition } from '../core/errors.ts';
import { objectKey } from './change.ts';
import type { Configuration, UnknownObject } from './configuration.ts';
import type { PropertyEdit } from './edit.ts';
import { migrateText } from './format.ts';
import type { Formats } from './format.ts';
import { COMMON, fullPath } from './name.ts';
import type { AnyObjectType } from './object-type.ts';
import { OBJECT_TYPES, findObjectType } from './object-types.ts';
import type { Extra } from './read-properties.ts';
import { readProperties } from './read-properties.ts';
import { Scanner } from './scanner.ts';
import type { Token } from './scanner.ts';
import { ConfigErrors, Transaction } from './transaction.ts';
import type { Committed } from './transaction.ts';
import type { ConfigWarning } from './validate.ts';

type Stanza = {
  readonly type: AnyObjectType;
  readonly name: string;
  readonly edits: readonly PropertyEdit[];
  readonly extras: readonly Extra[];
  readonly position: TextPosition;
};

/** What a text holds that this version does not know, for the report. */
export type KeptUnknown = { readonly text: string; readonly position: TextPosition };

export type Loaded = {
  readonly configuration: Configuration;
  readonly warnings: readonly ConfigWarning[];
  readonly unknown: readonly KeptUnknown[];
};

export type LoadOptions = {
  /** Name of the file, for positions. */
  readonly file?: string;
  /** What the text adds to; absent: the text is the whole configuration. */
  readonly mergeInto?: Configuration;
  /** The formats that can be read; absent: those of this version. */
  readonly formats?: Formats;
};

/** Throws ConfigErrors, or a ConfigSyntaxError. */
export function loadText(given: string, before: Configuration, options: LoadOptions = {}): Loaded {
  const migrated = inPresentFormat(given, options);
  const scanner = new Scanner(migrated.text, options.file);
  const errors: ConfigError[] = [];
  const stanzas: Stanza[] = [];
  const unknown: KeptUnknown[] = [];
  const unknownObjects: UnknownObject[] = [];
  for (;;) {
    const first = scanner.next();
    if (first === undefined) break;
    if (first.kind !== 'word') {
      const hint = 'An object starts with its type, as in net vlan /Common/wan { … }.';
      throw new ConfigSyntaxError(`unexpected argument "${first.text}"`, first.position, hint);
    }
    const stanza = readStanza(scanner, first, errors, unknown);
    if ('type' in stanza) stanzas.push(stanza);
    else unknownObjects.push(stanza);
  }

  const transaction = new Transaction(options.mergeInto ?? before, options.mergeInto === undefined);
  const written = new Set<string>();
  for (const stanza of inDependencyOrder(stanzas)) {
    try {
      put(transaction, stanza, written, options.mergeInto !== undefined);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      errors.push(error);
    }
  }
  for (const object of unknownObjects) transaction.keepUnknown(object);
  let committed: Committed | undefined;
  try {
    committed = transaction.finish();
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error;
    errors.push(...error.errors.filter((late) => !isConsequence(late, errors)));
  }
  if (committed === undefined || errors.length > 0) throw new ConfigErrors(sorted(errors));
  return { ...committed, warnings: [...migrated.warnings, ...committed.warnings], unknown };
}

/** The text as this version reads it, and a warning of each thing that had to be changed for that. */
function inPresentFormat(given: string, options: LoadOptions): { text: string; warnings: ConfigWarning[] } {
  try {
    const { text, from, applied } = migrateText(given, options.file, options.formats);
    const lead = `format ${from} was read`;
    const hint = 'save sys config writes the present format.';
    return { text, warnings: applied.map(({ help }) => ({ object: '', text: `${lead}: ${help}.`, hint })) };
  } catch (error) {
    throw error instanceof ConfigError ? new ConfigErrors([error]) : error;
  }
}

/** A value that could not be read is missing afterwards: once is enough. */
function isConsequence(late: ConfigError, errors: readonly ConfigError[]): boolean {
  const { object, property } = late.details;
  return (
    late.code === 'missingProperty' &&
    errors.some(({ details }) => details.object === object && details.property === property)
  );
}

function sorted(errors: ConfigError[]): ConfigError[] {
  const line = (error: ConfigError) => error.details.position?.line ?? 0;
  return errors.sort((a, b) => line(a) - line(b));
}

function put(transaction: Transaction, stanza: Stanza, written: Set<string>, isMerge: boolean): void {
  const { type, name, edits, extras, position } = stanza;
  const key = objectKey({ type: type.path, name });
  const isSecond = written.has(key) && !isMerge;
  const isShipped = type.companionOf !== undefined || type.naming === 'singleton';
  if (isShipped || (transaction.has(type, name) && !isSecond)) {
    transaction.modify(type, name, edits, extras, position);
  } else {
    transaction.create(type, name, edits, position);
    if (extras.length > 0) transaction.modify(type, name, [], extras, position);
  }
  written.add(key);
}

function inDependencyOrder(stanzas: readonly Stanza[]): Stanza[] {
  const rank = new Map(OBJECT_TYPES.map((type, index) => [type.path, index]));
  return stanzas.toSorted((a, b) => rank.get(a.type.path)! - rank.get(b.type.path)!);
}

function readStanza(
  scanner: Scanner,
  first: Token,
  errors: ConfigError[],
  unknown: KeptUnknown[],
): Stanza | UnknownObject {
  const words = [first];
  let end = first.end;
  while (scanner.peek()?.kind === 'word' && !scanner.text.slice(end, scanner.peek()!.start).includes('\n')) {
    words.push(scanner.next()!);
    end = words.at(-1)!.end;
  }
  const open = scanner.peek()?.kind === 'open' ? scanner.next() : undefined;
  const header = typeOf(words);
  if (header === undefined) return keepObject(scanner, words, end, open, unknown);

  const { type, rest } = header;
  const stray = rest[type.naming === 'singleton' ? 0 : 1];
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
  const name = nameOf(type, rest[0]?.text ?? '', COMMON);
  const extras: Extra[] = [];
  const object = objectKey({ type: type.path, name });
  const context = { mode: 'load', object, folder: COMMON, extras, errors } as const;
  const edits = open === undefined ? [] : readProperties(scanner, type.properties, context, true);
  for (const extra of extras) {
    const where = [object, ...extra.path].join(' ');
    unknown.push({ text: `${where}: property "${extra.name}" is not known`, position: first.position });
  }
  return { type, name, edits, extras, position: first.position };
}

export function nameOf(type: AnyObjectType, word: string, folder: string): string {
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

/** Code in Tcl is the one block in which braces count wherever they stand. */
const CODE_TYPES = new Set(['rule', 'script']);

function keepObject(
  scanner: Scanner,
  words: readonly Token[],
  headEnd: number,
  open: Token | undefined,
  unknown: KeptUnknown[],
): UnknownObject {
  const isCode = words.slice(0, 3).some((word) => CODE_TYPES.has(word.text));
  const end = open === undefined ? headEnd : scanner.skipBlock(open, isCode);
  const start = words[0]!.start;
  const header = scanner.text.slice(start, headEnd);
  unknown.push({ text: `object "${header}" is of a type that is not known`, position: words[0]!.position });
  return { header, text: scanner.text.slice(start, end) };
}
