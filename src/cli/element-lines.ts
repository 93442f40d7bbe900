// XML of anybody, as it comes, as lines: one for each element that has only text, and one for each start and end of the others.

/** Longer markup or text is broken. */
const MOST_CHARACTERS = 65_536;
const MOST_INDENT = 16;

/** A tag, with attributes in which `>` may stand; a comment, a CDATA section, an instruction. */
const MARKUP = /<(?:!--[^]*?--|!\[CDATA\[[^]*?\]\]|\?[^]*?\?|(?!!--|!\[CDATA\[|\?)(?:"[^"]*"|'[^']*'|[^'">])*)>/y;

export class ElementLines {
  readonly #print: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #waiting = '';
  /** The last start tag, if nothing but text has come since, and that text. */
  #start: string | undefined;
  #text = '';
  #depth = 0;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  write(octets: Uint8Array): void {
    this.#waiting += this.#decoder.decode(octets, { stream: true });
    let at = 0;
    for (let next = this.#take(at); next > at; next = this.#take(at)) at = next;
    this.#waiting = this.#waiting.slice(at);
  }

  /** Prints what has not ended yet. */
  end(): void {
    this.#begin();
    this.#say(this.#waiting);
    this.#waiting = '';
  }

  /** Takes a piece of markup or text; returns where it ends, or `at` where it has not. */
  #take(at: number): number {
    const waiting = this.#waiting;
    if (at === waiting.length) return at;
    if (waiting[at] !== '<') {
      const end = waiting.indexOf('<', at);
      if (end < 0 && waiting.length - at < MOST_CHARACTERS) return at;
      this.#addText(waiting.slice(at, end < 0 ? waiting.length : end));
      return end < 0 ? waiting.length : end;
    }
    MARKUP.lastIndex = at;
    const [markup] = MARKUP.exec(waiting) ?? [];
    if (markup !== undefined) {
      this.#addMarkup(markup);
      return at + markup.length;
    }
    if (waiting.length - at < MOST_CHARACTERS) return at;
    this.#addText(waiting.slice(at));
    return waiting.length;
  }

  #addText(text: string): void {
    if (this.#start !== undefined && this.#text.length + text.length <= MOST_CHARACTERS) this.#text += text;
    else {
      this.#begin();
      this.#say(text.trim());
    }
  }

  #addMarkup(markup: string): void {
    if (markup.startsWith('</')) this.#endElement(markup);
    else if (/^<[!?]/.test(markup)) {
      this.#begin();
      this.#say(markup);
    } else {
      this.#begin();
      if (markup.endsWith('/>')) this.#say(markup);
      else this.#start = markup;
    }
  }

  #endElement(markup: string): void {
    if (this.#start !== undefined) {
      this.#say(this.#start + this.#text + markup);
      this.#start = undefined;
      this.#text = '';
      return;
    }
    this.#depth = Math.max(0, this.#depth - 1);
    this.#say(markup);
  }

  /** A start tag turns out to have more than text in it. */
  #begin(): void {
    if (this.#start === undefined) return;
    this.#say(this.#start);
    this.#start = undefined;
    this.#depth += 1;
    this.#say(this.#text.trim());
    this.#text = '';
  }

  #say(text: string): void {
    if (text !== '') this.#print('  '.repeat(Math.min(this.#depth, MOST_INDENT)) + printable(text));
  }
}

/** On one line, and without what a terminal would act on. */
function printable(text: string): string {
  return text.replace(/\r?\n/g, '&#10;').replace(/[^\P{C}\t]/gu, '?');
}
