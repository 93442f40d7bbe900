// `gtm global-settings general`, `load-balancing` and `metrics`: what holds for all wide IPs.

import { MAX_COUNT } from '../gtm-kinds.ts';
import { choice, choiceList, integer, patternList, pattern, string, toggle, yesNo } from '../kinds.ts';
import { type CheckContext, objectType, type ObjectOf } from '../object-type.ts';
import type { ScalarKind } from '../property.ts';
import { cipherListKind, SHIPPED_CIPHER_LIST, SHIPPED_TLS_VERSION, TLS_VERSIONS, warnOfOldTls } from '../tls-kinds.ts';

/** What can be replied when nothing can be answered. */
export const FAILURE_RCODES = ['noerror', 'formerr', 'servfail', 'nxdomain', 'notimpl', 'refused'] as const;

const fileKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'path',
  expects: 'the full path of a file',
  read: (word) =>
    !word.startsWith('/') || word.includes('\0') || word.endsWith('/')
      ? { problem: 'must be the full path of a file' }
      : { value: word },
  print: (value) => value,
};

/** Of automatic-configuration-save-timeout, as on a BIG-IP. */
export const NEVER_SAVED = 86_400;

const LEAST_TOLERANCE = 5;

const count = (value: number, help: string) => integer({ min: 0, max: MAX_COUNT }, { default: value, help });
const inertCount = (value: number, help: string) =>
  integer({ min: 0, max: MAX_COUNT }, { default: value, help, inert: true });

