// Patterns of people over octets of strangers.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { OctetPattern } from '../../../src/core/octet-pattern.ts';
import { PatternError } from '../../../src/core/octet-pattern-parser.ts';

const isIn = (pattern: string, text: string): boolean => new OctetPattern(pattern).isIn(Buffer.from(text, 'utf8'));

it('reads what people write as receive strings', () => {
  const answer = 'HTTP/1.1 200 OK\r\nServer: x\r\n\r\n{"status":"up","tür":1}\n';
  for (const found of [
    '200 OK',
    '^HTTP/1\\.[01] 20[0-9]',
    'HTTP/1.(0|1) (200|302)',
    '{"status":"up"',
    '"status":"(up|degraded)"',
    'status.+up',
    'OK\\r\\nServer',
    'OK.*"up"',
    '[[:digit:]]{3} [[:upper:]]+',
    'tür',
    't\\xc3\\xbcr',
    't\\303\\274r',
    'up",.*}\\s$',
    '[]x]',
    '[^]x]',
    '[a\\]]',
    'x|',
    '+|200',
    '200 OK|',
  ]) {
    assert.ok(isIn(found, answer), found);
  }
  for (const missing of ['200 ok', '^Server', 'OK$', 'down', '201|202', '[[:cntrl:]]{5}', 'Server: [^x]', 'tur']) {
    assert.ok(!isIn(missing, answer), missing);
  }
  assert.ok(isIn('+OK', '+OK ready'));
  assert.ok(isIn('', ''));
  assert.ok(isIn('^$', ''));
  assert.ok(!isIn('^$', 'x'));
  assert.ok(isIn('a{2}', 'baab'));
  assert.ok(isIn('a{x}', 'a{x}'));
});

it('says what is wrong with a pattern', () => {
  const cases: [string, RegExp][] = [
    ['(a', /a \( has no \)/],
    ['a)', /a \) has no \(/],
    ['[a', /a \[ has no \]/],
    ['[z-a]', /the wrong way round/],
    ['a{3,2}', /the wrong way round/],
    ['a{1000}', /more than 255 repetitions/],
    ['a**', /\* repeats what is repeated already/],
    ['(?=a)', /there is only \(\?:…\)/],
    ['(a)\\1', /\\1 means nothing/],
    ['\\q', /\\q means nothing/],
    ['a\\', /nothing stands behind/],
    ['[[:nothing:]]', /no characters of class/],
    ['[ä]', /beyond ASCII/],
    ['((a{255}){255})', /too large/],
    ['((((){255}){255}){255}){255}', /too large/],
    [`${'('.repeat(200)}${')'.repeat(200)}`, /more than 100 parentheses/],
  ];
  for (const [pattern, message] of cases) {
    assert.throws(
      () => new OctetPattern(pattern),
      (error: Error) => error instanceof PatternError && message.test(error.message),
      pattern,
    );
  }
});

it('takes time in proportion to the text, whatever pattern and text are', () => {
  const text = Buffer.from('a'.repeat(5000) + '!', 'latin1');
  const random = Buffer.from(Array.from({ length: 5120 }, (_, index) => 97 + (((index * index * 7919) % 31) % 2)));
  for (const pattern of [
    '(a+)+b',
    '(a|aa)+b',
    '((a*)*)*b',
    '(.*)(.*)(.*)(.*)(.*)x',
    '(a|b)*a(a|b){200}c',
    '(x?){200}x{200}',
  ]) {
    const found = new OctetPattern(pattern);
    const begun = performance.now();
    for (const octets of [text, random, random.subarray(1)]) found.isIn(octets);
    // A backtracking engine would need longer than the universe is old.
    assert.ok(performance.now() - begun < 6000, `${pattern}: ${performance.now() - begun} ms`);
  }
});

it('forgets states when there are too many, and goes on', () => {
  const pattern = new OctetPattern('(a|b)*a(a|b){14}c');
  const octets = Buffer.from(
    Array.from({ length: 200_000 }, (_, index) => 97 + (Math.imul(index, 2_654_435_761) >>> 31)),
  );
  const state = pattern.advance(pattern.start, octets, 0, octets.length);
  assert.equal(state.isFound, false);
  const end = Buffer.concat([Buffer.from('a'), Buffer.alloc(14, 'b'), Buffer.from('c')]);
  assert.equal(pattern.advance(state, end, 0, end.length).isFound, true);
});
