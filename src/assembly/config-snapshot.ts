// The last configuration that a daemon applied, as files of its own: JSON lines, the first of which says the version; and a
// journal of what has changed since, object by object.

import * as z from 'zod';
import { objectKey } from '../config/change.ts';
import type { Generation, ObjectMap } from '../config/change.ts';
import type { AnyConfigObject } from '../config/object-type.ts';
import { errorText } from '../core/errors.ts';
import { ObjectReader, objectLines } from '../ipc/object-lines.ts';
import { SCHEMA_VERSION, changeHeadSchema, generationSchema } from '../ipc/schema.ts';
import { readFileIfThere } from '../store/atomic-file.ts';
import { JournaledFile, readRecords } from '../store/journaled-file.ts';

/** Name of the file in the directory of a daemon. */
export const SNAPSHOT_FILE = 'config.snapshot';

const headSchema = z.object({ v: z.literal(SCHEMA_VERSION), generation: generationSchema, objects: z.number().int() });

export type Snapshot = { readonly generation: Generation; readonly objects: ObjectMap };

/** Keeps snapshots at the path; `failed` is told why one could not be written. */
export function snapshotFile(path: string, failed: (error: unknown) => void): JournaledFile<Snapshot> {
  return new JournaledFile({
    path,
    idOf: ({ generation }) => nameOf(generation),
    textOf: snapshotText,
    changeOf: (from, to) => `${[...changeLines(from, to)].join('\n')}\n`,
    failed,
  });
}

const nameOf = ({ epoch, number }: Generation): string => `generation ${epoch} ${number}`;

/** In pieces: a snapshot with a million stations is never in memory as a whole. */
function* snapshotText({ generation, objects }: Snapshot): Generator<string> {
  yield `${JSON.stringify({ v: SCHEMA_VERSION, generation, objects: objects.size })}\n`;
  for (const object of objects.values()) for (const line of objectLines(object)) yield `${line}\n`;
}

function* changeLines(from: Snapshot, { generation, objects }: Snapshot): Generator<string> {
  yield JSON.stringify({ v: SCHEMA_VERSION, generation, objects: objects.size });
  for (const [key, { type, name }] of from.objects) {
    if (!objects.has(key)) yield* objectLines({ type, name, properties: {} }, { action: 'delete' });
  }
  for (const [key, object] of objects) {
    if (from.objects.get(key) !== object) yield* objectLines(object, { action: 'modify' });
  }
}

/** Undefined when there is none; throws when it cannot be read or is no snapshot of this version. */
export async function readSnapshot(path: string): Promise<Snapshot | undefined> {
  const text = await readFileIfThere(path);
  if (text === undefined) return undefined;
  try {
    const objects = new Map<string, AnyConfigObject>();
    let generation = readInto(objects, text);
    for (const record of await readRecords(path, nameOf(generation))) generation = readInto(objects, record);
    return { generation, objects };
  } catch (error) {
    throw new Error(`${path} is no snapshot that can be used: ${errorText(error)}`, { cause: error });
  }
}

/** Takes over what a file or a record says; the generation that it leads to. */
function readInto(objects: Map<string, AnyConfigObject>, text: string): Generation {
  const behindHead = text.indexOf('\n') + 1;
  const { generation, objects: count } = headSchema.parse(JSON.parse(text.slice(0, behindHead)));
  const reader = new ObjectReader();
  for (const { object, head } of reader.push(text.slice(behindHead))) {
    const isGone = head.action !== undefined && changeHeadSchema.parse(head).action === 'delete';
    if (isGone) objects.delete(objectKey(object));
    else objects.set(objectKey(object), object);
  }
  reader.finish();
  if (objects.size !== count) throw new Error(`${objects.size} objects where ${count} were announced`);
  return generation;
}
