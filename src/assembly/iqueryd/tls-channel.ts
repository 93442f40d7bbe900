// One connection of the mesh over TLS whose other side is trusted: messages as XML, each direction compressed once that was said.

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { errorText } from '../../core/errors.ts';
import type { ChannelCertificate, ChannelEvents, MessageChannel } from '../../iquery/mesh-transport.ts';
import { MessageReader } from '../../iquery/message-reader.ts';
import { DOCUMENT_START, writeMessage } from '../../iquery/message-writer.ts';
import type { Message } from '../../iquery/messages.ts';
import { StreamError } from '../../iquery/stream-error.ts';
import { createDeflater, createInflater, type Deflater, type Inflater } from './compression.ts';
import { octetsTaken, octetsWaiting } from './socket-options.ts';

/** What may wait to be compressed before its sender is asked to wait; a megabyte is compressed in 10 ms. */
const MOST_WAITING_OCTETS = 1_048_576;
const LOOK_AGAIN_MS = 20;
/** For what was sent to go out when a connection is ended. */
const FAREWELL_MS = 1000;

export class TlsChannel implements MessageChannel {
  readonly #raw: Socket;
  #tls: TLSSocket | undefined;
  #certificate: ChannelCertificate | undefined;
  #events: ChannelEvents | undefined;
  #reader: MessageReader | undefined;
  #inflater: Inflater | undefined;
  #deflater: Deflater | undefined;
  #hasStarted = false;
  #isFull = false;
  #hasHeard = false;
  #isOver = false;
  #octetsIn = 0;
  #octetsOut = 0;
  #octetsDropped = 0;
  #look: NodeJS.Timeout | undefined;

  /** `raw`: below TLS; its errors are the caller's until `open`. `events`: of one that is dialled. */
  constructor(raw: Socket, events?: ChannelEvents) {
    this.#raw = raw;
    this.#events = events;
  }

  get certificate(): ChannelCertificate | undefined {
    return this.#certificate;
  }

  get octetsIn(): number {
    this.#count();
    return this.#octetsIn;
  }

  get octetsOut(): number {
    this.#count();
    return this.#octetsOut;
  }

