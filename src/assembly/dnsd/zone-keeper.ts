// The zones that dnsd serves: made from the configuration or read from files, kept where a new one has errors.

import { isAbsolute, join } from 'node:path';
import type { GtmZone } from '../../config/types/gtm-zone.ts';
import { originOf } from '../../config/zone-names.ts';
import { sameValue } from '../../config/value.ts';
import { zoneOfRecords } from '../../config/zone-records.ts';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import type { DomainName } from '../../dns/record.ts';
import { isSerialAfter } from '../../dns/serial.ts';
import { buildZoneTable } from '../../dns/zone-builder.ts';
import { formatProblem } from '../../dns/zone-problem.ts';
import { countRecords, tableOctets, type ZoneTable } from '../../dns/zone-table.ts';
import { makeDirectory } from '../../store/atomic-file.ts';
import { removeWrittenZones, WrittenZone, zoneFileName } from './written-zone.ts';
import { loadLargeZone, loadSmallZone } from './zone-loader.ts';

export type ZoneFailure = { readonly object: string; readonly reason: string };

export type ServedZones = {
  readonly tables: readonly ZoneTable[];
  /** Of each zone that is not served as it should be, why. */
  readonly failures: readonly ZoneFailure[];
  /** Octets of tables that were served before and are no more; whoever has dropped many of them calls `collectGarbage`. */
  readonly replacedOctets: number;
};

export type ZoneStatus = {
  /** Name of the object. */
  readonly object: string;
  readonly origin: string;
  /** Absent: the zone is not served. */
  readonly served?: {
    readonly serial: number;
    readonly records: number;
    /** When it was made or read. */
    readonly loaded: Date;
    /** How long that took. */
    readonly loadedMs: number;
  };
  /** The file that it is read from, or is written to. */
  readonly file: string;
  /** Of the last time that it was to be read: errors and warnings, and why it cannot be written. */
  readonly problems: readonly string[];
};

export type ZoneKeeperOptions = {
  /** Where zones of records are written, and paths of files begin. */
  readonly directory: string;
  readonly log: Log;
  /** Called with what there is already while a large zone is read. */
  readonly onPart?: (tables: readonly ZoneTable[]) => void;
};

/** What came of reading a zone, for a person. */
type Outcome = { readonly table?: ZoneTable; readonly problems: readonly string[]; readonly failure?: string };

class KeptZone {
  readonly name: DomainName;
  readonly origin: string;
  /** Its file, where its records are in the configuration. */
  written: WrittenZone;
  /** As it was last wanted. */
  object: GtmZone;
  table: ZoneTable | undefined;
  records = 0;
  loaded = new Date(0);
  loadedMs = 0;
  problems: readonly string[] = [];
  failure: string | undefined;
  /** What it was last made from, or was to be. */
  source: GtmZone['properties'] | undefined;

  constructor(object: GtmZone, origin: { name: DomainName; text: string }, directory: string) {
    this.object = object;
    this.name = origin.name;
    this.origin = origin.text;
    this.written = new WrittenZone(join(directory, zoneFileName(origin.text)));
  }
}

const SOURCE = ['file', 'records', 'default-ttl'] as const;

export class ZoneKeeper {
  readonly #directory: string;
  readonly #log: Log;
  readonly #onPart: (tables: readonly ZoneTable[]) => void;
  /** By origin. */
  #zones = new Map<string, KeptZone>();
  #turn: Promise<unknown> = Promise.resolve();
  /** Files of zones in the directory, when it was last tidied. */
  #keptFiles: string | undefined;
  #replacedOctets = 0;

  constructor({ directory, log, onPart }: ZoneKeeperOptions) {
    this.#directory = directory;
    this.#log = log;
    this.#onPart = onPart ?? (() => undefined);
  }

