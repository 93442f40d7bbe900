// What monitors of type bigip find: nothing is sent. Of this machine what its virtual servers are worth counts; of others what is heard of
// them over iQuery.

import { splitVirtualServerKey } from '../../config/gtm-kinds.ts';
import { COMMON, fullPath } from '../../config/name.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import { bigipView } from '../../health/bigip-view.ts';
import type { HealthEngine } from '../../health/health-engine.ts';
import type { LtmAvailability } from '../../health/ltm-availability.ts';
import { placeOf } from '../../health/monitor-instance.ts';
import {
  isUndecided,
  type PeerPhase,
  phaseOf,
  type PeerViewed,
  serverView,
  virtualView,
} from '../../health/peer-view.ts';
import type { ProbeOutcome, ProbePlace } from '../../health/probe.ts';
import type { Watch } from '../../health/watch.ts';
import { recordsIn, serverAddresses, textOf } from './describe-watches.ts';
import type { MeshFacts } from './mesh-facts.ts';

const IS_THIS: ProbeOutcome = { verdict: 'up', reason: 'it is this machine', took: 0 };
/** Milliseconds: the timeout of the monitor bigip as shipped. */
const USUAL_TIMEOUT = 90_000;

type Reported = {
  readonly watch: Watch;
  readonly place: ProbePlace;
  readonly server: string;
  /** Undefined: the server itself. */
  readonly virtualServer: string | undefined;
  /** What the virtual server may be called there, the likeliest first. */
  readonly names: readonly string[];
  /** The pool of the virtual server of this machine; undefined: it has none, or there is no such virtual server. */
  readonly pool: string | undefined;
  last: ProbeOutcome | undefined;
};

/** What is reported of one server by monitors of one timeout: its time goes by for all of it at once. */
type Group = {
  readonly server: string;
  /** Of the server itself, for messages. */
  readonly address: string;
  readonly isLocal: boolean;
  readonly timeout: number;
  readonly reported: Reported[];
  /** What time had made of it when it was reported last. */
  moment: string;
};

export type BigipReporterOptions = {
  readonly engine: Pick<HealthEngine, 'report' | 'verdictOf'>;
  readonly mesh: Pick<MeshFacts, 'timesOf' | 'problemOf' | 'virtualOf' | 'awayFor'>;
  /** Addresses that the kernel knows. */
  readonly hostAddresses: () => ReadonlySet<string>;
  /** Why iqueryd is not heard, for a person. */
  readonly meshProblem: () => string;
};

/** What the configuration says. */
export type BigipWant = {
  readonly watches: readonly Watch[];
  readonly servers: readonly AnyConfigObject[];
  /** Addresses of self IPs. */
  readonly selfs: ReadonlySet<string>;
  readonly availability: LtmAvailability;
  /** virtuals-depend-on-server-state. */
  readonly isFollowing: boolean;
};

export class BigipReporter {
  readonly #options: BigipReporterOptions;
  #groups: Group[] = [];
  #want: BigipWant | undefined;
  #host = '';
  #ownServers: ReadonlySet<string> = new Set();

  constructor(options: BigipReporterOptions) {
    this.#options = options;
  }

  /** Goes over to a configuration, before the engine does. */
  want(want: BigipWant): void {
    this.#want = want;
    this.#lookUp();
  }

  /** Each `gtm server` that is this machine, by its addresses. */
  get ownServers(): ReadonlySet<string> {
    return this.#ownServers;
  }

  /** Milliseconds for which what iqueryd said is good: the shortest timeout of those that go by it. */
  get goodFor(): number {
    const timeouts = this.#groups.flatMap(({ isLocal, timeout }) => (isLocal ? [] : [timeout]));
    return timeouts.length === 0 ? USUAL_TIMEOUT : Math.min(...timeouts);
  }

