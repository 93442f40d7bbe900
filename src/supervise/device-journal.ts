// The journal of what was changed on devices, so that it can be undone by whoever comes after a `kill -9`.
//
// Written before a change, by rename and with fsync; read only when it belongs to us (a daemon that was taken over must
// not be able to hand root a journal of its own), to this boot and to this network namespace: otherwise the devices that
// it speaks of are not these.

import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';

const entrySchema = z.object({
  /** Name of the `net interface`; of the VLAN, VLAN group or tunnel for a device of the host path. */
  interface: z.string(),
  /** Name of the device when it was taken over; `ifindex` identifies it. */
  device: z.string(),
  /** 0 while one that we make is not there yet. */
  ifindex: z.number().int().nonnegative(),
  /** Whether it is a TAP or TUN device that was made, and is deleted to give it back. */
  made: z.boolean().optional(),
  /** What was made; absent: a TAP device. */
  kind: z.enum(['tap', 'tun']).optional(),
  /** Set for a device of the host path: its route domain, and the network namespace that its other end is in, if any. */
  hostPath: z.object({ routeDomain: z.number().int(), namespace: z.string().nullable() }).optional(),
  /** The nft table that keeps its frames from the kernel, if it could be made. */
  table: z.string(),
  /** Whether the link was up before. */
  wasUp: z.boolean(),
  /** disable_ipv6 before; null: there was nothing to change. */
  disableIpv6: z.string().nullable(),
  /** Transmit offloads that were switched off, by ethtool's names; absent: none. */
  offloads: z.array(z.string()).optional(),
  /** Receive offloads that were. */
  receiveOffloads: z.array(z.string()).optional(),
  /** Receive offloads that were switched on. */
  joiningOffloads: z.array(z.string()).optional(),
  /** Netlink messages in base64 that add the addresses and the routes (IPv4, IPv6) again; '' when there are none. */
  addresses: z.string(),
  routes4: z.string(),
  routes6: z.string(),
});

/** An nft table that keeps questions from the kernel (query-rules.ts). */
const queryTableSchema = z.object({
  name: z.string(),
  /** The network namespace that it is in; null: that of this process. */
  namespace: z.string().nullable(),
});

/** A next hop that marked packets go by: the number of their mark and of its routing table (next-hops.ts). */
const markedHopSchema = z.object({ hop: z.string(), mark: z.number().int() });

const journalSchema = z.object({
  version: z.literal(1),
  bootId: z.string(),
  networkNamespace: z.string(),
  entries: z.array(entrySchema),
  queryTables: z.array(queryTableSchema).optional(),
  markedHops: z.array(markedHopSchema).optional(),
});

export type JournalEntry = z.infer<typeof entrySchema>;
export type QueryTable = z.infer<typeof queryTableSchema>;
export type MarkedHop = z.infer<typeof markedHopSchema>;
type Journal = z.infer<typeof journalSchema>;

/** What is to be another than before. */
type Parts = {
  readonly entries?: readonly JournalEntry[];
  readonly queryTables?: readonly QueryTable[];
  readonly markedHops?: readonly MarkedHop[];
};

/** The boot and the network namespace in which this process runs. */
export type Place = { bootId: string; networkNamespace: string };

export function currentPlace(): Place {
  return {
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    networkNamespace: readlinkSync('/proc/self/ns/net'),
  };
}

export class DeviceJournal {
  readonly #file: string;
  readonly #place: Place;
  #entries: readonly JournalEntry[] = [];
  #queryTables: readonly QueryTable[] = [];
  #markedHops: readonly MarkedHop[] = [];

  constructor(file: string, place: Place) {
    this.#file = file;
    this.#place = place;
  }

  /** Where it lies: a directory that is ours alone. */
  get directory(): string {
    return dirname(this.#file);
  }

  get entries(): readonly JournalEntry[] {
    return this.#entries;
  }

  get queryTables(): readonly QueryTable[] {
    return this.#queryTables;
  }

  get markedHops(): readonly MarkedHop[] {
    return this.#markedHops;
  }

  /** Reads what a predecessor left. Returns why its entries cannot be used, or undefined. */
  load(): string | undefined {
    let journal: Journal;
    try {
      journal = journalSchema.parse(JSON.parse(readOwnFile(this.#file)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      return `the device journal ${this.#file} cannot be used: ${error instanceof Error ? error.message : String(error)}`;
    }
    const { entries, queryTables = [], markedHops = [] } = journal;
    const devices = [
      ...entries.map(({ device }) => device),
      ...queryTables.map(({ name }) => name),
      ...markedHops.map(({ hop }) => `routes by ${hop}`),
    ].join(', ');
    // A reboot makes devices anew; there is nothing left to undo.
    if (journal.bootId !== this.#place.bootId || devices === '') return undefined;
    if (journal.networkNamespace !== this.#place.networkNamespace) {
      return `the device journal speaks of ${devices} in another network namespace (${journal.networkNamespace}): if that one still exists, run "wideplane restore" in it`;
    }
    this.#entries = entries;
    this.#queryTables = queryTables;
    this.#markedHops = markedHops;
    return undefined;
  }

  /** Adds or replaces the entry of a device; it is on the disk when this returns. */
  put(entry: JournalEntry): void {
    this.#write({ entries: [...this.#entries.filter((other) => other.ifindex !== entry.ifindex), entry] });
  }

  remove(ifindex: number): void {
    this.#write({ entries: this.#entries.filter((entry) => entry.ifindex !== ifindex) });
  }

  /** Adds a table, by its name; it is on the disk when this returns. */
  putQueryTable(table: QueryTable): void {
    if (this.#queryTables.some(({ name }) => name === table.name)) return;
    this.#write({ queryTables: [...this.#queryTables, table] });
  }

  removeQueryTable({ name }: QueryTable): void {
    this.#write({ queryTables: this.#queryTables.filter((table) => table.name !== name) });
  }

  /** All of them; it is on the disk when this returns. */
  setMarkedHops(markedHops: readonly MarkedHop[]): void {
    this.#write({ markedHops });
  }

  #write({ entries = this.#entries, queryTables = this.#queryTables, markedHops = this.#markedHops }: Parts): void {
    const journal: Journal = {
      version: 1,
      ...this.#place,
      entries: [...entries],
      queryTables: [...queryTables],
      markedHops: [...markedHops],
    };
    const temporary = `${this.#file}.new`;
    rmSync(temporary, { force: true });
    const descriptor = openSync(temporary, 'wx', 0o600);
    try {
      writeSync(descriptor, `${JSON.stringify(journal, undefined, 1)}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, this.#file);
    const directory = openSync(dirname(this.#file), 'r');
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
    this.#entries = entries;
    this.#queryTables = queryTables;
    this.#markedHops = markedHops;
  }
}

function readOwnFile(file: string): string {
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    if (fstatSync(descriptor).uid !== process.geteuid?.()) throw new Error('it belongs to another account');
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}
