// Serves tmsh commands: one change at a time, each with its line in the audit log.

import { isAbsolute, join } from 'node:path';
import type { Configuration } from '../../config/configuration.ts';
import type { Committed } from '../../config/transaction.ts';
import { ConfigErrors } from '../../config/transaction.ts';
import { ConfigError, errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { IpcClient } from '../../ipc/ipc-client.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import type { ItemOf, ParamsOf, ShowReply } from '../../ipc/schema.ts';
import { StoreError, readFileIfThere } from '../../store/atomic-file.ts';
import type { TmshBackend } from '../../tmsh/backend.ts';
import { describeCommandError } from '../../tmsh/command-error.ts';
import { isChange, newSession, runCommand } from '../../tmsh/command.ts';
import type { ConfigOwner } from './config-owner.ts';
import type { Publisher } from './publisher.ts';

export type TmshServiceOptions = {
  readonly owner: ConfigOwner;
  readonly publisher: Publisher;
  /** Socket of the daemon that has the statistics. */
  readonly dataplaneSocket: string;
  readonly log: Log;
};

/** Characters of output in one message. */
const PIECE_CHARACTERS = 128 * 1024;

export class TmshService {
  readonly #options: TmshServiceOptions;
  /** The end of the command that changes something before the next one may. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: TmshServiceOptions) {
    this.#options = options;
  }

  /** Runs one command; throws an IpcError whose message is for the person who typed it. */
  async *run(params: ParamsOf<'tmsh'>): AsyncGenerator<ItemOf<'tmsh'>, void> {
    const { command, directory } = params;
    const session = newSession(params.folder);
    const { folder } = session;
    const isAudited = isChange(command);
    const release = isAudited ? await this.#takeTurn() : () => undefined;
    const user = params.user ?? 'unknown';
    try {
      for await (const output of runCommand(command, this.#backend(directory), session)) {
        for (let at = 0; at < output.length; at += PIECE_CHARACTERS) {
          yield { text: output.slice(at, at + PIECE_CHARACTERS) };
        }
      }
      if (session.folder !== folder) yield { text: '', folder: session.folder };
      if (isAudited) this.#audit(user, folder, command, 'Command OK');
    } catch (error) {
      const text = describeCommandError(error, command);
      if (isAudited) this.#audit(user, folder, command, text.split('\n')[0] ?? '');
      if (error instanceof StoreError) {
        logEvent(this.#options.log, 'config-save-failed', error.message, { path: error.path, errno: error.code });
      } else if (!(error instanceof ConfigError || error instanceof ConfigErrors || error instanceof IpcError)) {
        if (!errorText(error).startsWith('Syntax Error')) throw error;
      }
      throw new IpcError('failed', text);
    } finally {
      release();
    }
  }

  async #takeTurn(): Promise<() => void> {
    const before = this.#turn;
    let release: () => void = () => undefined;
    this.#turn = new Promise<void>((resolve) => (release = resolve));
    await before;
    return release;
  }

  #audit(user: string, folder: string, command: string, status: string): void {
    const line = command.replace(/\s+/g, ' ').trim();
    logEvent(
      this.#options.log,
      'config-audit',
      `AUDIT - user=${user} folder=${folder} module=(tmos)# status=[${status}] cmd_data=${line}`,
      { generation: this.#options.owner.generation.number },
    );
  }

  #backend(directory: string | undefined): TmshBackend {
    const { owner, publisher, dataplaneSocket } = this.#options;
    const place = (file: string) => (isAbsolute(file) || directory === undefined ? file : join(directory, file));
    return {
      get configuration(): Configuration {
        return owner.configuration;
      },
      version: owner.version,
      commit: (committed: Committed) => owner.commit(committed),
      save: (file) => owner.save(file === undefined ? undefined : place(file)),
      read: async (file) => {
        const path = file === undefined ? owner.file : place(file);
        const text = await readFileIfThere(path);
        if (text === undefined) throw new StoreError(path, 'open', 'ENOENT', `there is no file ${path}`);
        return { path, text };
      },
      noteLoaded: (text) => owner.noteLoaded(text),
      show: (type, names, cursor): Promise<ShowReply> =>
        withClient(dataplaneSocket, (client) =>
          client.request('show', {
            type,
            ...(names === undefined ? {} : { names: [...names] }),
            ...(cursor === undefined ? {} : { cursor }),
          }),
        ),
      resetStats: async (type, names) => {
        const params = { type, ...(names === undefined ? {} : { names: [...names] }) };
        const { objects } = await withClient(dataplaneSocket, (client) => client.request('reset-stats', params));
        return objects;
      },
      status: () => publisher.status(),
    };
  }
}

async function withClient<T>(socket: string, ask: (client: IpcClient) => Promise<T>): Promise<T> {
  const client = await IpcClient.connect(socket);
  try {
    return await ask(client);
  } finally {
    client.close();
  }
}
