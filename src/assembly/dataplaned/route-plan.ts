// From the routes that are wanted to the operations that lead there: packs a table for each route domain and IP version, and
// gives each way out a number, which its prefixes share.
//
// Connected networks, broadcast addresses and our own addresses are entries of the tables like others, so that one search
// says all. What did not change is not packed again.

import type { AddressWords } from '../../core/address.ts';
import { FIRST_ROUTE, packRoutes, type Prefix, RouteResult } from '../../route/route-table.ts';
import type { Operation, RouteSpec } from './spec.ts';

/** Where the packets of a route go. */
export type RouteTarget =
  | { kind: 'blackhole' }
  | { kind: 'isolated' }
  | { kind: 'link'; domain: number; mtu: number }
  | { kind: 'gateways'; gateways: readonly { domain: number; address: AddressWords }[]; mtu: number };

export type PlannedRoute = {
  routeDomain: number;
  isIpv6: boolean;
  words: AddressWords;
  bits: number;
  target: RouteTarget;
};

export type RoutePlanInput = {
  /** Parents by route domain; those without one are there too. */
  parents: ReadonlyMap<number, number | undefined>;
  /** Domains of layer 3 tunnels. */
  layer3: ReadonlySet<number>;
  selfs: Iterable<{
    domain: number;
    words: AddressWords;
    isIpv6: boolean;
    prefixBits: number;
    routeDomain?: number;
  }>;
  /** Of equal networks the last counts; a connected network counts more. */
  routes: Iterable<PlannedRoute>;
};

/** A target that packets reach. */
type WayOut = Extract<RouteTarget, { mtu: number }>;
type Table = { routeDomain: number; isIpv6: boolean; prefixes: Prefix[] };

/** Prefixes of IPv4 networks that have a broadcast address. */
const LONGEST_WITH_BROADCAST = 30;
const TUNNEL_ITSELF: AddressWords = [0, 0, 0, 0];
const EMPTY = new Int32Array(0);

export class RoutePlan {
  /** Numbers of ways out, by their text. */
  #numbers = new Map<string, number>();
  /** Numbers that are free, the largest first; behind them all others are. */
  #free: number[] = [];
  #next = FIRST_ROUTE;
  #parents: ReadonlyMap<number, number | undefined> = new Map();
  /** What each table was packed from, by route domain and IP version. */
  #packed = new Map<string, { routeDomain: number; isIpv6: boolean; content: Int32Array }>();

  /** The operations from the state of the call before to this one, in their order. */
  plan({ parents, layer3, selfs, routes }: RoutePlanInput): Operation[] {
    const operations: Operation[] = [];
    for (const [id, parent] of parents) {
      const isSame = this.#parents.has(id) && this.#parents.get(id) === parent;
      if (!isSame) operations.push({ op: 'set-route-domain', id, parent });
    }
    const used = new Map<string, number>();
    const resultOf = (target: RouteTarget): number => this.#resultOf(target, layer3, used, operations);
    const tables = tablesOf(selfs, routes, resultOf);
    operations.push(...this.#packChanged(tables));
    for (const id of this.#parents.keys()) if (!parents.has(id)) operations.push({ op: 'remove-route-domain', id });
    this.#parents = new Map(parents);
    // A number is given out again at the next plan only: until then no table is left that names it.
    for (const [key, id] of this.#numbers) {
      if (used.has(key)) continue;
      operations.push({ op: 'remove-route', id });
      this.#free.push(id);
    }
    this.#numbers = used;
    return operations;
  }

  #resultOf(
    target: RouteTarget,
    layer3: ReadonlySet<number>,
    used: Map<string, number>,
    operations: Operation[],
  ): number {
    if (target.kind === 'blackhole' || target.kind === 'isolated') return RouteResult[target.kind];
    const spec = specOf(target, layer3);
    const key = JSON.stringify(spec);
    const known = used.get(key) ?? this.#numbers.get(key);
    const id = known ?? this.#free.pop() ?? this.#next++;
    if (known === undefined) operations.push({ op: 'set-route', spec: { ...spec, id } });
    used.set(key, id);
    return id;
  }

  *#packChanged(tables: ReadonlyMap<string, Table>): Generator<Operation> {
    const before = this.#packed;
    this.#packed = new Map();
    for (const [key, { routeDomain, isIpv6, prefixes }] of tables) {
      const content = contentOf(prefixes);
      this.#packed.set(key, { routeDomain, isIpv6, content });
      if (isSame(content, before.get(key)?.content ?? EMPTY)) continue;
      yield { op: 'set-route-table', routeDomain, routes: packRoutes(isIpv6, prefixes) };
    }
    for (const [key, { routeDomain, isIpv6 }] of before) {
      if (!tables.has(key)) yield { op: 'set-route-table', routeDomain, routes: packRoutes(isIpv6, []) };
    }
  }
}

function specOf(target: WayOut, layer3: ReadonlySet<number>): Omit<RouteSpec, 'id'> {
  const { mtu } = target;
  if (target.kind === 'gateways') return { onLink: undefined, gateways: target.gateways, mtu };
  const { domain } = target;
  if (!layer3.has(domain)) return { onLink: domain, gateways: [], mtu };
  return { onLink: undefined, gateways: [{ domain, address: TUNNEL_ITSELF }], mtu };
}

function tablesOf(
  selfs: RoutePlanInput['selfs'],
  routes: RoutePlanInput['routes'],
  resultOf: (target: RouteTarget) => number,
): Map<string, Table> {
  const tables = new Map<string, Table>();
  const prefixesOf = (routeDomain: number, isIpv6: boolean): Prefix[] => {
    const key = `${routeDomain} ${isIpv6}`;
    let table = tables.get(key);
    if (table === undefined) tables.set(key, (table = { routeDomain, isIpv6, prefixes: [] }));
    return table.prefixes;
  };
  // Of two equal prefixes the later one counts.
  for (const { routeDomain, isIpv6, words, bits, target } of routes) {
    prefixesOf(routeDomain, isIpv6).push({ words, bits, result: resultOf(target) });
  }
  const connected = [...selfs];
  for (const { routeDomain = 0, isIpv6, words, prefixBits, domain } of connected) {
    const result = resultOf({ kind: 'link', domain, mtu: 0 });
    const prefixes = prefixesOf(routeDomain, isIpv6);
    prefixes.push({ words, bits: prefixBits, result });
    if (isIpv6 || prefixBits > LONGEST_WITH_BROADCAST) continue;
    const hostBits = prefixBits === 0 ? -1 : ~(-1 << (32 - prefixBits));
    for (const address of [words[3] & ~hostBits, words[3] | hostBits]) {
      prefixes.push({ words: [0, 0, 0, address], bits: 32, result: RouteResult.broadcast });
    }
  }
  for (const { routeDomain = 0, isIpv6, words } of connected) {
    prefixesOf(routeDomain, isIpv6).push({ words, bits: isIpv6 ? 128 : 32, result: RouteResult.local });
  }
  return tables;
}

function contentOf(prefixes: readonly Prefix[]): Int32Array {
  const content = new Int32Array(prefixes.length * 6);
  prefixes.forEach(({ words, bits, result }, place) => {
    content.set(words, place * 6);
    content[place * 6 + 4] = bits;
    content[place * 6 + 5] = result;
  });
  return content;
}

function isSame(a: Int32Array, b: Int32Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
