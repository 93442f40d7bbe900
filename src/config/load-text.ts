// Reads a configuration from text in the format of bigip.conf.
//
// All or nothing: what is wrong with syntax, values and objects is collected, so that one reading shows all of it. Behind an
// error of syntax reading goes on at the next line that starts a stanza.

import { ConfigError, ConfigSyntaxError } from '../core/errors.ts';
import type { TextPosition } from '../core/errors.ts';
import type { Configuration } from './configuration.ts';
import { folderlessObjects } from './check-folders.ts';
import { defaultRouteDomains } from './default-route-domain.ts';
import { ErrorCollector, comparePlaces } from './error-collector.ts';
import { FOLDER, folderKey, howToMake } from './folders.ts';
import { migrateText } from './format.ts';
import type { Formats } from './format.ts';
import { partitionOf } from './name.ts';
import { OBJECT_TYPES, findObjectType } from './object-types.ts';
import { COMMENT } from './read-properties.ts';
import { Scanner } from './scanner.ts';
import { setAside } from './set-aside.ts';
import { readStanza } from './stanza.ts';
import type { KnownStanza, Stanza, UnknownStanza } from './stanza.ts';
import { ConfigErrors, Transaction } from './transaction.ts';
import type { Committed } from './transaction.ts';
import type { ConfigWarning } from './validate.ts';
import { FIRST } from './unknown.ts';
import type { UnknownObject } from './unknown.ts';
import { unknownEntries } from './unknown-entries.ts';
import type { UnknownEntry } from './unknown-entries.ts';

export { nameOf, nameTextOf, typeOf } from './stanza.ts';

/** What a text holds that this version does not know, for the report. */
export type KeptUnknown = UnknownEntry & { readonly position: TextPosition };

export type Loaded = Committed & { readonly unknown: readonly KeptUnknown[] };

export type LoadOptions = {
  /** Name of the file, for positions. */
  readonly file?: string;
  /** What the text adds to; absent: the text is the whole configuration. */
  readonly mergeInto?: Configuration;
  /** The formats that can be read; absent: those of this version. */
  readonly formats?: Formats;
};

