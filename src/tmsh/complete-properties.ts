// Completion within the properties of an object, by its definition alone: the counterpart of config/read-properties.ts.
//
// Each function takes the tokens before the cursor as the reader would. Where they end it offers what may stand there and
// returns false; it returns true where its part of the text is complete and the cursor lies behind it.

import type { Configuration } from '../config/configuration.ts';
import type { ListKind, Property, PropertyMap, RecordsKind, ScalarKind, WordBehind } from '../config/property.ts';
import { blockVerbs, startsLine, takeSentence, unsetWords, vocabularyOf } from '../config/read-properties.ts';
import type { Token } from '../config/scanner.ts';
import { wordsOf } from '../config/sentence.ts';
import { SHARED_PROPERTIES } from '../config/shared-properties.ts';
import { isList, isRecords, isTable } from '../config/value.ts';
import type { Properties, Value } from '../config/value.ts';
import { offerObjects, offerTableKeys } from './complete-names.ts';
import { DELIMITERS } from './completion.ts';
import type { OfferCollector } from './completion.ts';
import type { WordCursor } from './word-cursor.ts';

export type PropertyScene = {
  readonly cursor: WordCursor;
  readonly into: OfferCollector;
  readonly configuration: Configuration;
  readonly folder: string;
};

export type PropertyPlace = {
  /** A brace is open, or may be opened, or neither: the properties end with the command. */
  readonly brace: 'open' | 'optional' | 'none';
  /** What is set already, for what can be deleted and modified. */
  readonly own: Properties | undefined;
  /** Properties must be there at the end: the object is new. */
  readonly isNew: boolean;
  /** Braces with nothing in them are refused. */
  readonly isNeverEmpty?: boolean;
};

const VERB_HELP: Readonly<Record<string, string>> = {
  add: 'Adds to those that are there.',
  delete: 'Takes away from those that are there; { all } takes every one.',
  modify: 'Changes some that are there.',
  'replace-all-with': 'Replaces all that are there.',
  none: 'Leaves none.',
  default: 'Back to the default.',
};

/** The kind of properties that name a file. */
const FILE = 'path';

const UNSET_HELP: Readonly<Record<string, string>> = { none: 'No value.', default: 'Back to the default.' };

export function completeProperties(scene: PropertyScene, map: PropertyMap, place: PropertyPlace): boolean {
  const { cursor, into } = scene;
  const vocabulary = vocabularyOf(map);
  const given = new Set<string>();
  for (;;) {
    const token = cursor.next();
    if (token === undefined) {
      if (cursor.isQuoted) return false;
      for (const [word, { name, property }] of vocabulary) {
        const isRequired = property.required === true && place.isNew;
        into.add('Properties', word, helpOf(property), given.has(name) ? 'given' : isRequired ? 'required' : undefined);
      }
      if (place.brace === 'optional' && given.size === 0) into.add(DELIMITERS, '{', 'Starts the properties.');
      const isEnd = place.brace === 'open' && !(place.isNeverEmpty === true && given.size === 0);
      if (isEnd) into.add(DELIMITERS, '}', 'Ends the properties.');
      return false;
    }
    if (token.kind === 'close' && place.brace === 'open') return true;
    const found = token.kind === 'word' ? vocabulary.get(token.text) : undefined;
    if (found === undefined && SHARED_PROPERTIES.includes(token.text)) {
      if (!completeShared(scene)) return false;
      given.add(token.text);
      continue;
    }
    if (found === undefined) return refuse(scene, token.text);
    given.add(found.name);
    if (found.flag === undefined && !completeValue(scene, found.name, found.property, place)) return false;
  }
}

