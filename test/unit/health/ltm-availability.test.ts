import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bigipView } from '../../../src/health/bigip-view.ts';
import { LtmAvailability, type LtmFacts } from '../../../src/health/ltm-availability.ts';
import type { LtmDescription, LtmMember, LtmNode, LtmPool, LtmVirtual } from '../../../src/health/ltm-description.ts';
import { bestOf, type LtmStatus } from '../../../src/health/ltm-status.ts';
import type { WatchStatus } from '../../../src/health/watch.ts';

const ON = { isEnabled: true, isForcedOffline: false };

const node = (wish: Partial<LtmNode> = {}): LtmNode => ({
  name: '/Common/n1',
  address: '192.0.2.1',
  isMonitored: true,
  connectionLimit: 0,
  ...ON,
  ...wish,
});
const member = (wish: Partial<LtmMember> = {}): LtmMember => ({
  name: '/Common/n1:80',
  node: '/Common/n1',
  address: '192.0.2.1',
  port: 80,
  isMonitored: true,
  connectionLimit: 0,
  priorityGroup: 0,
  ...ON,
  ...wish,
});
const pool = (members: readonly LtmMember[], wish: Partial<LtmPool> = {}): LtmPool => ({
  name: '/Common/p',
  members,
  minActiveMembers: 0,
  minUpMembers: 0,
  ...wish,
});
const virtual = (wish: Partial<LtmVirtual> = {}): LtmVirtual => ({
  name: '/Common/v',
  address: '198.51.100.1',
  port: 443,
  isEnabled: true,
  pool: '/Common/p',
  connectionLimit: 0,
  gtmScore: 7,
  ...wish,
});

type Known = {
  readonly node?: WatchStatus;
  readonly member?: WatchStatus;
  readonly connections?: Record<string, number>;
};

function judge(description: Partial<LtmDescription>, { node, member, connections = {} }: Known = {}): LtmAvailability {
  const facts: LtmFacts = {
    verdictOf: (kind) => {
      const status = kind === 'node' ? node : member;
      return status && { status, reason: `Monitor m: is ${status}`, since: 0 };
    },
    connectionsOf: (kind, key) => connections[`${kind} ${key}`],
  };
  return new LtmAvailability({ nodes: [], pools: [], virtuals: [], ...description }, facts);
}

type Row = {
  readonly it: string;
  readonly node?: Partial<LtmNode>;
  readonly member?: Partial<LtmMember>;
  readonly known?: Known;
  readonly is: readonly [LtmStatus['availability'], LtmStatus['enabled'], string];
};

const NODES: readonly Row[] = [
  { it: 'up', known: { node: 'available' }, is: ['available', 'enabled', 'Node address is available'] },
  {
    it: 'up, and switched off',
    node: { isEnabled: false },
    known: { node: 'available' },
    is: ['available', 'disabled', 'Node address is available, user disabled'],
  },
  {
    it: 'up, and switched off by its monitor',
    known: { node: 'disabled' },
    is: ['available', 'disabled', 'Node address is available, monitor disabled: Monitor m: is disabled'],
  },
  {
    it: 'down',
    known: { node: 'offline' },
    is: ['offline', 'enabled', 'Node address has been marked down by a monitor: Monitor m: is offline'],
  },
  {
    it: 'forced offline',
    node: { isForcedOffline: true },
    known: { node: 'available' },
    is: ['offline', 'disabled', 'Forced down'],
  },
  {
    it: 'full',
    node: { connectionLimit: 10 },
    known: { node: 'available', connections: { 'node /Common/n1': 10 } },
    is: ['unavailable', 'enabled', "The node's connection limit has been reached"],
  },
  {
    it: 'below its limit',
    node: { connectionLimit: 10 },
    known: { node: 'available', connections: { 'node /Common/n1': 9 } },
    is: ['available', 'enabled', 'Node address is available'],
  },
  {
    it: 'not watched',
    node: { isMonitored: false },
    is: ['unknown', 'enabled', 'Node address does not have service checking enabled'],
  },
  {
    it: 'being checked',
    known: { node: 'unknown' },
    is: ['unknown', 'enabled', 'Service check results are not available yet: Monitor m: is unknown'],
  },
];

