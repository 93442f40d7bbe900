// The running configuration in files of configd's own, so that a kill loses nothing that was not saved yet: as text, and
// what has changed since as records of a journal, the objects as they are stored.

import * as z from 'zod';
import { objectKey } from '../../config/change.ts';
import type { Generation } from '../../config/change.ts';
import { emptyConfiguration, materialise } from '../../config/configuration.ts';
import type { Configuration, StoredObject } from '../../config/configuration.ts';
import { loadText } from '../../config/load-text.ts';
import type { Loaded } from '../../config/load-text.ts';
import { printConfiguration, printPieces } from '../../config/print.ts';
import type { UnknownObject } from '../../config/unknown.ts';
import { ObjectReader, objectLines } from '../../ipc/object-lines.ts';
import { SCHEMA_VERSION } from '../../ipc/schema.ts';
import { readFileIfThere } from '../../store/atomic-file.ts';
import { JournaledFile, readRecords } from '../../store/journaled-file.ts';

export type Running = {
  readonly configuration: Configuration;
  readonly generation: Generation;
  /** Digest of the text that the configuration's own file had when it was last read or written. */
  readonly origin: string;
};

/** The first line: which text the running configuration came from, and the generation. */
const HEAD = /^# running since (\S+)(?: (\S+))?\n/;

const recordHead = z.object({ v: z.literal(SCHEMA_VERSION) });
const extraSchema = z.object({
  path: z.array(z.string()),
  name: z.string(),
  text: z.string(),
  after: z.string().optional(),
});
const changeSchema = z.object({
  action: z.enum(['set', 'delete']),
  extras: z.array(extraSchema).default([]),
  lead: z.string().optional(),
});

/** Keeps what runs at the path; `version` stands in the header, `failed` is told why a state could not be written. */
export function runningFile(path: string, version: string, failed: (error: unknown) => void): JournaledFile<Running> {
  return new JournaledFile({
    path,
    idOf: ({ origin, generation }) => idOf(origin, generationText(generation)),
    *textOf({ configuration, generation, origin }) {
      yield `# running since ${origin} ${generationText(generation)}\n`;
      yield* printPieces(configuration, version);
    },
    changeOf,
    failed,
  });
}

const generationText = ({ epoch, number }: Generation): string => `${epoch}.${number}`;
const idOf = (origin: string, generation: string): string => `${origin} ${generation}`;

/** Undefined where what differs is more than objects. */
function changeOf(from: Running, to: Running): string | undefined {
  if (from.origin !== to.origin || !sameItems(from.configuration.unknown, to.configuration.unknown)) return undefined;
  return `${[...recordLines(from.configuration, to.configuration)].join('\n')}\n`;
}

const sameItems = (a: readonly UnknownObject[], b: readonly UnknownObject[]): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index]);

function* recordLines({ objects: before }: Configuration, { objects: after }: Configuration): Generator<string> {
  yield JSON.stringify({ v: SCHEMA_VERSION });
  for (const [key, { type, name }] of before) {
    if (!after.has(key)) yield* objectLines({ type, name, properties: {} }, { action: 'delete' });
  }
  for (const [key, object] of after) {
    if (before.get(key) === object) continue;
    const { type, name, own: properties, extras, lead } = object;
    yield* objectLines({ type, name, properties }, { action: 'set', extras, lead });
  }
}

/**
 * What ran when the files were written last, read as if it were a text; undefined unless it came from the text with this
 * digest. Throws what `loadText` does, a StoreError, or an error of records that are none.
 */
export async function readRunning(path: string, origin: string, version: string): Promise<Loaded | undefined> {
  const text = await readFileIfThere(path);
  const head = text === undefined ? null : HEAD.exec(text);
  if (text === undefined || head?.[1] !== origin) return undefined;
  const loaded = loadText(text, emptyConfiguration(), { file: path });
  const records = await readRecords(path, idOf(origin, head[2] ?? ''));
  if (records.length === 0) return loaded;
  const objects = new Map(loaded.configuration.objects);
  for (const record of records) readInto(objects, record);
  const { unknown } = loaded.configuration;
  const configuration = { objects, views: materialise(objects, undefined), unknown };
  return loadText(printConfiguration(configuration, version), emptyConfiguration(), { file: path });
}

function readInto(objects: Map<string, StoredObject>, record: string): void {
  const behindHead = record.indexOf('\n') + 1;
  recordHead.parse(JSON.parse(record.slice(0, behindHead)));
  const reader = new ObjectReader();
  for (const { object, head } of reader.push(record.slice(behindHead))) {
    const { action, extras, lead } = changeSchema.parse(head);
    const { type, name, properties: own } = object;
    if (action === 'delete') objects.delete(objectKey(object));
    else
      objects.set(objectKey(object), {
        type,
        name,
        own,
        extras: extras as StoredObject['extras'],
        ...(lead === undefined ? {} : { lead }),
      });
  }
  reader.finish();
}
