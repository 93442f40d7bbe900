// `net tunnels gre`: a profile that says how GRE tunnels encapsulate and flood (RFC 2784, RFC 2890, NVGRE: RFC 7637).

import { choice, reference, string, toggle } from '../kinds.ts';
import { objectType } from '../object-type.ts';
import type { ObjectOf } from '../object-type.ts';

const SELF = { path: 'net tunnels gre', label: 'Tunnel profile', naming: 'full-path' } as const;
const PARENT = '/Common/gre';

export const netTunnelsGre = objectType({
  ...SELF,
  help: 'A profile that says how GRE tunnels encapsulate and flood.',
  example: `
net tunnels gre frames {
    defaults-from gre
    encapsulation transparent-ethernet-bridging
    flooding-type multipoint
    tx-csum enabled
}
`,
  sync: 'device-group',
  nameSpace: 'tunnel-profile',
  inheritsBy: 'defaults-from',
  builtIn: {
    [PARENT]: {},
    '/Common/nvgre': { 'defaults-from': PARENT, encapsulation: 'nvgre' },
  },
  properties: {
    'defaults-from': reference([SELF], { help: 'The profile that gives every value which is not set here.' }),
    description: string({ help: 'Text for people.' }),
    encapsulation: choice(['standard', 'transparent-ethernet-bridging', 'nvgre'], {
      default: 'standard',
      help:
        'What the tunnels carry: standard, IP packets; transparent-ethernet-bridging, Ethernet frames; ' +
        'nvgre, Ethernet frames of a virtual subnet, whose ID of 24 bits is the key (RFC 7637).',
      onChange: 'rebuild',
    }),
    'flooding-type': choice(['none', 'multipoint'], {
      default: 'none',
      help: 'Where broadcast, multicast and unknown unicast frames go when the remote address of the tunnel is any.',
      onChange: 'rebuild',
    }),
    'rx-csum': toggle({
      default: false,
      help: 'Whether the checksum of received packets is verified, where they have one.',
    }),
    'rx-sequence': toggle({
      default: false,
      help: 'Whether received packets are dropped whose sequence number is not above the last one (RFC 2890, section 2.2).',
      extension: true,
    }),
    'tx-csum': toggle({
      default: false,
      help: 'Whether sent packets carry a checksum over what is in them. NVGRE has none.',
      onChange: 'rebuild',
    }),
    'tx-sequence': toggle({
      default: false,
      help: 'Whether sent packets carry a sequence number, one count for each remote end. NVGRE has none.',
      extension: true,
      onChange: 'rebuild',
    }),
  },
  check(objects, context) {
    for (const object of objects) {
      if (object.properties.encapsulation !== 'nvgre') continue;
      for (const property of ['tx-csum', 'tx-sequence'] as const) {
        if (!object.properties[property]) continue;
        context.error(
          object,
          `Tunnel profile (${object.name}): ${property} enabled does not go with encapsulation nvgre.`,
          {
            property,
            value: 'enabled',
            hint: 'NVGRE headers have neither checksum nor sequence number (RFC 7637, section 3.2).',
          },
        );
      }
    }
  },
});

export type GreProfile = ObjectOf<typeof netTunnelsGre>;
