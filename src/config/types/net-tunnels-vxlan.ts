// `net tunnels vxlan`: a profile that says how VXLAN tunnels encapsulate and flood (RFC 7348).

import { choice, integer, pattern, reference, string } from '../kinds.ts';
import { objectType } from '../object-type.ts';
import type { ObjectOf } from '../object-type.ts';
import { sysDb, VXLAN_PORT_VARIABLE } from './sys-db.ts';

const SELF = { path: 'net tunnels vxlan', label: 'Tunnel profile', naming: 'full-path' } as const;
const PARENT = '/Common/vxlan';
const OVSDB = { 'defaults-from': PARENT };

/** The UDP source ports of a `source-port-range`: first and last, both included. */
export function parsePortRange(text: string): { first: number; last: number } | undefined {
  const match = /^([1-9][0-9]{0,4})-([1-9][0-9]{0,4})$/.exec(text);
  if (match === null) return undefined;
  const [first, last] = [Number(match[1]), Number(match[2])];
  return first <= last && last <= 65535 ? { first, last } : undefined;
}

export const netTunnelsVxlan = objectType({
  ...SELF,
  help: 'A profile that says how VXLAN tunnels encapsulate and flood.',
  example: `
net tunnels vxlan overlay {
    defaults-from vxlan
    flooding-type multipoint
    port 8472
}
`,
  sync: 'device-group',
  nameSpace: 'tunnel-profile',
  inheritsBy: 'defaults-from',
  builtIn: {
    [PARENT]: {},
    '/Common/vxlan-gpe': {
      'defaults-from': PARENT,
      'encapsulation-type': 'vxlan-gpe',
      'flooding-type': 'multipoint',
      port: 4790,
    },
    '/Common/vxlan-multipoint': { 'defaults-from': PARENT, 'flooding-type': 'multipoint' },
    '/Common/vxlan-ovsdb': { ...OVSDB, 'flooding-type': 'replicator' },
    '/Common/vxlan-ovsdb-multipoint': { ...OVSDB, 'flooding-type': 'multipoint' },
    '/Common/vxlan-ovsdb-no-flooding': { ...OVSDB, 'flooding-type': 'none' },
  },
  properties: {
    'defaults-from': reference([SELF], { help: 'The profile that gives every value which is not set here.' }),
    description: string({ help: 'Text for people.' }),
    'encapsulation-type': choice(['vxlan', 'vxlan-gpe'], {
      default: 'vxlan',
      help: 'The header behind UDP.',
      onChange: 'rebuild',
    }),
    'flooding-type': choice(['none', 'multicast', 'multipoint', 'replicator'], {
      default: 'multicast',
      help: 'Where broadcast, multicast and unknown unicast frames go when the remote address of the tunnel is any.',
      onChange: 'rebuild',
    }),
    port: integer(
      { min: 1, max: 65535 },
      {
        default: 4789,
        defaultFrom: { type: sysDb.path, name: VXLAN_PORT_VARIABLE, property: 'value' },
        help: `UDP port of the tunnels, at both ends; without one that of sys db ${VXLAN_PORT_VARIABLE}.`,
        onChange: 'rebuild',
      },
    ),
    'udp-checksum': choice(['auto', 'enabled', 'disabled'], {
      default: 'auto',
      help:
        'Whether sent packets carry a UDP checksum, which is optional over IPv4 (RFC 7348, section 5). ' +
        'auto: those that leave the machine joined to others of their flow do, and over IPv6 all. ' +
        'Over IPv6 packets without one are only taken with disabled (RFC 6935, section 5).',
      extension: true,
    }),
    'source-port-range': pattern(
      {
        name: 'port-range',
        expects: 'two ports, as in 49152-65535',
        read: (word) =>
          parsePortRange(word) === undefined
            ? { problem: 'must be two ports, the lower one first, as in 49152-65535' }
            : { value: word },
      },
      {
        default: '49152-65535',
        help: 'UDP source ports: one is chosen by the hash of the inner flow (RFC 7348, section 5).',
        extension: true,
        onChange: 'rebuild',
      },
    ),
  },
});

export type VxlanProfile = ObjectOf<typeof netTunnelsVxlan>;
