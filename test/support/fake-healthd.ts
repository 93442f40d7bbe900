// A healthd that says what a test has it say.

import type { HealthReport, Measured } from '../../src/ipc/healthd-schema.ts';
import { IpcServer } from '../../src/ipc/ipc-server.ts';
import { daemonSocket } from '../../src/supervise/daemon-table.ts';
import { QUIET_LOG, ReportStream } from './report-stream.ts';

const NOTHING: HealthReport = { measured: [], forgotten: [], last: true };

export class FakeHealthd {
  readonly #server: IpcServer;
  readonly #stream = new ReportStream(NOTHING);

  private constructor(state: string, snapshot: readonly HealthReport[]) {
    this.#server = new IpcServer(
      daemonSocket(state, 'healthd'),
      { 'health-reports': (_params, { signal }) => this.#stream.follow(snapshot, signal) },
      QUIET_LOG,
    );
  }

  /** `snapshot`: what is said first to whoever comes, in so many pieces; empty: nothing. */
  static async start(state: string, snapshot: readonly (readonly Measured[])[]): Promise<FakeHealthd> {
    const fake = new FakeHealthd(
      state,
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

  /** How often somebody has begun to follow it. */
  get followed(): number {
    return this.#stream.followed;
  }

  /** Has it hold its connections, and say nothing, or speak again. */
  set isSilent(isSilent: boolean) {
    this.#stream.isSilent = isSilent;
  }

  say(measured: readonly Measured[], rest: Partial<HealthReport> = {}): void {
    this.#stream.say({ ...NOTHING, measured: [...measured], ...rest });
  }

  /** As a kill ends it: connections are lost. */
  async end(): Promise<void> {
    await this.#server.close();
  }
}
