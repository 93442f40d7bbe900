// Takes those who dial: TLS first, then a verdict on their certificate, and only then the first octet that they say.

import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import type { ChannelEvents } from '../../iquery/mesh-transport.ts';
import type { TrustStore } from '../../trust/trust-store.ts';
import { peerChain, plainAddress } from './peer-chain.ts';
import type { Refusals } from './refusals.ts';
import { setSocketOptions } from './socket-options.ts';
import type { StandingConnections } from './standing.ts';
import { TlsChannel } from './tls-channel.ts';
import { contextOptions } from './tls-settings.ts';

/** For a verdict, from the first packet on. */
const HANDSHAKE_MS = 10_000;
const MOST_UNKNOWN = 1000;
const MOST_UNKNOWN_OF_ADDRESS = 100;
const RETRY_MS = 5000;
const ANY_IPV6 = '::';
const ANY_IPV4 = '0.0.0.0';

export type TlsListenerOptions = {
  readonly trust: TrustStore;
  readonly standing: StandingConnections;
  readonly refusals: Refusals;
  /** Takes a connection; what it returns is told what comes. */
  readonly accept: (channel: TlsChannel, from: string) => ChannelEvents;
  /** How long a peer may acknowledge nothing. */
  readonly patienceMs: () => number;
  readonly log: Log;
};

export type ListenWant = {
  /** `any` or addresses with commas between them. */
  readonly addresses: string;
  readonly port: number;
  readonly oldestTls: string;
};

type Pending = { readonly raw: Socket; readonly address: string };

export class TlsListener {
  readonly #options: TlsListenerOptions;
  #tls: TlsServer | undefined;
  #oldestTls = '';
  /** By address and port. */
  readonly #places = new Map<string, Place>();
  /** Those whom nobody knows yet, by their own address and port and ours. */
  readonly #unknown = new Map<string, Pending>();
  #accepted = 0;

  constructor(options: TlsListenerOptions) {
    this.#options = options;
  }

  get accepted(): number {
    return this.#accepted;
  }

  get unknown(): number {
    return this.#unknown.size;
  }

