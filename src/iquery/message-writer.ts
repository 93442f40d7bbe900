// A message of the mesh as XML text: one element, one child element for each field (docs/iquery.md).

import { type Field, isPlainText } from './message-field.ts';
import { fieldsOf, type Message } from './messages.ts';
import { LISTED_CHARACTERS, ROOT } from './wire-limits.ts';

/** What each direction begins with. */
export const DOCUMENT_START = `<${ROOT}>\n`;

/** Only for transcripts and tests: a connection ends without it. */
export const DOCUMENT_END = `</${ROOT}>\n`;

/**
 * The element, and a line feed. Each text is cut to what its field holds, each number made a whole one that is not negative, so that
 * whoever reads it takes it; what XML cannot say (control characters, half surrogate pairs) becomes U+FFFD.
 */
export function writeMessage(message: Message): string {
  const name = message.message;
  const values = message as unknown as Readonly<Record<string, unknown>>;
  let text = `<${name}>`;
  for (const { open, close, field, isText, key } of writersOf(name)) {
    const value = values[key];
    if (value === undefined) continue;
    if (field.shape === 'list') {
      for (const item of (value as readonly string[]).slice(0, field.most))
        text += open + escapeText(item, LISTED_CHARACTERS) + close;
    } else if (isText) text += open + escapeText(value as string, field.most) + close;
    else text += open + plainText(value as number | boolean | string) + close;
  }
  return `${text}</${name}>\n`;
}

type FieldWriter = {
  readonly key: string;
  readonly field: Field;
  readonly isText: boolean;
  readonly open: string;
  readonly close: string;
};

const writers = new Map<string, readonly FieldWriter[]>();

function writersOf(name: string): readonly FieldWriter[] {
  let found = writers.get(name);
  if (found === undefined) {
    const fields = fieldsOf(name) ?? {};
    const isPlain = isPlainText(fields);
    found = Object.entries(fields).map(([key, field]) => ({
      ...{ key, field, isText: field.shape === 'text' },
      open: isPlain ? '' : `<${key}>`,
      close: isPlain ? '' : `</${key}>`,
    }));
    writers.set(name, found);
  }
  return found;
}

function plainText(value: number | boolean | string): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'number' ? wholeNumber(value) : value;
}

function wholeNumber(value: number): string {
  if (Number.isSafeInteger(value) && value >= 0) return String(value);
  // Not a number is 0.
  return String(Math.min(Math.max(Math.round(value) || 0, 0), Number.MAX_SAFE_INTEGER));
}

/** Anything that cannot stand as it is. */
const SPECIAL = /[&<>\r\p{Cs}\p{Cc}\ufffe\uffff]/u;
const SPECIALS = new RegExp(SPECIAL, 'gu');

function escapeText(value: string, most: number): string {
  const text = value.length > most ? cut(value, most) : value;
  return SPECIAL.test(text) ? text.replace(SPECIALS, escapeCharacter) : text;
}

/** Not between the halves of a character. */
function cut(text: string, most: number): string {
  const last = text.charCodeAt(most - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? most - 1 : most);
}

function escapeCharacter(character: string): string {
  switch (character) {
    case '&':
      return '&amp;';
    case '<':
      return '&lt;';
    case '>':
      return '&gt;';
    case '\t':
    case '\n':
      return character;
    // As it is it would be read as a line feed.
    case '\r':
      return '&#13;';
    default:
      // C1 controls can be said, C0 controls cannot.
      return character >= '\u007f' && character <= '\u009f' ? `&#${character.charCodeAt(0)};` : '\ufffd';
  }
}
