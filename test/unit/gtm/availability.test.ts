import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Availability } from '../../../src/gtm/availability.ts';
import { compileWideIps } from '../../../src/gtm/compile-wide-ips.ts';
import type { GtmDescription } from '../../../src/gtm/description.ts';
import {
  type Facts,
  type MemberFacts,
  memberKey,
  newFacts,
  type ServerFacts,
  type VirtualServerFacts,
} from '../../../src/gtm/facts.ts';
import { newStateMemory, StateWriter } from '../../../src/gtm/state-journal.ts';
import { type Reported, type Silence, StatusReports, statusName } from '../../../src/gtm/status-report.ts';
import * as make from '../../support/gtm-description.ts';

const DATACENTERS = [
  { name: '/Common/d1', enabled: true },
  { name: '/Common/d2', enabled: true },
];
const vs = (key: string): string => `/Common/${key}`;
const members = (...names: string[]) => names.map((name) => make.member(vs(name)));

/** Something to look at: `say` changes what is known, and `of` tells status and reason of an object by its name. */
class Look {
  readonly #availability: Availability;
  readonly #reports: StatusReports;

  constructor(parts: Partial<GtmDescription>, facts: Facts = newFacts(), silence: Silence = () => 0) {
    const { index, tables } = compileWideIps(make.description({ datacenters: DATACENTERS, ...parts }));
    this.#availability = new Availability(index, new StateWriter(newStateMemory(tables.layout)), facts);
    this.#availability.start();
    this.#reports = new StatusReports(this.#availability, silence);
  }

  say(name: string, facts: VirtualServerFacts & ServerFacts): void {
    if (name.includes(':')) this.#availability.apply({ kind: 'virtual-server', key: vs(name), facts });
    else this.#availability.apply({ kind: 'server', name: vs(name), facts });
  }

  sayOfMember(pool: string, member: string, facts: MemberFacts | undefined): void {
    this.#availability.apply({ kind: 'member', key: memberKey('a', vs(pool), vs(member)), facts });
  }

  resume(pool: string, member: string): void {
    this.#availability.apply({ kind: 'resume', member: memberKey('a', vs(pool), vs(member)) });
  }

  /** `p1 s1:v1` is a member of the pool as such. */
  of(kind: Reported['kind'], name: string): string {
    const { index } = this.#availability;
    const [pool, member] = name.split(' ');
    const names: Record<Reported['kind'], () => number> = {
      'virtual-server': () => index.virtualServers.findIndex(({ key }) => key === vs(name)),
      server: () => index.description.servers.findIndex((each) => each.name === vs(name)),
      datacenter: () => index.datacenters.findIndex((each) => each.name === vs(name)),
      pool: () => index.pools.findIndex((each) => each.pool.name === vs(name)),
      member: () =>
        index.members.findIndex(
          (each) => index.pools[each.pool]!.pool.name === vs(pool!) && each.member.name.endsWith(member!),
        ),
      'wide-ip': () => index.wideIps.findIndex(({ wideIp }) => wideIp.domain === name),
    };
    const { status, reason } = this.#reports.statusOf({ kind, number: names[kind]() });
    return `${statusName(status)}: ${reason}`;
  }

  /** Of a member as an application looks at it. */
  inApplication(name: string): string {
    const { index } = this.#availability;
    const number = index.members.findIndex(
      ({ pool, member }) => index.pools[pool]!.application !== undefined && member.name === vs(name),
    );
    const { status, reason } = this.#reports.statusOf({ kind: 'member', number });
    return `${statusName(status)}: ${reason}`;
  }
}

const plainServer = (name: string, datacenter: string, ...names: string[]) =>
  make.server(vs(name), vs(datacenter), { virtualServers: names.map((each) => make.virtualServer(each)) });
const a = (domain: string, ...pools: string[]) =>
  make.wideIp('a', domain, { pools: pools.map((pool) => ({ pool: vs(pool), order: 0, ratio: 1 })) });

