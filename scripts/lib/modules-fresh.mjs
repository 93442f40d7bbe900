// Exits 0 when node_modules holds what package-lock.json asks for.
import { readFileSync } from 'node:fs';

function packagesOf(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

const wanted = packagesOf('package-lock.json') ?? {};
const installed = packagesOf('node_modules/.package-lock.json');
// Optional packages of other platforms are in the lock file, but never installed; the others are wanted.
const stale = Object.entries(wanted).some(([path, { version, optional, os, cpu, libc }]) => {
  if (path === '') return false;
  const found = installed?.[path]?.version;
  const isForeign = optional === true && (os !== undefined || cpu !== undefined || libc !== undefined);
  return found === undefined ? !isForeign : found !== version;
});
process.exit(installed === undefined || stale ? 1 : 0);
