// The main thread of healthd: what the configuration wants watched is probed, judged and published.
//
//   configd ─► subscriber ─► objects ─► monitors, watches ─► engine ─► verdicts ─┬─► publisher ─► dnsd
//                                                            ▲    │              ├─► file, log
//                               iqueryd, dataplaned, LTM ────┘    └─► prober     └─► show, explain, iqueryd

import { applyChanges, type ConfigChange, type Generation, mapObjects, type ObjectMap } from '../../config/change.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import type { Log } from '../../core/log.ts';
import type { Clock } from '../../health/clock.ts';
import { HealthEngine, type VerdictChange } from '../../health/health-engine.ts';
import { LtmAvailability } from '../../health/ltm-availability.ts';
import { type LtmDescription, ltmMemberKey } from '../../health/ltm-description.ts';
import type { Prober } from '../../health/probe.ts';
import type { Watch, WatchVerdict } from '../../health/watch.ts';
import type { Measured, Station } from '../../ipc/healthd-schema.ts';
import type { ApplyFailure } from '../../ipc/schema.ts';
import type { ConfigApplier } from '../config-subscriber.ts';
import { objectsByType } from '../objects-by-type.ts';
import { ReportFollower } from '../report-follower.ts';
import { BigipReporter, ownerOf } from './bigip-reporter.ts';
import { describeLtm } from './describe-ltm.ts';
import { describeMonitors, type Monitors } from './describe-monitors.ts';
import { describeProbers } from './describe-probers.ts';
import { describeWatches, textOf } from './describe-watches.ts';
import { LocalStates } from './local-states.ts';
import { isElected, isPublished, isSameMeasured, measuredOf } from './measured.ts';
import { MeshFacts } from './mesh-facts.ts';
import { type HealthPublisher, newHealthPublisher } from './publisher.ts';
import type { NextHops } from './next-hops.ts';
import { ProberKeeper } from './prober-keeper.ts';
import { StatusLog } from './status-log.ts';
import { VerdictFile } from './verdict-file.ts';
import { VirtualLocations } from './virtual-locations.ts';

/** Probes at a time: each may be a socket. */
const MOST_RUNNING = 1000;
/** How often it is looked whether addresses of this host have changed, and what the time has made of what others say. */
const REVIEW_MS = 5000;
const REVIEW_MESH_MS = 250;

export type HealthdOptions = {
  /** The daemon's own directory, which exists. */
  readonly directory: string;
  readonly prober: Prober;
  /** Those that the prober has probes go by. */
  readonly nextHops: NextHops;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Asks dataplaned where addresses are. */
  readonly locate: (addresses: readonly string[]) => Promise<Station[]>;
  /** The addresses that this host has, by its kernel. */
  readonly hostAddresses: () => ReadonlySet<string>;
  /** Socket of iqueryd; undefined: there is none. */
  readonly iqueryd?: string | undefined;
  readonly log: Log;
};

const watchName = ({ kind, key }: Pick<Watch, 'kind' | 'key'>): string => `${kind} ${key}`;

export class Healthd implements ConfigApplier {
  readonly engine: HealthEngine;
  readonly publisher: HealthPublisher;
  readonly locations: VirtualLocations;
  readonly localStates: LocalStates;
  /** What is heard of other machines, and whose monitors decide what. */
  readonly mesh: MeshFacts;
  readonly probers: ProberKeeper;
  readonly #options: HealthdOptions;
  readonly #bigip: BigipReporter;
  readonly #follower: ReportFollower<'mesh-states'> | undefined;
  readonly #reviews: readonly NodeJS.Timeout[];
  readonly #file: VerdictFile;
  readonly #statusLog: StatusLog;
  #objects: ObjectMap = new Map();
  #byType: ReadonlyMap<string, readonly AnyConfigObject[]> = new Map();
  #monitors: Monitors = new Map();
  /** As the configuration says, and as whoever probes them makes them. */
  #described: readonly Watch[] = [];
  #watches: ReadonlyMap<string, Watch> = new Map();
  /** virtuals-depend-on-server-state. */
  #isFollowing = true;
  /** What time had made of who can be asked to probe. */
  #proberPhase = '';
  #ltm: LtmDescription = { nodes: [], pools: [], virtuals: [] };
  #availability: LtmAvailability = this.#availabilityOf(this.#ltm);
  /** Pools by the nodes that their members are on. */
  #poolsOfNode: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  /** What each watch was said to be last. */
  readonly #said = new Map<string, WatchVerdict>();
  readonly #measured = new Map<string, Measured>();

