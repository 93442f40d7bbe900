// Answers `show` and `reset-stats` for nodes, pools and virtual servers of this machine and for monitors: how each is, and why, with the
// labels of a BIG-IP.

import type { AnyConfigObject } from '../../config/object-type.ts';
import type { InstanceExplanation } from '../../health/health-engine.ts';
import { ltmMemberKey } from '../../health/ltm-description.ts';
import type { LtmPoolStatus } from '../../health/ltm-availability.ts';
import type { LtmStatus } from '../../health/ltm-status.ts';
import type { Monitor } from '../../health/monitor.ts';
import type { ShowReply, ShowRow } from '../../ipc/schema.ts';
import { pageOf } from '../show-page.ts';
import { describeMonitor, monitorTypeOf } from './describe-monitors.ts';
import { ruleOfPart, textOf } from './describe-watches.ts';
import type { Healthd } from './healthd.ts';

type ShowParams = { type: string; names?: string[] | undefined; cursor?: string | undefined };
type Section = NonNullable<ShowRow['sections']>[number];

const MEMBER_COLUMNS = ['Member', 'Availability', 'State', 'Reason', 'Priority Group', 'Active', 'Location'];
const INSTANCE_COLUMNS = ['Destination', 'Status', 'Since', 'Reason'];
/** Instances that the table of a monitor lists. */
const MOST_INSTANCES = 1000;

export class HealthShowService {
  readonly #healthd: Healthd;

  constructor(healthd: Healthd) {
    this.#healthd = healthd;
  }

  /** The objects of one type; undefined for a type that is not shown here. */
  show({ type, names, cursor }: ShowParams): ShowReply | undefined {
    const render = this.#renderer(type);
    if (render === undefined) return undefined;
    const objects = this.#healthd.objectsOf(type).filter(({ name }) => names === undefined || names.includes(name));
    return pageOf(objects, cursor, (page) => page.map(render));
  }

  /** Nothing is counted that could be set to 0; undefined for a type that is not shown here. */
  reset(type: string, names: readonly string[] | undefined): number | undefined {
    if (this.#renderer(type) === undefined) return undefined;
    return this.#healthd.objectsOf(type).filter(({ name }) => names === undefined || names.includes(name)).length;
  }

  #renderer(type: string): ((object: AnyConfigObject) => ShowRow) | undefined {
    if (monitorTypeOf(type) !== undefined) return (object) => this.#monitor(object);
    switch (type) {
      case 'ltm node':
        return (object) => this.#node(object);
      case 'ltm pool':
        return (object) => this.#pool(object);
      case 'ltm virtual':
        return (object) => this.#virtual(object);
      default:
        return undefined;
    }
  }

  #node({ name, properties }: AnyConfigObject): ShowRow {
    const [nodeDefault] = this.#healthd.objectsOf('ltm default-node-monitor');
    const rule = ruleOfPart(properties.monitor, textOf(nodeDefault?.properties.rule));
    const { status } = this.#healthd.verdictOf('node', name);
    return {
      name,
      stats: { Address: textOf(properties.address) },
      sections: [
        statusSection(this.#healthd.availability.node(name)),
        {
          title: 'Monitor',
          stats: { Monitor: rule || 'none', 'Monitor Status': rule === '' ? 'unchecked' : wordOf(status) },
        },
      ],
    };
  }

  #pool({ name, properties }: AnyConfigObject): ShowRow {
    const pool = this.#healthd.availability.pool(name);
    const minimum = this.#healthd.ltm.pools.find((each) => each.name === name)?.minActiveMembers ?? 0;
    const rows = (pool?.members ?? []).map((member) => {
      const { availability, enabled, reason, priorityGroup, isActive } = member;
      const key = ltmMemberKey(name, member.member.name);
      const location = this.#healthd.locations.describe(key) ?? '-';
      return [member.member.name, availability, enabled, reason, priorityGroup, isActive ? 'yes' : 'no', location];
    });
    return {
      name,
      sections: [
        statusSection(pool),
        { title: 'Monitor', stats: { Monitor: textOf(properties.monitor) || 'none' } },
        { title: 'Members', stats: membersOf(pool, minimum) },
      ],
      table: { title: 'Pool Members', columns: MEMBER_COLUMNS, rows },
    };
  }

  #virtual({ name, properties }: AnyConfigObject): ShowRow {
    const status = this.#healthd.availability.virtual(name);
    const score = status === undefined ? {} : { 'GTM Score': status.gtmScore };
    return {
      name,
      stats: { Destination: textOf(properties.destination), Pool: textOf(properties.pool) || 'none', ...score },
      sections: [statusSection(status)],
    };
  }

  #monitor(object: AnyConfigObject): ShowRow {
    const monitor = describeMonitor(object)!;
    const instances = this.#instancesOf(monitor);
    const count = (wanted: string): number => instances.filter(({ status }) => status === wanted).length;
    const rows = instances
      .slice(0, MOST_INSTANCES)
      .map(({ place: { address, port }, status, since, reason }) => [
        port === 0 ? address : address.includes(':') ? `${address}.${port}` : `${address}:${port}`,
        status,
        new Date(since).toISOString().slice(0, 19),
        reason,
      ]);
    return {
      name: object.name,
      sections: [
        {
          title: 'Monitor Instances',
          stats: {
            Total: instances.length,
            Up: count('up'),
            Disabled: count('disabled'),
            Down: count('down'),
            Unknown: count('unknown'),
          },
        },
      ],
      ...(rows.length > 0 && { table: { title: 'Destinations', columns: INSTANCE_COLUMNS, rows } }),
    };
  }

  /** Each once, however many things it watches. */
  #instancesOf(monitor: Monitor): InstanceExplanation[] {
    const { engine, watches } = this.#healthd;
    const found = new Map<string, InstanceExplanation>();
    for (const { kind, key, rule } of watches.values()) {
      const at = rule.monitors.indexOf(monitor);
      if (at === -1) continue;
      for (const instance of engine.explain(kind, key)?.monitors[at] ?? []) {
        const { address, port, via } = instance.place;
        found.set(`${address} ${port} ${via ?? ''}`, instance);
      }
    }
    return [...found.values()];
  }
}

function statusSection(status: LtmStatus | undefined): Section {
  const { availability, enabled, reason } = status ?? { availability: 'unknown', enabled: 'enabled', reason: '' };
  return { title: 'Status', stats: { Availability: availability, State: enabled, Reason: reason } };
}

function membersOf(pool: LtmPoolStatus | undefined, minimum: number): Section['stats'] {
  if (pool === undefined) return {};
  const { members, active, upMembers, isBelowMinUp } = pool;
  return {
    'Minimum Active Members': minimum,
    'Current Active Members': active.members.length,
    'Available Members': members.filter(({ availability }) => availability === 'available').length,
    'Members Up': upMembers,
    'Total Members': members.length,
    'Lowest Active Priority Group': active.lowestGroup ?? 'none',
    ...(isBelowMinUp && { 'Minimum Up Members': 'not reached' }),
  };
}

function wordOf(status: string): string {
  return { available: 'up', disabled: 'up', offline: 'down' }[status] ?? 'checking';
}
