// `net ipsec ike-daemon`: the ports of key exchange and NAT traversal, and what is logged of it.

import { choice, integer, string } from '../kinds.ts';
import { objectType } from '../object-type.ts';
import type { ObjectOf } from '../object-type.ts';

export const IKE_DAEMON = '/Common/ikedaemon';

export const netIpsecIkeDaemon = objectType({
  path: 'net ipsec ike-daemon',
  label: 'IKE daemon',
  help: 'The UDP ports of key exchange and of IPsec behind address translation.',
  example: `
net ipsec ike-daemon ikedaemon {
    natt-keep-alive 20
}
`,
  naming: 'full-path',
  sync: 'local',
  builtIn: { [IKE_DAEMON]: {} },
  isFixed: true,
  nameProblem: (name) => (name === IKE_DAEMON ? undefined : 'there is one only, ikedaemon'),
  properties: {
    description: string({ help: 'Text for people.' }),
    'isakmp-natt-port': integer(
      { min: 1, max: 65535 },
      {
        default: 4500,
        help: 'The UDP port of packets that are encapsulated behind address translation (RFC 3948), and of key exchange there.',
        onChange: 'rebuild',
      },
    ),
    'isakmp-port': integer(
      { min: 1, max: 65535 },
      { default: 500, help: 'The UDP port of key exchange.', onChange: 'rebuild' },
    ),
    'log-level': choice(['error', 'warning', 'notify', 'info', 'debug', 'debug2'], {
      default: 'info',
      help: 'How much of key exchange is logged.',
    }),
    'log-publisher': string({
      help: 'The sys log-config publisher that takes it; it goes to the log of the daemon all the same.',
    }),
    'natt-keep-alive': integer(
      { min: 0, max: 3600 },
      {
        default: 0,
        help: 'Seconds of silence after which a packet keeps a translation open (RFC 3948, section 4); 0: 20.',
      },
    ),
  },
});

export type IkeDaemon = ObjectOf<typeof netIpsecIkeDaemon>;
