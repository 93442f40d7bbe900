// What `create` and `modify` have in common: type, name and properties.

import { objectKey } from '../config/change.ts';
import type { PropertyEdit } from '../config/edit.ts';
import { defaultRouteDomainOf } from '../config/default-route-domain.ts';
import { nameOf } from '../config/load-text.ts';
import { leafOf } from '../config/folders.ts';
import { COMMON, partitionOf } from '../config/name.ts';
import { labelled } from '../config/object-type.ts';
import type { AnyObjectType } from '../config/object-type.ts';
import { readProperties } from '../config/read-properties.ts';
import type { Extra } from '../config/read-properties.ts';
import { Scanner } from '../config/scanner.ts';
import { PARTITION } from '../config/shared-properties.ts';
import type { Token } from '../config/scanner.ts';
import type { Transaction } from '../config/transaction.ts';
import { ConfigError } from '../core/errors.ts';
import { expectEnd, readName, readType } from './arguments.ts';
import { settleReferences } from './settle-references.ts';
import type { Command } from './verb.ts';

export type ReadObject = {
  readonly type: AnyObjectType;
  /** Absent for a singleton. */
  readonly name: Token | undefined;
  /** How many properties are written. */
  readonly count: number;
  /** Properties that the definition does not have and a command may write. */
  readonly extras: readonly Extra[];
  /** The edits, bare names in them resolved by what there is then. */
  readonly editsIn: (transaction: Transaction) => readonly PropertyEdit[];
};

/** The braces around the properties may also stand around the name, or be left out. */
export function readObject({ scanner, session: { folder } }: Command): ReadObject {
  const type = readType(scanner);
  let isOpen = scanner.peek()?.kind === 'open' && scanner.next() !== undefined;
  const name = type.naming === 'singleton' ? undefined : readName(scanner, type);
  if (!isOpen && scanner.peek()?.kind === 'open') isOpen = scanner.next() !== undefined;
  const object = objectKey({ type: type.path, name: name?.text ?? '' });
  const start = scanner.peek()?.start ?? scanner.text.length;
  const read = (from: Scanner, within: string, routeDomain: number, extras: Extra[] = []): PropertyEdit[] =>
    readProperties(from, type.properties, { mode: 'command', object, folder: within, routeDomain, extras }, isOpen);
  const extras: Extra[] = [];
  const edits = read(scanner, folder, 0, extras);
  expectEnd(scanner);
  const path = nameOf(type, name?.text ?? '', folder);
  for (const extra of extras) if (extra.name === PARTITION) expectPartition(extra, type, path);
  const count = edits.length + extras.length;
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
  return { type, name, count, extras: extras.filter((extra) => extra.name !== PARTITION), editsIn };
}

/** Throws a ConfigError where another partition is written than that of the name. */
function expectPartition({ text, position }: Extra, type: AnyObjectType, path: string): void {
  const written = new Scanner(text);
  written.next();
  const partition = written.next()?.text;
  const own = type.naming === 'full-path' ? partitionOf(path) : partitionOf(COMMON);
  if (partition === own) return;
  const where = `The partition of ${labelled(type, path)} is ${own}, as its name says, not ${partition}.`;
  throw new ConfigError('configuration', where, {
    object: objectKey({ type: type.path, name: path }),
    property: PARTITION,
    ...(position === undefined ? {} : { position }),
    hint: `Write its name as /${partition}/${leafOf(path)}, or go there first: cd /${partition}`,
  });
}

/** Another scanner of the same text, at the place. */
function copyAt(scanner: Scanner, start: number): Scanner {
  const copy = new Scanner(scanner.text, scanner.file);
  while ((copy.peek()?.start ?? start) < start) copy.next();
  return copy;
}
