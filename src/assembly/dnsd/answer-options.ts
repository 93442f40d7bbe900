// What the responder of a listener is given, from the properties of its profile.

import { ALL_CLIENTS, type DnsProfile } from '../../config/types/ltm-profile-dns.ts';
import { parsePrefix } from '../../core/address.ts';
import { packPrefixes } from '../../dns/client-list.ts';
import type { ChaosNames } from '../../dns/chaos.ts';
import type { RateLimit } from '../../dns/rate-limiter.ts';
import type { ResponderOptions } from '../../dns/responder-options.ts';

/** What all listeners of this daemon share. */
export type OwnFacts = {
  readonly cookieKey: Uint8Array;
  readonly chaos: ChaosNames;
};

export function answerOptions({ properties }: DnsProfile, { cookieKey, chaos }: OwnFacts): ResponderOptions {
  const clients = properties['allow-clients'];
  const rateLimit = rateLimitOf(properties);
  return {
    unhandled: properties['unhandled-query-action'],
    udpOctets: properties['max-udp-size'],
    asksWideIps: properties['enable-gtm'],
    processRd: properties['process-rd'],
    hasBackend: backendOf(properties) !== undefined,
    ...(clients.includes(ALL_CLIENTS)
      ? {}
      : { allowedClients: packPrefixes(clients.map((text) => parsePrefix(text)!)) }),
    ...(rateLimit === undefined ? {} : { rateLimit }),
    ...(properties.nsid === undefined ? {} : { nsid: new TextEncoder().encode(properties.nsid) }),
    ...(properties.cookies ? { cookieKey } : {}),
    ...(properties['chaos-names'] ? { chaos } : {}),
  };
}

/** The name server that queries are handed to; undefined: none. */
export function backendOf(properties: DnsProfile['properties']): { address: string; port: number } | undefined {
  const address = properties['local-bind-address'];
  if (address === undefined || !properties['use-local-bind']) return undefined;
  return { address, port: properties['local-bind-port'] };
}

function rateLimitOf(properties: DnsProfile['properties']): RateLimit | undefined {
  const perSecond = properties['response-rate-limit'];
  if (perSecond === 0) return undefined;
  return {
    perSecond,
    slip: properties['response-rate-limit-slip'],
    ipv4Prefix: properties['response-rate-limit-ipv4-prefix'],
    ipv6Prefix: properties['response-rate-limit-ipv6-prefix'],
  };
}
