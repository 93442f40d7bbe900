// Patterns over octets find what regular expressions of JavaScript find, however the text is cut, and in bounded time.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { OctetPattern } from '../../src/core/octet-pattern.ts';
import { PatternError } from '../../src/core/octet-pattern-parser.ts';

const QUANTIFIERS = ['*', '+', '?', '{2}', '{1,3}', '{2,}', '{0,2}', '*?'];

/** Patterns that mean the same here and in JavaScript, over few letters so that they are found often. */
const { pattern } = fc.letrec<{ pattern: string; sequence: string; piece: string; atom: string }>((tie) => ({
  pattern: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('sequence'),
    fc.tuple(tie('sequence'), tie('sequence')).map((parts) => parts.join('|')),
  ),
  sequence: fc.array(tie('piece'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('')),
  piece: fc.oneof(
    { weight: 3, arbitrary: tie('atom') },
    fc.tuple(tie('atom'), fc.constantFrom(...QUANTIFIERS)).map((parts) => parts.join('')),
  ),
  atom: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('a', 'b', 'c', '.', '[ab]', '[^a]', '[a-c]', '\\d', '\\n', '\\x62', '\\.', '\\s', '[\\d-]'),
    tie('pattern').map((inside) => `(${inside})`),
    tie('pattern').map((inside) => `(?:${inside})`),
  ),
}));
const anchored = fc.tuple(fc.constantFrom('', '^'), pattern, fc.constantFrom('', '$')).map((parts) => parts.join(''));
const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '.', '1', '\n', '-', '\xff'), maxLength: 14 });

it('finds what JavaScript finds', () => {
  fc.assert(
    fc.property(anchored, text, (source, subject) => {
      const isFound = new OctetPattern(source).isIn(Buffer.from(subject, 'latin1'));
      assert.equal(isFound, new RegExp(source, 's').test(subject));
    }),
    { numRuns: 5000 },
  );
});

it('finds the same however the text is cut', () => {
  fc.assert(
    fc.property(anchored, text, fc.array(fc.nat(14)), (source, subject, cuts) => {
      const octets = Buffer.from(subject, 'latin1');
      const found = new OctetPattern(source);
      let state = found.start;
      let from = 0;
      for (const to of [...cuts.sort((one, other) => one - other), octets.length]) {
        const end = Math.max(from, Math.min(to, octets.length));
        state = found.advance(state, octets, from, end);
        from = end;
      }
      assert.equal(state.isFoundAtEnd, found.isIn(octets));
    }),
  );
});

it('throws nothing but what says why a pattern is none', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...Array.from('ab\\()[]{}*+?|^$.-,:19xd')), maxLength: 20 }), (source) => {
      try {
        new OctetPattern(source).isIn(Buffer.from('ab(c)1'));
      } catch (error) {
        assert.ok(error instanceof PatternError, String(error));
        assert.ok(error.message.length > 0);
      }
    }),
    { numRuns: 5000 },
  );
});
