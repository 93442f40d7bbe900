// `gtm monitor icmp|gateway-icmp`, `ltm monitor icmp|gateway-icmp`: whether a host answers an ICMP echo (RFC 792, RFC 4443).

import { destination } from '../monitor-kinds.ts';
import { ADAPTIVE, MANUAL_RESUME, PROBE_ATTEMPTS, TRANSPARENT, monitorType } from './monitor-type.ts';

const HELP = 'Asks whether a host answers an ICMP echo.';
const GATEWAY_HELP = 'Asks whether a host answers an ICMP echo, also one that is the next hop to another.';

const ADDRESS = {
  destination: destination('address', {
    default: '*',
    help: 'The address that is probed; *: that of what is watched.',
  }),
};
const ANY_PORT = {
  destination: destination('any-port', {
    default: '*:*',
    help: 'The address that is probed; *: that of what is watched. The port has no meaning.',
  }),
};

const example = (path: string) => `
${path} gateway {
    interval 10
    timeout 31
}
`;

export const gtmMonitorIcmp = monitorType(
  {
    module: 'gtm',
    type: 'icmp',
    builtIn: { icmp: {} },
    help: HELP,
    example: example('gtm monitor icmp'),
    extension: true,
  },
  { ...PROBE_ATTEMPTS, ...TRANSPARENT, ...ADDRESS },
);

export const gtmMonitorGatewayIcmp = monitorType(
  {
    module: 'gtm',
    type: 'gateway-icmp',
    builtIn: { gateway_icmp: {} },
    help: GATEWAY_HELP,
    example: example('gtm monitor gateway-icmp'),
  },
  { ...PROBE_ATTEMPTS, ...TRANSPARENT, ...ANY_PORT },
);

export const ltmMonitorIcmp = monitorType(
  { module: 'ltm', type: 'icmp', builtIn: { icmp: {} }, help: HELP, example: example('ltm monitor icmp') },
  { ...ADAPTIVE, ...MANUAL_RESUME, ...TRANSPARENT, ...ADDRESS },
);

export const ltmMonitorGatewayIcmp = monitorType(
  {
    module: 'ltm',
    type: 'gateway-icmp',
    builtIn: { gateway_icmp: {} },
    help: GATEWAY_HELP,
    example: example('ltm monitor gateway-icmp'),
  },
  { ...ADAPTIVE, ...MANUAL_RESUME, ...TRANSPARENT, ...ANY_PORT },
);
