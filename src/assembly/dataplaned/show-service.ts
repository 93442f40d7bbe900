// Answers `show` and `reset-stats` for the objects of the data plane, from memory that the worker shares.

import { type AddressWords, formatWords, parseAddress, wordsAreIpv6 } from '../../core/address.ts';
import { formatMacNumbers } from '../../core/mac.ts';
import { type Adapter, usesHostStack } from '../../config/types/net-interface.ts';
import type { ShowReply, ShowRow } from '../../ipc/schema.ts';
import { NEIGHBOUR_STRIDE, NeighbourField, NeighbourState } from '../../route/neighbour-table.ts';
import { conflictsOf } from './conflict-reporter.ts';
import { FdbListing } from './fdb-listing.ts';
import { bareAddress, type ConfigView, type Interface, type Self, type Tunnel } from './config-view.ts';
import type { DeviceFacts, Model } from './model.ts';
import { associationRowKey, selectorRowKey } from './ipsec-plan.ts';
import type { Planner } from './planner.ts';
import type { PortKeeper } from './port-keeper.ts';
import type { FrameDriver } from './frame-driver.ts';
import { PAGE_OBJECTS, pageOf } from '../show-page.ts';
import { RelativeCounters } from './relative-counters.ts';
import { showRouteDomains, showRoutes } from './show-routes.ts';

import { type Loop, loopsOf } from './loop-reporter.ts';
import { type ObjectStatistics, readDrops, readRow, sum } from './statistics.ts';

/** What the service reads, as it is at the moment of the question. */
export type ShowSources = {
  view: ConfigView;
  model: Model;
  planner: Planner;
  worker: FrameDriver;
  keeper: PortKeeper;
  devices: ReadonlyMap<string, DeviceFacts>;
  /** Network namespace of the host's end of a device of the host path; undefined for that of the daemons. */
  namespaceOf?: (device: string) => string | undefined;
};

export type ShowParams = { type: string; names?: string[] | undefined; cursor?: string | undefined };

/** Rows of tables in one reply: with the longest names they stay below a message's limit. */
const PAGE_ROWS = 2000;
/** How long a listing of stations is kept for its next page. */
const LISTING_MS = 10_000;
const FDB_COLUMNS = ['MAC', 'Member', 'Endpoint', 'Type', 'Age'];
const NEIGHBOUR_COLUMNS = ['Address', 'MAC', 'VLAN', 'State', 'Age'];
/** The row of drops that no object can be charged with. */
const NO_OBJECT = 0;

export class ShowService {
  readonly #sources: () => ShowSources;
  readonly #counters = new RelativeCounters(() => this.#sources().worker.counters);
  #listing: FdbListing | undefined;
  #forgetting: NodeJS.Timeout | undefined;

  constructor(sources: () => ShowSources) {
    this.#sources = sources;
  }

