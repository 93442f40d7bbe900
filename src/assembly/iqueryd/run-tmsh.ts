// Changes of the configuration that iqueryd makes itself: commands to configd, with a line each in the audit log.

import { IpcClient } from '../../ipc/ipc-client.ts';
import { daemonSocket } from '../../supervise/daemon-table.ts';

/** Throws an IpcError, whose message is what configd says of the command. */
export async function runTmsh(state: string, command: string): Promise<string> {
  const client = await IpcClient.connect(daemonSocket(state, 'configd'));
  try {
    let output = '';
    for await (const { text } of client.stream('tmsh', { command, user: 'iqueryd', source: 'iqueryd' })) output += text;
    return output;
  } finally {
    client.close();
  }
}
