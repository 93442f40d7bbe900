// Answers `show` and `reset-stats` for datacenters, servers, pools and wide IPs: how each is, why, and what was answered by it.

import { GTM_POOLS } from '../../config/types/gtm-pool.ts';
import { GTM_WIDE_IPS } from '../../config/types/gtm-wideip.ts';
import { gtmDatacenter } from '../../config/types/gtm-datacenter.ts';
import { gtmServer } from '../../config/types/gtm-server.ts';
import { poolsOf } from '../../gtm/availability-graph.ts';
import {
  type GtmCounts,
  MEMBER_COUNTERS,
  MemberCounter,
  POOL_COUNTERS,
  PoolCounter,
  WIDE_IP_COUNTERS,
  WideIpCounter,
} from '../../gtm/counts.ts';
import { type GtmPool, WIDE_IP_TYPES, type WideIpType } from '../../gtm/description.ts';
import { isUp, Status } from '../../gtm/state-layout.ts';
import { type StatusReport, statusName } from '../../gtm/status-report.ts';
import type { GtmIndex } from '../../gtm/tables.ts';
import type { ShowReply, ShowRow } from '../../ipc/schema.ts';
import { pageOf } from '../show-page.ts';
import type { GtmKeeper } from './gtm-keeper.ts';
import type { HealthService } from './health-service.ts';
import { LDNS_TYPE, PATH_TYPE, pathPage, resolverPage } from './path-rows.ts';
import { PERSIST_TYPE, persistPage } from './persist-rows.ts';

type ShowParams = { type: string; names?: string[] | undefined; cursor?: string | undefined };
/** What was counted over all threads, and by pool its numbers. */
type Counted = { readonly counts: GtmCounts | undefined; readonly instances: ReturnType<typeof instancesOf> };
type Section = NonNullable<ShowRow['sections']>[number];

/** Which counts of a show have which labels, in their order. */
const WIDE_IP_LABELS: Partial<Record<keyof typeof WideIpCounter, string>> = {
  preferred: 'Preferred',
  alternate: 'Alternate',
  fallback: 'Fallback',
  persisted: 'Persisted',
  lastResort: 'Last resort',
  returnedToDns: 'Returned to DNS',
  dropped: 'Dropped',
  failed: 'Failures',
};
const POOL_LABELS: Record<keyof typeof PoolCounter, string> = {
  preferred: 'Preferred',
  alternate: 'Alternate',
  fallback: 'Fallback',
  returnedToDns: 'Returned to DNS',
  dropped: 'Dropped',
};

const STATUS_COLUMNS = ['Availability', 'State', 'Reason'];
const MEMBER_COLUMNS = ['Member', ...STATUS_COLUMNS, 'Preferred', 'Alternate', 'Fallback'];

export class GtmShowService {
  readonly #health: HealthService;
  readonly #wideIps: GtmKeeper;

  constructor(health: HealthService, wideIps: GtmKeeper) {
    this.#health = health;
    this.#wideIps = wideIps;
  }

  /** The objects of one type; undefined for a type that is not shown here. */
  show({ type, names, cursor }: ShowParams): ShowReply | undefined {
    if (type === PERSIST_TYPE) return this.#persistence(cursor);
    const { availability } = this.#health;
    if (type === PATH_TYPE || type === LDNS_TYPE) {
      const page = type === PATH_TYPE ? pathPage : resolverPage;
      return page(availability?.facts.paths.values() ?? [], Date.now() / 1000, cursor);
    }
    const kind = kindOf(type);
    if (kind === undefined) return undefined;
    if (availability === undefined) return { rows: [] };
    const { index } = availability;
    const chosen = numbersOf(kind, index, names);
    const counts = this.#wideIps.statistics.sum();
    const instances = instancesOf(index);
    return pageOf(chosen, cursor, (page) =>
      page.map((number) => this.#row(kind, index, number, { counts, instances })),
    );
  }

  /** Sets the counters of objects to 0; how many objects there were, or undefined for a type that has none here. */
  reset(type: string, names: readonly string[] | undefined): number | undefined {
    const kind = kindOf(type);
    if (kind === undefined) return undefined;
    const index = this.#health.availability?.index;
    if (index === undefined) return 0;
    const chosen = numbersOf(kind, index, names);
    const instances = instancesOf(index);
    for (const number of chosen) {
      if (kind.of === 'wideIp') this.#wideIps.statistics.reset('wideIps', number);
      if (kind.of !== 'pool') continue;
      for (const instance of instances.get(index.pools[number]!.pool)!) this.#resetPool(index, instance);
    }
    return chosen.length;
  }

  #persistence(cursor: string | undefined): ShowReply {
    const { compiled, persistence } = this.#wideIps;
    if (compiled === undefined) return { rows: [] };
    return persistPage(compiled, persistence.list(Math.floor(Date.now() / 1000)), cursor);
  }

