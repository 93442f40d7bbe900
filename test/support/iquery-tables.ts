// The tables of messages in docs/iquery.md, made from the table that the code uses.

import type { Field, FieldMap } from '../../src/iquery/message-field.ts';
import { CONTROL_MESSAGES, RECORD_MESSAGES, REPLY_MESSAGES, REQUEST_MESSAGES } from '../../src/iquery/messages.ts';

function shapeOf({ shape, most, choices }: Field): string {
  switch (shape) {
    case 'text':
      return `text, ${most} characters`;
    case 'choice':
      return choices.map((choice) => `\`${choice}\``).join(', ');
    case 'list':
      return `list, ${most} texts`;
    default:
      return shape;
  }
}

function rowsOf(message: string, fields: FieldMap, key: readonly string[]): string[] {
  return Object.entries(fields).map(([name, field], index) => {
    const notes = [field.isOptional ? 'optional' : '', key.includes(name) ? 'key' : ''].filter((note) => note !== '');
    return `| ${index === 0 ? `\`${message}\`` : ''} | \`${name}\` | ${shapeOf(field)} | ${notes.join(', ')} |`;
  });
}

const table = (rows: readonly string[]): string =>
  ['| Message | Field | Shape | |', '|---|---|---|---|', ...rows].join('\n');

const plainTable = (messages: Readonly<Record<string, FieldMap>>): string =>
  table(Object.entries(messages).flatMap(([name, fields]) => rowsOf(name, fields, [])));

/** By the heading under which each stands. */
export const IQUERY_TABLES: Readonly<Record<string, string>> = {
  'Of the connection': plainTable(CONTROL_MESSAGES),
  'Records, by channel': table(
    Object.entries(RECORD_MESSAGES).flatMap(([name, { key, fields }]) => rowsOf(name, fields, key)),
  ),
  Requests: plainTable(REQUEST_MESSAGES),
  Replies: plainTable(REPLY_MESSAGES),
};
