// time-out: 900 s
// Hostile streams of the mesh: what is mutated is read as whole messages or ends with a reason; what never ends, in names, texts,
// nesting, references, attributes or compression, takes no memory. WIDEPLANE_FUZZ_STREAMS says how many are mutated (20,000
// otherwise, a million in the long form), WIDEPLANE_FUZZ_SEED with which seed.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createGzip } from 'node:zlib';
import fc from 'fast-check';
import { createInflater, INFLATE_LIMITS } from '../../src/assembly/iqueryd/compression.ts';
import { MessageReader } from '../../src/iquery/message-reader.ts';
import { writeMessage } from '../../src/iquery/message-writer.ts';
import type { Message } from '../../src/iquery/messages.ts';
import { StreamError } from '../../src/iquery/stream-error.ts';
import { WIRE_LIMITS } from '../../src/iquery/wire-limits.ts';
import { anyMessage, hear, OPENED } from '../support/iquery-messages.ts';
import { Random } from './mutator.ts';

const IS_LONG = process.env.WIDEPLANE_LONG === '1';
const STREAMS = Number(process.env.WIDEPLANE_FUZZ_STREAMS ?? (IS_LONG ? 1_000_000 : 20_000));
const SEED = Number(process.env.WIDEPLANE_FUZZ_SEED ?? 20_261_130);
/** Of each stream without end. */
const POURED_OCTETS = (IS_LONG ? 256 : 8) * 1_048_576;
/** Of each bomb before it is compressed. */
const BOMB_OCTETS = IS_LONG ? 1_000_000_000 : 60_000_000;
/** That a reader may keep, whatever comes: the longest field twice, the names, and what the measurement is out by. */
const KEPT_OCTETS = 4 * 1_048_576;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function memory(): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** What markup is made of, and what breaks it. */
const SNIPPETS = [
  ...[
    '<',
    '>',
    '/',
    '</',
    '/>',
    '<!',
    '<!--',
    '-->',
    '--',
    '<?',
    '?>',
    '<![CDATA[',
    ']]>',
    '<!DOCTYPE a>',
    '<!ENTITY b "c">',
  ],
  ...['&', ';', '&amp;', '&lt;', '&#0;', '&#10;', '&#x110000;', '&#xD800;', '&a;', '&amp', '&#x;', '&#;'],
  ...[' a="b"', " a='<'", ' a', '="', '"', "'", ' ', '\r', '\r\n', '\n', '\t', '\0', '\u001f', '\u007f', '\ufffe'],
  ...[
    '<vs>',
    '</vs>',
    '<name>',
    '</name>',
    '<vs/>',
    '<port>1</port>',
    '<xml_connection>',
    '</xml_connection>',
    '<_/>',
    '<é/>',
  ],
  ...[
    '-1',
    '0x1',
    '1e9',
    '9007199254740993',
    'yes',
    '€',
    '𝄞',
    '<heartbeat><number>1</number><time>2</time></heartbeat>',
  ],
].map((text) => Buffer.from(text));
const BROKEN = [[0x80], [0xc0, 0x80], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf5], [0xff], [0xef, 0xbf, 0xbf]].map(
  (octets) => Buffer.from(octets),
);

function mutate(random: Random, octets: Buffer): Buffer {
  let result = octets;
  for (let round = random.pick([0, 1, 1, 1, 2, 3, 6]); round > 0; round--) {
    const at = random.below(result.length + 1);
    const until = Math.min(result.length, at + random.pick([0, 0, 1, 2, 8, 60]));
    const piece = random.chance(80)
      ? random.pick(SNIPPETS)
      : random.chance(50)
        ? random.pick(BROKEN)
        : Buffer.of(random.below(256));
    const put = random.chance(15) ? octets.subarray(random.below(octets.length), random.below(octets.length)) : piece;
    result = Buffer.concat([result.subarray(0, at), put, result.subarray(until)]);
  }
  return result;
}

