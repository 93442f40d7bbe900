// Changes of the configuration that iqueryd makes itself: commands to configd, with a line each in the audit log.

import { IpcClient } from '../../ipc/ipc-client.ts';
import { daemonSocket } from '../../supervise/daemon-table.ts';

/** Throws an IpcError, whose message is what configd says of the command. */
export async function runTmsh(state: string, command: string): Promise<void> {
  const client = await IpcClient.connect(daemonSocket(state, 'configd'));
  try {
    for await (const item of client.stream('tmsh', { command, user: 'iqueryd', source: 'iqueryd' })) void item;
  } finally {
    client.close();
  }
}
