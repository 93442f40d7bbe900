// configd put together: the owner of the configuration, its publisher, and tmsh, behind one socket.

import { join } from 'node:path';
import { useSecretBox } from '../../config/secret-box.ts';
import { ConfigErrors } from '../../config/transaction.ts';
import { ConfigError, ConfigSyntaxError, describeConfigError, errorText, formatPosition } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { IpcServer } from '../../ipc/ipc-server.ts';
import type { Loaded } from '../../config/load-text.ts';
import type { ParamsOf, ResultOf } from '../../ipc/schema.ts';
import { makeDirectory } from '../../store/atomic-file.ts';
import { MasterKeyBox } from '../../store/master-key.ts';
import { stateLayout } from '../../supervise/state-directory.ts';
import { complete } from '../../tmsh/complete.ts';
import { EditWatch } from '../../tmsh/edit-conflict.ts';
import { ConfigOwner } from './config-owner.ts';
import { GroupService } from './group-service.ts';
import { syncWord } from './group-state.ts';
import { Publisher } from './publisher.ts';
import { TmshService } from './tmsh-service.ts';
import { Turn } from './turn.ts';

export type ConfigdOptions = {
  /** State directory: the socket is `configd.sock` in it, own files are under `configd`. */
  readonly state: string;
  /** The configuration file; absent: `configd/wideplane.conf` in the state directory, which may not exist yet. */
  readonly config?: string;
  readonly version: string;
  readonly log: Log;
};

/** The configuration that configd was started with cannot be used; what is wrong has been logged. */
export class ConfigurationRefused extends Error {
  override readonly name = 'ConfigurationRefused';
}

export class Configd {
  readonly #options: ConfigdOptions;
  readonly #owner: ConfigOwner;
  readonly #group: GroupService;
  readonly #server: IpcServer;
  readonly #directory: string;

  constructor(options: ConfigdOptions) {
    const { state, config, version, log } = options;
    this.#options = options;
    this.#directory = join(state, 'configd');
    this.#owner = new ConfigOwner({
      file: config ?? join(this.#directory, 'wideplane.conf'),
      mustExist: config !== undefined,
      directory: this.#directory,
      version,
      log,
    });
    const publisher = new Publisher(this.#owner, log);
    const owner = this.#owner;
    const [turn, edits] = [new Turn(), new EditWatch()];
    const tmsh = new TmshService({ owner, publisher, turn, edits, state, log });
    this.#group = new GroupService({ owner, turn, edits, directory: join(this.#directory, 'group'), log });
    this.#server = new IpcServer(
      join(state, 'configd.sock'),
      {
        ...this.#group.handlers,
        tmsh: (params, { connection }) => tmsh.run(params, connection),
        complete: (params) => this.#complete(params),
        'device-state': async () => ({
          sync: await syncWord(owner.configuration, state, version),
          failover: publisher.hasSubscriber ? 'Active' : 'INOPERATIVE',
        }),
        subscribe: (params, { signal }) => publisher.subscribe(params, signal),
        acknowledge: (params) => {
          publisher.acknowledge(params);
          return null;
        },
      },
      log,
    );
  }

  /** Loads, then listens. Throws ConfigurationRefused, or a StoreError or IpcError. */
  async start(): Promise<void> {
    const { log } = this.#options;
    await makeDirectory(this.#directory);
    try {
      const secrets = new MasterKeyBox(stateLayout(this.#options.state).masterKey, { create: true });
      secrets.load();
      useSecretBox(secrets);
      this.#report(await this.#owner.load());
    } catch (error) {
      for (const line of reasons(error)) logEvent(log, 'config-refused', line);
      throw new ConfigurationRefused(`${this.#owner.file} was refused`, { cause: error });
    }
    await this.#server.listen();
    logEvent(log, 'daemon-started', `configd serves ${this.#server.path}`, { config: this.#owner.file });
  }

  /** With `isRestart` the next configd goes on with what runs; otherwise what was not saved is gone. */
  async stop(isRestart = false): Promise<void> {
    logEvent(this.#options.log, 'daemon-stopping', 'configd stops');
    this.#group.stop();
    await this.#server.close();
    await this.#owner.close(isRestart);
  }

  #complete({ text, folder, module }: ParamsOf<'complete'>): ResultOf<'complete'> {
    return complete(text, {
      configuration: this.#owner.configuration,
      ...(folder === undefined ? {} : { folder }),
      ...(module === undefined ? {} : { module }),
    });
  }

  #report({ warnings, unknown }: Loaded): void {
    const { log } = this.#options;
    for (const { text, position } of unknown) {
      logEvent(log, 'config-kept-unknown', `${formatPosition(position)}: ${text}; it is kept, without effect`);
    }
    for (const { text, hint, position } of warnings) {
      const place = position === undefined ? '' : `${formatPosition(position)}: `;
      logEvent(log, 'config-warning', `${place}${text}${hint === undefined ? '' : ` ${hint}`}`);
    }
  }
}

/** Every reason of a refusal as a line of its own, hints included. */
function reasons(error: unknown): string[] {
  const all = error instanceof ConfigErrors ? error.errors : [error];
  return all.map((each) =>
    each instanceof ConfigError || each instanceof ConfigSyntaxError
      ? describeConfigError(each).replace(/\n\s*/g, ' ')
      : errorText(each),
  );
}
