// Where certificates, keys and bundles are: as below /config of a BIG-IP.

import { chown, mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StoreError, writeFileAtomic, type FileOwner } from '../store/atomic-file.ts';
import type { PeerRole } from './verdict.ts';

export type TrustLayout = {
  readonly root: string;
  /** Certificate and key of this device. */
  readonly certificate: string;
  readonly key: string;
  /** Holds pairs of certificate and key, and the links `device` and `next` to those that are in use and staged. */
  readonly pairs: string;
  /** Servers, and their authorities, that this machine dials. */
  readonly serverBundle: string;
  /** Clients, and their authorities, that dial this machine. */
  readonly clientBundle: string;
  readonly revocationLists: string;
};

export function trustLayout(root: string): TrustLayout {
  return {
    root,
    certificate: join(root, 'httpd/conf/ssl.crt/server.crt'),
    key: join(root, 'httpd/conf/ssl.key/server.key'),
    pairs: join(root, 'httpd/conf'),
    serverBundle: join(root, 'gtm/server.crt'),
    clientBundle: join(root, 'big3d/client.crt'),
    revocationLists: join(root, 'gtm/crl.pem'),
  };
}

/** Of the state directory of wideplane. */
export function trustRoot(state: string): string {
  return join(state, 'iqueryd', 'config');
}

/** The bundle that peers of a role have to be in. */
export function bundleOf(layout: TrustLayout, role: PeerRole): string {
  return role === 'server' ? layout.serverBundle : layout.clientBundle;
}

/** Writes a file atomically; it and new directories above it belong to whom the directory above those belongs. Throws a StoreError. */
export async function writeTrustFile(path: string, content: string, mode: number): Promise<void> {
  const owner = await makeOwnedDirectory(dirname(path));
  await writeFileAtomic(path, content, { mode, ...(owner === undefined ? {} : { owner }) });
}

/**
 * Makes a directory and what is above it, mode 0700, for the account to which the nearest that is there belongs: a command of root
 * leaves nothing that the daemon cannot read. Resolves to that account where it is not this process's. Throws a StoreError.
 */
export async function makeOwnedDirectory(path: string): Promise<FileOwner | undefined> {
  const made: string[] = [];
  let above = path;
  for (;;) {
    try {
      const { uid, gid } = await stat(above);
      const owner = uid === process.geteuid?.() && gid === process.getegid?.() ? undefined : { uid, gid };
      for (const directory of made.reverse()) {
        await mkdir(directory, { mode: 0o700 }).catch((error: unknown) => {
          if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        });
        if (owner !== undefined) await chown(directory, owner.uid, owner.gid);
      }
      return owner;
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' || above === dirname(above)) {
        throw new StoreError(path, 'mkdir', code, `cannot make the directory ${path}: ${message}`);
      }
      made.push(above);
      above = dirname(above);
    }
  }
}
