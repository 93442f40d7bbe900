// An XML document that never ends, in pieces of any size: what begins, what ends and the text between (docs/iquery.md, "Document").
//
// It is the part of XML 1.0 that the mesh uses: elements, text, character references and the five entities. Attributes, comments and
// processing instructions are skipped. Declarations and CDATA sections are refused, so nothing can be defined, nested or fetched.
// Nothing is kept but the names of what is open, so memory is bounded by the limits whatever comes.

import { CharacterCheck, isXmlCharacter } from './character-check.ts';
import { quoteSeen, StreamError } from './stream-error.ts';
import { ROOT, WIRE_LIMITS, type WireLimits } from './wire-limits.ts';

export type XmlEvents = {
  /** An element below the root begins; `depth` is 1 for a child of the root. */
  open(name: string, depth: number): void;
  /** Text of the innermost element below the root: octets of UTF-8 that are only good during the call. */
  text(octets: Uint8Array, start: number, end: number): void;
  /** The innermost element ends; `depth` as when it began. */
  close(depth: number): void;
};

/** Where the reader is, between two octets. */
const At = {
  text: 0,
  /** Behind `<`. */
  markup: 1,
  /** In the name of a start tag. */
  openName: 2,
  /** In a start tag behind its name, or an attribute. */
  tag: 3,
  /** Behind `/` of an empty element. */
  emptyEnd: 4,
  attributeName: 5,
  /** Behind the name of an attribute: `=` comes. */
  attributeEquals: 6,
  /** A quote comes. */
  attributeQuote: 7,
  attributeValue: 8,
  /** Behind the value: white space or the end of the tag. */
  attributeEnd: 9,
  closeName: 10,
  /** Behind the name of an end tag. */
  closeEnd: 11,
  /** Behind `&`. */
  reference: 12,
  /** Behind `<!`. */
  declaration: 13,
  /** Behind `<!-`. */
  commentStart: 14,
  comment: 15,
  /** Behind `-` in a comment. */
  commentDash: 16,
  /** Behind `--` in a comment. */
  commentEnd: 17,
  instruction: 18,
  /** Behind `?` in an instruction. */
  instructionEnd: 19,
} as const;

const LT = 0x3c;
const GT = 0x3e;
const AMP = 0x26;
const CR = 0x0d;
const LF = 0x0a;
const SLASH = 0x2f;
const BANG = 0x21;
const QUESTION = 0x3f;
const DASH = 0x2d;
const EQUALS = 0x3d;
const SEMICOLON = 0x3b;
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;

const ENTITIES: ReadonlyMap<string, number> = new Map([
  ['amp', AMP],
  ['lt', LT],
  ['gt', GT],
  ['quot', DOUBLE_QUOTE],
  ['apos', SINGLE_QUOTE],
]);
/** `#x0010FFFF` and a little more. */
const REFERENCE_OCTETS = 12;
const LINE_FEED = Uint8Array.of(LF);

export class XmlReader {
  readonly #events: XmlEvents;
  readonly #limits: WireLimits;
  readonly #characters = new CharacterCheck();
  readonly #names: NameBook;
  /** Names of the open elements, the root's first, each in a slot of its own; and of the one that begins. */
  readonly #stack: Uint8Array;
  readonly #stackOctets: Int32Array;
  readonly #reference = new Uint8Array(REFERENCE_OCTETS);
  readonly #character = new Uint8Array(4);
  #state: number = At.text;
  /** Open elements, the root among them. */
  #open = 0;
  /** Octets of what is read by now: a name, a reference. */
  #taken = 0;
  #tagOctets = 0;
  /** Of the child of the root, or of what stands between two, that has begun. */
  #itemOctets = 0;
  #quote = 0;
  #wasReturn = false;
  #hasEnded = false;
  #isPaused = false;
  #failure: StreamError | undefined;

  /** `known`: names that are handed out without making a text of each one that comes. */
  constructor(events: XmlEvents, known: Iterable<string>, limits: WireLimits = WIRE_LIMITS) {
    this.#events = events;
    this.#limits = limits;
    this.#names = new NameBook(known);
    this.#stack = new Uint8Array((limits.depth + 1) * limits.nameOctets);
    this.#stackOctets = new Int32Array(limits.depth + 1);
  }

  /** Of the innermost open element: 1 for a child of the root. */
  get depth(): number {
    return this.#open - 1;
  }

