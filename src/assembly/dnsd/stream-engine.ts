// DNS over TCP (RFC 7766): messages with their length in front, several at once on a connection, answered in the order in which
// they came. Memory and time that a client can hold are bounded: of connections, of a message that does not come to its end, of
// replies that nobody reads.

import { createServer, type Server, type Socket } from 'node:net';
import { addressOctets, parseAddress } from '../../core/address.ts';
import type { QueryLog } from './query-log.ts';
import type { Responder } from '../../dns/responder.ts';
import type { Sender } from '../../dns/sender.ts';

/** Takes over a query that the responder leaves to somebody else; `reply` undefined: there is none. */
export type DeferStream = (query: Uint8Array, client: Uint8Array, deliver: (reply?: Uint8Array) => void) => void;

export type StreamOptions = {
  /** A bound TCP socket, which the engine takes over. */
  readonly descriptor: number;
  readonly limits: StreamLimits;
  readonly defer: DeferStream;
  /** Where queries are written down, if anywhere. */
  readonly tap?: QueryLog;
};

export type StreamLimits = {
  /** Connections at most; another one takes the place of that which has been idle for longest (RFC 7766, section 6.2.3). */
  readonly maxConnections: number;
  /** How long a connection may be idle, and how long a message may take to come whole, in milliseconds. */
  readonly idleMs: number;
};

export type StreamCounts = {
  accepted: number;
  messages: number;
  /** Closed because of nothing to do, of a message that did not end, for another's sake, for a length that nothing fits. */
  idle: number;
  slow: number;
  displaced: number;
  invalid: number;
};

const LENGTH_OCTETS = 2;
const HEADER_OCTETS = 12;
const SWEEP_MS = 500;
const BACKLOG = 1024;
/** Replies that may wait for a client to read them. */
const MAX_UNREAD_OCTETS = 256 * 1024;
/** Replies that are sent at once. */
const REPLIES_OCTETS = 64 * 1024;

type Connection = {
  readonly socket: Socket;
  readonly address: Uint8Array;
  /** What came of a message that is not whole. */
  rest: Buffer;
  /** When something was last done for it, and since when a message has been on its way; 0: none is. */
  activeMs: number;
  partialSinceMs: number;
};

export class StreamEngine {
  readonly counts: StreamCounts = { accepted: 0, messages: 0, idle: 0, slow: 0, displaced: 0, invalid: 0 };
  readonly #options: StreamOptions;
  #limits: StreamLimits;
  #responder: Responder;
  readonly #server: Server;
  /** The longest idle first: each goes to the end when it is active. */
  readonly #connections = new Set<Connection>();
  readonly #sender: Sender = { addresses: new Uint8Array(16), addressAt: 0, addressOctets: 4, isStream: true, now: 0 };
  /** Replies of one turn of a connection, and room for the largest that may follow. */
  readonly #replies = Buffer.alloc(REPLIES_OCTETS + LENGTH_OCTETS + 65_535 + 4096);
  #sweep: NodeJS.Timeout | undefined;

  constructor(responder: Responder, options: StreamOptions) {
    this.#responder = responder;
    this.#options = options;
    this.#limits = options.limits;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  get responder(): Responder {
    return this.#responder;
  }

  /** Goes on with these, from the next query on. */
  change(responder: Responder, limits: StreamLimits): void {
    this.#responder = responder;
    this.#limits = limits;
  }

