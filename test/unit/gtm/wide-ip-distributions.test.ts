// What clients are answered, over thousands of real questions: for each mode as preferred, alternate, fallback and of the pool of last
// resort, and for each mode of wide IPs, with pools that are healthy, degraded, down, switched off, and empty; and that what is
// explained is what is answered. What is expected is written down from what a mode is, and nothing of that is taken from what chooses.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MessageWriter } from '../../../src/dns/message-writer.ts';
import { Query, readQuery } from '../../../src/dns/query.ts';
import { WideIpVerdict } from '../../../src/dns/wide-ip-source.ts';
import {
  ALTERNATE_MODES,
  type GtmPool,
  MEMBER_MODES,
  type MemberMode,
  POOL_MODES,
  type PoolMode,
  type TopologyRecord,
  type WideIp,
} from '../../../src/gtm/description.ts';
import { explainWideIp } from '../../../src/gtm/explain-wide-ip.ts';
import { newFacts } from '../../../src/gtm/facts.ts';
import { PathWords } from '../../../src/gtm/path-words.ts';
import { VIRTUAL_SERVER_WORDS, VirtualServerWord } from '../../../src/gtm/state-layout.ts';
import { assertShares } from '../../support/chi-square.ts';
import { queryOf } from '../../support/dns.ts';
import { FACTORS } from '../../support/gtm-rig.ts';
import {
  describeGtm,
  Health,
  memberOf,
  NAME,
  newRandom,
  poolOf,
  serverOf,
  wideIpOf,
  WideIpRig,
} from '../../support/wide-ips.ts';

const QUESTIONS = 3000;
const CLIENT = '198.51.100.7';
const RECORD_OCTETS = 16;

/** A member has these of all that modes go by; undefined: nobody has measured it. Each is in a datacenter of its own. */
const MEMBERS = [
  { address: '192.0.2.1', ratio: 1, cost: 9, gain: 1, capacity: 10, score: 5 },
  { address: '192.0.2.2', ratio: 2, cost: 3, gain: 7, capacity: 20, score: 9 },
  { address: '192.0.2.3', ratio: 0, cost: 3, gain: 7, capacity: 0, score: 9 },
  { address: '192.0.2.4', ratio: 4, cost: 3, gain: 7, capacity: undefined, score: 9 },
  { address: '192.0.2.5', ratio: 3, cost: undefined, gain: undefined, capacity: 40, score: 1 },
] as const;
const FALLBACK_ADDRESS = 99;
const QOS = {
  rtt: 0,
  hops: 0,
  hitRatio: 0,
  kilobytesPerSecond: 3,
  packetRate: 0,
  topology: 0,
  vsCapacity: 0,
  vsScore: 0,
  lcs: 0,
};

type Numbers = (typeof MEMBERS)[number];

/** How likely each of those that may be chosen is, by the definition of a mode; nothing when it has nobody to choose. */
type Shares = (usable: readonly Numbers[]) => number[];

const best =
  (value: (member: Numbers) => number | undefined): Shares =>
  (usable) => {
    const known = usable.map(value).filter((one) => one !== undefined);
    return usable.map((member) => (value(member) !== undefined && value(member) === Math.max(...known) ? 1 : 0));
  };
const inProportion =
  (value: (member: Numbers) => number | undefined): Shares =>
  (usable) =>
    usable.map((member) => value(member) ?? 0);
const lowest = best(({ cost }) => (cost === undefined ? undefined : -cost));
const highest = best(({ gain }) => gain);
const alike: Shares = (usable) => usable.map(() => 1);

/** undefined: the mode ends the matter without a choice. */
const DEFINITIONS: Readonly<Record<MemberMode, Shares | undefined>> = {
  'completion-rate': highest,
  cpu: lowest,
  'drop-packet': undefined,
  'fallback-ip': undefined,
  'fewest-hops': lowest,
  'global-availability': (usable) => usable.map((_, place) => (place === 0 ? 1 : 0)),
  'kilobytes-per-second': lowest,
  'least-connections': lowest,
  'lowest-round-trip-time': lowest,
  none: undefined,
  'packet-rate': lowest,
  // Of all weights only that of what costs is above 0.
  'quality-of-service': lowest,
  ratio: inProportion(({ ratio }) => ratio),
  'return-to-dns': undefined,
  'round-robin': alike,
  'static-persistence': alike,
  topology: best(({ score }) => score),
  'virtual-server-capacity': inProportion(({ capacity }) => capacity),
  'virtual-server-score': highest,
};

/** In these equal members have equal shares to the last answer. */
const BY_CHANCE: ReadonlySet<MemberMode> = new Set(['ratio', 'virtual-server-capacity', 'static-persistence']);

