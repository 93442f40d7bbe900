// What `create` and `modify` have in common: type, name and properties, then one transaction.

import { objectKey } from '../config/change.ts';
import type { PropertyEdit } from '../config/edit.ts';
import type { AnyObjectType } from '../config/object-type.ts';
import { readProperties } from '../config/read-properties.ts';
import type { Token } from '../config/scanner.ts';
import { Transaction } from '../config/transaction.ts';
import { expectEnd, readType, readWord } from './arguments.ts';
import type { Command } from './verb.ts';
import { warningLines } from './warnings.ts';

export type Change = (
  transaction: Transaction,
  type: AnyObjectType,
  name: Token | undefined,
  edits: readonly PropertyEdit[],
) => void;

/** The braces around the properties may also stand around the name, or be left out. */
export function* changeObject({ scanner, backend, session }: Command, apply: Change): Generator<string> {
  const type = readType(scanner);
  let isOpen = scanner.peek()?.kind === 'open' && scanner.next() !== undefined;
  const name = type.naming === 'singleton' ? undefined : readWord(scanner, `a ${type.label} name`);
  if (!isOpen && scanner.peek()?.kind === 'open') isOpen = scanner.next() !== undefined;
  const object = objectKey({ type: type.path, name: name?.text ?? '' });
  const context = { mode: 'command', object, folder: session.folder, extras: [] } as const;
  const edits = readProperties(scanner, type.properties, { ...context, extras: [] }, isOpen);
  expectEnd(scanner);
  const transaction = new Transaction(backend.configuration);
  apply(transaction, type, name, edits);
  const committed = transaction.finish();
  backend.commit(committed);
  yield* warningLines(committed.warnings);
}
