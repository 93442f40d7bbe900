// Prints a configuration as tmsh text: what `list` shows, `save` writes and `load` reads.

import { isBuiltIn, objectsOf } from './configuration.ts';
import type { Configuration, StoredObject } from './configuration.ts';
import { objectKey } from './change.ts';
import { defaultRouteDomainOf, printedValues } from './default-route-domain.ts';
import { formatHeader } from './format.ts';
import { textInDomain } from './in-domain.ts';
import { indent } from './indentation.ts';
import { COMMON, partitionOf, relativeName } from './name.ts';
import type { AnyConfigObject, AnyObjectType } from './object-type.ts';
import { OBJECT_TYPES, findObjectType } from './object-types.ts';
import type { Property, PropertyMap, RecordsKind, ScalarKind } from './property.ts';
import { COMMENT } from './read-properties.ts';
import type { Extra } from './read-properties.ts';
import type { RecordTable } from './record-table.ts';
import { quote } from './scanner.ts';
import { openSecret } from './secret-box.ts';
import { PARTITION } from './shared-properties.ts';
import { FIRST, placesOf } from './unknown.ts';
import type { UnknownObject } from './unknown.ts';
import { isList, isRecords, isTable, sameProperties } from './value.ts';
import type { Properties, Scalar, Value } from './value.ts';

export type PrintOptions = {
  /** Names in this folder are printed without it; absent: full paths. */
  readonly folder?: string;
  /** Where addresses are that are printed without one; absent: that of the object's partition. */
  readonly routeDomain?: number;
  /** Every property with its value, not only those that were set. */
  readonly allProperties?: boolean;
  /** These properties only, set or not. */
  readonly only?: readonly string[];
  /** The partition that the object is in, before them. */
  readonly withPartition?: boolean;
  readonly oneLine?: boolean;
  /** Leaves out what no BIG-IP knows, or can read: secrets that this machine has sealed. */
  readonly withoutExtensions?: boolean;
  /** Secrets in clear: for a machine that seals them by another key. */
  readonly withSecrets?: boolean;
};

/** The whole configuration behind a header that names the version. */
export function printConfiguration(configuration: Configuration, version: string, options: PrintOptions = {}): string {
  return [...printPieces(configuration, version, options)].join('');
}

/** The same object by object, for a file that is written while others are served. */
export function* printPieces(
  configuration: Configuration,
  version: string,
  options: PrintOptions = {},
): Generator<string, void> {
  yield formatHeader(version);
  const isPlain = Object.keys(options).length === 0;
  const written = OBJECT_TYPES.filter((type) => options.withoutExtensions !== true || type.extension !== true).flatMap(
    (type) => objectsOf(configuration, type).filter((object) => isWorthSaving(type, object)),
  );
  const keys = new Set(configuration.unknown.length === 0 ? [] : written.map(objectKey));
  const places = placesOf(configuration.unknown, (key) => keys.has(key));
  yield* printUnknown(places.get(FIRST));
  for (const object of written) {
    yield isPlain ? savedText(configuration, object) : printObject(configuration, object, options);
    if (places.size > 0) yield* printUnknown(places.get(objectKey(object)));
  }
  yield* printUnknown(places.get(undefined));
}

/** Unknown objects as they were written. */
export function* printUnknown(objects: readonly UnknownObject[] = []): Generator<string, void> {
  for (const { lead, text } of objects) yield `${lead === undefined ? '' : `${lead}\n`}${text}\n`;
}

/** The text of objects with tables, which is kept: printing a million records takes seconds, and most changes touch none. */
const savedTexts = new WeakMap<StoredObject, string>();

function savedText(configuration: Configuration, object: StoredObject): string {
  if (defaultRouteDomainOf(configuration.objects, object.name) !== 0) return printObject(configuration, object);
  const known = savedTexts.get(object);
  if (known !== undefined) return known;
  const text = printObject(configuration, object);
  if (Object.values(object.own).some(isTable)) savedTexts.set(object, text);
  return text;
}

/** Built-in objects as they are shipped, empty companions and the folders of partitions are there without being written. */
export function isWorthSaving(type: AnyObjectType, object: StoredObject): boolean {
  if (object.extras.length > 0 || object.lead !== undefined) return true;
  if (isBuiltIn(type, object.name)) return !sameProperties(object.own, type.builtIn?.[object.name] ?? {});
  const isImplied = type.companionOf !== undefined || isSecondTwin(type, object.name);
  return !isImplied || Object.keys(object.own).length > 0;
}