  #resetPool({ pools }: GtmIndex, number: number): void {
    const { firstMember, members } = pools[number]!;
    this.#wideIps.statistics.reset('pools', number);
    for (let member = firstMember; member < firstMember + members; member++)
      this.#wideIps.statistics.reset('members', member);
  }

  #row(kind: Kind, index: GtmIndex, number: number, counted: Counted): ShowRow {
    switch (kind.of) {
      case 'datacenter':
        return this.#datacenter(index, number);
      case 'server':
        return this.#server(index, number);
      case 'pool':
        return this.#pool(index, number, counted);
      case 'wideIp':
        return this.#wideIp(index, number, counted);
    }
  }

  #datacenter({ datacenters, description }: GtmIndex, number: number): ShowRow {
    const { name } = datacenters[number]!;
    const status = this.#health.statusOf({ kind: 'datacenter', number });
    const rows = description.servers.flatMap((server, index) =>
      server.datacenter === name
        ? [[server.name, ...cellsOf(this.#health.statusOf({ kind: 'server', number: index }))]]
        : [],
    );
    return { name, sections: [statusSection(status)], table: { columns: ['Server', ...STATUS_COLUMNS], rows } };
  }

  #server({ description, virtualServers }: GtmIndex, number: number): ShowRow {
    const { name, datacenter } = description.servers[number]!;
    const status = this.#health.statusOf({ kind: 'server', number });
    const { facts, graph } = this.#health.availability!;
    const known = facts.servers.get(name);
    const load: [string, number | undefined][] = [
      ['CPU Usage (%)', known?.cpu],
      ['Memory Available (KB)', known?.memoryAvailable],
      ['Connections', known?.connections],
      ['Packets per second', known?.packetsPerSecond],
      ['Kilobytes per second', known?.kilobytesPerSecond],
    ];
    const { first, to } = graph.virtualServersOf;
    const rows = [...to.subarray(first[number], first[number + 1])].map((each) => [
      virtualServers[each]!.virtualServer.name,
      ...cellsOf(this.#health.statusOf({ kind: 'virtual-server', number: each })),
    ]);
    return {
      name,
      stats: { 'Data Center': datacenter },
      sections: [
        statusSection(status),
        { title: 'Load', stats: Object.fromEntries(load.map(([label, value]) => [label, value ?? 'unknown'])) },
      ],
      table: { title: 'Virtual servers', columns: ['Virtual server', ...STATUS_COLUMNS], rows },
    };
  }

  #pool(index: GtmIndex, number: number, { counts, instances: all }: Counted): ShowRow {
    const { pool, firstMember, members } = index.pools[number]!;
    const instances = all.get(pool)!;
    const counted = (counter: number): number =>
      instances.reduce((sum, instance) => sum + (counts?.pools[instance * POOL_COUNTERS + counter] ?? 0), 0);
    const stats = Object.entries(POOL_LABELS).map(([key, label]) => [
      label,
      counted(PoolCounter[key as keyof typeof PoolCounter]),
    ]);
    const rows = Array.from({ length: members }, (_, offset) => {
      const of = (counter: number): number =>
        instances.reduce((sum, instance) => {
          const member = index.pools[instance]!.firstMember + offset;
          return sum + (counts?.members[member * MEMBER_COUNTERS + counter] ?? 0);
        }, 0);
      return [
        index.members[firstMember + offset]!.member.name,
        ...cellsOf(this.#health.statusOf({ kind: 'member', number: firstMember + offset })),
        ...[of(MemberCounter.preferred), of(MemberCounter.alternate), of(MemberCounter.fallback)],
      ];
    });
    return {
      name: pool.name,
      sections: [
        statusSection(this.#health.statusOf({ kind: 'pool', number })),
        { title: 'Load Balancing', stats: Object.fromEntries(stats) as Section['stats'] },
      ],
      table: { title: 'Members', columns: MEMBER_COLUMNS, rows },
    };
  }

  #wideIp(index: GtmIndex, number: number, { counts }: Counted): ShowRow {
    const counted = (counter: number): number => counts?.wideIps[number * WIDE_IP_COUNTERS + counter] ?? 0;
    const balancing = Object.entries(WIDE_IP_LABELS).map(([key, label]) => [
      label,
      counted(WideIpCounter[key as keyof typeof WideIpCounter]),
    ]);
    const rows = poolsOf(index, number).map((pool) => {
      const { type, name } = index.pools[pool]!.pool;
      const report = this.#health.statusOf({ kind: 'pool', number: pool });
      return [
        `${type} ${name}`,
        ...cellsOf({ ...report, reason: report.reason + this.#firstDown(index, pool, report) }),
      ];
    });
    return {
      name: index.wideIps[number]!.wideIp.name,
      sections: [
        statusSection(this.#health.statusOf({ kind: 'wide-ip', number })),
        {
          title: 'Requests',
          stats: { Total: counted(WideIpCounter.requests), Resolutions: counted(WideIpCounter.resolutions) },
        },
        { title: 'Load Balancing', stats: Object.fromEntries(balancing) as Section['stats'] },
      ],
      table: { title: 'Pools', columns: ['Pool', ...STATUS_COLUMNS], rows },
    };
  }

  /** Of a pool that is down by its members: why the first of them is. */
  #firstDown({ pools, members }: GtmIndex, pool: number, { status }: StatusReport): string {
    if (status !== Status.offline) return '';
    const { firstMember, members: count } = pools[pool]!;
    for (let number = firstMember; number < firstMember + count; number++) {
      const report = this.#health.statusOf({ kind: 'member', number });
      if (!isUp(report.status)) return ` (${members[number]!.member.name}: ${report.reason})`;
    }
    return '';
  }
}

type Kind = { readonly of: 'datacenter' | 'server' } | { readonly of: 'pool' | 'wideIp'; readonly type: WideIpType };

function kindOf(path: string): Kind | undefined {
  if (path === gtmDatacenter.path) return { of: 'datacenter' };
  if (path === gtmServer.path) return { of: 'server' };
  for (const type of WIDE_IP_TYPES) {
    if (path === GTM_POOLS[type].path) return { of: 'pool', type };
    if (path === GTM_WIDE_IPS[type].path) return { of: 'wideIp', type };
  }
  return undefined;
}

/** Pools that applications look at in their own way are shown with the pool as such. */
function numbersOf(kind: Kind, index: GtmIndex, names: readonly string[] | undefined): number[] {
  const isWanted = (name: string): boolean => names === undefined || names.includes(name);
  const chosen = <T>(all: readonly T[], isChosen: (each: T) => boolean): number[] =>
    all.flatMap((each, number) => (isChosen(each) ? [number] : []));
  switch (kind.of) {
    case 'datacenter':
      return chosen(index.datacenters, ({ name }) => isWanted(name));
    case 'server':
      return chosen(index.description.servers, ({ name }) => isWanted(name));
    case 'pool':
      return chosen(
        index.pools,
        ({ pool, application }) => application === undefined && pool.type === kind.type && isWanted(pool.name),
      );
    case 'wideIp':
      return chosen(index.wideIps, ({ wideIp }) => wideIp.type === kind.type && isWanted(wideIp.name));
  }
}

/** By pool: the number of it as such, and those of it as applications look at it. */
function instancesOf({ pools }: GtmIndex): ReadonlyMap<GtmPool, readonly number[]> {
  const instances = new Map<GtmPool, number[]>();
  pools.forEach(({ pool }, number) => {
    const known = instances.get(pool);
    if (known === undefined) instances.set(pool, [number]);
    else known.push(number);
  });
  return instances;
}

const cellsOf = ({ status, isEnabled, reason }: StatusReport): string[] => [
  // State has the word for what is switched off.
  statusName(status === Status.disabled ? Status.offline : status),
  isEnabled ? 'enabled' : 'disabled',
  reason,
];

function statusSection(report: StatusReport): Section {
  const [availability, state, reason] = cellsOf(report);
  return { title: 'Status', stats: { Availability: availability!, State: state!, Reason: reason! } };
}