  /** Behind the end of the root element, after which only white space and comments may come. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Called from an event: `read` returns behind the tag that the event is of. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Reads all of it, or up to where an event called `pause`: how many octets. Throws a StreamError, at every call once it has. */
  read(octets: Uint8Array): number {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return this.#read(octets);
    } catch (error) {
      if (error instanceof StreamError) this.#failure = error;
      throw error;
    }
  }

  #read(octets: Uint8Array): number {
    const good = this.#characters.good(octets);
    let at = 0;
    while (at < good && !this.#isPaused) {
      const next = this.#step(octets, at, good);
      this.#itemOctets += next - at;
      at = next;
      if (this.#itemOctets > this.#limits.messageOctets) this.#tooLarge();
    }
    if (this.#isPaused) {
      this.#isPaused = false;
      // What follows was looked at, and is something else.
      this.#characters.reset();
      return at;
    }
    if (good < octets.length) throw badOctet(octets[good]!);
    return at;
  }

  /** Reads on in the state; returns where. */
  #step(octets: Uint8Array, at: number, end: number): number {
    switch (this.#state) {
      case At.text:
        return this.#readText(octets, at, end);
      case At.openName:
        return this.#readOpenName(octets, at, end);
      case At.closeName:
        return this.#readCloseName(octets, at, end);
      case At.attributeValue:
        return this.#readAttributeValue(octets, at, end);
      case At.comment:
        return this.#skipTo(DASH, At.commentDash, octets, at, end);
      case At.instruction:
        return this.#skipTo(QUESTION, At.instructionEnd, octets, at, end);
      case At.reference:
        this.#readReference(octets[at]!);
        return at + 1;
      case At.markup:
        return this.#readMarkup(octets[at]!, at);
      case At.tag:
      case At.emptyEnd:
      case At.attributeName:
      case At.attributeEquals:
      case At.attributeQuote:
      case At.attributeEnd:
        this.#countTag(1);
        this.#readTag(octets[at]!);
        return at + 1;
      case At.closeEnd:
        this.#readCloseEnd(octets[at]!);
        return at + 1;
      default:
        this.#readDeclaration(octets[at]!);
        return at + 1;
    }
  }

  #readText(octets: Uint8Array, from: number, end: number): number {
    let at = from;
    if (this.#open <= 1) {
      while (at < end && isSpace(octets[at]!)) at++;
      // What was before is done with.
      this.#itemOctets = from - at;
      if (at === end) return at;
      if (octets[at] !== LT) throw this.#strayText(octets[at]!);
    } else {
      if (this.#wasReturn) {
        this.#wasReturn = false;
        if (octets[at] === LF) return at + 1;
      }
      let octet = 0;
      while (at < end && (octet = octets[at]!) !== LT && octet !== AMP && octet !== CR) at++;
      if (at > from) this.#events.text(octets, from, at);
      if (at === end) return at;
    }
    switch (octets[at]) {
      case LT:
        this.#state = At.markup;
        break;
      case AMP:
        this.#state = At.reference;
        this.#taken = 0;
        break;
      default:
        // A line ends with a line feed, however it came.
        this.#wasReturn = true;
        this.#events.text(LINE_FEED, 0, 1);
    }
    return at + 1;
  }

  /** Behind `<`; a name is looked at again from its first octet. */
  #readMarkup(octet: number, at: number): number {
    this.#taken = 0;
    switch (octet) {
      case SLASH:
        if (this.#open === 0) throw new StreamError('an element ends that has not begun');
        this.#state = At.closeName;
        return at + 1;
      case BANG:
        this.#state = At.declaration;
        return at + 1;
      case QUESTION:
        this.#state = At.instruction;
        return at + 1;
      default:
        if (!isNameStart(octet)) throw new StreamError(`${shownOctet(octet)} stands behind "<", where a name begins`);
        if (this.#hasEnded) throw new StreamError('a second root element begins behind the end of the first');
        if (this.#open >= this.#limits.depth)
          throw new StreamError(`more than ${this.#limits.depth} elements are nested, the most there may be`);
        this.#tagOctets = 0;
        this.#state = At.openName;
        return at;
    }
  }

  #readOpenName(octets: Uint8Array, from: number, end: number): number {
    const slot = this.#open * this.#limits.nameOctets;
    const most = this.#limits.nameOctets;
    let at = from;
    let taken = this.#taken;
    while (at < end && isNamePart(octets[at]!)) {
      if (taken === most) throw new StreamError(`a name of an element is longer than ${most} octets`);
      this.#stack[slot + taken++] = octets[at++]!;
    }
    this.#taken = taken;
    this.#countTag(at - from);
    if (at < end) {
      this.#stackOctets[this.#open] = taken;
      this.#state = At.tag;
    }
    return at;
  }

  #readTag(octet: number): void {
    switch (this.#state) {
      case At.tag:
      case At.attributeEnd:
        if (octet === GT) this.#begin(false);
        else if (octet === SLASH) this.#state = At.emptyEnd;
        else if (isSpace(octet)) this.#state = At.tag;
        else if (this.#state === At.tag && isNameStart(octet)) this.#state = At.attributeName;
        else throw this.#badTag(octet);
        break;
      case At.emptyEnd:
        if (octet !== GT) throw this.#badTag(octet);
        this.#begin(true);
        break;
      case At.attributeName:
        if (octet === EQUALS) this.#state = At.attributeQuote;
        else if (isSpace(octet)) this.#state = At.attributeEquals;
        else if (!isNamePart(octet)) throw this.#badTag(octet);
        break;
      case At.attributeEquals:
        if (octet === EQUALS) this.#state = At.attributeQuote;
        else if (!isSpace(octet)) throw this.#badTag(octet);
        break;
      default:
        if (octet === DOUBLE_QUOTE || octet === SINGLE_QUOTE) {
          this.#quote = octet;
          this.#state = At.attributeValue;
        } else if (!isSpace(octet)) throw this.#badTag(octet);
    }
  }

  #readAttributeValue(octets: Uint8Array, from: number, end: number): number {
    let at = from;
    while (at < end && octets[at] !== this.#quote) {
      if (octets[at] === LT) throw this.#badTag(LT);
      at++;
    }
    if (at < end) {
      at++;
      this.#state = At.attributeEnd;
    }
    this.#countTag(at - from);
    return at;
  }

  #countTag(octets: number): void {
    this.#tagOctets += octets;
    if (this.#tagOctets > this.#limits.tagOctets)
      throw new StreamError(`a start tag is longer than ${this.#limits.tagOctets} octets`);
  }

  /** The end of a start tag. */
  #begin(isEmpty: boolean): void {
    const name = this.#nameAt(this.#open);
    this.#state = At.text;
    if (this.#open === 0 && name !== ROOT)
      throw new StreamError(`the document begins with the element ${quoteSeen(name)}, not with "${ROOT}"`);
    this.#open += 1;
    if (this.#open > 1) this.#events.open(name, this.#open - 1);
    if (isEmpty) this.#end();
  }

  #readCloseName(octets: Uint8Array, from: number, end: number): number {
    const level = this.#open - 1;
    const slot = level * this.#limits.nameOctets;
    const most = this.#stackOctets[level]!;
    let at = from;
    let taken = this.#taken;
    while (at < end && taken < most && octets[at] === this.#stack[slot + taken]) {
      at++;
      taken++;
    }
    this.#taken = taken;
    if (at === end) return at;
    if (taken < most || isNamePart(octets[at]!))
      throw new StreamError(`the element ${quoteSeen(this.#nameAt(this.#open - 1))} is ended by another name`);
    this.#state = At.closeEnd;
    return at;
  }

  #readCloseEnd(octet: number): void {
    if (octet === GT) {
      this.#state = At.text;
      this.#end();
    } else if (!isSpace(octet)) throw this.#badTag(octet);
  }

  #end(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#hasEnded = true;
    // What is too large is not told of.
    else if (this.#itemOctets >= this.#limits.messageOctets) this.#tooLarge();
    else this.#events.close(this.#open);
  }

  #readReference(octet: number): void {
    if (octet !== SEMICOLON) {
      if (this.#taken === REFERENCE_OCTETS || !(isNamePart(octet) || octet === 0x23)) throw this.#badReference();
      this.#reference[this.#taken++] = octet;
      return;
    }
    const name = asciiText(this.#reference, 0, this.#taken);
    const code = ENTITIES.get(name) ?? numberOf(name);
    if (code === undefined || !isXmlCharacter(code)) throw this.#badReference();
    this.#state = At.text;
    this.#events.text(this.#character, 0, encodeCharacter(code, this.#character));
  }

  #readDeclaration(octet: number): void {
    switch (this.#state) {
      case At.declaration:
        if (octet !== DASH)
          throw new StreamError('it holds a declaration or a CDATA section ("<!"), neither of which is ever accepted');
        this.#state = At.commentStart;
        break;
      case At.commentStart:
        if (octet !== DASH) throw new StreamError('a comment does not begin with "<!--"');
        this.#state = At.comment;
        break;
      case At.commentDash:
        this.#state = octet === DASH ? At.commentEnd : At.comment;
        break;
      case At.commentEnd:
        if (octet !== GT) throw new StreamError('"--" stands in a comment');
        this.#state = At.text;
        break;
      default:
        // Behind `?`.
        if (octet === GT) this.#state = At.text;
        else if (octet !== QUESTION) this.#state = At.instruction;
    }
  }

  #skipTo(octet: number, state: number, octets: Uint8Array, from: number, end: number): number {
    const found = octets.indexOf(octet, from);
    if (found < 0 || found >= end) return end;
    this.#state = state;
    return found + 1;
  }

  #tooLarge(): never {
    const what = this.#open > 1 ? `the element ${quoteSeen(this.#nameAt(1))}` : 'what stands between two elements';
    throw new StreamError(`${what} is larger than ${this.#limits.messageOctets} octets`);
  }

  /** Of the element that is open at a level, 0 for the root. */
  #nameAt(level: number): string {
    const slot = level * this.#limits.nameOctets;
    return this.#names.textOf(this.#stack, slot, slot + this.#stackOctets[level]!);
  }

  #strayText(octet: number): StreamError {
    const place =
      this.#open === 1 ? 'between elements' : this.#hasEnded ? 'behind the document' : 'before the document';
    return new StreamError(`${shownOctet(octet)} stands ${place}, where only an element can`);
  }

  #badTag(octet: number): StreamError {
    return new StreamError(`${shownOctet(octet)} stands in a tag where it cannot`);
  }

  #badReference(): StreamError {
    const seen = quoteSeen(`&${asciiText(this.#reference, 0, this.#taken)}`);
    return new StreamError(
      `${seen} begins a reference to no character: only &amp; &lt; &gt; &quot; &apos; and numbers are known`,
    );
  }
}

