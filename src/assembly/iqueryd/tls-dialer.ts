// Dials others: a connection, TLS, a verdict on the certificate of who answers, and then messages.

import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { errorText } from '../../core/errors.ts';
import type { PeerServer } from '../../iquery/mesh-feature.ts';
import type { ChannelEvents, MeshTransport, MessageChannel } from '../../iquery/mesh-transport.ts';
import type { TrustStore } from '../../trust/trust-store.ts';
import { peerChain } from './peer-chain.ts';
import type { Refusals } from './refusals.ts';
import { setSocketOptions } from './socket-options.ts';
import type { StandingConnections } from './standing.ts';
import { TlsChannel } from './tls-channel.ts';
import { contextOptions, type TlsSettings } from './tls-settings.ts';

/** For a connection, TLS and a verdict together. */
const OPEN_MS = 10_000;

export type TlsDialerOptions = {
  readonly trust: TrustStore;
  readonly standing: StandingConnections;
  readonly refusals: Refusals;
  readonly patienceMs: () => number;
  readonly port: () => number;
  /** How a `gtm server` is spoken to. */
  readonly settingsOf: (server: string) => TlsSettings;
};

export class TlsDialer implements MeshTransport {
  readonly compression = ['gzip'];
  readonly #options: TlsDialerOptions;
  /** Octets that were lost with connections, by server and address. */
  readonly #dropped = new Map<string, number>();

  constructor(options: TlsDialerOptions) {
    this.#options = options;
  }

  dial(peer: PeerServer, events: ChannelEvents): MessageChannel {
    const { patienceMs, port } = this.#options;
    const raw = connect({ host: peer.address, port: port() });
    const channel = new TlsChannel(raw, events);
    const late = setTimeout(() => channel.fail(lateText(raw)), OPEN_MS);
    raw.on('error', (error) => channel.fail(connectText(error)));
    raw.on('close', () => {
      clearTimeout(late);
      this.#noteDropped(peer, channel.octetsDropped);
      channel.fail('the other side ended the connection');
    });
    raw.on('connect', () => {
      setSocketOptions(raw, patienceMs());
      if (!channel.isOver) this.#secure(raw, peer, channel, events, late);
    });
    return channel;
  }

  /** Octets that were sent to it and not taken by the network when their connection ended. */
  droppedOf(peer: PeerServer): number {
    return this.#dropped.get(keyOf(peer)) ?? 0;
  }

  #noteDropped(peer: PeerServer, octets: number): void {
    if (octets > 0) this.#dropped.set(keyOf(peer), this.droppedOf(peer) + octets);
  }

  #secure(raw: Socket, peer: PeerServer, channel: TlsChannel, events: ChannelEvents, late: NodeJS.Timeout): void {
    const { trust, standing, refusals, settingsOf } = this.#options;
    const { certificate, key } = trust.identity;
    const socket = connectTls({
      socket: raw,
      ...contextOptions(settingsOf(peer.server)),
      cert: certificate,
      key,
      // It is judged here, by the bundle: names in certificates of devices say nothing.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
    const failed = (error: NodeJS.ErrnoException): void => channel.fail(tlsText(error));
    socket.once('error', failed);
    socket.once('secureConnect', () => {
      clearTimeout(late);
      if (channel.isOver) return;
      const chain = peerChain(socket);
      const verdict = trust.judge(chain, 'server', new Date());
      if (!verdict.trusted) {
        refusals.refused(`${peer.server} at ${peer.address}`, 'server', verdict);
        socket.on('error', () => undefined);
        channel.fail(`its certificate is refused: ${verdict.reason}; ${verdict.fix}`);
        return;
      }
      const { subject, fingerprint, notAfter } = verdict;
      channel.open(socket, { subject, fingerprint, notAfter });
      socket.removeListener('error', failed);
      standing.add(channel, { peer: `${peer.server} at ${peer.address}`, role: 'server', chain });
      raw.on('close', () => standing.remove(channel));
      channel.listen(events);
      events.opened();
    });
  }
}

const keyOf = ({ server, address }: PeerServer): string => `${server}\t${address}`;

function lateText(raw: Socket): string {
  return raw.connecting ? `no connection within ${OPEN_MS / 1000} s` : `no TLS within ${OPEN_MS / 1000} s`;
}

function connectText(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'connection refused: nothing serves iQuery there';
    case 'ECONNRESET':
      return 'connection reset by the other side';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'there is no route to it';
    case 'ETIMEDOUT':
      return 'nothing is acknowledged any more';
    default:
      return errorText(error);
  }
}

function tlsText(error: NodeJS.ErrnoException): string {
  const { reason, code } = error as { reason?: string; code?: string };
  if (code === 'ECONNRESET') return 'the other side ended the connection before TLS was there';
  return `no TLS: ${reason ?? errorText(error)}`;
}
