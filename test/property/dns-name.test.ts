import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  checkName,
  compareNames,
  formatName,
  formatRelativeName,
  isSubdomain,
  lowerName,
  nameOf,
  parseName,
  sameName,
} from '../../src/dns/name.ts';
import { hashName } from '../../src/dns/name-hash.ts';
import type { DomainName } from '../../src/dns/record.ts';
import { nameBelow } from '../support/random-zones.ts';

const name = nameBelow(nameOf('.'), 3);
const pair = fc.tuple(name, name);

/** Labels as lower-case text of one character an octet, the last first. */
function model(of: DomainName): string[] {
  const labels: string[] = [];
  for (let at = 0; of[at] !== 0; at += 1 + of[at]!) {
    labels.unshift(
      Buffer.from(of.subarray(at + 1, at + 1 + of[at]!))
        .toString('latin1')
        .replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()),
    );
  }
  return labels;
}

function compareModels(a: string[], b: string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i] !== b[i]) return a[i]! < b[i]! ? -1 : 1;
  }
  return Math.sign(a.length - b.length);
}

describe('domain names', () => {
  it('are read as they were printed', () => {
    fc.assert(
      fc.property(pair, ([a, origin]) => {
        assert.deepEqual(parseName(formatName(a)), a);
        // What belongs to the origin has its spelling.
        const relative = parseName(formatRelativeName(a, origin), origin);
        assert.ok(typeof relative !== 'number' && sameName(relative, a));
        const below = Uint8Array.from([...a.subarray(0, -1), ...origin]);
        if (below.length <= 255) {
          assert.deepEqual(parseName(formatRelativeName(below, origin), origin), below);
        }
      }),
      { examples: [[[Uint8Array.of(1, 97, 0), Uint8Array.of(1, 65, 0)]]] },
    );
  });

  it('are compared as the model compares them', () => {
    const related = pair.map(([a, b]) => [a, Uint8Array.from([...b.subarray(0, -1), ...a])] as const);
    fc.assert(
      fc.property(fc.oneof(pair, related), ([a, b]) => {
        const expected = compareModels(model(a), model(b));
        assert.equal(Math.sign(compareNames(a, b)), expected);
        assert.equal(Math.sign(compareNames(b, a)), 0 - expected);
        assert.equal(sameName(a, b), expected === 0);
        if (expected === 0) assert.equal(hashName(a), hashName(b));
        const [ancestor, descendant] = [model(a), model(b)];
        assert.equal(
          isSubdomain(b, a),
          ancestor.every((label, i) => label === descendant[i]),
        );
      }),
      { numRuns: 2000 },
    );
  });

  it('are the same in lower case', () => {
    fc.assert(
      fc.property(name, (a) => {
        const lower = a.slice();
        lowerName(lower);
        assert.ok(sameName(a, lower));
        assert.equal(hashName(a), hashName(lower));
        assert.deepEqual(model(lower), model(a));
      }),
    );
  });

  it('of any text are names or errors', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => {
        const parsed = parseName(text, nameOf('example.org.'));
        if (typeof parsed === 'number') assert.ok(parsed < 0);
        else assert.equal(checkName(parsed, 0, parsed.length), parsed.length);
      }),
      { numRuns: 2000 },
    );
  });
});
