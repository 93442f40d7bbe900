// Asks the name server behind (BIND, on a BIG-IP) what no source of ours has, and gives its answers back: by UDP from several ports
// with random ids, by TCP for clients that came so. What waits is bounded in number and time.

import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { Cookies } from '../../dns/cookie.ts';
import { answersQuestion, failedReply, forwardedQuery, forwardedReply } from '../../dns/forwarded-query.ts';
import { Query, QueryVerdict, readQuery } from '../../dns/query.ts';
import { BackendStream } from './backend-stream.ts';

export type ForwarderOptions = {
  readonly address: string;
  readonly port: number;
  /** Octets of a message over UDP that clients are sent at most, and told. */
  readonly udpOctets: number;
  /** Whether the server is told the subnet of clients (`edns0-client-subnet-insert`; RFC 7871). */
  readonly insertSubnet: boolean;
  readonly nsid?: Uint8Array;
  readonly cookieKey?: Uint8Array;
  /** How long the server may take, in milliseconds (default 3000). */
  readonly timeoutMs?: number;
  /** Queries that may wait for it (default 4096). */
  readonly maxPending?: number;
};

export type ForwarderCounts = {
  queries: number;
  replies: number;
  /** No answer in time, none because nobody listens there, and not asked because too many wait. */
  timedOut: number;
  unreachable: number;
  overflowed: number;
  /** Messages that nobody waits for, of another question (RFC 5452, section 9.1), and that are none or no query. */
  unexpected: number;
  mismatched: number;
  malformed: number;
};

/** Gets the reply to a query; undefined when there is to be none. */
export type Deliver = (reply: Uint8Array | undefined) => void;

type Pending = {
  readonly query: Query;
  readonly client: Uint8Array;
  readonly limit: number;
  readonly deliver: Deliver;
  readonly way: number;
  readonly sinceMs: number;
  /** As it was sent, to be sent again when a connection was closed in between. */
  readonly message: Uint8Array;
  isRepeated: boolean;
};

/** Ports that queries leave from: with the ids, what somebody who forges an answer has to guess. */
const PORTS = 16;
const STREAM_WAY = PORTS;
const SWEEP_MS = 100;
const STREAM_OCTETS = 65_535;