/** Throws ConfigErrors. */
export function loadText(given: string, before: Configuration, options: LoadOptions = {}): Loaded {
  const { mergeInto } = options;
  const migrated = inPresentFormat(plain(given), options);
  const reading = readInDomains(migrated.text, options.file, mergeInto);
  const { errors } = reading;

  const transaction = new Transaction(mergeInto ?? before, mergeInto === undefined);
  const known = reading.stanzas.filter((stanza): stanza is KnownStanza => stanza.type !== undefined);
  const unknown = reading.stanzas.filter((stanza): stanza is UnknownStanza => stanza.type === undefined);
  const foreign = [...unknown, ...(mergeInto?.unknown ?? [])];
  const sorted = setAside(known, foreign, (key) => transaction.holds(key));
  const written = new Set<string>();
  for (const stanza of inDependencyOrder(sorted.known)) {
    try {
      put(transaction, stanza, written, mergeInto !== undefined);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      errors.pushUnlessConsequence(error);
      errors.noteBroken(stanza.name);
    }
  }
  for (const object of unknownObjects(reading, sorted.aside, mergeInto !== undefined)) transaction.keepUnknown(object);
  const made = mergeInto === undefined ? makeMissingFolders(transaction, sorted.known) : [];
  let committed: Committed | undefined;
  try {
    committed = transaction.finish();
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error;
    for (const late of error.errors) errors.pushUnlessConsequence(late);
  }
  if (committed === undefined || errors.length > 0) throw errors.toError();
  const warnings = [...migrated.warnings, ...made, ...committed.warnings];
  return { ...committed, warnings, unknown: entriesOf(reading, sorted.known, committed.configuration) };
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

/**
 * Makes the partitions and folders that a whole configuration does not name though objects lie in them, and warns of each: a
 * BIG-IP writes its partitions into another file (bigip_base.conf), and before there were folders nothing named them.
 */
function makeMissingFolders(transaction: Transaction, known: readonly KnownStanza[]): ConfigWarning[] {
  const missing = folderlessObjects(transaction.objects);
  if (missing.size === 0) return [];
  const positions = new Map(known.map(({ key, position }) => [key, position]));
  const type = findObjectType(FOLDER)!;
  return [...missing].map(([folder, first]) => {
    transaction.create(type, folder, []);
    const position = positions.get(first);
    return {
      object: folderKey(folder),
      text: `The requested folder (${folder}) was not found, and is made: ${first} lies there.`,
      hint: `Where it is not meant so, it is a wrong name. Else write what makes it into the text: ${howToMake(folder)}`,
      ...(position === undefined ? {} : { position }),
    };
  });
}

/** What of the text is not known, in its order. */
function entriesOf({ stanzas }: Reading, known: readonly KnownStanza[], configuration: Configuration): KeptUnknown[] {
  const places = new Set<TextPosition | undefined>(stanzas.map(({ position }) => position));
  for (const { extras } of known) for (const { position } of extras) places.add(position);
  const isOfText = (entry: UnknownEntry): entry is KeptUnknown =>
    entry.position !== undefined && places.has(entry.position);
  const entries = [...unknownEntries(configuration)].filter(isOfText);
  return entries.sort((a, b) => comparePlaces(a.position, b.position));
}

/** Without a byte order mark, and with the line ends of this system where all are those of another. */
function plain(text: string): string {
  const marked = text.startsWith('\uFEFF') ? text.slice(1) : text;
  return marked.includes('\r\n') && !/(?:^|[^\r])\n/.test(marked) ? marked.replaceAll('\r\n', '\n') : marked;
}

type Reading = { readonly stanzas: readonly Stanza[]; readonly tail: string; readonly errors: ErrorCollector };

/**
 * Partitions may have default route domains, which decide what addresses mean and may stand behind them: where one has, the
 * text is read again with them.
 */
function readInDomains(text: string, file: string | undefined, mergeInto: Configuration | undefined): Reading {
  const reading = readAll(text, file, () => 0);
  const known = reading.stanzas.filter((stanza): stanza is KnownStanza => stanza.type !== undefined);
  const domains = defaultRouteDomains(known, mergeInto?.objects);
  if (domains.size === 0) return reading;
  return readAll(text, file, (name) => (name.startsWith('/') ? (domains.get(partitionOf(name)) ?? 0) : 0));
}

function readAll(text: string, file: string | undefined, routeDomainOf: (name: string) => number): Reading {
  const scanner = new Scanner(text, file, { isFile: true });
  const errors = new ErrorCollector();
  const stanzas: Stanza[] = [];
  skipFileHeader(scanner);
  for (;;) {
    const mark = scanner.mark();
    let name: string | undefined;
    try {
      const stanza = readStanza(scanner, errors, (seen) => (name = seen), routeDomainOf);
      if (stanza === undefined) break;
      stanzas.push(stanza);
    } catch (error) {
      if (!(error instanceof ConfigSyntaxError)) throw error;
      errors.push(error);
      errors.noteBroken(name);
      scanner.recover(mark);
    }
  }
  return { stanzas, tail: scanner.takeComments().join('\n'), errors };
}

/** The comments at the top of a file that name its version are no comments on what follows. */
function skipFileHeader(scanner: Scanner): void {
  const header = /(?:[ \t]*#[^\n]*\n)*[ \t]*#TMSH-VERSION:[^\n]*(?:\n[ \t]*#[^\n]*)*/y.exec(scanner.text);
  if (header !== null) scanner.skip(header[0].length);
}

/** Stanzas that have no effect, each with the object that it stands behind. */
function* unknownObjects(
  { stanzas, tail }: Reading,
  aside: ReadonlyMap<KnownStanza, string>,
  isMerge: boolean,
): Generator<UnknownObject, void> {
  let after: string | undefined = isMerge ? undefined : FIRST;
  for (const stanza of stanzas) {
    const { header, text, lead, position } = stanza;
    const reason = stanza.type === undefined ? undefined : aside.get(stanza);
    if (stanza.type !== undefined && reason === undefined) {
      after = stanza.key;
      continue;
    }
    const comments = lead === '' ? {} : { lead };
    const details = stanza.type === undefined ? {} : { key: stanza.key, reason: reason! };
    yield { header, text, position, after, ...comments, ...details };
  }
  if (tail !== '') yield { header: COMMENT, text: tail, after };
}

function put(transaction: Transaction, stanza: KnownStanza, written: Set<string>, isMerge: boolean): void {
  const { type, name, key, edits, extras, position, lead } = stanza;
  const isSecond = written.has(key) && !isMerge;
  const isShipped = type.companionOf !== undefined || type.naming === 'singleton';
  if (isShipped || (transaction.has(type, name) && !isSecond)) {
    transaction.modify(type, name, edits, extras, position);
  } else {
    transaction.create(type, name, edits, position);
    if (extras.length > 0) transaction.modify(type, name, [], extras, position);
  }
  if (lead !== '') transaction.setLead(type, name, lead);
  written.add(key);
}

function inDependencyOrder(stanzas: readonly KnownStanza[]): KnownStanza[] {
  const rank = new Map(OBJECT_TYPES.map((type, index) => [type.path, index]));
  return stanzas.toSorted((a, b) => rank.get(a.type.path)! - rank.get(b.type.path)!);
}
