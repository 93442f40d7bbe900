// What a `gtm listener` comes to with its profile: where it listens, and how it answers.

import { dnsProfileOf, type Listener } from '../../config/types/gtm-listener.ts';
import type { DnsProfile } from '../../config/types/ltm-profile-dns.ts';
import { ltmProfileDns } from '../../config/types/ltm-profile-dns.ts';
import type { CheckContext } from '../../config/object-type.ts';
import { formatBareAddress, parseAddressOrAny } from '../../core/address.ts';

export type ListenerSpec = {
  /** Full path of the object. */
  readonly name: string;
  readonly isStream: boolean;
  readonly engine: Listener['properties']['engine'];
  readonly ringAdapter: Listener['properties']['ring-adapter'];
  readonly family: 4 | 6;
  /** Without the route domain. */
  readonly address: string;
  readonly routeDomain: number;
  readonly port: number;
  readonly maxConnections: number;
  readonly idleMs: number;
  readonly profile: DnsProfile;
};

/** The listeners that are enabled. */
export function listenerSpecs(
  listeners: readonly Listener[],
  profiles: ReadonlyMap<string, DnsProfile>,
): ListenerSpec[] {
  // Only profiles are looked for.
  const context = { find: (type: { path: string }, name: string) => profileOf(type, name) } as Pick<
    CheckContext,
    'find'
  >;
  const profileOf = ({ path }: { path: string }, name: string): DnsProfile | undefined =>
    path === ltmProfileDns.path ? profiles.get(name) : undefined;
  return listeners.flatMap((listener) => {
    const { properties, name } = listener;
    const profile = dnsProfileOf(listener, context);
    if (!properties.enabled || profile === undefined) return [];
    const address = parseAddressOrAny(properties.address)!;
    return [
      {
        name,
        isStream: properties['ip-protocol'] === 'tcp',
        engine: properties.engine,
        ringAdapter: properties['ring-adapter'],
        family: address.family,
        address: formatBareAddress(address),
        routeDomain: address.routeDomain,
        port: properties.port,
        maxConnections: properties['max-connections'],
        idleMs: properties['idle-timeout'] * 1000,
        profile,
      },
    ];
  });
}

/** `192.0.2.53%5 port 53 (udp)`. */
export const placeText = ({ address, routeDomain, port, isStream }: ListenerSpec): string =>
  `${address}${routeDomain === 0 ? '' : `%${routeDomain}`} port ${port} (${isStream ? 'tcp' : 'udp'})`;
