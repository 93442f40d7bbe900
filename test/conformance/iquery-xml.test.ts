// beside others
// time-out: 120 s
// The mesh's documents are XML to others: xmllint and Python's expat read what is written here, and what Python writes is read here.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { DOCUMENT_END, DOCUMENT_START, writeMessage } from '../../src/iquery/message-writer.ts';
import type { Message } from '../../src/iquery/messages.ts';
import { anyMessage, hear, OFFER } from '../support/iquery-messages.ts';

const messages: readonly Message[] = [
  OFFER,
  ...fc.sample(anyMessage, { numRuns: 2000, seed: 20_261_130 }).filter(({ message }) => message !== 'compress'),
];
const GREETING = DOCUMENT_START + writeMessage({ message: 'version', value: '0.1.0' });

/** What is said of messages by their elements: `[name, [[field, text], …]]`, or a text instead of fields. */
type Said = [name: string, fields: [string, string][] | string];

/** As the table has it, without this project's writer. */
function saidBy(message: Message): Said {
  const { message: name, ...values } = message as { message: string } & Record<string, unknown>;
  if ('value' in values) return [name, String(values.value)];
  const word = (value: unknown): string => (typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value));
  const fields = Object.entries(values).flatMap(([key, value]) =>
    (Array.isArray(value) ? value : [value]).map((item): [string, string] => [key, word(item)]),
  );
  return [name, fields];
}

function python(script: string, input: string): Buffer {
  return execFileSync('python3', ['-c', script], { input, maxBuffer: 256 * 1_048_576 });
}

const READ = `
import sys, json, xml.etree.ElementTree as tree
parser = tree.XMLParser()
octets = sys.stdin.buffer.read()
for at in range(0, len(octets), 777): parser.feed(octets[at:at + 777])
said = []
for element in parser.close():
    if len(element): said.append([element.tag, [[field.tag, field.text or ''] for field in element]])
    else: said.append([element.tag, element.text or ''])
json.dump(said, sys.stdout)
`;

test('Python reads every message as it was meant', () => {
  const document = GREETING + messages.map((message) => writeMessage(message)).join('') + DOCUMENT_END;
  const read = JSON.parse(python(READ, document).toString()) as Said[];
  // An element without fields and one with an empty text look alike.
  const expected = messages
    .map((message) => saidBy(message))
    .map(([name, said]): Said => [name, said.length === 0 ? '' : said]);
  assert.deepEqual(read.slice(1), expected);
  assert.equal(read.length, messages.length + 1);
});

test('xmllint finds a transcript well-formed', () => {
  const document = GREETING + messages.map((message) => writeMessage(message)).join('') + DOCUMENT_END;
  execFileSync('xmllint', ['--stream', '--noout', '-'], { input: document, stdio: ['pipe', 'pipe', 'pipe'] });
  // It would say so if it were not.
  assert.throws(() =>
    execFileSync('xmllint', ['--stream', '--noout', '-'], {
      input: document.replace('</xml_connection>', ''),
      stdio: ['pipe', 'pipe', 'pipe'],
    }),
  );
});

const WRITE = `
import sys, json
from xml.sax.saxutils import XMLGenerator
out = XMLGenerator(sys.stdout.buffer, encoding='utf-8', short_empty_elements=True)
def text(value):
    # A carriage return as it is would be read as a line feed by everybody.
    for index, part in enumerate(value.split('\\r')):
        if index: out.ignorableWhitespace('&#13;')
        out.characters(part)
out.startDocument()
out.startElement('xml_connection', {})
for name, said in json.load(sys.stdin):
    out.characters('\\n  ')
    out.startElement(name, {'written-by': '<"python">'})
    if isinstance(said, str): text(said)
    else:
        for field, value in said:
            out.ignorableWhitespace('\\n    ')
            out.startElement(field, {})
            text(value)
            out.endElement(field)
    out.endElement(name)
`;

test('what Python writes is read here', () => {
  const written = python(WRITE, JSON.stringify(messages.map((message) => saidBy(message))));
  assert.match(
    written.toString(),
    /^<\?xml version="1.0" encoding="utf-8"\?>\n<xml_connection>\n {2}<offer written-by=/,
  );
  const pieces = Array.from({ length: Math.ceil(written.length / 1000) }, (_, index) =>
    written.subarray(index * 1000, index * 1000 + 1000),
  );
  const { messages: read, error, unknown, foreign } = hear(pieces);
  assert.equal(error ?? foreign, undefined);
  assert.deepEqual(unknown, []);
  assert.deepEqual(read, messages);
});