function isSecondTwin({ twin }: AnyObjectType, name: string): boolean {
  return twin?.isLeading === true && twin.nameOf(name) !== undefined;
}

/** One object, ending with a line feed. */
export function printObject(configuration: Configuration, object: StoredObject, given: PrintOptions = {}): string {
  const routeDomain = defaultRouteDomainOf(configuration.objects, object.name);
  const options = routeDomain === 0 ? given : { ...given, routeDomain };
  const type = findObjectType(object.type)!;
  const view = configuration.views.get(objectKey(object))!;
  const name = object.name === '' ? '' : ` ${printName(type, object.name, options.folder)}`;
  const body = printBody(type, object, view, options);
  const isWhole = options.oneLine !== true && options.only === undefined;
  const lead = isWhole && object.lead !== undefined ? `${object.lead}\n` : '';
  return `${lead}${joinBlock(`${type.path}${name}`, body, options.oneLine === true)}\n`;
}

/** A name as it is written in a folder. */
export function printName({ nameKind }: AnyObjectType, name: string, folder: string | undefined): string {
  if (nameKind === undefined) return quote(relativeName(name, folder));
  const text = nameKind.print(name, folder);
  return nameKind.wordBehind === undefined ? quote(text) : text;
}

/** Lines of a block, indented by the caller; in a one-line print they are joined by spaces. */
type Lines = string[];

function printBody(type: AnyObjectType, object: StoredObject, view: AnyConfigObject, options: PrintOptions): Lines {
  if (options.only !== undefined) {
    const chosen = Object.fromEntries(options.only.map((name) => [name, type.properties[name]!]));
    const partition = type.naming === 'full-path' ? partitionOf(object.name) : partitionOf(COMMON);
    const first = options.withPartition === true ? [`${PARTITION} ${partition}`] : [];
    return [...first, ...printProperties(chosen, view.properties, [], options, [], true)];
  }
  const isFull = options.allProperties === true;
  const values = isFull ? view.properties : printedValues(type, object, options.routeDomain ?? 0);
  return printProperties(type.properties, values, object.extras, options, [], isFull);
}

function printProperties(
  map: PropertyMap,
  values: Properties,
  extras: readonly Extra[],
  options: PrintOptions,
  path: readonly string[],
  isFull: boolean,
): Lines {
  const here = extrasAt(extras, path, options);
  const lines: Lines = here.filter((extra) => extra.after === undefined).map((extra) => extra.text);
  for (const [name, property] of Object.entries(map)) {
    const items = here.length === extras.length ? [] : extrasAt(extras, [...path, name], options);
    const value = items.length > 0 ? (values[name] ?? emptyValue(property)) : values[name];
    const isForeign = property.extension === true || property.secret === true;
    const isLeftOut = options.withoutExtensions === true && isForeign;
    if (value !== undefined && !isLeftOut) {
      lines.push(printValue(name, property, value, extras, options, [...path, name], isFull));
    } else if (isFull && !isLeftOut && property.kind.shape !== 'flag') {
      lines.push(`${name} none`);
    }
    for (const extra of here) if (extra.after === name) lines.push(extra.text);
  }
  return lines;
}

/** What is kept at a place; a line cannot go on behind a comment. */
function extrasAt(extras: readonly Extra[], path: readonly string[], { oneLine }: PrintOptions): readonly Extra[] {
  if (extras.length === 0) return extras;
  return extras.filter((extra) => samePath(extra.path, path) && (oneLine !== true || extra.name !== COMMENT));
}

function emptyValue({ kind }: Property): Value {
  return kind.shape === 'records' ? {} : [];
}

/** Items with those that are kept as they were written, each behind the one that it followed; `names` are those of `lines`. */
function withKept(names: readonly string[], lines: Lines, kept: readonly Extra[]): Lines {
  if (kept.length === 0) return lines;
  const known = new Set(names);
  const behind = (name: string | undefined) =>
    kept.filter(({ after }) => (after !== undefined && known.has(after) ? after : undefined) === name);
  const text = (extra: Extra) => extra.text;
  const rest = lines.flatMap((line, index) => [line, ...behind(names[index]).map(text)]);
  return [...behind(undefined).map(text), ...rest];
}

