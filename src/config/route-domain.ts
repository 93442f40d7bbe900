// Which route domains exist, and what is in them: for the checks of whatever has an address.

import type { IpAddress } from '../core/address.ts';
import type { AnyConfigObject, CheckContext } from './object-type.ts';
import { DEFAULT_ROUTE_DOMAIN, netRouteDomain, refuseRouteDomain, type RouteDomain } from './types/net-route-domain.ts';
import { netVlanGroup } from './types/net-vlan-group.ts';

type Places = {
  byId: ReadonlyMap<number, RouteDomain>;
  /** Route domain by name of a VLAN, VLAN group or tunnel that is not in the default one. */
  of: ReadonlyMap<string, RouteDomain>;
};

/** Of one validation: the context lives no longer. */
const known = new WeakMap<CheckContext, Places>();

function placesOf(context: CheckContext): Places {
  let places = known.get(context);
  if (places === undefined) {
    const domains = context.all(netRouteDomain);
    const of = new Map<string, RouteDomain>();
    for (const domain of domains) for (const vlan of domain.properties.vlans) of.set(vlan, domain);
    for (const group of context.all(netVlanGroup)) {
      const domain = of.get(group.name);
      if (domain !== undefined) for (const member of group.properties.members) of.set(member, domain);
    }
    places = { byId: new Map(domains.map((domain) => [domain.properties.id, domain])), of };
    known.set(context, places);
  }
  return places;
}

/** The route domain of a VLAN, VLAN group or tunnel. */
export function routeDomainOf(vlan: string, context: CheckContext): { id: number; name: string } {
  const domain = placesOf(context).of.get(vlan);
  if (domain !== undefined) return { id: domain.properties.id, name: domain.name };
  return { id: DEFAULT_ROUTE_DOMAIN, name: findRouteDomain(DEFAULT_ROUTE_DOMAIN, context)?.name ?? '/Common/0' };
}

export function findRouteDomain(id: number, context: CheckContext): RouteDomain | undefined {
  return placesOf(context).byId.get(id);
}

/** Refuses an address of a route domain that is not there. */
export function checkRouteDomain(
  object: AnyConfigObject,
  property: string,
  address: Pick<IpAddress, 'routeDomain'>,
  context: CheckContext,
): void {
  if (findRouteDomain(address.routeDomain, context) !== undefined) return;
  refuseRouteDomain(object, property, address.routeDomain, context);
}
