// `gtm link`: a line to a provider. Nothing is balanced over links in this version.

import { MAX_COUNT } from '../gtm-kinds.ts';
import { address, choice, flag, integer, pattern, recordsByPattern, reference, string, toggle } from '../kinds.ts';
import { monitorRuleKind } from '../monitor-rule.ts';
import { objectType } from '../object-type.ts';
import type { ScalarKind } from '../property.ts';
import { gtmDatacenter } from './gtm-datacenter.ts';

const count = (value: number, help: string) =>
  integer({ min: 0, max: MAX_COUNT }, { default: value, help, inert: true });
const bps = (direction: string) => count(0, `Bits per second ${direction} from which on it is not available.`);
const status = (name: string) => toggle({ default: false, help: `Whether ${name} counts.`, inert: true });

const addressKind = address({ help: '' }).kind as ScalarKind<string>;

export const gtmLink = objectType({
  path: 'gtm link',
  label: 'Link',
  runBy: 'dnsd',
  help: 'A line to a provider. It is kept; nothing is balanced over links in this version.',
  example: `
gtm datacenter east { }
gtm link provider1 {
    datacenter east
    description "to the provider"
}
`,
  naming: 'full-path',
  sync: 'gtm',
  properties: {
    datacenter: reference([gtmDatacenter], { required: true, help: 'Where it ends.' }),
    description: string({ help: 'Text for people.' }),
    'duplex-billing': toggle({ default: true, help: 'Whether both directions are paid for.', inert: true }),
    enabled: flag('enabled', 'disabled', { default: true, help: 'Whether it is used.' }),
    'limit-max-inbound-bps': bps('inwards'),
    'limit-max-inbound-bps-status': status('limit-max-inbound-bps'),
    'limit-max-outbound-bps': bps('outwards'),
    'limit-max-outbound-bps-status': status('limit-max-outbound-bps'),
    'limit-max-total-bps': bps('in both directions'),
    'limit-max-total-bps-status': status('limit-max-total-bps'),
    'link-ratio': count(1, 'Its weight, where weighting is ratio.'),
    monitor: pattern(monitorRuleKind('gtm'), { help: 'What watches it.', inert: true }),
    'prepaid-segment': count(0, 'Bits per second that are paid for in any case.'),
    'router-addresses': recordsByPattern(
      addressKind,
      {},
      { default: {}, help: 'Addresses of its router.', inert: true },
    ),
    'service-provider': string({ help: 'The provider.', inert: true }),
    'uplink-address': address({ help: 'The address of the router towards the provider.', inert: true }),
    weighting: choice(['price', 'ratio'], { default: 'price', help: 'How it is weighed against others.', inert: true }),
  },
});
