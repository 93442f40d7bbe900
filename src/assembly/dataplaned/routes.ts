// The routes of all route domains: a table for each IP version, and what the results of a search in it mean.

import { type AddressWords, MAX_ROUTE_DOMAIN, wordsAreIpv6 } from '../../core/address.ts';
import { hashPair } from '../../core/pair-map.ts';
import { FIRST_ROUTE, NO_ROUTES, type PackedRoutes, RouteResult, RouteTable } from '../../route/route-table.ts';
import type { NextHop } from '../../route/next-hop.ts';
import { Route } from '../../route/route.ts';
import type { NextHops } from './next-hops.ts';
import type { RouteSpec } from './spec.ts';

/** Parents may have parents; a circle ends here. */
const MAX_PARENTS = 8;

class Tables {
  ipv4 = NO_ROUTES.ipv4;
  ipv6 = NO_ROUTES.ipv6;
  parent: Tables | undefined;
  parentId: number | undefined;
  version = 0;
}

export class Routes {
  /** Grows with every change: whoever keeps the result of a search has to search anew. */
  version = 0;
  /** Grows when ways out have changed that all route domains may use. */
  #waysVersion = 0;
  readonly #changed: () => void;
  readonly #hops: NextHops;
  readonly #domains = new Map<number, Tables>();
  /** Position in #tables by route domain: a look-up without a hash. */
  readonly #places = new Int32Array(MAX_ROUTE_DOMAIN + 1);
  readonly #tables: (Tables | undefined)[] = [new Tables()];
  readonly #free: number[] = [];
  readonly #specs = new Map<number, RouteSpec>();
  readonly #routes: (Route | undefined)[] = [];

  /** `changed` is called when other gateways answer than before. */
  constructor(hops: NextHops, changed: () => void) {
    this.#hops = hops;
    this.#changed = changed;
  }

  /** Grows when packets of a route domain may take another way than before. */
  versionOf(routeDomain: number): number {
    return this.#waysVersion + this.#tables[this.#places[routeDomain]!]!.version;
  }

  /** The next hop towards a remote end, which the caller then enters itself in as a user; undefined without a route. */
  hopTo(routeDomain: number, words: AddressWords): NextHop | undefined {
    const isIpv6 = wordsAreIpv6(words);
    const result = isIpv6 ? this.findIpv6(routeDomain, ...words) : this.findIpv4(routeDomain, words[3]);
    const route = result < FIRST_ROUTE ? undefined : this.route(result);
    if (route === undefined) return undefined;
    if (route.onLink !== -1) return this.#hops.hold(route.onLink, words);
    return route.select(hashPair(hashPair(words[0], words[1]), hashPair(words[2], words[3])));
  }

  /** To be called when a user of `hopTo` has left. */
  letGo(hop: NextHop): void {
    if (hop.users.length === 0) this.#hops.letGo(hop);
  }

  /** The result of the longest prefix for an IPv4 address, in the parent if there is none here. */
  findIpv4(routeDomain: number, address: number): number {
    let tables = this.#tables[this.#places[routeDomain]!]!;
    let result = tables.ipv4.findIpv4(address);
    for (let depth = 0; result === RouteResult.none && depth < MAX_PARENTS; depth++) {
      if (tables.parent === undefined) break;
      tables = tables.parent;
      result = ofParent(tables.ipv4.findIpv4(address));
    }
    return result;
  }

  findIpv6(routeDomain: number, word0: number, word1: number, word2: number, word3: number): number {
    let tables = this.#tables[this.#places[routeDomain]!]!;
    let result = tables.ipv6.findIpv6(word0, word1, word2, word3);
    for (let depth = 0; result === RouteResult.none && depth < MAX_PARENTS; depth++) {
      if (tables.parent === undefined) break;
      tables = tables.parent;
      result = ofParent(tables.ipv6.findIpv6(word0, word1, word2, word3));
    }
    return result;
  }

  /** What a result from FIRST_ROUTE on stands for; undefined for a moment after its route has gone. */
  route(result: number): Route | undefined {
    return this.#routes[result - FIRST_ROUTE];
  }

  setDomain(id: number, parent: number | undefined): void {
    this.#noteWays();
    this.#obtain(id).parentId = parent;
    this.#settleParents();
  }

  removeDomain(id: number): void {
    this.#noteWays();
    const place = this.#places[id]!;
    if (place === 0) return;
    this.#domains.delete(id);
    this.#places[id] = 0;
    this.#tables[place] = undefined;
    this.#free.push(place);
    this.#settleParents();
  }

  setTable(routeDomain: number, routes: PackedRoutes): void {
    this.version += 1;
    const tables = this.#obtain(routeDomain);
    tables.version += 1;
    // A child searches its parent's tables too.
    for (const other of this.#domains.values()) if (other.parent !== undefined) other.version += 1;
    const table = new RouteTable(routes);
    if (routes.isIpv6) tables.ipv6 = table;
    else tables.ipv4 = table;
  }

  setRoute(spec: RouteSpec): void {
    this.#noteWays();
    this.#specs.set(spec.id, spec);
    this.#connect(spec);
  }

  removeRoute(id: number): void {
    this.#noteWays();
    this.#specs.delete(id);
    this.#disconnect(id);
  }

  /** Leads routes by next hops anew, after domains have come or next hops have gone. */
  settle(): void {
    for (const spec of this.#specs.values()) {
      const route = this.#routes[spec.id - FIRST_ROUTE];
      const isWhole = route?.hops.length === spec.gateways.length;
      if (isWhole && route.hops.every((hop) => this.#hops.has(hop))) continue;
      this.#noteWays();
      this.#connect(spec);
    }
  }

  #noteWays(): void {
    this.version += 1;
    this.#waysVersion += 1;
  }

  #connect({ id, onLink, gateways, mtu }: RouteSpec): void {
    const hops = gateways.flatMap(({ domain, address }) => this.#hops.hold(domain, address) ?? []);
    const route = new Route(onLink ?? -1, hops, mtu, () => {
      this.#noteWays();
      this.#changed();
    });
    for (const hop of hops) hop.users.push(route);
    // Only now: a next hop that both use would else be let go for a moment.
    this.#disconnect(id);
    this.#routes[id - FIRST_ROUTE] = route;
  }

  #disconnect(id: number): void {
    const route = this.#routes[id - FIRST_ROUTE];
    if (route === undefined) return;
    this.#routes[id - FIRST_ROUTE] = undefined;
    for (const hop of route.hops) this.#leave(hop, route);
  }

  #leave(hop: NextHop, route: Route): void {
    const at = hop.users.indexOf(route);
    if (at !== -1) hop.users.splice(at, 1);
    if (hop.users.length === 0) this.#hops.letGo(hop);
  }

  #obtain(id: number): Tables {
    const known = this.#domains.get(id);
    if (known !== undefined) return known;
    const tables = new Tables();
    // Place 0 is that of all route domains without routes.
    const place = this.#free.pop() ?? this.#tables.length;
    this.#places[id] = place;
    this.#tables[place] = tables;
    this.#domains.set(id, tables);
    return tables;
  }

  #settleParents(): void {
    for (const tables of this.#domains.values()) {
      const { parentId } = tables;
      tables.parent = parentId === undefined ? undefined : this.#domains.get(parentId);
    }
  }
}

/** The addresses of a parent are not ours in the child, and its broadcast addresses are none there. */
const ofParent = (result: number): number => (result === RouteResult.local ? RouteResult.isolated : result);