  /** Those that were sent and that the network had not taken when it ended. */
  get octetsDropped(): number {
    return this.#octetsDropped;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The other side is trusted: from now on messages can be sent. */
  open(tls: TLSSocket, certificate: ChannelCertificate): void {
    this.#tls = tls;
    this.#certificate = certificate;
    tls.on('drain', () => this.#checkDrained());
    tls.on('error', (error) => this.fail(`the connection is broken: ${errorText(error)}`));
    const ended = (): void => this.#endSoon();
    tls.on('end', ended);
    tls.on('close', ended);
  }

  /** Reads from now on; nothing was read before. */
  listen(events: ChannelEvents): void {
    this.#events = events;
    if (this.#tls === undefined || this.#isOver) return;
    this.#reader = new MessageReader({
      message: (message) => this.#take(message),
      unknown: (name) => {
        if (!this.#isOver) events.unknown(name);
      },
    });
    this.#tls.on('data', (octets: Buffer) => this.#hear(octets));
  }

  send(messages: readonly Message[]): boolean {
    const tls = this.#tls;
    if (this.#isOver || tls === undefined) return true;
    let text = this.#hasStarted ? '' : DOCUMENT_START;
    this.#hasStarted = true;
    for (const message of messages) {
      text += writeMessage(message);
      if (message.message !== 'compress' || this.#deflater !== undefined) continue;
      // What is compressed begins right behind the element.
      tls.write(text.trimEnd());
      text = '';
      this.#deflater = this.#makeDeflater(tls);
    }
    if (this.#deflater === undefined) tls.write(text);
    else if (text !== '') {
      this.#deflater.write(text);
      this.#deflater.flush();
    }
    this.#isFull = this.#hasNoRoom();
    if (this.#isFull) this.#lookAgain();
    return !this.#isFull;
  }

  close(): void {
    if (this.#isOver) return;
    this.#finish();
    this.#sayFarewell(performance.now() + FAREWELL_MS);
  }

  /** It has ended: whoever uses it is told. */
  fail(reason: string): void {
    if (this.#isOver) return;
    this.#finish();
    this.#octetsDropped = octetsWaiting(this.#raw) + (this.#tls?.writableLength ?? 0);
    this.#destroy();
    this.#events?.closed(reason);
  }

  #finish(): void {
    this.#count();
    this.#isOver = true;
    clearTimeout(this.#look);
    this.#inflater?.close();
  }

  #count(): void {
    if (this.#isOver) return;
    this.#octetsIn = Math.max(this.#octetsIn, this.#raw.bytesRead);
    this.#octetsOut = Math.max(this.#octetsOut, octetsTaken(this.#raw));
  }

  /** What is still being inflated may be its reason. */
  #endSoon(): void {
    const end = (): void => this.fail(this.#whyEnded());
    if (this.#inflater === undefined) end();
    else setTimeout(end, LOOK_AGAIN_MS);
  }

  #whyEnded(): string {
    if (this.#events !== undefined && !this.#hasHeard)
      return 'the other side ended the connection before it said anything: it may not trust this machine, see its log';
    return 'the other side ended the connection';
  }

  #hear(octets: Buffer): void {
    if (this.#isOver) return;
    this.#hasHeard = true;
    this.#events!.heard();
    // Whoever heard it may have closed it.
    if (this.isOver) return;
    if (this.#inflater === undefined) this.#read(octets);
    else this.#inflate(octets);
  }

  #read(octets: Uint8Array): void {
    try {
      const read = this.#reader!.read(octets);
      if (read < octets.length && !this.#isOver) this.#inflate(octets.subarray(read));
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.fail(`what it sends cannot be read: ${error.message}`);
    }
  }

  #inflate(octets: Uint8Array): void {
    if (this.#inflater?.write(octets) === false) this.#tls?.pause();
  }

  #makeInflater(): Inflater {
    return createInflater({
      output: (inflated) => this.#readInflated(inflated),
      failed: (reason) => this.fail(`what it sends cannot be read: ${reason}`),
      drained: () => this.#tls?.resume(),
    });
  }

  #readInflated(octets: Uint8Array): void {
    for (let rest = octets; rest.length > 0 && !this.#isOver;) {
      const read = this.#reader!.read(rest);
      // A second `compress` stops the reader as the first has: there is one stream in the other, and no end of that.
      if (read < rest.length) throw new StreamError('it says compress where all is compressed already');
      rest = rest.subarray(read);
    }
  }

  #take(message: Message): void {
    if (this.#isOver) return;
    // All that follows is compressed, in this piece of the stream and in the next.
    if (message.message === 'compress') this.#inflater ??= this.#makeInflater();
    this.#events!.message(message);
  }

  #makeDeflater(tls: TLSSocket): Deflater {
    return createDeflater(
      (octets) => {
        if (!tls.destroyed) tls.write(octets);
      },
      (reason) => this.fail(reason),
    );
  }

  #hasNoRoom(): boolean {
    return this.#tls!.writableNeedDrain || (this.#deflater?.waiting ?? 0) > MOST_WAITING_OCTETS;
  }

  #lookAgain(): void {
    // Of the socket it is told by itself.
    if (this.#tls!.writableNeedDrain) return;
    clearTimeout(this.#look);
    this.#look = setTimeout(() => this.#checkDrained(), LOOK_AGAIN_MS);
  }

  #checkDrained(): void {
    if (!this.#isFull || this.#isOver) return;
    if (this.#hasNoRoom()) {
      this.#lookAgain();
      return;
    }
    this.#isFull = false;
    this.#events?.drained();
  }

  /** Ends it once what was sent has gone out, or its time is over. */
  #sayFarewell(until: number): void {
    const tls = this.#tls;
    const isLate = performance.now() >= until;
    if (tls === undefined || tls.destroyed || isLate) {
      this.#destroy();
    } else if ((this.#deflater?.waiting ?? 0) > 0) {
      setTimeout(() => this.#sayFarewell(until), LOOK_AGAIN_MS);
    } else {
      const timer = setTimeout(() => this.#destroy(), until - performance.now());
      tls.once('close', () => clearTimeout(timer));
      tls.resume();
      tls.end(() => this.#destroy());
    }
  }

  #destroy(): void {
    this.#deflater?.close();
    this.#tls?.destroy();
    this.#raw.destroy();
  }
}
