// How this machine stands to its group, by iqueryd; without iqueryd, by the configuration.

import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Configuration } from '../../config/configuration.ts';
import { gtmGlobalSettingsGeneral } from '../../config/types/gtm-global-settings.ts';
import type { GtmGlobalSettingsGeneral } from '../../config/types/gtm-global-settings.ts';
import { errorText } from '../../core/errors.ts';
import { IpcClient } from '../../ipc/ipc-client.ts';
import type { ResultOf } from '../../ipc/schema.ts';
import { daemonSocket } from '../../supervise/daemon-table.ts';

type State = ResultOf<'group-state'>;

/** A prompt does not wait for longer. */
const PROMPT_MS = 500;

export async function groupState(configuration: Configuration, state: string, version: string): Promise<State> {
  const isOn = isSynchronised(configuration);
  let client: IpcClient | undefined;
  try {
    client = await IpcClient.connect(daemonSocket(state, 'iqueryd'));
    return await client.request('group-state', {});
  } catch (error) {
    const self = { configsyncIp: 'none', version, hostname: hostname(), failoverState: 'active' };
    const sync: State['sync'] = isOn
      ? {
          ...{ color: 'red', mode: 'high-availability', status: 'Disconnected', summary: 'iqueryd does not answer' },
          details: [errorText(error)],
        }
      : {
          ...{ color: 'green', mode: 'standalone', status: 'Standalone', summary: '' },
          details: ['Optional action: modify gtm global-settings general synchronization yes'],
        };
    return { sync, devices: [{ name: hostname(), isSelf: true, state: sync.status, ...self }] };
  } finally {
    client?.close();
  }
}

/** For a prompt: at once where there is no group. */
export async function syncWord(configuration: Configuration, state: string, version: string): Promise<string> {
  if (!isSynchronised(configuration)) return 'Standalone';
  const late = delay(PROMPT_MS, 'Disconnected', { ref: false });
  return Promise.race([late, groupState(configuration, state, version).then(({ sync }) => sync.status)]);
}

function isSynchronised({ views }: Configuration): boolean {
  return (views.get(gtmGlobalSettingsGeneral.path) as GtmGlobalSettingsGeneral).properties.synchronization;
}
