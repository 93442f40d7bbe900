// The format of configuration text, and what leads from older ones to it.
//
// A saved file says its format in its second line, which is a comment to a BIG-IP. A text without that line, written by
// hand or by a BIG-IP, is taken for format 1: so a migration leaves alone what is in a newer format already.

import { ConfigError } from '../core/errors.ts';

/** Goes up with the first change after which older text needs a migration, and takes one into MIGRATIONS. */
export const CONFIG_FORMAT = 1;

export type Migration = {
  /** The format that it reads; it writes the one after it. */
  readonly from: number;
  /** What it changes: `net vlan: hw-mtu becomes mtu`. */
  readonly help: string;
  /** Leaves every line where it is: errors name lines. */
  migrate(text: string): string;
};

/** One for every format before the present one, in order. */
export const MIGRATIONS: readonly Migration[] = [];

export type Formats = { readonly current: number; readonly migrations: readonly Migration[] };

const FORMATS: Formats = { current: CONFIG_FORMAT, migrations: MIGRATIONS };

/** The first lines of a saved file. */
export function formatHeader(version: string): string {
  return `#TMSH-VERSION: ${version}\n#WIDEPLANE-FORMAT: ${CONFIG_FORMAT}\n\n`;
}

export type Migrated = {
  readonly text: string;
  /** The format that the text had. */
  readonly from: number;
  readonly applied: readonly Migration[];
};

/** The text in the present format. Throws a ConfigError for one that this version cannot know. */
export function migrateText(text: string, file?: string, { current, migrations }: Formats = FORMATS): Migrated {
  const { format, line, program } = readHead(text);
  const place = { position: { line, column: 1, ...(file === undefined ? {} : { file }) } };
  const what = file ?? 'the text';
  const from = format === undefined ? 1 : Number(format);
  if (!/^[1-9]\d{0,8}$/.test(format ?? '1')) {
    const hint = `A number from 1 to ${current} stands there, or the line is left out.`;
    throw new ConfigError('configuration', `${what} names no format: "${format}".`, { ...place, hint });
  }
  if (from > current) {
    const writer = program === undefined ? 'a later version' : `version ${program}`;
    const hint = `It was written by ${writer}: install that one, or load an older file (list sys config history).`;
    const reads = current === 1 ? 'format 1' : `formats 1 to ${current}`;
    const sentence = `${what} is in format ${from}, and this version reads ${reads}.`;
    throw new ConfigError('configuration', sentence, { ...place, hint });
  }
  const applied = migrations.filter((migration) => migration.from >= from);
  return { text: applied.reduce((before, migration) => migration.migrate(before), text), from, applied };
}

/** What the comments before the first object say. */
function readHead(text: string): { format: string | undefined; line: number; program: string | undefined } {
  const head: { format: string | undefined; line: number; program: string | undefined } = {
    format: undefined,
    line: 1,
    program: undefined,
  };
  let number = 0;
  for (let start = 0; start < text.length;) {
    const end = text.indexOf('\n', start);
    const line = text.slice(start, end < 0 ? undefined : end).trim();
    if (line !== '' && !line.startsWith('#')) break;
    number++;
    start = end < 0 ? text.length : end + 1;
    const [, key, value] = /^#(TMSH-VERSION|WIDEPLANE-FORMAT):\s*(.*)$/.exec(line) ?? [];
    if (key === 'TMSH-VERSION') head.program ??= value;
    if (key !== 'WIDEPLANE-FORMAT' || head.format !== undefined) continue;
    head.format = value;
    head.line = number;
  }
  return head;
}
