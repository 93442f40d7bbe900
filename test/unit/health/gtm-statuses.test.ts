// From probes to what may be answered: monitors are judged by the engine, what is published becomes facts, and each virtual server,
// member, pool and wide IP has the status that the rules of docs/decisions/availability.md give it.
// time-out: 240 s
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { measuredOf } from '../../../src/assembly/healthd/measured.ts';
import { Availability } from '../../../src/gtm/availability.ts';
import { compileWideIps } from '../../../src/gtm/compile-wide-ips.ts';
import { FactLayers, newKnownFacts } from '../../../src/gtm/fact-layers.ts';
import { memberKey, type ThingChange } from '../../../src/gtm/facts.ts';
import { newStateMemory, StateWriter } from '../../../src/gtm/state-journal.ts';
import { StatusReports, statusName, type Reported } from '../../../src/gtm/status-report.ts';
import type { VerdictChange } from '../../../src/health/health-engine.ts';
import type { Verdict } from '../../../src/health/probe.ts';
import type { Watch } from '../../../src/health/watch.ts';
import * as make from '../../support/gtm-description.ts';
import { HealthRig, monitor, place, rule } from '../../support/health-rig.ts';

const SAYINGS = ['up', 'down', 'unknown'] as const;
type Saying = (typeof SAYINGS)[number];
const VERDICTS: Record<Saying, Verdict> = { up: 'up', down: 'refused', unknown: 'impossible' };
const STATUS = { up: 'available', down: 'offline', unknown: 'unknown' } as const;

/** What monitors say of one server, its virtual server, and its member of a pool. */
type Case = {
  readonly monitors: readonly Saying[];
  readonly atLeast: number;
  /** undefined: no monitor of its own. */
  readonly server: Saying | undefined;
  readonly member: Saying | undefined;
};

const CASES: readonly Case[] = SAYINGS.flatMap((first) =>
  SAYINGS.flatMap((second) =>
    SAYINGS.flatMap((third) =>
      [1, 2, 3].flatMap((atLeast) =>
        ([undefined, 'up', 'down'] as const).flatMap((server) =>
          ([undefined, ...SAYINGS] as const).map((member) => ({
            monitors: [first, second, third],
            atLeast,
            server,
            member,
          })),
        ),
      ),
    ),
  ),
);

/** What is switched off. */
const OFF = ['nothing', 'virtual server', 'server', 'datacenter', 'pool', 'member', 'wide IP'] as const;
const DEPENDS = [undefined, 'up', 'down'] as const;

type Frame = {
  readonly off: (typeof OFF)[number];
  readonly isOver: boolean;
  readonly depends: (typeof DEPENDS)[number];
};

const MONITORS = ['m0', 'm1', 'm2'].map((name) => monitor({ name, timing: { interval: 5000, timeout: 16_000 } }));
const OWN = monitor({ name: 'own', timing: { interval: 5000, timeout: 16_000 } });
const serverName = (number: number): string => `/Common/s${number}`;
const poolName = (number: number): string => `/Common/p${number}`;
const keyOf = (number: number): string => `${serverName(number)}:v`;
const addressOf = (number: number, last: number): string => `10.${number >> 8}.${number & 255}.${last}`;
const DEPENDED = '/Common/base:v';

/** Each address says one thing to each monitor. */
function wanted(): { watches: Watch[]; sayings: Map<string, Saying> } {
  const sayings = new Map<string, Saying>();
  const watches: Watch[] = [];
  CASES.forEach(({ monitors, atLeast, server, member }, number) => {
    const at = (last: number): Pick<Watch, 'places' | 'unprobed'> => ({
      places: [place(addressOf(number, last))],
      unprobed: undefined,
    });
    monitors.forEach((saying, index) => sayings.set(`m${index} ${addressOf(number, 1)}`, saying));
    watches.push({ kind: 'virtual-server', key: keyOf(number), ...at(1), rule: rule(MONITORS, atLeast) });
    if (server !== undefined) {
      sayings.set(`own ${addressOf(number, 2)}`, server);
      watches.push({ kind: 'server', key: serverName(number), ...at(2), rule: rule([OWN]) });
    }
    if (member === undefined) return;
    sayings.set(`own ${addressOf(number, 3)}`, member);
    const key = memberKey('a', poolName(number), keyOf(number));
    watches.push({ kind: 'member', key, ...at(3), rule: rule([OWN]) });
  });
  return { watches, sayings };
}