  /** Addresses of this host may have changed; whether they have. */
  reviewAddresses(): boolean {
    if (this.#want === undefined || [...this.#options.hostAddresses()].join(' ') === this.#host) return false;
    this.#lookUp();
    this.reportAll();
    return true;
  }

  /** Time has gone by: tells the engine of what that changes. */
  review(): void {
    for (const group of this.#groups) {
      if (!group.isLocal && this.#momentOf(group) !== group.moment) this.#reportGroup(group, false);
    }
  }

  /** Tells the engine of all; once it has gone over to the configuration. */
  reportAll(): void {
    for (const group of this.#groups) this.#reportGroup(group, true);
  }

  /** Something else is known of these servers than before. */
  serversChanged(servers: ReadonlySet<string>): void {
    for (const group of this.#groups) {
      if (!group.isLocal && servers.has(group.server)) this.#reportGroup(group, false);
    }
  }

  /** The members of these pools are others than before. */
  poolsChanged(pools: ReadonlySet<string>): void {
    for (const group of this.#groups) {
      if (!group.isLocal) continue;
      for (const reported of group.reported) {
        if (reported.pool !== undefined && pools.has(reported.pool)) this.#report(group, reported, false);
      }
    }
  }

  #lookUp(): void {
    const { watches, servers, selfs } = this.#want!;
    const host = this.#options.hostAddresses();
    this.#host = [...host].join(' ');
    const byName = new Map(servers.map((server) => [server.name, server]));
    const isLocal = ({ properties }: AnyConfigObject): boolean =>
      serverAddresses(properties).some((address) => host.has(address) || selfs.has(address));
    this.#ownServers = new Set(servers.filter(isLocal).map(({ name }) => name));
    const groups = new Map<string, Group>();
    for (const watch of watches) {
      const monitor = watch.rule.monitors.find(({ type }) => type === 'bigip');
      if (monitor === undefined) continue;
      const { server, virtualServer } = ownerOf(watch);
      const { timeout } = monitor.timing;
      const key = `${server} ${timeout}`;
      const object = byName.get(server);
      const group = groups.get(key) ?? {
        ...{ server, address: (object && serverAddresses(object.properties)[0]) ?? server },
        ...{ isLocal: this.#ownServers.has(server), timeout, reported: [], moment: '' },
      };
      groups.set(key, group);
      const names = virtualServer === undefined ? [] : namesOf(object, virtualServer);
      for (const target of watch.places) {
        const place = placeOf(monitor, target);
        const pool = group.isLocal && virtualServer !== undefined ? this.#find(place, names)?.pool : undefined;
        group.reported.push({ watch, place, server, virtualServer, names, pool, last: undefined });
      }
    }
    this.#groups = [...groups.values()];
  }

  #find({ address, port }: ProbePlace, names: readonly string[]) {
    const { availability } = this.#want!;
    const found = names.map((name) => availability.findVirtual(address, port, name));
    return found.find((each) => each !== undefined);
  }

  #reportGroup(group: Group, isAnew: boolean): void {
    if (!group.isLocal) group.moment = this.#momentOf(group);
    for (const reported of group.reported) this.#report(group, reported, isAnew);
  }

  /** All of what is reported that follows from the time alone. */
  #momentOf(group: Group): string {
    return `${this.#phaseOf(group)} ${this.#isStale(group)}`;
  }

  #phaseOf({ server, timeout }: Group): PeerPhase {
    return phaseOf(this.#options.mesh.timesOf(server), timeout);
  }

  #isStale({ timeout }: Group): boolean {
    return (this.#options.mesh.awayFor ?? 0) >= timeout;
  }

  #report(group: Group, reported: Reported, isAnew: boolean): void {
    const outcome = group.isLocal ? this.#localOutcome(reported) : this.#remoteOutcome(group, reported);
    if (outcome === undefined) return;
    const { last, place } = reported;
    if (!isAnew && last?.verdict === outcome.verdict && last.reason === outcome.reason) return;
    reported.last = outcome;
    this.#options.engine.report('bigip', place, outcome);
  }

  #localOutcome({ virtualServer, place, names }: Reported): ProbeOutcome {
    if (virtualServer === undefined) return IS_THIS;
    return bigipView(this.#want!.availability, place.address, place.port, this.#find(place, names)?.name);
  }

  /** Undefined: what was known before goes on to count. */
  #remoteOutcome(group: Group, { watch, virtualServer, place, names }: Reported): ProbeOutcome | undefined {
    const { mesh, engine, meshProblem } = this.#options;
    const { server, address, timeout } = group;
    const phase = this.#phaseOf(group);
    const isUntold = virtualServer !== undefined && phase === 'heard' && mesh.timesOf(server)?.hasTold !== true;
    if (isUndecided(phase) || isUntold) {
      const known = engine.verdictOf(watch.kind, watch.key);
      if (known !== undefined && known.status !== 'unknown') return undefined;
    }
    const stale = this.#isStale(group) ? `iqueryd has not been heard for ${timeout / 1000} s` : '';
    const problem = phase === 'no-mesh' ? meshProblem() : mesh.problemOf(server);
    const viewed: PeerViewed = { server, address, timeout, problem, stale };
    if (virtualServer === undefined) return serverView(phase, { ...viewed, address: place.address });
    if (isUntold)
      return virtualView(
        'waiting',
        { ...viewed, problem: 'it has not told its virtual servers yet' },
        undefined,
        place,
        true,
      );
    const seen = mesh.virtualOf(server, place.address, place.port, names);
    return virtualView(phase, viewed, seen, place, this.#want!.isFollowing);
  }
}

/** What a virtual server may be called on its machine: as `ltm-name` says, or as here. */
function namesOf(server: AnyConfigObject | undefined, virtualServer: string): string[] {
  const own = recordsIn(server?.properties['virtual-servers'])[virtualServer];
  const ltmName = textOf(own?.['ltm-name']);
  return [ltmName, virtualServer].flatMap((name) => (name === '' || name === 'none' ? [] : [fullPath(name, COMMON)]));
}

/** The server of a watch of gtm, and its virtual server where it is one. */
export function ownerOf({ kind, key }: Pick<Watch, 'kind' | 'key'>): {
  server: string;
  virtualServer: string | undefined;
} {
  if (kind === 'server') return { server: key, virtualServer: undefined };
  const name = kind === 'member' ? key.split(' ').slice(2).join(' ') : key;
  return splitVirtualServerKey(name);
}
