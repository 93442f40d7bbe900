// What the audit log keeps of a command: one line, without secrets, and short enough to be read.

import { OBJECT_TYPES } from '../../config/object-types.ts';
import type { PropertyMap } from '../../config/property.ts';
import { Scanner } from '../../config/scanner.ts';
import type { Token } from '../../config/scanner.ts';
import { ConfigSyntaxError } from '../../core/errors.ts';

/** Stands in the log where a secret stood in the command. */
const MASK = '********';

/** Of a pasted command of many thousand records, the log keeps the beginning. */
const MAX_CHARACTERS = 4096;

/** Words that may stand between a property and its value. */
const OPERATIONS = new Set(['add', 'delete', 'modify', 'replace-all-with']);

/** Names of all properties that are marked as secret, in records too. */
function secretNames(): Set<string> {
  const names = new Set<string>();
  const collect = (properties: PropertyMap): void => {
    for (const [name, { secret, kind }] of Object.entries(properties)) {
      if (secret === true) names.add(name);
      if (kind.shape === 'records') collect(kind.properties);
    }
  };
  for (const type of OBJECT_TYPES) collect(type.properties);
  return names;
}

let known: ReadonlySet<string> | undefined;

export type Audited = { readonly command: string; readonly result: string };

/**
 * The command and its result for the log. The value behind the name of a secret is masked wherever the name stands, also
 * in a command that was refused, and what was masked in the command is masked in the result.
 */
export function auditText(command: string, result: string, secrets?: ReadonlySet<string>): Audited {
  const hidden = findSecrets(command, secrets ?? (known ??= secretNames()));
  let masked = '';
  let at = 0;
  for (const { start, end } of hidden) {
    masked += `${command.slice(at, start)}${MASK}`;
    at = end;
  }
  masked += command.slice(at);
  let said = result.split('\n', 1)[0]!;
  const words = hidden.flatMap(({ words: inside }) => inside).sort((a, b) => b.length - a.length);
  for (const word of words) said = said.replaceAll(word, MASK);
  return { command: oneLine(masked), result: oneLine(said) };
}

type Hidden = { start: number; end: number; words: string[] };

function findSecrets(command: string, secrets: ReadonlySet<string>): Hidden[] {
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
      if (!secrets.has(token.text)) continue;
      let value = next();
      while (value !== undefined && OPERATIONS.has(value.text)) value = next();
      // Two names in a row: the first may be a value of something else.
      if (value === undefined) break;
      hide(value, next, found);
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

/** No line feeds and no control characters: nobody can write a line of their own into the log. */
function oneLine(text: string): string {
  const line = text
    .replace(/\s+/g, ' ')
    .trim()
    .replace(
      /[\u0000-\u001f\u007f-\u009f]/g,
      (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
    );
  if (line.length <= MAX_CHARACTERS) return line;
  return `${line.slice(0, MAX_CHARACTERS)} … (${line.length - MAX_CHARACTERS} more characters)`;
}
