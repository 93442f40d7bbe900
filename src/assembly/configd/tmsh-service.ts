// Serves tmsh commands: one change at a time, each with its line in the audit log.

import { isAbsolute, join } from 'node:path';
import type { Configuration } from '../../config/configuration.ts';
import { runsType } from '../../config/object-types.ts';
import type { Committed } from '../../config/transaction.ts';
import { ConfigErrors } from '../../config/transaction.ts';
import { ConfigError, ConfigSyntaxError } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { IpcClient } from '../../ipc/ipc-client.ts';
import { EDIT_CONFLICT, IpcError } from '../../ipc/ipc-error.ts';
import type { ItemOf, ParamsOf, ShowReply } from '../../ipc/schema.ts';
import { StoreError, readFileIfThere } from '../../store/atomic-file.ts';
import type { TmshBackend } from '../../tmsh/backend.ts';
import { placeInBatch, placeOf } from '../../tmsh/batch.ts';
import type { BatchCommand } from '../../tmsh/batch.ts';
import { describeCommandError } from '../../tmsh/command-error.ts';
import { isChange, newSession, runCommand } from '../../tmsh/command.ts';
import { EditConflict, type EditWatch } from '../../tmsh/edit-conflict.ts';
import type { Session } from '../../tmsh/verb.ts';
import { daemonSocket } from '../../supervise/daemon-table.ts';
import { auditText, logAudit, plainUser } from './audit.ts';
import type { ConfigOwner } from './config-owner.ts';
import { groupState } from './group-state.ts';
import { historyReply } from './history-reply.ts';
import type { Publisher } from './publisher.ts';
import type { Turn } from './turn.ts';
import { controlService } from './service-control.ts';
import { showSystem } from './system-pages.ts';

export type TmshServiceOptions = {
  readonly owner: ConfigOwner;
  readonly publisher: Publisher;
  readonly turn: Turn;
  readonly edits: EditWatch;
  /** State directory. */
  readonly state: string;
  readonly log: Log;
};

/** Characters of output in one message. */
const PIECE_CHARACTERS = 128 * 1024;

/** Results in the audit log. */
const OK = 'Command OK';
const NOT_MADE = 'Not made: the transaction was refused';

export class TmshService {
  readonly #options: TmshServiceOptions;
  readonly #sessions = new WeakMap<object, Session>();

  constructor(options: TmshServiceOptions) {
    this.#options = options;
  }

  /**
   * Runs one command; throws an IpcError whose message is for the person who typed it. What lasts longer than a command (an
   * open transaction) lasts as long as `connection`.
   */
  async *run(params: ParamsOf<'tmsh'>, connection: object): AsyncGenerator<ItemOf<'tmsh'>, void> {
    const session = this.#sessions.get(connection) ?? newSession();
    this.#sessions.set(connection, session);
    session.folder = params.folder ?? session.folder;
    const { folder, batch } = session;
    const changes = isChange(params.command);
    const output = changes ? await this.#change(params, session) : this.#read(params, session);
    // Who is told that it is done may rely on it, whatever becomes of configd from then on.
    if (changes) await this.#options.owner.kept();
    for await (const text of output) {
      for (let at = 0; at < text.length; at += PIECE_CHARACTERS) {
        yield { text: text.slice(at, at + PIECE_CHARACTERS) };
      }
    }
    const isBatch = session.batch !== undefined;
    if (session.folder !== folder || isBatch !== (batch !== undefined)) {
      yield { text: '', folder: session.folder, isBatch };
    }
  }

  /** Runs a command that changes nothing. */
  async *#read(params: ParamsOf<'tmsh'>, session: Session): AsyncGenerator<string, void> {
    const { folder, batch } = session;
    const place = batch && placeInBatch(batch);
    try {
      yield* runCommand(params.command, this.#backend(params), session, params.input);
    } catch (error) {
      // Who mistypes the verb of a change is as interesting as who is refused it.
      const text = describeCommandError(error, params.command, place);
      if (error instanceof ConfigSyntaxError) this.#audit(params, folder, text);
      throw this.#refusal(error, text);
    }
  }

  /**
   * Runs a command that changes something, to its end, whatever becomes of the one who sent it: its output is handed out
   * afterwards, so that a terminal that takes none keeps nobody from their turn.
   */
  async #change(params: ParamsOf<'tmsh'>, session: Session): Promise<string[]> {
    const release = await this.#options.turn.take();
    const { folder, batch } = session;
    const place = batch && placeInBatch(batch);
    const waiting = batch?.last;
    try {
      const output: string[] = [];
      const running = runCommand(params.command, this.#backend(params), session, params.input, params.base);
      for await (const text of running) output.push(text);
      const isQueued = batch !== undefined && batch === session.batch && batch.last !== waiting;
      this.#audit(params, folder, isQueued ? `Waits as ${placeOf({ number: batch.last })}` : OK);
      return output;
    } catch (error) {
      const text = describeCommandError(error, params.command, place);
      this.#audit(params, folder, text);
      throw this.#refusal(error, text);
    } finally {
      release();
    }
  }

