// What completion found, as a person reads it: groups with a title, an offer a line with its help beside it.

import type { Completion, Offer } from '../../tmsh/completion.ts';

/** The group in which values stand, those to choose and those that cannot be listed. */
const VALUES = 'Values';

/** Columns that the words take at most before their help starts on the line below. */
const MOST_WORD_COLUMNS = 40;

/** Ends with a line's end; the empty string where there is nothing to say. */
export function renderCompletion({ groups, values, problem }: Completion, columns: number): string {
  const lines: string[] = [];
  if (problem !== undefined) lines.push(`Syntax Error: ${problem}`);
  const free = values.flatMap(({ expects, help }) => paragraph(`  [${expects}]  `, help, columns));
  const isListed = groups.some(({ title }) => title === VALUES);
  if (free.length > 0 && !isListed) lines.push(`${VALUES}:`, ...free);
  for (const { title, offers, more } of groups) {
    lines.push(`${title}:`, ...(title === VALUES ? free : []));
    if (offers.every(({ help, mark }) => help === '' && mark === undefined)) {
      lines.push(
        ...inColumns(
          offers.map(({ text }) => text),
          columns,
        ),
      );
    } else lines.push(...withHelp(offers, columns));
    if (more > 0) lines.push(`  and ${more} more: type more of the name`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

function withHelp(offers: readonly Offer[], columns: number): string[] {
  const width = Math.min(MOST_WORD_COLUMNS, Math.max(...offers.map(({ text }) => text.length)));
  return offers.flatMap(({ text, help, mark }) => {
    const notes = mark === undefined ? help : `[${mark}] ${help}`;
    return paragraph(`  ${text.padEnd(width)}  `, notes, columns);
  });
}

/** Text behind a lead, broken at words and indented below it. */
function paragraph(lead: string, text: string, columns: number): string[] {
  const room = Math.max(20, columns - lead.length - 1);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.map((each, index) => `${index === 0 ? lead : ' '.repeat(lead.length)}${each}`.trimEnd());
}

/** Names without help, side by side, down and then across. */
function inColumns(words: readonly string[], columns: number): string[] {
  const width = Math.max(...words.map((word) => word.length)) + 2;
  const across = Math.max(1, Math.floor((columns - 2) / width));
  const rows = Math.ceil(words.length / across);
  return Array.from({ length: rows }, (_, row) => {
    const line = words.filter((_word, index) => index % rows === row).map((word) => word.padEnd(width));
    return `  ${line.join('')}`.trimEnd();
  });
}
