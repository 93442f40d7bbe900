// What healthd measures, for everybody who has subscribed to it.

import type { HealthReport, Measured } from '../../ipc/healthd-schema.ts';
import { ReportPublisher } from '../report-publisher.ts';

/** What is said of in one message, which stays below a message's limit with the longest names and reasons. */
const PER_REPORT = 150;

type Named = Pick<Measured, 'kind' | 'key'>;

export type HealthPublisher = ReportPublisher<Measured, Named, HealthReport>;

/** `all`: what is known now. */
export function newHealthPublisher(all: () => Iterable<Measured>): HealthPublisher {
  return new ReportPublisher<Measured, Named, HealthReport>({
    all,
    keyOf: ({ kind, key }) => `${kind} ${key}`,
    reportOf: (measured, gone, place) => ({
      ...place,
      measured: [...measured],
      forgotten: gone.map(({ kind, key }) => ({ kind, key })),
    }),
    perReport: PER_REPORT,
  });
}
