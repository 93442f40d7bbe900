// The file of what is known of health and load: it is read before the first answer, and written some time after each change, so
// that a daemon that starts again answers as the one before did. One JSON value a line: a head, entries, and how many these are.

import { rename } from 'node:fs/promises';
import * as z from 'zod';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { changesOf, type KnownFacts, newKnownFacts } from '../../gtm/fact-layers.ts';
import { FACT_STATUSES, type FactLayer, pathKey } from '../../gtm/facts.ts';
import { readFileIfThere, removeLeftovers, writeFileAtomic } from '../../store/atomic-file.ts';

const HEAD = '{"wideplane-health":1}';
/** Between a change and the file that has it, at least. */
const WRITE_MS = 1000;
/** Of the time, writing takes one part in so many at most: a large file is written less often. */
const REST = 10;

const number = z.number().nonnegative().optional();
const judged = {
  status: z.enum(FACT_STATUSES).optional(),
  reason: z.string().optional(),
  since: number,
  goodFor: number,
};
const load = { connections: number, packetsPerSecond: number, kilobytesPerSecond: number };
/** Of what was said by hand it has no mark, as it was before anything measured. */
const mark = z.literal(true).optional();
const layer = { measured: mark, mesh: mark };
const entrySchema = z.union([
  z.strictObject({
    virtualServer: z.string(),
    ...layer,
    facts: z.strictObject({ ...judged, ...load, capacity: number, score: number }),
  }),
  z.strictObject({
    server: z.string(),
    ...layer,
    facts: z.strictObject({
      ...judged,
      ...load,
      cpu: number,
      memoryAvailable: number,
      sparesVirtualServers: z.literal(true).optional(),
    }),
  }),
  z.strictObject({ member: z.string(), ...layer, facts: z.strictObject(judged) }),
  z.strictObject({ heard: z.number() }),
  z.strictObject({ meshHeard: z.number() }),
  z.strictObject({ machine: z.string(), isHeard: z.boolean(), heard: z.number() }),
  z.strictObject({
    path: z.strictObject({
      client: z.string(),
      datacenter: z.string(),
      roundTripTime: number,
      hops: number,
      completionRate: number,
      expires: z.number(),
      isMeasured: mark,
    }),
  }),
  z.strictObject({ held: z.string() }),
]);
type Entry = z.infer<typeof entrySchema>;

export class HealthFile {
  readonly #path: string;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #lastMs = 0;
  #writing: Promise<void> = Promise.resolve();
  #hasFailed = false;

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** What the file has; nothing where there is none, or where it is damaged, when it is moved to `PATH.damaged`. */
  async read(): Promise<KnownFacts> {
    await removeLeftovers(this.#path);
    try {
      const text = await readFileIfThere(this.#path);
      return text === undefined ? newKnownFacts() : knownOf(text);
    } catch (error) {
      const aside = `${this.#path}.damaged`;
      const where = await rename(this.#path, aside).then(
        () => `it is kept as ${aside}`,
        (failure: unknown) => `it cannot be kept aside: ${errorText(failure)}`,
      );
      logEvent(this.#log, 'health-damaged', `${this.#path}: ${errorText(error)}; ${where}`);
      return newKnownFacts();
    }
  }

  /** Has what is known written soon, as it will be then. */
  touch(known: KnownFacts): void {
    this.#timer ??= setTimeout(() => void this.#write(known), Math.max(WRITE_MS, REST * this.#lastMs));
  }

  /** Resolves when all that was touched is written, or has failed to be. */
  async close(known: KnownFacts): Promise<void> {
    const isDue = this.#timer !== undefined;
    clearTimeout(this.#timer);
    if (isDue) await this.#write(known);
    await this.#writing;
  }

  async #write(known: KnownFacts): Promise<void> {
    this.#timer = undefined;
    this.#writing = this.#writing.then(async () => {
      const start = performance.now();
      try {
        await writeFileAtomic(this.#path, linesOf(known));
        this.#hasFailed = false;
      } catch (error) {
        // Once for as long as it fails: it is tried again with the next change.
        if (!this.#hasFailed) logEvent(this.#log, 'health-unwritten', errorText(error));
        this.#hasFailed = true;
      }
      this.#lastMs = performance.now() - start;
    });
    await this.#writing;
  }
}

function* linesOf(known: KnownFacts): Generator<string, void> {
  const { hand, measured, mesh, machines, paths, held, heard, meshHeard } = known;
  yield `${HEAD}\n`;
  let entries = 0;
  const line = (entry: Entry): string => {
    entries++;
    return `${JSON.stringify(entry)}\n`;
  };
  for (const entry of entriesOf(hand)) yield line(entry);
  for (const entry of entriesOf(measured)) yield line({ ...entry, measured: true });
  for (const entry of entriesOf(mesh)) yield line({ ...entry, mesh: true });
  if (heard > 0) yield line({ heard });
  if (meshHeard > 0) yield line({ meshHeard });
  for (const [machine, { isHeard, heard: at }] of machines) yield line({ machine, isHeard, heard: at });
  for (const path of paths.values()) yield line({ path });
  for (const member of held) yield line({ held: member });
  yield `{"entries":${entries}}\n`;
}

function* entriesOf(layer: FactLayer): Generator<Extract<Entry, { facts: unknown }>, void> {
  for (const change of changesOf(layer)) {
    if (change.kind === 'virtual-server') yield { virtualServer: change.key, facts: change.facts! };
    else if (change.kind === 'server') yield { server: change.name, facts: change.facts! };
    else yield { member: change.key, facts: change.facts! };
  }
}

/** Throws an Error that says what is wrong. */
function knownOf(text: string): KnownFacts {
  const lines = text.split('\n');
  if (lines[0] !== HEAD) throw new Error('line 1 is not the head of such a file');
  const entries = lines.length - 3;
  if (lines.at(-1) !== '' || lines.at(-2) !== `{"entries":${entries}}`) throw new Error('the end is missing');
  const known = newKnownFacts();
  for (let index = 1; index <= entries; index++) take(known, entryOf(lines[index]!, index + 1));
  return known;
}

function entryOf(line: string, number: number): Entry {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (error) {
    throw new Error(`line ${number}: ${errorText(error)}`, { cause: error });
  }
  const parsed = entrySchema.safeParse(json);
  if (!parsed.success) throw new Error(`line ${number} is nothing that is known of health`);
  return parsed.data;
}

function take(known: KnownFacts, entry: Entry): void {
  const { paths, held } = known;
  if ('facts' in entry) {
    const layer = entry.measured === true ? known.measured : entry.mesh === true ? known.mesh : known.hand;
    if ('virtualServer' in entry) layer.virtualServers.set(entry.virtualServer, entry.facts);
    else if ('server' in entry) layer.servers.set(entry.server, entry.facts);
    else layer.members.set(entry.member, entry.facts);
  } else if ('path' in entry) paths.set(pathKey(entry.path.client, entry.path.datacenter), entry.path);
  else if ('held' in entry) held.add(entry.held);
  else if ('meshHeard' in entry) known.meshHeard = entry.meshHeard;
  else if ('machine' in entry) known.machines.set(entry.machine, { isHeard: entry.isHeard, heard: entry.heard });
  else known.heard = entry.heard;
}
