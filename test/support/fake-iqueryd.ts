// An iqueryd that says what a test has it say of loads and paths.

import { IpcServer } from '../../src/ipc/ipc-server.ts';
import type { MeshMetrics } from '../../src/ipc/mesh-schema.ts';
import { daemonSocket } from '../../src/supervise/daemon-table.ts';
import { QUIET_LOG, ReportStream } from './report-stream.ts';

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
  readonly #server: IpcServer;
  readonly #stream = new ReportStream(NOTHING);

  private constructor(state: string, snapshot: Partial<MeshMetrics>) {
    const first = [{ ...NOTHING, ...snapshot, begin: true as const }];
    this.#server = new IpcServer(
      daemonSocket(state, 'iqueryd'),
      { 'mesh-metrics': (_params, { signal }) => this.#stream.follow(first, signal) },
      QUIET_LOG,
    );
  }

  /** `snapshot`: what is said first to whoever comes. */
  static async start(state: string, snapshot: Partial<MeshMetrics>): Promise<FakeIqueryd> {
    const fake = new FakeIqueryd(state, snapshot);
    await fake.#server.listen();
    return fake;
  }

  /** How often somebody has begun to follow it. */
  get followed(): number {
    return this.#stream.followed;
  }

  say(report: Partial<MeshMetrics>): void {
    this.#stream.say({ ...NOTHING, ...report });
  }

  /** As a kill ends it: connections are lost. */
  async end(): Promise<void> {
    await this.#server.close();
  }
}
