// `mv` and `cp`: an object under another name, or beside itself.

import type { Configuration } from '../../config/configuration.ts';
import { ROOT, leafOf, resolveFolder } from '../../config/folders.ts';
import type { AnyObjectType } from '../../config/object-type.ts';
import type { Token } from '../../config/scanner.ts';
import { expectEnd, nameIn, readName, readType, readWord, resolveOne } from '../arguments.ts';
import { stage } from '../stage.ts';
import type { Command, Objects, Output, Verb } from '../verb.ts';

const OBJECTS = {
  accepts: (type: AnyObjectType) =>
    type.naming !== 'singleton' && type.companionOf === undefined && type.isFixed !== true,
  names: 'one',
  properties: 'none',
  operand: { kind: 'name', help: 'the new name' },
  // Stands in place of the name.
  options: [
    {
      word: 'to-folder',
      help: 'Another folder, under the same name.',
      value: { kind: 'folder', help: 'a folder' },
      inFolders: true,
    },
  ],
} as const satisfies Omit<Objects, 'run'>;

export const mv: Verb = {
  name: 'mv',
  help: 'Give an object another name or folder; what refers to it follows.',
  changes: true,
  objects: { ...OBJECTS, run: (command) => relocate(command, 'rename') },
};

export const cp: Verb = {
  name: 'cp',
  help: 'Make a second object of the same values.',
  changes: true,
  objects: { ...OBJECTS, run: (command) => relocate(command, 'copy') },
};

// eslint-disable-next-line @typescript-eslint/require-await
async function* relocate(command: Command, how: 'rename' | 'copy'): Output {
  const { type, from, target } = readNames(command);
  const { folder } = command.session;
  yield* stage(command, (transaction) => {
    const name = resolveOne(transaction, type, from, folder);
    transaction[how](type, name, target(name, transaction), from.position);
  });
}

type Names = {
  type: AnyObjectType;
  from: Token;
  target: (name: string, objects: Pick<Configuration, 'objects'>) => string;
};

/** Type, name, and a new name or `to-folder FOLDER`. */
function readNames({ scanner, session: { folder } }: Command): Names {
  const type = readType(scanner);
  const from = readName(scanner, type);
  const word = readName(scanner, type, 'a new name, or to-folder,').text;
  if (word !== 'to-folder' || type.naming === 'plain') {
    expectEnd(scanner);
    return { type, from, target: (_, objects) => nameIn(objects, type, word, folder) };
  }
  const to = resolveFolder(readWord(scanner, 'a folder').text, folder);
  expectEnd(scanner);
  return { type, from, target: (name) => `${to === ROOT ? '' : to}/${leafOf(name)}` };
}
