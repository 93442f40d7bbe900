// Who may probe for whom, by the configuration.

import type { AnyConfigObject } from '../../config/object-type.ts';
import type { Properties, Value } from '../../config/value.ts';
import type {
  ProberConfiguration,
  ProberFallback,
  ProberPool,
  ProberPreference,
} from '../../health/prober-election.ts';
import { type ObjectsOfType, recordsIn, textOf } from './describe-watches.ts';

export function describeProbers(objectsOf: ObjectsOfType): ProberConfiguration {
  const datacenters = new Map(objectsOf('gtm datacenter').map(({ name, properties }) => [name, properties]));
  return {
    servers: objectsOf('gtm server').map(({ name, properties }) => {
      const datacenter = textOf(properties.datacenter);
      const whole = datacenters.get(datacenter);
      return {
        ...{ name, datacenter },
        isProber:
          properties.product === 'bigip' &&
          properties['iq-allow-service-check'] !== false &&
          properties.enabled !== false &&
          whole?.enabled !== false,
        ...choice(properties, whole),
      };
    }),
    pools: objectsOf('gtm prober-pool').map(describePool),
  };
}

/** What a server says, or else its datacenter; a pool is that of whoever says it. */
function choice(own: Properties, whole: Properties | undefined) {
  const said = (name: string): { readonly word: string; readonly pool: string | undefined } => {
    const word = textOf(own[name]);
    const by = word === '' || word === 'inherit' ? whole : own;
    return { word: textOf(by?.[name]), pool: poolName(own['prober-pool']) ?? poolName(whole?.['prober-pool']) };
  };
  const preference = said('prober-preference');
  const fallback = said('prober-fallback');
  return {
    preference: (preference.word || 'inside-datacenter') as ProberPreference,
    fallback: (fallback.word || 'any-available') as ProberFallback,
    preferredPool: preference.word === 'pool' ? preference.pool : undefined,
    fallbackPool: fallback.word === 'pool' ? fallback.pool : undefined,
  };
}

function poolName(value: Value | undefined): string | undefined {
  const name = textOf(value);
  return name === '' || name === 'none' ? undefined : name;
}

function describePool({ name, properties }: AnyConfigObject): ProberPool {
  const members = Object.entries(recordsIn(properties.members)).map(([server, own], place) => ({
    ...{ server, place, isEnabled: own.enabled !== false },
    order: typeof own.order === 'number' ? own.order : 0,
  }));
  return {
    name,
    isEnabled: properties.enabled !== false,
    mode: properties['load-balancing-mode'] === 'round-robin' ? 'round-robin' : 'global-availability',
    members: members
      .filter(({ isEnabled }) => isEnabled)
      .sort((a, b) => a.order - b.order || a.place - b.place)
      .map(({ server }) => server),
  };
}
