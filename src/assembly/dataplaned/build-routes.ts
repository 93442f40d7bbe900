// The wanted routes, from the configuration: which route domain each bridge domain is in, and what static routes lead to.

import { type IpAddress, isUnspecified, parseAddress, prefixContains } from '../../core/address.ts';
import { poolAddresses } from '../../config/types/ltm-pool.ts';
import { crossesStrictly, routeNetwork } from '../../config/types/net-route.ts';
import { DEFAULT_ROUTE_DOMAIN } from '../../config/types/net-route-domain.ts';
import type { ConfigView, RouteDomain, StaticRoute } from './config-view.ts';
import type { Failure, Model, RouteModel, TargetModel } from './model.ts';

/** The route domain of every VLAN, VLAN group and tunnel that is not in the default one. */
export function routeDomainsOf(view: ConfigView): Map<string, number> {
  const of = new Map<string, number>();
  for (const { properties } of view.routeDomains.values()) {
    for (const vlan of properties.vlans) of.set(vlan, properties.id);
  }
  return of;
}

/** Parents by route domain; those without one are there too. */
export function parentsOf(view: ConfigView): Map<number, number | undefined> {
  const parents = new Map<number, number | undefined>([[DEFAULT_ROUTE_DOMAIN, undefined]]);
  for (const { properties } of view.routeDomains.values()) {
    const { id, parent } = properties;
    parents.set(id, parent === undefined ? undefined : view.routeDomains.get(parent)?.properties.id);
  }
  return parents;
}

/** Builds the static routes; what leads nowhere at present is among the failures. */
export class RouteBuilder {
  readonly #view: ConfigView;
  readonly #model: Model;
  readonly #byId: ReadonlyMap<number, RouteDomain>;
  /** Our networks by route domain, with the bridge domain that each is on. */
  readonly #connected = new Map<number, { self: IpAddress; length: number; domain: string }[]>();

  constructor(view: ConfigView, model: Model) {
    this.#view = view;
    this.#model = model;
    this.#byId = new Map([...view.routeDomains.values()].map((domain) => [domain.properties.id, domain]));
    for (const { domain, words, isIpv6, prefixBits, routeDomain } of model.selfs.values()) {
      const self: IpAddress = { family: isIpv6 ? 6 : 4, words, routeDomain };
      const list = this.#connected.get(routeDomain);
      if (list === undefined) this.#connected.set(routeDomain, [{ self, length: prefixBits, domain }]);
      else list.push({ self, length: prefixBits, domain });
    }
  }

  build(): { routes: RouteModel[]; failures: Failure[] } {
    const routes: RouteModel[] = [];
    const failures: Failure[] = [];
    for (const route of this.#view.routes.values()) {
      const { address, length } = routeNetwork(route.properties.network)!;
      const target = this.#targetOf(route, address);
      if (typeof target === 'string') {
        failures.push({ object: `net route ${route.name}`, reason: target });
        continue;
      }
      const { family, words, routeDomain } = address;
      routes.push({ name: route.name, routeDomain, isIpv6: family === 6, words, bits: length, target });
    }
    return { routes, failures };
  }

  #targetOf({ properties }: StaticRoute, network: IpAddress): TargetModel | string {
    const { blackhole, gw, interface: vlan, pool, mtu } = properties;
    if (blackhole === true) return { kind: 'blackhole' };
    if (vlan !== undefined) {
      const domain = this.#model.domainOf.get(vlan);
      const found = domain === undefined ? undefined : this.#model.domains.get(domain);
      if (found === undefined) return `${vlan} is not there`;
      if (this.#isIsolated(network.routeDomain, found.routeDomain)) return { kind: 'isolated' };
      const gateway = gw === undefined ? undefined : parseAddress(gw)!;
      if (gateway === undefined || isUnspecified(gateway)) return { kind: 'link', domain: found.name, mtu };
      return { kind: 'gateways', gateways: [{ domain: found.name, address: gateway.words }], mtu };
    }
    const members = pool === undefined ? undefined : this.#view.pools.get(pool);
    const addresses =
      gw === undefined
        ? members === undefined
          ? []
          : poolAddresses(members, (name) => this.#view.nodes.get(name))
        : [gw];
    return this.#gateways(addresses, network.routeDomain, mtu);
  }

  #gateways(addresses: readonly string[], from: number, mtu: number): TargetModel | string {
    const gateways: { domain: string; address: IpAddress['words'] }[] = [];
    for (const text of addresses) {
      const gateway = parseAddress(text)!;
      if (this.#isIsolated(from, gateway.routeDomain)) return { kind: 'isolated' };
      const domain = this.#domainOf(gateway);
      if (domain !== undefined) gateways.push({ domain, address: gateway.words });
    }
    if (gateways.length === 0)
      return `no gateway of ${addresses.join(', ') || 'an empty pool'} is on a network of a self IP`;
    return { kind: 'gateways', gateways, mtu };
  }

  /** The bridge domain of the longest connected network that the address is on. */
  #domainOf(address: IpAddress): string | undefined {
    let best: { length: number; domain: string } | undefined;
    for (const { self, length, domain } of this.#connected.get(address.routeDomain) ?? []) {
      const isNearer = best === undefined || length > best.length;
      if (isNearer && prefixContains({ address: self, length }, address)) best = { length, domain };
    }
    return best?.domain;
  }

  #isIsolated(from: number, to: number): boolean {
    const one = this.#byId.get(from);
    const other = this.#byId.get(to);
    return from !== to && one !== undefined && other !== undefined && crossesStrictly(one.properties, other);
  }
}
