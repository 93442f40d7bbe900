// Files that are kept aside when something else takes the place of what they hold: a few, the oldest go.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, removeFile, removeLeftovers, writeFileAtomic } from './atomic-file.ts';

/** `20261124T141243Z`: how a name begins, so that names are sorted by time. */
const NAME = /^\d{8}T\d{6}Z-/;

/** Writes it under a name that tells the time and `label`, and resolves to its path. Throws a StoreError. */
export async function keepFile(
  directory: string,
  label: string,
  content: Uint8Array | Iterable<string>,
  most: number,
): Promise<string> {
  await makeDirectory(directory);
  const time = `${new Date().toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
  const path = join(directory, `${time}-${label.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 100)}`);
  await removeLeftovers(path);
  await writeFileAtomic(path, content);
  const names = (await readdir(directory)).filter((name) => NAME.test(name)).sort();
  for (const name of names.slice(0, -most)) await removeFile(join(directory, name));
  return path;
}
