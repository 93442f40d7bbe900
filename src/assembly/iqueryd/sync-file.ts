// What iqueryd knows of its group over restarts, in a file of its directory.

import { randomUUID } from 'node:crypto';
import { rename } from 'node:fs/promises';
import * as z from 'zod';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import type { SyncMemory } from '../../iquery/sync-memory.ts';
import { readFileIfThere, removeLeftovers, writeFileAtomic } from '../../store/atomic-file.ts';

const count = z.number().int().min(0);
const heldSchema = z.object({
  revision: z.object({
    digest: z.string(),
    version: count,
    time: count,
    changedBy: z.string(),
    edits: z.array(z.object({ device: z.string(), count })).max(64),
  }),
  local: z.string(),
});
const fileSchema = z.object({
  /** By which this machine's edits are counted; whoever has lost this file is another one. */
  device: z.string(),
  memory: z
    .object({
      group: z.string(),
      edits: count,
      hasJoined: z.boolean(),
      epoch: count,
      current: heldSchema,
      earlier: z.array(heldSchema),
    })
    .optional(),
  /** What the last conflict came to. */
  conflict: z.string().optional(),
});

export type SyncRecord = {
  readonly device: string;
  readonly memory?: SyncMemory | undefined;
  readonly conflict?: string | undefined;
};

export interface SyncStore {
  read(): Promise<SyncRecord>;
  write(record: SyncRecord): Promise<void>;
}

export class SyncFile implements SyncStore {
  readonly #path: string;
  readonly #log: Log;

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** What is damaged is kept aside, and forgotten. */
  async read(): Promise<SyncRecord> {
    await removeLeftovers(this.#path);
    try {
      const text = await readFileIfThere(this.#path);
      if (text !== undefined) return fileSchema.parse(JSON.parse(text));
    } catch (error) {
      const aside = `${this.#path}.damaged`;
      await rename(this.#path, aside).catch(() => undefined);
      logEvent(this.#log, 'sync-damaged', `${this.#path} cannot be read, and is kept as ${aside}: ${errorText(error)}`);
    }
    return { device: randomUUID() };
  }

  async write(record: SyncRecord): Promise<void> {
    try {
      await writeFileAtomic(this.#path, `${JSON.stringify(record)}\n`);
    } catch (error) {
      logEvent(this.#log, 'sync-unwritten', errorText(error));
    }
  }
}