type PoolHealth = 'healthy' | 'degraded' | 'down' | 'member-disabled' | 'disabled' | 'empty';
const HEALTHS: readonly PoolHealth[] = ['healthy', 'degraded', 'down', 'member-disabled', 'disabled', 'empty'];
type Role = 'preferred' | 'alternate' | 'fallback' | 'last-resort';

/** Places of members that may be chosen, by what the stage looks at. */
function eligible(health: PoolHealth, role: Role): number[] {
  const all = [0, 1, 2, 3, 4];
  switch (health) {
    case 'healthy':
      return all;
    case 'degraded':
      // A fallback mode does not look at health.
      return role === 'fallback' ? all : [1, 3, 4];
    case 'down':
      return role === 'fallback' ? all : [];
    case 'member-disabled':
      return [0, 2, 3, 4];
    default:
      return [];
  }
}

const TESTED = '/Common/tested';

function topologyRecord(address: string, score: number): TopologyRecord {
  const statement = (value: string) => ({ isNegated: false, kind: 'subnet', value }) as const;
  return {
    name: address,
    ldns: statement('198.51.0.0/16'),
    server: statement(`${address}/32`),
    score,
    order: 0,
  };
}

function description(wideIp: WideIp, pools: readonly GtmPool[]) {
  return describeGtm([wideIp], pools, {
    servers: MEMBERS.map(({ address }, place) => serverOf(`/Common/s${place}`, [address], `/Common/dc${place}`)),
    datacenters: MEMBERS.map((_, place) => ({ name: `/Common/dc${place}`, enabled: true })),
    topology: MEMBERS.map(({ address, score }) => topologyRecord(address, score)),
    settings: { qosFactors: FACTORS },
  });
}

/** Modes that nobody can be chosen by, because the rig does not measure what they go by. */
function unmeasured(mode: MemberMode): MemberMode {
  return mode === 'cpu' ? 'packet-rate' : 'cpu';
}

function rigOf(mode: MemberMode, role: Role, health: PoolHealth): WideIpRig {
  const members = MEMBERS.map(({ address, ratio }, order) =>
    memberOf(`/Common/s${order}:${address}`, order, { ratio }),
  );
  const modes = {
    preferred: { preferred: mode, alternate: 'none', fallback: 'return-to-dns' },
    alternate: { preferred: unmeasured(mode), alternate: mode, fallback: 'return-to-dns' },
    fallback: { preferred: unmeasured(mode), alternate: 'none', fallback: mode },
    'last-resort': { preferred: mode, alternate: 'none', fallback: 'return-to-dns' },
  } as const;
  const tested = poolOf('a', TESTED, health === 'empty' ? [] : members, {
    ...modes[role],
    qos: QOS,
    fallbackIp: Uint8Array.of(192, 0, 2, FALLBACK_ADDRESS),
  });
  const isLast = role === 'last-resort';
  const other = poolOf('a', '/Common/other', [], { preferred: 'round-robin', fallback: 'return-to-dns' });
  const lastResort = isLast ? ({ type: 'a', pool: TESTED } as const) : undefined;
  const wideIp = wideIpOf('a', NAME, isLast ? ['/Common/other'] : [TESTED], { lastResort });
  const rig = new WideIpRig(description(wideIp, isLast ? [tested, other] : [tested]));
  measure(rig, mode);
  setHealth(rig, health);
  return rig;
}

/** What the mode goes by, and nothing else. */
function measure(rig: WideIpRig, mode: MemberMode): void {
  const { index, writer } = rig;
  const words: Partial<Record<MemberMode, readonly [number, (member: Numbers) => number | undefined]>> = {
    cpu: [VirtualServerWord.cpu, ({ cost }) => cost],
    'kilobytes-per-second': [VirtualServerWord.kilobytesPerSecond, ({ cost }) => cost],
    'quality-of-service': [VirtualServerWord.kilobytesPerSecond, ({ cost }) => cost],
    'least-connections': [VirtualServerWord.connections, ({ cost }) => cost],
    'packet-rate': [VirtualServerWord.packetsPerSecond, ({ cost }) => cost],
    'virtual-server-capacity': [VirtualServerWord.capacity, ({ capacity }) => capacity],
    'virtual-server-score': [VirtualServerWord.score, ({ gain }) => gain],
  };
  const paths = new PathWords(writer);
  for (const { virtualServer } of index.members) {
    const entry = index.virtualServers[virtualServer]!;
    const numbers = MEMBERS.find(({ address }) => address === entry.virtualServer.name)!;
    const [word, value] = words[mode] ?? [];
    const measured = value?.(numbers);
    if (measured !== undefined) writer.set(virtualServer * VIRTUAL_SERVER_WORDS + word!, measured);
    const path = {
      'lowest-round-trip-time': { roundTripTime: numbers.cost },
      'fewest-hops': { hops: numbers.cost },
      'completion-rate': { completionRate: numbers.gain },
    }[mode as string];
    if (path === undefined) continue;
    const datacenter = index.datacenters.findIndex(({ name }) => name === entry.server.datacenter);
    const nothing = { roundTripTime: undefined, hops: undefined, completionRate: undefined };
    paths.set({ client: CLIENT, datacenter: entry.server.datacenter, expires: 2000, ...nothing, ...path }, datacenter);
  }
  writer.commit();
}

