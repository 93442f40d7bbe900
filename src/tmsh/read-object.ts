// What `create` and `modify` have in common: type, name and properties.

import { objectKey } from '../config/change.ts';
import type { PropertyEdit } from '../config/edit.ts';
import type { AnyObjectType } from '../config/object-type.ts';
import { readProperties } from '../config/read-properties.ts';
import type { Token } from '../config/scanner.ts';
import { expectEnd, readType, readWord } from './arguments.ts';
import type { Command } from './verb.ts';

export type ReadObject = {
  readonly type: AnyObjectType;
  /** Absent for a singleton. */
  readonly name: Token | undefined;
  readonly edits: readonly PropertyEdit[];
};

/** The braces around the properties may also stand around the name, or be left out. */
export function readObject({ scanner, session }: Command): ReadObject {
  const type = readType(scanner);
  let isOpen = scanner.peek()?.kind === 'open' && scanner.next() !== undefined;
  const name = type.naming === 'singleton' ? undefined : readWord(scanner, `a ${type.label} name`);
  if (!isOpen && scanner.peek()?.kind === 'open') isOpen = scanner.next() !== undefined;
  const object = objectKey({ type: type.path, name: name?.text ?? '' });
  const context = { mode: 'command', object, folder: session.folder, extras: [] } as const;
  const edits = readProperties(scanner, type.properties, { ...context, extras: [] }, isOpen);
  expectEnd(scanner);
  return { type, name, edits };
}