function describeFrame({ off, depends }: Frame) {
  const limits = { ...make.NO_LIMITS, connections: 10 };
  const servers = CASES.map((_, number) =>
    make.server(serverName(number), '/Common/d', {
      enabled: off !== 'server',
      virtualServers: [
        make.virtualServer('v', {
          enabled: off !== 'virtual server',
          limits,
          dependsOn: depends === undefined ? [] : [DEPENDED],
        }),
      ],
    }),
  );
  const base = make.server('/Common/base', '/Common/other', { virtualServers: [make.virtualServer('v')] });
  return make.description({
    datacenters: [
      { name: '/Common/d', enabled: off !== 'datacenter' },
      { name: '/Common/other', enabled: true },
    ],
    servers: [...servers, base],
    pools: CASES.map((_, number) =>
      make.pool('a', poolName(number), {
        enabled: off !== 'pool',
        members: [make.member(keyOf(number), { enabled: off !== 'member' })],
      }),
    ),
    wideIps: CASES.map((_, number) =>
      make.wideIp('a', `w${number}.test`, {
        enabled: off !== 'wide IP',
        pools: [{ pool: poolName(number), order: 0, ratio: 1 }],
      }),
    ),
  });
}

/** The rules, written out. */
function expected({ monitors, atLeast, server, member }: Case, { off, isOver, depends }: Frame) {
  const could = (...sayings: Saying[]): boolean =>
    monitors.filter((saying) => sayings.includes(saying)).length >= atLeast;
  const ofRule = could('up') ? 'available' : could('up', 'unknown') ? 'unknown' : 'offline';
  const isOff = off === 'virtual server' || off === 'server' || off === 'datacenter';
  const ownStatus = isOver || depends === 'down' ? 'unavailable' : ofRule;
  const virtualServer = isOff ? 'disabled' : ofRule === 'offline' || server === 'down' ? 'offline' : ownStatus;
  const memberOf = (): string => {
    if (isOff || off === 'pool' || off === 'member') return 'disabled';
    if (virtualServer === 'offline' || member === 'down') return 'offline';
    return virtualServer === 'unknown' && member === 'up' ? 'available' : virtualServer;
  };
  const ofMember = memberOf();
  const isUsable = ofMember === 'available' || ofMember === 'unknown';
  const pool = off === 'pool' ? 'disabled' : isUsable ? ofMember : 'offline';
  const isPoolUsable = pool === 'available' || pool === 'unknown';
  const wideIp = off === 'wide IP' ? 'disabled' : isPoolUsable ? pool : 'offline';
  return { 'virtual-server': virtualServer, member: ofMember, pool, 'wide-ip': wideIp };
}

/** What dnsd does with what healthd publishes. */
function changeOf({ watch, verdict }: VerdictChange): ThingChange {
  const { kind, key, ...facts } = measuredOf(watch, verdict)!;
  return kind === 'server' ? { kind, name: key, facts } : { kind, key, facts };
}

class Gtm {
  readonly layers = new FactLayers(newKnownFacts());
  readonly #availability: Availability;
  readonly #reports: StatusReports;
  readonly #pools: ReadonlyMap<string, number>;
  readonly #wideIps: ReadonlyMap<string, number>;

  constructor(frame: Frame) {
    const { index, tables } = compileWideIps(describeFrame(frame));
    this.#availability = new Availability(index, new StateWriter(newStateMemory(tables.layout)), this.layers.facts);
    this.#availability.start();
    this.#reports = new StatusReports(this.#availability);
    this.#pools = new Map(index.pools.map((each, at) => [each.pool.name, at]));
    this.#wideIps = new Map(index.wideIps.map(({ wideIp }, at) => [wideIp.domain, at]));
  }

  say(layer: 'hand' | 'measured', change: ThingChange): void {
    this.#availability.apply(this.layers.say(layer, change));
  }

  statuses(number: number): Record<string, string> {
    const kinds: readonly Reported['kind'][] = ['virtual-server', 'member', 'pool', 'wide-ip'];
    return Object.fromEntries(
      kinds.map((kind) => {
        const { status, reason } = this.#reports.statusOf({ kind, number: this.#numberOf(kind, number) });
        assert.notEqual(reason, '', 'every status has a reason');
        return [kind, statusName(status)];
      }),
    );
  }

  #numberOf(kind: Reported['kind'], number: number): number {
    switch (kind) {
      case 'virtual-server':
        return this.#availability.graph.virtualServerNumbers.get(keyOf(number))!;
      case 'wide-ip':
        return this.#wideIps.get(`w${number}.test`)!;
      default: {
        const pool = this.#pools.get(poolName(number))!;
        return kind === 'pool' ? pool : this.#availability.index.pools[pool]!.firstMember;
      }
    }
  }
}

