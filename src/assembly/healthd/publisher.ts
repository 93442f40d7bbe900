// Hands out what was measured to everybody who has subscribed: all of it first, then each change in the moment in which it is found, and
// a beat when there is nothing to say. What a slow reader has not taken is kept once for each thing: the last that is true of it.

import { HEALTH_BEAT_MS, type HealthReport, type Measured } from '../../ipc/healthd-schema.ts';

/** What is said of in one message, which stays below a message's limit with the longest names and reasons. */
const PER_REPORT = 150;
/** A reader that has so much more to take than there is has stopped reading for good. */
const MOST_UNREAD_ABOVE_ALL = 10_000;

type Named = Pick<Measured, 'kind' | 'key'>;

const keyOf = ({ kind, key }: Named): string => `${kind} ${key}`;

export class HealthPublisher {
  readonly #all: () => Iterable<Measured>;
  readonly #subscribers = new Set<Subscriber>();

  /** `all`: what is known now. */
  constructor(all: () => Iterable<Measured>) {
    this.#all = all;
  }

  get subscribers(): number {
    return this.#subscribers.size;
  }

  publish(measured: readonly Measured[], forgotten: readonly Named[] = []): void {
    for (const subscriber of this.#subscribers) subscriber.push(measured, forgotten);
  }

  /** Ends when the caller goes, or has stopped reading. */
  async *subscribe(signal: AbortSignal): AsyncGenerator<HealthReport, void> {
    const all = [...this.#all()];
    const subscriber = new Subscriber(all.length + MOST_UNREAD_ABOVE_ALL);
    this.#subscribers.add(subscriber);
    const beat = setInterval(() => subscriber.beat(), HEALTH_BEAT_MS);
    const stop = (): void => subscriber.end();
    signal.addEventListener('abort', stop);
    try {
      yield* reportsOf(all, [], true);
      while (!signal.aborted) {
        const unread = await subscriber.next();
        if (unread === undefined) return;
        yield* reportsOf(unread.measured, unread.forgotten, false);
      }
    } finally {
      clearInterval(beat);
      signal.removeEventListener('abort', stop);
      this.#subscribers.delete(subscriber);
    }
  }
}

/** One report at least: nothing in it is a beat. */
function* reportsOf(
  measured: readonly Measured[],
  forgotten: readonly Named[],
  isSnapshot: boolean,
): Generator<HealthReport, void> {
  const most = Math.max(measured.length, forgotten.length, 1);
  for (let at = 0; at < most; at += PER_REPORT) {
    const end = at + PER_REPORT;
    yield {
      ...(isSnapshot && at === 0 && { begin: true as const }),
      measured: measured.slice(at, end),
      forgotten: forgotten.slice(at, end).map(({ kind, key }) => ({ kind, key })),
      last: end >= most,
    };
  }
}

class Subscriber {
  readonly #most: number;
  /** What was not read yet; without a status it was forgotten. */
  #unread = new Map<string, Measured | Named>();
  #isBeatDue = false;
  #isOver = false;
  #wake: () => void = () => undefined;

  constructor(most: number) {
    this.#most = most;
  }

  push(measured: readonly Measured[], forgotten: readonly Named[]): void {
    for (const each of [...forgotten, ...measured]) this.#unread.set(keyOf(each), each);
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
  async next(): Promise<{ measured: Measured[]; forgotten: Named[] } | undefined> {
    while (!this.#isOver && !this.#isBeatDue && this.#unread.size === 0) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#isOver) return undefined;
    const unread = [...this.#unread.values()];
    this.#unread = new Map();
    this.#isBeatDue = false;
    return {
      measured: unread.filter((each): each is Measured => 'status' in each),
      forgotten: unread.filter((each) => !('status' in each)),
    };
  }
}
