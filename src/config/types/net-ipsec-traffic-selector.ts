// `net ipsec traffic-selector`: which packets a policy is for (RFC 4301, section 4.4.1).

import { ANY_PROTOCOL, checkSelectors } from '../check-selectors.ts';
import { namedInteger, network } from '../ipsec-kinds.ts';
import { choice, integer, reference, string } from '../kinds.ts';
import { objectType } from '../object-type.ts';
import type { ObjectOf } from '../object-type.ts';
import { netIpsecIpsecPolicy } from './net-ipsec-ipsec-policy.ts';

const PROTOCOLS = {
  any: ANY_PROTOCOL,
  icmp: 1,
  tcp: 6,
  udp: 17,
  gre: 47,
  'ipv6-icmp': 58,
  etherip: 97,
  sctp: 132,
};
const MAX_ORDER = 2147483647;

export const DEFAULT_INTERFACE_SELECTOR = '/Common/default-traffic-selector-interface';

export const netIpsecTrafficSelector = objectType({
  path: 'net ipsec traffic-selector',
  label: 'Traffic selector',
  help: 'Which packets an IPsec policy is for, and whether it protects them.',
  example: `
net ipsec ipsec-policy to-branch {
    mode tunnel
    tunnel-local-address 192.0.2.1
    tunnel-remote-address 198.51.100.1
}
net ipsec traffic-selector branch-out {
    destination-address 10.2.0.0/16
    direction out
    ipsec-policy to-branch
    order 10
    source-address 10.1.0.0/16
}
`,
  naming: 'full-path',
  sync: 'device-group',
  builtIn: {
    [DEFAULT_INTERFACE_SELECTOR]: { 'ipsec-policy': '/Common/default-ipsec-policy-interface', order: 0 },
  },
  properties: {
    action: choice(['protect', 'bypass', 'discard'], {
      default: 'protect',
      help: 'protect, as the policy says; bypass, let pass as they are; discard, drop.',
    }),
    description: string({ help: 'Text for people.' }),
    'destination-address': network({
      default: '::/0',
      help: 'Where the packets go to: for direction in, an address or network of this side.',
    }),
    'destination-port': namedInteger(
      { max: 65535, names: { any: 0 } },
      { default: 0, help: 'Their destination port; 0: any.' },
    ),
    direction: choice(['both', 'in', 'out'], {
      default: 'both',
      help:
        'in, packets that come in; out, packets that leave; both, those that leave, and those that come in with ' +
        'source and destination exchanged.',
    }),
    'ip-protocol': namedInteger(
      { max: 255, names: PROTOCOLS },
      { default: ANY_PROTOCOL, help: 'Their IP protocol, as 97 for EtherIP; 255: any.' },
    ),
    'ipsec-policy': reference([netIpsecIpsecPolicy], {
      default: '/Common/default-ipsec-policy',
      help: 'How they are protected.',
    }),
    order: integer(
      { min: 0, max: MAX_ORDER },
      {
        assigned: true,
        help: 'Of several selectors for a packet the one with the lowest order counts. When it is left out: behind all others.',
      },
    ),
    'source-address': network({
      default: '::/0',
      help:
        'Where the packets come from. ::/0 to ::/0, the default, is all packets of IPv6; of a selector with a policy of mode ' +
        'interface, of both versions.',
    }),
    'source-port': namedInteger({ max: 65535, names: { any: 0 } }, { default: 0, help: 'Their source port; 0: any.' }),
  },
  assign(_name, own, others) {
    if (own.order !== undefined) return;
    let last = -1;
    for (const { properties } of others()) {
      if (typeof properties.order === 'number' && properties.order > last) last = properties.order;
    }
    own.order = Math.min(last + 1, MAX_ORDER);
  },
  check(objects, context) {
    checkSelectors(objects, context);
  },
});

export type TrafficSelector = ObjectOf<typeof netIpsecTrafficSelector>;
