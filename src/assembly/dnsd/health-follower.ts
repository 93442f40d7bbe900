// Follows what healthd measures, for dnsd.

import type { Log } from '../../core/log.ts';
import type { HealthReport, Measured } from '../../ipc/healthd-schema.ts';
import { ReportFollower, type ReportTarget } from '../report-follower.ts';

export type Forgotten = Pick<Measured, 'kind' | 'key'>;

/** What takes what was measured. */
export type MeasureTarget = Omit<ReportTarget<HealthReport>, 'take'> & {
  /** One change. `isWhole`: what is not in it is not watched any more. */
  measure(measured: readonly Measured[], forgotten: readonly Forgotten[], isWhole: boolean): void;
};

export type HealthFollower = ReportFollower<'health-reports'>;

/** `socketPath`: of healthd. */
export function followHealth(socketPath: string, target: MeasureTarget, log: Log): HealthFollower {
  return new ReportFollower({
    daemon: 'healthd',
    method: 'health-reports',
    socketPath,
    codes: { stale: 'health-stale', fresh: 'health-fresh' },
    log,
    target: {
      heard: () => target.heard(),
      staleFor: () => target.staleFor(),
      take(pieces, isWhole) {
        const measured = pieces.flatMap((piece) => piece.measured);
        const forgotten = pieces.flatMap((piece) => piece.forgotten);
        if (isWhole || measured.length > 0 || forgotten.length > 0) target.measure(measured, forgotten, isWhole);
      },
    },
  });
}
