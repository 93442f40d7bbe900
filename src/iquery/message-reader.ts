// The stream of a peer as messages: what is in the table becomes one, whole and of the right values, and all else is skipped.
//
// A peer shows by `offer` or `subscribe` that it speaks this version of the grammar. Until then only its greeting is read, and what cannot be read
// makes it foreign, as a BIG-IP may be: nothing of it is looked at any more, and its connection can be kept. From then on
// what cannot be read is an error that ends the connection.

import { FieldText } from './field-text.ts';
import { type FieldShape, KNOWN_NAMES, type MessageShape, SHAPES } from './message-shape.ts';
import { GRAMMAR_VERSION, type Message } from './messages.ts';
import { quoteSeen, StreamError } from './stream-error.ts';
import { WIRE_LIMITS, type WireLimits } from './wire-limits.ts';
import { XmlReader } from './xml-reader.ts';

export type MessageHandler = {
  message(message: Message): void;
  /** Something is skipped that is in no table: `name` of an element, or `message/name` of a field; once for each name. */
  unknown(name: string): void;
  /** The peer speaks something else: what of it could not be read. Called once at most, and nothing after it. */
  foreign?(reason: string): void;
};

/** What is read of a peer that has not shown that it speaks this grammar; the last two show it. */
const GREETING: ReadonlySet<string> = new Set(['version', 'big3d', 'connection_id', 'offer', 'subscribe']);
const SHOWS_GRAMMAR: ReadonlySet<string> = new Set(['offer', 'subscribe']);

export class MessageReader {
  readonly #handler: MessageHandler;
  readonly #limits: WireLimits;
  readonly #xml: XmlReader;
  readonly #text = new FieldText();
  readonly #told = new Set<string>();
  #isOurs = false;
  #isForeign = false;
  /** The message that is being read; undefined: none, or one that is skipped. */
  #shape: MessageShape | undefined;
  #values: Record<string, unknown> = {};
  /** Fields of it that were there, by their place. */
  #seen: boolean[] = [];
  /** The field that is being read. */
  #field: FieldShape | undefined;

