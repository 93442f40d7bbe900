// Gives back the devices that a killed `wideplane up` had taken over: run by its guardian, by systemd, or by hand.

import { existsSync } from 'node:fs';
import type { Log } from '../core/log.ts';
import { currentPlace, DeviceJournal } from './device-journal.ts';
import { DeviceKeeper } from './device-keeper.ts';
import { stateLayout } from './state-directory.ts';
import { lockState } from './state-lock.ts';

/**
 * Resolves to whether everything is as it was. `lockHeld`: the guardian has the lock of its `up` already. Rejects when an
 * `up` is running on that state directory.
 */
export async function restoreDevices(state: string, lockHeld: boolean, log: Log): Promise<boolean> {
  const layout = stateLayout(state);
  if (!existsSync(layout.deviceJournal)) return true;
  const lock = lockHeld ? undefined : await lockState(layout.lock, state);
  try {
    const journal = new DeviceJournal(layout.deviceJournal, currentPlace());
    const unusable = journal.load();
    if (unusable !== undefined) {
      log.error(unusable);
      return false;
    }
    return await new DeviceKeeper({ journal, force: false, log }).restoreAll();
  } finally {
    lock?.release();
  }
}
