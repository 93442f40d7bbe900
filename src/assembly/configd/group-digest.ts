// The digest of what a synchronisation group shares of a configuration, made in slices so that nobody waits for it.

import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Configuration } from '../../config/configuration.ts';
import { groupPieces, hasGroupContent } from '../../config/group-text.ts';

export type GroupDigest = { readonly digest: string; readonly octets: number; readonly hasContent: boolean };

const SLICE_MS = 10;

/** Of the configurations that are still known to somebody. */
const known = new WeakMap<Configuration['objects'], Promise<GroupDigest>>();

export function groupDigest(configuration: Configuration): Promise<GroupDigest> {
  const { objects } = configuration;
  let digest = known.get(objects);
  if (digest === undefined) {
    digest = make(configuration);
    known.set(objects, digest);
  }
  return digest;
}

async function make(configuration: Configuration): Promise<GroupDigest> {
  const hash = createHash('sha256');
  let octets = 0;
  let since = performance.now();
  for (const { text } of groupPieces(configuration)) {
    hash.update(text);
    octets += Buffer.byteLength(text);
    if (performance.now() - since < SLICE_MS) continue;
    await nextTurn();
    since = performance.now();
  }
  return { digest: hash.digest('hex'), octets, hasContent: hasGroupContent(configuration) };
}

/** The text in pieces of at most so many characters. */
export function* groupTextPieces(configuration: Configuration, characters: number): Generator<string, void> {
  let text = '';
  for (const piece of groupPieces(configuration)) {
    text += piece.text;
    while (text.length >= characters) {
      yield text.slice(0, characters);
      text = text.slice(characters);
    }
  }
  if (text !== '') yield text;
}
