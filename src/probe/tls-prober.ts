// Probes by TLS over TCP: monitors of type https. The certificate of a target counts only where the monitor verifies it.

import { Socket, isIP } from 'node:net';
import { checkServerIdentity, connect, type PeerCertificate, type SecureContext, type TLSSocket } from 'node:tls';
import type { Monitor, ProbeSpec } from '../health/monitor.ts';
import type { Cancel, ProbeOutcome } from '../health/probe.ts';
import type { Deadlines } from './deadlines.ts';
import { planOf } from './exchange-plan.ts';
import { impossibleLater } from './outcome.ts';
import { type RoutedPlace, streamOf, streamOptions } from './probe-socket.ts';
import { boundedText } from './shown-text.ts';
import { StreamProbe } from './stream-probe.ts';
import { resetSocket } from './stream-prober.ts';
import { TlsContexts } from './tls-contexts.ts';

type HttpsSpec = Extract<ProbeSpec, { type: 'https' }>;

/** TLS sessions that are kept to go on with, each some 2 kB. */
const MAX_SESSIONS = 10_000;

export class TlsProber {
  readonly #deadlines: Deadlines;
  readonly #contexts = new TlsContexts();
  readonly #sessions = new WeakMap<SecureContext, Map<string, Buffer>>();

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  probe(monitor: Monitor, place: RoutedPlace, timeout: number, done: (outcome: ProbeOutcome) => void): Cancel {
    const { exchange, tls } = monitor.probe as HttpsSpec;
    const plan = planOf(monitor, exchange);
    if (typeof plan === 'string') return impossibleLater(plan, done);
    const context = this.#contexts.contextOf(tls);
    if (typeof context === 'string') return impossibleLater(context, done);

    const socket = new Socket({ allowHalfOpen: true, ...streamOptions(place) });
    const probe = new StreamProbe(
      plan,
      {
        write: (octets) => secure.write(octets),
        abandon: () => {
          resetSocket(socket);
          secure.destroy();
        },
      },
      timeout,
      this.#deadlines,
      done,
    );
    const sessions = tls.verify ? undefined : this.#sessionsOf(context);
    const target = `${place.address} ${place.port} ${tls.serverName}`;
    socket.connect({ host: place.address, port: place.port, family: place.family });
    const secure = connect({
      // Not over the handle of the socket: the probe resets that at any moment, and Node.js would crash.
      socket: streamOf(socket),
      host: place.address,
      // The name in the certificate is compared below, where it can be said what is wrong.
      ...(tls.serverName === '' || isIP(tls.serverName) !== 0 ? {} : { servername: tls.serverName }),
      secureContext: context,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...sessionOf(sessions?.get(target)),
    });
    socket.on('connect', () => {
      if (probe.phase === 'connecting') probe.phase = 'handshake';
    });
    socket.on('error', (error: Error) => fail(probe, error));
    secure.on('error', (error: Error) => fail(probe, error));
    secure.on('secureConnect', () => {
      const wrong = tls.verify ? certificateFault(secure, tls.serverName || place.address) : undefined;
      if (wrong === undefined) probe.opened();
      else probe.finish('wrong', wrong);
    });
    if (sessions !== undefined) secure.on('session', (session: Buffer) => keep(sessions, target, session));
    secure.on('data', (chunk: Buffer) => probe.received(chunk, chunk.length));
    secure.on('end', () => end(probe));
    secure.on('close', () => end(probe));
    return () => probe.cancel();
  }

  /**
   * Sessions by target. One saves both ends the expensive half of a handshake; since no certificate is sent with it, whoever
   * verifies has none, and those with a certificate of ours end with it.
   */
  #sessionsOf(context: SecureContext): Map<string, Buffer> {
    const sessions = this.#sessions.get(context) ?? new Map<string, Buffer>();
    this.#sessions.set(context, sessions);
    return sessions;
  }
}

const sessionOf = (session: Buffer | undefined): { session?: Buffer } => (session === undefined ? {} : { session });

function keep(sessions: Map<string, Buffer>, target: string, session: Buffer): void {
  if (sessions.size >= MAX_SESSIONS && !sessions.has(target)) {
    const oldest = sessions.keys().next().value;
    if (oldest !== undefined) sessions.delete(oldest);
  }
  sessions.set(target, session);
}

function fail(probe: StreamProbe, error: Error & { code?: string; reason?: string }): void {
  const isOfTls = error.code === 'EPROTO' || error.code?.startsWith('ERR_SSL') === true;
  if (isOfTls) {
    const words = boundedText(error.reason ?? error.message, 120);
    probe.finish('wrong', `${probe.phase === 'open' ? 'TLS' : 'TLS handshake failed'}: ${words}`);
  } else if (probe.phase === 'handshake' && (error.code === 'ECONNRESET' || error.code === 'EPIPE')) {
    end(probe);
  } else {
    probe.failed(error);
  }
}

function end(probe: StreamProbe): void {
  if (probe.phase === 'handshake') probe.finish('wrong', 'the connection was closed in the TLS handshake');
  else probe.ended('closed');
}

const FAULTS: Record<string, string> = {
  CERT_HAS_EXPIRED: 'it has expired',
  CERT_NOT_YET_VALID: 'it is not valid yet',
  CERT_REVOKED: 'it is revoked',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its authority is unknown: it is signed by itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'its authority is unknown',
  UNABLE_TO_GET_ISSUER_CERT: 'its authority is unknown',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its authority is unknown',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its authority is unknown',
  INVALID_CA: 'its authority may sign none',
  INVALID_PURPOSE: 'it is not for servers',
};

/** What is wrong with the certificate that the target has shown; undefined: nothing. `name`: a name, or an address. */
function certificateFault(secure: TLSSocket, name: string): string | undefined {
  const certificate = secure.getPeerCertificate() as PeerCertificate | undefined;
  if (certificate === undefined || Object.keys(certificate).length === 0) return 'certificate: there is none';
  if (!secure.authorized) {
    const code = String(
      (secure.authorizationError as NodeJS.ErrnoException | undefined)?.code ?? secure.authorizationError,
    );
    const until = code === 'CERT_HAS_EXPIRED' ? ` (${boundedText(certificate.valid_to, 40)})` : '';
    return `certificate: ${FAULTS[code] ?? code}${until}`;
  }
  const mismatch = checkServerIdentity(name, certificate);
  if (mismatch === undefined) return undefined;
  const names = certificate.subjectaltname ?? commonName(certificate);
  return `certificate: it is not for ${name}, but for ${boundedText(names, 120)}`;
}

function commonName({ subject }: PeerCertificate): string {
  const name = (subject as { CN?: string | string[] } | undefined)?.CN;
  return name === undefined ? 'nobody' : `CN ${String(name)}`;
}
