// Files of zones as dnsd has them, asked and replaced over its socket.

import { setTimeout as delay } from 'node:timers/promises';
import { IpcClient } from '../../ipc/ipc-client.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import type { ParamsOf, ResultOf } from '../../ipc/schema.ts';
import type { ZoneFileState } from '../../ipc/sync-schema.ts';
import { sendText } from './group-store.ts';

export type ZoneWish = ParamsOf<'apply-zone-file'>;

export interface ZoneStore {
  /** What there is, and again when it has changed; what this returns ends it. */
  follow(changed: (zones: readonly ZoneFileState[]) => void): () => void;
  /** Throws an IpcError. */
  text(name: string, digest: string): Promise<Uint8Array>;
  /** Throws an IpcError. */
  apply(octets: Uint8Array, wish: ZoneWish): Promise<ResultOf<'apply-zone-file'>>;
}

const RETRY_MS = 1000;

export class DnsdZoneStore implements ZoneStore {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  follow(changed: (zones: readonly ZoneFileState[]) => void): () => void {
    const stop = new AbortController();
    void this.#run(changed, stop.signal);
    return () => stop.abort();
  }

  async text(name: string, digest: string): Promise<Uint8Array> {
    return this.#with(async (client) => {
      const pieces: Buffer[] = [];
      for await (const { text } of client.stream('zone-file-text', { name, digest })) {
        pieces.push(Buffer.from(text, 'latin1'));
      }
      return Buffer.concat(pieces);
    });
  }

  async apply(octets: Uint8Array, wish: ZoneWish): Promise<ResultOf<'apply-zone-file'>> {
    return this.#with(async (client) => {
      await sendText(client, Buffer.from(octets).toString('latin1'));
      return client.request('apply-zone-file', wish);
    });
  }

  async #run(changed: (zones: readonly ZoneFileState[]) => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#with(async (client) => {
          const close = (): void => client.close();
          signal.addEventListener('abort', close);
          try {
            for await (const { zones } of client.stream('zone-files', {})) {
              if (signal.aborted) return;
              changed(zones);
            }
          } finally {
            signal.removeEventListener('abort', close);
          }
        });
      } catch (error) {
        if (!(error instanceof IpcError)) throw error;
      }
      await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
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
