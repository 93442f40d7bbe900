// dataplaned: moves frames between devices, sockets and tunnels.

import { join } from 'node:path';
import { ConfigSubscriber } from '../../assembly/config-subscriber.ts';
import { Dataplaned } from '../../assembly/dataplaned/dataplaned.ts';
import { ShowService } from '../../assembly/dataplaned/show-service.ts';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import { IpcServer } from '../../ipc/ipc-server.ts';
import { loadAddon } from '../../native/addon.ts';
import { prepareDevice, retainDevices } from '../../supervise/device-client.ts';

export type DataplanedSettings = { state: string; log: Log };

/** Runs until a signal asks for the end; resolves to the exit status. */
export async function runDataplaned({ state, log }: DataplanedSettings): Promise<number> {
  const loaded = loadAddon();
  if (loaded.addon === undefined) {
    logEvent(log, 'daemon-failed', `no adapter can be loaded: ${loaded.reason}`);
    return 1;
  }
  let finish: (status: number) => void = () => undefined;
  const finished = new Promise<number>((resolve) => (finish = resolve));
  const dataplaned = new Dataplaned({
    addon: loaded.addon,
    prepare: (name, device, addressOwner) => prepareDevice(state, name, device, addressOwner),
    retain: (devices) => void retainDevices(state, devices).catch((error: unknown) => log.warn(errorText(error))),
    died: (reason) => {
      logEvent(log, 'daemon-failed', `the worker has died: ${reason}`);
      finish(1);
    },
    log,
  });
  const subscriber = new ConfigSubscriber({
    daemon: 'dataplaned',
    socketPath: join(state, 'configd.sock'),
    directory: join(state, 'dataplaned'),
    applier: dataplaned,
    log,
  });
  const shows = new ShowService(() => dataplaned.sources());
  const server = new IpcServer(
    join(state, 'dataplaned.sock'),
    {
      show: (params) => shows.show(params) ?? refuse(params.type),
      'reset-stats': ({ type, names }) => ({ objects: shows.reset(type, names) ?? refuse(type) }),
    },
    log,
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => finish(0));

  await dataplaned.start();
  await subscriber.start();
  await server.listen();
  logEvent(log, 'daemon-started', `dataplaned serves ${server.path}; addon ${loaded.path}`);
  const status = await finished;
  logEvent(log, 'daemon-stopping', 'dataplaned stops');
  await server.close();
  await subscriber.stop();
  if (status === 0) await dataplaned.stop();
  return status;
}

function refuse(type: string): never {
  throw new IpcError('refused', `dataplaned has no statistics of ${type}`);
}
