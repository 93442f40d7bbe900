// One raw ICMP socket for each family, by the npm package `raw-socket`: all echo requests leave by it, and what comes back, replies
// and errors, is handed to whoever listens. docs/decisions/raw-probes.md says why, and what its use has to mind.

import { loadAddon } from '../native/addon.ts';
import { loadRawSocket, type RawSocketHandle } from '../native/raw-socket.ts';
import { EchoType, ErrorType, ErrorType6, readIcmpMessage } from './icmp-message.ts';
import type { SendFailure } from './packet-probes.ts';

/** Hears of messages that `readIcmpMessage` has read; `source` is the text of whoever sent it. */
export type IcmpListener = (bytes: Uint8Array, octets: number, family: 4 | 6, source: string) => void;

/** Numbers of Linux that the package has no names for. */
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const SO_MARK = 36;
const SO_MEMINFO = 55;
const MEMINFO_WORDS = 9;
const WAITING = 0;
const SOL_RAW = 255;
const SOL_IP = 0;
const IP_TTL = 2;
const SOL_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
/** As many as the host's packets have. */
const USUAL_HOPS = -1;
const ICMP_FILTER = 1;
const SOL_ICMPV6 = 58;
const ICMPV6_FILTER = 1;

const IPPROTO_ICMP = 1;
const IPPROTO_ICMPV6 = 58;
const RECEIVE_BUFFER_OCTETS = 8 << 20;
/** More than any message that counts: an error quotes 576 octets (RFC 1812), or 1,280 over IPv6. */
const MESSAGE_OCTETS = 2048;
/** Read in a row; what is left keeps the socket readable. */
const BATCH = 256;
/** A socket that could not be opened is tried again after this long. */
const AGAIN_MS = 10_000;

type Opened = { readonly handle: RawSocketHandle; mark: number; hops: number };
type Failed = { readonly failure: SendFailure; readonly atMs: number };

