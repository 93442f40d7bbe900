import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  NAME_ERROR,
  ROOT_NAME,
  checkName,
  compareNames,
  countLabels,
  formatName,
  formatRelativeName,
  isSubdomain,
  isWildcard,
  lowerName,
  nameErrorText,
  nameOctets,
  nameOf,
  parentName,
  parseName,
  sameName,
  suffixOffsets,
  writeName,
} from '../../../src/dns/name.ts';
import { hashName } from '../../../src/dns/name-hash.ts';

const label63 = 'a'.repeat(63);
/** 3 × 64 + 62 + 1 = 255 octets. */
const name255 = `${label63}.${label63}.${label63}.${'b'.repeat(61)}.`;

describe('text of names', () => {
  it('becomes labels and the root', () => {
    assert.deepEqual(
      nameOf('www.Example.'),
      Uint8Array.from([3, ...Buffer.from('www'), 7, ...Buffer.from('Example'), 0]),
    );
    assert.deepEqual(nameOf('.'), ROOT_NAME);
  });

  it('goes on with the origin unless a dot ends it', () => {
    const origin = nameOf('example.org.');
    assert.deepEqual(parseName('www', origin), nameOf('www.example.org.'));
    assert.deepEqual(parseName('www.', origin), nameOf('www.'));
    assert.deepEqual(parseName('@', origin), origin);
    assert.equal(parseName('@'), NAME_ERROR.noOrigin);
    assert.equal(parseName('www'), NAME_ERROR.noOrigin);
  });

  it('has escapes', () => {
    assert.deepEqual(nameOf('a\\.b\\032\\\\\\@.'), Uint8Array.from([6, ...Buffer.from('a.b \\@'), 0]));
    assert.deepEqual(nameOf('\\@.'), Uint8Array.from([1, 0x40, 0]));
    for (const bad of ['a\\', 'a\\25', 'a\\256.', 'a\\2x5.', '\\']) {
      assert.equal(parseName(bad, ROOT_NAME), NAME_ERROR.badEscape, bad);
    }
  });

  it('has limits', () => {
    assert.equal(nameOf(name255).length, 255);
    assert.equal(parseName(`c${name255}`), NAME_ERROR.labelTooLong);
    assert.equal(parseName(`${label63}.${label63}.${label63}.${'b'.repeat(62)}.`), NAME_ERROR.nameTooLong);
    assert.equal(parseName(`${label63}.${label63}.${label63}.${label63}`, ROOT_NAME), NAME_ERROR.nameTooLong);
    assert.equal(parseName('x', nameOf(name255)), NAME_ERROR.nameTooLong);
    assert.equal(parseName('a'.repeat(64), ROOT_NAME), NAME_ERROR.labelTooLong);
    for (const empty of ['', '..', 'a..b', '.a', 'a..']) {
      assert.equal(parseName(empty, ROOT_NAME), NAME_ERROR.emptyLabel, empty);
    }
  });

  it('of a full name with single-octet labels fits', () => {
    const name = nameOf('a.'.repeat(127));
    assert.equal(name.length, 255);
    assert.equal(countLabels(name), 127);
    assert.equal(parseName('a.'.repeat(128)), NAME_ERROR.nameTooLong);
  });

  it('writes nothing behind the 255 octets that it may use', () => {
    const into = new Uint8Array(300).fill(0xa5);
    const text = Buffer.from('a.'.repeat(140));
    assert.equal(writeName(text, 0, text.length, undefined, into, 10), NAME_ERROR.nameTooLong);
    assert.ok(into.subarray(265).every((octet) => octet === 0xa5));
    assert.ok(into.subarray(0, 10).every((octet) => octet === 0xa5));
  });

  it('is printed with what needs escapes', () => {
    assert.equal(
      formatName(Uint8Array.from([7, ...Buffer.from('a."$\u0001\u007f '), 0])),
      'a\\.\\"\\$\\001\\127\\032.',
    );
    assert.equal(formatName(ROOT_NAME), '.');
    assert.equal(formatName(Uint8Array.from([9, 9, ...nameOf('w.x.')]), 2), 'w.x.');
  });

  it('is printed relative to an origin', () => {
    const origin = nameOf('Example.org.');
    assert.equal(formatRelativeName(nameOf('a.b.example.ORG.'), origin), 'a.b');
    assert.equal(formatRelativeName(nameOf('example.org.'), origin), '@');
    assert.equal(formatRelativeName(nameOf('example.net.'), origin), 'example.net.');
    assert.equal(formatRelativeName(nameOf('xexample.org.'), origin), 'xexample.org.');
    assert.equal(formatRelativeName(nameOf('a.'), ROOT_NAME), 'a.');
  });

  it('has errors that say something', () => {
    for (const error of Object.values(NAME_ERROR)) assert.notEqual(nameErrorText(error), nameErrorText(0));
    assert.throws(() => nameOf('a..b.'), /"a\.\.b\.": a label of the name is empty/);
  });
});

