// An iqueryd that says what a test has it say of other machines.

import { IpcServer } from '../../src/ipc/ipc-server.ts';
import type { MeshState } from '../../src/ipc/mesh-schema.ts';
import { daemonSocket } from '../../src/supervise/daemon-table.ts';
import { QUIET_LOG, ReportStream } from './report-stream.ts';

const NOTHING: MeshState = {
  ...{ servers: [], virtuals: [], verdicts: [], goneServers: [], goneVirtuals: [], goneVerdicts: [] },
  last: true,
};

export class FakeMesh {
  readonly #server: IpcServer;
  readonly #stream = new ReportStream(NOTHING);

  private constructor(state: string, snapshot: () => Partial<MeshState>) {
    this.#server = new IpcServer(
      daemonSocket(state, 'iqueryd'),
      {
        'mesh-states': (_params, { signal }) =>
          this.#stream.follow([{ ...NOTHING, ...snapshot(), begin: true }], signal),
      },
      QUIET_LOG,
    );
  }

  /** `snapshot`: what is said first to whoever comes. */
  static async start(state: string, snapshot: () => Partial<MeshState>): Promise<FakeMesh> {
    const fake = new FakeMesh(state, snapshot);
    await fake.#server.listen();
    return fake;
  }

  /** How often somebody has begun to follow it. */
  get followed(): number {
    return this.#stream.followed;
  }

  say(change: Partial<MeshState>): void {
    this.#stream.say({ ...NOTHING, ...change });
  }

  /** As a kill ends it: connections are lost. */
  async end(): Promise<void> {
    await this.#server.close();
  }
}
