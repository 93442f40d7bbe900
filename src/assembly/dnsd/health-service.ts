// Owns what is known of health and load, and what follows from it: it outlives configurations, and restarts by its file; each
// configuration has a state of its own, that threads answer from.

import type { Log } from '../../core/log.ts';
import { Availability } from '../../gtm/availability.ts';
import { type FactChange, type Facts, newFacts } from '../../gtm/facts.ts';
import { newStateMemory, type StateMemory, StateWriter } from '../../gtm/state-journal.ts';
import { type Reported, type StatusReport, StatusReports } from '../../gtm/status-report.ts';
import type { GtmIndex, WideIpTables } from '../../gtm/tables.ts';
import type { HealthChange } from '../../ipc/health-schema.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import type { ParamsOf, ResultOf } from '../../ipc/schema.ts';
import { factChangeOf } from './health-changes.ts';
import { HealthFile } from './health-file.ts';
import { healthLines } from './health-lines.ts';

export type HealthServiceOptions = {
  /** The file that keeps it. */
  readonly path: string;
  readonly log: Log;
  /** Seconds since 1970. */
  readonly now?: () => number;
};

/** Lines of one answer to `health-list`. */
const PAGE_LINES = 1000;
/** Paths that are remembered; beyond, that goes which was first heard of. */
const MOST_PATHS = 1 << 16;

type Adopted = { readonly availability: Availability; readonly writer: StateWriter; readonly reports: StatusReports };

export class HealthService {
  readonly #file: HealthFile;
  readonly #now: () => number;
  #facts: Facts = newFacts();
  #adopted: Adopted | undefined;

  constructor({ path, log, now = () => Date.now() / 1000 }: HealthServiceOptions) {
    this.#file = new HealthFile(path, log);
    this.#now = now;
  }

  /** Reads what was known; to be called before the first configuration. */
  async start(): Promise<void> {
    this.#facts = await this.#file.read();
  }

  /** Goes over to a configuration: its state, in which all numbers are set. What is known of objects that are gone is forgotten. */
  adopt({ index, tables }: { readonly index: GtmIndex; readonly tables: Pick<WideIpTables, 'layout'> }): StateMemory {
    this.#forgetAbsent(index);
    const held = this.#facts.held.size;
    const writer = new StateWriter(newStateMemory(tables.layout));
    const availability = new Availability(index, writer, this.#facts);
    availability.start();
    if (this.#facts.held.size !== held) this.#file.touch(this.#facts);
    this.#adopted = { availability, writer, reports: new StatusReports(availability) };
    return writer.memory;
  }

  /** Of the configuration that was adopted last; undefined: there was none. */
  get availability(): Availability | undefined {
    return this.#adopted?.availability;
  }

  statusOf(reported: Reported): StatusReport {
    return this.#need().reports.statusOf(reported);
  }

  /** Changes by hand. Those that are right are made, all at once. */
  change({ changes }: ParamsOf<'health-change'>): ResultOf<'health-change'> {
    const { availability, writer } = this.#need();
    const refused: { number: number; reason: string }[] = [];
    changes.forEach((change: HealthChange, number) => {
      try {
        this.#applyOne(availability, factChangeOf(change, availability, this.#now()));
      } catch (error) {
        if (!(error instanceof IpcError)) throw error;
        refused.push({ number, reason: error.message });
      }
    });
    writer.commit();
    if (refused.length < changes.length) this.#file.touch(this.#facts);
    return { refused };
  }

  list({ cursor = 0 }: ParamsOf<'health-list'>): ResultOf<'health-list'> {
    const { availability, reports } = this.#need();
    const lines = healthLines(availability, reports, this.#now());
    const end = cursor + PAGE_LINES;
    return { lines: lines.slice(cursor, end), ...(end < lines.length && { next: end }) };
  }

  /** Resolves when the file has all that is known. */
  async stop(): Promise<void> {
    await this.#file.close(this.#facts);
  }

  #applyOne(availability: Availability, change: FactChange): void {
    availability.apply(change);
    const { paths } = this.#facts;
    if (change.kind !== 'path' || paths.size <= MOST_PATHS) return;
    const oldest = paths.values().next().value!;
    availability.apply({ kind: 'forget-path', client: oldest.client, datacenter: oldest.datacenter });
  }

  #forgetAbsent({ virtualServers, description, datacenters }: GtmIndex): void {
    const { virtualServers: ofVirtualServers, servers, paths } = this.#facts;
    const keys = new Set(virtualServers.map(({ key }) => key));
    const names = new Set(description.servers.map(({ name }) => name));
    const places = new Set(datacenters.map(({ name }) => name));
    const before = [ofVirtualServers.size, servers.size, paths.size];
    for (const key of ofVirtualServers.keys()) if (!keys.has(key)) ofVirtualServers.delete(key);
    for (const name of servers.keys()) if (!names.has(name)) servers.delete(name);
    for (const [key, { datacenter }] of paths) if (!places.has(datacenter)) paths.delete(key);
    const after = [ofVirtualServers.size, servers.size, paths.size];
    if (after.some((size, index) => size !== before[index])) this.#file.touch(this.#facts);
  }

  #need(): Adopted {
    if (this.#adopted !== undefined) return this.#adopted;
    throw new IpcError('refused', 'no wide IPs or servers are configured: create gtm server makes one');
  }
}
