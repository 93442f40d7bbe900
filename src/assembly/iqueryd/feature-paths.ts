// Ways to resolvers: those that ask this machine are told to the others, this machine measures its own way to all of them where it may,
// and what everybody has found comes to dnsd.

import type { GtmServer } from '../../config/types/gtm-server.ts';
import type { GtmGlobalSettingsMetrics } from '../../config/types/gtm-global-settings.ts';
import { parseAddress } from '../../core/address.ts';
import type { Log } from '../../core/log.ts';
import type { ItemOf } from '../../ipc/schema.ts';
import type { MeshPort } from '../../iquery/mesh-feature.ts';
import type { Channel, RecordMessage, RecordOf } from '../../iquery/messages.ts';
import { PATH_PROTOCOLS, type PathMeasurer, type PathProtocol } from '../../probe/path-prober.ts';
import { ReportFollower, type ReportTarget } from '../report-follower.ts';
import type { IqueryFeature, IqueryWant } from './feature.ts';
import type { MetricsPublisher } from './metrics-publisher.ts';
import { type MeasuredPath, PathKeeper } from './path-keeper.ts';

export type PathsFeatureOptions = {
  readonly mesh: Pick<MeshPort, 'publish' | 'forget'>;
  readonly measurer: PathMeasurer;
  readonly publisher: MetricsPublisher;
  /** Socket of dnsd. */
  readonly dnsd: string;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
};

/** Of everybody together, and of one machine; of paths that are kept. */
const MOST_RESOLVERS = 20_000;
const MOST_OF_ONE = 10_000;
const MOST_PATHS = 65_536;
const REVIEW_MS = 10_000;
const GOOD_MS = 3000;

type Found = { readonly path: MeasuredPath; readonly datacenter: string };

export class PathsFeature implements IqueryFeature, ReportTarget<ItemOf<'path-resolvers'>> {
  readonly channels = ['resolver', 'path'] as const;
  readonly #options: PathsFeatureOptions;
  readonly #now: () => number;
  readonly #keeper: PathKeeper;
  readonly #follower: ReportFollower<'path-resolvers'>;
  /** Resolvers that ask here, the one that has asked longest ago first: milliseconds since 1970. */
  readonly #own = new Map<string, number>();
  /** Those that others tell, by server. */
  readonly #told = new Map<string, Set<string>>();
  /** Paths that others have found: when each is over, in milliseconds since 1970. */
  readonly #others = new Map<string, { readonly client: string; readonly datacenter: string; over: number }>();
  /** What was found here, by client. */
  readonly #found = new Map<string, readonly Found[]>();
  #ownServers: ReadonlySet<string> = new Set();
  /** Of this machine's servers that may measure. */
  #datacenters: readonly string[] = [];
  #pathTtl = 2400;
  /** Seconds after which a resolver is forgotten that asks nothing. */
  #inactive = 604_800;
  #heardAt = Number.NEGATIVE_INFINITY;
  #review: NodeJS.Timeout | undefined;

