// `wideplane dns explain` and `wideplane dns log`: what listeners answer, and why.

import { resolve } from 'node:path';
import { errorText } from '../core/errors.ts';
import { IpcClient } from '../ipc/ipc-client.ts';
import type { ParamsOf } from '../ipc/schema.ts';
import { daemonSocket } from '../supervise/daemon-table.ts';

/** Returns the exit code. */
export async function explainDns(state: string, question: ParamsOf<'dns-explain'>): Promise<number> {
  return withDnsd(state, 'explain', async (client) => {
    const { lines } = await client.request('dns-explain', question);
    process.stdout.write(`${lines.join('\n')}\n`);
  });
}

/** Runs until the count is reached, a signal comes or the reader of the output goes; returns the exit code. */
export async function logDns(state: string, count: number): Promise<number> {
  return withDnsd(state, 'log', async (client) => {
    const stopping = new AbortController();
    const stop = (): void => {
      stopping.abort();
      client.close();
    };
    process.stdout.on('error', stop);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, stop);
    let [written, lost] = [0, 0];
    try {
      let isFirst = true;
      for await (const item of client.stream('dns-log', {})) {
        if (isFirst) say('log', 'listening');
        isFirst = false;
        const lines = item.lines.slice(0, count - written);
        if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
        written += lines.length;
        lost = item.lost;
        if (written >= count) break;
      }
    } catch (error) {
      if (!stopping.signal.aborted) throw error;
    }
    say('log', `${written} queries, ${lost} not noted because they came too fast`);
  });
}

/** Connects, and says what fails; resolves to the exit code. */
export async function withDnsd(
  state: string,
  command: string,
  use: (client: IpcClient) => Promise<void>,
): Promise<number> {
  let client: IpcClient | undefined;
  try {
    client = await IpcClient.connect(daemonSocket(resolve(state), 'dnsd'));
    await use(client);
    return 0;
  } catch (error) {
    say(command, errorText(error));
    return 1;
  } finally {
    client?.close();
  }
}

export function say(command: string, text: string): void {
  process.stderr.write(`wideplane dns ${command}: ${text}\n`);
}
