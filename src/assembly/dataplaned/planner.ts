// From one wanted state to the next: gives every object its number and says which operations lead there.
//
// Objects are compared by what the worker would be told of them, so an object that did not change causes no operation and
// keeps its counters, its learned stations and its waiting frames.

import { RowAllocator } from '../../core/counters.ts';
import type { Model, TargetModel } from './model.ts';
import { RoutePlan, type RouteTarget } from './route-plan.ts';
import type { Operation } from './spec.ts';
import { type StaticSource, StaticPlan } from './static-plan.ts';

/** One kind of object: the operation that makes or changes it, and the one that removes it. */
type Kind = 'settings' | 'domain' | 'interface-member' | 'tunnel-member' | 'self' | 'neighbour';

type Planned = { set: Operation; remove: Operation; text: string };

/** Creation goes through the kinds in this order, removal in the reverse one. */
const ORDER: readonly Kind[] = ['settings', 'domain', 'interface-member', 'self', 'tunnel-member', 'neighbour'];

/** Gives out the smallest free number for a key and keeps it for as long as the key is used. */
class Numbers {
  readonly #byKey = new Map<string, number>();
  readonly #taken: boolean[] = [];

  of(key: string): number {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const hole = this.#taken.indexOf(false);
    const number = hole === -1 ? this.#taken.length : hole;
    this.#taken[number] = true;
    this.#byKey.set(key, number);
    return number;
  }

  find(key: string): number | undefined {
    return this.#byKey.get(key);
  }

  keepOnly(keys: ReadonlySet<string>): void {
    for (const [key, number] of this.#byKey) {
      if (keys.has(key)) continue;
      this.#byKey.delete(key);
      this.#taken[number] = false;
    }
  }

  entries(): Iterable<[string, number]> {
    return this.#byKey;
  }
}

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
   * made when they are asked for.
   */
  plan(model: Model): { operations: Iterable<Operation>; freedRows: number[] } {
    const next = this.#describe(model);
    const removals: Operation[] = [];
    for (const kind of [...ORDER].reverse()) {
      for (const [key, planned] of this.#current.get(kind)!)
        if (!next.get(kind)!.has(key)) removals.push(planned.remove);
    }
    const changes: Operation[] = [];
    for (const kind of ORDER) {
      const before = this.#current.get(kind)!;
      for (const [key, planned] of next.get(kind)!)
        if (before.get(key)?.text !== planned.text) changes.push(planned.set);
    }
    this.#current = next;
    const stations = this.#stations.plan(this.#staticSources(model));
    const routes = this.#planRoutes(model);
    const operations = inTurn(stations.removals, removals, changes, routes, stations.settings);
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

  #describe(model: Model): Map<Kind, Map<string, Planned>> {
    const plan = new Map<Kind, Map<string, Planned>>(ORDER.map((kind) => [kind, new Map()]));
    const add = (kind: Kind, key: string, set: Operation, remove: Operation): void => {
      plan.get(kind)!.set(key, { set, remove, text: JSON.stringify(set) });
    };
    const learning: Operation = {
      op: 'set-learning',
      ageingSeconds: model.ageingSeconds,
      limit: model.learnedLimit,
    };
    add('settings', 'learning', learning, learning);
    for (const { name, mac, crossing, routeDomain, isLayer3 } of model.domains.values()) {
      const id = this.#domains.of(name) + 1;
      const spec = { id, name, localMember: this.#members.of(localKey(name)), mac, crossing, routeDomain, isLayer3 };
      add('domain', name, { op: 'set-domain', spec }, { op: 'remove-domain', id });
    }
    for (const member of model.interfaceMembers.values()) {
      const id = this.#members.of(member.key);
      const spec = {
        id,
        name: member.name,
        row: this.#obtainRow(member.key),
        domain: this.#domainId(member.domain),
        port: this.port(member.interface),
        vlan: member.vlan,
        innerVlan: member.innerVlan,
        tpid: member.tpid,
        mtu: member.mtu,
        enabled: member.enabled,
        splitHorizonGroup: 0,
        segment: this.#segments.of(member.segment) + 1,
        checksSource: member.checksSource,
      };
      add('interface-member', member.key, { op: 'set-interface-member', spec }, { op: 'remove-member', id });
    }
    for (const { name, domain, splitHorizon, tunnel, group, subnets, ...rest } of model.tunnelMembers.values()) {
      const id = this.#members.of(name);
      const spec = {
        id,
        name,
        row: this.#obtainRow(name),
        domain: this.#domainId(domain),
        enabled: true,
        splitHorizonGroup: splitHorizon ? this.#domainId(domain) : 0,
        floods: rest.floods,
        replicates: rest.replicates,
        floodRemotes: rest.floodRemotes,
        segment: this.#segments.of(name) + 1,
        tunnel: {
          ...tunnel,
          member: id,
          group: group === undefined ? undefined : { address: group.address, domain: this.#domainId(group.domain) },
          subnets: subnets.map(({ tunnel: of, ...subnet }) => ({ ...subnet, member: this.#members.of(of) })),
        },
      };
      add('tunnel-member', name, { op: 'set-tunnel-member', spec }, { op: 'remove-member', id });
    }
    for (const { name, domain, ...rest } of model.selfs.values()) {
      const spec = { name, domain: this.#domainId(domain), ...rest };
      add('self', name, { op: 'set-self', spec }, { op: 'remove-self', name });
    }
    for (const [key, { domain, address, mac }] of model.neighbours) {
      const id = this.#domainId(domain);
      const spec = { domain: id, address, mac };
      add(
        'neighbour',
        key,
        { op: 'set-static-neighbour', spec },
        { op: 'remove-static-neighbour', domain: id, address },
      );
    }
    return plan;
  }

  #staticSources(model: Model): Map<string, StaticSource> {
    const sources = new Map<string, StaticSource>();
    for (const [key, { domain, table, targets }] of model.staticTables) {
      const numbered = targets.map(
        (target) => target && { member: this.#members.of(target.member), remote: target.remote },
      );
      sources.set(key, { domain: this.#domainId(domain), table, targets: numbered });
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
    const domains = new Set(model.domains.keys());
    const ports = new Set([...model.interfaces.keys(), ...model.sockets.keys()]);
    for (const { interface: name } of model.interfaceMembers.values()) ports.add(name);
    const members = new Set([
      ...model.interfaceMembers.keys(),
      ...model.tunnelMembers.keys(),
      ...[...domains].map(localKey),
    ]);
    this.#domains.keepOnly(domains);
    this.#members.keepOnly(members);
    const vlans = [...model.interfaceMembers.values()].map(({ segment }) => segment);
    this.#segments.keepOnly(new Set([...vlans, ...model.tunnelMembers.keys()]));
    this.#ports.keepOnly(ports);
    const keys = new Set([...members, ...[...ports].map(portKey)]);
    const freed: number[] = [];
    for (const [key, row] of this.#rows) {
      if (keys.has(key)) continue;
      this.#rows.delete(key);
      freed.push(row);
    }
    return freed;
  }
}

function* inTurn(...lists: Iterable<Operation>[]): Generator<Operation, void> {
  for (const list of lists) yield* list;
}

const localKey = (domain: string): string => `local ${domain}`;
const portKey = (key: string): string => `port ${key}`;
