// Indentation of blocks, which leaves alone what stands inside quotes.

/** Puts four spaces before each line. */
export function indent(block: string): string {
  // Most blocks hold no quotes, and some are a million lines long.
  if (!block.includes('"')) return `    ${block.replaceAll('\n', '\n    ')}`;
  return `    ${mapLineStarts(block, (rest) => `    ${rest}`)}`;
}

/** Takes up to `columns` spaces away from each line but the first. */
export function dedent(block: string, columns: number): string {
  return mapLineStarts(block, (rest) => {
    let spaces = 0;
    while (spaces < columns && rest[spaces] === ' ') spaces++;
    return rest.slice(spaces);
  });
}

/** Applies `change` to every line but the first that does not start inside quotes. */
function mapLineStarts(block: string, change: (line: string) => string): string {
  let isQuoted = false;
  return block
    .split('\n')
    .map((line, index) => {
      const result = index === 0 || isQuoted ? line : change(line);
      isQuoted = endsQuoted(line, isQuoted);
      return result;
    })
    .join('\n');
}

/** Whether a line that starts in or outside quotes ends inside them; as in the scanner, a quote opens where a word does. */
function endsQuoted(line: string, startsQuoted: boolean): boolean {
  let isQuoted = startsQuoted;
  for (let at = 0; at < line.length; at++) {
    if (line[at] === '\\') at++;
    else if (line[at] === '"' && (isQuoted || at === 0 || /[\s{}"]/.test(line[at - 1]!))) isQuoted = !isQuoted;
  }
  return isQuoted;
}
