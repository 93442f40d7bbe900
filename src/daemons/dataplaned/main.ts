// dataplaned: moves frames between devices, sockets and tunnels.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readSnapshot, SNAPSHOT_FILE } from '../../assembly/config-snapshot.ts';
import { ConfigSubscriber } from '../../assembly/config-subscriber.ts';
import { fingerprintsOf } from '../../assembly/dataplaned/association-keeper.ts';
import { viewOf } from '../../assembly/dataplaned/config-view.ts';
import { Dataplaned } from '../../assembly/dataplaned/dataplaned.ts';
import { handlersOf } from '../../assembly/dataplaned/requests.ts';
import { typesOf } from '../../config/object-types.ts';
import { useSecretBox } from '../../config/secret-box.ts';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { IpcServer } from '../../ipc/ipc-server.ts';
import { loadAddon } from '../../native/addon.ts';
import { makeDirectory } from '../../store/atomic-file.ts';
import { SequenceStore } from '../../store/sequence-store.ts';
import { MasterKeyBox } from '../../store/master-key.ts';
import { prepareDevice, readHostSockets, retainDevices, setHostPaths } from '../../supervise/device-client.ts';
import { stateLayout } from '../../supervise/state-directory.ts';
import { endBySignal, serveUntil } from '../lifetime.ts';

export type DataplanedSettings = { state: string; log: Log };

/** Runs until a signal asks for the end; resolves to the exit status. */
export async function runDataplaned({ state, log }: DataplanedSettings): Promise<number> {
  const end = endBySignal();

  const loaded = loadAddon();
  if (loaded.addon === undefined) {
    const text = `${loaded.reason}; frames are moved by this thread, and only adapters raw-ip, pcap and capture-file work`;
    logEvent(log, 'addon-absent', text);
  }
  const dataplaned = new Dataplaned({
    addon: loaded,
    prepare: (...request) => prepareDevice(state, ...request),
    hostPaths: existsSync(stateLayout(state).socket)
      ? { set: (paths) => setHostPaths(state, paths), sockets: () => readHostSockets(state) }
      : undefined,
    retain: (devices) =>
      void retainDevices(state, devices).catch((error: unknown) =>
        log.warn(`the supervisor was not told which devices are in use: ${errorText(error)}`),
      ),
    died: (reason) => {
      logEvent(log, 'daemon-failed', `the data plane has died: ${reason}`);
      end.ask(1);
    },
    log,
  });
  await dataplaned.start();
  useSecretBox(new MasterKeyBox(stateLayout(state).masterKey, { create: false }));
  const directory = join(state, 'dataplaned');
  await makeDirectory(directory);
  const socketPath = join(state, 'configd.sock');
  await startIpsec(dataplaned, directory, log);
  const subscriber = new ConfigSubscriber({
    daemon: 'dataplaned',
    types: typesOf('dataplaned'),
    socketPath,
    directory,
    applier: dataplaned,
    log,
  });
  const server = new IpcServer(join(state, 'dataplaned.sock'), handlersOf(dataplaned), log);

  const fields = { addon: loaded.addon === undefined ? 'absent' : loaded.path };
  const status = await serveUntil(end, { name: 'dataplaned', subscriber, server, log, fields });
  if (status === 0) await dataplaned.stop();
  return status;
}

/** Reads which sequence numbers have been used, and which keys ran before. */
async function startIpsec(dataplaned: Dataplaned, directory: string, log: Log): Promise<void> {
  try {
    const store = await SequenceStore.open(join(directory, 'sequence-numbers'));
    const before = await readSnapshot(join(directory, SNAPSHOT_FILE)).catch(() => undefined);
    dataplaned.startIpsec(store, fingerprintsOf(viewOf(before?.objects.values() ?? [])));
  } catch (error) {
    // Without the file nobody knows which numbers have been used.
    const reason = `the record of sequence numbers cannot be used: ${errorText(error)}`;
    logEvent(log, 'sequence-store-failed', reason);
    dataplaned.refuseIpsec(reason);
  }
}