describe('the status of', () => {
  it('a virtual server is what was said of it, or of its server', () => {
    const look = new Look({ servers: [plainServer('s1', 'd1', 'v1', 'v2')] });
    assert.equal(look.of('virtual-server', 's1:v1'), 'unknown: Checking');
    look.say('s1:v1', { status: 'available' });
    assert.equal(look.of('virtual-server', 's1:v1'), 'available: Available');
    assert.equal(look.of('server', 's1'), 'available: A virtual server of it is available');
    look.say('s1:v1', { status: 'offline', reason: 'set by hand' });
    assert.equal(look.of('virtual-server', 's1:v1'), 'offline: Offline: set by hand');
    assert.equal(look.of('server', 's1'), 'unknown: Checking');
    look.say('s1', { status: 'offline', reason: 'no power' });
    assert.equal(look.of('virtual-server', 's1:v2'), 'offline: Server /Common/s1 is offline: no power');
    assert.equal(look.of('datacenter', 'd1'), 'offline: No enabled servers available');
    assert.equal(look.of('datacenter', 'd2'), 'unknown: It has no servers');
  });

  it('something over a limit is unavailable, and at it is not', () => {
    const limits = { ...make.NO_LIMITS, bitsPerSecond: 80_000 };
    const server = make.server(vs('s1'), vs('d1'), {
      limits: { ...make.NO_SERVER_LIMITS, cpuUsage: 90, memoryAvailable: 1000 },
      virtualServers: [make.virtualServer('v1', { limits }), make.virtualServer('v2')],
    });
    const pool = make.pool('a', vs('p1'), {
      limits: { ...make.NO_LIMITS, connections: 10 },
      members: [
        make.member(vs('s1:v1')),
        make.member(vs('s1:v2'), { limits: { ...make.NO_LIMITS, packetsPerSecond: 5 } }),
      ],
    });
    const look = new Look({ servers: [server], pools: [pool] });
    look.say('s1:v1', { status: 'available', kilobytesPerSecond: 10, connections: 6 });
    look.say('s1:v2', { status: 'available', packetsPerSecond: 5, connections: 4 });
    assert.equal(look.of('pool', 'p1'), 'available: Available');
    look.say('s1:v2', { status: 'available', packetsPerSecond: 6, connections: 5 });
    assert.equal(
      look.of('member', 'p1 s1:v2'),
      'unavailable: Over its limit in the pool: 6 packets per second, limit 5',
    );
    assert.equal(look.of('virtual-server', 's1:v2'), 'available: Available');
    assert.equal(look.of('pool', 'p1'), 'unavailable: Its members are over its limit: 11 connections, limit 10');
    look.say('s1:v1', { status: 'available', kilobytesPerSecond: 11 });
    assert.equal(look.of('virtual-server', 's1:v1'), 'unavailable: Over its limit: 88000 bits per second, limit 80000');
    look.say('s1', { cpu: 91 });
    assert.equal(
      look.of('virtual-server', 's1:v2'),
      'unavailable: Server /Common/s1 is over its limit: CPU 91 per cent, limit 90',
    );
    look.say('s1', { cpu: 90, memoryAvailable: 999 });
    assert.equal(look.of('server', 's1'), 'unavailable: Over its limit: 999 kilobytes of memory free, limit 1000');
  });

  it('what depends on something follows it; what depends on each other does not go down together', () => {
    const virtualServers = [
      make.virtualServer('v1', { dependsOn: [vs('s1:v2')] }),
      make.virtualServer('v2', { dependsOn: [vs('s1:v3')] }),
      make.virtualServer('v3', { dependsOn: [vs('s1:v2'), vs('s1:v4')] }),
      make.virtualServer('v4'),
    ];
    const look = new Look({ servers: [make.server(vs('s1'), vs('d1'), { virtualServers })] });
    look.say('s1:v4', { status: 'offline' });
    assert.equal(look.of('virtual-server', 's1:v3'), 'unavailable: Depends on /Common/s1:v4, which is offline');
    // It looks at v3 as that would be alone, for v3 depends on it as well.
    assert.equal(look.of('virtual-server', 's1:v2'), 'unknown: Checking');
    assert.equal(look.of('virtual-server', 's1:v1'), 'unknown: Checking');
    look.say('s1:v3', { status: 'offline' });
    assert.equal(look.of('virtual-server', 's1:v2'), 'unavailable: Depends on /Common/s1:v3, which is offline');
    assert.equal(look.of('virtual-server', 's1:v1'), 'unavailable: Depends on /Common/s1:v2, which is unavailable');
  });

  it('what is switched off is so at every level below', () => {
    const servers = [plainServer('s1', 'd1', 'v1'), { ...plainServer('s2', 'd2', 'v1'), enabled: false }];
    const pools = [make.pool('a', vs('p1'), { members: members('s1:v1', 's2:v1') })];
    const datacenters = [{ name: '/Common/d1', enabled: false }, DATACENTERS[1]!];
    const look = new Look({ datacenters, servers, pools, wideIps: [a('w.test', 'p1')] });
    assert.equal(look.of('datacenter', 'd1'), 'disabled: Disabled');
    assert.equal(look.of('server', 's1'), 'disabled: Disabled: datacenter /Common/d1 is disabled');
    assert.equal(look.of('member', 'p1 s1:v1'), 'disabled: Disabled: datacenter /Common/d1 is disabled');
    assert.equal(look.of('member', 'p1 s2:v1'), 'disabled: Disabled: server /Common/s2 is disabled');
    assert.equal(look.of('pool', 'p1'), 'offline: No enabled pool members available');
    assert.equal(look.of('wide-ip', 'w.test'), 'offline: No enabled pools available');
  });

  it('a pool needs as many members as min-members-up says', () => {
    const servers = [plainServer('s1', 'd1', 'v1', 'v2', 'v3')];
    const minMembersUp = { mode: 'percent', value: 51 } as const;
    const pools = [make.pool('a', vs('p1'), { minMembersUp, members: members('s1:v1', 's1:v2', 's1:v3') })];
    const look = new Look({ servers, pools });
    look.say('s1:v1', { status: 'offline' });
    assert.equal(look.of('pool', 'p1'), 'unknown: Nothing has checked its members');
    look.say('s1:v2', { status: 'offline' });
    assert.equal(look.of('pool', 'p1'), 'offline: 1 of its members are up, and 2 must be');
  });

  it('a member of a pool with manual-resume waits, but not without end for what was switched off', () => {
    const facts = newFacts();
    const parts = (enabled: boolean): Partial<GtmDescription> => ({
      servers: [plainServer('s1', 'd1', 'v1')],
      pools: [make.pool('a', vs('p1'), { manualResume: true, members: [make.member(vs('s1:v1'), { enabled })] })],
    });
    const look = new Look(parts(true), facts);
    look.say('s1', { status: 'offline' });
    look.say('s1', { status: 'available' });
    assert.equal(look.of('member', 'p1 s1:v1'), 'offline: Offline: it went offline, and waits to be resumed by hand');
    assert.match(new Look(parts(true), facts).of('member', 'p1 s1:v1'), /waits to be resumed/);
    look.resume('p1', 's1:v1');
    assert.equal(look.of('member', 'p1 s1:v1'), 'unknown: Checking');
    look.say('s1:v1', { status: 'offline' });
    look.say('s1:v1', { status: 'available' });
    assert.equal(new Look(parts(false), facts).of('member', 'p1 s1:v1'), 'disabled: Disabled');
    assert.equal(new Look(parts(true), facts).of('member', 'p1 s1:v1'), 'available: Available');
  });

  it('a member is what is said of its virtual server and of itself', () => {
    const servers = [plainServer('s1', 'd1', 'v1'), plainServer('s2', 'd2', 'v1')];
    const own = (name: string) => make.member(vs(name), { hasMonitor: true });
    const pools = [
      make.pool('a', vs('p1'), { manualResume: true, members: [own('s1:v1')] }),
      make.pool('a', vs('p2'), { members: [own('s1:v1')] }),
    ];
    const look = new Look({ servers, pools, wideIps: [a('w.test', 'p1')] });
    const measured = (status: 'available' | 'offline' | 'unknown', reason: string) => ({
      status,
      reason,
      goodFor: 120,
    });
    look.say('s1:v1', measured('unknown', 'Checking'));
    look.sayOfMember('p1', 's1:v1', measured('available', 'Monitor /Common/tcp: answers'));
    assert.equal(look.of('virtual-server', 's1:v1'), 'unknown: Checking');
    assert.equal(look.of('member', 'p1 s1:v1'), 'available: Monitor /Common/tcp: answers');
    assert.equal(look.of('member', 'p2 s1:v1'), 'unknown: Checking');
    look.say('s1:v1', measured('available', 'Monitor /Common/http: answers'));
    look.sayOfMember('p1', 's1:v1', measured('offline', 'Monitor /Common/tcp: connection refused'));
    assert.equal(look.of('member', 'p1 s1:v1'), 'offline: Monitor /Common/tcp: connection refused');
    assert.equal(look.of('member', 'p2 s1:v1'), 'available: Monitor /Common/http: answers');
    assert.equal(look.of('wide-ip', 'w.test'), 'offline: No enabled pools available');
    look.sayOfMember('p1', 's1:v1', measured('available', 'Monitor /Common/tcp: answers'));
    assert.match(look.of('member', 'p1 s1:v1'), /^offline: .*waits to be resumed/);
    look.resume('p1', 's1:v1');
    assert.equal(look.of('member', 'p1 s1:v1'), 'available: Monitor /Common/http: answers');
    look.sayOfMember('p1', 's1:v1', undefined);
    look.say('s1:v1', measured('offline', 'Monitor /Common/http: no answer'));
    look.sayOfMember('p2', 's1:v1', measured('available', 'Monitor /Common/tcp: answers'));
    assert.equal(look.of('member', 'p2 s1:v1'), 'offline: Monitor /Common/http: no answer');
    assert.equal(look.of('server', 's1'), 'offline: No enabled virtual servers available');
  });

  it('what was measured is stale when nothing is heard for longer than it is good for; what was said by hand is not', () => {
    const servers = [plainServer('s1', 'd1', 'v1', 'v2')];
    let silence = 0;
    const look = new Look({ servers }, newFacts(), () => silence);
    look.say('s1:v1', { status: 'offline', reason: 'Monitor /Common/tcp: no answer', goodFor: 16 });
    look.say('s1:v2', { status: 'offline', reason: 'no power' });
    silence = 16;
    assert.equal(look.of('virtual-server', 's1:v1'), 'offline: Monitor /Common/tcp: no answer');
    silence = 16.5;
    const stale = ' (stale: nothing heard of healthd for 16 s)';
    assert.equal(look.of('virtual-server', 's1:v1'), `offline: Monitor /Common/tcp: no answer${stale}`);
    assert.equal(look.of('virtual-server', 's1:v2'), 'offline: Offline: no power');
    look.say('s1', { status: 'offline', reason: 'Monitor /Common/icmp: no answer', goodFor: 10 });
    assert.match(
      look.of('virtual-server', 's1:v2'),
      /^offline: Server .*: Monitor \/Common\/icmp: no answer \(stale: /,
    );
  });

  it('names are up with their wide IPs, and two that name each other do not hold each other up', () => {
    const servers = [plainServer('s1', 'd1', 'v1', 'v2')];
    const cname = (pool: string, name: string, isStatic = false) =>
      make.pool('cname', vs(pool), { members: [make.member(name, { isStatic })] });
    const pools = [
      make.pool('a', vs('own1'), { members: members('s1:v1') }),
      make.pool('a', vs('own2'), { members: members('s1:v2') }),
      ...[cname('to1', 'w1.test'), cname('to2', 'w2.test'), cname('far', 'elsewhere.test')],
      cname('fixed', 'elsewhere.test', true),
    ];
    const both = (domain: string, own: string, other: string) =>
      make.wideIp('a', domain, {
        pools: [{ pool: vs(own), order: 0, ratio: 1 }],
        cnamePools: [{ pool: vs(other), order: 1, ratio: 1 }],
      });
    const look = new Look({
      servers,
      pools,
      wideIps: [both('w1.test', 'own1', 'to2'), both('w2.test', 'own2', 'to1')],
    });
    look.say('s1:v1', { status: 'offline' });
    assert.equal(look.of('member', 'to2 w2.test'), 'available: Wide IP w2.test is available');
    assert.equal(look.of('wide-ip', 'w1.test'), 'available: Available');
    look.say('s1:v2', { status: 'offline' });
    assert.equal(look.of('member', 'to2 w2.test'), 'unavailable: Wide IP w2.test is not available');
    assert.equal(look.of('wide-ip', 'w1.test'), 'offline: No enabled pools available');
    assert.equal(look.of('wide-ip', 'w2.test'), 'offline: No enabled pools available');
    look.say('s1:v2', { status: 'available' });
    assert.equal(look.of('wide-ip', 'w1.test'), 'available: Available');
    const missing = 'offline: No wide IP has the name, and static-target is no';
    assert.equal(look.of('member', 'far elsewhere.test'), missing);
    assert.equal(look.of('member', 'fixed elsewhere.test'), 'unknown: Nothing checks it');
  });

  it('an application takes its wide IPs, or what is in a server or a datacenter, as one', () => {
    const parts = (dependencyLevel: 'wideip' | 'server' | 'datacenter' | 'none'): Partial<GtmDescription> => ({
      servers: [plainServer('s1', 'd1', 'v1', 'v2'), plainServer('s2', 'd1', 'v1')],
      pools: [
        make.pool('a', vs('p1'), { members: members('s1:v1', 's2:v1') }),
        make.pool('a', vs('p2'), { members: members('s1:v2') }),
      ],
      wideIps: [a('w1.test', 'p1'), a('w2.test', 'p2'), a('other.test', 'p1')],
      applications: [
        {
          name: vs('app'),
          wideIps: [
            { type: 'a', name: '/Common/w1.test' },
            { type: 'a', name: '/Common/w2.test' },
          ],
          dependencyLevel,
          persistence: undefined,
          disabledContexts: [],
        },
      ],
    });
    const wideIp = new Look(parts('wideip'));
    wideIp.say('s1:v2', { status: 'offline' });
    assert.equal(
      wideIp.of('wide-ip', 'w1.test'),
      'unavailable: Application /Common/app has another wide IP that is not available',
    );
    assert.equal(wideIp.of('wide-ip', 'w2.test'), 'offline: No enabled pools available');
    assert.match(wideIp.of('wide-ip', 'other.test'), /^unknown/);
    wideIp.say('s1:v2', { status: 'available' });
    assert.match(wideIp.of('wide-ip', 'w1.test'), /^unknown/);
    for (const [level, first, second] of [
      [
        'server',
        'unavailable: Application /Common/app has another member that is not up in server /Common/s1',
        'unknown',
      ],
      ['datacenter', 'unavailable: Application /Common/app has another member', 'unavailable'],
      ['none', 'unknown', 'unknown'],
    ] as const) {
      const look = new Look(parts(level));
      look.say('s1:v2', { status: 'offline' });
      assert.ok(look.inApplication('s1:v1').startsWith(first), look.inApplication('s1:v1'));
      assert.ok(look.inApplication('s2:v1').startsWith(second));
      assert.match(look.of('member', 'p1 s1:v1'), /^unknown/);
      look.say('s1:v2', { status: 'unknown' });
      assert.match(look.inApplication('s1:v1'), /^unknown/);
    }
  });
});