export const gtmGlobalSettingsGeneral = objectType({
  path: 'gtm global-settings general',
  label: 'GTM Global Settings',
  runBy: 'dnsd',
  readBy: ['healthd', 'iqueryd'],
  help: 'What holds for all wide IPs.',
  example: `
gtm global-settings general {
    static-persist-cidr-ipv4 24
    wideip-zone-nameserver ns1.example.com
}
`,
  naming: 'singleton',
  sync: 'gtm',
  properties: {
    'allow-nxdomain-override': yesNo({
      default: false,
      help: 'Whether other sources may answer what has no name here.',
      inert: true,
    }),
    'auto-discovery': yesNo({ default: false, help: 'Whether virtual servers are found that other machines have.' }),
    'auto-discovery-interval': count(30, 'Seconds between two looks at what virtual servers others have.'),
    'automatic-configuration-save-timeout': integer(
      { min: 0, max: NEVER_SAVED },
      {
        default: 15,
        help: `Seconds after which a configuration that came from another member is saved. ${NEVER_SAVED}: never.`,
      },
    ),
    'cache-ldns-servers': yesNo({
      default: true,
      help: 'Whether resolvers are remembered that ask for what goes by paths.',
    }),
    'domain-name-check': choice(['allow-underscore', 'idn-compatible', 'none', 'strict'], {
      default: 'allow-underscore',
      help: 'What names of wide IPs and aliases may hold: letters, digits and - (strict), _ too, or anything.',
    }),
    'drain-persistent-requests': yesNo({
      default: true,
      help: 'Whether persistence goes on with a pool or a member that was disabled.',
    }),
    'forward-status': toggle({ default: false, help: 'Whether states are handed on.', inert: true }),
    'geoip-databases': patternList(fileKind, {
      default: [],
      help: 'Files in the format of MaxMind databases, which say where addresses are; the first that knows something is right.',
      extension: true,
    }),
    'gtm-sets-recursion': yesNo({
      default: false,
      help: 'Whether replies say that recursion is available.',
      inert: true,
    }),
    'heartbeat-interval': integer(
      { min: 0, max: 10 },
      { default: 10, help: 'Seconds between signs of life over iQuery, three of which are missed; 0 is 1.' },
    ),
    'iquery-cipher-list': pattern(cipherListKind, {
      default: SHIPPED_CIPHER_LIST,
      help: 'Ciphers of iQuery with those that are dialled, for TLSv1.2; as shipped: those of them that authenticate what they encrypt.',
    }),
    // Defaults as published lists of the properties have them; iquery-use-revoked-certs has none there, and never is the safe one.
    'iquery-crl-validation-depth': choice(['full', 'device'], {
      default: 'full',
      help: "Whose revocation counts: that of a peer's certificate and its authorities (full), or of the certificate alone.",
    }),
    'iquery-minimum-tls-version': choice(TLS_VERSIONS, {
      default: SHIPPED_TLS_VERSION,
      help: 'The oldest TLS that iQuery speaks with those that are dialled; TLSv1.2 at the least, whatever is written.',
    }),
    'iquery-reverify-on-crl-becoming-active': yesNo({
      default: true,
      help: 'Whether iQuery connections are looked at again when a revocation list becomes active.',
    }),
    'iquery-reverify-on-crl-expiring': yesNo({
      default: true,
      help: 'Whether iQuery connections are looked at again when a revocation list expires.',
    }),
    'iquery-reverify-on-crl-file-update': yesNo({
      default: true,
      help: 'Whether iQuery connections are looked at again when the file of revocation lists changes.',
    }),
    'iquery-use-expired-crls': yesNo({
      default: true,
      help: 'Whether revocation lists count whose next update is overdue.',
    }),
    'iquery-use-not-yet-active-crls': yesNo({
      default: true,
      help: 'Whether revocation lists count whose time has not come.',
    }),
    'iquery-use-revoked-certs': choice(['never', 'existing', 'always'], {
      default: 'never',
      help: 'Whether certificates that are revoked are taken: never, by connections that stand (existing), or always.',
    }),
    'monitor-disabled-objects': yesNo({ default: false, help: 'Whether what is disabled is watched all the same.' }),
    'nethsm-timeout': inertCount(20, 'Seconds for an answer of a security module.'),
    'peer-leader': string({ help: 'The server that leads.', inert: true }),
    'send-wildcard-rrs': toggle({
      default: false,
      help: 'Whether names with wildcards are written into zones of BIND.',
      inert: true,
    }),
    'static-persist-cidr-ipv4': integer(
      { min: 0, max: 32 },
      { default: 32, help: 'Bits of the address that static-persistence goes by, for resolvers of IPv4.' },
    ),
    'static-persist-cidr-ipv6': integer(
      { min: 0, max: 128 },
      { default: 128, help: 'Bits of the address that static-persistence goes by, for resolvers of IPv6.' },
    ),
    synchronization: yesNo({ default: false, help: 'Whether this configuration is shared with a group.' }),
    'synchronization-group-name': string({ default: 'default', help: 'The group.' }),
    'synchronization-time-tolerance': integer(
      { min: 0, max: 600 },
      {
        default: 10,
        help: 'Seconds that the clocks of members may be apart, 5 to 600; nothing is taken from one that is further off. 0: it does not matter.',
      },
    ),
    'synchronization-timeout': count(180, 'Seconds in which a configuration has to come from another member.'),
    'synchronize-zone-files': yesNo({
      default: false,
      help: 'Whether files of zones in the zone directory are shared as well.',
    }),
    'synchronize-zone-files-timeout': count(300, 'Seconds in which a zone file has to come from another member.'),
    'virtuals-depend-on-server-state': yesNo({
      default: true,
      help: 'Whether virtual servers go down when their server cannot be reached over iQuery any more.',
    }),
    'wideip-zone-nameserver': pattern(
      {
        name: 'domain-name',
        expects: 'the name of a name server',
        read: (word) => (word === '' ? { problem: 'must be a domain name' } : { value: word }),
      },
      {
        default: 'this.name.is.invalid.',
        help: 'The name server that an SOA names which goes with a reply of failure-rcode.',
      },
    ),
  },
  check(objects, context) {
    for (const object of objects) {
      const version = object.properties['iquery-minimum-tls-version'];
      if (version !== SHIPPED_TLS_VERSION) warnOfOldTls(object, version, context);
      checkTolerance(object, context);
    }
  },
});

const factor = (value: number, what: string) =>
  count(value, `What makes ${what} comparable in quality-of-service: the value that counts as much as one of another.`);

