// The last configuration that a daemon applied, as a file of its own: JSON lines, the first of which says the version.

import { z } from 'zod';
import type { Generation } from '../config/change.ts';
import type { AnyConfigObject } from '../config/object-type.ts';
import { errorText } from '../core/errors.ts';
import { ObjectReader, objectLines } from '../ipc/object-lines.ts';
import { SCHEMA_VERSION, generationSchema } from '../ipc/schema.ts';
import { readFileIfThere, writeFileAtomic } from '../store/atomic-file.ts';

const headSchema = z.object({ v: z.literal(SCHEMA_VERSION), generation: generationSchema, objects: z.number().int() });

export type Snapshot = { readonly generation: Generation; readonly objects: readonly AnyConfigObject[] };

/** Throws a StoreError. */
export async function writeSnapshot(
  path: string,
  generation: Generation,
  objects: Iterable<AnyConfigObject>,
): Promise<void> {
  await writeFileAtomic(path, snapshotText(generation, [...objects]));
}

/** In pieces: a snapshot with a million stations is never in memory as a whole. */
function* snapshotText(generation: Generation, objects: readonly AnyConfigObject[]): Generator<string> {
  yield `${JSON.stringify({ v: SCHEMA_VERSION, generation, objects: objects.length })}\n`;
  for (const object of objects) for (const line of objectLines(object)) yield `${line}\n`;
}

/** Undefined when there is none; throws when it cannot be read or is no snapshot of this version. */
export async function readSnapshot(path: string): Promise<Snapshot | undefined> {
  const text = await readFileIfThere(path);
  if (text === undefined) return undefined;
  try {
    const behindHead = text.indexOf('\n') + 1;
    const { generation, objects: count } = headSchema.parse(JSON.parse(text.slice(0, behindHead)));
    const reader = new ObjectReader();
    const objects = Array.from(reader.push(text.slice(behindHead)), ({ object }) => object);
    reader.finish();
    if (objects.length !== count) throw new Error(`${objects.length} objects where ${count} were announced`);
    return { generation, objects };
  } catch (error) {
    throw new Error(`${path} is no snapshot that can be used: ${errorText(error)}`, { cause: error });
  }
}