  /** Serves these zones, all of the configuration, and no others; resolves once each has been read or has failed. */
  want(objects: readonly GtmZone[]): Promise<ServedZones> {
    return this.#inTurn(async () => {
      const before = this.#zones;
      this.#zones = this.#keep(objects);
      for (const [origin, zone] of before) if (!this.#zones.has(origin)) this.#replace(zone, undefined);
      await this.#load(({ source, object, failure }) => {
        // What could not be written is tried again; a file with errors waits until it is to be read again.
        const isUnwritten = failure !== undefined && object.properties.file === undefined;
        return isUnwritten || !isSameSource(source, object.properties);
      });
      await this.#tidy();
      return this.#served();
    });
  }

  /** Reads files again, those of all zones or of one object. */
  reload(object?: string): Promise<ServedZones> {
    return this.#inTurn(async () => {
      await this.#load((zone) => object === undefined || zone.object.name === object);
      return this.#served();
    });
  }

  statusOf(): ZoneStatus[] {
    return [...this.#zones.values()].map(({ object, origin, table, records, loaded, loadedMs, problems, written }) => ({
      object: object.name,
      origin,
      ...(table && { served: { serial: table.serial, records, loaded, loadedMs } }),
      file: this.#pathOf(object) ?? written.path,
      problems,
    }));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn;
    return turn;
  }

  /** Zones by origin, what is known of them kept. Of two of one origin, of which one alone may be enabled, that counts. */
  #keep(objects: readonly GtmZone[]): Map<string, KeptZone> {
    const zones = new Map<string, KeptZone>();
    for (const object of objects) {
      const origin = originOf(object.name);
      if (typeof origin === 'string' || (zones.has(origin.text) && !object.properties.enabled)) continue;
      const zone = this.#zones.get(origin.text) ?? new KeptZone(object, origin, this.#directory);
      zone.object = object;
      if (object.properties.file !== undefined) zone.written = new WrittenZone(zone.written.path);
      zones.set(origin.text, zone);
    }
    return zones;
  }

  async #load(isDue: (zone: KeptZone) => boolean): Promise<void> {
    const large: KeptZone[] = [];
    for (const zone of this.#zones.values()) {
      if (!zone.object.properties.enabled) {
        this.#replace(zone, undefined);
        zone.source = undefined;
        zone.failure = undefined;
        zone.problems = [];
      } else if (isDue(zone) && !(await this.#loadNow(zone))) {
        large.push(zone);
      }
    }
    if (large.length === 0) return;
    this.#onPart(this.#tables());
    // One after the other: each takes its memory.
    for (const zone of large) {
      const path = this.#pathOf(zone.object)!;
      const start = performance.now();
      const { table, problems } = await loadLargeZone({ path, origin: zone.name });
      this.#take(zone, { ...(table && { table }), problems: problems.map(formatProblem) }, start);
    }
  }

  /** False where that would take long. */
  async #loadNow(zone: KeptZone): Promise<boolean> {
    const start = performance.now();
    const path = this.#pathOf(zone.object);
    if (path === undefined) {
      this.#take(zone, await this.#makeZone(zone), start);
      return true;
    }
    const loaded = loadSmallZone({ path, origin: zone.name });
    if (loaded === undefined) return false;
    const { table, problems } = loaded;
    this.#take(zone, { ...(table && { table }), problems: problems.map(formatProblem) }, start);
    return true;
  }

  /** From records, which configd has accepted. */
  async #makeZone({ name, object, written, table: before }: KeptZone): Promise<Outcome> {
    const { zone, problems } = zoneOfRecords(name, object.properties);
    const texts = problems.map(({ severity, record, text }) => `${severity}: ${record ?? ''} ${text}`);
    if (zone === undefined) return { problems: texts };
    let failure: string | undefined;
    try {
      await makeDirectory(this.#directory);
    } catch (error) {
      failure = errorText(error);
    }
    failure = (await written.take(zone, before?.serial)) ?? failure;
    const table = buildZoneTable(zone);
    if (failure === undefined) return { table, problems: texts };
    logEvent(this.#log, 'zone-unwritten', `zone ${object.name}: ${failure}`);
    return { table, problems: [...texts, failure], failure: `it is served, but not written: ${failure}` };
  }

  #take(zone: KeptZone, { table, problems, failure }: Outcome, start: number): void {
    const { object } = zone;
    const { name } = object;
    zone.source = object.properties;
    zone.problems = problems;
    zone.failure = failure;
    if (table === undefined) {
      const state = zone.table === undefined ? 'it is not served' : `serial ${zone.table.serial} goes on being served`;
      zone.failure = `${problems[0] ?? 'there is no zone'}; ${state}`;
      for (const problem of problems) logEvent(this.#log, 'zone-refused', `zone ${name}: ${problem}`);
      return;
    }
    const before = zone.table?.serial;
    if (before !== undefined && isSerialAfter(before, table.serial)) {
      zone.problems = [...problems, `warning: the serial went back from ${before} to ${table.serial}`];
    }
    this.#replace(zone, table);
    zone.records = countRecords(table);
    zone.loaded = new Date();
    zone.loadedMs = performance.now() - start;
    for (const problem of zone.problems) {
      if (problem !== failure) logEvent(this.#log, 'zone-warning', `zone ${name}: ${problem}`);
    }
    logEvent(this.#log, 'zone-loaded', `zone ${name}: serial ${table.serial}`);
  }

  #replace(zone: KeptZone, table: ZoneTable | undefined): void {
    if (zone.table !== undefined) this.#replacedOctets += tableOctets(zone.table);
    zone.table = table;
  }

  /** Takes away the files of zones that are gone, or come from elsewhere now. */
  async #tidy(): Promise<void> {
    const kept = [...this.#zones.values()].map(({ object, written }) => this.#pathOf(object) ?? written.path).sort();
    const text = kept.join('\n');
    if (text === this.#keptFiles) return;
    const files = new Set(kept);
    try {
      await removeWrittenZones(this.#directory, (path) => files.has(path));
      this.#keptFiles = text;
    } catch (error) {
      logEvent(this.#log, 'zone-unwritten', `files of zones that are gone: ${errorText(error)}`);
    }
  }

  #pathOf({ properties: { file } }: GtmZone): string | undefined {
    return file === undefined || isAbsolute(file) ? file : join(this.#directory, file);
  }

  #tables(): ZoneTable[] {
    return [...this.#zones.values()].flatMap(({ table }) => table ?? []);
  }

  #served(): ServedZones {
    const failures = [...this.#zones.values()].flatMap(({ object, failure }) =>
      failure === undefined ? [] : [{ object: object.name, reason: failure }],
    );
    const replacedOctets = this.#replacedOctets;
    this.#replacedOctets = 0;
    return { tables: this.#tables(), failures, replacedOctets };
  }
}

/** Whether nothing that a zone is made from differs. */
function isSameSource(a: GtmZone['properties'] | undefined, b: GtmZone['properties']): boolean {
  return a === b || (a !== undefined && SOURCE.every((property) => sameValue(a[property], b[property])));
}
