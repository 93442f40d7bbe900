// The tokens before the cursor of an unfinished command, and the word at it.

import { Scanner } from '../config/scanner.ts';
import type { Token } from '../config/scanner.ts';
import { ConfigSyntaxError } from '../core/errors.ts';

export class WordCursor {
  /** What is typed of the word at the cursor; empty where a new one starts. */
  readonly prefix: string;
  /** Characters of it, escapes included. */
  readonly prefixCharacters: number;
  /** Whether the cursor stands in quotes: there everything is text. */
  readonly isQuoted: boolean;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    const scanner = new Scanner(text);
    const tokens: Token[] = [];
    let end = 0;
    let isTorn = false;
    try {
      for (let token = scanner.next(); token !== undefined; token = scanner.next()) {
        tokens.push(token);
        end = token.end;
      }
    } catch (error) {
      if (!(error instanceof ConfigSyntaxError)) throw error;
      isTorn = true;
    }
    const last = tokens.at(-1);
    if (isTorn) {
      const rest = text.slice(end).trimStart();
      this.prefix = rest;
      this.prefixCharacters = rest.length;
      this.isQuoted = true;
    } else if (last?.kind === 'word' && last.end === text.length) {
      tokens.pop();
      this.prefix = last.text;
      this.prefixCharacters = last.end - last.start;
      this.isQuoted = last.isQuoted;
    } else {
      this.prefix = '';
      this.prefixCharacters = 0;
      this.isQuoted = false;
    }
    this.#tokens = tokens;
  }

  /** The next token before the cursor; undefined at it. */
  peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  next(): Token | undefined {
    const token = this.peek();
    if (token !== undefined) this.#at++;
    return token;
  }
}
