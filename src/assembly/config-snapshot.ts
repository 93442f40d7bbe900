// The last configuration that a daemon applied, as a file of its own: JSON lines, the first of which says the version.

import { z } from 'zod';
import type { Generation } from '../config/change.ts';
import type { AnyConfigObject } from '../config/object-type.ts';
import { errorText } from '../core/errors.ts';
import { SCHEMA_VERSION, generationSchema, objectSchema } from '../ipc/schema.ts';
import { readFileIfThere, writeFileAtomic } from '../store/atomic-file.ts';

const headSchema = z.object({ v: z.literal(SCHEMA_VERSION), generation: generationSchema, objects: z.number().int() });

export type Snapshot = { readonly generation: Generation; readonly objects: readonly AnyConfigObject[] };

/** Throws a StoreError. */
export async function writeSnapshot(
  path: string,
  generation: Generation,
  objects: Iterable<AnyConfigObject>,
): Promise<void> {
  const lines = Array.from(objects, (object) => JSON.stringify(object));
  const head = JSON.stringify({ v: SCHEMA_VERSION, generation, objects: lines.length });
  await writeFileAtomic(path, `${[head, ...lines].join('\n')}\n`);
}

/** Undefined when there is none; throws when it cannot be read or is no snapshot of this version. */
export async function readSnapshot(path: string): Promise<Snapshot | undefined> {
  const text = await readFileIfThere(path);
  if (text === undefined) return undefined;
  try {
    const [head, ...lines] = text.split('\n').filter((line) => line !== '');
    const { generation, objects: count } = headSchema.parse(JSON.parse(head ?? ''));
    if (lines.length !== count) throw new Error(`${lines.length} objects where ${count} were announced`);
    return { generation, objects: lines.map((line) => objectSchema.parse(JSON.parse(line))) };
  } catch (error) {
    throw new Error(`${path} is no snapshot that can be used: ${errorText(error)}`, { cause: error });
  }
}
