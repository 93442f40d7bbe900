// `gtm monitor bigip`: what a BIG-IP, or a machine like this one, says of its own virtual servers.

import { choice } from '../kinds.ts';
import { PORT } from './monitor-exchange.ts';
import { monitorType } from './monitor-type.ts';

export const gtmMonitorBigip = monitorType(
  {
    module: 'gtm',
    type: 'bigip',
    builtIn: { bigip: {} },
    timing: [30, 90],
    help: 'Sends nothing: what a server says of its own virtual servers counts.',
    example: `
gtm monitor bigip quick {
    interval 10
    timeout 30
}
`,
  },
  {
    ...PORT,
    'aggregate-dynamic-ratios': choice(['average-members', 'average-nodes', 'none', 'sum-members', 'sum-nodes'], {
      default: 'none',
      help: 'How the score of a virtual server is made of those of members or nodes.',
      inert: true,
    }),
  },
);
