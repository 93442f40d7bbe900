// What every form of `wideplane tmsh` needs of configd: commands run, their output streamed, the folder remembered.

import { userInfo } from 'node:os';
import { join } from 'node:path';
import { errorText } from '../core/errors.ts';
import { IpcClient } from '../ipc/ipc-client.ts';
import { IpcError } from '../ipc/ipc-error.ts';
import type { Method, ParamsOf, ResultOf } from '../ipc/schema.ts';

export class TmshClient {
  /** The folder that bare names belong to. */
  folder = '/Common';
  readonly #path: string;
  #client: IpcClient | undefined;

  constructor(state: string) {
    this.#path = join(state, 'configd.sock');
  }

  /** The output of one command, piece by piece; leaving the loop ends the command. Throws an IpcError. */
  async *run(command: string): AsyncGenerator<string, void> {
    const client = await this.#connected();
    const params = { command, folder: this.folder, directory: process.cwd(), user: userName() };
    for await (const { text, folder } of client.stream('tmsh', params)) {
      if (folder !== undefined) this.folder = folder;
      if (text !== '') yield text;
    }
  }

  /** Throws an IpcError. */
  async request<M extends Method>(method: M, params: ParamsOf<M>): Promise<ResultOf<M>> {
    return (await this.#connected()).request(method, params);
  }

  close(): void {
    this.#client?.close();
  }

  /** Between two commands of a prompt, configd may have been restarted. */
  async #connected(): Promise<IpcClient> {
    if (this.#client?.isConnected !== true) this.#client = await IpcClient.connect(this.#path);
    return this.#client;
  }
}

/** What a person reads of a command that failed. */
export function describeFailure(error: unknown): string {
  const hint = error instanceof IpcError && error.code === 'unreachable' ? '\n  Start it with: wideplane up' : '';
  return `${errorText(error)}${hint}\n`;
}

export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
