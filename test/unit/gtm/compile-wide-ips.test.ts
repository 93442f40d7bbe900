import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CompiledWideIps, compileWideIps } from '../../../src/gtm/compile-wide-ips.ts';
import {
  MEMBER_NUMBERS,
  MemberField,
  PoolField,
  REFERENCE_NUMBERS,
  ReferenceField,
  WIDE_IP_NUMBERS,
  WideIpField,
} from '../../../src/gtm/tables.ts';
import { describeGtm, memberOf, octetsOf, poolOf, serverOf, wideIpOf } from '../../support/wide-ips.ts';

/** Pools of a wide IP with their ratios, by names, as threads see them. */
function referencesOf({ index, tables }: CompiledWideIps, wideIp: number): string[] {
  const base = wideIp * WIDE_IP_NUMBERS;
  const first = tables.wideIps[base + WideIpField.firstReference]!;
  return Array.from({ length: tables.wideIps[base + WideIpField.references]! }, (_, place) => {
    const at = (first + place) * REFERENCE_NUMBERS;
    const { type, name } = index.pools[tables.references[at + ReferenceField.pool]!]!.pool;
    return `${type} ${name} ${tables.references[at + ReferenceField.ratio]!}`;
  });
}

describe('compiled wide IPs', () => {
  it('have pools of both types by order, own ones first, and none that is not there', () => {
    const wideIp = wideIpOf('a', 'www.example.com', [], {
      pools: [
        { pool: '/Common/p1', order: 0, ratio: 3 },
        { pool: '/Common/gone', order: 1, ratio: 1 },
        { pool: '/Common/p2', order: 2, ratio: 4 },
      ],
      cnamePools: [
        { pool: '/Common/c1', order: 0, ratio: 5 },
        { pool: '/Common/c2', order: 3, ratio: 6 },
      ],
    });
    const pools = ['p1', 'p2'].map((name) => poolOf('a', `/Common/${name}`, ['192.0.2.1']));
    // Of the same name, and another pool.
    const aliases = ['c1', 'c2', 'p1'].map((name) => poolOf('cname', `/Common/${name}`, ['x.test']));
    const other = wideIpOf('a', 'other.example.com', ['/Common/p2']);
    const compiled = compileWideIps(describeGtm([wideIp, other], [...aliases, ...pools]));
    assert.deepEqual(referencesOf(compiled, 0), [
      'a /Common/p1 3',
      'cname /Common/c1 5',
      'a /Common/p2 4',
      'cname /Common/c2 6',
    ]);
    assert.deepEqual(referencesOf(compiled, 1), ['a /Common/p2 1']);
  });

  it('have members by their order, in the datacenters of their servers', () => {
    const members = [
      memberOf('/Common/s2:192.0.2.2', 1),
      memberOf('/Common/s1:192.0.2.1', 0),
      memberOf('/Common/x:y', 2),
    ];
    const { index, tables } = compileWideIps(
      describeGtm([], [poolOf('a', '/Common/p', members)], {
        datacenters: ['/Common/east', '/Common/west'].map((name) => ({ name, enabled: true })),
        servers: [
          serverOf('/Common/s1', ['192.0.2.9', '192.0.2.1'], '/Common/west'),
          serverOf('/Common/s2', ['192.0.2.2'], '/Common/east'),
        ],
      }),
    );
    assert.deepEqual(
      index.members.map(({ member, virtualServer }, number) => [
        member.name,
        virtualServer,
        tables.members[number * MEMBER_NUMBERS + MemberField.datacenter],
      ]),
      [
        ['/Common/s1:192.0.2.1', 1, 1],
        ['/Common/s2:192.0.2.2', 2, 0],
        ['/Common/x:y', -1, -1],
      ],
    );
  });

  it('take no virtual server whose address is of the other family', () => {
    const pools = [
      poolOf('a', '/Common/p4', ['2001:db8:0:0:0:0:0:1', '192.0.2.1']),
      poolOf('aaaa', '/Common/p6', ['192.0.2.1']),
    ];
    const { index } = compileWideIps(describeGtm([], pools));
    assert.deepEqual(
      index.members.map(({ virtualServer }) => virtualServer),
      [-1, 1, -1],
    );
  });

  it('know which wide IPs the names of members are', () => {
    const wideIps = [
      wideIpOf('a', 'x.test', []),
      wideIpOf('aaaa', 'x.test', []),
      wideIpOf('cname', 'y.test', []),
      wideIpOf('mx', 'x.test', []),
      wideIpOf('a', '*.z.test', []),
    ];
    const names = ['X.test.', 'y.test', 'some.z.test', 'elsewhere.test', 'test'];
    const pools = (['cname', 'mx', 'srv', 'naptr'] as const).map((type) => poolOf(type, `/Common/${type}`, names));
    pools.push(poolOf('cname', '/Common/static', [memberOf('x.test', 0, { isStatic: true })]));
    const { index } = compileWideIps(describeGtm(wideIps, pools));
    const targetsOf = (pool: string): (readonly number[])[] =>
      index.members.filter((member) => index.pools[member.pool]!.pool.name === pool).map(({ targets }) => targets);
    assert.deepEqual(targetsOf('/Common/cname'), [[0, 1, 3], [2], [4], [], []]);
    // An alias has addresses as well, if what it stands for has.
    for (const type of ['mx', 'srv']) assert.deepEqual(targetsOf(`/Common/${type}`), [[0, 1], [2], [4], [], []], type);
    assert.deepEqual(targetsOf('/Common/naptr'), [[0, 1, 3], [2], [4], [], []]);
    assert.deepEqual(targetsOf('/Common/static'), [[]]);
  });

  it('carry numbers over by type and name, and keys whatever else changes', () => {
    const pool = poolOf('a', '/Common/p', ['192.0.2.1', '192.0.2.2']);
    const twin = poolOf('aaaa', '/Common/p', []);
    const wideIps = [wideIpOf('a', 'x.test', ['/Common/p']), wideIpOf('aaaa', 'x.test', [])];
    const before = compileWideIps(describeGtm(wideIps, [pool, twin]));
    assert.deepEqual([...before.tables.carriedPools, ...before.tables.carriedWideIps], [-1, -1, -1, -1]);
    const added = poolOf('a', '/Common/new', []);
    const after = compileWideIps(
      describeGtm([wideIps[1]!, wideIpOf('a', 'n.test', []), wideIps[0]!], [added, twin, pool]),
      before,
    );
    assert.deepEqual([...after.tables.carriedPools], [-1, 1, 0]);
    assert.deepEqual([...after.tables.carriedWideIps], [1, -1, 0]);
    const keyOf = ({ tables }: CompiledWideIps, member: number): number[] => {
      const at = member * MEMBER_NUMBERS + MemberField.key;
      return [...tables.members.subarray(at, at + 2)];
    };
    assert.deepEqual(keyOf(after, 1), keyOf(before, 1));
    assert.notDeepEqual(keyOf(after, 0), keyOf(after, 1));
  });

  it('have room for paths only where somebody goes by paths', () => {
    const by = (preferred: 'round-robin' | 'fewest-hops'): number =>
      compileWideIps(describeGtm([], [poolOf('a', '/Common/p', ['192.0.2.1'], { preferred })])).tables.layout.pathSlots;
    assert.ok(by('round-robin') < 100);
    assert.equal(by('fewest-hops'), 65_536);
  });

  it('lie in memory that threads share, all of it', () => {
    const pool = poolOf('a', '/Common/p', ['192.0.2.1'], { fallbackIp: octetsOf('192.0.2.9') });
    const { tables } = compileWideIps(describeGtm([wideIpOf('a', '*.x.test', ['/Common/p'])], [pool]));
    const arrays: string[] = [];
    const look = (value: unknown, path: string): void => {
      if (ArrayBuffer.isView(value)) {
        assert.ok(value.buffer instanceof SharedArrayBuffer, path);
        arrays.push(path);
      } else if (typeof value === 'object' && value !== null) {
        for (const [key, part] of Object.entries(value)) look(part, `${path}.${key}`);
      }
    };
    look(tables, 'tables');
    assert.ok(arrays.length > 20, arrays.join());
    assert.ok(tables.pools[PoolField.fallbackOctets]! > 0);
  });
});
