// Asks a BIG-IP's iControl REST, over TLS whose certificate is judged before a password is sent: a device's web server shows the
// certificate that iQuery does, so the same bundle counts.

import type { ClientRequestArgs } from 'node:http';
import { Agent, request } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { errorText } from '../../core/errors.ts';
import type { TrustStore } from '../../trust/trust-store.ts';
import { peerChain } from './peer-chain.ts';

/** Why nothing was read; the message is for a person. */
export class IcontrolError extends Error {
  override readonly name = 'IcontrolError';
}

export type IcontrolTarget = {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
};

/** For all of an answer. */
const ANSWER_MS = 10_000;
const MOST_OCTETS = 32 << 20;

export class IcontrolClient {
  readonly #target: IcontrolTarget;
  readonly #agent: JudgedAgent;

  constructor(target: IcontrolTarget, trust: Pick<TrustStore, 'judge'>) {
    this.#target = target;
    this.#agent = new JudgedAgent(trust);
  }

  /** The answer to a GET, which is JSON. Throws an IcontrolError. */
  get(path: string): Promise<unknown> {
    const { address, port, user, password } = this.#target;
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    return new Promise((resolve, reject) => {
      const fail = (reason: string): void => reject(new IcontrolError(`${path}: ${reason}`));
      const asked = request({
        ...{ host: address, port, path, method: 'GET', agent: this.#agent },
        headers: { authorization, accept: 'application/json' },
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      asked.on('error', (error: NodeJS.ErrnoException) => fail(reasonOf(error)));
      asked.on('response', (response) => {
        const pieces: Buffer[] = [];
        let octets = 0;
        response.on('error', (error: NodeJS.ErrnoException) => fail(reasonOf(error)));
        response.on('data', (piece: Buffer) => {
          pieces.push(piece);
          octets += piece.length;
          if (octets <= MOST_OCTETS) return;
          response.destroy();
          fail(`its answer has more than ${MOST_OCTETS >> 20} MB`);
        });
        response.on('end', () => {
          const status = response.statusCode ?? 0;
          if (status === 401) {
            fail('the user or the password is refused (401): see icontrol-user and icontrol-password');
            return;
          }
          if (status !== 200) {
            fail(`status ${status}`);
            return;
          }
          try {
            resolve(JSON.parse(Buffer.concat(pieces).toString('utf8')) as unknown);
          } catch {
            fail('its answer is no JSON');
          }
        });
      });
      asked.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

type Created = (error: Error | null, socket: Duplex) => void;

/** One connection at a time, which is trusted before it is used. */
class JudgedAgent extends Agent {
  readonly #trust: Pick<TrustStore, 'judge'>;

  constructor(trust: Pick<TrustStore, 'judge'>) {
    super({ keepAlive: true, maxSockets: 1 });
    this.#trust = trust;
  }

  override createConnection({ host, port }: ClientRequestArgs, callback?: Created): undefined {
    const created: Created = callback ?? (() => undefined);
    const socket = connectTls({
      ...{ host: host ?? '', port: Number(port) },
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      minVersion: 'TLSv1.2',
    });
    const failed = (error: Error): void => created(error, socket);
    socket.once('error', failed);
    socket.once('secureConnect', () => {
      socket.off('error', failed);
      const verdict = this.#trust.judge(peerChain(socket), 'server', new Date());
      if (verdict.trusted) {
        created(null, socket);
        return;
      }
      socket.on('error', () => undefined);
      socket.destroy();
      created(new IcontrolError(`its certificate is refused: ${verdict.reason}; ${verdict.fix}`), socket);
    });
  }
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error instanceof IcontrolError) return error.message;
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return `no answer within ${ANSWER_MS / 1000} s`;
  return error.code === 'ECONNREFUSED' ? 'connection refused' : errorText(error);
}