export const gtmGlobalSettingsLoadBalancing = objectType({
  path: 'gtm global-settings load-balancing',
  label: 'GTM Load Balancing Settings',
  runBy: 'dnsd',
  help: 'How all wide IPs choose.',
  example: `
gtm global-settings load-balancing {
    topology-longest-match no
}
`,
  naming: 'singleton',
  sync: 'gtm',
  properties: {
    'failure-rcode': choice(FAILURE_RCODES, { default: 'noerror', help: 'What failure-rcode-response replies.' }),
    'failure-rcode-response': toggle({
      default: false,
      help: 'Whether failure-rcode is replied for wide IPs that reply none themselves when nothing can be answered.',
    }),
    'failure-rcode-ttl': count(0, 'Seconds that such a reply may be kept for; 0: it says nothing of that.'),
    'ignore-path-ttl': yesNo({ default: false, help: 'Whether what was measured of paths counts for ever.' }),
    'qos-factor-bps': factor(1_000_000, 'throughput'),
    'qos-factor-hit-ratio': factor(10_000, 'the completion rate'),
    'qos-factor-hops': factor(25, 'the number of hops'),
    'qos-factor-link-capacity': factor(1, 'the capacity of a link'),
    'qos-factor-packet-rate': factor(10_000, 'the packet rate'),
    'qos-factor-rtt': factor(10_000, 'the round-trip time'),
    'qos-factor-topology': factor(10, 'the topology score'),
    'qos-factor-vs-capacity': factor(1, 'the capacity of a virtual server'),
    'qos-factor-vs-score': factor(1, 'the score of a virtual server'),
    'respect-fallback-dependency': yesNo({
      default: false,
      help: 'Whether fallback-mode leaves out members that are not available.',
    }),
    'topology-allow-zero-scores': yesNo({
      default: true,
      help: 'Whether topology may choose what no record gives a score above 0.',
    }),
    'topology-longest-match': yesNo({
      default: true,
      help: 'Whether topology records are looked through from the most exact one on, instead of by order.',
    }),
    'topology-prefer-edns0-client-subnet': toggle({
      default: false,
      help: 'Whether topology goes by the client subnet that a resolver sends (RFC 7871), for all wide IPs.',
    }),
    'verify-vs-availability': yesNo({
      default: true,
      help: 'Whether members must be available; otherwise being enabled is enough.',
    }),
  },
});

export const gtmGlobalSettingsMetrics = objectType({
  path: 'gtm global-settings metrics',
  label: 'GTM Metrics Settings',
  runBy: 'dnsd',
  readBy: ['iqueryd'],
  help: 'What is measured of paths to resolvers, and how long it is good for.',
  example: `
gtm global-settings metrics {
    path-ttl 1200
}
`,
  naming: 'singleton',
  sync: 'gtm',
  properties: {
    'default-probe-limit': count(
      12,
      'Measurements in a row without an answer, after which a resolver is tried but once in path-ttl.',
    ),
    'hops-packet-length': count(64, 'Octets of a packet that counts hops.'),
    'hops-sample-count': count(3, 'Packets that count hops, for each number of them; 0: hops are not counted.'),
    'hops-timeout': count(3, 'Seconds for a reply to one.'),
    'hops-ttl': count(604_800, 'Seconds for which a number of hops is good.'),
    'inactive-ldns-ttl': count(2_419_200, 'Seconds after which a resolver is forgotten that asks nothing.'),
    'inactive-paths-ttl': count(604_800, 'Seconds after which a path is forgotten that nobody uses.'),
    'ldns-update-interval': count(20, 'Seconds between two notes of the same resolver.'),
    'metrics-caching': count(
      3600,
      'Seconds for which the last numbers of a machine count that is not heard of any more.',
    ),
    'metrics-collection-protocols': choiceList(['dns_dot', 'dns_rev', 'icmp', 'tcp', 'udp'], {
      default: ['icmp'],
      help: 'How resolvers are probed: the first that they answer.',
    }),
    'path-ttl': count(2400, 'Seconds for which what was measured of a path is good.'),
    'paths-retry': count(120, 'Seconds after which a path is probed again that nothing is known of.'),
  },
});

function checkTolerance(object: GtmGlobalSettingsGeneral, context: CheckContext): void {
  const tolerance = object.properties['synchronization-time-tolerance'];
  if (tolerance === 0 || tolerance >= LEAST_TOLERANCE) return;
  const text = `GTM Global Settings: synchronization-time-tolerance ${tolerance} is neither 0 nor from ${LEAST_TOLERANCE} to 600.`;
  context.error(object, text, {
    property: 'synchronization-time-tolerance',
    value: String(tolerance),
    hint: 'Clocks that are set by NTP differ by less than 5 seconds; 0 takes what comes whatever the clocks say.',
  });
}

export type GtmGlobalSettingsGeneral = ObjectOf<typeof gtmGlobalSettingsGeneral>;
export type GtmGlobalSettingsMetrics = ObjectOf<typeof gtmGlobalSettingsMetrics>;
export type GtmGlobalSettingsLoadBalancing = ObjectOf<typeof gtmGlobalSettingsLoadBalancing>;
