// A healthd that says what a test has it say.

import type { Log } from '../../src/core/log.ts';
import { HEALTH_BEAT_MS, type HealthReport, type Measured } from '../../src/ipc/healthd-schema.ts';
import { IpcServer } from '../../src/ipc/ipc-server.ts';
import { daemonSocket } from '../../src/supervise/daemon-table.ts';

const quiet = (): void => undefined;
const LOG = { debug: quiet, info: quiet, warn: quiet, error: quiet } as unknown as Log;

export class FakeHealthd {
  /** Whether it holds its connections, and says nothing. */
  isSilent = false;
  /** How often somebody has begun to follow it. */
  followed = 0;
  readonly #server: IpcServer;
  readonly #waiting = new Set<(report: HealthReport) => void>();

  private constructor(state: string, snapshot: () => readonly HealthReport[]) {
    this.#server = new IpcServer(
      daemonSocket(state, 'healthd'),
      { 'health-reports': (_params, { signal }) => this.#reports(snapshot(), signal) },
      LOG,
    );
  }

  /** `snapshot`: what is said first to whoever comes, in so many pieces; empty: nothing. */
  static async start(state: string, snapshot: readonly (readonly Measured[])[]): Promise<FakeHealthd> {
    const fake = new FakeHealthd(state, () =>
      snapshot.map((measured, piece) => ({
        ...(piece === 0 ? { begin: true as const } : {}),
        measured: [...measured],
        forgotten: [],
        last: piece === snapshot.length - 1,
      })),
    );
    await fake.#server.listen();
    return fake;
  }

  say(measured: readonly Measured[], rest: Partial<HealthReport> = {}): void {
    for (const tell of this.#waiting) tell({ measured: [...measured], forgotten: [], last: true, ...rest });
  }

  /** As a kill ends it: connections are lost. */
  async end(): Promise<void> {
    await this.#server.close();
  }

  async *#reports(first: readonly HealthReport[], signal: AbortSignal): AsyncGenerator<HealthReport, void> {
    const queue = [...first];
    let wake: () => void = quiet;
    const tell = (report: HealthReport): void => {
      queue.push(report);
      wake();
    };
    const beat = setInterval(() => {
      if (!this.isSilent) tell({ measured: [], forgotten: [], last: true });
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
