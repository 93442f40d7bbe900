// Where members of pools are that a monitor of type virtual-location looks for: here, where a VLAN has learned their MAC, or behind a
// tunnel. dataplaned knows; it is asked at each monitor's interval, and asks the members themselves.

import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import type { HealthEngine } from '../../health/health-engine.ts';
import type { Monitor } from '../../health/monitor.ts';
import { placeOf } from '../../health/monitor-instance.ts';
import type { ProbeOutcome, ProbePlace } from '../../health/probe.ts';
import type { Watch } from '../../health/watch.ts';
import { MOST_STATIONS, type Station } from '../../ipc/healthd-schema.ts';

/** Priority groups of members, as a BIG-IP sets them. */
export const LOCAL_PRIORITY = 2;
export const REMOTE_PRIORITY = 1;

export type Locate = (addresses: readonly string[]) => Promise<readonly Station[]>;

type Location = { readonly isLocal: boolean; readonly member: string };

/** What one monitor looks for. */
type Search = {
  readonly monitor: Monitor;
  readonly places: ReadonlyMap<string, ProbePlace>;
  timer: NodeJS.Timeout | undefined;
  isAsking: boolean;
  /** When dataplaned answered last; ms of performance.now. */
  answeredMs: number;
};

export class VirtualLocations {
  readonly #engine: Pick<HealthEngine, 'report'>;
  readonly #locate: Locate;
  readonly #log: Log;
  #searches: Search[] = [];
  /** By pool member's watch: its address. */
  #members: ReadonlyMap<string, string> = new Map();
  readonly #locations = new Map<string, Location>();

  constructor(engine: Pick<HealthEngine, 'report'>, locate: Locate, log: Log) {
    this.#engine = engine;
    this.#locate = locate;
    this.#log = log;
  }

  /** The priority group of a member that is looked for and was found. `key`: that of its watch. */
  priorityOf(key: string): number | undefined {
    const location = this.#locations.get(this.#members.get(key) ?? '');
    return location && (location.isLocal ? LOCAL_PRIORITY : REMOTE_PRIORITY);
  }

  /** In words: `local: learned on VLAN /Common/machines`; undefined: nobody looks for it, or it was not found. */
  describe(key: string): string | undefined {
    const location = this.#locations.get(this.#members.get(key) ?? '');
    return location && reasonOf(location);
  }

  /** Goes over to a configuration; after the engine has. */
  want(watches: readonly Watch[]): void {
    const wanted = new Map<Monitor, Map<string, ProbePlace>>();
    const members = new Map<string, string>();
    for (const { kind, key, rule, places } of watches) {
      for (const monitor of rule.monitors) {
        if (monitor.type !== 'virtual-location') continue;
        const found = wanted.get(monitor) ?? new Map<string, ProbePlace>();
        wanted.set(monitor, found);
        for (const place of places.map((target) => placeOf(monitor, target))) {
          found.set(`${place.address} ${place.port}`, place);
          if (kind === 'pool-member') members.set(key, place.address);
        }
      }
    }
    this.#members = members;
    const addresses = new Set(members.values());
    for (const address of this.#locations.keys()) if (!addresses.has(address)) this.#locations.delete(address);
    this.close();
    this.#searches = [...wanted].map(([monitor, places]) => this.#search(monitor, places));
  }

  close(): void {
    for (const { timer } of this.#searches) clearInterval(timer);
    this.#searches = [];
  }

  #search(monitor: Monitor, places: ReadonlyMap<string, ProbePlace>): Search {
    const search: Search = { monitor, places, timer: undefined, isAsking: false, answeredMs: performance.now() };
    search.timer = setInterval(() => void this.#ask(search), monitor.timing.interval);
    void this.#ask(search);
    return search;
  }

  async #ask(search: Search): Promise<void> {
    if (search.isAsking) return;
    search.isAsking = true;
    try {
      const addresses = [...new Set([...search.places.values()].map(({ address }) => address))];
      for (let at = 0; at < addresses.length; at += MOST_STATIONS) {
        const stations = await this.#locate(addresses.slice(at, at + MOST_STATIONS));
        if (!this.#searches.includes(search)) return;
        this.#take(search, stations);
      }
      search.answeredMs = performance.now();
    } catch (error) {
      this.#giveUp(search, errorText(error));
    } finally {
      search.isAsking = false;
    }
  }

  #take(search: Search, stations: readonly Station[]): void {
    const byAddress = new Map(stations.map((station) => [station.address, station]));
    for (const { address, member, isTunnel } of stations) {
      const before = this.#locations.get(address);
      if (member === undefined || (before?.member === member && before.isLocal === !isTunnel)) continue;
      const location = { isLocal: isTunnel !== true, member };
      this.#locations.set(address, location);
      logEvent(this.#log, 'virtual-location', `${address} is ${reasonOf(location)}`, { address });
    }
    for (const place of search.places.values()) {
      const station = byAddress.get(place.address);
      if (station !== undefined) this.#engine.report('virtual-location', place, this.#outcomeOf(station));
    }
  }

  /** Who was found stays where it was heard last. */
  #outcomeOf({ address, network }: Station): ProbeOutcome {
    const location = this.#locations.get(address);
    if (location !== undefined) return { verdict: 'up', reason: reasonOf(location), took: 0 };
    const reason =
      network === undefined ? 'no self IP has a network with this address' : `nobody has answered for it on ${network}`;
    return { verdict: 'impossible', reason, took: 0 };
  }

  /** dataplaned does not answer: what is known is good for the monitor's timeout. */
  #giveUp({ monitor, places, answeredMs }: Search, text: string): void {
    if (performance.now() - answeredMs < monitor.timing.timeout) return;
    for (const place of places.values()) {
      this.#engine.report('virtual-location', place, { verdict: 'impossible', reason: text, took: 0 });
    }
  }
}

function reasonOf({ isLocal, member }: Location): string {
  return isLocal ? `local: heard on VLAN ${member}` : `remote: heard by tunnel ${member}`;
}
