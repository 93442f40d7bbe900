// `net tunnels etherip`: a profile of EtherIP tunnels (RFC 3378).

import { choice, reference, string } from '../kinds.ts';
import { objectType } from '../object-type.ts';
import type { ObjectOf } from '../object-type.ts';

const SELF = { path: 'net tunnels etherip', label: 'Tunnel profile', naming: 'full-path' } as const;
const PARENT = '/Common/etherip';

export const netTunnelsEtherip = objectType({
  ...SELF,
  help: 'A profile of EtherIP tunnels, which carry Ethernet frames in IP protocol 97.',
  example: `
net tunnels etherip old-header {
    defaults-from etherip
    version-nibble low
}
`,
  sync: 'device-group',
  nameSpace: 'tunnel-profile',
  inheritsBy: 'defaults-from',
  builtIn: { [PARENT]: {} },
  properties: {
    'defaults-from': reference([SELF], { help: 'The profile that gives every value which is not set here.' }),
    description: string({ help: 'Text for people.' }),
    'version-nibble': choice(['high', 'low'], {
      default: 'high',
      help:
        'The half of the first octet that the version is sent in, on which implementations disagree: ' +
        'high, 30 00 as RFC 3378 draws it; low, 03 00. Both are taken on receipt.',
      extension: true,
      onChange: 'rebuild',
    }),
  },
});

export type EtheripProfile = ObjectOf<typeof netTunnelsEtherip>;