  /** What the person who typed the command gets to see; an error that nobody expected stays what it is. */
  #refusal(error: unknown, text: string): unknown {
    if (error instanceof StoreError) {
      logEvent(this.#options.log, 'config-save-failed', error.message, { path: error.path, errno: error.code });
    } else if (
      !(error instanceof ConfigError || error instanceof ConfigErrors || error instanceof ConfigSyntaxError) &&
      !(error instanceof IpcError)
    ) {
      return error;
    }
    return new IpcError('failed', text, error instanceof EditConflict ? EDIT_CONFLICT : undefined);
  }

  /** One line for each command of a transaction that was submitted: what it has come to. */
  #auditBatch(params: ParamsOf<'tmsh'>, commands: readonly BatchCommand[], refusal?: ConfigErrors): void {
    const reasons = new Map<string | undefined, string>();
    for (const error of refusal?.errors ?? []) {
      const place = error.details.position?.file;
      if (!reasons.has(place)) reasons.set(place, error.message);
    }
    for (const command of commands) {
      const result = refusal === undefined ? OK : (reasons.get(placeOf(command)) ?? NOT_MADE);
      this.#audit({ ...params, command: command.text, input: undefined }, command.folder, result);
    }
  }

  #audit({ command, input, user, source }: ParamsOf<'tmsh'>, folder: string, result: string): void {
    const { log, owner } = this.#options;
    const typed = input === undefined ? command : `${command}\n${input}`;
    logAudit(log, { user: plainUser(user), folder, command: typed, result }, source, owner.generation.number);
  }

  #backend(params: ParamsOf<'tmsh'>): TmshBackend {
    const { command, directory, user } = params;
    const { owner, publisher, edits, state } = this.#options;
    const dataplaneSocket = daemonSocket(state, 'dataplaned');
    const place = (file: string) => (isAbsolute(file) || directory === undefined ? file : join(directory, file));
    return {
      get configuration(): Configuration {
        return owner.configuration;
      },
      version: owner.version,
      edits,
      commit: (committed: Committed) => {
        const before = owner.configuration;
        owner.commit(committed, plainUser(user));
        edits.note(before, owner.configuration, () => ({
          user: plainUser(user),
          command: auditText(command, '').command,
          at: new Date(),
        }));
      },
      noteSubmitted: (commands, refusal) => this.#auditBatch(params, commands, refusal),
      save: (file) => owner.save(file === undefined ? undefined : place(file), user),
      read: async (file) => {
        const path = file === undefined ? owner.file : place(file);
        const text = await readFileIfThere(path);
        if (text === undefined) {
          throw new ConfigError('notFound', `The requested file (${path}) was not found.`, {
            hint: 'Give its path from / on, or from the directory that tmsh was started in.',
          });
        }
        return { path, text };
      },
      noteLoaded: (text) => owner.noteLoaded(text),
      history: () => historyReply(owner.history),
      readVersion: (number) => owner.readVersion(number),
      show: (type, names, cursor): Promise<ShowReply> =>
        withClient(daemonSocket(state, runsType(type)), (client) =>
          client.request('show', {
            type,
            ...(names === undefined ? {} : { names: [...names] }),
            ...(cursor === undefined ? {} : { cursor }),
          }),
        ),
      resetStats: async (type, names) => {
        const params = { type, ...(names === undefined ? {} : { names: [...names] }) };
        const { objects } = await withClient(daemonSocket(state, runsType(type)), (client) =>
          client.request('reset-stats', params),
        );
        return objects;
      },
      reloadZones: (names) =>
        withClient(daemonSocket(state, 'dnsd'), (client) =>
          client.request('reload-zones', names === undefined ? {} : { names: [...names] }),
        ),
      associations: (filter, cursor) =>
        withClient(dataplaneSocket, (client) =>
          client.request('associations', { filter, ...(cursor === undefined ? {} : { cursor }) }),
        ),
      deleteAssociations: async (filter) => {
        const { associations } = await withClient(dataplaneSocket, (client) =>
          client.request('delete-associations', { filter }),
        );
        return associations;
      },
      forgetClients: async () => {
        const { clients } = await withClient(daemonSocket(state, 'dnsd'), (client) =>
          client.request('forget-persist', {}),
        );
        return clients;
      },
      groupState: () => groupState(owner.configuration, state, owner.version),
      configSync: (direction, group) =>
        withClient(daemonSocket(state, 'iqueryd'), (client) =>
          client.request('config-sync', { direction, group, user: plainUser(user) }),
        ),
      ipsecTotals: async () => {
        const { totals } = await withClient(dataplaneSocket, (client) => client.request('ipsec-totals', {}));
        return totals;
      },
      status: async (patienceMs) => {
        if (patienceMs !== undefined) await publisher.settled(patienceMs);
        return publisher.status();
      },
      system: (topic) => showSystem(topic, state, owner.version),
      controlService: (name, action) => controlService(state, name, action),
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
