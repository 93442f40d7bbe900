// Random messages of the mesh, and readers of a stream for tests.

import fc from 'fast-check';
import type { Field } from '../../src/iquery/message-field.ts';
import { MessageReader } from '../../src/iquery/message-reader.ts';
import { MESSAGE_NAMES } from '../../src/iquery/message-shape.ts';
import { DOCUMENT_START, writeMessage } from '../../src/iquery/message-writer.ts';
import { fieldsOf, GRAMMAR_VERSION, type Message } from '../../src/iquery/messages.ts';
import { StreamError } from '../../src/iquery/stream-error.ts';
import { LISTED_CHARACTERS, type WireLimits } from '../../src/iquery/wire-limits.ts';

export const OFFER: Message = {
  ...{ message: 'offer', grammar: GRAMMAR_VERSION, device: 'a.example', device_id: '1', time: 1_700_000_000_000 },
  compression: ['gzip'],
};

/** A document whose root is open and which has shown that it speaks the grammar. */
export const OPENED = DOCUMENT_START + writeMessage(OFFER);

/** Characters that XML has, those among them that must be escaped more often. */
const character = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...Array.from('abz09 /_.-:')) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...Array.from('<>&\'"\r\n\t;#'),
      ']]>',
      '\r\n',
      '&amp;',
      '<!--',
      '\u007f',
      '\u0085',
      '\u00a0',
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: 0x20, max: 0x10_ffff })
      .filter((code) => (code < 0xd800 || code > 0xdfff) && code !== 0xfffe && code !== 0xffff)
      .map((code) => String.fromCodePoint(code)),
  },
);

function textOf(most: number): fc.Arbitrary<string> {
  return fc
    .array(character, { maxLength: Math.min(most, 40) })
    .map((characters) => characters.join(''))
    .filter((text) => text.length <= most);
}

function valueOf({ shape, most, choices }: Field): fc.Arbitrary<unknown> {
  switch (shape) {
    case 'text':
      return textOf(most);
    case 'integer':
      return fc.oneof(fc.nat(100), fc.maxSafeNat(), fc.constantFrom(0, Number.MAX_SAFE_INTEGER));
    case 'flag':
      return fc.boolean();
    case 'choice':
      return fc.constantFrom(...choices);
    case 'list':
      return fc.array(textOf(LISTED_CHARACTERS), { maxLength: Math.min(most, 5) });
  }
}

/** Any message of the table, its optional fields there or not. */
export const anyMessage: fc.Arbitrary<Message> = fc.constantFrom(...MESSAGE_NAMES).chain((name) => messageNamed(name));

function messageNamed(name: string): fc.Arbitrary<Message> {
  const fields = Object.entries(fieldsOf(name) ?? {});
  const model = Object.fromEntries(fields.map(([key, field]) => [key, valueOf(field)]));
  const requiredKeys = fields.filter(([, field]) => !field.isOptional).map(([key]) => key);
  return fc
    .record(model, { requiredKeys, noNullPrototype: true })
    .map((values) => ({ message: name, ...values }) as unknown as Message);
}

export type Heard = {
  readonly messages: Message[];
  readonly unknown: string[];
  foreign: string | undefined;
  /** Why it could not be read on. */
  error: string | undefined;
  /** Octets that were not read, behind `compress`. */
  rest: number;
};

/** What is heard of a stream that comes in these pieces. */
export function hear(pieces: Iterable<Uint8Array>, limits?: WireLimits): Heard {
  const heard: Heard = { messages: [], unknown: [], foreign: undefined, error: undefined, rest: 0 };
  const reader = new MessageReader(
    {
      message: (message) => heard.messages.push(message),
      unknown: (name) => heard.unknown.push(name),
      foreign: (reason) => {
        heard.foreign = reason;
      },
    },
    limits,
  );
  try {
    for (const piece of pieces) heard.rest += piece.length - reader.read(piece);
  } catch (error) {
    if (!(error instanceof StreamError)) throw error;
    heard.error = error.message;
  }
  return heard;
}

export function hearText(text: string, limits?: WireLimits): Heard {
  return hear([Buffer.from(text)], limits);
}

/** Each octet on its own. */
export function octetByOctet(octets: Uint8Array): Uint8Array[] {
  return Array.from(octets, (octet) => Uint8Array.of(octet));
}