const MEMBERS: readonly Row[] = [
  { it: 'up', known: { member: 'available' }, is: ['available', 'enabled', 'Pool member is available'] },
  {
    it: 'up, and its node too',
    known: { member: 'available', node: 'available' },
    is: ['available', 'enabled', 'Pool member is available'],
  },
  {
    it: 'switched off',
    member: { isEnabled: false },
    known: { member: 'available' },
    is: ['available', 'disabled', 'Pool member is available, user disabled'],
  },
  {
    it: 'switched off by its monitor',
    known: { member: 'disabled' },
    is: ['available', 'disabled', 'Pool member is available, monitor disabled: Monitor m: is disabled'],
  },
  {
    it: 'forced offline',
    member: { isForcedOffline: true },
    known: { member: 'available' },
    is: ['offline', 'disabled', 'Forced down'],
  },
  {
    it: 'down',
    known: { member: 'offline', node: 'available' },
    is: ['offline', 'enabled', 'Pool member has been marked down by a monitor: Monitor m: is offline'],
  },
  {
    it: 'down with its node, however it answers itself',
    known: { member: 'available', node: 'offline' },
    is: ['offline', 'enabled', 'Parent down: Node address has been marked down by a monitor: Monitor m: is offline'],
  },
  {
    it: 'offline with its node',
    node: { isForcedOffline: true },
    known: { member: 'available' },
    is: ['offline', 'disabled-by-parent', 'Parent down: Forced down'],
  },
  {
    it: 'switched off with its node',
    node: { isEnabled: false },
    known: { member: 'available' },
    is: ['available', 'disabled-by-parent', 'Pool member is available'],
  },
  {
    it: 'switched off itself, and with its node',
    node: { isEnabled: false },
    member: { isEnabled: false },
    known: { member: 'available' },
    is: ['available', 'disabled', 'Pool member is available, user disabled'],
  },
  {
    it: 'full',
    member: { connectionLimit: 5 },
    known: { member: 'available', connections: { 'pool-member /Common/p /Common/n1:80': 6 } },
    is: ['unavailable', 'enabled', "The pool member's connection limit has been reached"],
  },
  {
    it: 'on a node that is full',
    node: { connectionLimit: 5 },
    known: { member: 'available', connections: { 'node /Common/n1': 5 } },
    is: ['unavailable', 'enabled', "The node's connection limit has been reached"],
  },
  {
    it: 'down rather than full',
    member: { connectionLimit: 5 },
    known: { member: 'offline', connections: { 'pool-member /Common/p /Common/n1:80': 6 } },
    is: ['offline', 'enabled', 'Pool member has been marked down by a monitor: Monitor m: is offline'],
  },
  {
    it: 'not watched, whatever its node says',
    member: { isMonitored: false },
    known: { node: 'available' },
    is: ['unknown', 'enabled', 'Pool member does not have service checking enabled'],
  },
  {
    it: 'being checked',
    known: {},
    is: ['unknown', 'enabled', 'Service check results are not available yet'],
  },
  {
    it: 'without a node that is configured',
    member: { node: undefined },
    known: { member: 'available', node: 'offline' },
    is: ['available', 'enabled', 'Pool member is available'],
  },
];

const told = ({ availability, enabled, reason }: LtmStatus): unknown => [availability, enabled, reason];

describe('a node is', () => {
  for (const row of NODES) {
    it(row.it, () => {
      const is = judge({ nodes: [node(row.node)] }, row.known).node('/Common/n1')!;
      assert.deepEqual(told(is), row.is);
    });
  }
});

