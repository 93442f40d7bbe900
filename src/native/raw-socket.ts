// The only loader of the package `raw-socket`: raw IP sockets for Node.js, which work on a main thread only.
//
// Used is the object under its event-driven interface, which sends and receives by a call and throws what failed
// (docs/decisions/raw-socket.md).

import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';

/** A non-blocking socket; every failure is an Error with the text of the errno. */
export interface RawSocketHandle {
  on(event: 'recvReady' | 'error', listener: () => void): void;
  removeAllListeners(event: 'recvReady' | 'sendReady' | 'error' | 'close'): void;
  /** Calls back before it returns; `source` is the sender's address as text. */
  recv(buffer: Buffer, received: (buffer: Buffer, octets: number, source: string) => void): void;
  /** Calls back before it returns. */
  send(buffer: Buffer, offset: number, octets: number, address: string, sent: (octets: number) => void): void;
  setOption(level: number, option: number, value: number): void;
  setOption(level: number, option: number, value: Buffer, octets: number): void;
  getOption(level: number, option: number, value: Buffer, octets: number): number;
  /** Nothing else may be called afterwards: it would open another socket. */
  close(): void;
}

type RawSocketModule = {
  createSocket(options: { protocol: number; addressFamily: number }): { wrap: RawSocketHandle };
  AddressFamily: { IPv4: number; IPv6: number };
};

export type LoadedRawSocket = { rawSocket: RawSocketModule; path: string } | { rawSocket: undefined; reason: string };

let loaded: LoadedRawSocket | undefined;

/** Loads the package once: WIDEPLANE_RAW_SOCKET if set, otherwise the installed one. */
export function loadRawSocket(): LoadedRawSocket {
  loaded ??= load();
  return loaded;
}

function load(): LoadedRawSocket {
  if (!isMainThread) return { rawSocket: undefined, reason: 'raw-socket works on a main thread only' };
  const require = createRequire(import.meta.url);
  try {
    const path = require.resolve(process.env.WIDEPLANE_RAW_SOCKET ?? 'raw-socket');
    return { rawSocket: require(path) as RawSocketModule, path };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0]! : String(error);
    return { rawSocket: undefined, reason: `cannot load raw-socket: ${reason}; try: npm install raw-socket@1.8.1` };
  }
}