  constructor(options: HealthdOptions) {
    const { directory, prober, clock, random, log } = options;
    this.#options = options;
    this.engine = new HealthEngine({
      clock,
      prober,
      random,
      mostRunning: MOST_RUNNING,
      changed: (changes) => this.#take(changes),
    });
    this.locations = new VirtualLocations(this.engine, options.locate, log);
    this.mesh = new MeshFacts({
      clock,
      changed: ({ servers, isOfProbers }) => {
        this.#bigip.serversChanged(servers);
        if (isOfProbers) this.#reassign();
      },
      goodFor: () => this.#bigip.goodFor,
    });
    this.#follower =
      options.iqueryd === undefined
        ? undefined
        : new ReportFollower({
            ...{ daemon: 'iqueryd', method: 'mesh-states', socketPath: options.iqueryd, target: this.mesh, log },
            codes: { stale: 'mesh-stale', fresh: 'mesh-fresh' },
          });
    this.#bigip = new BigipReporter({
      engine: this.engine,
      mesh: this.mesh,
      hostAddresses: options.hostAddresses,
      meshProblem: () => this.#follower?.problem ?? '',
    });
    this.probers = new ProberKeeper(this.mesh);
    this.localStates = new LocalStates(clock);
    this.#reviews = [
      setInterval(() => this.#reviewAddresses(), REVIEW_MS),
      setInterval(() => this.#reviewMesh(), REVIEW_MESH_MS),
    ];
    this.publisher = newHealthPublisher(() => this.#measured.values());
    this.#statusLog = new StatusLog(log);
    this.#file = new VerdictFile(directory, log, {
      verdicts: () => [...this.#watches.values()].map(({ kind, key }) => ({ kind, key, ...this.verdictOf(kind, key) })),
      held: () => this.engine.held,
    });
  }

  async onSnapshot(_generation: Generation, objects: readonly AnyConfigObject[]): Promise<ApplyFailure[]> {
    const { verdicts, held } = await this.#file.read();
    for (const [name, verdict] of verdicts) this.#said.set(name, verdict);
    this.engine.restoreHeld(held);
    const failures = await this.#goOver(mapObjects(objects), verdicts);
    this.#follower?.start();
    return failures;
  }

  onDiff(_generation: Generation, changes: readonly ConfigChange[]): Promise<ApplyFailure[]> {
    return this.#goOver(applyChanges(this.#objects, changes));
  }

  /** What it does, for the line at its start. */
  summary(): string {
    const { size } = this.#watches;
    if (size === 0) return 'nothing is watched yet';
    return `watches ${size} ${size === 1 ? 'thing' : 'things'} by ${this.engine.counts.instances} monitor instances`;
  }

  /** All that is watched, in the order of the configuration. */
  get watches(): ReadonlyMap<string, Watch> {
    return this.#watches;
  }

  /** What nodes, pools and virtual servers of this machine are worth. */
  get availability(): LtmAvailability {
    return this.#availability;
  }

  get ltm(): LtmDescription {
    return this.#ltm;
  }

  /** The objects of a type that the daemon runs. */
  readonly objectsOf = (path: string): readonly AnyConfigObject[] => this.#byType.get(path) ?? [];

  verdictOf(kind: Watch['kind'], key: string): WatchVerdict {
    return (
      this.engine.verdictOf(kind, key) ?? {
        status: 'unknown',
        reason: 'Not watched',
        since: this.#options.clock.wall(),
      }
    );
  }

  /** Whose monitors decide a watch, and what is heard of whom it is about, as lines for a person. */
  whoDecides({ kind, key }: Pick<Watch, 'kind' | 'key'>): string[] {
    const watch = this.#described.find((each) => each.kind === kind && each.key === key);
    if (watch === undefined || !isPublished(kind)) return [];
    const { server } = ownerOf(watch);
    const isOwn = this.#bigip.ownServers.has(server);
    if (!isElected(watch)) return watch.places.length === 0 || isOwn ? [] : [this.mesh.describe(server)];
    if (this.#bigip.ownServers.size === 0) return [];
    const choice = this.probers.choiceOf(watch);
    if (choice.by === 'peer') {
      return [`probed by ${choice.server}: ${choice.why}`, this.mesh.describe(choice.server)];
    }
    return [`probed by ${choice.by === 'here' ? 'this machine' : 'nobody'}: ${choice.why}`];
  }

  /** Has what is known written soon: somebody has changed it by hand. */
  keep(): void {
    this.#file.touch();
  }

  async stop(): Promise<void> {
    for (const review of this.#reviews) clearInterval(review);
    await this.#follower?.stop();
    this.locations.close();
    this.engine.close();
    this.#options.prober.close();
    this.#statusLog.close();
    await this.#file.close();
  }

  async #goOver(objects: ObjectMap, known?: ReadonlyMap<string, WatchVerdict>): Promise<ApplyFailure[]> {
    this.#objects = objects;
    this.#byType = objectsByType(objects.values());
    this.#monitors = describeMonitors(objects.values(), this.#monitors);
    this.#described = describeWatches(this.objectsOf, this.#monitors);
    const servers = this.objectsOf('gtm server');
    const [settings] = this.objectsOf('gtm global-settings general');
    this.#isFollowing = settings?.properties['virtuals-depend-on-server-state'] !== false;
    this.mesh.retain(new Set(servers.map(({ name }) => name)));
    this.#ltm = describeLtm(this.objectsOf);
    this.#availability = this.#availabilityOf(this.#ltm);
    this.#poolsOfNode = poolsOfNodes(this.#ltm);
    this.#bigip.want({
      ...{ watches: this.#described, servers, selfs: this.#selfAddresses(), availability: this.#availability },
      isFollowing: this.#isFollowing,
    });
    this.probers.want(describeProbers(this.objectsOf), this.#bigip.ownServers);
    const watches = this.probers.assign(this.#described);
    // First, so that no probe waits for its next turn.
    await this.#options.nextHops.want(watches);
    const before = this.#watches;
    this.#watches = new Map(watches.map((watch) => [watchName(watch), watch]));
    this.engine.want(watches, known);
    this.#takeVerdicts();
    this.#bigip.reportAll();
    this.locations.want(watches);
    this.#forgetAbsent(before);
    this.localStates.want(this.#ltm, this.#availability);
    // What is new is known to who subscribes from now on, before the engine has told of it.
    this.#take(watches.map((watch) => ({ watch, verdict: this.verdictOf(watch.kind, watch.key) })));
    this.#file.touch();
    return [];
  }

  #availabilityOf(description: LtmDescription): LtmAvailability {
    return new LtmAvailability(description, {
      verdictOf: (kind, key) => this.engine.verdictOf(kind, key),
      priorityOf: (pool, member) => this.locations.priorityOf(ltmMemberKey(pool, member)),
    });
  }

  /** Addresses of self IPs in the host's own route domain. */
  #selfAddresses(): Set<string> {
    const addresses = this.objectsOf('net self').map(({ properties }) => textOf(properties.address).split('/')[0]!);
    return new Set(addresses.filter((address) => !address.includes('%')));
  }

  #forgetAbsent(before: ReadonlyMap<string, Watch>): void {
    const gone = [...before].filter(([name]) => !this.#watches.has(name));
    for (const [name] of gone) {
      this.#said.delete(name);
      this.#measured.delete(name);
    }
    const published = gone.flatMap(([, { kind, key }]) => (isPublished(kind) ? [{ kind, key }] : []));
    if (published.length > 0) this.publisher.publish([], published);
  }

  #reviewAddresses(): void {
    void this.#options.nextHops.review();
    if (!this.#bigip.reviewAddresses()) return;
    this.probers.want(describeProbers(this.objectsOf), this.#bigip.ownServers);
    this.#reassign();
  }

  #reviewMesh(): void {
    this.#bigip.review();
    if (this.#bigip.ownServers.size > 0 && this.mesh.proberPhase !== this.#proberPhase) this.#reassign();
  }

  /** Somebody else may be the one who probes, or say something else. */
  #reassign(): void {
    this.#proberPhase = this.mesh.proberPhase;
    const watches = this.probers.assign(this.#described);
    const isSame = watches.every((watch) => this.#watches.get(watchName(watch)) === watch);
    if (!isSame) {
      this.#watches = new Map(watches.map((watch) => [watchName(watch), watch]));
      void this.#options.nextHops.want(watches);
      this.engine.want(watches);
      this.#take(watches.map((watch) => ({ watch, verdict: this.verdictOf(watch.kind, watch.key) })));
    }
    this.#takeVerdicts();
  }

  /** Has what other machines found counted where it decides. */
  #takeVerdicts(): void {
    for (const watch of this.#watches.values()) {
      const verdict = watch.prober === undefined ? undefined : this.probers.verdictOf(watch);
      if (verdict !== undefined) this.engine.take(watch.kind, watch.key, verdict);
    }
  }

  /** Verdicts that may be others: says so to everybody who is to know. */
  #take(changes: readonly VerdictChange[]): void {
    const published: Measured[] = [];
    const pools = new Set<string>();
    for (const { watch, verdict } of changes) {
      if (watch.kind === 'pool-member') pools.add(watch.key.slice(0, watch.key.indexOf(' ')));
      if (watch.kind === 'node') for (const pool of this.#poolsOfNode.get(watch.key) ?? []) pools.add(pool);
      const name = watchName(watch);
      const before = this.#said.get(name);
      this.#said.set(name, verdict);
      if (before !== undefined && before.status !== verdict.status) this.#statusLog.note({ watch, before, verdict });
      const measured = measuredOf(watch, verdict, this.#isFollowing);
      if (measured === undefined || isSameMeasured(this.#measured.get(name), measured)) continue;
      this.#measured.set(name, measured);
      published.push(measured);
    }
    if (published.length > 0) this.publisher.publish(published);
    if (pools.size > 0) {
      this.#bigip.poolsChanged(pools);
      this.localStates.poolsChanged(pools);
    }
    if (changes.length > 0) this.#file.touch();
  }
}

function poolsOfNodes({ pools }: LtmDescription): Map<string, Set<string>> {
  const byNode = new Map<string, Set<string>>();
  for (const { name, members } of pools) {
    for (const { node } of members) {
      if (node === undefined) continue;
      const known = byNode.get(node);
      if (known === undefined) byNode.set(node, new Set([name]));
      else known.add(name);
    }
  }
  return byNode;
}
