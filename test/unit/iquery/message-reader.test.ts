import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MessageReader } from '../../../src/iquery/message-reader.ts';
import { MESSAGE_NAMES, SHAPES } from '../../../src/iquery/message-shape.ts';
import { writeMessage } from '../../../src/iquery/message-writer.ts';
import { fieldsOf, type Message } from '../../../src/iquery/messages.ts';
import { StreamError } from '../../../src/iquery/stream-error.ts';
import { WIRE_LIMITS } from '../../../src/iquery/wire-limits.ts';
import { hear, hearText, octetByOctet, OFFER, OPENED } from '../../support/iquery-messages.ts';

const RESOLVER: Message = { message: 'resolver', address: '192.0.2.1' };

/** What is said of a document that goes on like this, once it has shown that it speaks the grammar. */
const errorOf = (rest: string): string | undefined => hearText(OPENED + rest).error;

/** What comes of it behind the offer. */
function messagesOf(rest: string): Message[] {
  const { messages, error } = hearText(OPENED + rest);
  assert.equal(error, undefined);
  return messages.slice(1);
}

describe('messages of a stream', () => {
  it('come with the values of their fields, in any order, and without those that are optional and not there', () => {
    assert.deepEqual(messagesOf('<heartbeat><time> 12\n</time><number>3</number></heartbeat>'), [
      { message: 'heartbeat', time: 12, number: 3 },
    ]);
    assert.deepEqual(
      messagesOf(
        '<subscribe><grammar>1</grammar><device>d</device><device_id/><time>1</time>' +
          '<sync_group>default</sync_group><is_gtm>yes</is_gtm></subscribe>',
      ),
      [
        {
          ...{ message: 'subscribe', grammar: 1, device: 'd', device_id: '', time: 1, compression: [] },
          ...{ sync_group: 'default', is_gtm: true },
        },
      ],
    );
  });

  it('are those of a greeting as a BIG-IP sends it', () => {
    const heard = hearText(
      '<?xml version="1.0"?>\n<xml_connection>\n<version>16.1.3.3</version>\n' +
        '<big3d>big3d Version 16.1.3.3.0.0.3</big3d>\n<connection_id>847</connection_id>\n',
    );
    assert.deepEqual(heard.messages, [
      { message: 'version', value: '16.1.3.3' },
      { message: 'big3d', value: 'big3d Version 16.1.3.3.0.0.3' },
      { message: 'connection_id', value: '847' },
    ]);
  });

  it('do not mind attributes, comments, instructions, references and line ends of other systems', () => {
    assert.deepEqual(
      messagesOf(
        `<!-- <resolver> --><resolver a='>' b = "&lt;" ><?p <address?><address xml:space="default" >a&#x3c;&#98;` +
          '<!-- - -->&amp;&quot;&apos;&gt;\r\nc\rd</address ></resolver\n>',
      ),
      [{ message: 'resolver', address: 'a<b&"\'>\nc\nd' }],
    );
  });

  it('come at the last octet of each, however they are cut', () => {
    const octets = Buffer.from(
      OPENED + writeMessage(RESOLVER).trimEnd() + writeMessage({ message: 'bye', reason: 'späť €𝄞' }),
    );
    assert.deepEqual(hear(octetByOctet(octets)), hear([octets]));
    assert.deepEqual(hear(octetByOctet(octets)).messages, [OFFER, RESOLVER, { message: 'bye', reason: 'späť €𝄞' }]);
  });

  it('end behind compress, whose next octets are read when they are inflated', () => {
    const text = `${OPENED}<compress><method>gzip</method></compress>`;
    const messages: Message[] = [];
    const reader = new MessageReader({
      message: (message) => messages.push(message),
      unknown: (name) => assert.ok(false, name),
    });
    const octets = Buffer.concat([Buffer.from(text), Buffer.of(0x0a, 0x1f, 0x8b, 0xe2)]);
    assert.equal(reader.read(octets), text.length);
    assert.equal(reader.read(Buffer.from(writeMessage(RESOLVER))), writeMessage(RESOLVER).length);
    assert.deepEqual(messages.slice(1), [{ message: 'compress', method: 'gzip' }, RESOLVER]);
  });

  it('are read at the size that the largest of each kind can have', () => {
    const worst = (most: number): string => '\r'.repeat(most);
    for (const name of MESSAGE_NAMES) {
      const values = Object.entries(fieldsOf(name)!).map(([key, { shape, most, choices }]) => {
        if (shape === 'text') return [key, worst(most)];
        if (shape === 'integer') return [key, Number.MAX_SAFE_INTEGER];
        if (shape === 'flag') return [key, true];
        return [key, shape === 'choice' ? choices[0] : Array.from({ length: most }, () => worst(512))];
      });
      const message = { message: name, ...Object.fromEntries(values) } as Message;
      const text = writeMessage(message);
      assert.ok(text.length < WIRE_LIMITS.messageOctets, `${name}: ${text.length}`);
      if ('grammar' in message) continue;
      if (name === 'compress') continue;
      assert.deepEqual(messagesOf(text), [message]);
    }
    assert.ok(SHAPES.size > 15);
  });
});