/** The value of a property that is kept without effect: a word, or a block that nothing is known of. */
function completeShared({ cursor, into }: PropertyScene): boolean {
  for (let depth = 0; ;) {
    const token = cursor.next();
    if (token === undefined) {
      into.addValue('a name, or none', 'Kept, but without effect here.');
      return false;
    }
    if (token.kind === 'open') depth++;
    else if (token.kind === 'close') depth--;
    const isVerb = token.kind === 'word' && cursor.peek()?.kind === 'open';
    if (depth <= 0 && !isVerb) return true;
  }
}

/** What the property means, and what is special about it. */
export function helpOf({ help, extension, inert }: Property): string {
  const notes = [extension === true ? 'not on a BIG-IP' : '', inert === true ? 'without effect here' : ''];
  const text = notes.filter((note) => note !== '').join('; ');
  return text === '' ? help : `${help} (${text})`;
}

function completeValue(scene: PropertyScene, name: string, property: Property, place: PropertyPlace): boolean {
  const { kind } = property;
  const before = place.own?.[name];
  if (kind.shape === 'scalar') return completeScalar(scene, kind, property);
  if (kind.shape === 'list') return completeList(scene, name, property, kind, before);
  return kind.shape === 'flag' || completeRecords(scene, name, property, kind, before);
}

function completeScalar(scene: PropertyScene, kind: ScalarKind, property: Property): boolean {
  const token = scene.cursor.next();
  if (token === undefined) {
    offerScalar(scene, kind, property);
    if (!scene.cursor.isQuoted) {
      for (const word of unsetWords(kind, property)) scene.into.add('Values', word, UNSET_HELP[word] ?? '');
    }
    return false;
  }
  if (token.kind !== 'word') return refuse(scene, token.text);
  if (!token.isQuoted && unsetWords(kind, property).includes(token.text)) return true;
  const whole = takeWhole(scene, kind, token, property);
  return whole !== undefined && accepts(scene, kind, whole.text);
}

/** A word with those that belong to it by its kind; undefined where the cursor stands among them: what goes on is offered. */
export function takeWhole(scene: PropertyScene, kind: ScalarKind, first: Token, property: Property): Token | undefined {
  if (kind.wordBehind === undefined) return first;
  const { cursor } = scene;
  const whole = takeSentence(cursor, first, kind);
  const words = wordsOf(whole.text) ?? [];
  const next = cursor.peek() === undefined ? kind.wordBehind(words) : undefined;
  if (next === undefined) return whole;
  if (acceptsWords(scene, kind.wordBehind, words)) offerScalar(scene, next, property);
  return undefined;
}

/** Whether each of the words may stand at its place. */
function acceptsWords(scene: PropertyScene, wordBehind: WordBehind, words: readonly string[]): boolean {
  return words.every((word, index) => accepts(scene, wordBehind(words.slice(0, index))!, word));
}

function accepts(scene: PropertyScene, kind: ScalarKind, word: string): boolean {
  const reading = kind.read(word, scene.folder);
  return 'value' in reading || refuse(scene, word, `it ${reading.problem}`);
}

/** Words, objects, or what may be written where there is neither. */
export function offerScalar(
  scene: PropertyScene,
  given: ScalarKind,
  property: Property,
  isOffered?: (name: string) => boolean,
): void {
  const kind = given.wordBehind?.([]) ?? given;
  const { into, configuration, folder, cursor } = scene;
  const words = kind.words ?? [];
  if (!cursor.isQuoted) {
    for (const word of words) into.add('Values', word, wordHelp(property, word));
    if (kind.refersTo !== undefined) offerObjects(into, configuration, kind.refersTo, folder, isOffered);
  }
  if (kind.name === FILE) into.addFile(kind.expects, helpOf(property));
  else if (!isEnumeration(kind)) into.addValue(kind.expects, helpOf(property));
}

/** Whether the words are all that may be written. */
function isEnumeration(kind: ScalarKind): boolean {
  return kind.words !== undefined && ['enumeration', 'boolean'].includes(kind.name);
}

