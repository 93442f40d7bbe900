// `gtm datacenter`: a place where servers stand.

import { choice, flag, reference, string } from '../kinds.ts';
import { objectType, type ObjectOf } from '../object-type.ts';

/** Who is asked to probe what stands in a datacenter. */
export const PROBERS = ['inside-datacenter', 'outside-datacenter', 'pool'] as const;
/** Who is asked where those cannot be. */
export const PROBER_FALLBACKS = ['any-available', 'inside-datacenter', 'none', 'outside-datacenter', 'pool'] as const;

/** What is referred to before it is defined: a prober pool has servers, which stand in datacenters. */
export const PROBER_POOL = { path: 'gtm prober-pool', label: 'Prober Pool', naming: 'full-path' } as const;

export const gtmDatacenter = objectType({
  path: 'gtm datacenter',
  label: 'Data Center',
  runBy: 'dnsd',
  readBy: ['healthd', 'iqueryd'],
  help: 'A place where servers stand.',
  example: `
gtm datacenter east {
    contact "noc at example.com"
    location "Hall 2"
}
`,
  naming: 'full-path',
  sync: 'gtm',
  properties: {
    contact: string({ help: 'Who is in charge.' }),
    description: string({ help: 'Text for people.' }),
    enabled: flag('enabled', 'disabled', { default: true, help: 'Whether what stands there is used.' }),
    location: string({ help: 'Where it is.' }),
    'prober-fallback': choice(PROBER_FALLBACKS, {
      default: 'any-available',
      help: 'Who probes its servers where those of prober-preference cannot.',
    }),
    'prober-pool': reference([PROBER_POOL], { help: 'The prober pool.' }),
    'prober-preference': choice(PROBERS, {
      default: 'inside-datacenter',
      help: 'Who probes its servers.',
    }),
  },
});

export type GtmDatacenter = ObjectOf<typeof gtmDatacenter>;