  /** The objects of one type; undefined for a type that has no statistics here. */
  show(params: ShowParams): ShowReply | undefined {
    const sources = this.#sources();
    const { view } = sources;
    const { cursor } = params;
    const asked = params.names === undefined ? undefined : new Set(params.names);
    const wanted = <T>(objects: ReadonlyMap<string, T>): [string, T][] =>
      [...objects].filter(([name]) => asked === undefined || asked.has(name));
    switch (params.type) {
      case 'net interface':
        return pageOf(wanted(view.interfaces), cursor, (page) => this.#interfaces(sources, page));
      case 'net vlan':
        return pageOf(wanted(view.vlans), cursor, (page) => this.#bridged(sources, page));
      case 'net vlan-group':
        return pageOf(wanted(view.vlanGroups), cursor, (page) => this.#bridged(sources, page));
      case 'net tunnels tunnel':
        return pageOf(wanted(view.tunnels), cursor, (page, isLast) =>
          this.#tunnels(sources, page, isLast && asked === undefined),
        );
      case 'net ipsec traffic-selector':
        return pageOf(wanted(view.trafficSelectors), cursor, (page) => this.#counted(page, selectorRowKey));
      case 'net ipsec manual-security-association':
        return pageOf(wanted(view.manualAssociations), cursor, (page) => this.#counted(page, associationRowKey));
      case 'net self':
        return pageOf(wanted(view.selfs), cursor, (page) => this.#selfs(sources, page));
      case 'net route':
        return showRoutes(sources, asked, cursor);
      case 'net route-domain':
        return pageOf(wanted(view.routeDomains), cursor, (page) => showRouteDomains(sources, page));
      case 'net arp':
        return { rows: [this.#neighbours(sources, 4)] };
      case 'net ndp':
        return { rows: [this.#neighbours(sources, 6)] };
      case 'net fdb tunnel':
        return this.#fdb(sources, wanted(view.tunnels), cursor);
      case 'net fdb vlan':
        return this.#fdb(sources, wanted(view.vlans), cursor);
      default:
        return undefined;
    }
  }

  /** Sets the counters of objects to 0; how many objects there were, or undefined for a type that has none. */
  reset(type: string, names: string[] | undefined): number | undefined {
    const { view } = this.#sources();
    const known: Record<string, ReadonlyMap<string, unknown>> = {
      'net interface': view.interfaces,
      'net vlan': view.vlans,
      'net vlan-group': view.vlanGroups,
      'net tunnels tunnel': view.tunnels,
      'net ipsec traffic-selector': view.trafficSelectors,
      'net ipsec manual-security-association': view.manualAssociations,
    };
    const objects = known[type];
    if (objects === undefined) return undefined;
    const chosen = [...objects.keys()].filter((name) => names === undefined || names.includes(name));
    for (const name of chosen) {
      for (const row of this.#rowsOfType(type, name)) if (row !== NO_OBJECT) this.#counters.reset(row);
    }
    return chosen.length;
  }

  #rowsOfType(type: string, name: string): number[] {
    const { planner } = this.#sources();
    if (type === 'net interface') return [planner.portRow(name)];
    if (type === 'net ipsec traffic-selector') return [planner.row(selectorRowKey(name))];
    if (type === 'net ipsec manual-security-association') return [planner.row(associationRowKey(name))];
    return this.#rowsOf(name);
  }

  /** Counter rows of a VLAN's members, of a group's members, or of a tunnel. */
  #rowsOf(name: string): number[] {
    const { view, model, planner } = this.#sources();
    const group = view.vlanGroups.get(name);
    if (group !== undefined) return group.properties.members.flatMap((member) => this.#rowsOf(member));
    if (view.tunnels.has(name)) return [planner.row(name)].filter((row) => row !== NO_OBJECT);
    const keys = [...model.interfaceMembers.keys()].filter((key) => key.startsWith(`${name} `));
    return keys.map((key) => planner.row(key)).filter((row) => row !== NO_OBJECT);
  }

  #interfaces({ planner, keeper, devices }: ShowSources, page: readonly [string, Interface][]): ShowRow[] {
    return page.map(([name, { properties }]) => {
      const device = properties.device === undefined ? undefined : devices.get(properties.device);
      const status = interfaceStatus(properties.enabled, properties.adapter, device, keeper.state(name));
      const files = [properties['replay-file'], properties['record-file']].filter((path) => path !== undefined);
      const facts = {
        Status: status,
        Device: properties.device ?? (files.length === 0 ? 'none' : files.join(', ')),
        Adapter: properties.adapter,
        MAC: device === undefined ? '-' : formatMacNumbers(device.mac.high, device.mac.low),
        MTU: device?.mtu ?? '-',
      };
      // On the kernel's stack the sockets of this device's addresses do the work.
      const rows = usesHostStack(properties.adapter) ? this.#socketRows(properties.device) : [planner.portRow(name)];
      const { stats, drops } = sum(rows.map((row) => readRow(this.#counters, row)));
      return { name, stats: { ...facts, ...stats }, drops };
    });
  }

  #socketRows(device: string | undefined): number[] {
    const { model, planner } = this.#sources();
    return [...model.sockets.values()]
      .filter((socket) => socket.device === device)
      .map((socket) => planner.portRow(socket.key));
  }

  /** VLANs and VLAN groups: the sum of their members. */
  #bridged(sources: ShowSources, page: readonly [string, unknown][]): ShowRow[] {
    const { model, planner } = sources;
    const loops = loopsOf(sources).filter(({ isActive }) => isActive);
    return page.map(([name]) => {
      const { stats, drops } = sum(this.#rowsOf(name).map((row) => readRow(this.#counters, row)));
      const domain = planner.domain(model.domainOf.get(name) ?? '');
      const found = loops.filter((loop) => loop.domain === domain).map(describeLoop);
      return { name, stats: found.length === 0 ? stats : { Loops: found.join('; '), ...stats }, drops };
    });
  }

  /** Objects with nothing but counters; `keyOf`: of their row. */
  #counted(page: readonly [string, unknown][], keyOf: (name: string) => string): ShowRow[] {
    const { planner } = this.#sources();
    return page.map(([name]) => {
      const row = planner.row(keyOf(name));
      if (row === NO_OBJECT) return { name };
      const { stats, drops } = readRow(this.#counters, row);
      delete stats['Receive Overruns'];
      return { name, stats, drops };
    });
  }

  #tunnels(sources: ShowSources, page: readonly [string, Tunnel][], withUnattributed: boolean): ShowRow[] {
    const { model, planner, keeper } = sources;
    const rows: ShowRow[] = page.map(([name, { properties }]) => {
      const failure = model.failures.find(({ object }) => object === `net tunnels tunnel ${name}`)?.reason;
      const member = model.tunnelMembers.get(name);
      const facts = {
        Status: failure === undefined ? tunnelStatus(sources, name, keeper) : `failed: ${failure}`,
        'Local Address': properties['local-address'],
        'Remote Address': properties['remote-address'],
        Key: properties.key,
        Profile: properties.profile,
        MTU: member?.tunnel.mtu ?? model.ipsecTunnels.get(name)?.mtu ?? properties.mtu,
      };
      const { stats, drops } = readRow(this.#counters, planner.row(name));
      delete stats['Receive Overruns'];
      return { name, stats: { ...facts, ...stats }, drops };
    });
    if (withUnattributed) rows.push({ name: 'no tunnel', drops: this.#unattributed(sources) });
    return rows;
  }

  /** Drops on the way to a tunnel, before it is known which: they are charged to the port or to nobody. */
  #unattributed({ model, planner }: ShowSources): Record<string, number> {
    const members = [...model.interfaceMembers.keys()].map((key) => planner.row(key));
    const ports = [...model.interfaces.keys(), ...model.sockets.keys()].map((key) => planner.portRow(key));
    const rows = [NO_OBJECT, ...new Set([...members, ...ports])].map((row): ObjectStatistics => {
      return { stats: {}, drops: readDrops(this.#counters, row) };
    });
    return sum(rows).drops;
  }

  #selfs(sources: ShowSources, page: readonly [string, Self][]): ShowRow[] {
    const { model, keeper, namespaceOf } = sources;
    const conflicts = conflictsOf(sources);
    return page.map(([name, { properties }]) => {
      const sockets = [...model.sockets.values()].filter(({ self }) => self === name);
      const owner = model.selfs.has(name) ? 'wideplane' : 'host';
      const missing = sockets.some(({ key }) => keeper.state(key) === 'failed');
      const other = conflicts.get(name);
      const conflict = other === undefined ? 'available' : `conflict: ${other} has the same address`;
      const status = missing ? 'waiting for the address' : conflict;
      const facts = { Address: properties.address, VLAN: properties.vlan, Owner: owner, Status: status };
      const device = model.hostPaths.get(model.selfs.get(name)?.domain ?? '')?.device;
      if (device === undefined) return { name, stats: facts };
      const namespace = namespaceOf?.(device);
      const place = namespace === undefined ? device : `${device} in namespace ${namespace}`;
      return { name, stats: { ...facts, 'Host Device': place } };
    });
  }

  #neighbours({ view, planner, worker, model }: ShowSources, family: 4 | 6): ShowRow {
    const mirror = new Int32Array(worker.tables.neighbours);
    const domains = new Map([...model.domains.keys()].map((name) => [planner.domain(name), name]));
    const rows: (string | number)[][] = [];
    for (let at = 0; at < mirror.length; at += NEIGHBOUR_STRIDE) {
      const domain = mirror[at + NeighbourField.domain]!;
      const address = wordsAt(mirror, at + NeighbourField.address);
      if (domain === 0 || wordsAreIpv6(address) !== (family === 6)) continue;
      const state = mirror[at + NeighbourField.state]!;
      const isResolved = state >= NeighbourState.reachable;
      const high = mirror[at + NeighbourField.macHigh]!;
      const low = mirror[at + NeighbourField.macLow]!;
      rows.push([
        inRouteDomain(formatWords(address), model.domains.get(domains.get(domain) ?? '')?.routeDomain),
        isResolved ? formatMacNumbers(high, low) : 'incomplete',
        domains.get(domain) ?? '-',
        stateName(state),
        state === NeighbourState.reachable ? worker.second - mirror[at + NeighbourField.confirmed]! : '-',
      ]);
    }
    // Static entries whose network has no self IP yet are in no table of the worker.
    for (const { properties } of (family === 4 ? view.arps : view.ndps).values()) {
      const address = parseAddress(properties['ip-address']);
      if (address === undefined || rows.some(([text]) => text === properties['ip-address'])) continue;
      rows.push([properties['ip-address'], properties['mac-address'], '-', 'static, unused', '-']);
    }
    return { name: family === 4 ? 'ARP' : 'NDP', table: { columns: NEIGHBOUR_COLUMNS, rows } };
  }

  /**
   * Tables of stations, one after the other. A page has as many of them as fit, or a part of one; the cursor is the position
   * of its table, and of its entry in the table.
   */
  #fdb(sources: ShowSources, owners: readonly [string, unknown][], cursor: string | undefined): ShowReply {
    const { planner, worker, view, model } = sources;
    const flapping = new Set(
      loopsOf(sources)
        .filter(({ isActive }) => isActive)
        .map(({ domain, mac }) => `${domain} ${mac}`),
    );
    const names = owners.map(([name]) => name);
    const [first = 0, start = 0] = (cursor ?? '').split(' ').map(Number);
    const members = planner.memberNames();
    const listing = this.#list(cursor !== undefined, worker.tables.fdb, members, names);
    const rows: ShowRow[] = [];
    let room = PAGE_ROWS;
    let owner = first;
    let from = start;
    while (owner < names.length && rows.length < PAGE_OBJECTS && room > 0) {
      const name = names[owner]!;
      const to = Math.min(listing.count(owner), from + room);
      const domain = planner.domain(model.domainOf.get(name) ?? '');
      const table = listing
        .entries(owner, from, to, worker.second)
        .map(({ mac, member, endpoint, isStatic, ageSeconds }) => {
          const key = members.get(member)!;
          const tunnel = view.tunnels.get(name)?.properties;
          const ends = parseAddress(tunnel?.['local-address'] ?? '')?.routeDomain;
          const remote =
            endpoint === -1 ? (tunnel?.['remote-address'] ?? '-') : inRouteDomain(this.#remote(endpoint), ends);
          const place = key === name ? name : key.slice(name.length + 1);
          const kind = isStatic ? 'static' : flapping.has(`${domain} ${mac}`) ? 'flapping' : 'dynamic';
          return [mac, place, remote, kind, isStatic ? '-' : ageSeconds];
        });
      rows.push({ name, table: { columns: FDB_COLUMNS, rows: table } });
      room -= to - from;
      from = to;
      if (to < listing.count(owner)) break;
      owner += 1;
      from = 0;
    }
    return owner < names.length ? { rows, next: `${owner} ${from}` } : { rows };
  }

  /** The listing that the page before was taken from, if this one goes on with it, or a new one. */
  #list(
    goesOn: boolean,
    fdb: SharedArrayBuffer,
    members: ReadonlyMap<number, string>,
    names: readonly string[],
  ): FdbListing {
    const known = this.#listing;
    const isSame = known?.names.length === names.length && known.names.every((name, at) => name === names[at]);
    const listing = goesOn && known !== undefined && isSame ? known : new FdbListing(fdb, members, names);
    this.#listing = listing;
    clearTimeout(this.#forgetting);
    this.#forgetting = setTimeout(() => (this.#listing = undefined), LISTING_MS).unref();
    return listing;
  }

  #remote(endpoint: number): string {
    return formatWords(wordsAt(new Int32Array(this.#sources().worker.tables.endpointRemotes), endpoint * 4));
  }
}

const inRouteDomain = (text: string, routeDomain = 0): string => (routeDomain === 0 ? text : `${text}%${routeDomain}`);
const describeLoop = ({ mac, members, moves, drops }: Loop): string =>
  `${mac} between ${members.join(' and ')}, ${moves} moves, ${drops} frames not flooded`;
const wordsAt = (from: Int32Array, at: number): AddressWords => [
  from[at]!,
  from[at + 1]!,
  from[at + 2]!,
  from[at + 3]!,
];
/** The objects of one page; the cursor is the position of its first. */

const stateName = (state: number): string => ['unresolved', 'asking', 'reachable', 'static'][state] ?? 'unresolved';

function interfaceStatus(
  enabled: boolean,
  adapter: Adapter,
  device: DeviceFacts | undefined,
  port: ReturnType<PortKeeper['state']>,
): string {
  if (!enabled) return 'disabled';
  if (adapter === 'capture-file') return port === 'absent' ? 'down' : port;
  if (device === undefined) return 'missing';
  if (usesHostStack(adapter)) return device.isUp ? 'up' : 'down';
  return port === 'absent' ? 'down' : port;
}

function tunnelStatus({ model, view }: ShowSources, name: string, keeper: PortKeeper): string {
  const tunnel = view.tunnels.get(name)!;
  const local = tunnel.properties['local-address'];
  const sockets = [...model.sockets.values()].filter(({ localAddress }) => localAddress === local);
  if (sockets.some(({ key }) => keeper.state(key) !== 'up')) return 'down: its local address or device is missing';
  const self = [...model.selfs.keys()].find((key) => bareAddress(view.selfs.get(key)!) === local);
  if (sockets.length > 0 || self === undefined) return 'up';
  const domain = model.selfs.get(self)!.domain;
  const ports = [...model.interfaceMembers.values()].filter((member) => member.domain === domain);
  const up = ports.length === 0 || ports.some((member) => keeper.state(member.interface) === 'up');
  return up ? 'up' : 'down: no interface of its VLAN is up';
}
