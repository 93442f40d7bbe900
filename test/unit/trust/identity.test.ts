// time-out: 120 s
// The certificate of this machine: made once, refused when it is damaged, and another in one step.

import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readBundleFile } from '../../../src/trust/bundle-file.ts';
import { readIdentity, readOrMakeIdentity, readStaged } from '../../../src/trust/identity.ts';
import { trustLayout, type TrustLayout } from '../../../src/trust/layout.ts';
import { makeDevicePair, makeKey, makeRequest } from '../../../src/trust/make-certificate.ts';
import { readPkcs12 } from '../../../src/trust/pkcs12.ts';
import { activate, install, stageNew } from '../../../src/trust/renewal.ts';
import { openssl, pemOf, selfSigned, TrustAuthority } from '../../support/trust-authority.ts';

const directory = mkdtempSync(join(tmpdir(), 'identity-'));
after(() => rmSync(directory, { recursive: true }));

let count = 0;
const newLayout = (): TrustLayout => trustLayout(join(directory, `root${++count}`));
const make = async (layout: TrustLayout) => readOrMakeIdentity(layout, 'west.example', new Date());
const read = (path: string): string => readFileSync(path, 'utf8');

function isPair({ certificate, key }: TrustLayout): boolean {
  return new X509Certificate(read(certificate)).checkPrivateKey(createPrivateKey(read(key)));
}

