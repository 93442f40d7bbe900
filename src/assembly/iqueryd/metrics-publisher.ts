// What is known of loads and paths, told to whoever has subscribed: all of it first, then each change, and beats. Of what a slow
// reader has not taken the last word of each thing is kept.

import { HEALTH_BEAT_MS } from '../../ipc/healthd-schema.ts';
import type { MeshLoad, MeshMachine, MeshMetrics, MeshPath } from '../../ipc/mesh-schema.ts';

/** A message stays below its limit with the longest names. */
const PER_REPORT = 100;
/** A reader that has so much more to take than there is has stopped reading for good. */
const MOST_UNREAD_ABOVE_ALL = 10_000;

type Item = Partial<Pick<MeshMetrics, 'machines' | 'loads' | 'paths' | 'goneMachines' | 'goneLoads' | 'gonePaths'>>;

export class MetricsPublisher {
  readonly #items = new Map<string, Item>();
  readonly #subscribers = new Set<Subscriber>();

  get subscribers(): number {
    return this.#subscribers.size;
  }

  setMachine(machine: MeshMachine): void {
    this.#set(`machine ${machine.server}`, { machines: [machine] });
  }

  forgetMachine(server: string): void {
    this.#forget(`machine ${server}`, { goneMachines: [server] });
  }

  setLoad(load: MeshLoad): void {
    this.#set(`${load.kind} ${load.key}`, { loads: [load] });
  }

  forgetLoad({ kind, key }: Pick<MeshLoad, 'kind' | 'key'>): void {
    this.#forget(`${kind} ${key}`, { goneLoads: [{ kind, key }] });
  }

  setPath(path: MeshPath): void {
    this.#set(pathName(path), { paths: [path] });
  }

  forgetPath({ client, datacenter }: Pick<MeshPath, 'client' | 'datacenter'>): void {
    this.#forget(pathName({ client, datacenter }), { gonePaths: [{ client, datacenter }] });
  }

  /** Ends when the caller goes, or has stopped reading. */
  async *subscribe(signal: AbortSignal): AsyncGenerator<MeshMetrics, void> {
    const all = [...this.#items.values()];
    const subscriber = new Subscriber(all.length + MOST_UNREAD_ABOVE_ALL);
    this.#subscribers.add(subscriber);
    const beat = setInterval(() => subscriber.beat(), HEALTH_BEAT_MS);
    const stop = (): void => subscriber.end();
    signal.addEventListener('abort', stop);
    try {
      yield* reportsOf(all, true);
      while (!signal.aborted) {
        const unread = await subscriber.next();
        if (unread === undefined) return;
        yield* reportsOf(unread, false);
      }
    } finally {
      clearInterval(beat);
      signal.removeEventListener('abort', stop);
      this.#subscribers.delete(subscriber);
    }
  }

  #set(name: string, item: Item): void {
    const before = this.#items.get(name);
    if (before !== undefined && JSON.stringify(before) === JSON.stringify(item)) return;
    this.#items.set(name, item);
    for (const subscriber of this.#subscribers) subscriber.push(name, item);
  }

  #forget(name: string, item: Item): void {
    if (!this.#items.delete(name)) return;
    for (const subscriber of this.#subscribers) subscriber.push(name, item);
  }
}

const pathName = ({ client, datacenter }: Pick<MeshPath, 'client' | 'datacenter'>): string =>
  `path ${client} ${datacenter}`;

/** One report at least: nothing in it is a beat. */
function* reportsOf(items: readonly Item[], isSnapshot: boolean): Generator<MeshMetrics, void> {
  for (let at = 0; at < Math.max(items.length, 1); at += PER_REPORT) {
    const end = at + PER_REPORT;
    const part = items.slice(at, end);
    yield {
      ...(isSnapshot && at === 0 && { begin: true as const }),
      machines: part.flatMap(({ machines = [] }) => machines),
      loads: part.flatMap(({ loads = [] }) => loads),
      paths: part.flatMap(({ paths = [] }) => paths),
      goneMachines: part.flatMap(({ goneMachines = [] }) => goneMachines),
      goneLoads: part.flatMap(({ goneLoads = [] }) => goneLoads),
      gonePaths: part.flatMap(({ gonePaths = [] }) => gonePaths),
      last: end >= items.length,
    };
  }
}

class Subscriber {
  readonly #most: number;
  #unread = new Map<string, Item>();
  #isBeatDue = false;
  #isOver = false;
  #wake: () => void = () => undefined;

  constructor(most: number) {
    this.#most = most;
  }

  push(name: string, item: Item): void {
    this.#unread.set(name, item);
    if (this.#unread.size > this.#most) this.#isOver = true;
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
  async next(): Promise<Item[] | undefined> {
    while (!this.#isOver && !this.#isBeatDue && this.#unread.size === 0) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#isOver) return undefined;
    const unread = [...this.#unread.values()];
    this.#unread = new Map();
    this.#isBeatDue = false;
    return unread;
  }
}
