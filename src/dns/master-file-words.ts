// The words of a master file (RFC 1035, section 5.1): comments, quotes, escapes, and parentheses that join lines.
//
// Works on octets and makes no object per word. A quote in the middle of a word ends it where strings may stand (`a"b c"` is two of
// them), and is a character like others elsewhere, as BIND has it.

import { QUOTES, RecordTextError, type Quotes, type Words } from './words.ts';

const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const OPEN = 0x28;
const CLOSE = 0x29;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;

/** 1: ends a word that is not in quotes. */
const ENDS_WORD = new Uint8Array(256);
for (const octet of [TAB, NEWLINE, RETURN, SPACE, OPEN, CLOSE, SEMICOLON]) ENDS_WORD[octet] = 1;

export class MasterFileWords implements Words {
  readonly text: Uint8Array;
  start = 0;
  end = 0;
  quoted = false;
  /** Of the current word, from 1. */
  line = 1;
  /** There was a comment before the current word. */
  hasComment = false;
  #at = 0;
  /** Where the current word begins, with its quote. */
  #from = 0;
  #lineStart = 0;
  /** Of the line that `#at` is in, unlike `line`. */
  #lineAt = 1;
  #depth = 0;

  constructor(text: Uint8Array) {
    this.text = text;
  }

  /** Of the current word in its line, from 1, in octets. */
  get column(): number {
    return this.#from - this.#lineStart + 1;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.text.length;
  }

  /** Whether the line begins with a space or a tab: the owner is left out. To be asked where a record begins. */
  get isIndented(): boolean {
    const octet = this.text[this.#at];
    return octet === SPACE || octet === TAB;
  }

  next(quotes: Quotes): boolean {
    const { text } = this;
    const { length } = text;
    let at = this.#at;
    for (; at < length; at++) {
      const octet = text[at]!;
      if (octet === SPACE || octet === TAB) continue;
      if (ENDS_WORD[octet] === 0) break;
      if (octet === NEWLINE || octet === RETURN) {
        if (octet === RETURN && text[at + 1] === NEWLINE) continue;
        if (this.#depth === 0) return this.#stopAt(at);
        this.#lineAt++;
        this.#lineStart = at + 1;
      } else if (octet === SEMICOLON) {
        this.hasComment = true;
        while (at + 1 < length && text[at + 1] !== NEWLINE && text[at + 1] !== RETURN) at++;
      } else if (octet === OPEN) {
        this.#depth++;
      } else if (--this.#depth < 0) {
        this.#fail(at, 'a parenthesis is closed that nothing has opened');
      }
    }
    if (at >= length) {
      if (this.#depth > 0) this.#fail(length, 'a parenthesis is not closed');
      return this.#stopAt(length);
    }
    this.line = this.#lineAt;
    this.#from = at;
    if (text[at] === QUOTE && quotes !== QUOTES.none) {
      this.start = at + 1;
      this.end = this.#closing(at + 1);
      this.quoted = true;
      this.#at = this.end + 1;
      return true;
    }
    this.start = at;
    this.quoted = false;
    let isPair = quotes === QUOTES.pair;
    for (; at < length && ENDS_WORD[text[at]!] === 0; at++) {
      if (text[at] === QUOTE && quotes !== QUOTES.none) break;
      if (text[at] === BACKSLASH) {
        const escaped = text[at + 1];
        if (escaped !== undefined && escaped !== NEWLINE && escaped !== RETURN) at++;
      } else if (isPair && text[at] === EQUALS) {
        isPair = false;
        if (text[at + 1] === QUOTE) {
          this.end = this.#closing(at + 2);
          this.#at = this.end + 1;
          return true;
        }
      }
    }
    this.end = Math.min(at, length);
    this.#at = this.end;
    return true;
  }

  back(): void {
    this.#at = this.#from;
  }

  /** Goes on behind the end of the line that a record ends in; false at the end of the text. `next` has said false. */
  nextRecord(): boolean {
    if (this.isAtEnd) return false;
    this.#at++;
    this.#lineAt++;
    this.#lineStart = this.#at;
    return true;
  }

  /** Gives up a record: the rest of it goes, or, where its parentheses or quotes are wrong, the rest of the line. */
  skipRecord(): void {
    try {
      while (this.next(QUOTES.string));
    } catch (thrown) {
      if (!(thrown instanceof RecordTextError)) throw thrown;
    }
  }

  /** The end of the record at `at`: there is no word, and the place is where it would be. */
  #stopAt(at: number): false {
    this.#at = at;
    this.#from = at;
    this.start = at;
    this.end = at;
    this.quoted = false;
    this.line = this.#lineAt;
    return false;
  }

  /** Offset of the quote that ends the string that begins at `at`. */
  #closing(at: number): number {
    const { text } = this;
    const { length } = text;
    const first = at;
    for (; at < length && text[at] !== QUOTE; at++) {
      if (text[at] === NEWLINE || text[at] === RETURN) break;
      if (text[at] === BACKSLASH && text[at + 1] !== NEWLINE && text[at + 1] !== RETURN) at++;
    }
    if (at >= length || text[at] !== QUOTE) this.#fail(first - 1, 'a quote is not closed in its line');
    return at;
  }

  /** What follows is read from the end of the line on. */
  #fail(at: number, message: string): never {
    const { text } = this;
    let end = at;
    while (end < text.length && text[end] !== NEWLINE && text[end] !== RETURN) end++;
    this.#depth = 0;
    this.#stopAt(end);
    this.#from = at;
    throw new RecordTextError(message);
  }
}
