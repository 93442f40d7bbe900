// `wideplane trust renew`, `csr` and `install`. Each returns the exit code.

import { resolve } from 'node:path';
import { writeFileAtomic } from '../store/atomic-file.ts';
import type { Identity } from '../trust/identity.ts';
import type { TrustLayout } from '../trust/layout.ts';
import { makeKey, makeRequest, type Pair } from '../trust/make-certificate.ts';
import { readPkcs12 } from '../trust/pkcs12.ts';
import { activate, install as installPair, stageNew } from '../trust/renewal.ts';
import { timeText } from '../trust/time-text.ts';
import { certificatesOf, ownIdentity, readInput, readNamed, withLayout } from './trust.ts';

export type RenewFlags = { readonly stage?: boolean; readonly activate?: boolean; readonly hostname: string };

export async function renew(state: string, flags: RenewFlags): Promise<number> {
  return withLayout(state, 'renew', async (layout) => {
    if (flags.stage === true && flags.activate === true)
      throw new Error('--stage and --activate are two steps: type one of them');
    if (flags.stage === true) {
      await ownIdentity(layout);
      const staged = await stageNew(layout, flags.hostname, new Date());
      process.stdout.write(staged.certificate);
      process.stderr.write(
        `Staged: ${describe(staged)}\nWhen every peer has imported it: wideplane trust renew --activate\n`,
      );
      return;
    }
    if (flags.activate !== true) await stageNew(layout, flags.hostname, new Date());
    sayActive(await activate(layout));
  });
}

export type RequestFlags = { readonly newKey?: string; readonly hostname: string };

export async function printRequest(state: string, { newKey, hostname }: RequestFlags): Promise<number> {
  return withLayout(state, 'csr', async (layout) => {
    let key: string;
    if (newKey === undefined) {
      key = (await ownIdentity(layout)).key;
    } else {
      key = await makeKey();
      await writeFileAtomic(resolve(newKey), key);
      process.stderr.write(`The new key is in ${newKey}: wideplane trust install CERT --key ${newKey}\n`);
    }
    process.stdout.write(makeRequest(hostname, key));
  });
}

export type InstallFlags = { readonly key?: string; readonly pkcs12?: boolean; readonly passphraseFile?: string };

export async function install(state: string, file: string, flags: InstallFlags): Promise<number> {
  return withLayout(state, 'install', async (layout) => {
    const result = await installPair(layout, await pairOf(layout, file, flags));
    sayActive(result);
  });
}

async function pairOf(layout: TrustLayout, file: string, flags: InstallFlags): Promise<Pair> {
  const octets = await readInput(file);
  if (flags.pkcs12 === true) {
    if (flags.key !== undefined) throw new Error('a PKCS #12 holds its key: leave out --key');
    const passphrase =
      flags.passphraseFile === undefined ? '' : (await readNamed(flags.passphraseFile)).toString().split(/\r?\n/)[0]!;
    try {
      return readPkcs12(octets, passphrase);
    } catch (error) {
      const hint = flags.passphraseFile === undefined ? ' (name a file with its passphrase: --passphrase-file)' : '';
      throw new Error(`${file}: ${(error as Error).message}${hint}`, { cause: error });
    }
  }
  const certificates = certificatesOf(octets, file);
  const key = flags.key === undefined ? (await ownIdentity(layout)).key : (await readNamed(flags.key)).toString();
  return { certificate: certificates.map(({ x509 }) => `${x509.toString().trimEnd()}\n`).join(''), key };
}

function sayActive({ identity, old }: { identity: Identity; old: Identity | undefined }): void {
  process.stdout.write(`This machine now shows ${describe(identity)}\n`);
  if (old === undefined || old.fingerprint === identity.fingerprint) return;
  process.stdout.write(
    `Peers that do not trust it yet refuse this machine: wideplane trust export | ssh PEER wideplane trust import -\n` +
      `When all do, here and there: wideplane trust remove ${old.fingerprint.slice(0, 16)}\n`,
  );
}

function describe({ leaf }: Identity): string {
  return `${leaf.subject}, until ${timeText(leaf.notAfter)}\n  fingerprint ${leaf.fingerprint}`;
}
