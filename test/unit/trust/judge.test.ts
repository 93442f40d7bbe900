// time-out: 120 s
// Who is trusted and who is not, with certificates and revocation lists that openssl(1) made.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readCertificate } from '../../../src/trust/certificate.ts';
import { readRevocationLists } from '../../../src/trust/crl.ts';
import { judge, REVOCATION_DEFAULTS, type RevocationSettings } from '../../../src/trust/judge.ts';
import type { Refused, TrustVerdict } from '../../../src/trust/verdict.ts';
import { derOf, inDays, type IssuedPair, pemOf, selfSigned, TrustAuthority } from '../../support/trust-authority.ts';

const directory = mkdtempSync(join(tmpdir(), 'judge-'));
after(() => rmSync(directory, { recursive: true }));

const root = new TrustAuthority(directory, 'root');
const middle = new TrustAuthority(directory, 'middle', { parent: root });
const device = selfSigned(directory);
const issued = middle.issue({ name: 'east.example' });

type Scene = {
  readonly shows: readonly (IssuedPair | TrustAuthority)[];
  readonly bundle?: readonly (IssuedPair | TrustAuthority)[];
  readonly lists?: string;
  readonly settings?: Partial<RevocationSettings>;
  readonly role?: 'server' | 'client';
  readonly now?: Date;
  readonly stands?: boolean;
};

function ask({
  shows,
  bundle = [],
  lists = '',
  settings,
  role = 'client',
  now = new Date(),
  stands,
}: Scene): TrustVerdict {
  return judge(
    {
      members: bundle.map((member) => readCertificate(pemOf(member))),
      lists: readRevocationLists(Buffer.from(lists)).lists,
      settings: { ...REVOCATION_DEFAULTS, ...settings },
      bundlePath: '/config/big3d/client.crt',
      crlPath: '/config/gtm/crl.pem',
    },
    { chain: shows.map(derOf), role, now, ...(stands === undefined ? {} : { stands }) },
  );
}

function refused(scene: Scene, problem: Refused['problem'], reason: RegExp, fix = /./): void {
  const verdict = ask(scene);
  assert.ok(!verdict.trusted, 'is trusted');
  assert.equal(verdict.problem, problem, verdict.reason);
  assert.match(verdict.reason, reason);
  assert.match(verdict.fix, fix);
}

const trusted = (scene: Scene): void => {
  const verdict = ask(scene);
  assert.ok(verdict.trusted, verdict.trusted ? '' : `${verdict.problem}: ${verdict.reason}`);
};

