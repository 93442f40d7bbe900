import assert from 'node:assert/strict';
import fc from 'fast-check';
import { it } from 'node:test';
import { Availability } from '../../src/gtm/availability.ts';
import { compileWideIps } from '../../src/gtm/compile-wide-ips.ts';
import type { GtmDescription, Limits, PoolMember, WideIpType } from '../../src/gtm/description.ts';
import { FACT_STATUSES, type FactChange, memberKey, newFacts } from '../../src/gtm/facts.ts';
import { newStateMemory, StateReader, StateWriter } from '../../src/gtm/state-journal.ts';
import {
  findPath,
  MEMBER_STATUS_SHIFT,
  PathWord,
  POOL_WORDS,
  PoolWord,
  type StateLayout,
  VIRTUAL_SERVER_WORDS,
  VirtualServerWord,
} from '../../src/gtm/state-layout.ts';
import type { GtmIndex } from '../../src/gtm/tables.ts';
import * as make from '../support/gtm-description.ts';
import { GtmModel } from '../support/gtm-model.ts';

type Draw = fc.GeneratorValue;

const rarely = fc.integer({ min: 0, max: 9 }).map((number) => number === 0);
const mostly = rarely.map((is) => !is);
const few = (most: number) => fc.integer({ min: 0, max: most });
const list = (draw: Draw, most: number): number[] => Array.from({ length: draw(few, most) }, (_, index) => index);
const sometimes = <T>(value: fc.Arbitrary<T>) => fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, value);

const limits: fc.Arbitrary<Limits> = fc.oneof(
  { weight: 2, arbitrary: fc.constant(make.NO_LIMITS) },
  fc.record({
    connections: sometimes(few(20)),
    packetsPerSecond: sometimes(few(20)),
    bitsPerSecond: sometimes(fc.constantFrom(8000, 79_999, 80_000)),
  }),
);
const serverLimits = fc
  .tuple(limits, sometimes(few(20)), sometimes(few(20)))
  .map(([common, cpuUsage, memoryAvailable]) => ({
    ...common,
    cpuUsage,
    memoryAvailable,
  }));
const load = sometimes(few(30));
const virtualServerFacts = fc.record({
  status: fc.constantFrom(...FACT_STATUSES),
  connections: load,
  packetsPerSecond: load,
  kilobytesPerSecond: load,
  capacity: load,
  score: load,
});
const serverFacts = fc.record({
  status: fc.constantFrom(...FACT_STATUSES, 'unknown', 'available'),
  cpu: load,
  memoryAvailable: load,
  connections: load,
  packetsPerSecond: load,
  kilobytesPerSecond: load,
});
const subset = <T>(all: readonly T[], most: number): fc.Arbitrary<T[]> =>
  fc.subarray([...all], { maxLength: Math.min(most, all.length) });

const TYPES = ['a', 'cname', 'mx'] as const satisfies readonly WideIpType[];
const NAMES = ['w0.test', 'w1.test', 'w2.test', 'alias.test', 'elsewhere.test'];

