// What a BIG-IP's big3d shows over iQuery, as far as is public: TLS with certificates of both sides, the greeting, and then elements
// that nobody knows, some of them compressed if that is wished for. What it is sent is counted and not answered.

import { createServer, type Server, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { constants, createGzip } from 'node:zlib';

/** The greeting of the only sample there is. */
export const BIG3D_GREETING =
  '<xml_connection>\n<version>16.1.3.3</version>\n<big3d>big3d Version 16.1.3.3.0.0.3</big3d>\n<connection_id>847</connection_id>\n';

/** Names of ours among them, which say something else there. */
const CHATTER = [
  '<server ip="10.1.1.5"><cpu>12</cpu><vs><ip>10.1.1.80</ip><port>http</port><state>up</state></vs></server>\n',
  '<probe_response><probe_id>17</probe_id><rtt units="us">1200</rtt></probe_response>\n',
  '<heartbeat/>\n',
  '<kernel_stats><![CDATA[a < b]]></kernel_stats>\n',
];

export type FakeBig3dOptions = {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  readonly address?: string;
  readonly port?: number;
  /** Certificates of clients that it lets in, PEM; default: anybody's, but one there must be. */
  readonly trusted?: readonly string[];
  /** Behind the greeting all is compressed. */
  readonly isCompressed?: boolean;
  /** How often it says something, in milliseconds; 0: only its greeting, and then nothing for as long as it lasts. */
  readonly everyMs?: number;
};

export class FakeBig3d {
  readonly #server: Server;
  readonly #sockets = new Set<TLSSocket>();
  readonly #options: FakeBig3dOptions;
  /** Connections that were let in, and those that were not. */
  welcomed = 0;
  refused = 0;
  /** Octets that clients have sent. */
  received = 0;

  private constructor(options: FakeBig3dOptions) {
    this.#options = options;
    const { certificate: cert, key } = options;
    this.#server = createServer({ cert, key, requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.2' });
    this.#server.on('secureConnection', (socket) => this.#welcome(socket));
    this.#server.on('tlsClientError', () => this.refused++);
  }

  static async start(options: FakeBig3dOptions): Promise<FakeBig3d> {
    const fake = new FakeBig3d(options);
    fake.#server.listen(options.port ?? 0, options.address ?? '127.0.0.1');
    await once(fake.#server, 'listening');
    return fake;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that stand. */
  get connections(): number {
    return this.#sockets.size;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #welcome(socket: TLSSocket): void {
    socket.on('error', () => undefined);
    if (!this.#lets(socket)) {
      this.refused += 1;
      socket.destroy();
      return;
    }
    this.welcomed += 1;
    this.#sockets.add(socket);
    socket.on('data', (octets: Buffer) => (this.received += octets.length));
    socket.write(BIG3D_GREETING);
    const { isCompressed = false, everyMs = 200 } = this.#options;
    const gzip = isCompressed ? createGzip({ flush: constants.Z_SYNC_FLUSH }) : undefined;
    gzip?.on('data', (octets: Buffer) => socket.write(octets));
    let count = 0;
    const timer =
      everyMs === 0
        ? undefined
        : setInterval(() => {
            const text = CHATTER[count++ % CHATTER.length]!;
            if (gzip === undefined) socket.write(text);
            else gzip.write(text);
          }, everyMs);
    socket.on('close', () => {
      clearInterval(timer);
      gzip?.destroy();
      this.#sockets.delete(socket);
    });
  }

  #lets(socket: TLSSocket): boolean {
    const shown = socket.getPeerX509Certificate();
    const { trusted } = this.#options;
    return (
      shown !== undefined && (trusted === undefined || trusted.some((pem) => pem.trim() === shown.toString().trim()))
    );
  }
}
