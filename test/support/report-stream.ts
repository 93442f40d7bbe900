// What a daemon of a test says to whoever follows it: something first, then what the test has it say, and beats.

import type { Log } from '../../src/core/log.ts';
import { HEALTH_BEAT_MS } from '../../src/ipc/healthd-schema.ts';

const quiet = (): void => undefined;
/** Of a server in a test, whose lines nobody reads. */
export const QUIET_LOG = { debug: quiet, info: quiet, warn: quiet, error: quiet } as unknown as Log;

export class ReportStream<T> {
  /** Whether it holds its connections, and says nothing. */
  isSilent = false;
  /** How often somebody has begun to follow it. */
  followed = 0;
  readonly #beat: T;
  readonly #waiting = new Set<(report: T) => void>();

  constructor(beat: T) {
    this.#beat = beat;
  }

  say(report: T): void {
    for (const tell of this.#waiting) tell(report);
  }

  async *follow(first: readonly T[], signal: AbortSignal): AsyncGenerator<T, void> {
    const queue = [...first];
    let wake: () => void = quiet;
    const tell = (report: T): void => {
      queue.push(report);
      wake();
    };
    const beat = setInterval(() => {
      if (!this.isSilent) tell(this.#beat);
    }, HEALTH_BEAT_MS);
    signal.addEventListener('abort', () => wake());
    this.#waiting.add(tell);
    this.followed++;
    try {
      while (!signal.aborted) {
        while (queue.length > 0) yield queue.shift()!;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      clearInterval(beat);
      this.#waiting.delete(tell);
    }
  }
}
