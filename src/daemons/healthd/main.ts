// healthd: probes what wide IPs and pools choose among, and says who is alive, and why.

import { join } from 'node:path';
import { ConfigSubscriber } from '../../assembly/config-subscriber.ts';
import { Healthd } from '../../assembly/healthd/healthd.ts';
import { NextHops } from '../../assembly/healthd/next-hops.ts';
import { handlersOf } from '../../assembly/healthd/requests.ts';
import { SteadyClient } from '../../assembly/healthd/steady-client.ts';
import { systemClock } from '../../assembly/system-clock.ts';
import { typesOf } from '../../config/object-types.ts';
import { useSecretBox } from '../../config/secret-box.ts';
import type { Log } from '../../core/log.ts';
import { IpcServer } from '../../ipc/ipc-server.ts';
import { hostAddresses } from '../../net/host-addresses.ts';
import { createProbers } from '../../probe/probers.ts';
import { makeDirectory } from '../../store/atomic-file.ts';
import { MasterKeyBox } from '../../store/master-key.ts';
import { daemonSocket } from '../../supervise/daemon-table.ts';
import { setNextHops } from '../../supervise/device-client.ts';
import { stateLayout } from '../../supervise/state-directory.ts';
import { endBySignal, serveUntil } from '../lifetime.ts';

export type HealthdSettings = { state: string; log: Log };

/** Runs until a signal asks for the end; resolves to the exit status. */
export async function runHealthd({ state, log }: HealthdSettings): Promise<number> {
  const end = endBySignal();

  useSecretBox(new MasterKeyBox(stateLayout(state).masterKey, { create: false }));
  const directory = join(state, 'healthd');
  await makeDirectory(directory);
  const dataplaned = new SteadyClient(daemonSocket(state, 'dataplaned'));
  const nextHops = new NextHops((hops) => setNextHops(state, 'healthd', hops));
  const healthd = new Healthd({
    directory,
    prober: createProbers({ markOf: nextHops.markOf }),
    nextHops,
    clock: systemClock,
    random: Math.random,
    locate: async (addresses) => {
      const { stations } = await dataplaned.request('locate-stations', { addresses: [...addresses] });
      return stations;
    },
    hostAddresses,
    iqueryd: daemonSocket(state, 'iqueryd'),
    log,
  });
  const subscriber = new ConfigSubscriber({
    daemon: 'healthd',
    types: typesOf('healthd'),
    socketPath: daemonSocket(state, 'configd'),
    directory,
    applier: healthd,
    log,
  });
  const server = new IpcServer(daemonSocket(state, 'healthd'), handlersOf(healthd), log);

  const summary = (): string => healthd.summary();
  const status = await serveUntil(end, { name: 'healthd', subscriber, server, log, summary });
  await healthd.stop();
  dataplaned.close();
  return status;
}