  constructor(options: PathsFeatureOptions) {
    const { measurer, dnsd, log } = options;
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#keeper = new PathKeeper({ measurer, found: (path) => this.#tell(path), now: this.#now });
    this.#follower = new ReportFollower({
      daemon: 'dnsd',
      method: 'path-resolvers',
      socketPath: dnsd,
      target: this,
      codes: { stale: 'path-resolvers-stale', fresh: 'path-resolvers-fresh' },
      log,
    });
  }

  want({ objectsOf, ownServers }: IqueryWant): void {
    this.#ownServers = ownServers;
    const own = (objectsOf('gtm server') as readonly GtmServer[]).filter(({ name }) => ownServers.has(name));
    const may = own.filter(({ properties }) => properties['iq-allow-path'] && properties.enabled);
    this.#datacenters = [...new Set(may.map(({ properties }) => properties.datacenter))];
    const [metrics] = objectsOf('gtm global-settings metrics') as readonly GtmGlobalSettingsMetrics[];
    if (metrics === undefined) return;
    const { properties } = metrics;
    this.#pathTtl = properties['path-ttl'];
    this.#inactive = Math.min(properties['inactive-ldns-ttl'], properties['inactive-paths-ttl']);
    const words: readonly string[] = properties['metrics-collection-protocols'];
    const protocols = words.filter((word): word is PathProtocol =>
      (PATH_PROTOCOLS as readonly string[]).includes(word),
    );
    const isOn = this.#datacenters.length > 0 && protocols.length > 0;
    this.#keeper.want(
      !isOn
        ? undefined
        : {
            protocols,
            pathTtl: this.#pathTtl,
            retry: properties['paths-retry'],
            probeLimit: properties['default-probe-limit'],
            hopsTtl: properties['hops-ttl'],
            hopsOctets: properties['hops-packet-length'],
            hopsSamples: properties['hops-sample-count'],
            hopsTimeout: properties['hops-timeout'],
          },
    );
    for (const [client, found] of this.#found) {
      for (const { datacenter } of found) {
        if (!isOn || !this.#datacenters.includes(datacenter)) this.#forgetOwn(client, datacenter);
      }
    }
  }

  start(): void {
    this.#follower.start();
    this.#keeper.start();
    this.#review = setInterval(() => this.review(), REVIEW_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#review);
    this.#keeper.stop();
    await this.#follower.stop();
  }

  heard(): void {
    this.#heardAt = performance.now();
  }

  /** Resolvers are good for days: a dnsd that is gone for a moment is nothing to say. */
  staleFor(): number | undefined {
    const silence = performance.now() - this.#heardAt;
    return Number.isFinite(silence) && silence > GOOD_MS ? silence / 1000 : undefined;
  }

  take(pieces: readonly ItemOf<'path-resolvers'>[]): void {
    const now = this.#now();
    for (const client of pieces.flatMap(({ resolvers }) => resolvers)) {
      const isNew = !this.#own.delete(client);
      this.#own.set(client, now);
      if (!isNew) continue;
      this.#options.mesh.publish({ message: 'resolver', address: client });
      this.#add(client);
    }
    while (this.#own.size > MOST_OF_ONE) this.#forgetResolver(this.#own.keys().next().value!);
  }

  onWhole(server: string, channel: Channel, records: readonly RecordMessage[]): void {
    if (this.#ownServers.has(server)) return;
    if (channel === 'resolver') {
      this.#told.set(server, new Set());
      for (const record of records) this.#takeRecord(server, record);
      this.#wantClients();
    } else if (channel === 'path') for (const record of records) this.#takeRecord(server, record);
  }

  onRecord(server: string, record: RecordMessage): void {
    if (!this.#ownServers.has(server)) this.#takeRecord(server, record);
  }

  onForgotten(server: string, channel: Channel, key: string): void {
    if (this.#ownServers.has(server)) return;
    if (channel === 'resolver' && this.#told.get(server)?.delete(key) === true) this.#wantClients();
    if (channel !== 'path') return;
    const [client = '', datacenter = ''] = key.split('\t');
    if (this.#others.delete(key)) this.#options.publisher.forgetPath({ client, datacenter });
  }

  /** Forgets resolvers that ask nothing any more, and paths of others whose time is over. */
  review(): void {
    const now = this.#now();
    for (const [client, noted] of this.#own) {
      if (now - noted <= 1000 * this.#inactive) break;
      this.#forgetResolver(client);
    }
    for (const [key, { client, datacenter, over }] of this.#others) {
      if (over > now) continue;
      this.#others.delete(key);
      this.#options.publisher.forgetPath({ client, datacenter });
    }
  }

  #takeRecord(server: string, record: RecordMessage): void {
    if (record.message === 'resolver') this.#takeResolver(server, record);
    else if (record.message === 'path') this.#takePath(record);
  }

  #takeResolver(server: string, { address }: RecordOf<'resolver'>): void {
    if (parseAddress(address) === undefined) return;
    const told = this.#told.get(server) ?? new Set<string>();
    this.#told.set(server, told);
    if (told.size >= MOST_OF_ONE) return;
    told.add(address);
    this.#add(address);
  }

  #takePath(record: RecordOf<'path'>): void {
    const { client, datacenter, measured, good_for } = record;
    if (parseAddress(client) === undefined) return;
    const key = `${client}\t${datacenter}`;
    const now = this.#now();
    // By a clock that may be wrong: never good for longer than it says.
    const age = Math.max(0, Math.min(good_for, (now - measured) / 1000));
    const over = now + 1000 * (good_for - age);
    this.#others.delete(key);
    this.#others.set(key, { client, datacenter, over });
    this.#options.publisher.setPath({
      client,
      datacenter,
      ...(record.round_trip_time !== undefined && { roundTripTime: record.round_trip_time }),
      ...(record.hops !== undefined && { hops: Math.min(255, record.hops) }),
      ...(record.completion_rate !== undefined && { completionRate: Math.min(1000, record.completion_rate) }),
      expires: Math.floor(over / 1000),
    });
    if (this.#others.size <= MOST_PATHS) return;
    const [oldest, first] = this.#others.entries().next().value!;
    this.#others.delete(oldest);
    this.#options.publisher.forgetPath(first);
  }

  #add(client: string): void {
    if (this.#keeper.clients < MOST_RESOLVERS) this.#keeper.add(client);
  }

  /** Some are gone. */
  #wantClients(): void {
    const all = new Set(this.#own.keys());
    for (const told of this.#told.values()) for (const client of told) if (all.size < MOST_RESOLVERS) all.add(client);
    this.#keeper.wantClients(all);
    for (const [client, found] of this.#found) {
      if (!all.has(client)) for (const { datacenter } of found) this.#forgetOwn(client, datacenter);
    }
  }

  #forgetResolver(client: string): void {
    this.#own.delete(client);
    this.#options.mesh.forget('resolver', client);
    this.#wantClients();
  }

  #forgetOwn(client: string, datacenter: string): void {
    this.#found.delete(client);
    this.#options.mesh.forget('path', `${client}\t${datacenter}`);
    this.#options.publisher.forgetPath({ client, datacenter });
  }

  /** This machine has measured its way. */
  #tell(path: MeasuredPath): void {
    const { client, roundTripTime, completionRate, hops, measured } = path;
    this.#found.set(
      client,
      this.#datacenters.map((datacenter) => ({ path, datacenter })),
    );
    for (const datacenter of this.#datacenters) {
      this.#options.mesh.publish({
        ...{ message: 'path', client, datacenter, measured, good_for: this.#pathTtl },
        ...{ round_trip_time: roundTripTime, hops, completion_rate: completionRate },
      });
      this.#options.publisher.setPath({
        client,
        datacenter,
        ...(roundTripTime !== undefined && { roundTripTime }),
        ...(hops !== undefined && { hops }),
        ...(completionRate !== undefined && { completionRate }),
        expires: Math.floor(measured / 1000) + this.#pathTtl,
      });
    }
  }
}
