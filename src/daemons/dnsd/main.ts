// dnsd: answers DNS on the addresses of listeners.

import { join } from 'node:path';
import { ConfigSubscriber } from '../../assembly/config-subscriber.ts';
import { Dnsd } from '../../assembly/dnsd/dnsd.ts';
import { placeText } from '../../assembly/dnsd/listener-spec.ts';
import { handlersOf } from '../../assembly/dnsd/requests.ts';
import { typesOf } from '../../config/object-types.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { IpcServer } from '../../ipc/ipc-server.ts';
import { loadAddon } from '../../native/addon.ts';
import { packageVersion } from '../../native/package.ts';
import { makeDirectory } from '../../store/atomic-file.ts';
import { daemonSocket } from '../../supervise/daemon-table.ts';
import { askSupervisor, setQueryRules } from '../../supervise/device-client.ts';
import { stateLayout } from '../../supervise/state-directory.ts';
import { endBySignal, serveUntil } from '../lifetime.ts';

export type DnsdSettings = { state: string; log: Log };

/** Runs until a signal asks for the end; resolves to the exit status. */
export async function runDnsd({ state, log }: DnsdSettings): Promise<number> {
  const end = endBySignal();

  const loaded = loadAddon();
  if (loaded.addon === undefined) logEvent(log, 'addon-absent', `${loaded.reason}; no listener answers`);
  const directory = join(state, 'dnsd');
  await makeDirectory(directory);
  const dnsd = new Dnsd({
    addon: loaded,
    directory,
    inbox: stateLayout(state).inbox,
    healthd: daemonSocket(state, 'healthd'),
    iqueryd: daemonSocket(state, 'iqueryd'),
    opener: {
      server: (params) => askSupervisor(state, 'open-server-socket', params),
      packet: (params) => askSupervisor(state, 'open-packet-socket', params),
    },
    setRules: (rules) => setQueryRules(state, 'dnsd', rules),
    version: packageVersion(),
    died: (reason) => {
      logEvent(log, 'daemon-failed', reason);
      end.ask(1);
    },
    log,
  });
  const subscriber = new ConfigSubscriber({
    daemon: 'dnsd',
    types: typesOf('dnsd'),
    socketPath: daemonSocket(state, 'configd'),
    directory,
    applier: dnsd,
    log,
  });
  const server = new IpcServer(daemonSocket(state, 'dnsd'), handlersOf(dnsd), log);

  const answering = (): string => {
    const places = [...dnsd.listeners.open.values()].map(({ spec }) => placeText(spec));
    return places.length === 0 ? 'there are no listeners yet' : `answers at ${places.join(', ')}`;
  };
  const status = await serveUntil(end, { name: 'dnsd', subscriber, server, log, summary: answering });
  if (status === 0) await dnsd.stop();
  return status;
}
