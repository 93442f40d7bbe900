// What `create` and `modify` have in common: type, name and properties.

import { objectKey } from '../config/change.ts';
import type { PropertyEdit } from '../config/edit.ts';
import { defaultRouteDomainOf } from '../config/default-route-domain.ts';
import { nameOf } from '../config/load-text.ts';
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
  const start = scanner.peek()?.start ?? scanner.text.length;
  const read = (from: Scanner, within: string, routeDomain: number): PropertyEdit[] => {
    const context = { mode: 'command', object, folder: within, routeDomain, extras: [] } as const;
    return readProperties(from, type.properties, { ...context, extras: [] }, isOpen);
  };
  const edits = read(scanner, folder, 0);
  expectEnd(scanner);
  const path = nameOf(type, name?.text ?? '', folder);
  // What addresses and bare names mean depends on what there is when the command takes effect.
  const editsIn = ({ objects }: Transaction): readonly PropertyEdit[] => {
    const domain = type.naming === 'full-path' ? defaultRouteDomainOf(objects, path) : 0;
    const here = domain === 0 ? edits : read(copyAt(scanner, start), folder, domain);
    if (folder === COMMON) return here;
    const common = read(copyAt(scanner, start), COMMON, domain);
    return settleReferences(type.properties, here, common, (types, target) =>
      types.some((each) => objects.has(objectKey({ type: each, name: target }))),
    );
  };
  return { type, name, count: edits.length, editsIn };
}

/** Another scanner of the same text, at the place. */
function copyAt(scanner: Scanner, start: number): Scanner {
  const copy = new Scanner(scanner.text, scanner.file);
  while ((copy.peek()?.start ?? start) < start) copy.next();
  return copy;
}
