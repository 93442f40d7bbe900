// What every form of `wideplane tmsh` needs of configd: commands run, their output streamed, the folder remembered.

import { userInfo } from 'node:os';
import { join } from 'node:path';
import { errorText } from '../core/errors.ts';
import { IpcClient } from '../ipc/ipc-client.ts';
import { IpcError } from '../ipc/ipc-error.ts';
import type { Method, ParamsOf, ResultOf } from '../ipc/schema.ts';
import type { LocalCommandHost } from './local-host.ts';

/** As on a BIG-IP. */
export const TYPING_HINT = 'Enter configuration. Press CTRL-D to submit or CTRL-C to cancel.\n';

export class TmshClient {
  /** The folder that bare names belong to. */
  folder = '/Common';
  /** Whether changes wait in a transaction; it goes with the connection. */
  isBatch = false;
  readonly #path: string;
  /** Where the commands come from, for the audit log. */
  readonly #source: ParamsOf<'tmsh'>['source'];
  #client: IpcClient | undefined;

  constructor(state: string, source: ParamsOf<'tmsh'>['source']) {
    this.#path = join(state, 'configd.sock');
    this.#source = source;
  }

  /**
   * The output of one command, piece by piece; leaving the loop ends the command. `input` is text that the command reads.
   * Throws an IpcError.
   */
  async *run(command: string, input?: string, base?: string): AsyncGenerator<string, void> {
    const client = await this.#connected();
    const params = { command, folder: this.folder, directory: process.cwd(), user: userName(), source: this.#source };
    const stream = client.stream('tmsh', {
      ...params,
      ...(input === undefined ? {} : { input }),
      ...(base === undefined ? {} : { base }),
    });
    for await (const { text, folder, isBatch } of stream) {
      if (folder !== undefined) this.folder = folder;
      if (isBatch !== undefined) this.isBatch = isBatch;
      if (text !== '') yield text;
    }
  }

  /** Throws an IpcError. */
  async request<M extends Method>(method: M, params: ParamsOf<M>): Promise<ResultOf<M>> {
    return (await this.#connected()).request(method, params);
  }

  /** For commands that are run here. */
  localHost(readText: LocalCommandHost['readText'], ask?: LocalCommandHost['ask']): LocalCommandHost {
    return {
      send: async (command, input, base) => {
        let output = '';
        for await (const text of this.run(command, input, base)) output += text;
        return output;
      },
      print: (text) => process.stdout.write(text),
      complain: (text) => process.stderr.write(text),
      readText,
      ...(ask === undefined ? {} : { ask }),
    };
  }

  close(): void {
    this.#client?.close();
  }

  /** Between two commands of a prompt, configd may have been restarted. */
  async #connected(): Promise<IpcClient> {
    if (this.#client?.isConnected !== true) {
      this.isBatch = false;
      this.#client = await IpcClient.connect(this.#path);
    }
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
