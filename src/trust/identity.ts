// The certificate of this device and its key: made when there is none, used as they are when there are, refused when they do not fit.
//
// Both files are links into a directory that holds the pair, by way of one link `device`: a new pair takes the place of the old one
// in one rename(2). Files that somebody put there in place of the links are as good.

import { createPrivateKey, type KeyObject } from 'node:crypto';
import { lchown, readdir, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { errorText } from '../core/errors.ts';
import { readFileIfThere, StoreError, syncDirectory } from '../store/atomic-file.ts';
import { readCertificate, usageProblem, type Certificate } from './certificate.ts';
import { makeOwnedDirectory, writeTrustFile, type TrustLayout } from './layout.ts';
import { belongTogether, makeDevicePair, type Pair } from './make-certificate.ts';

/** A certificate and key that cannot be used: the message names the file and what to do. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError';
}

export type Identity = {
  /** PEM: the device's certificate, and those of authorities between it and its root, if there are some. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
  readonly fingerprint: string;
  readonly notAfter: Date;
  readonly leaf: Certificate;
};

const CURRENT = 'device';
const STAGED = 'next';
const CERTIFICATE_FILE = 'server.crt';
const KEY_FILE = 'server.key';
const PAIR = /^device\.[0-9a-f]{16}$/;

/** The pair in use; undefined where there is neither file. Throws an IdentityError or a StoreError. */
export async function readIdentity(layout: TrustLayout): Promise<Identity | undefined> {
  return readPair(layout.certificate, layout.key);
}

/** The pair that waits to be used. Throws an IdentityError or a StoreError. */
export async function readStaged(layout: TrustLayout): Promise<Identity | undefined> {
  const staged = await linkAt(join(layout.pairs, STAGED));
  if (staged === undefined || staged === (await linkAt(join(layout.pairs, CURRENT)))) return undefined;
  return readPair(join(layout.pairs, staged, CERTIFICATE_FILE), join(layout.pairs, staged, KEY_FILE));
}

/** The pair in use, made at first. Throws an IdentityError or a StoreError. */
export async function readOrMakeIdentity(
  layout: TrustLayout,
  hostname: string,
  now: Date,
): Promise<{ identity: Identity; isNew: boolean }> {
  const found = await readIdentity(layout);
  if (found !== undefined) return { identity: found, isNew: false };
  const name = await writePair(layout, await makeDevicePair(hostname, now));
  // Who starts at the same time has made one too: the first link counts for both.
  await symlink(name, join(layout.pairs, CURRENT)).catch(ignore('EEXIST'));
  if (!(await isThere(join(layout.pairs, CURRENT)))) await replaceLink(layout, CURRENT, name);
  const isNew = (await linkAt(join(layout.pairs, CURRENT))) === name;
  if (!isNew) await rm(join(layout.pairs, name), { recursive: true, force: true });
  await linkFiles(layout);
  const identity = await readIdentity(layout);
  if (identity === undefined) throw new IdentityError(`${layout.certificate} is gone again; start once more`);
  return { identity, isNew };
}

/** Keeps a pair beside the one in use, in place of one that waited before. Throws an IdentityError or a StoreError. */
export async function stagePair(layout: TrustLayout, pair: Pair): Promise<Identity> {
  const name = await writePair(layout, pair);
  await replaceLink(layout, STAGED, name);
  await removeOthers(layout);
  return (await readStaged(layout))!;
}

/** Has the pair that waits take the place of the one in use. Throws an IdentityError or a StoreError. */
export async function activateStaged(layout: TrustLayout): Promise<Identity> {
  const staged = await readStaged(layout);
  const name = await linkAt(join(layout.pairs, STAGED));
  if (staged === undefined || name === undefined) {
    throw new IdentityError('no certificate is staged: run "wideplane trust renew --stage" first');
  }
  await putInUse(layout, name);
  await rm(join(layout.pairs, STAGED), { force: true });
  await removeOthers(layout);
  return staged;
}

/** Puts a pair in use at once. Throws an IdentityError or a StoreError. */
export async function installPair(layout: TrustLayout, pair: Pair): Promise<Identity> {
  await putInUse(layout, await writePair(layout, pair));
  await removeOthers(layout);
  return (await readIdentity(layout))!;
}

/** Reads a pair of texts; `names` say where they are from. Throws an IdentityError. */
export function checkPair({ certificate, key }: Pair, names: { certificate: string; key: string }): Identity {
  let leaf: Certificate;
  try {
    leaf = readCertificate(certificate);
  } catch (error) {
    throw new IdentityError(`${names.certificate}: ${errorText(error)}; ${REPAIR}`);
  }
  let secret: KeyObject;
  try {
    secret = createPrivateKey(key);
  } catch {
    // What OpenSSL says of it could hold parts of it.
    throw new IdentityError(`${names.key}: it holds no private key in PEM without a passphrase; ${REPAIR}`);
  }
  if (secret.asymmetricKeyType !== 'rsa') {
    throw new IdentityError(
      `${names.key}: its key is of type ${secret.asymmetricKeyType ?? 'unknown'}, and iQuery peers take RSA only; ${REPAIR}`,
    );
  }
  if (!belongTogether(leaf.x509, secret)) {
    throw new IdentityError(`${names.key} is not the key of ${names.certificate}; ${REPAIR}`);
  }
  const fault = leaf.weakKey ?? usageProblem(leaf, 'server') ?? usageProblem(leaf, 'client');
  if (fault !== undefined) throw new IdentityError(`${names.certificate} cannot be used: ${fault}; ${REPAIR}`);
  return { certificate, key, fingerprint: leaf.fingerprint, notAfter: leaf.notAfter, leaf };
}

const REPAIR =
  'put a pair that fits there ("wideplane trust install CERT --key KEY"), or move both files away and start again: a new pair is made then, which every peer has to import';

async function readPair(certificatePath: string, keyPath: string): Promise<Identity | undefined> {
  const [certificate, key] = [await readFileIfThere(certificatePath), await readFileIfThere(keyPath)];
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined || key === undefined) {
    const [there, missing] = key === undefined ? [certificatePath, keyPath] : [keyPath, certificatePath];
    throw new IdentityError(`${there} is there, and ${missing} is not; ${REPAIR}`);
  }
  return checkPair({ certificate, key }, { certificate: certificatePath, key: keyPath });
}

