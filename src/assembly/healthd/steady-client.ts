// A connection to another daemon that is made when it is needed, and made again when it was lost.

import { IpcClient } from '../../ipc/ipc-client.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import type { Method, ParamsOf, ResultOf } from '../../ipc/schema.ts';

export class SteadyClient {
  readonly #path: string;
  #client: Promise<IpcClient> | undefined;
  #isClosed = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Throws an IpcError. */
  async request<M extends Method>(method: M, params: ParamsOf<M>): Promise<ResultOf<M>> {
    const client = await this.#connected();
    return client.request(method, params);
  }

  close(): void {
    this.#isClosed = true;
    void this.#client?.then(
      (client) => client.close(),
      () => undefined,
    );
  }

  async #connected(): Promise<IpcClient> {
    if (this.#isClosed) throw new IpcError('disconnected', 'the connection was closed');
    const known = this.#client;
    if (known !== undefined) {
      const client = await known.catch(() => undefined);
      if (client?.isConnected === true) return client;
      if (this.#client === known) this.#client = undefined;
    }
    this.#client ??= IpcClient.connect(this.#path);
    return this.#client;
  }
}
