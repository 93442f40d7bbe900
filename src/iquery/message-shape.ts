// The message table as the reader needs it: for each message its fields by name, and what to look for in each.

import { type Field, isPlainText } from './message-field.ts';
import { CONTROL_MESSAGES, fieldsOf, RECORD_MESSAGES, REPLY_MESSAGES, REQUEST_MESSAGES } from './messages.ts';
import { LISTED_CHARACTERS } from './wire-limits.ts';

export type FieldShape = {
  readonly name: string;
  readonly field: Field;
  /** Place among the message's fields. */
  readonly index: number;
  /** Of its text: characters, and octets of UTF-8 that so many characters may have. */
  readonly mostCharacters: number;
  readonly mostOctets: number;
};

export type MessageShape = {
  readonly name: string;
  readonly fields: readonly FieldShape[];
  readonly byName: ReadonlyMap<string, FieldShape>;
  /** The only field of a message that is its element's own text. */
  readonly plain: FieldShape | undefined;
};

/** Of a number, a flag, a choice: with white space around. */
const WORD_OCTETS = 64;

export const MESSAGE_NAMES: readonly string[] = [
  CONTROL_MESSAGES,
  RECORD_MESSAGES,
  REQUEST_MESSAGES,
  REPLY_MESSAGES,
].flatMap((messages) => Object.keys(messages));

export const SHAPES: ReadonlyMap<string, MessageShape> = new Map(MESSAGE_NAMES.map((name) => [name, shapeOf(name)]));

/** Of messages and of fields. */
export const KNOWN_NAMES: ReadonlySet<string> = new Set([
  ...MESSAGE_NAMES,
  ...[...SHAPES.values()].flatMap(({ byName }) => [...byName.keys()]),
]);

function shapeOf(name: string): MessageShape {
  const map = fieldsOf(name) ?? {};
  const fields = Object.entries(map).map(([field, value], index) => fieldShape(field, value, index));
  return {
    ...{ name, fields },
    byName: new Map(fields.map((field) => [field.name, field])),
    plain: isPlainText(map) ? fields[0] : undefined,
  };
}

function fieldShape(name: string, field: Field, index: number): FieldShape {
  const isWord = field.shape !== 'text' && field.shape !== 'list';
  const mostCharacters = field.shape === 'list' ? LISTED_CHARACTERS : isWord ? WORD_OCTETS : field.most;
  // Characters beyond U+FFFF count as two, and have four octets.
  return { name, field, index, mostCharacters, mostOctets: isWord ? WORD_OCTETS : mostCharacters * 3 };
}
