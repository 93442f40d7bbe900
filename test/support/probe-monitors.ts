// Monitors as the probers get them, with what a test says and the defaults of a BIG-IP otherwise.

import type { Exchange, Monitor, ProbeSpec, TlsOptions } from '../../src/health/monitor.ts';
import type { Prober, ProbeOutcome, ProbePlace } from '../../src/health/probe.ts';

export function monitorOf(probe: ProbeSpec, changes: Partial<Monitor> = {}): Monitor {
  return {
    module: 'ltm',
    type: probe.type,
    name: `/Common/${probe.type}`,
    timing: {
      interval: 5000,
      timeout: 16_000,
      upInterval: 0,
      timeUntilUp: 0,
      probeTimeout: 5000,
      probeAttempts: 1,
      probeInterval: 1000,
    },
    probe,
    isReverse: false,
    isTransparent: false,
    address: undefined,
    port: undefined,
    manualResume: false,
    ignoresDownResponse: false,
    flapLimit: undefined,
    ...changes,
  };
}

const exchangeOf = (exchange: Partial<Exchange>): Exchange => ({
  send: '',
  receive: '',
  receiveDisable: '',
  ...exchange,
});

/** What a probe of HTTP sends when nothing else is said. */
const GET = String.raw`GET /\r\n`;

export const tcp = (exchange: Partial<Exchange> = {}): ProbeSpec => ({ type: 'tcp', exchange: exchangeOf(exchange) });

export const udp = (exchange: Partial<Exchange> = {}): ProbeSpec => ({
  type: 'udp',
  exchange: exchangeOf({ send: 'default send string', ...exchange }),
});

export const http = (exchange: Partial<Exchange> = {}, username = '', password = ''): ProbeSpec => ({
  type: 'http',
  exchange: exchangeOf({ send: GET, ...exchange }),
  username,
  password,
});

export const https = (exchange: Partial<Exchange> = {}, tls: Partial<TlsOptions> = {}): ProbeSpec => ({
  type: 'https',
  exchange: exchangeOf({ send: GET, ...exchange }),
  username: '',
  password: '',
  tls: { ciphers: 'DEFAULT', certificate: '', key: '', serverName: '', verify: false, authorities: '', ...tls },
});

export const dns = (changes: Partial<Extract<ProbeSpec, { type: 'dns' }>> = {}): ProbeSpec => ({
  type: 'dns',
  name: 'www.example.test',
  recordType: 'a',
  contains: 'query-type',
  acceptsRcode: 'no-error',
  receive: '',
  ...changes,
});

export const placeAt = (address: string, port: number): ProbePlace => ({
  family: address.includes(':') ? 6 : 4,
  address,
  port,
  via: undefined,
});

/** The outcome of one probe; rejects when it calls back twice, or before it returns. */
export function probeOnce(prober: Prober, monitor: Monitor, place: ProbePlace, timeout = 1000): Promise<ProbeOutcome> {
  return new Promise((resolve, reject) => {
    let calls = 0;
    let hasReturned = false;
    prober.probe(monitor, place, timeout, (outcome) => {
      if (!hasReturned) reject(new Error('called back before it returned'));
      if (++calls > 1) throw new Error('called back twice');
      resolve(outcome);
    });
    hasReturned = true;
  });
}
