// `gtm prober-pool`: servers that probe others.

import { choice, flag, integer, recordsByReference, string } from '../kinds.ts';
import { objectType } from '../object-type.ts';
import { PROBER_POOL } from './gtm-datacenter.ts';
import { gtmServer } from './gtm-server.ts';

export const gtmProberPool = objectType({
  ...PROBER_POOL,
  runBy: 'dnsd',
  readBy: ['healthd', 'iqueryd'],
  help: 'Servers that probe others.',
  example: `
gtm datacenter east { }
gtm server dns {
    datacenter east
    devices {
        dns {
            addresses {
                192.0.2.53 { }
            }
        }
    }
}
gtm prober-pool probers {
    members {
        dns {
            order 0
        }
    }
}
`,
  sync: 'gtm',
  properties: {
    description: string({ help: 'Text for people.' }),
    enabled: flag('enabled', 'disabled', { default: true, help: 'Whether it is used.' }),
    'load-balancing-mode': choice(['global-availability', 'round-robin'], {
      default: 'global-availability',
      help: 'How one of them is chosen.',
    }),
    members: recordsByReference(
      [gtmServer],
      {
        description: string({ help: 'Text for people.' }),
        enabled: flag('enabled', 'disabled', { default: true, help: 'Whether it is used.' }),
        order: integer({ min: 0, max: 65_535 }, { default: 0, help: 'Its place, from 0 on.' }),
      },
      { default: {}, help: 'The servers.' },
    ),
  },
});
