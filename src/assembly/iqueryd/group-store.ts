// The configuration of a group as configd has it, asked and replaced over its socket.

import { setTimeout as delay } from 'node:timers/promises';
import { IpcClient } from '../../ipc/ipc-client.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import type { ParamsOf, ResultOf } from '../../ipc/schema.ts';
import { GROUP_PIECE_CHARACTERS, type GroupState } from '../../ipc/sync-schema.ts';

export type GroupWish = ParamsOf<'apply-group-configuration'>;
export type GroupApplied = ResultOf<'apply-group-configuration'>;

export interface GroupStore {
  /** What runs, and each change of it; what this returns ends it. */
  follow(changed: (state: GroupState) => void): () => void;
  /** Throws an IpcError. */
  text(digest: string): Promise<string>;
  /** Throws an IpcError. */
  apply(text: string, wish: GroupWish): Promise<GroupApplied>;
}

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1000;

export class ConfigdGroupStore implements GroupStore {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  follow(changed: (state: GroupState) => void): () => void {
    const stop = new AbortController();
    void this.#run(changed, stop.signal);
    return () => stop.abort();
  }

  async text(digest: string): Promise<string> {
    return this.#with(async (client) => {
      const pieces: string[] = [];
      for await (const { text } of client.stream('group-text', { digest })) pieces.push(text);
      return pieces.join('');
    });
  }

  async apply(text: string, wish: GroupWish): Promise<GroupApplied> {
    return this.#with(async (client) => {
      await sendText(client, text);
      return client.request('apply-group-configuration', wish);
    });
  }

  #isStopped(signal: AbortSignal): boolean {
    return signal.aborted;
  }

  async #run(changed: (state: GroupState) => void, signal: AbortSignal): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    while (!signal.aborted) {
      try {
        const client = await IpcClient.connect(this.#socketPath);
        const close = (): void => client.close();
        signal.addEventListener('abort', close);
        try {
          for await (const state of client.stream('group-configuration', {})) {
            if (this.#isStopped(signal)) return;
            retryMs = FIRST_RETRY_MS;
            changed(state);
          }
        } finally {
          signal.removeEventListener('abort', close);
          client.close();
        }
      } catch (error) {
        if (!(error instanceof IpcError)) throw error;
      }
      await delay(retryMs, undefined, { signal }).catch(() => undefined);
      retryMs = Math.min(LAST_RETRY_MS, retryMs * 2);
    }
  }

  async #with<T>(ask: (client: IpcClient) => Promise<T>): Promise<T> {
    const client = await IpcClient.connect(this.#socketPath);
    try {
      return await ask(client);
    } finally {
      client.close();
    }
  }
}

/** Sends what the next method on the connection is about. */
export async function sendText(client: IpcClient, text: string): Promise<void> {
  let part = 0;
  do {
    const piece = text.slice(part * GROUP_PIECE_CHARACTERS, (part + 1) * GROUP_PIECE_CHARACTERS);
    await client.request('group-text-piece', { part, text: piece });
    part += 1;
  } while (part * GROUP_PIECE_CHARACTERS < text.length);
}