function printValue(
  name: string,
  property: Property,
  value: Value,
  extras: readonly Extra[],
  options: PrintOptions,
  path: readonly string[],
  isFull: boolean,
): string {
  const { kind } = property;
  const isOneLine = options.oneLine === true;
  if (kind.shape === 'flag') return value === true ? kind.whenTrue : kind.whenFalse;
  if (kind.shape === 'records' && isRecords(value)) {
    const printed = Object.entries(value).map(([key, record]) => {
      const lines = printProperties(kind.properties, record, extras, options, [...path, key], isFull);
      return joinBlock(printScalar(kind.key, key, options), lines, isOneLine);
    });
    const blocks = withKept(Object.keys(value), printed, extrasAt(extras, path, options));
    return blocks.length === 0 ? `${name} none` : joinBlock(name, blocks, isOneLine);
  }
  if (kind.shape === 'records' && isTable(value)) {
    const blocks = printTable(kind, value, extras, options, path, isFull);
    return blocks.length === 0 ? `${name} none` : joinBlock(name, blocks, isOneLine);
  }
  if (kind.shape === 'list' && isList(value)) {
    const kept = extrasAt(extras, path, options);
    if (value.length === 0 && kept.length === 0) return `${name} none`;
    const whole = value[0];
    if (value.length === 1 && whole !== undefined && kind.wholes?.includes(whole) === true && whole !== 'default')
      return `${name} ${whole}`;
    const items = value.map((item) => printScalar(kind.item as ScalarKind, item, options));
    if (kind.isLines === true) return items.map((item) => `${name} ${item}`).join(isOneLine ? ' ' : '\n');
    return joinBlock(name, withKept(value, items, kept), isOneLine);
  }
  return `${name} ${printScalar(kind as ScalarKind, value as Scalar, options)}`;
}

/** The records of a table: what many of them say is printed once, unless something unknown stands in one of them. */
function printTable(
  kind: RecordsKind,
  table: RecordTable<Properties>,
  extras: readonly Extra[],
  options: PrintOptions,
  path: readonly string[],
  isFull: boolean,
): Lines {
  const print = (record: Properties, of: readonly Extra[], at: readonly string[]): string =>
    joinBlock('', printProperties(kind.properties, record, of, options, at, isFull), options.oneLine === true);
  const bodies = table.contents.map((record) => print(record, [], path));
  const special = new Set(extras.map((extra) => extra.path[path.length]));
  const blocks: Lines = [];
  for (let row = 0; row < table.size; row++) {
    const mac = table.macAt(row);
    const body = special.has(mac) ? print(table.at(row), extras, [...path, mac]) : bodies[table.columns.content[row]!]!;
    blocks.push(mac + body);
  }
  return blocks;
}

function printScalar(kind: ScalarKind, value: Scalar, options: PrintOptions): string {
  const printed = textInDomain(kind.print(value, options.folder), kind, options.routeDomain);
  const text = options.withSecrets === true && kind.isSecret === true ? openedText(printed) : printed;
  // The bare word would take the value away (read-properties.ts).
  const isWordOfTheLanguage = text === 'none' && kind.words?.includes('none') !== true;
  if (kind.wordBehind !== undefined) return text;
  if (kind.isPhrase === true && !isWordOfTheLanguage) return text.split(' ').map(asInPhrase).join(' ');
  return isWordOfTheLanguage ? `"${text}"` : quote(text);
}

/** One that cannot be opened stays sealed: whoever reads it says why it cannot be had. */
function openedText(sealed: string): string {
  const opened = openSecret(sealed);
  return 'text' in opened ? opened.text : sealed;
}

function asInPhrase(word: string): string {
  return word === '{' || word === '}' ? word : quote(word);
}

function joinBlock(head: string, lines: Lines, isOneLine: boolean): string {
  if (lines.length === 0) return `${head} { }`;
  if (isOneLine) return `${head} { ${lines.join(' ')} }`;
  return `${head} {\n${lines.map(indent).join('\n')}\n}`;
}

function samePath(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((part, index) => part === b[index]);
}
