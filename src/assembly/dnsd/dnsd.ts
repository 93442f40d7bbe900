// The main thread of dnsd: the configuration comes in, zones and listeners follow it, questions about them are answered.
//
//   configd ─► subscriber ─► objects ─┬─► zone keeper, wide IPs ─► tables ─► engine (UDP), streams (TCP), rings
//                                     └─► listener keeper ─► sockets ─┘
//
// Queries over UDP are the engine's thread's: nothing here stands in their way.

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { applyChanges, type ConfigChange, type Generation, mapObjects, type ObjectMap } from '../../config/change.ts';
import type { AnyConfigObject, ObjectTypeOptions, TypedObject } from '../../config/object-type.ts';
import type { PropertyMap } from '../../config/property.ts';
import { gtmGlobalSettingsGeneral, gtmGlobalSettingsMetrics } from '../../config/types/gtm-global-settings.ts';
import { gtmListener } from '../../config/types/gtm-listener.ts';
import { gtmZone } from '../../config/types/gtm-zone.ts';
import { ltmProfileDns } from '../../config/types/ltm-profile-dns.ts';
import type { Log } from '../../core/log.ts';
import type { ResponderOptions } from '../../dns/responder-options.ts';
import type { ZoneTable } from '../../dns/zone-table.ts';
import type { ApplyFailure, ResultOf } from '../../ipc/schema.ts';
import type { Addon, LoadedAddon } from '../../native/addon.ts';
import type { ConfigApplier } from '../config-subscriber.ts';
import { answerOptions, type OwnFacts } from './answer-options.ts';
import { CLIENT_OFFSET, type DeferredQuery } from './engine-protocol.ts';
import { collectGarbage, WORTH_COLLECTING_OCTETS } from './collect-garbage.ts';
import { Backends } from './backends.ts';
import { DecisionLogService } from './decision-log-service.ts';
import type { EngineEvents } from './engine-thread.ts';
import { GtmKeeper } from './gtm-keeper.ts';
import { followHealth, type HealthFollower } from './health-follower.ts';
import { HealthService } from './health-service.ts';
import { ResolverService } from './resolver-service.ts';
import { ReportFollower } from '../report-follower.ts';
import { ListenerKeeper } from './listener-keeper.ts';
import { type ListenerSpec, listenerSpecs } from './listener-spec.ts';
import { SocketEngine } from './socket-engine.ts';
import { type ServedZones, ZoneKeeper } from './zone-keeper.ts';
import { ZoneStatistics } from './zone-statistics.ts';
import { QueryLog } from './query-log.ts';
import { QueryLogService } from './query-log-service.ts';
import { RingKeeper, type SetQueryRules } from './ring-keeper.ts';
import { type SocketOpener, SocketSource } from './socket-source.ts';
import type { SourceData } from './source-data.ts';

export type DnsdOptions = {
  /** Without the addon nothing is answered. */
  readonly addon: LoadedAddon;
  /** The daemon's own directory, which exists. */
  readonly directory: string;
  /** Where the supervisor sends sockets. */
  readonly inbox: string;
  /** Sockets of healthd and of iqueryd. */
  readonly healthd: string;
  readonly iqueryd: string;
  readonly opener: SocketOpener;
  readonly setRules: SetQueryRules;
  readonly version: string;
  /** The thread that answers has ended by itself. */
  readonly died: (reason: string) => void;
  readonly log: Log;
};

/** Of a secret of the server's cookies (RFC 9018, section 4.4). */
const COOKIE_KEY_OCTETS = 16;

export class Dnsd implements ConfigApplier {
  readonly facts: OwnFacts;
  readonly listeners: ListenerKeeper;
  readonly rings: RingKeeper;
  readonly zones: ZoneKeeper;
  /** Where zones are written, and paths of files begin. */
  readonly zoneDirectory: string;
  readonly zoneStatistics = new ZoneStatistics();
  readonly health: HealthService;
  readonly wideIps: GtmKeeper;
  readonly #follower: HealthFollower;
  readonly resolvers = new ResolverService();
  readonly #meshFollower: ReportFollower<'mesh-metrics'>;
  readonly queryLog = new QueryLogService();
  /** What is answered from. */
  tables: readonly ZoneTable[] = [];
  readonly #options: DnsdOptions;
  readonly #addon: Addon | undefined;
  readonly #source: SocketSource;
  readonly #backends: Backends;
  #objects: ObjectMap = new Map();
  #zoneFailures: readonly ApplyFailure[] = [];
  #engine: Promise<SocketEngine> | undefined;
  #health: Promise<void> | undefined;
  readonly #decisions: DecisionLogService;

