// `ltm profile dns`: what listeners answer, to whom, and how.

import { formatBareAddress, formatPrefix, isLimitedBroadcast, isMulticast, isUnspecified } from '../../core/address.ts';
import { networkOf, parseAddress, parsePrefix } from '../../core/address.ts';
import { choice, integer, pattern, patternList, port, reference, string, toggle, yesNo } from '../kinds.ts';
import { type CheckContext, objectType, type ObjectOf } from '../object-type.ts';
import type { Reading } from '../property.ts';

const SELF = { path: 'ltm profile dns', label: 'DNS profile', naming: 'full-path' } as const;

/** The profile that is always there: that of listeners which name none. */
export const DEFAULT_DNS_PROFILE = '/Common/dns';

/** What limits nobody. */
export const ALL_CLIENTS = 'all';

/** A reply has room for as much (RFC 5001 says 65535, which no datagram carries). */
const MAX_NSID_OCTETS = 255;

function readServer(word: string): Reading<string> {
  const address = word.includes('%') ? undefined : parseAddress(word);
  if (address === undefined) return { problem: 'must be an IP address without a route domain' };
  if (isUnspecified(address) || isMulticast(address) || isLimitedBroadcast(address)) {
    return { problem: 'must be an address that a server can have' };
  }
  return { value: formatBareAddress(address) };
}

function readClients(word: string): Reading<string> {
  const problem = 'must be all, none, or addresses and prefixes without a route domain, as in 10.0.0.0/8';
  if (word.includes('%')) return { problem };
  const single = parseAddress(word);
  const clients =
    single === undefined ? parsePrefix(word) : { address: single, length: single.family === 4 ? 32 : 128 };
  if (clients === undefined) return { problem };
  return { value: formatPrefix({ address: networkOf(clients), length: clients.length }) };
}

