// The serving end of a Unix socket: methods in, results and streams out.

import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { errorText } from '../core/errors.ts';
import { logEvent } from '../core/log-codes.ts';
import type { Log } from '../core/log.ts';
import { FramingError, MessageDecoder, encodeMessage } from './framing.ts';
import { IpcError } from './ipc-error.ts';
import type { IpcErrorCode } from './ipc-error.ts';
import { METHODS, SCHEMA_VERSION, describeIssues } from './schema.ts';
import type { ItemOf, Message, Method, ParamsOf, ResultOf } from './schema.ts';

/**
 * `signal` is aborted when the caller cancels or goes away; `connection` is the same object for all calls of one
 * connection: what belongs to it can be kept in a WeakMap.
 */
export type CallContext = { readonly signal: AbortSignal; readonly connection: object };

/**
 * What a server answers. A handler returns its result, or an async iterable for a stream; the stream is read only as fast
 * as the caller takes it, and its `return` is called when the caller goes. What a handler throws reaches the caller: an
 * IpcError as it is, anything else as `failed`.
 */
export type Handlers = {
  readonly [M in Method]?: (
    params: ParamsOf<M>,
    context: CallContext,
  ) => [ItemOf<M>] extends [never] ? ResultOf<M> | Promise<ResultOf<M>> : AsyncIterable<ItemOf<M>>;
};

type AnyHandler = (params: unknown, context: CallContext) => unknown;

const MAX_CONNECTIONS = 64;
const MAX_CALLS_PER_CONNECTION = 64;

export class IpcServer {
  readonly path: string;
  readonly #handlers: Handlers;
  readonly #log: Log;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();

  constructor(path: string, handlers: Handlers, log: Log) {
    this.path = path;
    this.#handlers = handlers;
    this.#log = log;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Listens on `path`, mode 0600; a socket that a dead process left is replaced. Throws an IpcError. */
  async listen(): Promise<void> {
    if (await isAlive(this.path)) {
      throw new IpcError('refused', `${this.path} is in use: another process serves it`);
    }
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) =>
        reject(new IpcError('refused', `cannot listen on ${this.path}: ${error.message}`)),
      );
      const umask = process.umask(0o177);
      this.#server.listen(this.path, resolve);
      process.umask(umask);
    });
    chmodSync(this.path, 0o600);
    this.#server.on('error', (error) => logEvent(this.#log, 'ipc-refused', error.message, { socket: this.path }));
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.close();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    const connection = new Connection(socket, this.#handlers, this.#log, this.path);
    this.#connections.add(connection);
    socket.on('close', () => this.#connections.delete(connection));
  }
}

/** Removes a socket file that nobody serves; true when somebody does. */
async function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.on('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') {
        // Whatever else stands there is nobody's to remove: listen will name it.
        if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) unlinkSync(path);
      }
      resolve(false);
    });
  });
}

class Connection {
  readonly #socket: Socket;
  readonly #handlers: Handlers;
  readonly #calls = new Map<number, AbortController>();

  constructor(socket: Socket, handlers: Handlers, log: Log, path: string) {
    this.#socket = socket;
    this.#handlers = handlers;
    const decoder = new MessageDecoder();
    socket.on('data', (piece: Buffer) => {
      try {
        for (const message of decoder.push(piece)) this.#take(message);
      } catch (error) {
        if (!(error instanceof FramingError)) throw error;
        logEvent(log, 'ipc-refused', `a peer was disconnected: ${error.message}`, { socket: path });
        socket.destroy();
      }
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const call of this.#calls.values()) call.abort();
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(message: Message): void {
    if (message.kind === 'cancel') {
      this.#calls.get(message.id)?.abort();
      return;
    }
    if (message.kind !== 'request') throw new FramingError(`a ${message.kind} is nothing to send to a server`);
    const { id, method, params } = message;
    if (this.#calls.has(id)) throw new FramingError(`request ${id} is under way already`);
    if (this.#calls.size >= MAX_CALLS_PER_CONNECTION) {
      this.#refuse(id, 'busy', `more than ${MAX_CALLS_PER_CONNECTION} requests at once on one connection`);
      return;
    }
    const known = Object.hasOwn(METHODS, method) ? (method as Method) : undefined;
    const handler = known && (this.#handlers[known] as AnyHandler | undefined);
    if (known === undefined || handler === undefined) {
      this.#refuse(id, 'refused', `there is no method ${method} here`);
      return;
    }
    const parsed = METHODS[known].params.safeParse(params);
    if (!parsed.success) {
      this.#refuse(id, 'refused', `${method}: ${describeIssues(parsed.error)}`);
      return;
    }
    void this.#run(id, handler, parsed.data);
  }

  async #run(id: number, handler: AnyHandler, params: unknown): Promise<void> {
    const call = new AbortController();
    this.#calls.set(id, call);
    try {
      const outcome = handler(params, { signal: call.signal, connection: this });
      if (isAsyncIterable(outcome)) await this.#stream(id, outcome, call.signal);
      else await this.#send({ v: SCHEMA_VERSION, kind: 'result', id, result: await outcome });
    } catch (error) {
      if (!call.signal.aborted) {
        const known = error instanceof IpcError ? error : new IpcError('failed', errorText(error));
        this.#refuse(id, known.code, known.message, known.details);
      }
    } finally {
      this.#calls.delete(id);
    }
  }

  async #stream(id: number, items: AsyncIterable<unknown>, signal: AbortSignal): Promise<void> {
    for await (const item of items) {
      if (signal.aborted) return;
      await this.#send({ v: SCHEMA_VERSION, kind: 'item', id, item });
    }
    if (!signal.aborted) await this.#send({ v: SCHEMA_VERSION, kind: 'end', id });
  }

  #refuse(id: number, code: IpcErrorCode, message: string, details?: unknown): void {
    void this.#send({ v: SCHEMA_VERSION, kind: 'error', id, error: { code, message, details } });
  }

  /** Resolves when the socket can take more: a caller that does not read stops what it asked for, nothing else. */
  async #send(message: Message): Promise<void> {
    if (this.#socket.destroyed || this.#socket.write(encodeMessage(message))) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.on('drain', done);
      this.#socket.on('close', done);
    });
  }
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
