// An iqueryd that says what a test has it say of other machines.

import type { Log } from '../../src/core/log.ts';
import { HEALTH_BEAT_MS } from '../../src/ipc/healthd-schema.ts';
import { IpcServer } from '../../src/ipc/ipc-server.ts';
import type { MeshState } from '../../src/ipc/mesh-schema.ts';
import { daemonSocket } from '../../src/supervise/daemon-table.ts';

const quiet = (): void => undefined;
const LOG = { debug: quiet, info: quiet, warn: quiet, error: quiet } as unknown as Log;

const NOTHING: MeshState = {
  ...{ servers: [], virtuals: [], verdicts: [], goneServers: [], goneVirtuals: [], goneVerdicts: [] },
  last: true,
};

export class FakeMesh {
  /** How often somebody has begun to follow it. */
  followed = 0;
  readonly #server: IpcServer;
  readonly #waiting = new Set<(state: MeshState) => void>();

  private constructor(state: string, snapshot: () => Partial<MeshState>) {
    this.#server = new IpcServer(
      daemonSocket(state, 'iqueryd'),
      { 'mesh-states': (_params, { signal }) => this.#states({ ...NOTHING, ...snapshot(), begin: true }, signal) },
      LOG,
    );
  }

  /** `snapshot`: what is said first to whoever comes. */
  static async start(state: string, snapshot: () => Partial<MeshState>): Promise<FakeMesh> {
    const fake = new FakeMesh(state, snapshot);
    await fake.#server.listen();
    return fake;
  }

  say(change: Partial<MeshState>): void {
    for (const tell of this.#waiting) tell({ ...NOTHING, ...change });
  }

  /** As a kill ends it: connections are lost. */
  async end(): Promise<void> {
    await this.#server.close();
  }

  async *#states(first: MeshState, signal: AbortSignal): AsyncGenerator<MeshState, void> {
    const queue = [first];
    let wake: () => void = quiet;
    const tell = (state: MeshState): void => {
      queue.push(state);
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
