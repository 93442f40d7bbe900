// time-out: 60 s
// Bundles in PEM, with what openssl(1) and people write into them.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { addToBundle, readBundle, removeFromBundle } from '../../../src/trust/bundle.ts';
import { addToBundleFile, readBundleFile, removeFromBundleFile } from '../../../src/trust/bundle-file.ts';
import { readCertificate } from '../../../src/trust/certificate.ts';
import { openssl, pemOf, selfSigned } from '../../support/trust-authority.ts';

const directory = mkdtempSync(join(tmpdir(), 'bundle-'));
after(() => rmSync(directory, { recursive: true }));

const pairs = ['east', 'west', 'north'].map((name) => selfSigned(directory, { name }));
const [east, west, north] = pairs.map((pair) => readCertificate(pemOf(pair))) as [
  ReturnType<typeof readCertificate>,
  ReturnType<typeof readCertificate>,
  ReturnType<typeof readCertificate>,
];
const namesIn = (text: string): string[] => readBundle(text).members.map(({ subject }) => subject);

describe('a bundle', () => {
  it('is read with what stands between its certificates, each certificate once', () => {
    const described = openssl('x509', '-in', pairs[0]!.certificate, '-text');
    const text = `# ours\n${described}\nthe west:\n${pemOf(pairs[1]!).replaceAll('\n', '\r\n')}${pemOf(pairs[0]!)}`;
    const { members, problems } = readBundle(text);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      members.map(({ subject }) => subject),
      ['CN=east', 'CN=west'],
    );
    assert.equal(
      members[0]!.fingerprint,
      openssl('x509', '-in', pairs[0]!.certificate, '-noout', '-fingerprint', '-sha256')
        .trim()
        .replace(/^.*=/, '')
        .replaceAll(':', '')
        .toLowerCase(),
    );
  });

  it('counts but for what is damaged in it, which is named with its line', () => {
    const broken = pemOf(pairs[1]!).replace(/\nMII./, '\nAAAA');
    const { members, problems } = readBundle(
      `${pemOf(pairs[0]!)}${broken}${pemOf(pairs[2]!)}-----BEGIN CERTIFICATE-----\nMII`,
    );
    assert.deepEqual(
      members.map(({ subject }) => subject),
      ['CN=east', 'CN=north'],
    );
    const line = pemOf(pairs[0]!).split('\n').length;
    assert.match(problems[0]!, new RegExp(`^line ${line}: it is no certificate`));
    assert.match(problems[1]!, /1 blocks have no end/);
    assert.match(readBundle(readFileSync(pairs[0]!.key, 'utf8')).problems[0]!, /line 1: PRIVATE KEY stands where only/);
    assert.match(readBundle('hello').problems[0]!, /no certificate in PEM/);
    assert.deepEqual(readBundle('').problems, []);
    assert.deepEqual(readBundle('# nobody yet\n').problems, []);
  });

  it('is added to at its end, without what is in it already', () => {
    const first = addToBundle('# ours\n', [east, west, east]);
    assert.deepEqual(first.added, [east, west]);
    assert.ok(first.text.startsWith('# ours\n'));
    assert.deepEqual(addToBundle(first.text, [west, north]).added, [north]);
    assert.equal(addToBundle(first.text, [west]).text, first.text);
    assert.deepEqual(namesIn(addToBundle(pemOf(pairs[2]!).trimEnd(), [east]).text), ['CN=north', 'CN=east']);
  });

  it('loses a certificate with the lines above it, and nothing else', () => {
    const text = `# ours, for ever\n\n# the east\n${pemOf(pairs[0]!)}# the west\n${pemOf(pairs[1]!)}\n# the end\n`;
    const without = removeFromBundle(text, east.fingerprint);
    assert.equal(without, `# ours, for ever\n\n# the west\n${pemOf(pairs[1]!)}\n# the end\n`);
    assert.equal(removeFromBundle(without, west.fingerprint), '# ours, for ever\n\n\n# the end\n');
    assert.equal(removeFromBundle(text, north.fingerprint), text);
    const twice = addToBundle(text, [north]).text + pemOf(pairs[0]!);
    assert.deepEqual(namesIn(removeFromBundle(twice, east.fingerprint)), ['CN=west', 'CN=north']);
  });
});

describe('a bundle in a file', () => {
  it('can be read by everybody, and is not written when nothing changes', async () => {
    const path = join(directory, 'gtm', 'server.crt');
    assert.deepEqual(await addToBundleFile(path, [east, west]), [east, west]);
    const before = statSync(path);
    assert.equal(before.mode & 0o777, 0o644);
    assert.deepEqual(await addToBundleFile(path, [east]), []);
    assert.deepEqual(await removeFromBundleFile(path, [north.fingerprint]), []);
    assert.equal(statSync(path).ino, before.ino);
    assert.deepEqual(
      (await removeFromBundleFile(path, [east.fingerprint])).map(({ subject }) => subject),
      ['CN=east'],
    );
    // openssl takes what we have written.
    assert.match(openssl('verify', '-CAfile', path, pairs[1]!.certificate), /OK/);
  });

  it('loses nothing when several add to it at the same time', async () => {
    const path = join(directory, 'several.crt');
    writeFileSync(path, '');
    await Promise.all([east, west, north].map((certificate) => addToBundleFile(path, [certificate])));
    assert.equal((await readBundleFile(path)).members.length, 3);
  });
});