/** Texts of names that come again and again. */
class NameBook {
  readonly #known = new Map<number, { readonly octets: Uint8Array; readonly name: string }[]>();

  constructor(known: Iterable<string>) {
    for (const name of known) {
      const octets = new TextEncoder().encode(name);
      const key = hashOf(octets, 0, octets.length);
      this.#known.set(key, [...(this.#known.get(key) ?? []), { octets, name }]);
    }
  }

  textOf(octets: Uint8Array, start: number, end: number): string {
    const alike = this.#known.get(hashOf(octets, start, end));
    if (alike !== undefined)
      for (const { octets: own, name } of alike) if (isSame(own, octets, start, end)) return name;
    return decoder.decode(octets.subarray(start, end));
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

function hashOf(octets: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + octets[at]!) | 0;
  return hash;
}

function isSame(own: Uint8Array, octets: Uint8Array, start: number, end: number): boolean {
  if (own.length !== end - start) return false;
  for (let at = 0; at < own.length; at++) if (own[at] !== octets[start + at]) return false;
  return true;
}

function isSpace(octet: number): boolean {
  return octet === 0x20 || octet === LF || octet === CR || octet === 0x09;
}

/** Names of other alphabets are let pass: they are nobody's. */
function isNameStart(octet: number): boolean {
  const lower = octet | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || octet === 0x5f || octet === 0x3a || octet >= 0x80;
}

function isNamePart(octet: number): boolean {
  return isNameStart(octet) || (octet >= 0x30 && octet <= 0x39) || octet === DASH || octet === 0x2e;
}

function asciiText(octets: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...octets.subarray(start, end));
}

/** `#38` or `#x26`. */
function numberOf(name: string): number | undefined {
  const [, decimal, hexadecimal] = /^#(?:(\d+)|x([\dA-Fa-f]+))$/.exec(name) ?? [];
  if (decimal !== undefined) return Number(decimal);
  return hexadecimal === undefined ? undefined : Number.parseInt(hexadecimal, 16);
}

/** Returns how many octets it has. */
function encodeCharacter(code: number, into: Uint8Array): number {
  return new TextEncoder().encodeInto(String.fromCodePoint(code), into).written;
}

function badOctet(octet: number): StreamError {
  const why =
    octet >= 0x80 || octet >= 0x20 ? 'is no UTF-8 where it stands' : 'is a control character, which XML does not have';
  return new StreamError(`the octet 0x${octet.toString(16).padStart(2, '0')} ${why}`);
}

function shownOctet(octet: number): string {
  return octet >= 0x80 ? `the octet 0x${octet.toString(16)}` : quoteSeen(String.fromCharCode(octet));
}
