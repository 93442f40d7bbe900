// Hands out what is known to everybody who has subscribed: all of it first, then each change in the moment in which it is found, and a
// beat when there is nothing to say. What a slow reader has not taken is kept once for each thing: the last that is true of it.

import { HEALTH_BEAT_MS } from '../ipc/healthd-schema.ts';

/** A reader that has so much more to take than there is has stopped reading for good. */
const MOST_UNREAD_ABOVE_ALL = 10_000;

/** `T` is what is said of a thing; `N` names one of which nothing is to be said any more. */
export type PublisherOptions<T extends N, N, Report> = {
  /** What is known now. */
  readonly all: () => Iterable<T>;
  readonly keyOf: (named: N) => string;
  /** One report; nothing in it is a beat. */
  readonly reportOf: (said: readonly T[], gone: readonly N[], place: ReportPlace) => Report;
  /** Things of one report, which has to stay below a message's limit with the longest names and reasons. */
  readonly perReport: number;
};

/** `begin`: a snapshot begins. `last`: the snapshot, or the change, is whole. */
export type ReportPlace = { readonly begin?: true; readonly last: boolean };

type Unread<T, N> = { readonly said: T } | { readonly gone: N };

export class ReportPublisher<T extends N, N, Report> {
  readonly #options: PublisherOptions<T, N, Report>;
  readonly #subscribers = new Set<Subscriber<T, N>>();

  constructor(options: PublisherOptions<T, N, Report>) {
    this.#options = options;
  }

  get subscribers(): number {
    return this.#subscribers.size;
  }

  publish(said: readonly T[], gone: readonly N[] = []): void {
    const { keyOf } = this.#options;
    const unread = [
      ...gone.map((each) => [keyOf(each), { gone: each }] as const),
      ...said.map((each) => [keyOf(each), { said: each }] as const),
    ];
    for (const subscriber of this.#subscribers) subscriber.push(unread);
  }

  /** Ends when the caller goes, or has stopped reading. */
  async *subscribe(signal: AbortSignal): AsyncGenerator<Report, void> {
    const all = [...this.#options.all()];
    const subscriber = new Subscriber<T, N>(all.length + MOST_UNREAD_ABOVE_ALL);
    this.#subscribers.add(subscriber);
    const beat = setInterval(() => subscriber.beat(), HEALTH_BEAT_MS);
    const stop = (): void => subscriber.end();
    signal.addEventListener('abort', stop);
    try {
      yield* this.#reports(all, [], true);
      while (!signal.aborted) {
        const unread = await subscriber.next();
        if (unread === undefined) return;
        yield* this.#reports(unread.said, unread.gone, false);
      }
    } finally {
      clearInterval(beat);
      signal.removeEventListener('abort', stop);
      this.#subscribers.delete(subscriber);
    }
  }

  /** One report at least: nothing in it is a beat. */
  *#reports(said: readonly T[], gone: readonly N[], isSnapshot: boolean): Generator<Report, void> {
    const { perReport, reportOf } = this.#options;
    const most = Math.max(said.length, gone.length, 1);
    for (let at = 0; at < most; at += perReport) {
      const end = at + perReport;
      const place = { ...(isSnapshot && at === 0 && { begin: true as const }), last: end >= most };
      yield reportOf(said.slice(at, end), gone.slice(at, end), place);
    }
  }
}

class Subscriber<T, N> {
  readonly #most: number;
  /** What was not read yet, by its key. */
  #unread = new Map<string, Unread<T, N>>();
  #isBeatDue = false;
  #isOver = false;
  #wake: () => void = () => undefined;

  constructor(most: number) {
    this.#most = most;
  }

  push(unread: readonly (readonly [key: string, unread: Unread<T, N>])[]): void {
    for (const [key, each] of unread) this.#unread.set(key, each);
    if (this.#unread.size > this.#most) this.end();
    this.#wake();
  }

  beat(): void {
    this.#isBeatDue = true;
    this.#wake();
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  /** What has come since, or nothing as a beat; undefined: it is over. */
  async next(): Promise<{ said: T[]; gone: N[] } | undefined> {
    while (!this.#isOver && !this.#isBeatDue && this.#unread.size === 0) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#isOver) return undefined;
    const unread = [...this.#unread.values()];
    this.#unread = new Map();
    this.#isBeatDue = false;
    return {
      said: unread.flatMap((each) => ('said' in each ? [each.said] : [])),
      gone: unread.flatMap((each) => ('gone' in each ? [each.gone] : [])),
    };
  }
}
