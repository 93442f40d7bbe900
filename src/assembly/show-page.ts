// A page of objects in the reply to a `show`.

import type { ShowReply, ShowRow } from '../ipc/schema.ts';

/** Objects in one reply: with the longest names they stay below a message's limit. */
export const PAGE_OBJECTS = 250;

export function pageOf<T>(
  objects: readonly T[],
  cursor: string | undefined,
  render: (page: readonly T[], isLast: boolean) => ShowRow[],
): ShowReply {
  const from = Number(cursor ?? 0);
  const end = from + PAGE_OBJECTS;
  const isLast = end >= objects.length;
  const rows = render(objects.slice(from, end), isLast);
  return isLast ? { rows } : { rows, next: String(end) };
}

export type Cell = string | number;

/** Rows of a table in one reply: with the longest names they stay below a message's limit. */
const PAGE_ROWS = 1000;

/** A page of a table that is no object. */
export function tablePage(
  name: string,
  columns: readonly string[],
  rows: readonly Cell[][],
  cursor: string | undefined,
): ShowReply {
  const from = Number(cursor ?? 0);
  const end = from + PAGE_ROWS;
  const page = { rows: [{ name, table: { columns: [...columns], rows: rows.slice(from, end) } }] };
  return end < rows.length ? { ...page, next: String(end) } : page;
}
