// time-out: 120 s
// What is trusted follows the files and the clock, and says so.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Log, LogFields } from '../../../src/core/log.ts';
import { addToBundleFile, removeFromBundleFile } from '../../../src/trust/bundle-file.ts';
import { readCertificate } from '../../../src/trust/certificate.ts';
import { ExpiryBook } from '../../../src/trust/expiry.ts';
import { activate, stageNew } from '../../../src/trust/renewal.ts';
import { TRUST_DEFAULTS, type TrustChange, TrustStore } from '../../../src/trust/trust-store.ts';
import { derOf, inDays, pemOf, selfSigned, TrustAuthority } from '../../support/trust-authority.ts';

const directory = mkdtempSync(join(tmpdir(), 'store-'));
const stores: TrustStore[] = [];
after(() => {
  for (const store of stores) store.close();
  rmSync(directory, { recursive: true });
});

/** Three times the poll. */
const SOON_MS = 3000;

class Lines implements Log {
  readonly codes: string[] = [];
  readonly messages: string[] = [];
  debug = (message: string, fields?: LogFields): void => this.#add(message, fields);
  info = this.debug;
  warn = this.debug;
  error = this.debug;
  #add(message: string, fields?: LogFields): void {
    this.messages.push(message);
    this.codes.push(String(fields?.code));
  }
}