describe('the certificate of this machine', () => {
  it('is made at first, as openssl and peers want it, and stays', async () => {
    const layout = newLayout();
    const { identity, isNew } = await make(layout);
    assert.ok(isNew);
    const text = openssl('x509', '-in', layout.certificate, '-noout', '-text');
    for (const part of [
      'CN = west.example',
      'Public-Key: (2048 bit)',
      'sha256WithRSAEncryption',
      'CA:FALSE',
      'Digital Signature, Key Encipherment',
      'TLS Web Server Authentication, TLS Web Client Authentication',
      'DNS:west.example',
      'Version: 3',
    ]) {
      assert.ok(text.includes(part), `${part} in\n${text}`);
    }
    assert.match(
      openssl('verify', '-x509_strict', '-check_ss_sig', '-CAfile', layout.certificate, layout.certificate),
      /OK/,
    );
    assert.match(openssl('rsa', '-in', layout.key, '-check', '-noout'), /ok/);
    const years = (identity.notAfter.getTime() - Date.now()) / (365.25 * 86_400_000);
    assert.ok(years > 9.9 && years < 10.1, `${years} years`);
    assert.equal(statSync(layout.key).mode & 0o777, 0o600);
    assert.equal(statSync(dirname(layout.key)).mode & 0o777, 0o700);
    const again = await make(layout);
    assert.ok(!again.isNew);
    assert.equal(again.identity.fingerprint, identity.fingerprint);
    assert.ok(isPair(layout));
  });

  it('is made without holding up whatever else runs', async () => {
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 10);
    await make(newLayout());
    clearInterval(timer);
    console.log(`longest wait while a certificate is made: ${longest.toFixed(0)} ms`);
    assert.ok(longest < 1000);
  });

  it('is the same for all that make it at the same time', async () => {
    const layout = newLayout();
    const made = await Promise.all([make(layout), make(layout), make(layout)]);
    assert.equal(new Set(made.map(({ identity }) => identity.fingerprint)).size, 1);
    assert.equal(made.filter(({ isNew }) => isNew).length, 1);
    assert.equal(readdirSync(layout.pairs).filter((name) => name.startsWith('device.')).length, 1);
  });

  it('has a serial number and a name of its own, an address included', async () => {
    const [one, two] = [
      await makeDevicePair('192.0.2.1', new Date()),
      await makeDevicePair('a'.repeat(80), new Date()),
    ];
    const [first, second] = [new X509Certificate(one.certificate), new X509Certificate(two.certificate)];
    assert.notEqual(first.serialNumber, second.serialNumber);
    assert.equal(first.subjectAltName, 'IP Address:192.0.2.1');
    assert.equal(second.subjectAltName, `DNS:${'a'.repeat(80)}`);
  });

  it('is refused when it is damaged, does not fit its key, or half of it is missing; nothing is overwritten', async () => {
    const cases: [what: string, harm: (layout: TrustLayout) => void, message: RegExp][] = [
      [
        'damaged',
        ({ certificate }) => writeFileSync(certificate, 'x'),
        /server\.crt: it is no certificate.*trust install/,
      ],
      ['no key', ({ key }) => writeFileSync(key, 'x'), /server\.key: it holds no private key/],
      [
        'another key',
        ({ key }) => copyFileSync(selfSigned(directory).key, key),
        /server\.key is not the key of .*server\.crt/,
      ],
      ['missing', ({ key }) => unlinkSync(key), /server\.crt is there, and .*server\.key is not/],
      [
        'elliptic',
        ({ certificate, key }) => {
          const pair = selfSigned(directory, { key: ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'] });
          copyFileSync(pair.certificate, certificate);
          copyFileSync(pair.key, key);
        },
        /of type ec, and iQuery peers take RSA only/,
      ],
    ];
    for (const [what, harm, message] of cases) {
      const layout = newLayout();
      await make(layout);
      harm(layout);
      const before = readdirSync(layout.root, { recursive: true }).join();
      await assert.rejects(make(layout), message, what);
      assert.equal(readdirSync(layout.root, { recursive: true }).join(), before, what);
    }
  });
});

describe('a new certificate', () => {
  it('waits until it is put in use; old and new are trusted here', async () => {
    const layout = newLayout();
    const { identity: old } = await make(layout);
    const staged = await stageNew(layout, 'west.example', new Date());
    assert.equal((await readIdentity(layout))?.fingerprint, old.fingerprint);
    assert.equal((await readStaged(layout))?.fingerprint, staged.fingerprint);
    const { identity } = await activate(layout);
    assert.equal(identity.fingerprint, staged.fingerprint);
    assert.equal((await readIdentity(layout))?.fingerprint, staged.fingerprint);
    assert.equal(await readStaged(layout), undefined);
    assert.ok(isPair(layout));
    for (const bundle of [layout.serverBundle, layout.clientBundle]) {
      const { members } = await readBundleFile(bundle);
      assert.deepEqual(
        members.map(({ fingerprint }) => fingerprint).sort(),
        [old.fingerprint, identity.fingerprint].sort(),
      );
    }
    // The old key is nowhere any more.
    assert.equal(readdirSync(layout.pairs).filter((name) => name.startsWith('device.')).length, 1);
    await assert.rejects(activate(layout), /renew --stage/);
  });

  it('takes the place of plain files that somebody has put there', async () => {
    const layout = newLayout();
    const plain = selfSigned(directory);
    for (const [from, to] of [
      [plain.certificate, layout.certificate],
      [plain.key, layout.key],
    ] as const) {
      mkdirSync(dirname(to), { recursive: true });
      copyFileSync(from, to);
    }
    assert.ok(!(await make(layout)).isNew);
    const staged = await stageNew(layout, 'west.example', new Date());
    await activate(layout);
    assert.equal((await readIdentity(layout))?.fingerprint, staged.fingerprint);
    assert.ok(isPair(layout));
  });

  it('comes from an authority that signed a request', async () => {
    const layout = newLayout();
    const { identity } = await make(layout);
    const authority = new TrustAuthority(directory, 'authority');
    const [request, certificate] = [join(directory, 'west.csr'), join(directory, 'west.crt')];
    writeFileSync(request, makeRequest('west.example', identity.key));
    assert.match(openssl('req', '-in', request, '-verify', '-noout', '-text'), /DNS:west\.example/);
    authority.sign(request, certificate);
    await install(layout, { certificate: read(certificate), key: identity.key });
    assert.ok(isPair(layout));
    assert.match(openssl('verify', '-CAfile', authority.certificate, layout.certificate), /OK/);
    const stranger = { certificate: pemOf(authority.issue()), key: await makeKey() };
    await assert.rejects(install(layout, stranger), /the new key is not the key of the new certificate/);
    assert.ok(isPair(layout));
  });

  it('comes in PKCS #12 with those of its authorities', () => {
    const root = new TrustAuthority(directory, 'p12-root');
    const middle = new TrustAuthority(directory, 'p12-middle', { parent: root });
    const { certificate, key } = middle.issue({ name: 'west.example' });
    const chain = join(directory, 'chain.pem');
    writeFileSync(chain, `${pemOf(root)}${pemOf(middle)}`);
    for (const flags of [[], ['-legacy'], ['-macalg', 'sha512']]) {
      const file = join(directory, 'west.p12');
      const from = ['-inkey', key, '-in', certificate, '-certfile', chain];
      openssl('pkcs12', '-export', ...flags, ...from, '-passout', 'pass:s3cret', '-out', file);
      const pair = readPkcs12(readFileSync(file), 's3cret');
      const subjects = pair.certificate
        .match(/-----BEGIN[^]*?-----END CERTIFICATE-----/g)!
        .map((pem) => new X509Certificate(pem).subject);
      assert.deepEqual(subjects, ['CN=west.example', 'CN=p12-middle', 'CN=p12-root'], flags.join(' '));
      assert.ok(new X509Certificate(pair.certificate).checkPrivateKey(createPrivateKey(pair.key)));
      assert.throws(() => readPkcs12(readFileSync(file), 'wrong'), /passphrase is wrong/);
    }
    assert.throws(() => readPkcs12(Buffer.from('x'), ''), /no PKCS #12/);
  });
});
