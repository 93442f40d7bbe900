// Several commands on one line: `cd /test; list net vlan`.

import { Scanner } from '../config/scanner.ts';
import { ConfigSyntaxError } from '../core/errors.ts';

/**
 * The commands between semicolons that start or end a word outside quotes and braces. What stands before a command is blank, so that
 * places in it are places in the line.
 */
export function commandsOf(line: string): string[] {
  if (!line.includes(';')) return [line];
  const commands: string[] = [];
  const scanner = new Scanner(line);
  let depth = 0;
  let start = 0;
  const take = (end: number): void => {
    if (line.slice(start, end).trim() === '') return;
    commands.push(line.slice(0, start).replace(/[^\s]/g, ' ') + line.slice(start, end));
  };
  try {
    for (let token = scanner.next(); token !== undefined; token = scanner.next()) {
      if (token.kind === 'open') depth++;
      else if (token.kind === 'close') depth--;
      else if (depth === 0 && !token.isQuoted) {
        if (line[token.start] === ';') {
          take(token.start);
          start = token.start + 1;
        }
        if (line[token.end - 1] === ';' && line[token.end - 2] !== '\\' && token.end > start) {
          take(token.end - 1);
          start = token.end;
        }
      }
    }
  } catch (error) {
    if (!(error instanceof ConfigSyntaxError)) throw error;
  }
  take(line.length);
  return commands;
}