  /** Where it listens now. */
  get places(): string[] {
    return [...this.#places.values()].flatMap(({ name, isListening }) => (isListening ? [name] : []));
  }

  want({ addresses, port, oldestTls }: ListenWant): void {
    this.#oldestTls = oldestTls;
    this.renew();
    const list = addresses === 'any' ? [ANY_IPV6] : addresses.split(',').map((each) => each.trim());
    const wanted = new Map(list.map((address) => [`${address} ${port}`, address]));
    for (const [key, place] of this.#places) {
      if (wanted.has(key)) continue;
      this.#places.delete(key);
      place.close();
    }
    for (const [key, address] of wanted) {
      if (this.#places.has(key)) continue;
      const place = new Place(address, port, (raw) => this.#take(raw), this.#options.log);
      this.#places.set(key, place);
      place.listen();
    }
  }

  /** The device certificate may be another one. */
  renew(): void {
    const { certificate, key } = this.#options.trust.identity;
    const options = { ...contextOptions({ oldest: this.#oldestTls, ciphers: '' }), cert: certificate, key };
    if (this.#tls === undefined) this.#tls = this.#makeTls(options);
    else this.#tls.setSecureContext(options);
  }

  close(): void {
    for (const place of this.#places.values()) place.close();
    this.#places.clear();
    for (const { raw } of this.#unknown.values()) raw.destroy();
  }

  #makeTls(options: ReturnType<typeof contextOptions>): TlsServer {
    const server = createTlsServer({
      ...options,
      requestCert: true,
      // It is judged here, by the bundle, once it is there.
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_MS,
    });
    server.on('secureConnection', (socket) => this.#judge(socket));
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      const pending = this.#unknown.get(nameOf(socket));
      if (pending !== undefined) this.#options.refusals.failed(pending.address, handshakeText(error));
      pending?.raw.destroy();
      socket.destroy();
    });
    return server;
  }

  #take(raw: Socket): void {
    const { refusals, patienceMs } = this.#options;
    const address = plainAddress(raw.remoteAddress);
    raw.on('error', () => undefined);
    const ofAddress = [...this.#unknown.values()].filter((pending) => pending.address === address).length;
    if (this.#unknown.size >= MOST_UNKNOWN || ofAddress >= MOST_UNKNOWN_OF_ADDRESS) {
      const crowd = ofAddress >= MOST_UNKNOWN_OF_ADDRESS ? `${ofAddress} of this address` : `${this.#unknown.size}`;
      refusals.crowded(address, `${crowd} are there already that have not shown who they are`);
      raw.destroy();
      return;
    }
    const name = nameOf(raw);
    this.#unknown.set(name, { raw, address });
    raw.on('close', () => {
      if (this.#unknown.get(name)?.raw === raw) this.#unknown.delete(name);
    });
    setSocketOptions(raw, patienceMs());
    this.#tls!.emit('connection', raw);
  }

  #judge(socket: TLSSocket): void {
    const { trust, standing, refusals, accept } = this.#options;
    const name = nameOf(socket);
    const pending = this.#unknown.get(name);
    this.#unknown.delete(name);
    if (pending === undefined) {
      socket.destroy();
      return;
    }
    const { raw, address } = pending;
    socket.on('error', () => undefined);
    socket.disableRenegotiation();
    const chain = peerChain(socket);
    const verdict = trust.judge(chain, 'client', new Date());
    if (!verdict.trusted) {
      refusals.refused(address, 'client', verdict);
      socket.destroy();
      raw.destroy();
      return;
    }
    this.#accepted++;
    const { subject, fingerprint, notAfter } = verdict;
    const channel = new TlsChannel(raw);
    channel.open(socket, { subject, fingerprint, notAfter });
    standing.add(channel, { peer: address, role: 'client', chain });
    raw.on('close', () => standing.remove(channel));
    channel.listen(accept(channel, address));
  }
}

const nameOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;

function handshakeText(error: NodeJS.ErrnoException): string {
  if (error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return `no TLS within ${HANDSHAKE_MS / 1000} s`;
  if (error.code === 'ECONNRESET') return 'it went before TLS was there';
  const reason = (error as { reason?: string }).reason ?? errorText(error);
  return `no TLS: ${reason}`;
}

/** One address that is listened on, or tried again until it can be. */
class Place {
  readonly #address: string;
  readonly #port: number;
  readonly #take: (raw: Socket) => void;
  readonly #log: Log;
  #server: Server | undefined;
  #retry: NodeJS.Timeout | undefined;
  #saidProblem = '';
  #hasNoIpv6 = false;
  #isClosed = false;

  constructor(address: string, port: number, take: (raw: Socket) => void, log: Log) {
    this.#address = address;
    this.#port = port;
    this.#take = take;
    this.#log = log;
  }

  get name(): string {
    if (this.#address === ANY_IPV6) return `any port ${this.#port}`;
    return `${this.#address} port ${this.#port}`;
  }

  get isListening(): boolean {
    return this.#server?.listening === true;
  }

  listen(): void {
    const server = createServer((raw) => this.#take(raw));
    this.#server = server;
    server.on('error', (error: NodeJS.ErrnoException) => this.#failed(server, error));
    const host = this.#hasNoIpv6 ? ANY_IPV4 : this.#address;
    server.listen({ host, port: this.#port, ipv6Only: false }, () => {
      this.#saidProblem = '';
      logEvent(this.#log, 'iquery-listening', `iQuery is served at ${this.name}`);
    });
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#server?.close();
  }

  #failed(server: Server, error: NodeJS.ErrnoException): void {
    server.close();
    if (this.#isClosed || server !== this.#server) return;
    if (this.#address === ANY_IPV6 && !this.#hasNoIpv6 && isNoIpv6(error)) {
      this.#hasNoIpv6 = true;
      this.listen();
      return;
    }
    if (this.#saidProblem !== error.code) {
      this.#saidProblem = error.code ?? 'unknown';
      logEvent(this.#log, 'iquery-unbound', `cannot listen at ${this.name}: ${bindText(error)}; tried again every 5 s`);
    }
    this.#retry = setTimeout(() => this.listen(), RETRY_MS);
  }
}

const isNoIpv6 = ({ code }: NodeJS.ErrnoException): boolean => code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL';

function bindText(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'another process has it; stop that, or write other addresses into sys db iqueryd.address';
    case 'EADDRNOTAVAIL':
      return 'this host has no such address';
    default:
      return errorText(error);
  }
}
