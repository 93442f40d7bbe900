// Where one command ends and the next begins: at a line's end outside braces and quotes.

import { Scanner } from '../config/scanner.ts';
import { ConfigSyntaxError } from '../core/errors.ts';

/** Whether the text can be run, or goes on: a brace or quote is open, or the last line ends with a backslash. */
export function isComplete(text: string): boolean {
  if (/(?:^|[^\\])(?:\\\\)*\\\r?\n?$/.test(text)) return false;
  const scanner = new Scanner(text);
  let depth = 0;
  try {
    for (let token = scanner.next(); token !== undefined; token = scanner.next()) {
      if (token.kind === 'open') depth++;
      else if (token.kind === 'close') depth--;
    }
  } catch (error) {
    if (error instanceof ConfigSyntaxError) return false;
    throw error;
  }
  return depth <= 0;
}

/** Collects lines into commands. */
export class CommandSplitter {
  #pending = '';

  get isWithin(): boolean {
    return this.#pending !== '';
  }

  /** The lines of a command that goes on; empty where none does. */
  get pending(): string {
    return this.#pending;
  }

  /** The command that the line completes; undefined when it goes on or when there is nothing to run. */
  push(line: string): string | undefined {
    const text = this.#pending === '' ? line : `${this.#pending}\n${line}`;
    if (!isComplete(text)) {
      this.#pending = text;
      return undefined;
    }
    this.#pending = '';
    return text.trim() === '' || /^\s*#[^\n]*$/.test(text) ? undefined : text;
  }

  /** What is left at the end of the input, for an error that points into it. */
  end(): string | undefined {
    const rest = this.#pending;
    this.#pending = '';
    return rest === '' ? undefined : rest;
  }
}