function cut(random: Random, octets: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < octets.length;) {
    const size = 1 + random.below(random.pick([2, 20, 500]));
    pieces.push(octets.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

it(`${STREAMS} mutated streams are read as whole messages, or end with a reason`, () => {
  const random = new Random(SEED);
  const messages = fc.sample(anyMessage, { numRuns: 400, seed: SEED });
  let whole = 0;
  let failed = 0;
  for (let count = 0; count < STREAMS; count++) {
    const own = Array.from({ length: 1 + random.below(4) }, () => writeMessage(random.pick(messages))).join('');
    const octets = Buffer.concat([Buffer.from(OPENED), mutate(random, Buffer.from(own))]);
    const heard = hear(cut(random, octets));
    // Each one that came is one of the table: written and read it is the same.
    const again = hear([
      Buffer.from(OPENED),
      ...heard.messages.slice(1).map((message) => Buffer.from(writeMessage(message))),
    ]);
    if (heard.error === undefined) whole += 1;
    else failed += 1;
    assert.equal(again.error, undefined, own);
    if (!heard.messages.some(isCompress)) assert.deepEqual(again.messages, heard.messages);
    if (heard.error !== undefined) assert.doesNotMatch(heard.error, /[\0-\u001f\u007f]|undefined/);
  }
  console.log(`${whole} read to the end, ${failed} ended with a reason`);
  assert.ok(whole > STREAMS / 10 && failed > STREAMS / 10);
});

const isCompress = ({ message }: Message): boolean => message === 'compress';

describe('a stream without end takes no memory', () => {
  const repeat = (text: string) => (): string => text;
  let count = 0;
  const POURED: Readonly<Record<string, { start?: string; next: () => string; ends: boolean }>> = {
    'elements in each other': { next: () => `<a${++count}>`, ends: true },
    'messages in each other': { next: repeat('<vs>'), ends: true },
    'a name': { start: '<', next: repeat('abcdefgh'), ends: true },
    'a name of a field': { start: '<vs><', next: repeat('abcdefgh'), ends: true },
    'the value of an attribute': { start: '<a b="', next: repeat('cccccccc'), ends: true },
    'the name of an attribute': { start: '<a ', next: repeat('cccccccc'), ends: true },
    attributes: { start: '<a ', next: () => `b${++count}="c" `, ends: true },
    'white space in a tag': { start: '<a', next: repeat('        '), ends: true },
    'an entity': { start: '<bye><reason>&', next: repeat('abcdefgh'), ends: true },
    'digits of a reference': { start: '<bye><reason>&#', next: repeat('00000000'), ends: true },
    'references in a field': { start: '<bye><reason>', next: repeat('&amp;&#x41;'), ends: true },
    'a definition of entities': { start: '<!DOCTYPE a [', next: repeat('<!ENTITY b "&a;&a;">'), ends: true },
    'a CDATA section': { start: '<bye><reason><![CDATA[', next: repeat('abcdefgh'), ends: true },
    'the text of a field': { start: '<bye><reason>', next: repeat('abcdefgh'), ends: true },
    'the text of the longest field': { start: '<config_text><text>', next: repeat('€€€€'), ends: true },
    'a number': { start: '<heartbeat><number>', next: repeat('00000000'), ends: true },
    'white space before a number': { start: '<heartbeat><number>', next: repeat('        '), ends: true },
    'white space in a message': { start: '<heartbeat>', next: repeat('\n       '), ends: true },
    'a list': { start: '<offer>', next: repeat('<compression>x</compression>'), ends: true },
    'unknown fields of a message': { start: '<vs>', next: () => `<f${++count}>1</f${count}>`, ends: true },
    'the text of an unknown element': { start: '<a>', next: repeat('abcdefgh'), ends: true },
    'elements of an unknown element': { start: '<a>', next: () => `<b${++count}/>`, ends: true },
    'a comment': { start: '<!--', next: repeat(' - - - -'), ends: true },
    'a processing instruction': { start: '<?p', next: repeat(' ? ? ? ?'), ends: true },
    comments: { next: () => `<!-- ${++count} -->`, ends: false },
    'unknown elements': { next: () => `<u${++count}>1</u${count}>`, ends: false },
    'white space between messages': { next: repeat('\r\n\t     '), ends: false },
    messages: { next: () => `<heartbeat><number>${++count}</number><time>1</time></heartbeat>`, ends: false },
  };
  for (const [name, { start = '', next, ends }] of Object.entries(POURED)) {
    it(name, () => {
      const reader = new MessageReader({ message: () => undefined, unknown: () => undefined });
      reader.read(Buffer.from(OPENED));
      const before = memory();
      let poured = 0;
      let reason: string | undefined;
      try {
        reader.read(Buffer.from(start));
        while (poured < POURED_OCTETS) {
          let piece = '';
          while (piece.length < 65_536) piece += next();
          const octets = Buffer.from(piece);
          poured += octets.length;
          reader.read(octets);
        }
      } catch (error) {
        if (!(error instanceof StreamError)) throw error;
        reason = error.message;
      }
      const kept = memory() - before;
      console.log(`${name}: ${reason ?? 'goes on'}; ${poured} octets came, ${kept} are kept`);
      assert.equal(reason !== undefined, ends, reason);
      if (ends) assert.ok(poured < 3 * WIRE_LIMITS.messageOctets + 65_536, `ended only after ${poured} octets`);
      assert.ok(kept < KEPT_OCTETS, `${kept} octets are kept`);
      // What is measured must still be there.
      assert.ok(reader.isOurs);
    });
  }
});

/** A gzip stream of this many octets, made of what `next` gives. */
async function gzipOf(octets: number, next: (index: number) => Buffer): Promise<Buffer> {
  const gzip = createGzip({ level: 9 });
  const parts: Buffer[] = [];
  gzip.on('data', (part: Buffer) => parts.push(part));
  for (let made = 0, index = 0; made < octets; index++) {
    const piece = next(index);
    made += piece.length;
    if (!gzip.write(piece)) await once(gzip, 'drain');
  }
  gzip.end();
  await once(gzip, 'end');
  return Buffer.concat(parts);
}

/** Inflated and read, in pieces of a size: why it ended. */
async function readInflated(
  octets: Buffer,
  pieceOctets: number,
): Promise<{ reason: string; came: number; peak: number }> {
  const reader = new MessageReader({ message: () => undefined, unknown: () => undefined });
  reader.read(Buffer.from(OPENED));
  const before = process.memoryUsage().rss;
  let came = 0;
  let peak = 0;
  const reason = await new Promise<string>((resolve) => {
    let at = 0;
    const inflater = createInflater({
      output: (piece) => {
        came += piece.length;
        peak = Math.max(peak, process.memoryUsage().rss - before);
        reader.read(piece);
      },
      failed: resolve,
      drained: () => feed(),
    });
    const feed = (): void => {
      let goesOn = true;
      while (goesOn && at < octets.length) {
        goesOn = inflater.write(octets.subarray(at, at + pieceOctets));
        at += pieceOctets;
      }
    };
    feed();
  });
  return { reason, came, peak };
}

describe('a gzip bomb ends with a reason', () => {
  const heartbeat = Buffer.from('<heartbeat><number>1</number><time>1</time></heartbeat>'.repeat(2000));
  const BOMBS: Readonly<Record<string, { next: (index: number) => Buffer; reason: RegExp }>> = {
    'of white space': { next: () => SPACES, reason: /inflates to more than 100 times/ },
    'of small messages': { next: () => heartbeat, reason: /inflates to more than 100 times/ },
    'of one text': {
      next: (index) => (index === 0 ? Buffer.from('<bye><reason>') : SPACES),
      reason: /reason of the message bye is longer than/,
    },
    'of one unknown element': {
      next: (index) => (index === 0 ? Buffer.from('<a>') : SPACES),
      reason: /the element "a" is larger than/,
    },
    'of NULs': { next: () => Buffer.alloc(100_000), reason: /0x00 is a control character/ },
  };
  for (const [name, { next, reason }] of Object.entries(BOMBS)) {
    it(name, async () => {
      const bomb = await gzipOf(BOMB_OCTETS, next);
      for (const pieceOctets of [bomb.length, 16_384, 1000]) {
        const ended = await readInflated(bomb, pieceOctets);
        const mib = (ended.peak / 1_048_576).toFixed(0);
        console.log(
          `${bomb.length} octets by ${pieceOctets}: ${ended.reason} (${ended.came} came out, ${mib} MiB more at most)`,
        );
        assert.match(ended.reason, reason);
        assert.ok(ended.came < 3 * INFLATE_LIMITS.allowance, `${ended.came} came out`);
        assert.ok(ended.peak < 64 * 1_048_576, `${mib} MiB`);
      }
    });
  }
});

const SPACES = Buffer.alloc(100_000, ' ');

it('damaged compressed streams end with a reason, or are read', async () => {
  const random = new Random(SEED + 1);
  const messages = fc.sample(anyMessage, { numRuns: 200, seed: SEED });
  const reasons = new Map<string, number>();
  for (let count = 0; count < STREAMS / 40; count++) {
    const text = Array.from({ length: 20 }, () => writeMessage(random.pick(messages)));
    const octets = await gzipOf(1, () => Buffer.from(text.join('')));
    for (let changes = 1 + random.below(3); changes > 0; changes--)
      octets[random.below(octets.length)] = random.below(256);
    // Half of one is what a peer has sent that has gone: it waits for more, so an end is put to it.
    const sent = random.chance(30)
      ? Buffer.concat([octets.subarray(0, random.below(octets.length)), Buffer.alloc(300, 0xff)])
      : octets;
    const { reason } = await Promise.race([readInflated(sent, 1 + random.below(500)), silence()]);
    const kind = reason.replace(/".*"/, '"…"').replace(/0x\w\w/, '0x…');
    reasons.set(kind, (reasons.get(kind) ?? 0) + 1);
  }
  const most = [...reasons].sort((a, b) => b[1] - a[1]).slice(0, 8);
  console.log(most.map(([reason, times]) => `${times} ${reason}`).join('\n'));
  assert.ok(reasons.size > 3);
});

/** A stream whose header says that more of it comes waits for that: it is no failure. */
async function silence(): Promise<{ reason: string }> {
  await new Promise((resolve) => setTimeout(resolve, 300));
  return { reason: 'waits for more' };
}
