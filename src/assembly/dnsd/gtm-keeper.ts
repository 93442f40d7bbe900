// Keeps the wide IPs: what the configuration says of them becomes tables for all threads that answer, together with a state in which
// everything is as it is known to be at that moment.

import { gtmGlobalSettingsGeneral } from '../../config/types/gtm-global-settings.ts';
import type { Log } from '../../core/log.ts';
import { GeoDatabase } from '../../gtm/geo-database.ts';
import type { ApplyFailure } from '../../ipc/schema.ts';
import { GeoFiles } from './geo-files.ts';
import type { GtmDescription } from '../../gtm/description.ts';
import { type CompiledWideIps, compileWideIps } from '../../gtm/compile-wide-ips.ts';
import { newPersistMemory, PersistTable } from '../../gtm/persist-table.ts';
import type { StateMemory } from '../../gtm/state-journal.ts';
import { describeGtm, type ObjectsOf } from './gtm-description.ts';
import { GtmStatistics } from './gtm-statistics.ts';
import type { ResolverMemory } from '../../gtm/resolver-notes.ts';
import type { WideIpData } from './source-data.ts';

/** Clients that persistence remembers at a time: some 6 MB. */
const PERSIST_ENTRIES = 1 << 17;

/** The state of what was compiled, with all numbers set. */
export type AdoptState = (compiled: CompiledWideIps) => StateMemory;

export class GtmKeeper {
  readonly statistics = new GtmStatistics();
  readonly #adopt: AdoptState;
  readonly #geo: GeoFiles;
  readonly #resolvers: ResolverMemory;
  readonly #persistence = newPersistMemory(PERSIST_ENTRIES);
  #description: GtmDescription | undefined;
  #compiled: CompiledWideIps | undefined;
  #state: StateMemory | undefined;
  #version = 0;

  /** `resolvers`: where threads note who asks for what is balanced by paths. */
  constructor(adopt: AdoptState, resolvers: ResolverMemory, log: Log) {
    this.#resolvers = resolvers;
    this.#adopt = adopt;
    this.#geo = new GeoFiles(log);
  }

  /** What is answered from at present. */
  get compiled(): CompiledWideIps | undefined {
    return this.#compiled;
  }

  get state(): StateMemory | undefined {
    return this.#state;
  }

  /** A look at what persistence remembers. */
  get persistence(): PersistTable {
    return new PersistTable(this.#persistence);
  }

  /** What the numbers of a version mean; undefined when that is gone. */
  compiledOf(version: number): CompiledWideIps | undefined {
    return version === this.#version ? this.#compiled : undefined;
  }

  /** Databases of places. */
  get databases(): readonly GeoDatabase[] {
    return this.#geo.databases.map((octets) => new GeoDatabase(octets));
  }

  /** What is wrong with files. */
  failures(): ApplyFailure[] {
    return [...this.#geo.failures].map(([path, reason]) => ({
      object: gtmGlobalSettingsGeneral.path,
      reason: `geoip-databases: ${path}: ${reason}`,
    }));
  }

  /**
   * Goes over to what these objects say. Resolves to what settles the counts so far, once no thread answers from what was before;
   * undefined: nothing has changed.
   */
  async want(objectsOf: ObjectsOf): Promise<(() => void) | undefined> {
    const description = describeGtm(objectsOf);
    const [general] = objectsOf(gtmGlobalSettingsGeneral);
    const areDatabasesNew = await this.#geo.want(general?.properties['geoip-databases'] ?? []);
    const isOld = this.#description !== undefined && isSame(this.#description, description) && !areDatabasesNew;
    const hasNothing = description.wideIps.length === 0 && description.servers.length === 0;
    if (isOld || (this.#compiled === undefined && hasNothing)) return undefined;
    this.#description = description;
    const compiled = compileWideIps(description, this.#compiled);
    this.#state = this.#adopt(compiled);
    this.#compiled = compiled;
    this.#version += 1;
    return this.statistics.begin(compiled);
  }

  /** What a thread answers from; undefined: there are no wide IPs. */
  dataFor(thread: string): WideIpData | undefined {
    if (this.#compiled === undefined || this.#state === undefined) return undefined;
    return {
      version: this.#version,
      tables: this.#compiled.tables,
      state: this.#state,
      persistence: this.#persistence,
      resolvers: this.#resolvers,
      counts: this.statistics.countsOf(thread),
      databases: this.#geo.databases,
    };
  }
}

/** Whether all parts are the same ones. */
function isSame(a: GtmDescription, b: GtmDescription): boolean {
  return (
    isEqual(a.settings, b.settings) &&
    LISTS.every((list) => {
      const [before, now] = [a[list] as readonly unknown[], b[list] as readonly unknown[]];
      return before.length === now.length && before.every((part, index) => part === now[index]);
    })
  );
}

const LISTS = ['datacenters', 'servers', 'pools', 'wideIps', 'regions', 'topology', 'applications'] as const;

const isEqual = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
