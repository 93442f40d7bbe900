// Bundles in files, changed as a whole: what another process adds at the same time is not lost.

import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readFileIfThere, writeFileAtomic } from '../store/atomic-file.ts';
import { addToBundle, readBundle, removeFromBundle, type Bundle } from './bundle.ts';
import type { Certificate } from './certificate.ts';
import { makeOwnedDirectory } from './layout.ts';

/** Certificates are no secret. */
const MODE = 0o644;
const MOST_ATTEMPTS = 10;

class Overtaken extends Error {
  override readonly name = 'Overtaken';
}

/** An empty bundle where there is no file. Throws a StoreError. */
export async function readBundleFile(path: string): Promise<Bundle> {
  return readBundle((await readFileIfThere(path)) ?? '');
}

/** Adds what is not in it yet, and says what that was. Throws a StoreError. */
export async function addToBundleFile(path: string, certificates: readonly Certificate[]): Promise<Certificate[]> {
  let added: Certificate[] = [];
  await edit(path, (text) => {
    const result = addToBundle(text, certificates);
    added = result.added;
    return added.length === 0 ? text : result.text;
  });
  return added;
}

/** Removes certificates by their fingerprints, and says which were in it. Throws a StoreError. */
export async function removeFromBundleFile(path: string, fingerprints: readonly string[]): Promise<Certificate[]> {
  let removed: Certificate[] = [];
  await edit(path, (text) => {
    removed = readBundle(text).members.filter(({ fingerprint }) => fingerprints.includes(fingerprint));
    return removed.reduce((left, { fingerprint }) => removeFromBundle(left, fingerprint), text);
  });
  return removed;
}

/** The last edit of each file that this process has begun. */
const edits = new Map<string, Promise<void>>();

/** One after the other within this process; another process's is noticed. */
async function edit(path: string, change: (text: string) => string): Promise<void> {
  const before = edits.get(path) ?? Promise.resolve();
  const edited = before.catch(() => undefined).then(() => editOnce(path, change));
  edits.set(path, edited);
  try {
    await edited;
  } finally {
    if (edits.get(path) === edited) edits.delete(path);
  }
}

async function editOnce(path: string, change: (text: string) => string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const before = await stampOf(path);
    const text = (await readFileIfThere(path)) ?? '';
    const changed = change(text);
    if (changed === text) return;
    const owner = await makeOwnedDirectory(dirname(path));
    const beforeRename = async (): Promise<void> => {
      if ((await stampOf(path)) !== before) throw new Overtaken();
    };
    try {
      await writeFileAtomic(path, changed, { mode: MODE, beforeRename, ...(owner === undefined ? {} : { owner }) });
      return;
    } catch (error) {
      // A StoreError does not keep what it was made from, so the stamp tells whether it was that.
      if (attempt >= MOST_ATTEMPTS || (await stampOf(path)) === before) throw error;
    }
  }
}

async function stampOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch {
    return '';
  }
}
