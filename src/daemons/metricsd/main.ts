// metricsd: serves metrics of all daemons to Prometheus.

import { join } from 'node:path';
import { ConfigSubscriber } from '../../assembly/config-subscriber.ts';
import { Metricsd } from '../../assembly/metricsd/metricsd.ts';
import { typesOf } from '../../config/object-types.ts';
import type { Log } from '../../core/log.ts';
import { IpcServer } from '../../ipc/ipc-server.ts';
import { packageVersion } from '../../native/package.ts';
import { makeDirectory } from '../../store/atomic-file.ts';
import { daemonSocket } from '../../supervise/daemon-table.ts';
import { askSupervisor } from '../../supervise/device-client.ts';
import { endBySignal, serveUntil } from '../lifetime.ts';

export type MetricsdSettings = { state: string; log: Log };

/** Runs until a signal asks for the end; resolves to the exit status. */
export async function runMetricsd({ state, log }: MetricsdSettings): Promise<number> {
  const end = endBySignal();

  const directory = join(state, 'metricsd');
  await makeDirectory(directory);
  const metricsd = new Metricsd({
    state,
    version: packageVersion(),
    processes: () => askSupervisor(state, 'show-processes', {}),
    log,
  });
  const subscriber = new ConfigSubscriber({
    daemon: 'metricsd',
    types: typesOf('metricsd'),
    socketPath: daemonSocket(state, 'configd'),
    directory,
    applier: metricsd,
    log,
  });
  const server = new IpcServer(daemonSocket(state, 'metricsd'), {}, log);

  const summary = (): string => metricsd.summary();
  const status = await serveUntil(end, { name: 'metricsd', subscriber, server, log, summary });
  await metricsd.stop();
  return status;
}
