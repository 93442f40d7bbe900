// Tells iqueryd which resolvers ask for what is balanced by paths: what threads have noted is gathered each second while there is
// something new.

import { formatBareAddress } from '../../core/address.ts';
import { newResolverMemory, type NotedResolver, ResolverNotes } from '../../gtm/resolver-notes.ts';
import type { ItemOf } from '../../ipc/schema.ts';
import { ReportPublisher } from '../report-publisher.ts';

type Report = ItemOf<'path-resolvers'>;

/** Places of the table of notes, a power of two: half a megabyte. */
const ENTRIES = 1 << 14;
/** Resolvers that are remembered; beyond, the one that has asked longest ago goes. */
const MOST_RESOLVERS = 10_000;
const GATHER_MS = 1000;
const PER_REPORT = 500;
const DEFAULT_INTERVAL = 20;

export type ResolverSettings = {
  /** Whether they are noted at all. */
  readonly isOn: boolean;
  /** Seconds between two notes of one, and after which one is forgotten. */
  readonly interval: number;
  readonly inactive: number;
};

export class ResolverService {
  /** For threads that answer. */
  readonly memory = newResolverMemory(ENTRIES, DEFAULT_INTERVAL);
  readonly #notes = new ResolverNotes(this.memory);
  readonly #now: () => number;
  /** Canonical texts; seconds since 1970 at which each was noted last, the oldest first. */
  readonly #resolvers = new Map<string, number>();
  readonly #publisher = new ReportPublisher<string, string, Report>({
    all: () => this.#resolvers.keys(),
    keyOf: (resolver) => resolver,
    reportOf: (resolvers) => ({ resolvers: [...resolvers] }),
    perReport: PER_REPORT,
  });
  #settings: ResolverSettings = { isOn: true, interval: DEFAULT_INTERVAL, inactive: 2_419_200 };
  #timer: NodeJS.Timeout | undefined;
  #gathered = 0;
  /** Seconds since 1970: what was noted before is known. */
  #since = 0;

  /** `now`: seconds since 1970. */
  constructor(now: () => number = () => Date.now() / 1000) {
    this.#now = now;
  }

  want(settings: ResolverSettings): void {
    this.#settings = settings;
    this.#notes.interval = settings.interval;
    if (!settings.isOn) this.#resolvers.clear();
  }

  start(): void {
    this.#timer ??= setInterval(() => this.gather(), GATHER_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Each of those that are known, then each that is noted. */
  subscribe(signal: AbortSignal): AsyncGenerator<Report, void> {
    return this.#publisher.subscribe(signal);
  }

  gather(): void {
    const { isOn, inactive } = this.#settings;
    const now = Math.floor(this.#now());
    for (const [resolver, noted] of this.#resolvers) {
      if (now - noted <= inactive) break;
      this.#resolvers.delete(resolver);
    }
    const { notes } = this.#notes;
    if (!isOn || notes === this.#gathered) return;
    this.#gathered = notes;
    const fresh: string[] = [];
    // A thread may note of the second that has just passed.
    for (const each of this.#notes.since(this.#since)) {
      const resolver = textOf(each);
      if (this.#resolvers.get(resolver) === each.noted) continue;
      this.#resolvers.delete(resolver);
      this.#resolvers.set(resolver, each.noted);
      fresh.push(resolver);
    }
    this.#since = now - 2;
    while (this.#resolvers.size > MOST_RESOLVERS) this.#resolvers.delete(this.#resolvers.keys().next().value!);
    if (fresh.length > 0) this.#publisher.publish(fresh);
  }
}

function textOf({ family, address }: NotedResolver): string {
  const [a, b, c, d] = address as unknown as [number, number, number, number];
  return formatBareAddress({ family, words: family === 4 ? [0, 0, 0, a] : [a, b, c, d], routeDomain: 0 });
}