  constructor(options: DnsdOptions) {
    const { addon, inbox, opener, setRules, version, log } = options;
    this.#options = options;
    const chaos = { version: `wideplane ${version}`, hostname: hostname() };
    this.facts = { cookieKey: randomBytes(COOKIE_KEY_OCTETS), chaos };
    this.#addon = addon.addon;
    this.health = new HealthService({ path: join(options.directory, 'health'), log });
    this.#follower = followHealth(options.healthd, this.health, log);
    this.#meshFollower = new ReportFollower({
      daemon: 'iqueryd',
      method: 'mesh-metrics',
      socketPath: options.iqueryd,
      target: this.health.mesh,
      codes: { stale: 'mesh-metrics-stale', fresh: 'mesh-metrics-fresh' },
      log,
    });
    this.wideIps = new GtmKeeper((compiled) => this.health.adopt(compiled), this.resolvers.memory, log);
    this.#decisions = new DecisionLogService(log, (version) => this.wideIps.compiledOf(version));
    this.#backends = new Backends(this.facts, log);
    this.#source = new SocketSource(addon, inbox, opener);
    const answersOf = ({ profile }: ListenerSpec): ResponderOptions => answerOptions(profile, this.facts);
    const deferred = (queries: readonly DeferredQuery[]): void => this.#answerDeferred(queries);
    const decided: EngineEvents['decided'] = (decisions, lost) => this.#decisions.take(decisions, lost);
    const sources = (thread: string): SourceData => this.#sourcesFor(thread);
    this.rings = new RingKeeper({
      source: this.#source,
      setRules,
      answersOf,
      sources,
      deferred,
      decided,
      queryLog: this.queryLog,
      log,
    });
    this.listeners = new ListenerKeeper({
      source: this.#source,
      engine: () => (this.#engine ??= this.#startEngine()),
      rings: this.rings,
      tap: new QueryLog(this.queryLog.register('tcp').memory),
      answersOf,
      decided: (decision) => this.#decisions.take([decision]),
      defer: (listener) => (query, client, deliver) =>
        this.#backends.forward(listener.spec.profile, query, true, client, deliver),
      log,
    });
    this.zoneDirectory = join(options.directory, 'zones');
    this.zones = new ZoneKeeper({ directory: this.zoneDirectory, log });
  }

  async onSnapshot(_generation: Generation, objects: readonly AnyConfigObject[]): Promise<ApplyFailure[]> {
    const failures = await this.#goOver(mapObjects(objects));
    this.listeners.start();
    this.#follower.start();
    this.#meshFollower.start();
    this.health.mesh.start();
    this.resolvers.start();
    return failures;
  }

  async onDiff(_generation: Generation, changes: readonly ConfigChange[]): Promise<ApplyFailure[]> {
    return this.#goOver(applyChanges(this.#objects, changes));
  }

  /** Zones and wide IPs first: a listener never answers without those that it shall have. */
  async #goOver(objects: ObjectMap): Promise<ApplyFailure[]> {
    this.#objects = objects;
    await (this.#health ??= this.health.start());
    const zones = await this.zones.want(this.objectsOf(gtmZone));
    this.#wantMetrics();
    // At the end: threads do not see what changes of health from here on until they answer from what there is now.
    const settleWideIps = await this.wideIps.want((type) => this.objectsOf(type));
    this.#zoneFailures = await this.#takeZones(zones);
    settleWideIps?.();
    const profiles = new Map(this.objectsOf(ltmProfileDns).map((profile) => [profile.name, profile]));
    const specs = listenerSpecs(this.objectsOf(gtmListener), profiles);
    this.#backends.retain(specs.map(({ profile }) => profile));
    await this.listeners.want(specs);
    return this.failures();
  }

  #wantMetrics(): void {
    const [metrics] = this.objectsOf(gtmGlobalSettingsMetrics);
    const [general] = this.objectsOf(gtmGlobalSettingsGeneral);
    if (metrics === undefined) return;
    this.health.mesh.cachingSeconds = metrics.properties['metrics-caching'];
    this.resolvers.want({
      isOn: general?.properties['cache-ldns-servers'] ?? true,
      interval: metrics.properties['ldns-update-interval'],
      inactive: metrics.properties['inactive-ldns-ttl'],
    });
  }

  failures(): ApplyFailure[] {
    return [...this.#zoneFailures, ...this.wideIps.failures(), ...this.listeners.failures()];
  }

  /** The objects of a type that the daemon runs. */
  objectsOf<Path extends string, M extends PropertyMap>(type: ObjectTypeOptions<Path, M>): TypedObject<Path, M>[] {
    return [...this.#objects.values()].filter(({ type: path }) => path === type.path) as TypedObject<Path, M>[];
  }

  /** Reads master files again: those of these zones, or of all. */
  async reloadZones(names: readonly string[] | undefined): Promise<ResultOf<'reload-zones'>> {
    const zones = this.objectsOf(gtmZone).filter(
      ({ name, properties }) => properties.enabled && (names === undefined || names.includes(name)),
    );
    const reloads = names === undefined ? [undefined] : zones.map(({ name }) => name);
    for (const name of reloads) this.#zoneFailures = await this.#takeZones(await this.zones.reload(name));
    const asked = new Set(zones.map(({ name }) => `${gtmZone.path} ${name}`));
    return { zones: zones.length, failures: this.#zoneFailures.filter(({ object }) => asked.has(object)) };
  }

  /** Has these answered from; resolves to what is wrong with zones when it is so. */
  async #takeZones({ tables, failures, replacedOctets }: ServedZones): Promise<ApplyFailure[]> {
    const settle = this.zoneStatistics.begin(tables);
    this.tables = tables;
    await this.#publish();
    settle();
    if (replacedOctets > WORTH_COLLECTING_OCTETS) {
      collectGarbage();
      await (await this.#engine)?.collectGarbage();
      await this.rings.collectGarbage();
    }
    return failures.map(({ object, reason }) => ({ object: `${gtmZone.path} ${object}`, reason }));
  }

  /** What a thread answers from, by its name. */
  #sourcesFor(thread: string): SourceData {
    const wideIps = this.wideIps.dataFor(thread);
    return {
      zones: this.tables,
      zoneCounts: this.zoneStatistics.allocate(),
      ...(wideIps === undefined ? {} : { wideIps }),
    };
  }

  /** Resolves when all threads answer from what there is now. */
  async #publish(): Promise<void> {
    this.listeners.setSources(this.#sourcesFor('streams'));
    await (await this.#engine)?.setSources(this.#sourcesFor('sockets'));
    await this.rings.followSources();
  }

  async #startEngine(): Promise<SocketEngine> {
    const engine = new SocketEngine(this.queryLog.register('sockets').memory, {
      deferred: (queries) => this.#answerDeferred(queries),
      decided: (decisions, lost) => this.#decisions.take(decisions, lost),
      died: this.#options.died,
    });
    await engine.ready();
    await engine.setSources(this.#sourcesFor('sockets'));
    return engine;
  }

  #answerDeferred(queries: readonly DeferredQuery[]): void {
    for (const { id, words, octets } of queries) {
      const listener = this.listeners.byId(id);
      if (listener === undefined) continue;
      const { family, profile } = listener.spec;
      const client = new Uint8Array(words.buffer, words.byteOffset + CLIENT_OFFSET, family === 4 ? 4 : 16);
      this.#backends.forward(profile, octets, false, client, (reply) => {
        // Its socket may have been closed since.
        const { handle } = listener;
        if (reply === undefined || handle === undefined || this.listeners.byId(id) !== listener) return;
        this.#addon?.replySend(handle, reply, words);
      });
    }
  }

  /** Answers what has come, and ends. */
  async stop(): Promise<void> {
    await this.listeners.stop();
    await (await this.#engine)?.stop();
    await this.#follower.stop();
    await this.#meshFollower.stop();
    this.health.mesh.stop();
    this.resolvers.stop();
    await this.health.stop();
    this.#decisions.close();
    this.#backends.close();
    this.#source.close();
  }
}
