// The reply to a `show` as names and values in braces: `show … field-fmt`, for programs.
//
//     net tunnels tunnel vx1 {
//         mtu 1450
//         drops {
//             no-endpoint 3
//         }
//     }

import { indent } from '../config/indentation.ts';
import { relativeName } from '../config/name.ts';
import { quote } from '../config/scanner.ts';
import type { ShowReply, ShowRow } from '../ipc/schema.ts';

type Cell = string | number;

/** All pages, a piece of text per row; a table that goes on on another page is a block of the same name again. */
export async function* fieldPages(
  path: string,
  page: (cursor: string | undefined) => Promise<ShowReply>,
  folder: string,
): AsyncGenerator<string, void> {
  let cursor: string | undefined;
  do {
    const reply = await page(cursor);
    for (const row of reply.rows) {
      const name = row.name === '' ? '' : ` ${quote(relativeName(row.name, folder))}`;
      yield `${block(`${path}${name}`, fieldsOf(row))}\n`;
    }
    cursor = reply.next;
  } while (cursor !== undefined);
}

function fieldsOf({ stats = {}, sections = [], drops, table }: ShowRow): string[] {
  const fields = [...pairs(stats), ...sections.map((section) => block(fieldName(section.title), pairs(section.stats)))];
  if (drops !== undefined) fields.push(block('drops', pairs(drops)));
  if (table !== undefined) {
    const rows = table.rows.map(([first = '', ...cells]) =>
      block(
        quote(String(first)),
        cells.map((cell, index) => field(table.columns[index + 1] ?? '', cell)),
      ),
    );
    fields.push(block(fieldName(table.title ?? 'entries'), rows));
  }
  return fields;
}

function pairs(stats: Readonly<Record<string, Cell>>): string[] {
  return Object.entries(stats).map(([name, value]) => field(name, value));
}

function field(name: string, value: Cell): string {
  return `${fieldName(name)} ${quote(String(value))}`;
}

/** `Packets In` is packets-in. */
function fieldName(label: string): string {
  return (
    label
      .toLowerCase()
      .replace(/[^a-z0-9.:]+/g, '-')
      .replace(/^-|-$/g, '') || 'value'
  );
}

function block(head: string, lines: readonly string[]): string {
  return lines.length === 0 ? `${head} { }` : `${head} {\n${lines.map(indent).join('\n')}\n}`;
}