  /** Resolves when connections are taken. */
  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ fd: this.#options.descriptor, backlog: BACKLOG }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#sweep = setInterval(() => this.#closeIdle(Date.now()), SWEEP_MS);
  }

  get open(): number {
    return this.#connections.size;
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) this.#end(connection);
    await closed;
  }

  #accept(socket: Socket): void {
    this.counts.accepted++;
    if (this.#connections.size >= this.#limits.maxConnections) {
      const [oldest] = this.#connections;
      this.counts.displaced++;
      this.#end(oldest!);
    }
    const remote = parseAddress(socket.remoteAddress?.replace(/%.*$/, '') ?? '');
    if (remote === undefined) {
      // It has gone already.
      socket.destroy();
      return;
    }
    const address = addressOctets(remote);
    const connection: Connection = { socket, address, rest: EMPTY, activeMs: Date.now(), partialSinceMs: 0 };
    this.#connections.add(connection);
    socket.on('data', (chunk) => this.#take(connection, chunk));
    socket.on('drain', () => {
      socket.resume();
      this.#take(connection, EMPTY);
    });
    // A client that goes away in the middle of something is nothing to report.
    socket.on('error', () => this.#end(connection));
    socket.on('close', () => this.#connections.delete(connection));
  }

  #end(connection: Connection): void {
    this.#connections.delete(connection);
    connection.socket.destroy();
  }

  #take(connection: Connection, chunk: Buffer): void {
    const { socket } = connection;
    const octets = connection.rest.length === 0 ? chunk : Buffer.concat([connection.rest, chunk]);
    const now = Date.now();
    let at = 0;
    let repliesEnd = 0;
    const send = (): void => {
      if (repliesEnd > 0) socket.write(Buffer.from(this.#replies.subarray(0, repliesEnd)));
      repliesEnd = 0;
    };
    this.#sender.now = Math.floor(now / 1000);
    const { tap } = this.#options;
    this.#responder.tap = tap?.isWanted === true ? tap : undefined;
    while (octets.length - at >= LENGTH_OCTETS) {
      const length = octets.readUInt16BE(at);
      if (length < HEADER_OCTETS) {
        this.counts.invalid++;
        this.#end(connection);
        return;
      }
      if (octets.length - at < LENGTH_OCTETS + length) break;
      // Who does not read what it asked for gets no more, and is not listened to, until it has.
      if (socket.writableLength > MAX_UNREAD_OCTETS) {
        socket.pause();
        break;
      }
      repliesEnd = this.#answer(connection, octets, at + LENGTH_OCTETS, length, repliesEnd);
      if (repliesEnd > REPLIES_OCTETS) send();
      at += LENGTH_OCTETS + length;
    }
    send();
    // What is left is copied: a piece of a chunk would keep all of it in memory.
    connection.rest = at === octets.length ? EMPTY : Buffer.from(octets.subarray(at));
    if (at > 0) {
      connection.activeMs = now;
      this.#connections.delete(connection);
      this.#connections.add(connection);
    }
    if (connection.rest.length === 0) connection.partialSinceMs = 0;
    else if (at > 0 || connection.partialSinceMs === 0) connection.partialSinceMs = now;
  }

  /** Answers a message where its reply will be sent from; returns where the replies end then. */
  #answer({ socket, address }: Connection, octets: Buffer, at: number, length: number, repliesEnd: number): number {
    const replies = this.#replies;
    const start = repliesEnd + LENGTH_OCTETS;
    octets.copy(replies, start, at, at + length);
    const sender = this.#sender;
    sender.addresses.set(address);
    sender.addressOctets = address.length;
    this.counts.messages++;
    const end = this.#responder.respond(replies, start, start + length, sender);
    if (end < 0) {
      const query = Uint8Array.from(octets.subarray(at, at + length));
      this.#options.defer(query, address, (reply) => {
        if (reply !== undefined && !socket.destroyed) socket.write(framed(reply));
      });
    }
    if (end <= start) return repliesEnd;
    replies.writeUInt16BE(end - start, repliesEnd);
    return end;
  }

  #closeIdle(now: number): void {
    const { idleMs } = this.#limits;
    for (const connection of this.#connections) {
      if (connection.partialSinceMs > 0 && now - connection.partialSinceMs > idleMs) {
        this.counts.slow++;
        this.#end(connection);
      } else if (now - connection.activeMs > idleMs) {
        this.counts[connection.partialSinceMs > 0 || connection.socket.isPaused() ? 'slow' : 'idle']++;
        this.#end(connection);
      }
    }
  }
}

const EMPTY = Buffer.alloc(0);

function framed(message: Uint8Array): Buffer {
  const octets = Buffer.allocUnsafe(LENGTH_OCTETS + message.length);
  octets.writeUInt16BE(message.length, 0);
  octets.set(message, LENGTH_OCTETS);
  return octets;
}