export class RawIcmp {
  readonly #sockets: Record<4 | 6, Opened | Failed | undefined> = { 4: undefined, 6: undefined };
  readonly #listeners: IcmpListener[] = [];
  readonly #buffer = Buffer.alloc(MESSAGE_OCTETS);
  readonly #statistics = new Uint32Array(MEMINFO_WORDS);
  readonly #statisticsBuffer = Buffer.from(this.#statistics.buffer);
  #octets = 0;
  #source = '';
  readonly #noteReceived = (_buffer: Buffer, octets: number, source: string): void => {
    this.#octets = octets;
    this.#source = source;
  };

  listen(listener: IcmpListener): void {
    this.#listeners.push(listener);
  }

  /** Opens the socket of a family where there is none; why there can be none. */
  open(family: 4 | 6): SendFailure | undefined {
    const known = this.#sockets[family];
    if (known !== undefined && ('handle' in known || performance.now() - known.atMs < AGAIN_MS)) {
      return 'handle' in known ? undefined : known.failure;
    }
    const socket = this.#openSocket(family);
    this.#sockets[family] = socket;
    return 'handle' in socket ? undefined : socket.failure;
  }

  /**
   * Sends the first octets of a buffer with a mark, 0 for none, over so many hops at most; why the kernel would not. The socket must be
   * open.
   */
  send(
    family: 4 | 6,
    packet: Buffer,
    octets: number,
    address: string,
    mark: number,
    hops = USUAL_HOPS,
  ): SendFailure | undefined {
    const socket = this.#sockets[family];
    if (socket === undefined || !('handle' in socket)) return socket?.failure ?? CLOSED;
    try {
      if (mark !== socket.mark) {
        socket.handle.setOption(SOL_SOCKET, SO_MARK, mark);
        socket.mark = mark;
      }
      if (hops !== socket.hops) {
        if (family === 4) socket.handle.setOption(SOL_IP, IP_TTL, hops);
        else socket.handle.setOption(SOL_IPV6, IPV6_UNICAST_HOPS, hops);
        socket.hops = hops;
      }
      socket.handle.send(packet, 0, octets, address, nothing);
      return undefined;
    } catch (error) {
      return failureOfText(error instanceof Error ? error.message : String(error));
    }
  }

  close(): void {
    for (const family of [4, 6] as const) {
      const socket = this.#sockets[family];
      if (socket !== undefined && 'handle' in socket) forget(socket.handle);
      this.#sockets[family] = undefined;
    }
  }

  #openSocket(family: 4 | 6): Opened | Failed {
    const loaded = loadRawSocket();
    const failed = (reason: string): Failed => ({
      failure: { verdict: 'impossible', reason },
      atMs: performance.now(),
    });
    if (loaded.rawSocket === undefined) return failed(`no ICMP: ${loaded.reason}`);
    const { rawSocket } = loaded;
    const { IPv4, IPv6 } = rawSocket.AddressFamily;
    let handle: RawSocketHandle | undefined;
    try {
      handle = rawSocket.createSocket({
        protocol: family === 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
        addressFamily: family === 4 ? IPv4 : IPv6,
      }).wrap;
      this.#configure(handle, family);
      return { handle, mark: 0, hops: USUAL_HOPS };
    } catch (error) {
      if (handle !== undefined) forget(handle);
      const text = error instanceof Error ? error.message : String(error);
      return failed(`no raw ICMP socket: ${text}${text === NOT_PERMITTED ? `; ${HOW_TO_PERMIT}` : ''}`);
    }
  }

  #configure(handle: RawSocketHandle, family: 4 | 6): void {
    // The package opens its socket so that programs that are started inherit it: monitors of type external.
    const { addon } = loadAddon();
    addon?.rawSocketsCloseOnExec();
    // The package would receive by itself, an event for each packet.
    handle.removeAllListeners('recvReady');
    handle.removeAllListeners('sendReady');
    handle.removeAllListeners('error');
    const read = (): void => this.#read(handle, family);
    handle.on('recvReady', read);
    handle.on('error', read);
    const filter = family === 4 ? icmpFilter() : icmpv6Filter();
    if (family === 4) handle.setOption(SOL_RAW, ICMP_FILTER, filter, filter.length);
    else handle.setOption(SOL_ICMPV6, ICMPV6_FILTER, filter, filter.length);
    try {
      handle.setOption(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_OCTETS);
    } catch {
      // Without CAP_NET_ADMIN it is as large as the machine allows everybody.
      handle.setOption(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_OCTETS);
    }
  }

  #read(handle: RawSocketHandle, family: 4 | 6): void {
    for (let count = 0; count < BATCH; count++) {
      // A listener may have closed it, and a call afterwards would open another.
      const socket = this.#sockets[family];
      if (socket === undefined || !('handle' in socket) || socket.handle !== handle) return;
      try {
        // Asking whether more waits costs less than the exception that says that nothing does.
        if (count > 0) {
          handle.getOption(SOL_SOCKET, SO_MEMINFO, this.#statisticsBuffer, this.#statisticsBuffer.length);
          if (this.#statistics[WAITING] === 0) return;
        }
        handle.recv(this.#buffer, this.#noteReceived);
      } catch {
        return;
      }
      const octets = Math.min(this.#octets, MESSAGE_OCTETS);
      if (!readIcmpMessage(this.#buffer, octets, family)) continue;
      for (const listener of this.#listeners) listener(this.#buffer, octets, family, this.#source);
    }
  }
}

/** What probes need of it. */
export type IcmpWire = Pick<RawIcmp, 'listen' | 'open' | 'send'>;

const CLOSED: SendFailure = { verdict: 'impossible', reason: 'the raw ICMP socket is closed' };
const NOT_PERMITTED = 'Operation not permitted';
export const HOW_TO_PERMIT = 'healthd needs the capability CAP_NET_RAW: run it as root, or give it that capability';
const nothing = (): void => undefined;

function forget(handle: RawSocketHandle): void {
  handle.removeAllListeners('recvReady');
  handle.close();
}

/** `struct icmp_filter`: a bit for each type below 32 that is kept away. */
function icmpFilter(): Buffer {
  const wanted = [EchoType.reply4, ErrorType.unreachable4, ErrorType.timeExceeded4];
  const filter = Buffer.alloc(4);
  filter.writeInt32LE(~wanted.reduce<number>((bits, type) => bits | (1 << type), 0));
  return filter;
}

/** `struct icmp6_filter`: a bit for each type that is kept away. */
function icmpv6Filter(): Buffer {
  const filter = Buffer.alloc(32, 0xff);
  for (const type of [EchoType.reply6, ...Object.values(ErrorType6)]) {
    const word = (type >>> 5) * 4;
    filter.writeInt32LE(filter.readInt32LE(word) & ~(1 << (type & 31)), word);
  }
  return filter;
}

/** By the text of an errno, which is all that the package gives. */
export function failureOfText(text: string): SendFailure {
  const known = SEND_FAILURES.get(text);
  return known ?? { verdict: 'impossible', reason: `could not be sent: ${text.toLowerCase()}` };
}

const silent = (reason: string): SendFailure => ({ verdict: 'silent', reason });
const SEND_FAILURES = new Map<string, SendFailure>([
  ['Network is unreachable', silent('no route to it')],
  ['No route to host', silent('no route to it')],
  ['Network is down', silent('the network is down')],
  [
    NOT_PERMITTED,
    { verdict: 'impossible', reason: 'could not be sent: not permitted, perhaps by a packet filter of this host' },
  ],
]);
