// The part of the configuration that a DNS synchronisation group shares, as one text that is the same on each of its members.
//
// Secrets stand in it in clear, because every machine seals them by a master key of its own: it goes from machine to machine inside TLS
// and is neither written to a disk nor logged (docs/decisions/sync-group.md).

import { objectKey } from './change.ts';
import { emptyConfiguration } from './configuration.ts';
import type { Configuration, StoredObject } from './configuration.ts';
import { defaultRouteDomainOf } from './default-route-domain.ts';
import { folderKey, folderOf, howToMake, ROOT } from './folders.ts';
import { loadText } from './load-text.ts';
import type { Loaded } from './load-text.ts';
import { OBJECT_TYPES, findObjectType } from './object-types.ts';
import { isWorthSaving, printObject } from './print.ts';
import type { PrintOptions } from './print.ts';
import { stanzasOf } from './replace-objects.ts';
import { ConfigError } from '../core/errors.ts';

const GROUP_TYPES = OBJECT_TYPES.filter(({ sync }) => sync === 'gtm');
const PATHS: ReadonlySet<string> = new Set(GROUP_TYPES.map(({ path }) => path));
const RANKS = new Map(GROUP_TYPES.map(({ path }, index) => [path, index]));

/** What only says who the members are, and how they are watched: a machine that has no more than that brings nothing to a group. */
const CONNECTING = /^gtm (?:server|datacenter|global-settings|monitor)\b/;

export const isOfGroup = ({ type }: { readonly type: string }): boolean => PATHS.has(type);

export type GroupPiece = { readonly key: string; readonly text: string };

/** Object by object, in an order that depends on nothing but their names. */
export function* groupPieces(configuration: Configuration): Generator<GroupPiece, void> {
  for (const object of groupObjects(configuration)) {
    yield { key: objectKey(object), text: textOf(configuration, object, CLEAR, clearTexts) };
  }
}

/** The same with secrets sealed by this machine: what may lie on its disk. */
export function* sealedGroupPieces(configuration: Configuration): Generator<string, void> {
  for (const object of groupObjects(configuration)) yield printObject(configuration, object);
}

/** Whether there is more than what connects members. */
export function hasGroupContent(configuration: Configuration): boolean {
  for (const object of configuration.objects.values()) {
    if (!isOfGroup(object) || CONNECTING.test(object.type)) continue;
    if (isWorthSaving(findObjectType(object.type)!, object)) return true;
  }
  return false;
}