describe('statuses of gtm objects over monitors, dependencies, limits, parents and min N of', () => {
  const { watches, sayings } = wanted();
  let isRepaired = false;
  const rig = new HealthRig(({ monitor: { name }, place: { address } }) => {
    const saying = isRepaired ? 'up' : sayings.get(`${name} ${address}`)!;
    return { verdict: VERDICTS[saying] };
  });
  rig.engine.want(watches);
  rig.clock.goTo(30_000);
  const broken = rig.changes.map(changeOf);
  isRepaired = true;
  rig.clock.goTo(60_000);
  const after = rig.changes.map(changeOf);
  const healthy: Case = { monitors: ['up', 'up', 'up'], atLeast: 1, server: 'up', member: 'up' };

  for (const off of OFF) {
    for (const isOver of [false, true]) {
      for (const depends of DEPENDS) {
        const frame: Frame = { off, isOver, depends };
        it(`switched off: ${off}; ${isOver ? 'over' : 'within'} its limit; depends on ${depends ?? 'nothing'}`, () => {
          const gtm = new Gtm(frame);
          const status = STATUS[depends ?? 'up'];
          gtm.say('measured', { kind: 'virtual-server', key: DEPENDED, facts: { status } });
          CASES.forEach((_, number) => {
            const facts = { connections: isOver ? 11 : 10 };
            gtm.say('hand', { kind: 'virtual-server', key: keyOf(number), facts });
          });
          for (const change of broken) gtm.say('measured', change);
          CASES.forEach((each, number) => {
            assert.deepEqual(gtm.statuses(number), expected(each, frame), JSON.stringify(each));
          });
          for (const change of after) gtm.say('measured', change);
          CASES.forEach((_, number) => assert.deepEqual(gtm.statuses(number), expected(healthy, frame)));
        });
      }
    }
  }
});

describe('statuses of gtm objects follow monitors in time', () => {
  const frame: Frame = { off: 'nothing', isOver: false, depends: undefined };
  /** The status of the virtual server and of the wide IP whenever it is another, by the second. */
  function follow(wish: Parameters<typeof monitor>[0], script: (at: number) => Verdict, until: number): unknown[] {
    const gtm = new Gtm(frame);
    const rig = new HealthRig(({ at }) => ({ verdict: script(at) }));
    rig.random = 0;
    const [first] = wanted().watches;
    rig.engine.want([{ ...first!, rule: rule([monitor({ timing: { interval: 5000, timeout: 16_000 }, ...wish })]) }]);
    const seen: unknown[] = [];
    let last = '';
    for (let second = 0; second <= until; second++) {
      rig.clock.goTo(1000 * second);
      for (const change of rig.calls.splice(0).flat()) gtm.say('measured', changeOf(change));
      const { 'virtual-server': status, 'wide-ip': answered } = gtm.statuses(0);
      if (`${status} ${answered}` !== last) seen.push([second, status, answered]);
      last = `${status} ${answered}`;
    }
    return seen;
  }

  it('silence counts from the last good answer', () => {
    const script = (at: number): Verdict => (at < 10_000 || at >= 40_000 ? 'up' : 'silent');
    assert.deepEqual(follow({}, script, 60), [
      [0, 'available', 'available'],
      [21, 'offline', 'offline'],
      [40, 'available', 'available'],
    ]);
  });

  it('time-until-up and manual-resume keep it from coming back', () => {
    const script = (at: number): Verdict => (at === 10_000 ? 'refused' : 'up');
    const timing = { interval: 5000, timeout: 16_000, timeUntilUp: 20_000 };
    assert.deepEqual(follow({ timing }, script, 60), [
      [0, 'unknown', 'unknown'],
      [10, 'offline', 'offline'],
      [35, 'available', 'available'],
    ]);
    assert.deepEqual(follow({ manualResume: true }, script, 60), [
      [0, 'available', 'available'],
      [10, 'offline', 'offline'],
    ]);
  });

  it('what flaps is offline until it has been good for long enough', () => {
    const script = (at: number): Verdict => (at < 30_000 && at % 10_000 === 5000 ? 'refused' : 'up');
    const flapLimit = { changes: 4, window: 60_000, hold: 15_000 };
    assert.deepEqual(follow({ flapLimit }, script, 60), [
      [0, 'available', 'available'],
      [5, 'offline', 'offline'],
      [10, 'available', 'available'],
      [15, 'offline', 'offline'],
      [45, 'available', 'available'],
    ]);
  });
});
