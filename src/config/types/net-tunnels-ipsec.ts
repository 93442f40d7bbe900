// `net tunnels ipsec`: a profile of tunnels that carry IP packets in IPsec, for policies of mode interface.

import { reference, string } from '../kinds.ts';
import { objectType } from '../object-type.ts';
import type { ObjectOf } from '../object-type.ts';
import { DEFAULT_INTERFACE_SELECTOR, netIpsecTrafficSelector } from './net-ipsec-traffic-selector.ts';

const SELF = { path: 'net tunnels ipsec', label: 'Tunnel profile', naming: 'full-path' } as const;
const PARENT = '/Common/ipsec';

export const netTunnelsIpsec = objectType({
  ...SELF,
  help: 'A profile of tunnels that carry IP packets in IPsec: what is routed into such a tunnel is protected.',
  example: `
net ipsec ipsec-policy branch {
    mode interface
    tunnel-local-address 192.0.2.1
    tunnel-remote-address 198.51.100.1
}
net ipsec traffic-selector branch {
    ipsec-policy branch
}
net tunnels ipsec branch {
    defaults-from ipsec
    traffic-selector branch
}
`,
  sync: 'device-group',
  nameSpace: 'tunnel-profile',
  inheritsBy: 'defaults-from',
  builtIn: { [PARENT]: {} },
  properties: {
    'defaults-from': reference([SELF], { help: 'The profile that gives every value which is not set here.' }),
    description: string({ help: 'Text for people.' }),
    'traffic-selector': reference([netIpsecTrafficSelector], {
      default: DEFAULT_INTERFACE_SELECTOR,
      help: 'What the tunnel carries, and by which policy: one of mode interface.',
      onChange: 'rebuild',
    }),
  },
});

export type IpsecProfile = ObjectOf<typeof netTunnelsIpsec>;
