// From one wanted state to the next: gives every object its number and says which operations lead there.
//
// Objects are compared by what the worker would be told of them, so an object that did not change causes no operation and
// keeps its counters, its learned stations and its waiting frames. What follows from the same part of the model and the same
// numbers is the same plan (core/kept.ts), and needs no comparing.

import { RowAllocator } from '../../core/counters.ts';
import { kept } from '../../core/kept.ts';
import { IpsecPlan, type KeyOf } from './ipsec-plan.ts';
import type {
  DomainModel,
  InterfaceMemberModel,
  Model,
  SelfModel,
  StaticTableModel,
  TargetModel,
  TunnelMemberModel,
} from './model.ts';
import { Numbers } from './numbers.ts';
import { RoutePlan, type RouteTarget } from './route-plan.ts';
import type { Operation } from './spec.ts';
import { type StaticSource, StaticPlan } from './static-plan.ts';

/** One kind of object: the operation that makes or changes it, and the one that removes it. */
type Kind =
  | 'settings'
  | 'domain'
  | 'interface-member'
  | 'tunnel-member'
  | 'ipsec-tunnel'
  | 'self'
  | 'host-path'
  | 'neighbour'
  | 'association'
  | 'selector';

type Planned = { readonly set: Operation; readonly remove: Operation };

/**
 * Creation goes through the kinds in this order, removal in the reverse one, before it. Selectors alone go after everything else:
 * packets may pass between any two operations, and what another selector is to protect must not find none.
 */
const ORDER: readonly Kind[] = [
  'settings',
  'domain',
  'interface-member',
  'self',
  'host-path',
  'ipsec-tunnel',
  'association',
  'selector',
  'tunnel-member',
  'neighbour',
];

export class Planner {
  readonly #domains = new Numbers();
  readonly #members = new Numbers();
  /** Of VLANs and tunnels, as what they are in a group. */
  readonly #segments = new Numbers();
  readonly #ports = new Numbers();
  readonly #rowAllocator: RowAllocator;
  readonly #rows = new Map<string, number>();
  readonly #routes = new RoutePlan();
  readonly #stations = new StaticPlan();
  readonly #ipsec = new IpsecPlan();
  #staticTables: Model['staticTables'] = new Map();
  #current = new Map<Kind, Map<string, Planned>>(ORDER.map((kind) => [kind, new Map()]));

  constructor(rows: number) {
    this.#rowAllocator = new RowAllocator(rows);
  }

  /** Number of the port of an interface or socket, given out on first use. */
  port(key: string): number {
    return this.#ports.of(key);
  }

  /** Row of the counters of a port, a member or a tunnel; 0 when there is none. */
  row(key: string): number {
    return this.#rows.get(key) ?? 0;
  }

