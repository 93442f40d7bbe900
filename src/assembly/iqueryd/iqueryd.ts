// iqueryd: one mesh, the features that use it, and what they get from the configuration.
//
//   configd ─► subscriber ─► peers ─► mesh ◄─► features ◄─► healthd, dnsd
//                                      │
//                    TLS: dialer, listener, verdicts of the trust store

import { applyChanges, type ConfigChange, type Generation, mapObjects, type ObjectMap } from '../../config/change.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import { IQUERY_ADDRESS_VARIABLE, IQUERY_PORT_VARIABLE, IQUERY_TLS_VARIABLE } from '../../config/types/sys-db.ts';
import type { Log } from '../../core/log.ts';
import type { Clock } from '../../health/clock.ts';
import { Mesh } from '../../iquery/mesh.ts';
import type { MeshSelf } from '../../iquery/session-context.ts';
import type { ApplyFailure } from '../../ipc/schema.ts';
import type { TrustStore } from '../../trust/trust-store.ts';
import type { ConfigApplier } from '../config-subscriber.ts';
import { objectsByType } from '../objects-by-type.ts';
import { textOf } from '../healthd/describe-watches.ts';
import { type DescribedPeers, describePeers, selfAddresses } from './describe-peers.ts';
import type { IqueryFeature, IqueryWant } from './feature.ts';
import { FeaturePort } from './feature-port.ts';
import { makeFeatures } from './features.ts';
import { IcontrolSource } from './icontrol-source.ts';
import { Refusals } from './refusals.ts';
import { IqueryShowService } from './show-service.ts';
import { StandingConnections } from './standing.ts';
import { TlsDialer } from './tls-dialer.ts';
import { TlsListener } from './tls-listener.ts';
import { trustSettingsOf } from './trust-settings.ts';
import { ciphersProblem, type TlsSettings } from './tls-settings.ts';

const GENERAL = 'gtm global-settings general';

/** How often it is looked whether addresses of this host have changed. */
const REVIEW_MS = 5000;
/** Heartbeats that are missed before a peer is dead. */
const MISSED_HEARTBEATS = 3;
const LEAST_PATIENCE_MS = 3000;

export type IquerydOptions = {
  /** The state directory. */
  readonly state: string;
  /** The daemon's own directory, which exists. */
  readonly directory: string;
  readonly clock: Clock;
  /** The addresses that this host has, by its kernel. */
  readonly hostAddresses: () => ReadonlySet<string>;
  readonly trust: TrustStore;
  readonly self: MeshSelf;
  readonly log: Log;
};

export class Iqueryd implements ConfigApplier {
  readonly features: readonly IqueryFeature[];
  readonly mesh: Mesh;
  readonly shows: IqueryShowService;
  readonly #listener: TlsListener;
  readonly #icontrol: IcontrolSource;
  readonly #options: IquerydOptions;
  readonly #review: NodeJS.Timeout;
  #objects: ObjectMap = new Map();
  #byType: ReadonlyMap<string, readonly AnyConfigObject[]> = new Map();
  #described: DescribedPeers = { peers: [], ownServers: new Set() };
  #host = '';

