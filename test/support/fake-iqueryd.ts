// An iqueryd that says what a test has it say of loads and paths.

import type { Log } from '../../src/core/log.ts';
import { HEALTH_BEAT_MS } from '../../src/ipc/healthd-schema.ts';
import { IpcServer } from '../../src/ipc/ipc-server.ts';
import type { MeshMetrics } from '../../src/ipc/mesh-schema.ts';
import { daemonSocket } from '../../src/supervise/daemon-table.ts';

const quiet = (): void => undefined;
const LOG = { debug: quiet, info: quiet, warn: quiet, error: quiet } as unknown as Log;

const NOTHING: MeshMetrics = {
  machines: [],
  loads: [],
  paths: [],
  goneMachines: [],
  goneLoads: [],
  gonePaths: [],
  last: true,
};

export class FakeIqueryd {
  /** How often somebody has begun to follow it. */
  followed = 0;
  readonly #server: IpcServer;
  readonly #waiting = new Set<(report: MeshMetrics) => void>();

  private constructor(state: string, snapshot: Partial<MeshMetrics>) {
    this.#server = new IpcServer(
      daemonSocket(state, 'iqueryd'),
      { 'mesh-metrics': (_params, { signal }) => this.#reports({ ...NOTHING, ...snapshot, begin: true }, signal) },
      LOG,
    );
  }

  /** `snapshot`: what is said first to whoever comes. */
  static async start(state: string, snapshot: Partial<MeshMetrics>): Promise<FakeIqueryd> {
    const fake = new FakeIqueryd(state, snapshot);
    await fake.#server.listen();
    return fake;
  }

  say(report: Partial<MeshMetrics>): void {
    for (const tell of this.#waiting) tell({ ...NOTHING, ...report });
  }

  /** As a kill ends it: connections are lost. */
  async end(): Promise<void> {
    await this.#server.close();
  }

  async *#reports(first: MeshMetrics, signal: AbortSignal): AsyncGenerator<MeshMetrics, void> {
    const queue = [first];
    let wake: () => void = quiet;
    const tell = (report: MeshMetrics): void => {
      queue.push(report);
      wake();
    };
    const beat = setInterval(() => tell(NOTHING), HEALTH_BEAT_MS);
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
