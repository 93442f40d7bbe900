// The asking end of a Unix socket.

import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { basename } from 'node:path';
import { errorText } from '../core/errors.ts';
import { MessageDecoder, encodeMessage } from './framing.ts';
import { IpcError } from './ipc-error.ts';
import type { IpcErrorCode } from './ipc-error.ts';
import { METHODS, SCHEMA_VERSION, describeIssues } from './schema.ts';
import type { ItemOf, Message, Method, ParamsOf, ResultOf } from './schema.ts';

const MAX_PENDING = 64;
/** Items that a reader may leave lying before the socket is no longer read. */
const MAX_UNREAD_ITEMS = 16;

type Pending = { item(item: unknown): void; end(result: unknown): void; fail(error: IpcError): void };

export class IpcClient {
  readonly #socket: Socket;
  /** `configd` of `/run/configd.sock`, for messages. */
  readonly #peer: string;
  readonly #pending = new Map<number, Pending>();
  #nextId = 0;
  #unread = 0;
  #lost: IpcError | undefined;

  private constructor(socket: Socket, path: string) {
    this.#socket = socket;
    this.#peer = basename(path, '.sock');
    const decoder = new MessageDecoder();
    socket.on('data', (piece: Buffer) => {
      try {
        for (const message of decoder.push(piece)) this.#take(message);
      } catch (error) {
        this.#lose(`${this.#peer} at ${path} sent what is no message: ${errorText(error)}`);
      }
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.#lose(`${this.#peer} at ${path} closed the connection`));
  }

  /** Throws an IpcError of code unreachable. */
  static async connect(path: string): Promise<IpcClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      const fail = (error: NodeJS.ErrnoException) => {
        const why = error.code === 'ENOENT' || error.code === 'ECONNREFUSED' ? 'it is not running' : error.message;
        reject(new IpcError('unreachable', `cannot reach ${basename(path, '.sock')} at ${path}: ${why}`));
      };
      socket.once('error', fail);
      socket.once('connect', () => {
        socket.off('error', fail);
        resolve(new IpcClient(socket, path));
      });
    });
  }

  get isConnected(): boolean {
    return this.#lost === undefined;
  }

  /** One request, one result. Throws an IpcError. */
  async request<M extends Method>(method: M, params: ParamsOf<M>): Promise<ResultOf<M>> {
    const result = await new Promise<unknown>((resolve, reject) => {
      this.#call(method, params, {
        item: () => reject(new IpcError('refused', `${this.#peer} answered ${method} with a stream`)),
        end: resolve,
        fail: reject,
      });
    });
    const schema = METHODS[method];
    return ('result' in schema ? checked(schema.result.safeParse(result), method, this.#peer) : result) as ResultOf<M>;
  }

  /** One request, a stream of items; leaving the loop cancels it. Throws an IpcError. */
  async *stream<M extends Method>(method: M, params: ParamsOf<M>): AsyncGenerator<ItemOf<M>, void> {
    const schema = METHODS[method];
    const queue: unknown[] = [];
    const state: { ended: boolean; failure?: IpcError } = { ended: false };
    let wake: () => void = () => undefined;
    const id = this.#call(method, params, {
      item: (item) => {
        queue.push(item);
        this.#countUnread(1);
        wake();
      },
      end: () => {
        state.ended = true;
        wake();
      },
      fail: (error) => {
        state.failure = error;
        wake();
      },
    });
    try {
      for (;;) {
        while (queue.length > 0) {
          const item = queue.shift();
          this.#countUnread(-1);
          yield ('item' in schema ? checked(schema.item.safeParse(item), method, this.#peer) : item) as ItemOf<M>;
        }
        if (state.failure !== undefined) throw state.failure;
        if (state.ended) return;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#countUnread(-queue.length);
      if (id !== undefined && this.#pending.delete(id)) this.#write({ v: SCHEMA_VERSION, kind: 'cancel', id });
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  /** The id of the request, or undefined when it has failed already. */
  #call(method: Method, params: unknown, pending: Pending): number | undefined {
    if (this.#lost !== undefined) {
      pending.fail(this.#lost);
      return undefined;
    }
    if (this.#pending.size >= MAX_PENDING) {
      pending.fail(new IpcError('busy', `more than ${MAX_PENDING} requests to ${this.#peer} at once`));
      return undefined;
    }
    const id = this.#nextId++;
    this.#pending.set(id, pending);
    try {
      this.#write({ v: SCHEMA_VERSION, kind: 'request', id, method, params });
    } catch (error) {
      this.#pending.delete(id);
      pending.fail(new IpcError('refused', errorText(error)));
      return undefined;
    }
    return id;
  }

  #take(message: Message): void {
    if (message.kind === 'request' || message.kind === 'cancel') throw new Error(`a ${message.kind}`);
    const pending = this.#pending.get(message.id);
    // A stream that was cancelled may still deliver for a moment.
    if (pending === undefined) return;
    if (message.kind === 'item') {
      pending.item(message.item);
      return;
    }
    this.#pending.delete(message.id);
    if (message.kind === 'error') {
      const { code, message: text, details } = message.error;
      pending.fail(new IpcError(code as IpcErrorCode, text, details));
    } else {
      pending.end(message.kind === 'result' ? message.result : undefined);
    }
  }

  #write(message: Message): void {
    if (!this.#socket.destroyed) this.#socket.write(encodeMessage(message));
  }

  #countUnread(change: number): void {
    this.#unread += change;
    if (this.#unread > MAX_UNREAD_ITEMS) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  #lose(text: string): void {
    if (this.#lost !== undefined) return;
    this.#lost = new IpcError('disconnected', text);
    this.#socket.destroy();
    for (const pending of this.#pending.values()) pending.fail(this.#lost);
    this.#pending.clear();
  }
}

type Parsed = { success: true; data: unknown } | { success: false; error: Parameters<typeof describeIssues>[0] };

function checked(parsed: Parsed, method: Method, peer: string): unknown {
  if (parsed.success) return parsed.data;
  throw new IpcError('refused', `${peer} answered ${method} with what is no answer: ${describeIssues(parsed.error)}`);
}
