// `ltm monitor virtual-location`: whether members of a pool are here, or at the other end of a tunnel.

import { reference, yesNo } from '../kinds.ts';
import { POOL } from './ltm-pool-target.ts';
import { monitorType } from './monitor-type.ts';

export const ltmMonitorVirtualLocation = monitorType(
  {
    module: 'ltm',
    type: 'virtual-location',
    builtIn: { virtual_location: {} },
    help:
      'Sends nothing: a member of the pool is local where a VLAN of its VLAN group has learned its MAC address, and ' +
      'remote where a tunnel has. Local members get the higher priority.',
    example: `
ltm pool app {
    members {
        192.0.2.10:80 { }
        192.0.2.11:80 { }
    }
    monitor here
}
ltm monitor virtual-location here {
    pool app
}
`,
    check(monitor, context) {
      if (monitor.properties.pool !== undefined || monitor.name === '/Common/virtual_location') return;
      const text = `Monitor (${monitor.name}) must have a value for pool.`;
      const hint = 'Add pool: the name of a Pool.';
      context.error(monitor, text, { code: 'missingProperty', property: 'pool', hint });
    },
  },
  {
    debug: yesNo({ default: false, help: 'Whether a file tells of each probe.', inert: true }),
    pool: reference([POOL], { help: 'The pool whose members are looked for.' }),
  },
);