async function open(
  name: string,
): Promise<{ store: TrustStore; log: Lines; clock: { ahead: number }; changes: TrustChange[] }> {
  const log = new Lines();
  const clock = { ahead: 0 };
  const now = (): Date => new Date(Date.now() + clock.ahead);
  const store = await TrustStore.open(join(directory, name), { hostname: 'west.example', now, log });
  stores.push(store);
  const changes: TrustChange[] = [];
  store.onChanged((change) => changes.push(change));
  return { store, log, clock, changes };
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const began = performance.now();
  while (!isSo()) {
    if (performance.now() - began > SOON_MS) assert.fail(`not within ${SOON_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  console.log(`${what}: ${(performance.now() - began).toFixed(0)} ms`);
}

describe('what is trusted', () => {
  it('follows the bundles, and own certificates are always trusted', async () => {
    const { store, log, changes } = await open('bundles');
    const own = store.identity.leaf.der;
    const peer = selfSigned(directory, { name: 'east.example' });
    const isTrusted = (role: 'server' | 'client') => store.judge([derOf(peer)], role, new Date()).trusted;
    assert.deepEqual(log.codes, ['trust-identity-made']);
    assert.ok(store.judge([own], 'server', new Date()).trusted && store.judge([own], 'client', new Date()).trusted);
    assert.ok(!isTrusted('server') && !isTrusted('client'));

    await addToBundleFile(store.layout.clientBundle, [readCertificate(pemOf(peer))]);
    await until('a certificate that was added is trusted', () => isTrusted('client'));
    assert.ok(!isTrusted('server'));
    assert.match(log.messages.at(-1)!, /client\.crt: \+ CN=east\.example \([0-9a-f]{16}\)/);
    await removeFromBundleFile(store.layout.clientBundle, [readCertificate(pemOf(peer)).fingerprint]);
    await until('one that was removed is trusted no more', () => !isTrusted('client'));
    assert.deepEqual(changes, [
      { identity: false, trust: true },
      { identity: false, trust: true },
    ]);

    rmSync(store.layout.clientBundle);
    await until('a bundle that is gone is noticed', () => changes.length === 3);
    assert.ok(store.judge([own], 'client', new Date()).trusted);
  });

  it('is what can be read of a bundle that is damaged, which is said once', async () => {
    const { store, log } = await open('damaged');
    const [one, two] = [selfSigned(directory, { name: 'one' }), selfSigned(directory, { name: 'two' })];
    writeFileSync(store.layout.serverBundle, `${pemOf(one)}${pemOf(two).replace(/\nMII./, '\nAAAA')}`);
    await until('the rest counts', () => store.judge([derOf(one)], 'server', new Date()).trusted);
    assert.ok(!store.judge([derOf(two)], 'server', new Date()).trusted);
    await store.refresh();
    await store.refresh();
    const damaged = log.messages.filter((message) => message.includes('it is no certificate'));
    assert.equal(damaged.length, 1);
    assert.match(damaged[0]!, /gtm\/server\.crt: line \d+: /);
  });

  it('follows revocation lists, as far as is configured', async () => {
    const { store, changes } = await open('revoked');
    const authority = new TrustAuthority(directory, 'authority');
    const peer = authority.issue();
    await addToBundleFile(store.layout.clientBundle, [readCertificate(pemOf(authority))]);
    const judged = (stands = false) => store.judge([derOf(peer)], 'client', new Date(), stands);
    await until('an authority is trusted', () => judged().trusted);
    authority.revoke(peer);
    const before = changes.length;
    writeFileSync(store.layout.revocationLists, authority.revocationList());
    await until('a revocation counts', () => !judged().trusted);
    assert.equal(changes.length, before + 1);
    store.configure({ ...TRUST_DEFAULTS, revocation: { ...TRUST_DEFAULTS.revocation, useRevoked: 'existing' } });
    assert.equal(changes.length, before + 2);
    assert.ok(!judged().trusted && judged(true).trusted);
    store.configure({ ...TRUST_DEFAULTS, reverify: { ...TRUST_DEFAULTS.reverify, onListUpdate: false } });
    const now = changes.length;
    writeFileSync(store.layout.revocationLists, authority.revocationList());
    await store.refresh();
    await store.refresh();
    assert.equal(changes.length, now);
  });

  it('goes with the clock: lists that expire, certificates that do', async () => {
    const { store, clock, changes, log } = await open('clock');
    const authority = new TrustAuthority(directory, 'hourly');
    writeFileSync(store.layout.revocationLists, authority.revocationList({ from: inDays(-1), until: inDays(1) }));
    await addToBundleFile(store.layout.clientBundle, [
      readCertificate(pemOf(selfSigned(directory, { from: inDays(-1), until: inDays(60) }))),
    ]);
    await store.refresh();
    const before = changes.length;
    clock.ahead = 2 * 86_400_000;
    await store.refresh();
    assert.equal(changes.length, before + 1, 'a list has expired');
    clock.ahead = 61 * 86_400_000;
    await store.refresh();
    assert.equal(changes.length, before + 2, 'a certificate has expired');
    assert.ok(log.codes.includes('trust-expired'));
  });

  it('says that a peer has expired that an authority vouches for', async () => {
    const { store, clock, changes } = await open('vouched');
    const authority = new TrustAuthority(directory, 'yearly');
    await addToBundleFile(store.layout.clientBundle, [readCertificate(pemOf(authority))]);
    await store.refresh();
    assert.ok(store.judge([derOf(authority.issue({ until: inDays(5) }))], 'client', new Date()).trusted);
    const before = changes.length;
    clock.ahead = 6 * 86_400_000;
    await store.refresh();
    assert.equal(changes.length, before + 1);
  });
});

describe('the certificate of this machine', () => {
  it('is another when a staged one is put in use, without a moment in which it is none', async () => {
    const { store, changes, log } = await open('renewed');
    const old = store.identity;
    const staged = await stageNew(store.layout, 'west.example', new Date());
    await until('what waits is trusted already', () => store.judge([staged.leaf.der], 'server', new Date()).trusted);
    await activate(store.layout);
    await until('the new one is shown', () => store.identity.fingerprint === staged.fingerprint);
    assert.ok(changes.some(({ identity }) => identity));
    assert.ok(store.judge([old.leaf.der], 'client', new Date()).trusted);
    assert.ok(store.judge([staged.leaf.der], 'client', new Date()).trusted);
    assert.ok(log.messages.some((message) => message.includes('the device certificate is another')));
  });

  it('stays what it was while its files are damaged, which is said', async () => {
    const { store, log } = await open('broken');
    const { fingerprint } = store.identity;
    writeFileSync(store.layout.key, 'x');
    await until('it is said', () => log.codes.includes('trust-damaged'));
    assert.equal(store.identity.fingerprint, fingerprint);
    assert.ok(!log.messages.join().includes('PRIVATE KEY'));
  });
});

it('certificates are warned of 30, 14, 7, 3 and 1 days before, and every day when they have expired', () => {
  const book = new ExpiryBook();
  const end = new Date('2030-06-01T00:00:00Z');
  const said: number[] = [];
  for (let hours = 40 * 24; hours > -3 * 24; hours--) {
    const now = new Date(end.getTime() - hours * 3600_000 + 1);
    for (const warning of book.due(
      [{ fingerprint: 'a', notAfter: end, what: 'the certificate', fix: 'renew it' }],
      now,
    )) {
      said.push(hours / 24);
      assert.equal(warning.isExpired, hours <= 0);
      assert.match(warning.message, /^the certificate expire[sd] at 2030-06-01T00:00:00Z, .*; renew it$/);
    }
  }
  assert.deepEqual(said, [30, 14, 7, 3, 1, 0, -1, -2]);
});
