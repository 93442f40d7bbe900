// iqueryd: one mesh, the features that use it, and what they get from the configuration.
//
//   configd ─► subscriber ─► peers ─► mesh ◄─► features ◄─► healthd, dnsd

import { applyChanges, type ConfigChange, type Generation, mapObjects, type ObjectMap } from '../../config/change.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import type { Log } from '../../core/log.ts';
import type { Clock } from '../../health/clock.ts';
import type { ApplyFailure } from '../../ipc/schema.ts';
import type { ConfigApplier } from '../config-subscriber.ts';
import { textOf } from '../healthd/describe-watches.ts';
import { type DescribedPeers, describePeers, selfAddresses } from './describe-peers.ts';
import type { IqueryFeature, IqueryWant } from './feature.ts';
import { FeaturePort } from './feature-port.ts';
import { makeFeatures } from './features.ts';

/** How often it is looked whether addresses of this host have changed. */
const REVIEW_MS = 5000;

export type IquerydOptions = {
  /** The state directory. */
  readonly state: string;
  /** The daemon's own directory, which exists. */
  readonly directory: string;
  readonly clock: Clock;
  /** The addresses that this host has, by its kernel. */
  readonly hostAddresses: () => ReadonlySet<string>;
  readonly log: Log;
};

export class Iqueryd implements ConfigApplier {
  readonly features: readonly IqueryFeature[];
  readonly #options: IquerydOptions;
  readonly #port = new FeaturePort();
  readonly #review: NodeJS.Timeout;
  #objects: ObjectMap = new Map();
  #byType: ReadonlyMap<string, readonly AnyConfigObject[]> = new Map();
  #described: DescribedPeers = { peers: [], ownServers: new Set() };
  #host = '';

  constructor(options: IquerydOptions) {
    this.#options = options;
    const { state, directory, clock, log } = options;
    this.features = makeFeatures({ mesh: this.#port, state, directory, clock, log });
    this.#review = setInterval(() => this.#lookUp(), REVIEW_MS);
  }

  async onSnapshot(_generation: Generation, objects: readonly AnyConfigObject[]): Promise<ApplyFailure[]> {
    await this.#goOver(mapObjects(objects));
    for (const feature of this.features) feature.start?.();
    return [];
  }

  async onDiff(_generation: Generation, changes: readonly ConfigChange[]): Promise<ApplyFailure[]> {
    await this.#goOver(applyChanges(this.#objects, changes));
    return [];
  }

  /** What it does, for the line at its start. */
  summary(): string {
    const { length } = this.#described.peers;
    if (length === 0) return 'no server of product bigip is configured';
    return `dials ${length} ${length === 1 ? 'address' : 'addresses'}`;
  }

  async stop(): Promise<void> {
    clearInterval(this.#review);
    for (const feature of this.features) await feature.stop?.();
  }

  readonly #objectsOf = (path: string): readonly AnyConfigObject[] => this.#byType.get(path) ?? [];

  async #goOver(objects: ObjectMap): Promise<void> {
    this.#objects = objects;
    this.#byType = groupByType(objects.values());
    this.#apply();
    await Promise.resolve();
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
    const [general] = this.#objectsOf('gtm global-settings general');
    const want: IqueryWant = {
      objects: [...this.#objects.values()],
      objectsOf: this.#objectsOf,
      ...this.#described,
      syncGroup: textOf(general?.properties['synchronization-group-name']),
      isGtm: servers.length > 0,
    };
    for (const feature of this.features) feature.want?.(want);
  }
}

function groupByType(objects: Iterable<AnyConfigObject>): Map<string, AnyConfigObject[]> {
  const groups = new Map<string, AnyConfigObject[]>();
  for (const object of objects) {
    const group = groups.get(object.type);
    if (group === undefined) groups.set(object.type, [object]);
    else group.push(object);
  }
  return groups;
}