export class Forwarder {
  readonly counts: ForwarderCounts = {
    ...{ queries: 0, replies: 0, timedOut: 0, unreachable: 0, overflowed: 0 },
    ...{ unexpected: 0, mismatched: 0, malformed: 0 },
  };
  readonly #options: ForwarderOptions;
  readonly #cookies: Cookies | undefined;
  readonly #sockets: Socket[] = [];
  readonly #stream: BackendStream;
  /** By way and id, the oldest first. */
  readonly #pending = new Map<number, Pending>();
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: ForwarderOptions) {
    const { address, port, cookieKey } = options;
    this.#options = options;
    this.#cookies = cookieKey === undefined ? undefined : new Cookies(cookieKey);
    const onMessage = (message: Uint8Array): void => this.#take(STREAM_WAY, message);
    this.#stream = new BackendStream({ address, port, onMessage, onClosed: () => this.#streamClosed() });
  }

  /** Resolves when it can be used; rejects when there is no way to an address of that kind. */
  async open(): Promise<void> {
    const { address, port } = this.#options;
    for (let way = 0; way < PORTS; way++) {
      const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
      this.#sockets.push(socket);
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.connect(port, address, () => {
          socket.off('error', reject);
          resolve();
        });
      });
      socket.on('message', (message) => this.#take(way, message));
      // Nobody listens there: no use to wait for the rest of the time.
      socket.on('error', () => this.#fail(way));
    }
  }

  /** Queries that wait for the server. */
  get pending(): number {
    return this.#pending.size;
  }

  /**
   * Asks the server. `query`: a message that a Responder has returned FORWARD for; it is copied. `client`: 4 or 16 octets of the
   * address of who asked. Exactly one call of `deliver`, which may come before this returns.
   */
  forward(query: Uint8Array, isStream: boolean, client: Uint8Array, deliver: Deliver): void {
    const read = new Query();
    this.counts.queries++;
    if (readQuery(Uint8Array.from(query), 0, query.length, read) !== QueryVerdict.question) {
      this.counts.malformed++;
      deliver(undefined);
      return;
    }
    const { udpOctets, insertSubnet, maxPending = 4096 } = this.#options;
    if (this.#pending.size >= maxPending) {
      this.counts.overflowed++;
      deliver(failedReply(read, udpOctets));
      return;
    }
    const limit = isStream ? STREAM_OCTETS : Math.min(read.udpOctets, Math.max(512, udpOctets));
    const way = isStream ? STREAM_WAY : randomInt(PORTS);
    let id: number;
    do id = randomInt(0x10000);
    while (this.#pending.has(keyOf(way, id)));
    const from = Uint8Array.from(client);
    const message = forwardedQuery(read, id, Math.min(limit, 4096), insertSubnet ? from : undefined);
    const sinceMs = performance.now();
    const pending: Pending = { query: read, client: from, limit, deliver, way, sinceMs, message, isRepeated: false };
    this.#pending.set(keyOf(way, id), pending);
    this.#sweep ??= setInterval(() => this.#endLate(), SWEEP_MS);
    this.#send(pending);
  }

  /** What still waits gets no reply. */
  close(): void {
    clearInterval(this.#sweep);
    for (const socket of this.#sockets) socket.close();
    this.#stream.close();
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const { deliver } of waiting) deliver(undefined);
  }

  #send(pending: Pending): void {
    if (pending.way !== STREAM_WAY) {
      // What the network does not take, the client's next try may bring.
      this.#sockets[pending.way]!.send(pending.message, () => undefined);
    } else if (!this.#stream.send(pending.message)) {
      this.counts.overflowed++;
      this.#end(pending, failedReply(pending.query, this.#options.udpOctets));
    }
  }

  #take(way: number, message: Uint8Array): void {
    const pending = message.length < 12 ? undefined : this.#pending.get(keyOf(way, (message[0]! << 8) | message[1]!));
    if (pending === undefined) {
      this.counts.unexpected++;
      return;
    }
    if (!answersQuestion(pending.query, message)) {
      this.counts.mismatched++;
      return;
    }
    const { udpOctets, nsid } = this.#options;
    const own = { udpOctets, nsid, cookies: this.#cookies };
    const now = Math.floor(Date.now() / 1000);
    const reply = forwardedReply(pending.query, message, pending.limit, own, pending.client, now);
    this.counts[reply === undefined ? 'malformed' : 'replies']++;
    this.#end(pending, reply ?? failedReply(pending.query, udpOctets));
  }

  #end(pending: Pending, reply: Uint8Array): void {
    this.#pending.delete(keyOf(pending.way, (pending.message[0]! << 8) | pending.message[1]!));
    pending.deliver(reply);
  }

  /** Everything that was asked this way has failed. */
  #fail(way: number): void {
    for (const pending of [...this.#pending.values()].filter((each) => each.way === way)) {
      this.counts.unreachable++;
      this.#end(pending, failedReply(pending.query, this.#options.udpOctets));
    }
  }

  /** A server closes connections that it takes for idle: what was just asked is asked once more. */
  #streamClosed(): void {
    const waiting = [...this.#pending.values()].filter(({ way }) => way === STREAM_WAY);
    if (waiting.some(({ isRepeated }) => isRepeated)) {
      this.#fail(STREAM_WAY);
      return;
    }
    for (const pending of waiting) {
      pending.isRepeated = true;
      this.#send(pending);
    }
  }

  #endLate(): void {
    const { timeoutMs = 3000, udpOctets } = this.#options;
    const before = performance.now() - timeoutMs;
    for (const pending of this.#pending.values()) {
      if (pending.sinceMs > before) break;
      this.counts.timedOut++;
      this.#end(pending, failedReply(pending.query, udpOctets));
    }
    if (this.#pending.size > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }
}

const keyOf = (way: number, id: number): number => way * 0x10000 + id;