function wordHelp({ default: standard, kind }: Property, word: string): string {
  if (kind.shape !== 'scalar' || standard === undefined || typeof standard === 'function') return '';
  if (typeof standard === 'object') return '';
  return kind.print(standard, undefined) === word ? 'The default.' : '';
}

function completeList(
  scene: PropertyScene,
  name: string,
  property: Property,
  kind: ListKind,
  before: Value | undefined,
): boolean {
  const { cursor, into } = scene;
  const first = cursor.peek();
  if (first === undefined && !cursor.isQuoted) {
    for (const word of kind.wholes ?? []) into.add('Values', word, 'Stands for the whole list.');
  }
  if (first?.kind === 'word' && kind.wholes?.includes(first.text) === true) return cursor.next() !== undefined;
  if (kind.isLines === true && startsLine(cursor, kind)) return completeLine(scene, property, kind);
  if (kind.isLines === true && first === undefined) offerScalar(scene, kind.item, property);
  const verb = completeVerb(scene, name, property, kind);
  if (verb === undefined) return false;
  if (verb === 'none' || verb === 'default') return true;
  const items = before !== undefined && isList(before) ? before : [];
  const seen = new Set<string>();
  for (;;) {
    const token = cursor.next();
    if (token === undefined) {
      if (!cursor.isQuoted && verb === 'delete') {
        into.addNames(titleOf(name), written(scene, kind.item, items, seen), () => '');
        if (seen.size === 0) into.add('Values', 'all', 'Every one.');
      } else {
        const isNew = (item: string) => !seen.has(item) && (verb !== 'add' || !items.includes(item));
        offerScalar(scene, kind.item, property, isNew);
      }
      if (!cursor.isQuoted) into.add(DELIMITERS, '}', 'Ends the list.');
      return false;
    }
    if (token.kind === 'close') return true;
    if (token.kind === 'open') return refuse(scene, token.text);
    const whole = isAll(verb, token) ? token : takeWhole(scene, kind.item, token, property);
    if (whole === undefined || !takeItem(scene, kind.item, whole.text, verb, seen)) return false;
  }
}

/** An item without braces. */
function completeLine(scene: PropertyScene, property: Property, kind: ListKind): boolean {
  const { cursor, into } = scene;
  const first = cursor.next()!;
  const second = cursor.peek();
  if (second === undefined && !cursor.isQuoted) into.add('Values', 'none', 'Takes it away.');
  if (second?.kind === 'word' && !second.isQuoted && second.text === 'none') return cursor.next() !== undefined;
  const whole = takeWhole(scene, kind.item, first, property);
  return whole !== undefined && accepts(scene, kind.item, whole.text);
}

/** Whether a word takes every item away. */
function isAll(verb: string, { text }: Token): boolean {
  return verb === 'delete' && text === 'all';
}

/** Notes an item or a key by its canonical text; false where it cannot be read. */
function takeItem(
  scene: PropertyScene,
  kind: ScalarKind<string>,
  word: string,
  verb: string,
  seen: Set<string>,
): boolean {
  if (verb === 'delete' && word === 'all') seen.add(word);
  else if (!accepts(scene, kind, word)) return false;
  const reading = kind.read(word, scene.folder);
  if ('value' in reading) seen.add(reading.value);
  return true;
}

function* written(
  { folder, into }: PropertyScene,
  kind: ScalarKind<string>,
  items: Iterable<string>,
  seen: ReadonlySet<string>,
): Generator<string> {
  const leave = into.prefix.startsWith('/') ? undefined : folder;
  for (const item of items) if (!seen.has(item)) yield kind.print(item, leave);
}