/** Resolves to the name of the directory that holds the pair now. */
async function writePair(layout: TrustLayout, pair: Pair): Promise<string> {
  const { fingerprint } = checkPair(pair, { certificate: 'the new certificate', key: 'the new key' });
  const name = `${CURRENT}.${fingerprint.slice(0, 16)}`;
  const directory = join(layout.pairs, name);
  await makeOwnedDirectory(directory);
  await writeTrustFile(join(directory, KEY_FILE), pair.key, 0o600);
  await writeTrustFile(join(directory, CERTIFICATE_FILE), pair.certificate, 0o644);
  await syncDirectory(layout.pairs);
  return name;
}

/**
 * At every moment both files are the old pair, or the new one: where they are plain files, they first become links to a copy of
 * themselves.
 */
async function putInUse(layout: TrustLayout, name: string): Promise<void> {
  if (!(await isLinked(layout)) && (await linkAt(join(layout.pairs, CURRENT))) !== name) {
    const current = await readIdentity(layout).catch(() => undefined);
    if (current !== undefined) {
      await replaceLink(layout, CURRENT, await writePair(layout, current));
      await linkFiles(layout);
    }
  }
  await replaceLink(layout, CURRENT, name);
  await linkFiles(layout);
}

async function isLinked(layout: TrustLayout): Promise<boolean> {
  for (const [path, file] of filesOf(layout)) {
    if ((await linkAt(path)) !== relative(dirname(path), join(layout.pairs, CURRENT, file))) return false;
  }
  return true;
}

/** Makes the files links to the pair in use, whatever they are now. */
async function linkFiles(layout: TrustLayout): Promise<void> {
  for (const [path, file] of filesOf(layout)) {
    const target = relative(dirname(path), join(layout.pairs, CURRENT, file));
    if ((await linkAt(path)) === target) continue;
    const owner = await makeOwnedDirectory(dirname(path));
    await placeLink(path, target, owner);
  }
}

function filesOf(layout: TrustLayout): [path: string, file: string][] {
  return [
    [layout.key, KEY_FILE],
    [layout.certificate, CERTIFICATE_FILE],
  ];
}

async function replaceLink(layout: TrustLayout, link: string, target: string): Promise<void> {
  const owner = await makeOwnedDirectory(layout.pairs);
  await placeLink(join(layout.pairs, link), target, owner);
}

/** Links that this process has placed: two at once must not share a temporary name. */
let links = 0;

async function placeLink(path: string, target: string, owner: { uid: number; gid: number } | undefined): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.${++links}.tmp`);
  try {
    await rm(temporary, { force: true });
    await symlink(target, temporary);
    if (owner !== undefined) await lchown(temporary, owner.uid, owner.gid);
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw new StoreError(path, 'symlink', code, `cannot replace ${path}: ${message}`);
  }
}

/** Pairs that are neither in use nor staged, with their keys. */
async function removeOthers(layout: TrustLayout): Promise<void> {
  const kept = [await linkAt(join(layout.pairs, CURRENT)), await linkAt(join(layout.pairs, STAGED))];
  for (const name of await readdir(layout.pairs)) {
    if (PAIR.test(name) && !kept.includes(name)) await rm(join(layout.pairs, name), { recursive: true, force: true });
  }
}

/** What a symbolic link says; undefined where there is none. */
async function linkAt(path: string): Promise<string | undefined> {
  return readlink(path).catch(() => undefined);
}

/** Whether a link leads to something. */
async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function ignore(code: string): (error: unknown) => void {
  return (error) => {
    if ((error as NodeJS.ErrnoException).code !== code) throw error;
  };
}