function groupObjects({ objects }: Configuration): StoredObject[] {
  const found: StoredObject[] = [];
  for (const object of objects.values()) {
    if (isOfGroup(object) && isWorthSaving(findObjectType(object.type)!, object)) found.push(object);
  }
  // The order of names in `list` depends on the machine's idea of a language.
  return found.sort(
    (a, b) => RANKS.get(a.type)! - RANKS.get(b.type)! || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
}

/** Comments at the top of a file that name its version. */
const FILE_HEADER = /^(?:[ \t]*#[^\n]*\n)*[ \t]*#TMSH-VERSION:[^\n]*\n(?:[ \t]*#[^\n]*\n)*/;

const CLEAR: PrintOptions = { withSecrets: true };
const clearTexts = new WeakMap<StoredObject, string>();

/** Printing ten thousand objects takes a while, and most changes touch few. */
function textOf(
  configuration: Configuration,
  object: StoredObject,
  options: PrintOptions,
  known: WeakMap<StoredObject, string>,
): string {
  if (defaultRouteDomainOf(configuration.objects, object.name) !== 0)
    return printObject(configuration, object, options);
  let text = known.get(object);
  if (text === undefined) {
    text = printObject(configuration, object, options);
    known.set(object, text);
  }
  return text;
}

/**
 * The configuration with what the text says as the group's part of it, all of it and nothing else; the rest stays. Throws
 * ConfigErrors, a ConfigError or a ConfigSyntaxError.
 */
export function replaceGroup(given: string, before: Configuration, file: string): Loaded {
  const header = FILE_HEADER.exec(given)?.[0] ?? '';
  const { same, rest } = compared(given.slice(header.length), before);
  const objects = new Map(before.objects);
  // Without the views of what is as shipped again: they show what it was.
  const views = new Map(before.views);
  const { objects: shipped } = emptyConfiguration();
  for (const [key, object] of before.objects) {
    if (!isOfGroup(object) || same.has(key)) continue;
    const original = shipped.get(key);
    if (original === undefined) objects.delete(key);
    else if (!isAsShipped(object)) {
      objects.set(key, original);
      views.delete(key);
    }
  }
  const folders = missingFolders(rest, objects, file);
  const loaded = loadText(header + folders + rest, before, { file, mergeInto: { ...before, objects, views } });
  const unknown = loaded.unknown.find(({ kind }) => kind === 'object');
  if (unknown !== undefined) {
    throw new ConfigError('configuration', `The group has what this version does not know: ${unknown.text}.`, {
      hint: 'Bring this machine to the version of the others.',
    });
  }
  return loaded;
}

function isAsShipped(object: StoredObject): boolean {
  return !isWorthSaving(findObjectType(object.type)!, object);
}

/** The keys of the objects that the text has as they are, and the text of the others. */
function compared(text: string, before: Configuration): { same: Set<string>; rest: string } {
  const byLine = new Map<string, GroupPiece[]>();
  for (const piece of groupPieces(before)) {
    const line = firstLine(piece.text, 0);
    const others = byLine.get(line);
    if (others === undefined) byLine.set(line, [piece]);
    else others.push(piece);
  }
  const same = new Set<string>();
  const rest: string[] = [];
  for (let at = 0; at < text.length;) {
    const known = byLine.get(firstLine(text, at))?.find((piece) => text.startsWith(piece.text, at));
    if (known !== undefined) {
      same.add(known.key);
      at += known.text.length;
      continue;
    }
    const end = endOfObject(text, at);
    rest.push(text.slice(at, end));
    at = end;
  }
  return { same, rest: rest.join('') };
}

function firstLine(text: string, at: number): string {
  const end = text.indexOf('\n', at);
  return text.slice(at, end < 0 ? undefined : end);
}

/** Behind the object that begins there; where that cannot be found, the end: reading the rest says what is wrong. */
function endOfObject(text: string, at: number): number {
  let isQuoted = false;
  let depth = 0;
  let isComment = false;
  for (let index = at; index < text.length; index++) {
    const character = text[index];
    if (isComment) {
      if (character === '\n') isComment = false;
    } else if (character === '\\') index++;
    else if (character === '"') isQuoted = !isQuoted;
    else if (isQuoted) continue;
    else if (character === '#' && /(?:^|\n)[ \t]*$/.test(text.slice(Math.max(at, index - 80), index))) isComment = true;
    else if (character === '{') depth++;
    else if (character === '}' && --depth === 0 && text[index + 1] === '\n') return index + 2;
  }
  return text.length;
}

/** Partitions and folders are a machine's own; those that something of the group lies in are made. Throws a ConfigError for others. */
function missingFolders(text: string, objects: ReadonlyMap<string, StoredObject>, file: string): string {
  const made = new Set<string>();
  const look = (folder: string): void => {
    if (folder === ROOT || made.has(folder) || objects.has(folderKey(folder))) return;
    look(folderOf(folder));
    made.add(folder);
  };
  for (const { key, token, type } of stanzasOf(text, file)) {
    // What is not known is said when all has been read.
    if (type === undefined) continue;
    if (!isOfGroup({ type: type.path })) {
      throw new ConfigError('configuration', `${key} is not of what a DNS synchronisation group shares.`, {
        object: key,
        position: token.position,
        hint: "Take it out of the text: it is a machine's own.",
      });
    }
    if (type.naming === 'full-path') look(folderOf(key.slice(type.path.length + 1)));
  }
  return [...made].map((folder) => `${howToMake(folder).replace(/^create /, '')} { }\n`).join('');
}
