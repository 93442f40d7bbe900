// The text of `show`: a titled block per object, labels and values aligned, drops by name, tables in columns.

import { DROP_HELP, DROP_NAMES, Drop, type DropKey } from '../core/drop-reason.ts';
import type { AnyObjectType } from '../config/object-type.ts';
import type { ShowRow } from '../ipc/schema.ts';

const INDENT = '  ';

/** The blocks of these rows, each with a title as the device prints it: `Net::Tunnel: vx1`. */
export function renderShow(type: AnyObjectType, rows: readonly ShowRow[]): string {
  if (rows.length === 0) return '';
  const module = type.path.split(' ')[0]!;
  const kind = `${module[0]!.toUpperCase()}${module.slice(1)}::${type.label}`;
  return `${rows.map((row) => renderBlock(`${kind}: ${shortName(row.name)}`, row)).join('\n\n')}\n`;
}

function renderBlock(title: string, row: ShowRow): string {
  const lines: string[] = [];
  if (row.stats !== undefined) lines.push(...renderPairs(Object.entries(row.stats)));
  for (const section of row.sections ?? []) {
    lines.push('', section.title, ...renderPairs(Object.entries(section.stats)).map((line) => INDENT + line));
  }
  if (row.drops !== undefined) lines.push(...renderDrops(row.drops));
  if (row.table !== undefined) {
    if (row.table.title !== undefined) lines.push('', row.table.title);
    lines.push(...renderTable(row.table.columns, row.table.rows));
  }
  const width = Math.min(100, Math.max(title.length, ...lines.map((line) => line.length)));
  const rule = '-'.repeat(width);
  return [rule, title, rule, ...lines].join('\n');
}

/** Labels to the left; numbers end in one column, text starts in another. */
function renderPairs(pairs: readonly (readonly [string, string | number])[]): string[] {
  const labelWidth = Math.max(0, ...pairs.map(([label]) => label.length));
  const numberWidth = Math.max(0, ...pairs.map(([, value]) => (typeof value === 'number' ? String(value).length : 0)));
  return pairs.map(([label, value]) => {
    const text = typeof value === 'number' ? String(value).padStart(numberWidth) : value;
    return `${label.padEnd(labelWidth)}${INDENT}${text}`;
  });
}

function renderDrops(drops: Record<string, number>): string[] {
  const entries = Object.entries(drops).sort(([, a], [, b]) => b - a);
  if (entries.length === 0) return ['Drops', `${INDENT}none`];
  const nameWidth = Math.max(...entries.map(([name]) => name.length));
  const countWidth = Math.max(...entries.map(([, count]) => String(count).length));
  const lines = entries.map(([name, count]) => {
    const help = HELP_BY_NAME.get(name);
    const text = `${INDENT}${name.padEnd(nameWidth)}${INDENT}${String(count).padStart(countWidth)}`;
    return help === undefined ? text : `${text}${INDENT}${help}`;
  });
  return ['Drops', ...lines];
}

const HELP_BY_NAME = new Map(
  (Object.keys(Drop) as DropKey[]).map((key) => [DROP_NAMES[Drop[key]]!, DROP_HELP[key]] as const),
);

function renderTable(columns: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  if (rows.length === 0) return ['no entries'];
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...rows.map((row) => String(row[index] ?? '').length)),
  );
  const isNumber = columns.map((_, index) => rows.every((row) => typeof row[index] === 'number' || row[index] === '-'));
  const line = (cells: readonly (string | number)[]): string =>
    cells
      .map((cell, index) =>
        isNumber[index] ? String(cell).padStart(widths[index]!) : String(cell).padEnd(widths[index]!),
      )
      .join(INDENT)
      .trimEnd();
  return [line(columns), ...rows.map(line)];
}

/** Names in /Common are shown without their path, as the device does. */
const shortName = (name: string): string => (/^\/Common\/[^/]+$/.test(name) ? name.slice('/Common/'.length) : name);
