// iqueryd: speaks iQuery with other machines, and tells the other daemons what it hears.

import { hostname } from 'node:os';
import { join } from 'node:path';
import { ConfigSubscriber } from '../../assembly/config-subscriber.ts';
import { Iqueryd } from '../../assembly/iqueryd/iqueryd.ts';
import { deviceIdIn } from '../../assembly/iqueryd/device-id.ts';
import { handlersOf } from '../../assembly/iqueryd/requests.ts';
import { systemClock } from '../../assembly/system-clock.ts';
import { typesOf } from '../../config/object-types.ts';
import { useSecretBox } from '../../config/secret-box.ts';
import type { Log } from '../../core/log.ts';
import { IpcServer } from '../../ipc/ipc-server.ts';
import { packageVersion } from '../../native/package.ts';
import { hostAddresses } from '../../net/host-addresses.ts';
import { makeDirectory } from '../../store/atomic-file.ts';
import { MasterKeyBox } from '../../store/master-key.ts';
import { daemonSocket } from '../../supervise/daemon-table.ts';
import { stateLayout } from '../../supervise/state-directory.ts';
import { TrustStore } from '../../trust/trust-store.ts';
import { endBySignal, serveUntil } from '../lifetime.ts';

export type IquerydSettings = { state: string; log: Log };

/** Runs until a signal asks for the end; resolves to the exit status. */
export async function runIqueryd({ state, log }: IquerydSettings): Promise<number> {
  const end = endBySignal();

  useSecretBox(new MasterKeyBox(stateLayout(state).masterKey, { create: false }));
  const directory = join(state, 'iqueryd');
  await makeDirectory(directory);
  const device = hostname();
  const trust = await TrustStore.open(join(directory, 'config'), { hostname: device, now: () => new Date(), log });
  const version = packageVersion();
  const self = { device, deviceId: await deviceIdIn(directory), version, big3d: `big3d Version ${version}` };
  const iqueryd = new Iqueryd({ state, directory, clock: systemClock, hostAddresses, trust, self, log });
  const subscriber = new ConfigSubscriber({
    daemon: 'iqueryd',
    types: typesOf('iqueryd'),
    socketPath: daemonSocket(state, 'configd'),
    directory,
    applier: iqueryd,
    log,
  });
  const server = new IpcServer(daemonSocket(state, 'iqueryd'), handlersOf(iqueryd), log);

  const summary = (): string => iqueryd.summary();
  const status = await serveUntil(end, { name: 'iqueryd', subscriber, server, log, summary });
  await iqueryd.stop();
  trust.close();
  return status;
}
