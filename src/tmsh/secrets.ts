// Secrets in commands: where they stand, so that no history, log or message holds them.

import type { AnyObjectType } from '../config/object-type.ts';
import { OBJECT_TYPES } from '../config/object-types.ts';
import type { PropertyMap } from '../config/property.ts';
import { vocabularyOf } from '../config/read-properties.ts';
import { Scanner } from '../config/scanner.ts';
import type { Token } from '../config/scanner.ts';
import { SEALED } from '../config/secret-box.ts';
import { ConfigSyntaxError } from '../core/errors.ts';

/** Stands where a secret stood. */
export const MASK = '********';

/** Words that may stand between a property and its value. */
const OPERATIONS = new Set(['add', 'delete', 'modify', 'replace-all-with']);

/** Whether a word of the command is a property whose value is secret in some type. */
export function mentionsSecret(command: string, types: readonly AnyObjectType[] = OBJECT_TYPES): boolean {
  const words = new Set(command.split(/[\s{}"]+/));
  return types.some((type) => hasSecret(type.properties, words));
}

function hasSecret(map: PropertyMap, words: ReadonlySet<string>): boolean {
  return Object.entries(map).some(
    ([name, { secret, kind }]) =>
      (secret === true && words.has(name)) || (kind.shape === 'records' && hasSecret(kind.properties, words)),
  );
}

/** Properties whose values are secret, in records too: each with those that may stand behind it. */
export type SecretNames = ReadonlyMap<string, ReadonlySet<string>>;

let known: SecretNames | undefined;

export function secretNames(): SecretNames {
  if (known !== undefined) return known;
  const names = new Map<string, Set<string>>();
  const collect = (properties: PropertyMap): void => {
    for (const [name, { secret, kind }] of Object.entries(properties)) {
      if (secret === true) {
        const neighbours = names.get(name) ?? new Set<string>();
        for (const other of vocabularyOf(properties).keys()) neighbours.add(other);
        names.set(name, neighbours);
      }
      if (kind.shape === 'records') collect(kind.properties);
    }
  };
  for (const type of OBJECT_TYPES) collect(type.properties);
  return (known = names);
}

/** Where a secret stands in a text, and its words. */
export type Hidden = { start: number; end: number; words: string[] };

/** What stands behind the name of a secret, wherever the name stands, also in a command that cannot be read. */
export function findSecrets(command: string, secrets: SecretNames = secretNames()): Hidden[] {
  const found: Hidden[] = [];
  if (secrets.size === 0) return found;
  const scanner = new Scanner(command);
  let read = 0;
  try {
    const next = (): Token | undefined => {
      const token = scanner.next();
      read = token?.end ?? command.length;
      return token;
    };
    for (let token = next(); token !== undefined; token = next()) {
      const neighbours = secrets.get(token.text);
      if (neighbours === undefined) continue;
      let value = next();
      while (value !== undefined && OPERATIONS.has(value.text)) value = next();
      // Two names in a row: the first may be a value of something else.
      if (value === undefined) break;
      hide(value, next, found);
      if (value.kind !== 'word') continue;
      // Who leaves out the quotes of several words has typed a secret all the same.
      for (let more = scanner.peek(); more?.kind === 'word'; more = scanner.peek()) {
        if (!more.isQuoted && neighbours.has(more.text)) break;
        const last = found.at(-1)!;
        last.end = next()!.end;
        if (isWord(more.text)) last.words.push(more.text);
      }
    }
  } catch (error) {
    if (!(error instanceof ConfigSyntaxError)) throw error;
    // What cannot be read may be the secret itself: a quote that is never closed.
    found.push({
      start: read,
      end: command.length,
      words: command
        .slice(read)
        .split(/[\s"{}]+/)
        .filter(isWord),
    });
  }
  return found;
}

/** Adds the value, or all of a block in braces; what was added stays when the rest cannot be read. */
function hide(first: Token, next: () => Token | undefined, found: Hidden[]): void {
  const hidden: Hidden = { start: first.start, end: first.end, words: isWord(first.text) ? [first.text] : [] };
  found.push(hidden);
  for (let depth = first.kind === 'open' ? 1 : 0; depth > 0;) {
    const token = next();
    if (token === undefined) return;
    if (token.kind === 'open') depth++;
    else if (token.kind === 'close') depth--;
    else if (isWord(token.text)) hidden.words.push(token.text);
    hidden.end = token.end;
  }
}

const isWord = (text: string): boolean => text !== '' && text !== '{' && text !== '}';

/** A message without the words of secrets. */
export function withoutWords(text: string, hidden: readonly Hidden[]): string {
  const words = hidden.flatMap(({ words: inside }) => inside).sort((a, b) => b.length - a.length);
  let said = text;
  for (const word of words) said = said.replaceAll(word, MASK);
  return said;
}

/** The command as others may read it. */
export function masked(command: string, hidden: readonly Hidden[] = findSecrets(command)): string {
  let text = '';
  let at = 0;
  for (const { start, end } of hidden) {
    text += `${command.slice(at, start)}${MASK}`;
    at = end;
  }
  return text + command.slice(at);
}

/** The command with stars for each character of a secret: what stands behind it stays where it is. Sealed texts stay. */
export function starred(command: string, hidden: readonly Hidden[]): string {
  let text = '';
  let at = 0;
  for (const { start, end } of hidden) {
    const secret = command.slice(start, end);
    text += command.slice(at, start) + (secret.startsWith(SEALED) ? secret : secret.replace(/[^\n]/g, '*'));
    at = end;
  }
  return text + command.slice(at);
}
