// This package as it is installed: where its files are, whether what runs is a module of its own or joined with others, and its version.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MANIFEST = 'package.json';

let root: string | undefined;

/** Path of a file of the package, which is given from its root. */
export const inPackage = (path: string): string => join((root ??= findRoot()), path);

export function packageVersion(): string {
  return (JSON.parse(readFileSync(inPackage(MANIFEST), 'utf8')) as { version: string }).version;
}

function findRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, MANIFEST)) && directory !== dirname(directory)) directory = dirname(directory);
  return directory;
}
