// Words, braces and quotes of tmsh text, with the place of each.
//
// A word ends at white space or a brace. In double quotes it may hold anything; a backslash takes the next character as it
// is, in quotes and outside. A line whose first visible character is # is a comment.

import { ConfigSyntaxError } from '../core/errors.ts';
import type { TextPosition } from '../core/errors.ts';

export type Token = {
  readonly kind: 'word' | 'open' | 'close';
  /** The word, quotes and escapes resolved. */
  readonly text: string;
  readonly isQuoted: boolean;
  /** Offsets of the source, quotes included. */
  readonly start: number;
  readonly end: number;
  readonly position: TextPosition;
};

const SPACE = new Set([' ', '\t', '\r', '\n', '\f', '\v']);

export class Scanner {
  readonly text: string;
  readonly file: string | undefined;
  #at = 0;
  #line = 1;
  #lineStart = 0;
  #ahead: Token | undefined;

  constructor(text: string, file?: string) {
    this.text = text;
    this.file = file;
  }

  /** The next token without taking it; undefined at the end. Throws a ConfigSyntaxError for a quote without an end. */
  peek(): Token | undefined {
    this.#ahead ??= this.#scan();
    return this.#ahead;
  }

  next(): Token | undefined {
    const token = this.peek();
    this.#ahead = undefined;
    return token;
  }

  /** What a sticky expression matches from here on, as text and not as tokens; `skip` takes it. */
  match(expression: RegExp): RegExpExecArray | undefined {
    if (this.#ahead !== undefined) return undefined;
    expression.lastIndex = this.#at;
    return expression.exec(this.text) ?? undefined;
  }

  /** Goes on behind so many characters. */
  skip(characters: number): void {
    const end = this.#at + characters;
    for (let at = this.text.indexOf('\n', this.#at); at !== -1 && at < end; at = this.text.indexOf('\n', at + 1)) {
      this.#newLine(at + 1);
    }
    this.#at = end;
  }

  /** The place behind the last token: where something is missing. */
  endPosition(): TextPosition {
    const text = this.text.trimEnd();
    return this.#place(text.split('\n').length, text.length - text.lastIndexOf('\n'));
  }

  /**
   * The offset behind the brace that closes `open`, which was just taken; scanning goes on there. With `isCode`, quotes do
   * not hide braces: Tcl counts those in code wherever they stand.
   */
  skipBlock(open: Token, isCode: boolean): number {
    if (!isCode) {
      for (let depth = 1; depth > 0;) {
        const token = this.next();
        if (token === undefined) throw this.#unclosed(open);
        if (token.kind === 'open') depth++;
        else if (token.kind === 'close' && --depth === 0) return token.end;
      }
    }
    let depth = 1;
    this.#ahead = undefined;
    this.#at = open.end;
    for (; this.#at < this.text.length; this.#at++) {
      const character = this.text[this.#at];
      if (character === '\n') this.#newLine(this.#at + 1);
      else if (character === '\\' && this.text[this.#at + 1] !== '\n') this.#at++;
      else if (character === '{') depth++;
      else if (character === '}' && --depth === 0) return ++this.#at;
    }
    throw this.#unclosed(open);
  }

  #unclosed(open: Token): ConfigSyntaxError {
    return new ConfigSyntaxError('this brace is never closed', open.position, 'Add a } where the block ends.');
  }

  #scan(): Token | undefined {
    this.#skipSpace();
    const start = this.#at;
    const character = this.text[start];
    if (character === undefined) return undefined;
    const position = this.#position(start);
    if (character === '{' || character === '}') {
      this.#at++;
      const kind = character === '{' ? 'open' : 'close';
      return { kind, text: character, isQuoted: false, start, end: this.#at, position };
    }
    const isQuoted = character === '"';
    const text = isQuoted ? this.#quoted(position) : this.#bare();
    return { kind: 'word', text, isQuoted, start, end: this.#at, position };
  }

  #skipSpace(): void {
    for (;;) {
      const character = this.text[this.#at];
      if (character === '\n') {
        this.#newLine(++this.#at);
      } else if (character !== undefined && SPACE.has(character)) {
        this.#at++;
      } else if (character === '\\' && this.text[this.#at + 1] === '\n') {
        this.#at += 2;
        this.#newLine(this.#at);
      } else if (character === '#' && this.text.slice(this.#lineStart, this.#at).trim() === '') {
        const end = this.text.indexOf('\n', this.#at);
        this.#at = end < 0 ? this.text.length : end;
      } else {
        return;
      }
    }
  }

  #bare(): string {
    let text = '';
    for (;;) {
      let character = this.text[this.#at];
      if (character === undefined || SPACE.has(character) || character === '{' || character === '}') return text;
      if (character === '\\') {
        const escaped = this.text[this.#at + 1];
        // At a line's end the backslash continues the line.
        if (escaped === '\n') return text;
        if (escaped === undefined) {
          throw new ConfigSyntaxError('nothing follows this backslash', this.#position(this.#at), 'Remove it.');
        }
        character = escaped;
        this.#at++;
      }
      text += character;
      this.#at++;
    }
  }

  #quoted(position: TextPosition): string {
    let text = '';
    for (this.#at++; ; this.#at++) {
      let character = this.text[this.#at];
      if (character === '"') {
        this.#at++;
        return text;
      }
      if (character === '\\') character = this.text[++this.#at];
      if (character === undefined) {
        throw new ConfigSyntaxError('this quote is never closed', position, 'Add a " where the text ends.');
      }
      if (character === '\n') this.#newLine(this.#at + 1);
      text += character;
    }
  }

  #newLine(start: number): void {
    this.#line++;
    this.#lineStart = start;
  }

  /** The place of an offset on the current line. */
  #position(offset: number): TextPosition {
    return this.#place(this.#line, offset - this.#lineStart + 1);
  }

  #place(line: number, column: number): TextPosition {
    return this.file === undefined ? { line, column } : { file: this.file, line, column };
  }
}

/** The word as it is written: in quotes where the scanner would otherwise read something else. */
export function quote(word: string): string {
  if (word !== '' && !/[\s"{}\\]|^#/.test(word)) return word;
  return `"${word.replace(/["\\]/g, '\\$&')}"`;
}