function drawDescription(draw: Draw): GtmDescription {
  const datacenters = [0, 1].map((number) => ({ name: `/Common/d${number}`, enabled: draw(() => mostly) }));
  const servers = [0, ...list(draw, 2).map((number) => number + 1)];
  const keys = servers.flatMap((number) => [0, 1, 2].map((one) => `/Common/s${number}:v${one}`));
  const dependsOn = () => subset([...keys, '/Common/gone:v'], 2);
  const drawn = servers.map((number) =>
    make.server(`/Common/s${number}`, datacenters[draw(few, 1)]!.name, {
      enabled: draw(() => mostly),
      limits: draw(() => serverLimits),
      virtualServers: [0, 1, 2].map((one) =>
        make.virtualServer(`v${one}`, {
          enabled: draw(() => mostly),
          limits: draw(() => limits),
          dependsOn: draw(() => rarely) || draw(() => rarely) ? draw(dependsOn) : [],
        }),
      ),
    }),
  );
  const pools = TYPES.flatMap((type) =>
    [0, 1].map((number) =>
      make.pool(type, `/Common/${type}${number}`, {
        enabled: draw(() => mostly),
        limits: draw(() => limits),
        verifyMemberAvailability: draw(() => mostly),
        manualResume: draw(() => fc.boolean()),
        minMembersUp: {
          mode: draw(() => fc.constantFrom('off', 'off', 'number', 'percent')),
          value: draw(() => fc.constantFrom(0, 1, 2, 50, 70)),
        },
        members: draw(() => subset(type === 'a' ? keys : NAMES, 5)).map((name): PoolMember =>
          make.member(name, {
            enabled: draw(() => mostly),
            limits: draw(() => limits),
            dependsOn: draw(() => rarely) ? draw(dependsOn) : [],
            isStatic: draw(() => rarely),
          }),
        ),
      }),
    ),
  );
  const wideIps = (['a', 'cname', 'mx'] as const).flatMap((type) =>
    [0, 1, 2].flatMap((number) => {
      if (draw(() => rarely)) return [];
      const poolsOf = (of: WideIpType) =>
        draw(() => subset([`/Common/${of}0`, `/Common/${of}1`], 2)).map((name) => ({ pool: name, order: 0, ratio: 1 }));
      return make.wideIp(type, `w${number}.test`, {
        enabled: draw(() => mostly),
        aliases: number === 0 ? ['alias.test'] : [],
        pools: poolsOf(type),
        cnamePools: type === 'cname' ? [] : poolsOf('cname'),
        lastResort: draw(() => rarely) ? { type, pool: `/Common/${type}0` } : undefined,
      });
    }),
  );
  const left = [...wideIps];
  const applications = list(draw, 2).map((number) => ({
    name: `/Common/app${number}`,
    wideIps: left.splice(0, draw(few, 3)).map(({ type, name }) => ({ type, name })),
    dependencyLevel: draw(() => fc.constantFrom('none', 'datacenter', 'link', 'server', 'wideip')),
    persistence: undefined,
    disabledContexts: draw(() => rarely)
      ? [
          {
            kind: draw(() => fc.constantFrom('datacenter', 'server')),
            name: draw(() => fc.constantFrom('/Common/d0', '/Common/s0')),
          },
        ]
      : [],
  }));
  const settings = {
    ...make.SETTINGS,
    verifyVsAvailability: draw(() => mostly),
    respectFallbackDependency: draw(() => fc.boolean()),
    drainPersistentRequests: draw(() => fc.boolean()),
  };
  return make.description({ settings, datacenters, servers: drawn, pools, wideIps, applications });
}

const CLIENTS = ['192.0.2.1', '198.51.100.7', '2001:db8::1'];

function drawChange(draw: Draw, { virtualServers, description, datacenters, members, pools }: GtmIndex): FactChange {
  const kind = draw(() =>
    fc.constantFrom(
      'virtual-server',
      'virtual-server',
      'virtual-server',
      'server',
      'member',
      'member',
      'path',
      'resume',
    ),
  );
  if (kind === 'virtual-server') {
    const key = draw(() => fc.constantFrom(...virtualServers.map((entry) => entry.key), '/Common/gone:v'));
    return { kind, key, facts: draw(() => rarely) ? undefined : draw(() => virtualServerFacts) };
  }
  if (kind === 'server') {
    const name = draw(() => fc.constantFrom(...description.servers.map((each) => each.name)));
    return { kind, name, facts: draw(() => rarely) ? undefined : draw(() => serverFacts) };
  }
  const keys = members.map((entry) => {
    const { pool } = pools[entry.pool]!;
    return memberKey(pool.type, pool.name, entry.member.name);
  });
  const memberName = (): string => draw(() => fc.constantFrom(...keys, 'a /Common/gone x'));
  if (kind === 'member') {
    const facts = { status: draw(() => fc.constantFrom(...FACT_STATUSES)) };
    return { kind, key: memberName(), facts: draw(() => rarely) ? undefined : facts };
  }
  const client = draw(() => fc.constantFrom(...CLIENTS));
  const datacenter = draw(() => fc.constantFrom(...datacenters.map(({ name }) => name), '/Common/gone'));
  if (kind === 'path') {
    if (draw(() => rarely)) return { kind: 'forget-path', client, datacenter };
    const [roundTripTime, hops, completionRate] = [draw(() => load), draw(() => load), draw(() => load)];
    return { kind, path: { client, datacenter, roundTripTime, hops, completionRate, expires: draw(few, 9) } };
  }
  return { kind, member: memberName() };
}

/** What stands in the state of everything but paths. */
function read(index: GtmIndex, words: Int32Array, layout: StateLayout) {
  const virtualServers = index.virtualServers.map((_, number) => [
    ...words.subarray(number * VIRTUAL_SERVER_WORDS, number * VIRTUAL_SERVER_WORDS + VirtualServerWord.cpu + 1),
  ]);
  const members = index.members.map((_, number) => {
    const word = words[layout.membersAt + number]!;
    const [usable, fallback, drains] = [(word & 1) !== 0, (word & 2) !== 0, (word & 4) !== 0];
    return { status: word >> MEMBER_STATUS_SHIFT, usable, fallback, drains };
  });
  const pools = index.pools.map((_, number) => {
    const at = layout.poolsAt + number * POOL_WORDS;
    return { usable: words[at + PoolWord.usable]!, enabled: words[at + PoolWord.enabled] === 1 };
  });
  const wideIps = index.wideIps.map((_, number) => {
    const word = words[layout.wideIpsAt + number]!;
    return { enabled: (word & 1) !== 0, available: (word & 2) !== 0 };
  });
  return { virtualServers, members, pools, wideIps };
}

