// Hands the queries that engines write down to whoever listens. Engines write for as long as somebody does.

import { setTimeout as delay } from 'node:timers/promises';
import { formatQueryRecord } from './query-line.ts';
import { createQueryLog, QueryLogReader } from './query-log.ts';

type Item = { lines: string[]; lost: number };

const POLL_MS = 100;
/** More than an engine waits for queries. */
const BEGIN_MS = 150;
/** Lines that wait for a listener at most, and those that one message has. */
const MOST_LINES = 20_000;
const LINES_PER_ITEM = 1000;

type Listener = { readonly lines: string[]; lost: number };

export class QueryLogService {
  readonly #readers = new Set<QueryLogReader>();
  readonly #listeners = new Set<Listener>();
  #poll: NodeJS.Timeout | undefined;

  /** Memory for one more engine, and what to call when that has ended. */
  register(engine: string): { memory: SharedArrayBuffer; end: () => void } {
    const memory = createQueryLog();
    const reader = new QueryLogReader(memory, engine);
    reader.isListening = this.#listeners.size > 0;
    this.#readers.add(reader);
    return { memory, end: () => this.#readers.delete(reader) };
  }

  /** Queries from now on, until the signal. */
  async *follow(signal: AbortSignal): AsyncGenerator<Item, void> {
    const lostBefore = this.#lost();
    const listener: Listener = { lines: [], lost: 0 };
    this.#listeners.add(listener);
    this.#listen();
    try {
      // An empty item says that it has begun: engines look between two batches, and at an idle socket as often as they wake.
      await delay(BEGIN_MS);
      yield { lines: [], lost: 0 };
      while (!signal.aborted) {
        const lines = listener.lines.splice(0, LINES_PER_ITEM);
        if (lines.length > 0) yield { lines, lost: listener.lost + this.#lost() - lostBefore };
        else await delay(POLL_MS);
      }
    } finally {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#rest();
    }
  }

  #listen(): void {
    for (const reader of this.#readers) reader.isListening = true;
    this.#poll ??= setInterval(() => this.#drain(), POLL_MS);
  }

  #rest(): void {
    clearInterval(this.#poll);
    this.#poll = undefined;
    for (const reader of this.#readers) {
      reader.isListening = false;
      reader.drain();
    }
  }

  #drain(): void {
    const records = [...this.#readers].flatMap((reader) => reader.drain()).sort((a, b) => a.time - b.time);
    if (records.length === 0) return;
    const lines = records.map(formatQueryRecord);
    for (const listener of this.#listeners) {
      const room = Math.max(0, MOST_LINES - listener.lines.length);
      listener.lines.push(...lines.slice(0, room));
      listener.lost += Math.max(0, lines.length - room);
    }
  }

  #lost(): number {
    return [...this.#readers].reduce((sum, { lost }) => sum + lost, 0);
  }
}
