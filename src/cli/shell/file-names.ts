// File names for Tab and `?`, where a command takes one: those that whoever types can see, from the directory that tmsh was
// started in, which is what configd takes relative names for.

import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { quote } from '../../config/scanner.ts';
import { LISTED_OFFERS, OfferCollector } from '../../tmsh/completion.ts';
import type { Completion } from '../../tmsh/completion.ts';

/** The completion with the names that go on from `typed`, the word before the cursor as it stands there. */
export function withFileNames(found: Completion, typed: string): Completion {
  const isQuoted = typed.startsWith('"');
  const word = isQuoted ? typed.slice(1).replace(/\\(.)/g, '$1') : typed;
  const leaf = word.slice(word.lastIndexOf('/') + 1);
  const directory = word.slice(0, word.length - leaf.length);
  // As in a shell, hidden files are offered to who asks for them.
  const fitting = namesIn(resolve(directory === '' ? '.' : directory))
    .filter((name) => name.startsWith(leaf) && (leaf !== '' || !name.startsWith('.')))
    .map((name) => written(`${directory}${name}`, isQuoted))
    .sort();
  const into = new OfferCollector('');
  into.addChosen('Files', fitting.slice(0, LISTED_OFFERS), fitting.length, fitting[0] ?? '', fitting.at(-1) ?? '');
  const { groups, common, count } = into.finish(typed.length);
  return { ...found, groups: [...found.groups, ...groups], common, count, replaces: typed.length };
}

/** Those of directories end with a slash; none where there is nothing to be read. */
function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).map((entry) => {
      const isDirectory = entry.isSymbolicLink() ? leadsToDirectory(join(directory, entry.name)) : entry.isDirectory();
      return isDirectory ? `${entry.name}/` : entry.name;
    });
  } catch {
    return [];
  }
}

function leadsToDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** In quotes where it must be, or where quotes are open; those of a directory stay open. */
function written(path: string, isQuoted: boolean): string {
  const plain = quote(path);
  const text = isQuoted && plain === path ? `"${path}"` : plain;
  return path.endsWith('/') && text.endsWith('"') ? text.slice(0, -1) : text;
}