describe('names on the wire', () => {
  it('are compared without regard to case', () => {
    assert.ok(sameName(nameOf('WWW.example.'), nameOf('www.EXAMPLE.')));
    assert.ok(!sameName(nameOf('www.example.'), nameOf('www.examples.')));
    assert.ok(!sameName(nameOf('www.'), nameOf('www.a.')));
    // [ and { differ by the bit that makes letters lower case.
    assert.ok(!sameName(nameOf('[.'), nameOf('{.')));
    assert.equal(hashName(nameOf('WWW.example.')), hashName(nameOf('www.EXAMPLE.')));
    assert.notEqual(hashName(nameOf('www.example.')), hashName(nameOf('ww.wexample.')));
  });

  it('have the order of RFC 4034, section 6.1', () => {
    const ordered = [
      'example.',
      'a.example.',
      'yljkjljk.a.example.',
      'Z.a.example.',
      'zABC.a.EXAMPLE.',
      'z.example.',
      '\\001.z.example.',
      '*.z.example.',
      '\\200.z.example.',
    ].map(nameOf);
    for (const [i, a] of ordered.entries()) {
      for (const [j, b] of ordered.entries()) assert.equal(Math.sign(compareNames(a, b)), Math.sign(i - j));
    }
    assert.ok(compareNames(ROOT_NAME, nameOf('a.')) < 0);
    assert.equal(compareNames(nameOf('A.b.'), nameOf('a.B.')), 0);
  });

  it('stand below others at labels only', () => {
    const zone = nameOf('example.org.');
    assert.ok(isSubdomain(zone, zone));
    assert.ok(isSubdomain(nameOf('a.b.EXAMPLE.org.'), zone));
    assert.ok(isSubdomain(zone, ROOT_NAME));
    assert.ok(!isSubdomain(nameOf('aexample.org.'), zone));
    assert.ok(!isSubdomain(nameOf('org.'), zone));
    // The octets of "7example…" inside of a label are no suffix.
    assert.ok(!isSubdomain(nameOf('x\\007example\\003org.'), nameOf('example\\003org.')));
  });

  it('have suffixes, parents and wildcards', () => {
    const into = new Uint8Array(128);
    assert.equal(suffixOffsets(nameOf('a.bc.d.'), 0, into), 4);
    assert.deepEqual([...into.subarray(0, 4)], [0, 2, 5, 7]);
    assert.deepEqual(parentName(nameOf('a.bc.')), nameOf('bc.'));
    assert.deepEqual(parentName(ROOT_NAME), ROOT_NAME);
    assert.ok(isWildcard(nameOf('*.a.')));
    assert.ok(!isWildcard(nameOf('**.a.')));
    assert.ok(!isWildcard(nameOf('a.*.')));
  });

  it('are lowered in place, the one that stands there only', () => {
    const octets = Uint8Array.from([0x41, ...nameOf('WwW.A.'), 0x41]);
    lowerName(octets, 1);
    assert.deepEqual(octets, Uint8Array.from([0x41, ...nameOf('www.a.'), 0x41]));
    assert.equal(nameOctets(octets, 1), 7);
  });

  it('are checked before they are read', () => {
    const octets = Uint8Array.from([...nameOf('www.a.'), 1, 2]);
    assert.equal(checkName(octets, 0, octets.length), 7);
    assert.equal(checkName(octets, 0, 6), -1);
    assert.equal(checkName(Uint8Array.from([0xc0, 0]), 0, 2), -1);
    assert.equal(checkName(Uint8Array.from([...nameOf('a.'.repeat(127))]), 0, 255), 255);
    assert.equal(checkName(Uint8Array.from([1, 0x61, ...nameOf('a.'.repeat(127))]), 0, 257), -1);
    assert.equal(checkName(octets, 3, 3), -1);
  });
});
