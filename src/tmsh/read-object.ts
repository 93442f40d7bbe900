// What `create` and `modify` have in common: type, name and properties.

import { objectKey } from '../config/change.ts';
import type { PropertyEdit } from '../config/edit.ts';
import { COMMON } from '../config/name.ts';
import type { AnyObjectType } from '../config/object-type.ts';
import { readProperties } from '../config/read-properties.ts';
import { Scanner } from '../config/scanner.ts';
import type { Token } from '../config/scanner.ts';
import type { Transaction } from '../config/transaction.ts';
import { expectEnd, readType, readWord } from './arguments.ts';
import { settleReferences } from './settle-references.ts';
import type { Command } from './verb.ts';

export type ReadObject = {
  readonly type: AnyObjectType;
  /** Absent for a singleton. */
  readonly name: Token | undefined;
  /** How many properties are written. */
  readonly count: number;
  /** The edits, bare names in them resolved by what there is then. */
  readonly editsIn: (transaction: Transaction) => readonly PropertyEdit[];
};

/** The braces around the properties may also stand around the name, or be left out. */
export function readObject({ scanner, session: { folder } }: Command): ReadObject {
  const type = readType(scanner);
  let isOpen = scanner.peek()?.kind === 'open' && scanner.next() !== undefined;
  const name = type.naming === 'singleton' ? undefined : readWord(scanner, `a ${type.label} name`);
  if (!isOpen && scanner.peek()?.kind === 'open') isOpen = scanner.next() !== undefined;
  const object = objectKey({ type: type.path, name: name?.text ?? '' });
  const read = (from: Scanner, within: string): PropertyEdit[] => {
    const context = { mode: 'command', object, folder: within, extras: [] } as const;
    return readProperties(from, type.properties, { ...context, extras: [] }, isOpen);
  };
  const again = folder === COMMON ? undefined : copyAt(scanner);
  const edits = read(scanner, folder);
  expectEnd(scanner);
  const common = again && read(again, COMMON);
  const editsIn = ({ objects }: Transaction): readonly PropertyEdit[] => {
    if (common === undefined) return edits;
    return settleReferences(type.properties, edits, common, (types, target) =>
      types.some((path) => objects.has(objectKey({ type: path, name: target }))),
    );
  };
  return { type, name, count: edits.length, editsIn };
}

/** Another scanner at the same place. */
function copyAt(scanner: Scanner): Scanner {
  const copy = new Scanner(scanner.text, scanner.file);
  const start = scanner.peek()?.start ?? scanner.text.length;
  while ((copy.peek()?.start ?? start) < start) copy.next();
  return copy;
}
