// `wideplane trust export`, `import` and `remove`. Each returns the exit code.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { errorText } from '../core/errors.ts';
import { addToBundleFile, readBundleFile, removeFromBundleFile } from '../trust/bundle-file.ts';
import { readBundle } from '../trust/bundle.ts';
import { readCertificate, type Certificate } from '../trust/certificate.ts';
import { expiryText } from '../trust/expiry.ts';
import { readIdentity, readOrMakeIdentity, readStaged, type Identity } from '../trust/identity.ts';
import { bundleOf, trustLayout, trustRoot, type TrustLayout } from '../trust/layout.ts';
import { timeText } from '../trust/time-text.ts';
import type { PeerRole } from '../trust/verdict.ts';

/** The least of a fingerprint that may stand for it. */
const LEAST_DIGITS = 8;

export async function exportCertificate(state: string, isStaged: boolean): Promise<number> {
  return withLayout(state, 'export', async (layout) => {
    if (!isStaged) {
      process.stdout.write((await ownIdentity(layout)).certificate);
      return;
    }
    const staged = await readStaged(layout);
    if (staged === undefined) throw new Error('no certificate is staged: run "wideplane trust renew --stage" first');
    process.stdout.write(staged.certificate);
  });
}

export async function importCertificates(state: string, file: string, roles: readonly PeerRole[]): Promise<number> {
  return withLayout(state, 'import', async (layout) => {
    const certificates = certificatesOf(await readInput(file), file === '-' ? 'standard input' : file);
    for (const certificate of certificates) {
      const { subject, fingerprint } = certificate;
      process.stdout.write(`${subject}\n  fingerprint ${fingerprint}\n`);
      for (const doubt of doubtsOf(certificate, new Date())) process.stdout.write(`  but ${doubt}\n`);
    }
    await ownIdentity(layout);
    for (const role of roles) {
      const path = bundleOf(layout, role);
      const added = await addToBundleFile(path, certificates);
      const old = certificates.length - added.length;
      const words = [`${added.length} added`, ...(old === 0 ? [] : [`${old} in it already`])];
      process.stdout.write(`${path}: ${words.join(', ')}\n`);
    }
  });
}

export async function removeCertificate(state: string, digits: string, roles: readonly PeerRole[]): Promise<number> {
  return withLayout(state, 'remove', async (layout) => {
    const wanted = digits.replaceAll(':', '').toLowerCase();
    if (!/^[0-9a-f]+$/.test(wanted) || wanted.length < LEAST_DIGITS) {
      throw new Error(
        `"${digits}" is no fingerprint: type ${LEAST_DIGITS} hexadecimal digits of it or more, as "wideplane trust show" prints them`,
      );
    }
    const found = new Map<string, Certificate>();
    for (const role of roles) {
      for (const member of (await readBundleFile(bundleOf(layout, role))).members) {
        if (member.fingerprint.startsWith(wanted)) found.set(member.fingerprint, member);
      }
    }
    const [certificate] = found.values();
    if (certificate === undefined) {
      const where = roles.map((role) => bundleOf(layout, role)).join(' or ');
      throw new Error(
        `no certificate in ${where} has a fingerprint that starts with ${wanted}: look at "wideplane trust show"`,
      );
    }
    if (found.size > 1) {
      throw new Error(`${found.size} certificates have fingerprints that start with ${wanted}: type more digits`);
    }
    const { fingerprint, subject } = certificate;
    if ((await readIdentity(layout))?.fingerprint === fingerprint) {
      throw new Error(
        'this is the certificate of this machine itself: have it use another first ("wideplane trust rotate")',
      );
    }
    for (const role of roles) {
      const path = bundleOf(layout, role);
      const removed = await removeFromBundleFile(path, [fingerprint]);
      process.stdout.write(`${path}: ${removed.length === 0 ? 'was not in it' : `${subject} removed`}\n`);
    }
  });
}

/** Runs a command on the files of a state directory, and prints what it throws. */
export async function withLayout(
  state: string,
  command: string,
  use: (layout: TrustLayout) => Promise<void>,
): Promise<number> {
  try {
    const directory = resolve(state);
    if (!existsSync(directory)) {
      throw new Error(`there is no state directory ${directory}: start wideplane first, or name another with --state`);
    }
    await use(trustLayout(trustRoot(directory)));
    return 0;
  } catch (error) {
    process.stderr.write(`wideplane trust ${command}: ${errorText(error)}\n`);
    return 1;
  }
}

/** Made when there is none, and trusted by this machine, as iqueryd does at its start. */
export async function ownIdentity(layout: TrustLayout): Promise<Identity> {
  const { identity } = await readOrMakeIdentity(layout, hostname(), new Date());
  for (const role of ['server', 'client'] as const) await addToBundleFile(bundleOf(layout, role), [identity.leaf]);
  return identity;
}

export async function readInput(file: string): Promise<Buffer> {
  if (file !== '-') return readNamed(file);
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Throws an Error that names the file. */
export async function readNamed(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`cannot read ${file}: ${code === 'ENOENT' ? 'there is no such file' : errorText(error)}`, {
      cause: error,
    });
  }
}

/** The certificates in a file, PEM or DER; throws an Error with what is wrong in it. */
export function certificatesOf(octets: Buffer, name: string): Certificate[] {
  if (!octets.includes('-----BEGIN ')) {
    try {
      return [readCertificate(octets)];
    } catch {
      throw new Error(`${name} holds no certificate: PEM or DER is expected, as "wideplane trust export" prints it`);
    }
  }
  const { members, problems } = readBundle(octets.toString('latin1'));
  if (problems.length > 0) throw new Error(`${name}: ${problems.join('; ')}; nothing was changed`);
  return [...members];
}

/** Why a certificate will be refused although it is in a bundle. */
export function doubtsOf({ weakKey, weakSignature, notBefore, notAfter }: Certificate, now: Date): string[] {
  return [
    ...(weakKey === undefined ? [] : [`${weakKey}: it is refused`]),
    ...(weakSignature === undefined ? [] : [`its signature is made with ${weakSignature}: it is refused`]),
    ...(now > notAfter ? [`it ${expiryText(notAfter, now)}: it is refused`] : []),
    ...(now < notBefore
      ? [`it is valid from ${timeText(notBefore)} only, and the clock here says ${timeText(now)}: compare both clocks`]
      : []),
  ];
}
