// `wideplane health`: what monitors find, and why. Each returns the exit code.

import { resolve } from 'node:path';
import { errorText } from '../core/errors.ts';
import { IpcClient } from '../ipc/ipc-client.ts';
import { daemonSocket } from '../supervise/daemon-table.ts';

export async function explainHealth(state: string, name: string, kind: string | undefined): Promise<number> {
  return withHealthd(state, 'explain', async (client) => {
    const { lines } = await client.request('explain-health', { name, kind });
    process.stdout.write(`${lines.join('\n')}\n`);
  });
}

export async function listWatches(state: string, isDown: boolean): Promise<number> {
  return withHealthd(state, 'list', async (client) => {
    let cursor: number | undefined = 0;
    while (cursor !== undefined) {
      const page: { lines: string[]; next?: number | undefined } = await client.request('list-watches', {
        isDown,
        cursor,
      });
      if (page.lines.length > 0) process.stdout.write(`${page.lines.join('\n')}\n`);
      cursor = page.next;
    }
  });
}

export async function resumeHealth(state: string, name: string, kind: string | undefined): Promise<number> {
  return withHealthd(state, 'resume', async (client) => {
    const { resumed } = await client.request('resume-health', { name, kind });
    process.stdout.write(`${resumed} ${resumed === 1 ? 'monitor instance' : 'monitor instances'} resumed\n`);
  });
}

async function withHealthd(state: string, command: string, use: (client: IpcClient) => Promise<void>): Promise<number> {
  let client: IpcClient | undefined;
  try {
    client = await IpcClient.connect(daemonSocket(resolve(state), 'healthd'));
    await use(client);
    return 0;
  } catch (error) {
    process.stderr.write(`wideplane health ${command}: ${errorText(error)}\n`);
    return 1;
  } finally {
    client?.close();
  }
}
