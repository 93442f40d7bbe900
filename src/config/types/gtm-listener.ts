// `gtm listener`: an address and a port where DNS queries are answered.

import {
  formatAddress,
  formatAddressOrAny,
  formatBareAddress,
  isMulticast,
  isUnspecified,
} from '../../core/address.ts';
import { isLimitedBroadcast, parseAddress, parseAddressOrAny } from '../../core/address.ts';
import { TRANSPORT_PROFILES } from '../foreign.ts';
import { choice, flag, inDomain, integer, pattern, patternList, port, recordsByPattern, string } from '../kinds.ts';
import { toggle, yesNo } from '../kinds.ts';
import { fullPath, pathProblem, relativeName } from '../name.ts';
import { type CheckContext, objectType, type ObjectOf } from '../object-type.ts';
import type { Reading } from '../property.ts';
import { checkRouteDomain } from '../route-domain.ts';
import { DEFAULT_DNS_PROFILE, ltmProfileDns, type DnsProfile } from './ltm-profile-dns.ts';

/** The mask of all addresses of a family, and that of one. */
const MASKS = { 4: ['any', '255.255.255.255'], 6: ['any6', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'] } as const;

function readAddress(word: string): Reading<string> {
  const address = parseAddressOrAny(word);
  if (address === undefined) return { problem: 'must be an IP address, any or any6' };
  if (isMulticast(address) || isLimitedBroadcast(address)) return { problem: 'must be an address of one host' };
  return { value: formatAddressOrAny(address) };
}

function readMask(word: string): Reading<string> {
  const address = parseAddressOrAny(word);
  return address === undefined || word.includes('%')
    ? { problem: 'must be a mask, as in 255.255.255.255' }
    : { value: formatAddressOrAny(address) };
}

function readPath(word: string, folder: string): Reading<string> {
  const value = fullPath(word, folder);
  const problem = pathProblem(value);
  return problem === undefined ? { value } : { problem: `must be the name of an object: ${problem}` };
}

const NAMES = {
  name: 'name',
  expects: 'the name of an object',
  read: readPath,
  print: (value: string, folder: string | undefined) => relativeName(value, folder),
};

export const gtmListener = objectType({
  path: 'gtm listener',
  label: 'Listener',
  runBy: 'dnsd',
  readBy: ['dataplaned'],
  help: 'An address and a port where DNS queries are answered.',
  example: `
gtm listener dns-tcp {
    address 192.0.2.53
    ip-protocol tcp
    max-connections 1000
}
gtm listener dns-udp {
    address 192.0.2.53
}
`,
  naming: 'full-path',
  // On a BIG-IP a listener is a virtual server, which a DNS synchronisation group does not share: each member has its own addresses.
  sync: 'device-group',
  properties: {
    address: pattern(
      { name: 'ip-address', expects: 'an IP address, any or any6', read: readAddress, inDomain },
      {
        required: true,
        immutable: true,
        help: 'Where queries come to: an address, all of IPv4 (any) or of IPv6 (any6); when it is left out, the name.',
        onChange: 'rebuild',
      },
    ),
    advertise: yesNo({ default: false, help: 'Whether the address is announced by routing protocols.', inert: true }),
    'auto-lasthop': choice(['default', 'enabled', 'disabled'], {
      default: 'default',
      help: 'Whether replies leave to the MAC that the query came from.',
      inert: true,
    }),
    description: string({ help: 'Text for people.' }),
    enabled: flag('enabled', 'disabled', { default: true, help: 'Whether queries are answered.' }),
    engine: choice(['socket', 'ring'], {
      default: 'socket',
      help: 'What receives queries: sockets of the kernel, or rings that pass it by, for one address and UDP.',
      extension: true,
      onChange: 'rebuild',
    }),
    'idle-timeout': integer(
      { min: 1, max: 3600 },
      { default: 10, help: 'Seconds after which a connection without a query is closed (TCP).', extension: true },
    ),
    'ip-protocol': choice(['udp', 'tcp'], {
      default: 'udp',
      help: 'The protocol; a resolver needs a listener for each of them.',
      onChange: 'rebuild',
    }),
    mask: pattern(
      { name: 'mask', expects: 'the mask of one address, as in 255.255.255.255', read: readMask },
      { help: 'The mask of the address: that of one address, or any.' },
    ),
    'max-connections': integer(
      { min: 10, max: 100_000 },
      { default: 20_000, help: 'Connections at a time (TCP); more are closed at once.', extension: true },
    ),
    pool: string({ help: 'The pool that queries are handed to which nothing here answers.', inert: true }),
    port: port({ default: 53, help: 'The port.', onChange: 'rebuild' }),
    profiles: recordsByPattern(
      { ...NAMES, expects: 'the name of a profile' },
      {},
      {
        default: {},
        help: 'The DNS profile that says how queries are answered, /Common/dns where none is named; profiles of transport protocols are kept.',
      },
    ),
    'ring-adapter': choice(['packet-ring', 'af-xdp'], {
      default: 'packet-ring',
      help: 'How engine ring gets frames: by a packet ring (TPACKET_V2) and a rule that keeps them from the kernel, or by AF_XDP.',
      extension: true,
      onChange: 'rebuild',
    }),
    rules: patternList(NAMES, { default: [], help: 'The iRules.', inert: true }),
    'source-port': choice(['preserve', 'preserve-strict', 'change'], {
      default: 'preserve',
      help: 'Which port queries leave from that are handed on.',
      inert: true,
    }),
    'translate-address': toggle({ default: false, help: 'Whether the address is translated.', inert: true }),
    'translate-port': toggle({ default: false, help: 'Whether the port is translated.', inert: true }),
    vlans: patternList(NAMES, { default: [], help: 'VLANs and tunnels.', inert: true }),
    'vlans-enabled': flag('vlans-enabled', 'vlans-disabled', {
      default: false,
      help: 'Whether queries are taken from those of vlans alone, or from all others.',
      inert: true,
    }),
  },
  assign(name, own) {
    if (own.address !== undefined) return;
    const address = parseAddress(name.slice(name.lastIndexOf('/') + 1));
    if (address !== undefined) own.address = formatAddress(address);
  },
  check(objects, context) {
    const places = new Map<string, Listener>();
    for (const object of objects) {
      const { address: text, 'ip-protocol': protocol, enabled } = object.properties;
      checkRouteDomain(object, 'address', parseAddressOrAny(text)!, context);
      checkMask(object, context);
      checkEngine(object, context);
      checkProfiles(object, context);
      if (!enabled) continue;
      checkLoop(object, context);
      const place = `${text} port ${object.properties.port} (${protocol})`;
      const twin = places.get(place);
      if (twin === undefined) {
        places.set(place, object);
        continue;
      }
      context.error(object, `Listener (${object.name}): listener (${twin.name}) has ${place} already.`, {
        property: 'address',
        value: text,
        hint: 'Choose another address, port or protocol, or disable one of the two.',
      });
    }
  },
});

export type Listener = ObjectOf<typeof gtmListener>;

/** The profile that a listener answers by. */
export function dnsProfileOf(listener: Listener, context: Pick<CheckContext, 'find'>): DnsProfile | undefined {
  const names = Object.keys(listener.properties.profiles);
  for (const name of names) {
    const profile = context.find(ltmProfileDns, name);
    if (profile !== undefined) return profile;
  }
  return names.length === 0 ? context.find(ltmProfileDns, DEFAULT_DNS_PROFILE) : undefined;
}

/** A BIG-IP can listen on a whole network; here it is the address alone. */
function checkMask(object: Listener, context: CheckContext): void {
  const { address: text, mask } = object.properties;
  if (mask === undefined) return;
  const address = parseAddressOrAny(text)!;
  const [all, host] = MASKS[address.family];
  if (mask === (isUnspecified(address) ? all : host)) return;
  context.warn(
    object,
    `Listener (${object.name}): mask ${mask} is kept, but has no effect: ${text} alone is listened on.`,
    {
      property: 'mask',
      value: mask,
    },
  );
}

function checkEngine(object: Listener, context: CheckContext): void {
  const { engine, address, 'ip-protocol': protocol } = object.properties;
  if (engine !== 'ring') return;
  const why =
    protocol === 'tcp'
      ? 'does not go with ip-protocol tcp'
      : isUnspecified(parseAddressOrAny(address)!)
        ? `does not go with address ${address}`
        : undefined;
  if (why === undefined) return;
  context.error(object, `Listener (${object.name}): engine ring ${why}.`, {
    property: 'engine',
    value: 'ring',
    hint: 'A ring takes UDP to one address. Leave engine out, or write engine socket.',
  });
}

function checkProfiles(object: Listener, context: CheckContext): void {
  const names = Object.keys(object.properties.profiles);
  for (const profile of context.gone(ltmProfileDns)) {
    if (names.includes(profile.name)) context.inUse(profile, object, 'profiles');
  }
  const [profile, second] = names.filter((name) => context.find(ltmProfileDns, name) !== undefined);
  const others = names.filter((name) => !TRANSPORT_PROFILES.has(name) && name !== profile && name !== second);
  if (second !== undefined) {
    context.error(object, `Listener (${object.name}): ${profile} and ${second} are two DNS profiles.`, {
      property: 'profiles',
      value: second,
      hint: `A listener has one. Take one away: modify gtm listener ${object.name} profiles delete { ${second} }`,
    });
  } else if (profile === undefined && names.length > 0) {
    const hint = 'Name one, as in profiles { dns }, or leave profiles out.';
    const text = `Listener (${object.name}): none of its profiles (${names.join(', ')}) is a DNS profile.`;
    context.error(object, text, { property: 'profiles', value: names[0]!, hint });
  } else if (others.length > 0) {
    context.warn(
      object,
      `Listener (${object.name}): ${others.join(', ')} is no DNS profile: kept, but without effect.`,
      {
        property: 'profiles',
      },
    );
  }
}

/** A listener that hands queries to itself would do so for ever. */
function checkLoop(object: Listener, context: CheckContext): void {
  const profile = dnsProfileOf(object, context);
  const server = profile?.properties['local-bind-address'];
  if (profile === undefined || server === undefined || !profile.properties['use-local-bind']) return;
  const { address, port: number } = object.properties;
  if (profile.properties['local-bind-port'] !== number) return;
  if (formatBareAddress(parseAddressOrAny(address)!) !== server) return;
  const text = `Listener (${object.name}): local-bind-address ${server} port ${number} of DNS profile (${profile.name}) is the listener itself.`;
  context.error(object, text, {
    property: 'profiles',
    value: profile.name,
    hint: 'Name the address and port where BIND listens.',
  });
}
