// `edit`: objects as text, and back. Without text the command prints the objects; with it they become what it says. The
// editor in between belongs to whoever types (src/cli/edit.ts).

import { objectKey } from '../../config/change.ts';
import type { AnyObjectType } from '../../config/object-type.ts';
import { printName, printObject } from '../../config/print.ts';
import { replaceObjects } from '../../config/replace-objects.ts';
import type { Token } from '../../config/scanner.ts';
import { ConfigError } from '../../core/errors.ts';
import { isPattern, nameIn, readNames, readType, resolveNames } from '../arguments.ts';
import { conflictOn, listingDigest } from '../edit-conflict.ts';
import { readOptions } from '../options.ts';
import type { Command, OptionWord, Verb } from '../verb.ts';
import { warningLines } from '../warnings.ts';

const OPTIONS: readonly OptionWord[] = [
  { word: 'all-properties', help: 'Every property with its value, not only those that were set.' },
];

export const edit: Verb = {
  name: 'edit',
  help: 'Change objects as text, in the editor that $EDITOR names.',
  changes: true,
  objects: {
    names: 'many',
    properties: 'none',
    options: OPTIONS,
    // eslint-disable-next-line @typescript-eslint/require-await
    async *run(command) {
      const { scanner, backend, session, input } = command;
      const type = readType(scanner);
      const tokens = type.naming === 'singleton' ? [] : readNames(scanner, type);
      const isFull = readOptions(scanner, 'edit', OPTIONS).has('all-properties');
      if (session.batch !== undefined) {
        const hint = 'submit cli transaction or delete cli transaction first.';
        throw new ConfigError('configuration', 'edit does not wait in a transaction.', { hint });
      }
      const names = tokens.length === 0 ? [''] : tokens.flatMap((token) => namesToEdit(command, type, token));
      const opened = names.map((name) => listing(command, type, name, isFull));
      if (input === undefined) {
        backend.edits.watch(names.map((name) => objectKey({ type: type.path, name })));
        yield* opened;
        return;
      }
      refuseChanged(command, type, names, opened.join(''));
      const allowed = new Set(names.map((name) => objectKey({ type: type.path, name })));
      const committed = replaceObjects(input, backend.configuration, allowed, 'edit');
      backend.commit(committed);
      yield* warningLines(committed.warnings);
    },
  },
};

/** Refuses a text that was made from objects which somebody else has changed meanwhile. Throws an EditConflict. */
function refuseChanged({ base, backend }: Command, type: AnyObjectType, names: readonly string[], now: string): void {
  if (base === undefined || base === listingDigest(now)) return;
  const keys = names.map((name) => objectKey({ type: type.path, name }));
  const key = keys.find((each) => backend.edits.changeOf(each) !== undefined) ?? keys[0] ?? type.path;
  throw conflictOn(key, backend.edits.changeOf(key));
}

/** The objects that there are, or one that is to be. */
function namesToEdit({ backend, session }: Command, type: AnyObjectType, token: Token): string[] {
  const name = nameIn(backend.configuration, type, token.text, session.folder);
  const isNew = !isPattern(token.text) && type.companionOf === undefined;
  if (isNew && !backend.configuration.objects.has(objectKey({ type: type.path, name }))) return [name];
  return resolveNames(backend.configuration, type, token, session.folder);
}

/** With full names: the text is read as a file is. */
function listing({ backend }: Command, type: AnyObjectType, name: string, isFull: boolean): string {
  const object = backend.configuration.objects.get(objectKey({ type: type.path, name }));
  if (object === undefined) return `${type.path} ${printName(type, name, undefined)} {\n}\n`;
  return printObject(backend.configuration, object, isFull ? { allProperties: true } : {});
}
