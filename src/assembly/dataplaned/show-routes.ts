// `show net route` and `show net route-domain`: connected networks and static routes, and whether their gateways answer.

import { type AddressWords, formatAddress, formatPrefix, type IpAddress, networkOf } from '../../core/address.ts';
import type { ShowReply, ShowRow } from '../../ipc/schema.ts';
import { NEIGHBOUR_STRIDE, NeighbourField, NeighbourState } from '../../route/neighbour-table.ts';
import type { ConfigView, RouteDomain } from './config-view.ts';
import type { FrameDriver } from './frame-driver.ts';
import type { Model, RouteModel, TargetModel } from './model.ts';
import type { Planner } from './planner.ts';

/** What the listing reads, as it is at the moment of the question. */
export type RouteSources = { view: ConfigView; model: Model; planner: Planner; worker: FrameDriver };

const COLUMNS = ['Name', 'Destination', 'Type', 'Next Hop', 'Origin', 'Status'];
/** Routes of one reply: with the longest names they stay below a message's limit. */
const PAGE_ROUTES = 2000;

type Shown = { name: string; network: IpAddress; bits: number; target: TargetModel; origin: 'connected' | 'static' };

/** The table of routes, page by page; `asked`: only these static ones. */
export function showRoutes(
  sources: RouteSources,
  asked: Set<string> | undefined,
  cursor: string | undefined,
): ShowReply {
  const { model } = sources;
  const all = asked === undefined ? [...connectedOf(model), ...model.routes.map(shownOf)] : chosenOf(model, asked);
  const failed = model.failures.flatMap(({ object, reason }) => {
    const name = object.startsWith('net route ') ? object.slice('net route '.length) : undefined;
    return name !== undefined && (asked?.has(name) ?? true) ? [failedRow(sources, name, reason)] : [];
  });
  const from = Number(cursor ?? 0);
  const page = all.slice(from, from + PAGE_ROUTES);
  const isLast = from + PAGE_ROUTES >= all.length;
  const states = neighbourStates(sources);
  const rows = page.map((route) => rowOf(route, model, states));
  if (isLast) rows.push(...failed);
  const reply = { rows: [{ name: 'Routes', table: { columns: COLUMNS, rows } }] };
  return isLast ? reply : { ...reply, next: String(from + PAGE_ROUTES) };
}

export function showRouteDomains({ model }: RouteSources, page: readonly [string, RouteDomain][]): ShowRow[] {
  return page.map(([name, { properties }]) => {
    const { id, parent = 'none', strict } = properties;
    const members = [...model.domains.values()].filter(({ routeDomain }) => routeDomain === id);
    const routes = model.routes.filter(({ routeDomain }) => routeDomain === id);
    const stats = {
      ID: id,
      Parent: parent,
      Strict: strict ? 'enabled' : 'disabled',
      'Connected Networks': [...model.selfs.values()].filter(({ routeDomain }) => routeDomain === id).length,
      'Static Routes': routes.length,
      'VLANs and Tunnels': members.map((member) => member.name).join(' ') || 'none',
    };
    return { name, stats };
  });
}

const shownOf = ({ name, routeDomain, isIpv6, words, bits, target }: RouteModel): Shown => ({
  name,
  network: { family: isIpv6 ? 6 : 4, words, routeDomain },
  bits,
  target,
  origin: 'static',
});

/** Each connected network once, by the name of the first self IP on it. */
function connectedOf({ selfs }: Model): Shown[] {
  const shown = new Map<string, Shown>();
  for (const { name, domain, words, isIpv6, prefixBits: bits, routeDomain } of selfs.values()) {
    const network = networkOf({ address: { family: isIpv6 ? 6 : 4, words, routeDomain }, length: bits });
    const key = `${domain} ${formatPrefix({ address: network, length: bits })}`;
    if (shown.has(key)) continue;
    shown.set(key, { name, network, bits, target: { kind: 'link', domain, mtu: 0 }, origin: 'connected' });
  }
  return [...shown.values()];
}

const chosenOf = ({ routes }: Model, asked: Set<string>): Shown[] =>
  routes.filter(({ name }) => asked.has(name)).map(shownOf);

function rowOf({ name, network, bits, target, origin }: Shown, model: Model, states: Map<string, string>): string[] {
  const destination = formatPrefix({ address: network, length: bits });
  switch (target.kind) {
    case 'link':
      return [name, destination, 'interface', target.domain, origin, 'available'];
    case 'gateways': {
      const gateways = target.gateways.map(({ domain, address }) => {
        const routeDomain = model.domains.get(domain)?.routeDomain ?? 0;
        const text = formatAddress({ family: network.family, words: address, routeDomain });
        return { text, state: states.get(keyOf(domain, address)) ?? 'not used yet' };
      });
      const next = gateways.map(({ text }) => text).join(', ');
      const state = gateways.map(({ state: of }) => of).join(', ');
      return [name, destination, gateways.length > 1 ? 'pool' : 'gw', next, origin, state];
    }
    case 'blackhole':
      return [name, destination, 'blackhole', '-', origin, 'available'];
    default:
      return [name, destination, 'gw', '-', origin, 'dropped by strict isolation'];
  }
}

function failedRow({ view }: RouteSources, name: string, reason: string): string[] {
  const properties = view.routes.get(name)?.properties;
  const next = properties?.gw ?? properties?.pool ?? properties?.interface ?? '-';
  return [name, properties?.network ?? '-', 'gw', next, 'static', `failed: ${reason}`];
}

/** States of the neighbours, by the name of the domain and the address. */
function neighbourStates({ model, planner, worker }: RouteSources): Map<string, string> {
  const names = new Map([...model.domains.keys()].map((name) => [planner.domain(name), name]));
  const mirror = new Int32Array(worker.tables.neighbours);
  const states = new Map<string, string>();
  for (let at = 0; at < mirror.length; at += NEIGHBOUR_STRIDE) {
    const domain = names.get(mirror[at + NeighbourField.domain]!);
    if (domain === undefined) continue;
    const address = mirror.subarray(at + NeighbourField.address, at + NeighbourField.address + 4);
    const isResolved = mirror[at + NeighbourField.state]! >= NeighbourState.reachable;
    states.set(keyOf(domain, [...address]), isResolved ? 'available' : 'unreachable');
  }
  return states;
}

const keyOf = (domain: string, address: AddressWords | number[]): string => `${domain} ${address.join(' ')}`;