describe('a member is', () => {
  for (const row of MEMBERS) {
    it(row.it, () => {
      const description = { nodes: [node(row.node)], pools: [pool([member(row.member)])] };
      const is = judge(description, row.known).pool('/Common/p')!.members[0]!;
      assert.deepEqual(told(is), row.is);
    });
  }
});

const AVAILABILITIES = ['available', 'unknown', 'unavailable', 'offline'] as const;
const ENABLED = ['enabled', 'disabled', 'disabled-by-parent'] as const;
const POSSIBLE: readonly LtmStatus[] = AVAILABILITIES.flatMap((availability) =>
  ENABLED.map((enabled) => ({ availability, enabled, reason: '' })),
);

it('a pool is as good as its best enabled member, over all that two members can be', () => {
  for (const a of POSSIBLE) {
    for (const b of POSSIBLE) {
      const enabled = [a, b].filter((each) => each.enabled === 'enabled');
      const among = enabled.length > 0 ? enabled : [a, b];
      const best = AVAILABILITIES.find((availability) => among.some((each) => each.availability === availability));
      const is = bestOf([a, b]);
      assert.equal(is.availability, best);
      assert.equal(is.enabled, enabled.length > 0 ? 'enabled' : 'disabled');
      const isAnyUp = a.availability !== 'offline' || b.availability !== 'offline';
      if (is.availability !== 'offline') continue;
      assert.equal(is.reason, isAnyUp ? 'No enabled pool members available' : 'The children pool member(s) are down');
    }
  }
});

it('words for pools', () => {
  const one = (availability: LtmStatus['availability'], enabled: LtmStatus['enabled'] = 'enabled'): string =>
    bestOf([{ availability, enabled, reason: '' }]).reason;
  assert.equal(one('available'), 'The pool is available');
  assert.equal(one('available', 'disabled'), 'The children pool member(s) are disabled');
  assert.equal(one('unavailable'), "The children pool member(s)' connection limits have been reached");
  const unchecked =
    "The children pool member(s) either don't have service checking enabled, or service check results are not available yet";
  assert.equal(one('unknown'), unchecked);
  assert.deepEqual(bestOf([]), { availability: 'unknown', enabled: 'enabled', reason: unchecked });
});

describe('a virtual server', () => {
  const description = (wish: Partial<LtmVirtual> = {}, memberWish: Partial<LtmMember> = {}): LtmDescription => ({
    nodes: [],
    pools: [pool([member({ node: undefined, ...memberWish })])],
    virtuals: [virtual(wish)],
  });
  const rows: readonly (readonly [string, LtmDescription, Known, readonly unknown[], string])[] = [
    [
      'is up',
      description(),
      { member: 'available' },
      ['available', 'enabled', 'The virtual server is available'],
      'up',
    ],
    [
      'is down',
      description(),
      { member: 'offline' },
      ['offline', 'enabled', 'The children pool member(s) are down'],
      'refused',
    ],
    [
      'is not checked',
      description({}, { isMonitored: false }),
      {},
      ['unknown', 'enabled', bestOf([]).reason],
      'impossible',
    ],
    ['has no pool', description({ pool: undefined }), {}, ['unknown', 'enabled', bestOf([]).reason], 'impossible'],
    [
      'is switched off',
      description({ isEnabled: false }),
      { member: 'available' },
      ['available', 'disabled', 'The virtual server is available'],
      'refused',
    ],
    [
      'is switched off and down',
      description({ isEnabled: false }),
      { member: 'offline' },
      ['offline', 'disabled', 'The children pool member(s) are down'],
      'refused',
    ],
    [
      'has nobody who is enabled',
      description({}, { isEnabled: false }),
      { member: 'available' },
      ['available', 'disabled-by-parent', 'The children pool member(s) are disabled'],
      'refused',
    ],
    [
      'is full',
      description({ connectionLimit: 3 }),
      { member: 'available', connections: { 'virtual /Common/v': 3 } },
      ['unavailable', 'enabled', "The virtual server's connection limit has been reached"],
      'refused',
    ],
    [
      'is down rather than full',
      description({ connectionLimit: 3 }),
      { member: 'offline', connections: { 'virtual /Common/v': 3 } },
      ['offline', 'enabled', 'The children pool member(s) are down'],
      'refused',
    ],
    [
      'has members that are full',
      description({}, { connectionLimit: 3 }),
      { member: 'available', connections: { 'pool-member /Common/p /Common/n1:80': 3 } },
      ['unavailable', 'enabled', "The children pool member(s)' connection limits have been reached"],
      'refused',
    ],
  ];
  for (const [name, described, known, is, seen] of rows) {
    it(`${name}, and a bigip monitor sees it so`, () => {
      const availability = judge(described, known);
      assert.deepEqual(told(availability.virtual('/Common/v')!), is);
      assert.equal(availability.virtual('/Common/v')!.gtmScore, 7);
      assert.equal(bigipView(availability, '198.51.100.1', 443).verdict, seen);
      assert.equal(bigipView(availability, '198.51.100.9', 443, '/Common/v').verdict, seen);
    });
  }

  it('that is not there is unknown to a bigip monitor', () => {
    const view = bigipView(judge(description()), '2001:db8::1', 443, '/Common/x');
    assert.deepEqual(view, { verdict: 'impossible', reason: 'no virtual [2001:db8::1]:443 here', took: 0 });
  });
});

