// Serves `GET /metrics` over HTTP. There is nothing to authenticate by: who is not to read them is kept away by the address.

import { createServer, type Server, type ServerResponse } from 'node:http';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { CONTENT_TYPE } from './scraper.ts';

export type ListenPlace = { readonly address: string; readonly port: number };

const RETRY_MS = 5000;
const REQUEST_MS = 10_000;
const MOST_CONNECTIONS = 64;
/** Longer than scrapes are apart, so that one connection lasts. */
const KEEP_ALIVE_MS = 75_000;

const LIMITS = { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, keepAliveTimeout: KEEP_ALIVE_MS };

export class MetricsServer {
  readonly #scrape: () => Promise<string>;
  readonly #log: Log;
  #server: Server | undefined;
  #place: ListenPlace | undefined;
  #retry: NodeJS.Timeout | undefined;
  #problem: string | undefined;

  constructor(scrape: () => Promise<string>, log: Log) {
    this.#scrape = scrape;
    this.#log = log;
  }

  /** Where it cannot listen at present, and why. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Goes over to a place, or to none; what cannot be bound is tried again. */
  async want(place: ListenPlace | undefined): Promise<void> {
    if (place?.address === this.#place?.address && place?.port === this.#place?.port) return;
    await this.close();
    this.#place = place;
    if (place !== undefined) await this.#open(place);
  }

  async close(): Promise<void> {
    clearTimeout(this.#retry);
    const server = this.#server;
    this.#server = undefined;
    this.#place = undefined;
    this.#problem = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  async #open(place: ListenPlace): Promise<void> {
    const { address, port } = place;
    const where = `${address.includes(':') ? `[${address}]` : address}:${port}`;
    const server = createServer(LIMITS, (request, response) => {
      void this.#answer(request.method ?? '', request.url ?? '', response);
    });
    server.maxConnections = MOST_CONNECTIONS;
    const problem = await new Promise<string | undefined>((resolve) => {
      server.once('error', (error) => resolve(errorText(error)));
      server.listen(port, address, () => resolve(undefined));
    });
    if (this.#place !== place) {
      server.close();
      return;
    }
    if (problem === undefined) {
      server.on('error', () => undefined);
      this.#server = server;
      this.#problem = undefined;
      logEvent(this.#log, 'metrics-listening', `metrics are served at http://${where}/metrics`);
      return;
    }
    if (this.#problem !== problem) logEvent(this.#log, 'metrics-unbound', `cannot listen at ${where}: ${problem}`);
    this.#problem = problem;
    this.#retry = setTimeout(() => void this.#open(place), RETRY_MS);
  }

  async #answer(method: string, url: string, response: ServerResponse): Promise<void> {
    const path = url.split('?')[0];
    if (method !== 'GET' && method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end('GET /metrics\n');
      return;
    }
    if (path !== '/metrics') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('There is only /metrics here.\n');
      return;
    }
    try {
      const text = await this.#scrape();
      response.writeHead(200, { 'content-type': CONTENT_TYPE }).end(method === 'HEAD' ? undefined : text);
    } catch (error) {
      response.writeHead(500, { 'content-type': 'text/plain' }).end(`${errorText(error)}\n`);
    }
  }
}