/** The verb before a block, with its brace taken; undefined where the text ends before the block. */
function completeVerb(
  scene: PropertyScene,
  name: string,
  property: Property,
  kind: ListKind | RecordsKind,
): string | undefined {
  const { cursor, into } = scene;
  const verbs = blockVerbs(kind, 'command');
  const token = cursor.next();
  if (token === undefined) {
    if (cursor.isQuoted) return undefined;
    const wholes = kind.shape === 'list' ? (kind.wholes ?? []) : [];
    for (const verb of verbs) if (!wholes.includes(verb)) into.add('Verbs', verb, VERB_HELP[verb] ?? '');
    into.add(DELIMITERS, '{', `Starts all ${name}: as replace-all-with.`);
    return undefined;
  }
  if (token.kind === 'open') return 'replace-all-with';
  if (token.kind !== 'word' || token.isQuoted || !verbs.includes(token.text)) {
    refuse(scene, token.text);
    return undefined;
  }
  if (token.text === 'none' || token.text === 'default') return token.text;
  const open = cursor.next();
  if (open?.kind === 'open') return token.text;
  if (open !== undefined) refuse(scene, open.text);
  else if (!cursor.isQuoted) into.add(DELIMITERS, '{', helpOf(property));
  return undefined;
}

function completeRecords(
  scene: PropertyScene,
  name: string,
  property: Property,
  kind: RecordsKind,
  before: Value | undefined,
): boolean {
  const { cursor, into } = scene;
  const verb = completeVerb(scene, name, property, kind);
  if (verb === undefined) return false;
  if (verb === 'none' || verb === 'default') return true;
  const seen = new Set<string>();
  let isBehindKey = false;
  for (;;) {
    const token = cursor.next();
    if (token === undefined) {
      if (verb === 'add' || verb === 'replace-all-with') {
        const isNew = (key: string) => !seen.has(key) && (verb !== 'add' || recordOf(before, key) === undefined);
        offerScalar(scene, kind.key, property, isNew);
      } else if (!cursor.isQuoted) {
        offerKeys(scene, name, kind, before, seen);
        if (verb === 'delete' && seen.size === 0) into.add('Values', 'all', 'Every one.');
      }
      if (!cursor.isQuoted) offerBraces(into, isBehindKey && verb !== 'delete');
      return false;
    }
    if (token.kind === 'close') return true;
    if (token.kind === 'open') return refuse(scene, token.text);
    const whole = isAll(verb, token) ? token : takeWhole(scene, kind.key, token, property);
    if (whole === undefined || !takeItem(scene, kind.key, whole.text, verb, seen)) return false;
    isBehindKey = true;
    if (verb === 'delete' || cursor.peek()?.kind !== 'open') continue;
    cursor.next();
    isBehindKey = false;
    const reading = kind.key.read(whole.text, scene.folder);
    const own = verb === 'modify' && 'value' in reading ? recordOf(before, reading.value) : undefined;
    const place = { brace: 'open', own, isNew: verb !== 'modify' } as const;
    if (!completeProperties(scene, kind.properties, place)) return false;
  }
}

function offerBraces(into: OfferCollector, opens: boolean): void {
  if (opens) into.add(DELIMITERS, '{', 'Starts its properties.');
  into.add(DELIMITERS, '}', 'Ends the list.');
}

function offerKeys(
  scene: PropertyScene,
  name: string,
  kind: RecordsKind,
  before: Value | undefined,
  seen: ReadonlySet<string>,
): void {
  if (isTable(before)) offerTableKeys(scene.into, titleOf(name), before);
  else if (before !== undefined && isRecords(before)) {
    scene.into.addNames(titleOf(name), written(scene, kind.key, Object.keys(before), seen), () => '');
  }
}

function recordOf(before: Value | undefined, key: string): Properties | undefined {
  if (isTable(before)) return before.get(key);
  return before !== undefined && isRecords(before) && Object.hasOwn(before, key) ? before[key] : undefined;
}

/** `Interfaces` of `interfaces`. */
function titleOf(name: string): string {
  return `${name[0]!.toUpperCase()}${name.slice(1)}`;
}

function refuse({ into }: PropertyScene, word: string, why?: string): false {
  into.refuse(`unexpected argument "${word}"${why === undefined ? '' : `: ${why}`}`);
  return false;
}
