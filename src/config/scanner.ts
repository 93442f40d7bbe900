// Words, braces and quotes of tmsh text, with the place of each.
//
// A word ends at white space or a brace. In double quotes it may hold anything; a backslash takes the next character as it
// is, in quotes and outside, and at the end of a line continues it. A # begins a comment where it is the first visible
// character of a line, in a file also where it stands alone before white space.

import { ConfigSyntaxError } from '../core/errors.ts';
import type { TextPosition } from '../core/errors.ts';
import { STANZA_LINE, startsStanza } from './stanza-line.ts';

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

/** A place that scanning can go back to. */
export type Mark = { readonly at: number; readonly line: number; readonly lineStart: number };

/** Blocks of code that may run to the end of the text before an unclosed one is ended by the next stanza. */
const MAX_UNCLOSED_CODE = 16;

export class Scanner {
  readonly text: string;
  readonly file: string | undefined;
  /** Whether the text is that of a file: comments are kept, and a line that starts a stanza ends what was not closed. */
  readonly #isFile: boolean;
  #at = 0;
  #line = 1;
  #lineStart = 0;
  #ahead: Token | undefined;
  #lastEnd = 0;
  #comments: { readonly start: number; readonly text: string }[] = [];
  #unclosedCode = 0;

  constructor(text: string, file?: string, options: { readonly isFile?: true } = {}) {
    this.text = text;
    this.file = file;
    this.#isFile = options.isFile === true;
  }

  /** The next token without taking it; undefined at the end. Throws a ConfigSyntaxError for a quote without an end. */
  peek(): Token | undefined {
    this.#ahead ??= this.#scan();
    return this.#ahead;
  }

  next(): Token | undefined {
    const token = this.peek();
    this.#ahead = undefined;
    if (token !== undefined) this.#lastEnd = token.end;
    return token;
  }

  /** The offset behind the last token that was taken. */
  get lastEnd(): number {
    return this.#lastEnd;
  }

  /** What stands on the line from a token on, which was just taken: a comment where a word cannot stand. */
  takeLine(token: Token): string {
    const end = this.text.indexOf('\n', token.end);
    this.#ahead = undefined;
    this.#at = end < 0 ? this.text.length : end;
    return this.text.slice(token.start, this.#at).trimEnd();
  }

  /** The comments of a file that were passed since the last call, up to the next token. */
  takeComments(): string[] {
    if (this.#comments.length === 0) return [];
    return this.#comments.splice(0).map((comment) => comment.text);
  }

  /** Forgets the comments before an offset: they stand in what is kept verbatim. */
  dropComments(before: number): void {
    if (this.#comments.length > 0) this.#comments = this.#comments.filter(({ start }) => start >= before);
  }

  /** The place of the next token, which need not be one that can be read. */
  mark(): Mark {
    if (this.#ahead === undefined) this.#skipSpace();
    const { line, column } = this.#ahead?.position ?? this.#position(this.#at);
    const at = this.#ahead?.start ?? this.#at;
    return { at, line, lineStart: at - column + 1 };
  }

  /** Goes on at the first line behind the mark that starts a stanza, or at the end. */
  recover(mark: Mark): void {
    this.#ahead = undefined;
    this.#comments = [];
    this.#line = mark.line;
    this.#lineStart = mark.lineStart;
    for (let end = this.text.indexOf('\n', mark.at); end !== -1; end = this.text.indexOf('\n', end + 1)) {
      this.#newLine(end + 1);
      this.#at = end + 1;
      if (startsStanza(this.text, this.#at)) return;
    }
    this.#at = this.text.length;
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
        if (token === undefined || this.isStanzaStart(token)) throw this.#unclosed(open);
        if (token.kind === 'open') depth++;
        else if (token.kind === 'close' && --depth === 0) return token.end;
      }
    }
    let depth = 1;
    this.#ahead = undefined;
    this.#at = open.end;
    for (; this.#at < this.text.length; this.#at++) {
      const character = this.text[this.#at];
      if (character === '\n') {
        this.#newLine(this.#at + 1);
        // Code may hold such a line, but after so many blocks without an end it is time that one ended.
        if (this.#unclosedCode >= MAX_UNCLOSED_CODE && startsStanza(this.text, this.#at + 1)) break;
      } else if (character === '\\' && this.text[this.#at + 1] !== '\n') this.#at++;
      else if (character === '{') depth++;
      else if (character === '}' && --depth === 0) return (this.#lastEnd = ++this.#at);
    }
    this.#unclosedCode++;
    throw this.#unclosed(open);
  }

  /** Whether a token of a file is the first of a line that starts a stanza. */
  isStanzaStart(token: Token): boolean {
    return this.#isFile && token.position.column === 1 && startsStanza(this.text, token.start);
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
      } else if (character === '\\' && this.#isLineEnd(this.#at + 1)) {
        this.#at = this.text.indexOf('\n', this.#at) + 1;
        this.#newLine(this.#at);
      } else if (character === '#' && this.#isComment()) {
        const start = this.#at;
        const end = this.text.indexOf('\n', start);
        this.#at = end < 0 ? this.text.length : end;
        if (this.#isFile) this.#keepComment(start, this.text.slice(start, this.#at).trimEnd());
      } else {
        return;
      }
    }
  }

  #keepComment(start: number, text: string): void {
    // A header that a BIG-IP writes into each file is not a comment on what follows.
    if (!text.startsWith('#TMSH-VERSION:')) this.#comments.push({ start, text });
  }

  /** Whether the # here begins a comment. */
  #isComment(): boolean {
    const after = this.text[this.#at + 1];
    if (this.#isFile && (after === undefined || SPACE.has(after))) return true;
    let before = this.#at - 1;
    while (before >= this.#lineStart && SPACE.has(this.text[before]!)) before--;
    return before < this.#lineStart;
  }

  #isLineEnd(at: number): boolean {
    return this.text[at] === '\n' || (this.text[at] === '\r' && this.text[at + 1] === '\n');
  }

  #bare(): string {
    let text = '';
    for (;;) {
      let character = this.text[this.#at];
      if (character === undefined || SPACE.has(character) || character === '{' || character === '}') return text;
      if (character === '\\') {
        const escaped = this.text[this.#at + 1];
        // At a line's end the backslash continues the line.
        if (this.#isLineEnd(this.#at + 1)) return text;
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

  /** `\r\n` in what a monitor sends, `\d` in what it looks for: devices take them so, though they write the backslash twice. */
  #quoted(position: TextPosition): string {
    let text = '';
    for (this.#at++; ; this.#at++) {
      let character = this.text[this.#at];
      if (character === '"') {
        this.#at++;
        return text;
      }
      const isEscaped = character === '\\';
      if (isEscaped) character = this.text[++this.#at];
      const isLost = character === '\n' && !isEscaped && this.#isFile && startsStanza(this.text, this.#at + 1);
      if (character === undefined || isLost) {
        throw new ConfigSyntaxError('this quote is never closed', position, 'Add a " where the text ends.');
      }
      if (character === '\n') this.#newLine(this.#at + 1);
      // Every other backslash belongs to the text.
      if (isEscaped && !/["\\\n]/.test(character)) text += '\\';
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
  const text = word.replace(/["\\]/g, '\\$&');
  // A line that looks like a stanza would end the quotes.
  return `"${text.replace(new RegExp(`\n(?=${STANZA_LINE})`, 'g'), '\\\n')}"`;
}