  /** Number of a domain, by its name; 0 when there is none. */
  domain(name: string): number {
    return (this.#domains.find(name) ?? -1) + 1;
  }

  /** Names of members by number: of a tunnel, or `VLAN interface`. */
  memberNames(): Map<number, string> {
    return new Map([...this.#members.entries()].map(([key, number]) => [number, key]));
  }

  /**
   * The operations that lead from the state of the call before to this one, in their order; those of a million stations are
   * made when they are asked for. `keyOf`: the handle of an association's keys; without one it is left out.
   */
  plan(model: Model, keyOf: KeyOf = () => undefined): { operations: Iterable<Operation>; freedRows: number[] } {
    const next = this.#describe(model, keyOf);
    const removals: Operation[] = [];
    const lastRemovals: Operation[] = [];
    for (const kind of [...ORDER].reverse()) {
      const list = kind === 'selector' ? lastRemovals : removals;
      for (const [key, planned] of this.#current.get(kind)!) if (!next.get(kind)!.has(key)) list.push(planned.remove);
    }
    const changes: Operation[] = [];
    for (const kind of ORDER) {
      const before = this.#current.get(kind)!;
      for (const [key, planned] of next.get(kind)!) if (!isSame(before.get(key), planned)) changes.push(planned.set);
    }
    this.#current = next;
    const stations = this.#planStations(model);
    const routes = this.#planRoutes(model);
    const operations = inTurn(stations.removals, removals, changes, routes, stations.settings, lastRemovals);
    return { operations, freedRows: this.#forget(model) };
  }

  #planRoutes(model: Model): Operation[] {
    const layer3 = [...model.domains.values()].filter(({ isLayer3 }) => isLayer3);
    return this.#routes.plan({
      parents: model.routeDomains,
      layer3: new Set(layer3.map(({ name }) => this.#domainId(name))),
      selfs: [...model.selfs.values()].map((self) => ({ ...self, domain: this.#domainId(self.domain) })),
      routes: model.routes.map((route) => ({ ...route, target: this.#numbered(route.target) })),
    });
  }

  #numbered(target: TargetModel): RouteTarget {
    if (target.kind === 'link') return { ...target, domain: this.#domainId(target.domain) };
    if (target.kind !== 'gateways') return target;
    const gateways = target.gateways.map(({ domain, address }) => ({ domain: this.#domainId(domain), address }));
    return { ...target, gateways };
  }

  #describe(model: Model, keyOf: KeyOf): Map<Kind, Map<string, Planned>> {
    const plan = new Map<Kind, Map<string, Planned>>(ORDER.map((kind) => [kind, new Map()]));
    const add = (kind: Kind, key: string, planned: Planned): void => void plan.get(kind)!.set(key, planned);
    const learning: Operation = {
      op: 'set-learning',
      ageingSeconds: model.ageingSeconds,
      limit: model.learnedLimit,
    };
    add('settings', 'learning', { set: learning, remove: learning });
    for (const domain of model.domains.values()) {
      const { name } = domain;
      add('domain', name, planDomain(domain, this.#domainId(name), this.#members.of(localKey(name))));
    }
    for (const member of model.interfaceMembers.values()) {
      const { key } = member;
      const id = this.#members.of(key);
      const domain = this.#domainId(member.domain);
      const segment = this.#segments.of(member.segment) + 1;
      const planned = planInterfaceMember(
        member,
        id,
        this.#obtainRow(key),
        domain,
        this.port(member.interface),
        segment,
      );
      add('interface-member', key, planned);
    }
    for (const member of model.tunnelMembers.values()) {
      const { name, group, subnets } = member;
      const id = this.#members.of(name);
      const domain = this.#domainId(member.domain);
      const groupDomain = group === undefined ? 0 : this.#domainId(group.domain);
      const segment = this.#segments.of(name) + 1;
      const behind = subnets.map(({ tunnel }) => this.#members.of(tunnel));
      const planned = planTunnelMember(member, id, this.#obtainRow(name), domain, segment, groupDomain, ...behind);
      add('tunnel-member', name, planned);
    }
    for (const self of model.selfs.values()) add('self', self.name, planSelf(self, this.#domainId(self.domain)));
    for (const { domain, mac, ownMac, usesLastHop } of model.hostPaths.values()) {
      const id = this.#domainId(domain);
      const spec = { domain: id, port: this.port(hostPortKey(domain)), mac, ownMac, usesLastHop };
      add('host-path', domain, { set: { op: 'set-host-path', spec }, remove: { op: 'remove-host-path', domain: id } });
    }
    const settings: Operation = { op: 'set-ipsec-settings', ...model.ipsecSettings };
    add('settings', 'ipsec', { set: settings, remove: settings });
    for (const { name, domain, mtu } of model.ipsecTunnels.values()) {
      const id = this.#members.of(name);
      const spec = { id, row: this.#obtainRow(name), domain: this.#domainId(domain), name, mtu, enabled: true };
      add('ipsec-tunnel', name, { set: { op: 'set-ipsec-tunnel', spec }, remove: { op: 'remove-member', id } });
    }
    const places = { row: (key: string) => this.#obtainRow(key), member: (name: string) => this.#members.of(name) };
    for (const { kind, key, set, remove } of this.#ipsec.describe(model, keyOf, places))
      add(kind, key, { set, remove });
    for (const [key, { domain, address, mac }] of model.neighbours) {
      const id = this.#domainId(domain);
      const spec = { domain: id, address, mac };
      const remove: Operation = { op: 'remove-static-neighbour', domain: id, address };
      add('neighbour', key, { set: { op: 'set-static-neighbour', spec }, remove });
    }
    return plan;
  }

  /** Number of a policy of IPsec, from 1 on; 0: there is none. */
  policy(name: string): number {
    return this.#ipsec.policy(name);
  }

  /** Number of an association, which its state has as well; undefined: there is none. */
  association(name: string): number | undefined {
    return this.#ipsec.association(name);
  }

  /** Tables that are the same as before lead to the same members, which have kept their numbers. */
  #planStations(model: Model): ReturnType<StaticPlan['plan']> {
    const before = this.#staticTables;
    this.#staticTables = model.staticTables;
    let isSame = before.size === model.staticTables.size;
    for (const [key, table] of model.staticTables) isSame &&= before.get(key) === table;
    return isSame ? { removals: [], settings: [] } : this.#stations.plan(this.#staticSources(model));
  }

  #staticSources(model: Model): Map<string, StaticSource> {
    const sources = new Map<string, StaticSource>();
    for (const [key, table] of model.staticTables) {
      const members = memberKeys(table).map((member) => this.#members.of(member));
      sources.set(key, staticSource(table, this.#domainId(table.domain), ...members));
    }
    return sources;
  }

  /** Domain numbers start at 1: an FDB key of zeros is then never a real one. */
  #domainId(name: string): number {
    return this.#domains.of(name) + 1;
  }

  /** The row of an object's counters, cleared by whoever reuses it. */
  #obtainRow(key: string): number {
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const row = this.#rowAllocator.allocate() ?? 0;
    if (row !== 0) this.#rows.set(key, row);
    return row;
  }

  /** Rows of ports are asked for by the port keeper. */
  portRow(key: string): number {
    return this.#obtainRow(portKey(key));
  }

  /** Makes rows available again, after the worker has let go of them and they have been cleared. */
  recycle(rows: readonly number[]): void {
    for (const row of rows) this.#rowAllocator.release(row);
  }

  /** Gives back the numbers of what is no longer there; returns the rows that are to be cleared and recycled. */
  #forget(model: Model): number[] {
    const { domains, interfaceMembers, tunnelMembers } = model;
    const ports = new Set([...model.interfaces.keys(), ...model.sockets.keys()]);
    for (const { interface: name } of interfaceMembers.values()) ports.add(name);
    for (const domain of model.hostPaths.keys()) ports.add(hostPortKey(domain));
    const segments = new Set([...interfaceMembers.values()].map(({ segment }) => segment));
    // What is there has a number: where there are as many numbers as there is of it, nothing has gone.
    const isAllThere =
      this.#ports.size === ports.size &&
      this.#domains.size === domains.size &&
      this.#members.size === domains.size + interfaceMembers.size + tunnelMembers.size + model.ipsecTunnels.size &&
      this.#ipsec.isAllThere(model) &&
      this.#segments.size === segments.size + tunnelMembers.size;
    if (isAllThere) return [];
    for (const name of tunnelMembers.keys()) segments.add(name);
    const members = new Set([
      ...interfaceMembers.keys(),
      ...tunnelMembers.keys(),
      ...model.ipsecTunnels.keys(),
      ...[...domains.keys()].map(localKey),
    ]);
    this.#domains.keepOnly(domains);
    this.#members.keepOnly(members);
    this.#segments.keepOnly(segments);
    this.#ports.keepOnly(ports);
    const ipsecRows = this.#ipsec.keepOnly(model);
    const freed: number[] = [];
    for (const [key, row] of this.#rows) {
      if (members.has(key) || ipsecRows.has(key) || (key.startsWith(PORT) && ports.has(key.slice(PORT.length))))
        continue;
      this.#rows.delete(key);
      freed.push(row);
    }
    return freed;
  }
}

/** Whether the worker would be told the same. */
function isSame(a: Planned | undefined, b: Planned): boolean {
  return a === b || (a !== undefined && JSON.stringify(a.set) === JSON.stringify(b.set));
}

const planDomain = kept((domain: DomainModel, id: number, localMember: number): Planned => {
  const { name, mac, crossing, routeDomain, isLayer3 } = domain;
  const spec = { id, name, localMember, mac, crossing, routeDomain, isLayer3 };
  return { set: { op: 'set-domain', spec }, remove: { op: 'remove-domain', id } };
});

const planInterfaceMember = kept(
  (
    { name, vlan, innerVlan, tpid, mtu, enabled, checksSource }: InterfaceMemberModel,
    id: number,
    row: number,
    domain: number,
    port: number,
    segment: number,
  ): Planned => {
    const place = { id, name, row, domain, port, segment, splitHorizonGroup: 0 };
    const spec = { ...place, vlan, innerVlan, tpid, mtu, enabled, checksSource };
    return { set: { op: 'set-interface-member', spec }, remove: { op: 'remove-member', id } };
  },
);

const planTunnelMember = kept(
  (
    { name, splitHorizon, floods, replicates, floodRemotes, tunnel, group, subnets }: TunnelMemberModel,
    id: number,
    row: number,
    domain: number,
    segment: number,
    groupDomain: number,
    ...behind: number[]
  ): Planned => {
    const splitHorizonGroup = splitHorizon ? domain : 0;
    const place = { id, name, row, domain, enabled: true, segment, splitHorizonGroup };
    const spec = {
      ...place,
      floods,
      replicates,
      floodRemotes,
      tunnel: {
        ...tunnel,
        member: id,
        group: group === undefined ? undefined : { address: group.address, domain: groupDomain },
        subnets: subnets.map(({ words, isIpv6, prefixBits }, index) => ({
          words,
          isIpv6,
          prefixBits,
          member: behind[index]!,
        })),
      },
    };
    return { set: { op: 'set-tunnel-member', spec }, remove: { op: 'remove-member', id } };
  },
);

const planSelf = kept(({ name, ...rest }: SelfModel, domain: number): Planned => {
  const spec = { name, ...rest, domain };
  return { set: { op: 'set-self', spec }, remove: { op: 'remove-self', name } };
});

/** The members that stations of a table live behind. */
const memberKeys = kept((table: StaticTableModel): readonly string[] => [
  ...new Set(table.targets.flatMap((target) => target?.member ?? [])),
]);

/** A table in numbers: those of the members, in the order of their keys. */
const staticSource = kept((table: StaticTableModel, domain: number, ...members: number[]): StaticSource => {
  const numbers = new Map(memberKeys(table).map((key, index) => [key, members[index]!]));
  const targets = table.targets.map(
    (target) => target && { member: numbers.get(target.member)!, remote: target.remote },
  );
  return { domain, table: table.table, targets };
});

function* inTurn(...lists: Iterable<Operation>[]): Generator<Operation, void> {
  for (const list of lists) yield* list;
}

/** Key of the port by which the host reaches a domain; no interface has a blank in its name. */
export const hostPortKey = (domain: string): string => `host ${domain}`;
export const isHostPort = (key: string): boolean => key.startsWith('host ');
const localKey = (domain: string): string => `local ${domain}`;
const PORT = 'port ';
const portKey = (key: string): string => PORT + key;