function expected(index: GtmIndex, facts: ReturnType<typeof newFacts>): ReturnType<typeof read> {
  const model = new GtmModel(index, facts);
  return {
    virtualServers: index.virtualServers.map(({ key, server }, number) => {
      const own = facts.virtualServers.get(key);
      const { connections, packetsPerSecond, kilobytesPerSecond, capacity, score } = own ?? {};
      const numbers = [
        connections,
        packetsPerSecond,
        kilobytesPerSecond,
        capacity,
        score,
        facts.servers.get(server.name)?.cpu,
      ];
      return [model.virtualServer(number), ...numbers.map((value) => value ?? -1)];
    }),
    members: index.members.map((_, number) => model.member(number)),
    pools: index.pools.map(({ pool }, number) => ({ usable: model.pool(number), enabled: pool.enabled })),
    wideIps: index.wideIps.map(({ wideIp }, number) => ({
      enabled: wideIp.enabled,
      available: model.isAvailable(number),
    })),
  };
}

it('whatever changes, in whatever order, what is answered is what follows from all that is known', () => {
  fc.assert(
    fc.property(fc.gen(), (draw) => {
      const facts = newFacts();
      for (let configuration = 0; configuration < 2; configuration++) {
        const { index, tables } = compileWideIps(drawDescription(draw));
        const { layout } = tables;
        const writer = new StateWriter(newStateMemory(layout));
        const availability = new Availability(index, writer, facts);
        const model = new GtmModel(index, facts);
        const isOn = (key: string): boolean =>
          index.members.some(({ pool: number, member }) => {
            const { pool } = index.pools[number]!;
            const isSame = memberKey(pool.type, pool.name, member.name) === key;
            return isSame && pool.manualResume && pool.enabled && member.enabled;
          });
        const kept = [...facts.held].filter(isOn);
        availability.start();
        const reader = new StateReader(writer.memory);
        assert.deepEqual([...facts.held], kept);
        for (let change = 0; change < 12; change++) {
          reader.catchUp();
          assert.deepEqual(read(index, reader.words, layout), expected(index, facts));
          for (let together = draw(few, 2); together >= 0; together--) {
            const drawn = drawChange(draw, index);
            const wasOffline = index.virtualServers.map((_, number) => model.isSaidOffline(number));
            const wasMemberOffline = index.members.map((_, number) => model.memberSaid(number) === 'offline');
            const held = new Set(facts.held);
            availability.apply(drawn);
            if (drawn.kind === 'resume') held.delete(drawn.member);
            index.members.forEach(({ pool: number, member, virtualServer }, memberNumber) => {
              const { pool } = index.pools[number]!;
              const { own, rest } = model.isEnabled(memberNumber);
              if (virtualServer < 0 || !pool.manualResume || !own || !rest) return;
              const wentOffline = !wasOffline[virtualServer] && model.isSaidOffline(virtualServer);
              const wentItself = !wasMemberOffline[memberNumber] && model.memberSaid(memberNumber) === 'offline';
              if (!wentOffline && !wentItself) return;
              held.add(memberKey(pool.type, pool.name, member.name));
            });
            assert.deepEqual([...facts.held].sort(), [...held].sort());
          }
          writer.commit();
        }
        reader.catchUp();
        assert.deepEqual(read(index, reader.words, layout), expected(index, facts));
        const client = new Map([
          ['192.0.2.1', [4, 0xc0000201 | 0, 0, 0, 0]],
          ['198.51.100.7', [4, 0xc6336407 | 0, 0, 0, 0]],
          ['2001:db8::1', [6, 0x20010db8, 0, 0, 1]],
        ]);
        index.datacenters.forEach(({ name }, datacenter) => {
          for (const [text, [family, ...words]] of client) {
            const at = findPath(layout, reader.words, family!, Int32Array.from(words), datacenter);
            const fact = facts.paths.get(`${text} ${name}`);
            const found =
              at < 0 ? undefined : reader.words.subarray(at + PathWord.roundTripTime, at + PathWord.expires + 1);
            const numbers = fact && [
              fact.roundTripTime ?? -1,
              fact.hops ?? -1,
              fact.completionRate ?? -1,
              fact.expires,
            ];
            assert.deepEqual(found && [...found], numbers);
          }
        });
      }
    }),
    { numRuns: 60, endOnFailure: true, seed: 20_261_130 },
  );
});