export const ltmProfileDns = objectType({
  ...SELF,
  runBy: 'dnsd',
  help: 'A profile that says what listeners answer, to whom, and how.',
  example: `
ltm profile dns authoritative {
    allow-clients {
        192.0.2.0/24
        2001:db8::/32
    }
    defaults-from dns
    process-rd no
    response-rate-limit 100
    unhandled-query-action reject
}
`,
  sync: 'device-group',
  inheritsBy: 'defaults-from',
  builtIn: { [DEFAULT_DNS_PROFILE]: {} },
  properties: {
    'allow-clients': patternList(
      { name: 'client', expects: 'an address or a prefix, as in 10.0.0.0/8', read: readClients },
      {
        default: [ALL_CLIENTS],
        wholes: [ALL_CLIENTS],
        help: 'Who is answered; others are refused. none: nobody.',
        extension: true,
      },
    ),
    'avr-dnsstat-sample-rate': integer(
      { min: 0, max: 0xffff_ffff },
      { default: 0, help: 'How many queries stand for one in statistics.', inert: true },
    ),
    cache: string({ help: 'The cache.', inert: true }),
    'chaos-names': toggle({
      default: true,
      help: 'Whether version.bind, hostname.bind and the like (class CHAOS, RFC 4892) are answered.',
      extension: true,
    }),
    cookies: toggle({
      default: true,
      help: 'Whether clients that send DNS cookies get one of ours (RFC 7873, RFC 9018).',
      extension: true,
    }),
    'defaults-from': reference([SELF], { help: 'The profile that gives every value which is not set here.' }),
    description: string({ help: 'Text for people.' }),
    'dns-security': string({ help: 'The DNS security profile.', inert: true }),
    dns64: choice(['disabled', 'immediate', 'secondary', 'v4-only'], {
      default: 'disabled',
      help: 'Whether AAAA records are made of A records (RFC 6147).',
      inert: true,
    }),
    'dns64-additional-section-rewrite': choice(['disabled', 'any', 'v4-only', 'v6-only'], {
      default: 'disabled',
      help: 'Whether that is done in the additional section, too.',
      inert: true,
    }),
    'dns64-prefix': string({ default: 'any6', help: 'The prefix of such AAAA records.', inert: true }),
    'edns0-client-subnet-insert': toggle({
      default: false,
      help: 'Whether queries that are handed on say where the client is (RFC 7871).',
    }),
    'enable-cache': yesNo({ default: false, help: 'Whether there is a cache.', inert: true }),
    'enable-dns-express': yesNo({
      default: true,
      help: 'Whether zones of DNS Express are answered from.',
      inert: true,
    }),
    'enable-dns-firewall': yesNo({ default: false, help: 'Whether there is a DNS firewall.', inert: true }),
    'enable-dnssec': yesNo({ default: true, help: 'Whether answers are signed.', inert: true }),
    'enable-gtm': yesNo({ default: true, help: 'Whether wide IPs are answered.' }),
    'enable-hardware-query-validation': yesNo({
      default: false,
      help: 'Whether hardware looks at queries.',
      inert: true,
    }),
    'enable-hardware-response-cache': yesNo({ default: false, help: 'Whether hardware answers.', inert: true }),
    'enable-logging': yesNo({
      default: false,
      help: 'Whether queries and answers are logged; here wideplane dns log shows them on demand.',
      inert: true,
    }),
    'enable-rapid-response': yesNo({
      default: false,
      help: 'Whether zones of DNS Express alone are asked.',
      inert: true,
    }),
    'local-bind-address': pattern(
      { name: 'ip-address', expects: 'an IP address without a route domain', read: readServer },
      {
        help: 'Where BIND is that queries are handed to which nothing here answers; none: there is none.',
        extension: true,
      },
    ),
    'local-bind-port': port({ default: 53, help: 'The port of that BIND.', extension: true }),
    'log-profile': string({ help: 'The DNS logging profile.', inert: true }),
    'max-udp-size': integer(
      { min: 512, max: 4096 },
      {
        default: 1232,
        help: 'Octets of the longest reply over UDP, to clients that take as much (RFC 6891, section 6.2.5).',
        extension: true,
      },
    ),
    nsid: pattern(
      {
        name: 'string',
        expects: `a text of at most ${MAX_NSID_OCTETS} octets`,
        read: (word) =>
          new TextEncoder().encode(word).length > MAX_NSID_OCTETS
            ? { problem: `must be a text of at most ${MAX_NSID_OCTETS} octets` }
            : { value: word },
      },
      { help: 'What says which server answered, to those who ask (RFC 5001); none: nothing.', extension: true },
    ),
    'process-rd': yesNo({
      default: true,
      help: 'Whether queries that ask for recursion (RD) are processed; with no they are handled as unhandled ones.',
    }),
    'process-xfr': yesNo({ default: false, help: 'Whether zone transfers are answered.', inert: true }),
    'rapid-response-last-action': choice(['allow', 'drop', 'noerror', 'nxdomain', 'refuse', 'truncate'], {
      default: 'drop',
      help: 'What becomes of queries that DNS Express does not answer then.',
      inert: true,
    }),
    'response-rate-limit': integer(
      { min: 0, max: 1_000_000 },
      {
        default: 0,
        help: 'Equal replies a second over UDP to one network of clients; 0: no limit.',
        extension: true,
      },
    ),
    'response-rate-limit-ipv4-prefix': integer(
      { min: 8, max: 32 },
      { default: 24, help: 'Length of the prefix that makes a network of IPv4 clients.', extension: true },
    ),
    'response-rate-limit-ipv6-prefix': integer(
      { min: 16, max: 128 },
      { default: 56, help: 'Length of the prefix that makes a network of IPv6 clients.', extension: true },
    ),
    'response-rate-limit-slip': integer(
      { min: 0, max: 10 },
      {
        default: 2,
        help: 'Of replies over the limit one in so many is sent truncated, so that a client asks over TCP; 0: none.',
        extension: true,
      },
    ),
    'unhandled-query-action': choice(['allow', 'drop', 'hint', 'noerror', 'reject'], {
      default: 'allow',
      help:
        'What becomes of a query that nothing here answers: allow hands it on where the listener has a pool; hint, ' +
        'noerror and reject answer it, with the root servers, without records, or as refused.',
    }),
    'use-local-bind': yesNo({ default: true, help: 'Whether such a query is handed to local-bind-address first.' }),
  },
  check(objects, context) {
    for (const object of objects) {
      const { cache, 'enable-cache': hasCache } = object.properties;
      if (hasCache && cache === undefined) {
        context.error(object, `DNS profile (${object.name}): enable-cache yes needs a cache.`, {
          property: 'enable-cache',
          value: 'yes',
          hint: 'Add cache NAME, or write enable-cache no.',
        });
      }
      warnOfIdle(object, context);
    }
  },
});

export type DnsProfile = ObjectOf<typeof ltmProfileDns>;

const OF_BIND = ['local-bind-port'] as const;
const OF_RATE_LIMIT = [
  'response-rate-limit-ipv4-prefix',
  'response-rate-limit-ipv6-prefix',
  'response-rate-limit-slip',
] as const;

/** Values that were set and mean nothing without another one. */
function warnOfIdle(object: DnsProfile, context: CheckContext): void {
  const { properties } = object;
  const warn = (names: readonly (keyof typeof properties)[], needed: string): void => {
    for (const property of names) {
      if (properties[property] === ltmProfileDns.properties[property].default) continue;
      context.warn(object, `DNS profile (${object.name}): ${property} has no effect without ${needed}.`, { property });
    }
  };
  if (properties['local-bind-address'] === undefined) warn(OF_BIND, 'local-bind-address');
  if (properties['response-rate-limit'] === 0) warn(OF_RATE_LIMIT, 'response-rate-limit');
}
