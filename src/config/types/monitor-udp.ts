// `gtm monitor udp`, `ltm monitor udp`: what a UDP port answers, and whether it is unreachable.

import { yesNo } from '../kinds.ts';
import { GTM_EXCHANGE, LTM_EXCHANGE, send } from './monitor-exchange.ts';
import { ADAPTIVE, MANUAL_RESUME, PROBE_ATTEMPTS, monitorType } from './monitor-type.ts';

const HELP =
  'Sends a UDP datagram. With recv the answer counts; without it the target is up unless it says that its port is unreachable.';

const DEBUG = { debug: yesNo({ default: false, help: 'Whether a file tells of each probe.', inert: true }) };

const example = (path: string) => `
${path} echo {
    destination *:7
    recv hello
    send hello
}
`;

export const gtmMonitorUdp = monitorType(
  { module: 'gtm', type: 'udp', builtIn: { udp: {} }, help: HELP, example: example('gtm monitor udp') },
  { ...DEBUG, ...PROBE_ATTEMPTS, ...GTM_EXCHANGE, ...send('default send string') },
);

export const ltmMonitorUdp = monitorType(
  { module: 'ltm', type: 'udp', builtIn: { udp: {} }, help: HELP, example: example('ltm monitor udp') },
  { ...ADAPTIVE, ...DEBUG, ...MANUAL_RESUME, ...LTM_EXCHANGE, ...send('default send string') },
);
