// `gtm monitor tcp|tcp-half-open`, `ltm monitor tcp|tcp-half-open`: whether a port takes connections, and what it says.

import { GTM_EXCHANGE, IP_DSCP, LTM_EXCHANGE, PORT, send } from './monitor-exchange.ts';
import { ADAPTIVE, MANUAL_RESUME, PROBE_ATTEMPTS, PROBE_TIMEOUT, TRANSPARENT, monitorType } from './monitor-type.ts';

const HELP = 'Opens a TCP connection, and may send something and look at the answer.';
const HALF_OPEN_HELP = 'Asks whether a TCP port answers a SYN; no connection is opened.';

const example = (path: string) => `
${path} smtp {
    destination *:25
    recv "^220 "
    send "QUIT\\\\r\\\\n"
}
`;

const halfOpenExample = (path: string) => `
${path} web {
    destination *:443
}
`;

export const gtmMonitorTcp = monitorType(
  { module: 'gtm', type: 'tcp', builtIn: { tcp: {} }, help: HELP, example: example('gtm monitor tcp') },
  { ...PROBE_TIMEOUT, ...GTM_EXCHANGE, ...send() },
);

export const gtmMonitorTcpHalfOpen = monitorType(
  {
    module: 'gtm',
    type: 'tcp-half-open',
    builtIn: { tcp_half_open: {} },
    help: HALF_OPEN_HELP,
    example: halfOpenExample('gtm monitor tcp-half-open'),
  },
  { ...PROBE_ATTEMPTS, ...PORT, ...TRANSPARENT },
);

export const ltmMonitorTcp = monitorType(
  { module: 'ltm', type: 'tcp', builtIn: { tcp: {} }, help: HELP, example: example('ltm monitor tcp') },
  { ...ADAPTIVE, ...IP_DSCP, ...MANUAL_RESUME, ...LTM_EXCHANGE, ...send() },
);

export const ltmMonitorTcpHalfOpen = monitorType(
  {
    module: 'ltm',
    type: 'tcp-half-open',
    builtIn: { tcp_half_open: {} },
    help: HALF_OPEN_HELP,
    example: halfOpenExample('ltm monitor tcp-half-open'),
  },
  { ...MANUAL_RESUME, ...PORT, ...TRANSPARENT },
);