describe('a peer is trusted', () => {
  it('when its own certificate is in the bundle, whatever its name is', () => {
    trusted({ shows: [device], bundle: [device] });
    const verdict = ask({ shows: [device], bundle: [device], role: 'server' });
    assert.equal(verdict.subject, 'CN=localhost.localdomain');
    assert.equal(verdict.fingerprint, readCertificate(pemOf(device)).fingerprint);
  });

  it('when its authority is in the bundle, or the authority of its authority', () => {
    trusted({ shows: [issued], bundle: [middle] });
    trusted({ shows: [issued, middle], bundle: [root] });
    trusted({ shows: [issued], bundle: [root, middle] });
    trusted({ shows: [issued, root, middle], bundle: [root] });
  });

  it('when it is in the bundle and its authority is not', () => {
    trusted({ shows: [issued], bundle: [issued] });
  });

  it('with keys on elliptic curves as with RSA', () => {
    const curve = { key: ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'] };
    trusted({ shows: [middle.issue(curve), middle], bundle: [root] });
    const rsaRoot = new TrustAuthority(directory, 'rsa-root', { key: ['rsa:2048'] });
    trusted({ shows: [rsaRoot.issue(curve)], bundle: [rsaRoot] });
  });
});

describe('a peer is refused', () => {
  it('that shows nothing, or nothing that can be read', () => {
    refused({ shows: [] }, 'no-certificate', /no certificate/);
    const verdict = judge(
      { members: [], lists: [], settings: REVOCATION_DEFAULTS, bundlePath: '', crlPath: '' },
      { chain: [Buffer.from('30820100', 'hex')], role: 'client', now: new Date() },
    );
    assert.equal(!verdict.trusted && verdict.problem, 'damaged');
  });

  it('that nobody knows, with the command that would change that', () => {
    const stranger = selfSigned(directory);
    refused(
      { shows: [stranger], bundle: [device, root] },
      'unknown',
      /is not in \/config\/big3d\/client\.crt/,
      /trust import --client FILE/,
    );
    refused({ shows: [issued], bundle: [root] }, 'unknown', /no authority in it has issued it/);
    const server = ask({ shows: [stranger], bundle: [device], role: 'server' });
    assert.match((server as Refused).fix, /trust import --server FILE/);
  });

  it('that shows the certificate of an authority as if it were its issuer', () => {
    const other = new TrustAuthority(join(directory, 'other'), 'root');
    // Same name, another key.
    refused({ shows: [other.issue(), root], bundle: [root] }, 'unknown', /no authority/);
  });

  it('whose certificate is issued by one that is no authority', () => {
    const plain = new TrustAuthority(directory, 'plain', { extensions: ['basicConstraints=critical,CA:FALSE'] });
    refused({ shows: [plain.issue(), plain], bundle: [plain] }, 'unknown', /not in/);
  });

  it('whose certificate has expired', () => {
    const old = selfSigned(directory, { from: inDays(-400), until: inDays(-12) });
    refused(
      { shows: [old], bundle: [old] },
      'expired',
      /it expired at \S+Z, 1[12] days ago, by the clock here/,
      /trust renew/,
    );
    const below = root.issue({ from: inDays(-400), until: inDays(-12) });
    refused({ shows: [below], bundle: [root] }, 'expired', /12 days ago|11 days ago/);
    refused({ shows: [old], bundle: [] }, 'unknown', /besides, it expired/);
  });

  it('whose authority has expired, which is named', () => {
    const now = new Date(Date.now() + 11 * 365 * 86_400_000);
    const long = middle.issue({ until: '20991231235959Z' });
    refused({ shows: [long, middle], bundle: [root], now }, 'expired', /of its authority CN=(middle|root): it expired/);
  });

  it('whose certificate is from the future, and a clock that may be wrong is told apart', () => {
    const future = selfSigned(directory, { from: inDays(30), until: inDays(400) });
    refused(
      { shows: [future], bundle: [future] },
      'not-yet-valid',
      /valid from \S+Z, in (29|30) days, by the clock here/,
      /if that is not meant/,
    );
    const soon = selfSigned(directory, { from: inDays(0.25), until: inDays(400) });
    refused(
      { shows: [soon], bundle: [soon] },
      'not-yet-valid',
      /in 5 hours: one of the two clocks may be wrong; the one here says \d{4}-/,
      /date -u.*NTP/,
    );
  });

  it('whose certificate is for something else', () => {
    const only = (usage: string) => root.issue({ extensions: [`extendedKeyUsage=${usage}`] });
    refused({ shows: [only('serverAuth')], bundle: [root] }, 'bad-usage', /clientAuth/);
    trusted({ shows: [only('serverAuth')], bundle: [root], role: 'server' });
    refused({ shows: [only('clientAuth')], bundle: [root], role: 'server' }, 'bad-usage', /serverAuth/);
    refused({ shows: [only('codeSigning')], bundle: [root] }, 'bad-usage', /extended key usage/);
    const signs = root.issue({ extensions: ['keyUsage=critical,cRLSign'] });
    refused({ shows: [signs], bundle: [root] }, 'bad-usage', /key usage/);
    const strange = root.issue({ extensions: ['1.2.3.4=critical,DER:0500'] });
    refused({ shows: [strange], bundle: [root] }, 'bad-usage', /critical extension .*1\.2\.3\.4/);
  });

  it('whose authorities are more than one of them allows', () => {
    const narrow = new TrustAuthority(directory, 'narrow', {
      extensions: ['basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=critical,keyCertSign,cRLSign'],
    });
    trusted({ shows: [narrow.issue()], bundle: [narrow] });
    const below = new TrustAuthority(directory, 'below', { parent: narrow });
    refused(
      { shows: [below.issue(), below], bundle: [narrow] },
      'bad-usage',
      /1 authorities stand below it, and it allows 0/,
    );
    const silent = new TrustAuthority(directory, 'silent', {
      extensions: ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,cRLSign'],
    });
    refused({ shows: [silent.issue()], bundle: [silent] }, 'unknown', /no authority/);
  });

  it('whose key is short, or whose signature is broken', () => {
    const short = selfSigned(directory, { key: ['rsa:1024'] });
    refused({ shows: [short], bundle: [short] }, 'weak', /1024 bits/, /2048 bits/);
    const sha1 = root.issue({ digest: 'sha1' });
    refused({ shows: [sha1], bundle: [root] }, 'weak', /SHA-1/);
    const md5 = selfSigned(directory, { digest: 'md5' });
    refused({ shows: [md5], bundle: [md5] }, 'weak', /MD5/);
    const curve = root.issue({ key: ['ec', '-pkeyopt', 'ec_paramgen_curve:secp224r1'] });
    refused({ shows: [curve], bundle: [root] }, 'weak', /secp224r1/);
  });

  it('by a flood of authorities with the same name in bounded time', () => {
    const same = Array.from({ length: 6 }, (_, index) => new TrustAuthority(join(directory, `same${index}`), 'same'));
    const shows = [same[0]!.issue(), ...same.slice(1), ...same.slice(1)];
    const began = performance.now();
    refused({ shows, bundle: [root, ...same.slice(1)] }, 'unknown', /not in/);
    assert.ok(performance.now() - began < 1000);
  });
});

describe('revocation', () => {
  const authority = new TrustAuthority(directory, 'revoker', { parent: root });
  const bad = authority.issue();
  const good = authority.issue();
  authority.revoke(bad);
  const lists = authority.revocationList();

  it('refuses what a list of its authority names, and nothing else', () => {
    refused({ shows: [bad, authority], bundle: [root], lists }, 'revoked', /revoked by CN=revoker at \d{4}/);
    trusted({ shows: [good, authority], bundle: [root], lists });
    trusted({ shows: [bad, authority], bundle: [root] });
  });

  it('counts for what is in the bundle itself', () => {
    refused({ shows: [bad], bundle: [bad], lists }, 'revoked', /revoked/);
  });

  it('counts for authorities, unless only devices are looked at', () => {
    root.revoke({ certificate: authority.certificate, key: '' });
    const both = `${lists}${root.revocationList()}`;
    refused(
      { shows: [good, authority], bundle: [root], lists: both },
      'revoked',
      /of its authority CN=revoker: it was revoked by CN=root/,
    );
    trusted({ shows: [good, authority], bundle: [root], lists: both, settings: { depth: 'device' } });
    refused(
      { shows: [bad, authority], bundle: [root], lists: both, settings: { depth: 'device' } },
      'revoked',
      /by CN=revoker/,
    );
  });

  it('is heeded never, for connections that stand, or always, as is configured', () => {
    const scene = { shows: [bad, authority], bundle: [root], lists };
    refused({ ...scene, settings: { useRevoked: 'existing' } }, 'revoked', /./);
    trusted({ ...scene, settings: { useRevoked: 'existing' }, stands: true });
    trusted({ ...scene, settings: { useRevoked: 'always' } });
    refused({ ...scene, stands: true }, 'revoked', /./);
  });

  it('goes by lists that have expired or are from the future, unless told not to', () => {
    const scene = { shows: [bad, authority], bundle: [root] };
    const expired = authority.revocationList({ from: inDays(-10), until: inDays(-3) });
    refused({ ...scene, lists: expired }, 'revoked', /./);
    trusted({ ...scene, lists: expired, settings: { useExpired: false } });
    const future = authority.revocationList({ from: inDays(3), until: inDays(10) });
    refused({ ...scene, lists: future }, 'revoked', /./);
    trusted({ ...scene, lists: future, settings: { useNotYetActive: false } });
  });

  it('does not go by a list that somebody else has signed in its name', () => {
    const fake = new TrustAuthority(join(directory, 'fake'), 'revoker', { parent: root });
    const first = fake.issue();
    const forged = (fake.revoke(first), fake.revocationList());
    // The serial numbers of both begin with the same.
    trusted({ shows: [bad, authority], bundle: [root], lists: forged });
    refused({ shows: [first, fake], bundle: [root], lists: forged }, 'revoked', /./);
  });

  it('reads lists in DER, several in one file, and names what is damaged', () => {
    const body = Buffer.from(lists.replace(/-----[^-]+-----/g, ''), 'base64');
    assert.equal(readRevocationLists(body).lists.length, 1);
    const two = readRevocationLists(Buffer.from(`words\n${lists}${lists.replace(/\n..../, '\nAAAA')}${lists}`));
    assert.equal(two.lists.length, 2);
    assert.match(two.problems.join(), /revocation list 2: /);
    assert.match(readRevocationLists(Buffer.from('-----BEGIN CERTIFICATE-----')).problems.join(), /no revocation list/);
  });
});
