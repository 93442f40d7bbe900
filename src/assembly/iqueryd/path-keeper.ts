// Which resolver's way is measured when: a new one soon, one that answered again before what was found of it is too old, one that did
// not after a while. Measurements are spread over time, and so many run at once.

import { isLimitedBroadcast, isMulticast, isUnspecified, parseAddress } from '../../core/address.ts';
import { DueHeap } from '../../health/due-heap.ts';
import type { PathMeasure, PathMeasurer, PathProtocol } from '../../probe/path-prober.ts';

export type PathSettings = {
  readonly protocols: readonly PathProtocol[];
  /** Seconds for which a way is good, and after which one that was not answered is tried again. */
  readonly pathTtl: number;
  readonly retry: number;
  /** Ways that were not answered in a row, after which one is tried only as often as one that was. */
  readonly probeLimit: number;
  /** Seconds for which a number of hops is good; octets and packets that count them, and seconds for an answer. */
  readonly hopsTtl: number;
  readonly hopsOctets: number;
  readonly hopsSamples: number;
  readonly hopsTimeout: number;
};

export type MeasuredPath = Partial<PathMeasure> & {
  readonly client: string;
  readonly hops: number | undefined;
  /** Milliseconds since 1970. */
  readonly measured: number;
};

export type PathKeeperOptions = {
  readonly measurer: PathMeasurer;
  readonly found: (path: MeasuredPath) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly random?: () => number;
};

/** At once, and begun in one tick. */
const MOST_RUNNING = 64;
const MOST_BEGUN = 8;
const TICK_MS = 250;
/** What is found is measured again when this part of its time has passed, less up to a tenth of it: so that those drift apart. */
const AGAIN = 0.75;
const SPREAD = 0.1;
const LEAST_WAIT_MS = 1000;

type Way = {
  readonly client: string;
  wakeAt: number;
  heapAt: number;
  unanswered: number;
  hops: number | undefined;
  hopsAt: number;
};

export class PathKeeper {
  readonly #options: PathKeeperOptions;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #ways = new Map<string, Way>();
  readonly #due = new DueHeap<Way>();
  #settings: PathSettings | undefined;
  #running = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PathKeeperOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#random = options.random ?? Math.random;
  }

  /** undefined: nothing is measured. */
  want(settings: PathSettings | undefined): void {
    this.#settings = settings;
  }

  start(): void {
    this.#timer = setInterval(() => this.tick(), TICK_MS);
  }

  /** Ways to these are measured, and to no others. What can have no way is passed over. */
  wantClients(clients: ReadonlySet<string>): void {
    for (const [client, way] of this.#ways) {
      if (clients.has(client)) continue;
      this.#due.remove(way);
      this.#ways.delete(client);
    }
    for (const client of clients) this.add(client);
  }

  add(client: string): void {
    if (this.#ways.has(client) || !canHaveWay(client)) return;
    const way: Way = {
      ...{ client, wakeAt: 0, heapAt: -1 },
      ...{ unanswered: 0, hops: undefined, hopsAt: Number.NEGATIVE_INFINITY },
    };
    this.#ways.set(client, way);
    this.#due.set(way, this.#now());
  }

  get clients(): number {
    return this.#ways.size;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#ways.clear();
    this.#options.measurer.close();
  }

  /** Begins what is due, some at a time. */
  tick(): void {
    const now = this.#now();
    for (let begun = 0; begun < MOST_BEGUN && this.#running < MOST_RUNNING; begun++) {
      const way = this.#due.first;
      if (way === undefined || way.wakeAt > now || this.#settings === undefined) return;
      this.#due.remove(way);
      void this.#measure(way, this.#settings);
    }
  }

  async #measure(way: Way, settings: PathSettings): Promise<void> {
    this.#running++;
    const measure = await this.#options.measurer.measure(way.client, settings);
    if (this.#ways.get(way.client) === way) {
      if (measure !== undefined) await this.#measureHops(way, settings);
      way.unanswered = measure === undefined ? way.unanswered + 1 : 0;
      if (this.#ways.get(way.client) === way) this.#tell(way, measure, settings);
    }
    this.#running--;
  }

  async #measureHops(way: Way, settings: PathSettings): Promise<void> {
    const isGood = way.hops !== undefined && this.#now() - way.hopsAt < 1000 * settings.hopsTtl;
    if (isGood || settings.hopsSamples === 0) return;
    way.hops = await this.#options.measurer.countHops(way.client, {
      octets: settings.hopsOctets,
      samples: settings.hopsSamples,
      timeoutMs: Math.max(LEAST_WAIT_MS, 1000 * settings.hopsTimeout),
    });
    way.hopsAt = this.#now();
  }

  #tell(way: Way, measure: PathMeasure | undefined, { pathTtl, retry, probeLimit }: PathSettings): void {
    const isLetBe = measure === undefined && probeLimit > 0 && way.unanswered >= probeLimit;
    const seconds = measure !== undefined || isLetBe ? pathTtl * AGAIN : retry;
    const wait = Math.max(LEAST_WAIT_MS, 1000 * seconds * (1 - SPREAD * this.#random()));
    this.#due.set(way, this.#now() + wait);
    if (measure === undefined) return;
    this.#options.found({ client: way.client, ...measure, hops: way.hops, measured: Math.floor(this.#now()) });
  }
}

function canHaveWay(client: string): boolean {
  const address = parseAddress(client);
  if (address?.routeDomain !== 0) return false;
  return !isUnspecified(address) && !isMulticast(address) && !isLimitedBroadcast(address);
}