describe('what is skipped', () => {
  it('is what no table has, whole, and told once', () => {
    const odd = '<future a="1">text<vs><name>x</name></vs><deep><deeper/></deep></future>';
    const heard = hearText(
      `${OPENED}${odd}${odd}<resolver><more><address>1</address></more><address>2</address></resolver>`,
    );
    assert.deepEqual(heard.messages, [OFFER, { message: 'resolver', address: '2' }]);
    assert.deepEqual(heard.unknown, ['future', 'resolver/more']);
    assert.equal(heard.error, undefined);
  });

  it('is told of for so many names only', () => {
    const names = Array.from({ length: 500 }, (_, index) => `<n${index}/>`);
    assert.equal(hearText(OPENED + names.join('')).unknown.length, WIRE_LIMITS.toldNames);
  });

  it('is not taken for a name that every object has', () => {
    const heard = hearText(`${OPENED}<constructor/><__proto__/><resolver><toString/><address>1</address></resolver>`);
    assert.deepEqual(heard.unknown, ['constructor', '__proto__', 'resolver/toString']);
    assert.deepEqual(heard.messages[1], { message: 'resolver', address: '1' });
  });
});

describe('a peer that does not speak the grammar', () => {
  it('may send elements of our names that say something else', () => {
    const heard = hearText('<xml_connection><version>16</version><vs><ip>1</ip></vs><server up="1"/><vs/>');
    assert.deepEqual(heard.messages, [{ message: 'version', value: '16' }]);
    assert.deepEqual(heard.unknown, ['vs', 'server']);
    assert.equal(heard.foreign ?? heard.error, undefined);
  });

  it('is foreign once it cannot be read, and then nothing of it is looked at', () => {
    const pieces = ['<xml_connection><version>16</version>', '\u001f\u0000', '<version>17</version>'].map((text) =>
      Buffer.from(text),
    );
    const heard = hear(pieces);
    assert.equal(heard.messages.length, 1);
    assert.match(heard.foreign!, /0x1f is a control character/);
    assert.equal(heard.error, undefined);
  });

  it('is one of another version, too', () => {
    const other = writeMessage({ ...OFFER, grammar: 2 } as Message);
    const heard = hearText(`<xml_connection>${other}<vs><address>somewhere</address></vs>`);
    assert.deepEqual(heard.messages, [{ ...OFFER, grammar: 2 }]);
    assert.deepEqual(heard.unknown, ['vs']);
  });
});