function setHealth(rig: WideIpRig, health: PoolHealth): void {
  if (health === 'degraded') for (const place of [0, 2]) rig.set(MEMBERS[place]!.address, Health.down);
  if (health === 'down') for (const { address } of MEMBERS) rig.set(address, Health.down);
  if (health === 'member-disabled') rig.set(MEMBERS[1].address, Health.disabled);
  if (health === 'disabled') {
    for (const { address } of MEMBERS) rig.set(address, Health.disabled);
    rig.disablePool(TESTED);
  }
}

type Answers = {
  /** By the last octet of the address. */
  readonly counts: Map<number, number>;
  /** How often there was no answer, by the verdict. */
  readonly verdicts: Map<WideIpVerdict, number>;
};

/** Asks for NAME, each time as the next one of so many clients. */
function ask(rig: WideIpRig, times: number, clients: number): Answers {
  const octets = queryOf({ name: NAME, type: 'A' });
  const query = new Query();
  readQuery(octets, 0, octets.length, query);
  const { reply, sender } = rig;
  const means = { writer: new MessageWriter(), limit: 1232, isStream: false };
  const counts = new Map<number, number>();
  const verdicts = new Map<WideIpVerdict, number>();
  for (let time = 0; time < times; time++) {
    sender.addresses[2] = 100 + ((time % clients) >>> 8);
    sender.addresses[3] = 7 + (time % clients);
    const verdict = rig.answerer.answer(query, reply, means, sender);
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
    if (verdict !== WideIpVerdict.answered) continue;
    assert.equal(reply.answers, 1);
    assert.equal(reply.tailOctets, RECORD_OCTETS);
    const last = reply.tail[reply.tailAt + RECORD_OCTETS - 1]!;
    counts.set(last, (counts.get(last) ?? 0) + 1);
  }
  return { counts, verdicts };
}

/** That the first answer of a rig is what was explained before. */
function expectExplained(rig: WideIpRig): void {
  const octets = queryOf({ name: NAME, type: 'A' });
  const query = new Query();
  readQuery(octets, 0, octets.length, query);
  const present = { memory: rig.memory, facts: newFacts(), persistence: rig.persistence, newRandom };
  const explained = explainWideIp(rig.compiled, present, query, rig.sender);
  const { counts, verdicts } = ask(rig, 1, 1);
  assert.deepEqual([...verdicts.keys()], [explained.verdict]);
  assert.deepEqual(
    [...counts.keys()].map((last) => `192.0.2.${last}`),
    explained.answers.map((line) => line.split(' ').at(-1)),
  );
}

function expectOnly({ verdicts }: Answers, verdict: WideIpVerdict): void {
  assert.deepEqual([...verdicts.keys()], [verdict]);
}

/** Shares to the last answer where no chance is in it. */
function expectShares({ counts }: Answers, weights: readonly number[], isByChance: boolean): void {
  const found = MEMBERS.map((_, place) => counts.get(place + 1) ?? 0);
  assert.equal(
    found.reduce((sum, count) => sum + count, 0),
    QUESTIONS,
  );
  if (isByChance) {
    assertShares(found, weights);
    return;
  }
  const parts = weights.reduce((sum, weight) => sum + weight, 0);
  for (const [place, count] of found.entries()) {
    const share = (QUESTIONS * weights[place]!) / parts;
    assert.ok(Math.abs(count - share) < 1, `${found.join(' ')} by ${weights.join(' ')}`);
  }
}

