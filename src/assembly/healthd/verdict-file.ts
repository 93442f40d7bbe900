// What healthd found out last, over its restarts: the verdict of each watch, and what waits to be resumed. Whoever starts again begins
// with it, so that nothing changes because of that.

import { join } from 'node:path';
import * as z from 'zod';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { WATCH_KINDS, WATCH_STATUSES, type WatchVerdict } from '../../health/watch.ts';
import { LineFile } from '../../store/line-file.ts';

const HEAD = '{"wideplane-verdicts":1}';

const entrySchema = z.union([
  z.strictObject({
    kind: z.enum(WATCH_KINDS),
    key: z.string(),
    status: z.enum(WATCH_STATUSES),
    reason: z.string(),
    since: z.number(),
  }),
  z.strictObject({ held: z.string() }),
]);
type Entry = z.infer<typeof entrySchema>;

export type Known = {
  /** By `KIND KEY`, as the engine takes them. */
  readonly verdicts: Map<string, WatchVerdict>;
  readonly held: Set<string>;
};

export type Current = {
  verdicts(): Iterable<
    {
      readonly kind: (typeof WATCH_KINDS)[number];
      readonly key: string;
    } & WatchVerdict
  >;
  held(): Iterable<string>;
};

export class VerdictFile {
  readonly #file: LineFile<Entry>;

  constructor(directory: string, log: Log, current: Current) {
    this.#file = new LineFile<Entry>({
      path: join(directory, 'verdicts'),
      head: HEAD,
      entryOf: (json) => entrySchema.safeParse(json).data,
      entries: () => entriesOf(current),
      damaged: (text) => logEvent(log, 'verdicts-damaged', text),
      unwritten: (text) => logEvent(log, 'verdicts-unwritten', text),
    });
  }

  async read(): Promise<Known> {
    const known: Known = { verdicts: new Map(), held: new Set() };
    for (const entry of await this.#file.read()) {
      if ('held' in entry) {
        known.held.add(entry.held);
      } else {
        const { kind, key, ...verdict } = entry;
        known.verdicts.set(`${kind} ${key}`, verdict);
      }
    }
    return known;
  }

  /** Has what is known then written soon. */
  touch(): void {
    this.#file.touch();
  }

  /** Resolves when all that was touched is written, or has failed to be. */
  async close(): Promise<void> {
    await this.#file.close();
  }
}

function* entriesOf(current: Current): Generator<Entry, void> {
  for (const { kind, key, status, reason, since } of current.verdicts()) yield { kind, key, status, reason, since };
  for (const held of current.held()) yield { held };
}
