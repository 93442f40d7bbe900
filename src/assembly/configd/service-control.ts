// Asks the supervisor to start, stop or restart a daemon.

import type { DaemonName } from '../../ipc/daemon-name.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import { askSupervisor } from '../../supervise/device-client.ts';
import type { ServiceAction, ServiceOutcome } from '../../tmsh/backend.ts';

/** Throws an IpcError. */
export async function controlService(state: string, name: DaemonName, action: ServiceAction): Promise<ServiceOutcome> {
  const outcome = await askSupervisor(state, 'control-daemon', { daemon: name, action });
  if (outcome !== undefined) return outcome;
  throw new IpcError(
    'failed',
    `No supervisor runs, so nothing can ${action} ${name}. Start wideplane with: wideplane up`,
  );
}