describe('what ends a stream, in words', () => {
  const CASES: readonly (readonly [name: string, rest: string, error: RegExp])[] = [
    ['a field that is missing', '<resolver></resolver>', /^the message resolver has no field address$/],
    [
      'a field that is double',
      '<resolver><address>1</address><address>2</address></resolver>',
      /^the field address of the message resolver is there twice$/,
    ],
    [
      'a number',
      '<heartbeat><number>-1</number></heartbeat>',
      /^the field number of the message heartbeat is "-1", which is no whole number from 0 to 2\^53 - 1$/,
    ],
    [
      'a number beyond',
      '<heartbeat><number>9007199254740992</number></heartbeat>',
      /"9007199254740992", which is no whole number/,
    ],
    [
      'no number',
      '<heartbeat><number> </number></heartbeat>',
      /number of the message heartbeat is " ", which is no whole/,
    ],
    [
      'a flag',
      `<subscribe><is_gtm>true</is_gtm></subscribe>`,
      /is_gtm of the message subscribe is "true", which is neither yes nor no/,
    ],
    [
      'a choice',
      '<vs><state>on</state></vs>',
      /state of the message vs is "on", which is none of enabled, disabled, disabled-by-parent/,
    ],
    [
      'a text',
      `<resolver><address>${'x'.repeat(513)}</address></resolver>`,
      /address of the message resolver is longer than 512 characters: it begins "x{60}…"/,
    ],
    [
      'a text of long characters',
      `<resolver><address>${'€'.repeat(513)}</address></resolver>`,
      /longer than 512 characters: it begins "€{60}…"/,
    ],
    [
      'a list',
      `<offer>${'<compression>x</compression>'.repeat(65)}</offer>`,
      /compression of the message offer is there more than 64 times/,
    ],
    [
      'an element in a text',
      '<resolver><address>1<b/></address></resolver>',
      /address of the message resolver holds the element "b"/,
    ],
    ['an element in a plain text', '<version>1<b/></version>', /the message version holds the element "b"/],
    [
      'text between fields',
      '<resolver>x<address>1</address></resolver>',
      /the message resolver holds text between its fields/,
    ],
    ['text between messages', 'x', /"x" stands between elements, where only an element can/],
    ['another end', '<resolver></vs>', /the element "resolver" is ended by another name/],
    ['another end that begins alike', '<resolver></resolvers>', /the element "resolver" is ended by another name/],
    ['a second root', '</xml_connection><xml_connection>', /a second root element begins behind the end of the first/],
    ['text behind the root', '</xml_connection> x', /"x" stands behind the document/],
    ['an end behind the root', '</xml_connection></a>', /an element ends that has not begun/],
    ['a document type', '<!DOCTYPE a [<!ENTITY b "c">]>', /a declaration or a CDATA section/],
    ['CDATA', '<resolver><address><![CDATA[1]]></address></resolver>', /a declaration or a CDATA section/],
    ['an entity', '<resolver><address>&b;</address></resolver>', /"&b" begins a reference to no character/],
    ['an entity without end', `<resolver><address>&${'a'.repeat(50)}`, /"&a{12}" begins a reference to no character/],
    ['a reference to NUL', '<bye><reason>&#0;</reason></bye>', /"&#0" begins a reference to no character/],
    ['a reference to half a character', '<bye><reason>&#xD800;</reason></bye>', /"&#xD800" begins a reference to no/],
    ['a reference beyond', '<bye><reason>&#x110000;</reason></bye>', /"&#x110000" begins a reference to no/],
    ['NUL', '<bye><reason>\0</reason></bye>', /the octet 0x00 is a control character/],
    ['a noncharacter', '<bye><reason>\uffff</reason></bye>', /the octet 0xbf is no UTF-8 where it stands/],
    ['depth', '<a>'.repeat(40), /more than 32 elements are nested, the most there may be/],
    ['a long name', `<${'a'.repeat(129)}`, /a name of an element is longer than 128 octets/],
    ['a long attribute', `<a b="${'c'.repeat(5000)}`, /a start tag is longer than 4096 octets/],
    ['many attributes', `<a ${'b="c" '.repeat(1000)}`, /a start tag is longer than 4096 octets/],
    ['a large unknown element', `<a>${'b'.repeat(300_000)}`, /the element "a" is larger than 262144 octets/],
    ['a large comment', `<!--${'b'.repeat(300_000)}`, /what stands between two elements is larger than 262144 octets/],
    ['a tag in a tag', '<a <b>', /"<" stands in a tag where it cannot/],
    ['an attribute without value', '<a b>', /">" stands in a tag where it cannot/],
    ['no name', '<1>', /"1" stands behind "<", where a name begins/],
    ['a comment in a comment', '<!-- -- -->', /"--" stands in a comment/],
  ];
  for (const [name, rest, error] of CASES) {
    it(name, () => {
      assert.match(errorOf(rest) ?? 'no error', error);
      // And alike when each octet comes alone.
      assert.equal(hear(octetByOctet(Buffer.from(OPENED + rest))).error, errorOf(rest));
    });
  }

  it('another root, for a peer that has shown nothing: it is foreign', () => {
    assert.match(hearText('<html>').foreign!, /begins with the element "html", not with "xml_connection"/);
    assert.match(hearText('HTTP/1.1 400').foreign!, /"H" stands before the document/);
  });

  it('octets that are no UTF-8, cut anywhere', () => {
    for (const bad of [
      [0x80],
      [0xc1, 0x80],
      [0xe0, 0x80, 0x80],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf5],
      [0xe2, 0x82, 0x3c],
    ]) {
      const octets = Buffer.concat([
        Buffer.from(`${OPENED}<bye><reason>`),
        Buffer.from(bad),
        Buffer.from('</reason></bye>'),
      ]);
      assert.match(hear([octets]).error ?? '', /is no UTF-8 where it stands/, String(bad));
      assert.equal(hear(octetByOctet(octets)).error, hear([octets]).error);
    }
  });

  it('and it stays ended', () => {
    const reader = new MessageReader({ message: () => undefined, unknown: () => undefined });
    reader.read(Buffer.from(OPENED));
    for (let time = 0; time < 2; time++) assert.throws(() => reader.read(Buffer.from('<1')), StreamError);
  });
});
