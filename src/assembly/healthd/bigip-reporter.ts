// What monitors of type bigip find: nothing is sent, what virtual servers of this machine are worth counts. A server that is another
// machine is unknown until somebody hears of it.

import { fullPath, COMMON } from '../../config/name.ts';
import { splitVirtualServerKey } from '../../config/gtm-kinds.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import { bigipView } from '../../health/bigip-view.ts';
import type { HealthEngine } from '../../health/health-engine.ts';
import type { LtmAvailability } from '../../health/ltm-availability.ts';
import { placeOf } from '../../health/monitor-instance.ts';
import type { ProbeOutcome, ProbePlace } from '../../health/probe.ts';
import type { Watch } from '../../health/watch.ts';
import { serverAddresses } from './describe-watches.ts';

const NOT_HEARD: ProbeOutcome = { verdict: 'impossible', reason: 'Nothing has been heard of it over iQuery', took: 0 };
const IS_THIS: ProbeOutcome = { verdict: 'up', reason: 'it is this machine', took: 0 };

type Reported = {
  readonly place: ProbePlace;
  readonly isLocal: boolean;
  /** undefined: the server itself. */
  readonly virtualServer: string | undefined;
  /** The pool of the virtual server of this machine; undefined: it has none, or there is no such virtual server. */
  readonly pool: string | undefined;
  last: ProbeOutcome | undefined;
};

export class BigipReporter {
  readonly #engine: Pick<HealthEngine, 'report'>;
  readonly #hostAddresses: () => ReadonlySet<string>;
  #reported: Reported[] = [];
  #servers: readonly AnyConfigObject[] = [];
  #watches: readonly Watch[] = [];
  #selfs: ReadonlySet<string> = new Set();
  #availability: LtmAvailability | undefined;
  #host = '';

  /** `hostAddresses`: those that the kernel knows. */
  constructor(engine: Pick<HealthEngine, 'report'>, hostAddresses: () => ReadonlySet<string>) {
    this.#engine = engine;
    this.#hostAddresses = hostAddresses;
  }

  /** Goes over to a configuration, before the engine does. `selfs`: addresses of self IPs. */
  want(
    watches: readonly Watch[],
    servers: readonly AnyConfigObject[],
    selfs: ReadonlySet<string>,
    availability: LtmAvailability,
  ): void {
    this.#watches = watches.filter(({ rule }) => rule.monitors.some(({ type }) => type === 'bigip'));
    this.#servers = servers;
    this.#selfs = selfs;
    this.#availability = availability;
    this.#lookUp();
  }

  get isIdle(): boolean {
    return this.#watches.length === 0;
  }

  /** Addresses of this host may have changed. */
  review(): void {
    if (!this.isIdle && [...this.#hostAddresses()].join(' ') !== this.#host) {
      this.#lookUp();
      this.reportAll();
    }
  }

  /** Tells the engine of all; once it has gone over to the configuration. */
  reportAll(): void {
    for (const reported of this.#reported) this.#report(reported, true);
  }

  /** The members of these pools are others than before. */
  poolsChanged(pools: ReadonlySet<string>): void {
    for (const reported of this.#reported) {
      if (reported.pool !== undefined && pools.has(reported.pool)) this.#report(reported, false);
    }
  }

  #lookUp(): void {
    const host = this.#hostAddresses();
    this.#host = [...host].join(' ');
    const isLocal = new Set(
      this.#servers
        .filter(({ properties }) =>
          serverAddresses(properties).some((address) => host.has(address) || this.#selfs.has(address)),
        )
        .map(({ name }) => name),
    );
    this.#reported = this.#watches.flatMap((watch) => {
      const { server, virtualServer } = ownerOf(watch);
      const monitor = watch.rule.monitors.find(({ type }) => type === 'bigip')!;
      return watch.places.map((target): Reported => {
        const place = placeOf(monitor, target);
        const found = virtualServer === undefined ? undefined : this.#find(place, virtualServer);
        return { place, isLocal: isLocal.has(server), virtualServer, pool: found?.pool, last: undefined };
      });
    });
  }

  #find({ address, port }: ProbePlace, virtualServer: string) {
    return this.#availability?.findVirtual(address, port, fullPath(virtualServer, COMMON));
  }

  #report(reported: Reported, isAnew: boolean): void {
    const outcome = this.#outcomeOf(reported);
    const { last, place } = reported;
    if (!isAnew && last?.verdict === outcome.verdict && last.reason === outcome.reason) return;
    reported.last = outcome;
    this.#engine.report('bigip', place, outcome);
  }

  #outcomeOf({ isLocal, virtualServer, place: { address, port } }: Reported): ProbeOutcome {
    if (!isLocal) return NOT_HEARD;
    if (virtualServer === undefined) return IS_THIS;
    return bigipView(this.#availability!, address, port, fullPath(virtualServer, COMMON));
  }
}

/** The server of a watch, and its virtual server where it is one. */
function ownerOf({ kind, key }: Watch): { server: string; virtualServer: string | undefined } {
  if (kind === 'server') return { server: key, virtualServer: undefined };
  const name = kind === 'member' ? key.split(' ').slice(2).join(' ') : key;
  return splitVirtualServerKey(name);
}
