// `ltm virtual`: a virtual server. No traffic passes it here: its availability is what others ask for.

import { isUnspecified } from '../../core/address.ts';
import { MAX_COUNT } from '../gtm-kinds.ts';
import {
  choice,
  flag,
  integer,
  integerOrWord,
  pattern,
  patternList,
  recordsByPattern,
  reference,
  string,
  toggle,
  yesNo,
} from '../kinds.ts';
import { parseVirtualDestination, virtualDestinationKind } from '../ltm-kinds.ts';
import { fullPath, pathProblem, relativeName } from '../name.ts';
import { objectType, type ObjectOf } from '../object-type.ts';
import { parseAddressOrAny, formatAddressOrAny, parsePrefix, formatPrefix } from '../../core/address.ts';
import { parseService } from '../../wire/service-names.ts';
import type { Properties } from '../value.ts';
import { ltmPool } from './ltm-pool.ts';

const NAMES = {
  name: 'name',
  expects: 'the name of an object',
  read(word: string, folder: string) {
    const value = fullPath(word, folder);
    const problem = pathProblem(value);
    return problem === undefined ? { value } : { problem: `must be the name of an object: ${problem}` };
  },
  print: (value: string, folder: string | undefined) => relativeName(value, folder),
};

const addressOf = ({ destination }: Properties) =>
  typeof destination === 'string' ? parseVirtualDestination(destination)?.address : undefined;

/** One address, or all of them where the destination is any. */
function defaultMask(own: Properties): string {
  const address = addressOf(own);
  if (address !== undefined && isUnspecified(address)) return address.family === 4 ? 'any' : 'any6';
  return address?.family === 6 ? 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff' : '255.255.255.255';
}

const PROTOCOL = /^[a-z0-9-]+$/;

export const ltmVirtual = objectType({
  path: 'ltm virtual',
  label: 'Virtual Server',
  runBy: 'healthd',
  help: 'A virtual server. No traffic passes it here: that it is available, by its pool, is what a GTM asks for.',
  example: `
ltm pool app {
    members {
        192.0.2.20:80 { }
    }
    monitor http
}
ltm virtual app {
    destination 192.0.2.80:80
    ip-protocol tcp
    pool app
}
`,
  naming: 'full-path',
  sync: 'device-group',
  properties: {
    'address-status': yesNo({ default: true, help: 'Whether its virtual address depends on it.', inert: true }),
    'auto-lasthop': choice(['default', 'disabled', 'enabled'], {
      default: 'default',
      help: 'Whether replies leave to the MAC that the request came from.',
      inert: true,
    }),
    'cmp-enabled': yesNo({ default: true, help: 'Whether all processors serve it.', inert: true }),
    'connection-limit': integer(
      { min: 0, max: MAX_COUNT },
      { default: 0, help: 'Connections from which on it is not available; 0: no limit.' },
    ),
    description: string({ help: 'Text for people.' }),
    destination: pattern(virtualDestinationKind, { required: true, help: 'Its address and its port; 0: all ports.' }),
    enabled: flag('enabled', 'disabled', { default: true, help: 'Whether it is used.' }),
    'gtm-score': integer({ min: 0, max: MAX_COUNT }, { default: 0, help: 'The score that a GTM gets.', inert: true }),
    'ip-protocol': pattern(
      {
        name: 'ip-protocol',
        expects: 'the name or the number of an IP protocol, or any',
        read: (word) =>
          word === 'any' || (PROTOCOL.test(word) && parseService(word) !== undefined)
            ? { value: word }
            : { problem: 'must be the name or the number of an IP protocol, or any' },
      },
      { default: 'any', help: 'The protocol.' },
    ),
    mask: pattern(
      {
        name: 'mask',
        expects: 'a mask, as in 255.255.255.255',
        read(word) {
          const mask = word.includes('%') ? undefined : parseAddressOrAny(word);
          return mask === undefined
            ? { problem: 'must be a mask, as in 255.255.255.255' }
            : { value: formatAddressOrAny(mask) };
        },
      },
      { default: defaultMask, help: 'The mask of destination, where that is a network.' },
    ),
    mirror: toggle({ default: false, help: 'Whether connections go on at a peer.', inert: true }),
    nat64: toggle({ default: false, help: 'Whether IPv6 is translated to IPv4.', inert: true }),
    persist: recordsByPattern(
      NAMES,
      { default: yesNo({ default: false, help: 'Whether it is the one that counts.' }) },
      { default: {}, help: 'The profiles of persistence.', inert: true },
    ),
    pool: reference([ltmPool], { help: 'The pool whose members serve it; none: it is watched by nothing.' }),
    profiles: recordsByPattern(
      { ...NAMES, expects: 'the name of a profile' },
      {
        context: choice(['all', 'clientside', 'serverside'], { default: 'all', help: 'The side that it is for.' }),
      },
      { default: {}, help: 'The profiles.', inert: true },
    ),
    'rate-limit': integerOrWord(
      { min: 1, max: MAX_COUNT, words: ['disabled'] },
      { default: 'disabled', help: 'Connections per second from which on it is not available.' },
    ),
    rules: patternList(NAMES, { default: [], help: 'The iRules.', inert: true }),
    'service-down-immediate-action': choice(['drop', 'none', 'reset'], {
      default: 'none',
      help: 'What becomes of connections when it goes down.',
      inert: true,
    }),
    source: pattern(
      {
        name: 'ip-prefix',
        expects: 'a network, as in 0.0.0.0/0',
        read(word) {
          const prefix = parsePrefix(word);
          return prefix === undefined
            ? { problem: 'must be a network, as in 0.0.0.0/0' }
            : { value: formatPrefix(prefix) };
        },
      },
      {
        default: (own) => (addressOf(own)?.family === 6 ? '::/0' : '0.0.0.0/0'),
        help: 'Which clients it takes.',
        inert: true,
      },
    ),
    'source-port': choice(['change', 'preserve', 'preserve-strict'], {
      default: 'preserve',
      help: 'Which port connections to members leave from.',
      inert: true,
    }),
    'translate-address': toggle({ default: true, help: 'Whether the address is translated.', inert: true }),
    'translate-port': toggle({ default: true, help: 'Whether the port is translated.', inert: true }),
    vlans: patternList(NAMES, { default: [], help: 'VLANs and tunnels.', inert: true }),
    'vlans-enabled': flag('vlans-enabled', 'vlans-disabled', {
      default: false,
      help: 'Whether it takes clients from those of vlans alone, or from all others.',
      inert: true,
    }),
  },
  check(objects, context) {
    const places = new Map<string, VirtualServer>();
    for (const object of objects) {
      const { destination, 'ip-protocol': protocol, mask, source, vlans, 'vlans-enabled': areOnly } = object.properties;
      const last = destination.slice(destination.lastIndexOf('/') + 1);
      const place = [last, protocol, mask, source, areOnly, ...vlans].join(' ');
      const twin = places.get(place);
      if (twin === undefined) places.set(place, object);
      else {
        const text = `Virtual Server (${object.name}): virtual server (${twin.name}) has destination ${last} (${protocol}) already.`;
        const hint = 'Choose another address, port, protocol or source.';
        context.error(object, text, { property: 'destination', value: destination, hint });
      }
    }
  },
});

export type VirtualServer = ObjectOf<typeof ltmVirtual>;