  constructor(handler: MessageHandler, limits: WireLimits = WIRE_LIMITS) {
    this.#handler = handler;
    this.#limits = limits;
    this.#xml = new XmlReader(
      {
        open: (name, depth) => this.#open(name, depth),
        text: (octets, start, end) => this.#addText(octets, start, end),
        close: (depth) => this.#close(depth),
      },
      KNOWN_NAMES,
      limits,
    );
  }

  /** It has said that it speaks this grammar. */
  get isOurs(): boolean {
    return this.#isOurs;
  }

  get isForeign(): boolean {
    return this.#isForeign;
  }

  /**
   * Reads what has come, and hands out each message that is whole. Returns how many octets were read: all, except behind `compress`:
   * what follows it is compressed, and is to come here when it is not any more. Throws a StreamError, and no other error of its own.
   */
  read(octets: Uint8Array): number {
    if (this.#isForeign) return octets.length;
    try {
      return this.#xml.read(octets);
    } catch (error) {
      if (!(error instanceof StreamError) || this.#isOurs) throw error;
      this.#isForeign = true;
      this.#handler.foreign?.(error.message);
      return octets.length;
    }
  }

  #open(name: string, depth: number): void {
    if (depth === 1) this.#begin(name);
    else if (this.#shape !== undefined && depth === 2) this.#beginField(this.#shape, name);
    // Deeper elements are of a field that is skipped, or should be text.
    else if (this.#field !== undefined)
      throw new StreamError(
        `${this.#place(this.#field)} holds the element ${quoteSeen(name)}, where only text can stand`,
      );
  }

  #begin(name: string): void {
    const shape = this.#isOurs || GREETING.has(name) ? SHAPES.get(name) : undefined;
    this.#shape = shape;
    if (shape === undefined) {
      this.#tell(name);
      return;
    }
    this.#values = { message: name };
    this.#seen.length = 0;
    if (shape.plain !== undefined) this.#startText(shape.plain);
  }

  #beginField(shape: MessageShape, name: string): void {
    if (shape.plain !== undefined)
      throw new StreamError(
        `the message ${shape.name} holds the element ${quoteSeen(name)}, where only text can stand`,
      );
    const field = shape.byName.get(name);
    if (field === undefined) {
      this.#tell(`${shape.name}/${name}`);
      return;
    }
    if (this.#seen[field.index] === true && field.field.shape !== 'list')
      throw new StreamError(`${this.#place(field)} is there twice`);
    this.#startText(field);
  }

  #startText(field: FieldShape): void {
    this.#seen[field.index] = true;
    this.#field = field;
    this.#text.start(field);
  }

  #addText(octets: Uint8Array, start: number, end: number): void {
    if (this.#field !== undefined) {
      if (!this.#text.add(octets, start, end)) throw this.#tooLong(this.#field);
    } else if (this.#shape !== undefined && this.#xml.depth === 1 && !isBlank(octets, start, end))
      throw new StreamError(`the message ${this.#shape.name} holds text between its fields`);
  }

  #close(depth: number): void {
    const shape = this.#shape;
    if (shape === undefined) return;
    if (this.#field !== undefined) this.#endField(this.#field);
    if (depth > 1) return;
    this.#shape = undefined;
    for (const field of shape.fields) if (this.#seen[field.index] !== true) this.#fillIn(shape, field);
    this.#hand(shape);
  }

  #endField(field: FieldShape): void {
    this.#field = undefined;
    const value = this.#text.value();
    if (value === undefined) throw this.#badValue(field);
    if (field.field.shape !== 'list') this.#values[field.name] = value;
    else this.#addListed(field, value);
  }

  #addListed(field: FieldShape, value: unknown): void {
    const listed = this.#values[field.name] as unknown[] | undefined;
    if (listed === undefined) this.#values[field.name] = [value];
    else if (listed.length < field.field.most) listed.push(value);
    else throw new StreamError(`${this.#place(field)} is there more than ${field.field.most} times`);
  }

  /** A field that was not there. */
  #fillIn(shape: MessageShape, { name, field }: FieldShape): void {
    if (field.isOptional) return;
    if (field.shape !== 'list') throw new StreamError(`the message ${shape.name} has no field ${name}`);
    this.#values[name] = [];
  }

  #hand({ name }: MessageShape): void {
    // Another version's messages may be anything.
    if (SHOWS_GRAMMAR.has(name) && this.#values.grammar === GRAMMAR_VERSION) this.#isOurs = true;
    else if (name === 'compress') this.#xml.pause();
    this.#handler.message(this.#values as unknown as Message);
  }

  #tell(name: string): void {
    if (this.#told.has(name) || this.#told.size >= this.#limits.toldNames) return;
    this.#told.add(name);
    this.#handler.unknown(name);
  }

  #place({ name }: FieldShape): string {
    return `the field ${name} of the message ${this.#shape?.name ?? ''}`;
  }

  #tooLong(field: FieldShape): StreamError {
    const seen = quoteSeen(this.#text.shown());
    return new StreamError(
      `${this.#place(field)} is longer than ${field.mostCharacters} characters: it begins ${seen}`,
    );
  }

  #badValue(field: FieldShape): StreamError {
    const { shape, choices } = field.field;
    const seen = quoteSeen(this.#text.shown());
    switch (shape) {
      case 'integer':
        return new StreamError(`${this.#place(field)} is ${seen}, which is no whole number from 0 to 2^53 - 1`);
      case 'flag':
        return new StreamError(`${this.#place(field)} is ${seen}, which is neither yes nor no`);
      case 'choice':
        return new StreamError(`${this.#place(field)} is ${seen}, which is none of ${choices.join(', ')}`);
      default:
        return this.#tooLong(field);
    }
  }
}

function isBlank(octets: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const octet = octets[at]!;
    if (octet !== 0x20 && octet !== 0x0a && octet !== 0x0d && octet !== 0x09) return false;
  }
  return true;
}