describe('priority groups', () => {
  /** Members by group; those with a minus are down. */
  const groups = (list: readonly number[], minActiveMembers: number, priorities?: Record<string, number>) => {
    const members = list.map((group, index) =>
      member({ name: `m${index}`, node: undefined, priorityGroup: Math.abs(group), isForcedOffline: group < 0 }),
    );
    const facts: LtmFacts = {
      verdictOf: () => ({ status: 'available', reason: '', since: 0 }),
      priorityOf: (_, name) => priorities?.[name],
    };
    const description = { nodes: [], pools: [pool(members, { minActiveMembers, minUpMembers: 2 })], virtuals: [] };
    return new LtmAvailability(description, facts).pool('/Common/p')!;
  };
  const rows: readonly (readonly [readonly number[], number, number | undefined, readonly string[]])[] = [
    [[10, 10, 5], 0, 5, ['m0', 'm1', 'm2']],
    [[10, 10, 5], 1, 10, ['m0', 'm1']],
    [[10, 10, 5], 2, 10, ['m0', 'm1']],
    [[10, -10, 5], 2, 5, ['m0', 'm2']],
    [[10, -10, 5, 5], 2, 5, ['m0', 'm2', 'm3']],
    [[10, 10, 5], 9, 5, ['m0', 'm1', 'm2']],
    [[-10, -10, 5, 1], 1, 5, ['m2']],
    [[-10, -10], 1, undefined, []],
  ];
  for (const [list, minActive, lowest, used] of rows) {
    it(`of ${list.join(', ')} with min-active-members ${minActive}: ${used.join(' ') || 'none'}`, () => {
      const { active, members } = groups(list, minActive);
      assert.deepEqual({ ...active, members: [...active.members].sort() }, { lowestGroup: lowest, members: used });
      assert.deepEqual(
        members.flatMap(({ isActive, member: { name } }) => (isActive ? [name] : [])),
        used,
      );
    });
  }

  it('a monitor that says where a member is moves it to another group', () => {
    assert.deepEqual(groups([10, 10], 1, { m0: 5 }).active, { lowestGroup: 10, members: ['m1'] });
    assert.deepEqual(groups([10, 10], 1, { m1: 5 }).active, { lowestGroup: 10, members: ['m0'] });
  });

  it('too few members that are up are told', () => {
    assert.equal(groups([1, 1], 0).isBelowMinUp, false);
    assert.equal(groups([1, -1], 0).isBelowMinUp, true);
    assert.equal(groups([1, -1], 0).upMembers, 1);
  });
});
