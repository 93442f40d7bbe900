// Secrets that a master key seals: what comes back, what does not, and whose they are.

import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import '../../support/secret-box.ts';
import { sealedText } from '../../../src/config/seal-text.ts';
import { openSecret } from '../../../src/config/secret-box.ts';
import { MasterKeyBox } from '../../../src/store/master-key.ts';

const root = mkdtempSync(join(tmpdir(), 'master-key-'));
after(() => rmSync(root, { recursive: true }));

const boxAt = (name: string, create = true): MasterKeyBox => new MasterKeyBox(join(root, name), { create });
const problem = (box: MasterKeyBox, sealed: string): string => {
  const opened = box.open(sealed);
  assert.ok('problem' in opened, sealed);
  return opened.problem;
};

describe('a master key', () => {
  const box = boxAt('key');

  it('is made once, for its owner alone, and nothing is left beside it', () => {
    box.load();
    const text = readFileSync(join(root, 'key'), 'utf8');
    assert.match(text, /^[0-9a-f]{64}\n$/);
    assert.equal(statSync(join(root, 'key')).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(root), ['key']);
    boxAt('key').load();
    assert.equal(readFileSync(join(root, 'key'), 'utf8'), text);
  });

  it('opens what it has sealed, and seals the same the same way', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const sealed = box.seal(text);
        assert.match(sealed, /^\$M\$[0-9a-f]{8}\$[A-Za-z0-9_-]+$/);
        assert.equal(boxAt('key', false).seal(text), sealed);
        assert.deepEqual(box.open(sealed), { text: Buffer.from(text, 'utf8').toString('utf8') });
      }),
    );
    assert.notEqual(box.seal('a'), box.seal('b'));
  });

  it('does not open what has changed by a bit, nor what is cut', () => {
    const sealed = box.seal('a secret');
    const lead = sealed.slice(0, 12);
    const octets = Buffer.from(sealed.slice(12), 'base64url');
    for (let bit = 0; bit < octets.length * 8; bit++) {
      const other = Buffer.from(octets);
      other[bit >> 3]! ^= 1 << (bit & 7);
      assert.match(problem(box, lead + other.toString('base64url')), /is damaged/);
    }
    for (let length = 1; length < octets.length; length++) {
      assert.match(problem(box, lead + octets.subarray(0, length).toString('base64url')), /is damaged/);
    }
    assert.match(problem(box, '$M$Xa$ZG9n'), /another device/);
  });

  it('that is another one says so, and is read again when the right one is put back', () => {
    const other = boxAt('other');
    const sealed = box.seal('a secret');
    assert.match(problem(other, sealed), /masked with master key [0-9a-f]{8}, but \S+other holds [0-9a-f]{8}/);
    writeFileSync(join(root, 'other'), readFileSync(join(root, 'key')));
    assert.deepEqual(other.open(sealed), { text: 'a secret' });
  });

  it('that is missing or no key says so; one that is in memory outlives its file', () => {
    const sealed = box.seal('a secret');
    assert.match(problem(boxAt('nowhere', false), sealed), /there is no master key \S+nowhere/);
    writeFileSync(join(root, 'odd'), 'x'.repeat(64));
    assert.match(problem(boxAt('odd'), sealed), /odd is no master key/);
    assert.throws(() => boxAt('odd').load(), /odd is no master key/);
    chmodSync(join(root, 'key'), 0o600);
    unlinkSync(join(root, 'key'));
    assert.deepEqual(box.open(sealed), { text: 'a secret' });
  });
});

describe('a file that is kept', () => {
  const seal = (text: string): string => sealedText(text);

  it('has its secrets sealed, and is otherwise octet by octet what it was', () => {
    const text = `# by hand\nnet ipsec manual-security-association a {\n\tauth-key  "a b" # why\n  encrypt-key 0xAB\n  description "auth-key x" }\nnet vlan v { description "encrypt-key" }\n`;
    const sealed = seal(text);
    const [first, second] = [...sealed.matchAll(/\$M\$\S+/g)].map(([word]) => openSecret(word));
    assert.deepEqual([first, second], [{ text: 'a b' }, { text: '0xab' }]);
    assert.equal(sealed.replace(/\$M\$\S+/, '"a b"').replace(/\$M\$\S+/, '0xAB'), text);
    assert.equal(seal(sealed), sealed);
  });

  it('stays as it is without secrets, and loses the lines of those that cannot be read', () => {
    const plain = 'net vlan a { tag 1 }\nltm auth x { auth-key y }\n';
    assert.equal(seal(plain), plain);
    const odd = 'net ipsec manual-security-association a {\n  auth-key 0xA\n}\n';
    assert.equal(seal(odd), odd.replace('0xA', '********'));
    const broken = 'net ipsec manual-security-association a {\n  spi 300\n  auth-key "abc\n}\n';
    assert.equal(seal(broken), broken.replace('  auth-key "abc', '# ********'));
  });
});