  constructor(options: IquerydOptions) {
    this.#options = options;
    const { state, directory, clock, trust, self, log } = options;
    const port = new FeaturePort();
    this.features = makeFeatures({ mesh: port, state, directory, clock, log });
    const refusals = new Refusals(log, () => clock.now());
    const standing = new StandingConnections(trust, refusals);
    const common = { trust, standing, refusals, patienceMs: () => this.#patienceMs() };
    const transport = new TlsDialer({
      ...common,
      port: () => Number(this.#variable(IQUERY_PORT_VARIABLE)),
      settingsOf: (server) => this.#tlsOf(server),
    });
    this.#icontrol = new IcontrolSource({ clock, trust, features: this.features, log });
    const features = this.#icontrol.forMesh();
    this.mesh = new Mesh({ clock, random: Math.random, self, transport, features, log });
    port.join(this.mesh);
    this.#listener = new TlsListener({
      ...common,
      accept: (channel, from) => this.mesh.accept(channel, from),
      log,
    });
    this.shows = new IqueryShowService({
      ...{ mesh: this.mesh, dialer: transport, listener: this.#listener, refusals },
      certificateEnd: () => trust.identity.notAfter,
    });
    this.mesh.addFeature(this.shows);
    trust.onChanged((change) => {
      if (change.identity) this.#listener.renew();
      if (change.trust) standing.review();
    });
    this.#review = setInterval(() => this.#lookUp(), REVIEW_MS);
  }

  onSnapshot(_generation: Generation, objects: readonly AnyConfigObject[]): Promise<ApplyFailure[]> {
    this.#goOver(mapObjects(objects));
    for (const feature of this.features) feature.start?.();
    return Promise.resolve(this.#failures());
  }

  onDiff(_generation: Generation, changes: readonly ConfigChange[]): Promise<ApplyFailure[]> {
    this.#goOver(applyChanges(this.#objects, changes));
    return Promise.resolve(this.#failures());
  }

  /** Lists of ciphers that have none that OpenSSL knows here. */
  #failures(): ApplyFailure[] {
    const all = [...this.#objectsOf(GENERAL), ...this.#objectsOf('gtm server')];
    return all.flatMap(({ type, name, properties }) => {
      const problem = ciphersProblem(textOf(properties['iquery-cipher-list']));
      if (problem === undefined) return [];
      return [
        { object: `${type} ${name}`.trimEnd(), reason: `iquery-cipher-list: ${problem}; nothing is dialled with it` },
      ];
    });
  }

  /** What it does, for the line at its start. */
  summary(): string {
    const { length } = this.#described.peers;
    if (length === 0) return 'no server of product bigip is configured';
    return `dials ${length} ${length === 1 ? 'address' : 'addresses'}`;
  }

  async stop(): Promise<void> {
    clearInterval(this.#review);
    this.#listener.close();
    this.mesh.stop();
    this.#icontrol.stop();
    for (const feature of this.features) await feature.stop?.();
  }

  readonly #objectsOf = (path: string): readonly AnyConfigObject[] => this.#byType.get(path) ?? [];

  #goOver(objects: ObjectMap): void {
    this.#objects = objects;
    this.#byType = objectsByType(objects.values());
    this.#apply();
    this.#listener.want({
      addresses: this.#variable(IQUERY_ADDRESS_VARIABLE),
      port: Number(this.#variable(IQUERY_PORT_VARIABLE)),
      oldestTls: this.#variable(IQUERY_TLS_VARIABLE),
    });
  }

  /** Addresses of this host may have changed. */
  #lookUp(): void {
    if ([...this.#options.hostAddresses()].join(' ') !== this.#host) this.#apply();
  }

  #apply(): void {
    const host = this.#options.hostAddresses();
    this.#host = [...host].join(' ');
    const own = new Set([...host, ...selfAddresses(this.#objectsOf('net self'))]);
    const servers = this.#objectsOf('gtm server');
    this.#described = describePeers(servers, own);
    const { properties: general } = this.#general;
    this.#options.trust.configure(trustSettingsOf(general));
    const want: IqueryWant = {
      objects: [...this.#objects.values()],
      objectsOf: this.#objectsOf,
      ...this.#described,
      syncGroup: textOf(general['synchronization-group-name']) || 'default',
      isGtm: servers.length > 0,
    };
    for (const feature of this.features) feature.want?.(want);
    this.#icontrol.want(servers, this.#described.peers);
    const { peers, syncGroup, isGtm } = want;
    this.mesh.wantPeers(peers, { heartbeatMs: this.#heartbeatMs(), syncGroup, isGtm });
  }

  get #general(): Pick<AnyConfigObject, 'properties'> {
    return this.#objectsOf(GENERAL)[0] ?? { properties: {} };
  }

  #heartbeatMs(): number {
    const seconds = this.#general.properties['heartbeat-interval'];
    return 1000 * (typeof seconds === 'number' ? Math.max(1, seconds) : 10);
  }

  #patienceMs(): number {
    return Math.max(LEAST_PATIENCE_MS, MISSED_HEARTBEATS * this.#heartbeatMs());
  }

  /** How a server is spoken to: as it says itself, or as holds for all. */
  #tlsOf(server: string): TlsSettings {
    const { properties: general } = this.#general;
    const own = this.#objectsOf('gtm server').find(({ name }) => name === server)?.properties ?? {};
    const of = (property: string): string => textOf(own[property]) || textOf(general[property]);
    return { oldest: of('iquery-minimum-tls-version'), ciphers: of('iquery-cipher-list') };
  }

  #variable(name: string): string {
    return textOf(this.#objectsOf('sys db').find((each) => each.name === name)?.properties.value);
  }
}
