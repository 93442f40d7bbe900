// Renders the reply to a `show`, whatever it is about.
//
//     -----------------------
//     Net::Tunnel: vx1
//     -----------------------
//     Traffic          In   Out
//
// A row has labelled values, sections of them, drops by reason, and a table.

import { COMMON, relativeName } from '../config/name.ts';
import type { ShowReply, ShowRow } from '../ipc/schema.ts';

type Cell = string | number;
type Page = (cursor: string | undefined) => Promise<ShowReply>;

const MIN_RULE = 40;

/** All pages, a piece of text per row. Ends with a line that says so when there is nothing to show. */
export async function* renderPages(
  title: string,
  page: Page,
  folder = COMMON,
  whenEmpty = `${title}: no records\n`,
): AsyncGenerator<string, void> {
  let cursor: string | undefined;
  let last: { name: string; widths: number[] } | undefined;
  do {
    const reply = await page(cursor);
    for (const row of reply.rows) {
      // A table that is longer than a page goes on under the title that it has.
      const isContinued = last?.name === row.name && row.table !== undefined;
      const widths = row.table === undefined ? [] : columnWidths(row.table, isContinued ? last?.widths : undefined);
      yield isContinued
        ? tableLines(row.table!, widths, false).join('\n') + '\n'
        : renderRow(title, row, widths, folder);
      last = { name: row.name, widths };
    }
    cursor = reply.next;
  } while (cursor !== undefined);
  if (last === undefined && whenEmpty !== '') yield whenEmpty;
}

function renderRow(title: string, row: ShowRow, widths: number[], folder: string): string {
  const name = relativeName(row.name, folder);
  const heading = name === '' ? title : `${title}: ${name}`;
  const body: string[] = [...statLines(row.stats ?? {}, '')];
  for (const section of row.sections ?? []) body.push('', section.title, ...statLines(section.stats, '  '));
  const drops = Object.entries(row.drops ?? {}).filter(([, frames]) => frames > 0);
  if (row.drops !== undefined) {
    body.push('', 'Drops', ...(drops.length === 0 ? ['  none'] : statLines(Object.fromEntries(drops), '  ')));
  }
  if (row.table !== undefined) {
    if (body.length > 0) body.push('');
    if (row.table.title !== undefined) body.push(row.table.title);
    body.push(...tableLines(row.table, widths, true));
  }
  if (body[0] === '') body.shift();
  const rule = '-'.repeat(Math.max(MIN_RULE, heading.length, ...body.map((line) => line.length)));
  return `${[rule, heading, rule, ...body].join('\n')}\n\n`;
}

/** Labels to the left, values in a column of their own: numbers right-aligned, texts left-aligned. */
function statLines(stats: Readonly<Record<string, Cell>>, margin: string): string[] {
  const entries = Object.entries(stats);
  const label = Math.max(0, ...entries.map(([name]) => name.length));
  const number = Math.max(0, ...entries.map(([, value]) => (typeof value === 'number' ? String(value).length : 0)));
  return entries.map(([name, value]) => {
    const text = typeof value === 'number' ? String(value).padStart(number) : value;
    return `${margin}${name.padEnd(label)}  ${text}`.trimEnd();
  });
}

type Table = NonNullable<ShowRow['table']>;

function columnWidths(table: Table, least: readonly number[] = []): number[] {
  return table.columns.map((column, index) =>
    Math.max(least[index] ?? 0, column.length, ...table.rows.map((row) => String(row[index] ?? '').length)),
  );
}

function tableLines(table: Table, widths: readonly number[], hasHead: boolean): string[] {
  const isNumber = table.columns.map((_, index) => table.rows.some((row) => typeof row[index] === 'number'));
  const line = (cells: readonly Cell[]) =>
    cells
      .map((cell, index) => {
        const width = widths[index] ?? 0;
        return isNumber[index] === true ? String(cell).padStart(width) : String(cell).padEnd(width);
      })
      .join('  ')
      .trimEnd();
  const rows = table.rows.map(line);
  if (!hasHead) return rows;
  if (rows.length === 0) return [line(table.columns), 'none'];
  return [line(table.columns), ...rows];
}