function check(mode: MemberMode, role: Role, health: PoolHealth): void {
  expectExplained(rigOf(mode, role, health));
  const answers = ask(rigOf(mode, role, health), QUESTIONS, mode === 'static-persistence' ? QUESTIONS : 1);
  const isReached = health !== 'disabled' && (health === 'empty' || health === 'down' ? role === 'fallback' : true);
  const definition = DEFINITIONS[mode];
  if (!isReached) {
    expectOnly(answers, WideIpVerdict.passed);
  } else if (mode === 'drop-packet') {
    expectOnly(answers, WideIpVerdict.dropped);
  } else if (mode === 'fallback-ip') {
    assert.deepEqual([...answers.counts], [[FALLBACK_ADDRESS, QUESTIONS]]);
  } else {
    const places = eligible(health, role);
    const shares = definition?.(places.map((place) => MEMBERS[place]!)) ?? [];
    if (shares.every((share) => share === 0)) {
      expectOnly(answers, WideIpVerdict.passed);
      return;
    }
    const weights = MEMBERS.map((_, place) => (places.includes(place) ? shares[places.indexOf(place)]! : 0));
    expectShares(answers, weights, BY_CHANCE.has(mode));
  }
}

const ROLES: readonly (readonly [Role, readonly MemberMode[]])[] = [
  ['preferred', MEMBER_MODES.filter((mode) => mode !== 'none')],
  ['alternate', ALTERNATE_MODES],
  ['fallback', MEMBER_MODES],
  ['last-resort', MEMBER_MODES.filter((mode) => mode !== 'none')],
];

for (const [role, modes] of ROLES) {
  describe(`answers by a mode as ${role}`, () => {
    for (const mode of modes) {
      it(mode, () => {
        for (const health of HEALTHS) check(mode, role, health);
      });
    }
  });
}

describe('answers by a mode of the wide IP', () => {
  const RATIOS = [1, 3, 0, 4];
  const SCORES = [4, 8, 8, 2];
  const names = RATIOS.map((_, place) => `/Common/p${place}`);

  /** Which pools may be chosen; the second is degraded where it says so. */
  const STATES = {
    healthy: { places: [0, 1, 2, 3] },
    degraded: { places: [0, 1, 2, 3] },
    'one down': { places: [0, 2, 3] },
    'one disabled': { places: [0, 2, 3] },
    'one empty': { places: [0, 2, 3] },
  } as const;
  type State = keyof typeof STATES;

  function poolsRig(mode: PoolMode, state: State): WideIpRig {
    const pools = names.map((name, place) => {
      const address = MEMBERS[place]!.address;
      const members = place === 1 && state === 'one empty' ? [] : [memberOf(`/Common/s${place}:${address}`, 0)];
      // A second member that is down leaves the pool as it is.
      if (place === 1 && state === 'degraded') members.push(memberOf('/Common/s4:192.0.2.5', 1));
      return poolOf('a', name, members, { preferred: 'global-availability', fallback: 'global-availability' });
    });
    const references = names.map((pool, order) => ({ pool, order, ratio: RATIOS[order]! }));
    const described = description(wideIpOf('a', NAME, [], { poolMode: mode, pools: references }), pools);
    const topology = MEMBERS.slice(0, 4).map(({ address }, place) => topologyRecord(address, SCORES[place]!));
    const rig = new WideIpRig({ ...described, topology });
    if (state === 'degraded') rig.set('192.0.2.5', Health.down);
    if (state === 'one down') rig.set('192.0.2.2', Health.down);
    if (state === 'one disabled') rig.disablePool('/Common/p1');
    return rig;
  }

  const shares: Record<PoolMode, (places: readonly number[]) => number[]> = {
    'round-robin': (places) => places.map(() => 1),
    ratio: (places) => places.map((place) => RATIOS[place]!),
    'global-availability': (places) => places.map((_, index) => (index === 0 ? 1 : 0)),
    topology: (places) => {
      const highest = Math.max(...places.map((place) => SCORES[place]!));
      return places.map((place) => (SCORES[place] === highest ? 1 : 0));
    },
  };

  function weightsOf(mode: PoolMode, state: State): number[] {
    const places: readonly number[] = STATES[state].places;
    const of = shares[mode](places);
    return MEMBERS.map((_, place) => of[places.indexOf(place)] ?? 0);
  }

  for (const mode of POOL_MODES) {
    it(mode, () => {
      for (const state of Object.keys(STATES) as State[]) {
        expectExplained(poolsRig(mode, state));
        expectShares(ask(poolsRig(mode, state), QUESTIONS, 1), weightsOf(mode, state), mode === 'ratio');
      }
    });

    it(`${mode}, when no pool is available: by fallback modes of those that are enabled`, () => {
      for (const state of ['healthy', 'one disabled'] as const) {
        const rig = poolsRig(mode, state);
        for (const { address } of MEMBERS) rig.set(address, Health.down);
        expectShares(ask(rig, QUESTIONS, 1), weightsOf(mode, state), mode === 'ratio');
        assert.equal(rig.counted(NAME).fallback, QUESTIONS);
      }
    });
  }
});
