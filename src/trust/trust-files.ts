// All that trust rests on, as it is in the files at one moment.

import { errorText } from '../core/errors.ts';
import { readOctetsIfThere } from '../store/atomic-file.ts';
import type { Bundle } from './bundle.ts';
import { readBundleFile } from './bundle-file.ts';
import type { Certificate } from './certificate.ts';
import { readRevocationLists, type RevocationLists } from './crl.ts';
import { readIdentity, readStaged, type Identity } from './identity.ts';
import type { TrustLayout } from './layout.ts';

export type TrustFiles = {
  /** undefined: there is none, or it cannot be used. */
  readonly identity: Identity | undefined;
  readonly staged: Identity | undefined;
  readonly server: Bundle;
  readonly client: Bundle;
  readonly revocation: RevocationLists;
  /** What cannot be read or used, each a line that names the file. */
  readonly problems: readonly string[];
};

const NO_BUNDLE: Bundle = { members: [], problems: [] };

/** A file that cannot be read is as it was in `before`. */
export async function readTrustFiles(layout: TrustLayout, before?: TrustFiles): Promise<TrustFiles> {
  const problems: string[] = [];
  async function attempt<T>(read: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await read();
    } catch (error) {
      problems.push(errorText(error));
      return otherwise;
    }
  }
  async function bundle(path: string, otherwise: Bundle | undefined): Promise<Bundle> {
    const read = await attempt(() => readBundleFile(path), otherwise ?? NO_BUNDLE);
    problems.push(...read.problems.map((problem) => `${path}: ${problem}`));
    return read;
  }
  const identity = await attempt(() => readIdentity(layout), before?.identity);
  const staged = await attempt(() => readStaged(layout), before?.staged);
  const server = await bundle(layout.serverBundle, before?.server);
  const client = await bundle(layout.clientBundle, before?.client);
  const revocation = await attempt<RevocationLists>(
    async () => {
      const file = await readOctetsIfThere(layout.revocationLists);
      return file === undefined ? { lists: [], problems: [] } : readRevocationLists(file.octets);
    },
    before?.revocation ?? { lists: [], problems: [] },
  );
  problems.push(...revocation.problems.map((problem) => `${layout.revocationLists}: ${problem}`));
  return { identity: identity ?? before?.identity, staged, server, client, revocation, problems };
}

/** Certificates of this machine are trusted by it whatever its bundles say: it dials itself too. */
export function ownCertificates({ identity, staged }: TrustFiles): Certificate[] {
  return [identity, staged].flatMap((own) => (own === undefined ? [] : [own.leaf]));
}
