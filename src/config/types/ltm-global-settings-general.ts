// `ltm global-settings general`: how long and how many MAC addresses are remembered.

import { integer } from '../kinds.ts';
import { objectType } from '../object-type.ts';

/** The most that `l2-cache-limit` may say. */
export const MAX_L2_CACHE = 1_048_576;

export const ltmGlobalSettingsGeneral = objectType({
  path: 'ltm global-settings general',
  label: 'General settings',
  help: 'Settings of the whole system; here, those of the layer 2 forwarding tables.',
  example: `
ltm global-settings general {
    l2-cache-timeout 600
}
`,
  naming: 'singleton',
  sync: 'local',
  properties: {
    'l2-cache-limit': integer(
      { min: 16, max: MAX_L2_CACHE },
      {
        default: 65536,
        help: 'MAC addresses that are learned at most, over all VLANs and tunnels.',
        extension: true,
        onChange: 'rebuild',
      },
    ),
    'l2-cache-timeout': integer(
      { min: 1, max: 86400 },
      { default: 300, help: 'Seconds after which a learned MAC address that stays silent is forgotten.' },
    ),
  },
});
