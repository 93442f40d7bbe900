// One TCP connection to the name server behind, for as many queries as there are (RFC 7766): opened when one is sent, and again after
// the server has closed it.

import { connect, type Socket } from 'node:net';

const LENGTH_OCTETS = 2;
/** What may wait to be sent: a server that does not read gets no more. */
const MAX_UNSENT_OCTETS = 1024 * 1024;

export type BackendStreamOptions = {
  readonly address: string;
  readonly port: number;
  readonly onMessage: (message: Uint8Array) => void;
  /** It is closed: what was asked on it has no answer. */
  readonly onClosed: () => void;
};

export class BackendStream {
  readonly #options: BackendStreamOptions;
  #socket: Socket | undefined;
  #rest: Buffer = Buffer.alloc(0);

  constructor(options: BackendStreamOptions) {
    this.#options = options;
  }

  /** False when the server does not take any more. */
  send(message: Uint8Array): boolean {
    const socket = (this.#socket ??= this.#open());
    if (socket.writableLength > MAX_UNSENT_OCTETS) return false;
    const framed = Buffer.alloc(LENGTH_OCTETS + message.length);
    framed.writeUInt16BE(message.length);
    framed.set(message, LENGTH_OCTETS);
    socket.write(framed);
    return true;
  }

  close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }

  #open(): Socket {
    const { address, port, onClosed } = this.#options;
    const socket = connect({ host: address, port, noDelay: true });
    this.#rest = Buffer.alloc(0);
    socket.on('data', (chunk) => this.#take(socket, chunk));
    // `close` follows.
    socket.on('error', () => undefined);
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      onClosed();
    });
    return socket;
  }

  #take(socket: Socket, chunk: Buffer): void {
    if (this.#socket !== socket) return;
    const octets = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (octets.length - at >= LENGTH_OCTETS) {
      const end = at + LENGTH_OCTETS + octets.readUInt16BE(at);
      if (end > octets.length) break;
      this.#options.onMessage(octets.subarray(at + LENGTH_OCTETS, end));
      at = end;
    }
    this.#rest = Buffer.from(octets.subarray(at));
  }
}
