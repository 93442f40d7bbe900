// Who probes for whom: the same order on every machine, by preference, fallback and pools.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import {
  type ProberPool,
  type ProberRanking,
  type ProberServer,
  rankProbers,
} from '../../../src/health/prober-election.ts';

const server = (name: string, datacenter: string, rest: Partial<ProberServer> = {}): ProberServer => ({
  ...{ name, datacenter, isProber: true, preference: 'inside-datacenter', fallback: 'any-available' },
  ...{ preferredPool: undefined, fallbackPool: undefined },
  ...rest,
});
const host = (name: string, datacenter: string, rest: Partial<ProberServer> = {}): ProberServer =>
  server(name, datacenter, { isProber: false, ...rest });
const pool = (members: readonly string[], rest: Partial<ProberPool> = {}): ProberPool => ({
  ...{ name: 'pool', isEnabled: true, mode: 'global-availability', members },
  ...rest,
});

const PROBERS = [server('e1', 'east'), server('e2', 'east'), server('w1', 'west'), server('w2', 'west')];
const rank = (target: ProberServer, pools: readonly ProberPool[] = [], others = PROBERS): ProberRanking =>
  rankProbers({ servers: [...others, target], pools }).get(target.name)!;
const names = ({ candidates }: ProberRanking): string[] => candidates.map(({ server: name }) => name);
const sorted = (list: readonly string[]): string => [...list].sort().join(' ');

const CASES: readonly {
  readonly says: Partial<ProberServer>;
  readonly pools?: readonly ProberPool[];
  /** Those of the preference, and behind them those of the fallback, in any order. */
  readonly preferred: string;
  readonly others: string;
  readonly endsHere: boolean;
}[] = [
  { says: {}, preferred: 'e1 e2', others: 'w1 w2', endsHere: true },
  { says: { preference: 'outside-datacenter' }, preferred: 'w1 w2', others: 'e1 e2', endsHere: true },
  { says: { fallback: 'none' }, preferred: 'e1 e2', others: '', endsHere: false },
  { says: { fallback: 'outside-datacenter' }, preferred: 'e1 e2', others: 'w1 w2', endsHere: false },
  {
    says: { preference: 'outside-datacenter', fallback: 'inside-datacenter' },
    ...{ preferred: 'w1 w2', others: 'e1 e2', endsHere: false },
  },
  {
    says: { preference: 'pool', preferredPool: 'pool', fallback: 'none' },
    ...{ pools: [pool(['w2', 'e1'])], preferred: 'e1 w2', others: '', endsHere: false },
  },
  {
    says: { preference: 'pool', preferredPool: 'pool' },
    ...{ pools: [pool(['w2'], { isEnabled: false })], preferred: '', others: 'e1 e2 w1 w2', endsHere: true },
  },
  {
    says: { fallback: 'pool', fallbackPool: 'pool' },
    ...{ pools: [pool(['w1', 'gone', 'e1'])], preferred: 'e1 e2', others: 'w1', endsHere: false },
  },
];

for (const { says, pools, preferred, others, endsHere } of CASES) {
  it(`${JSON.stringify(says)}: first ${preferred || 'nobody'}, then ${others || 'nobody'}`, () => {
    const ranking = rank(host('target', 'east', says), pools);
    const first = ranking.candidates.filter(({ why }) => why.startsWith('prober-preference'));
    assert.equal(sorted(first.map(({ server: name }) => name)), preferred);
    assert.equal(sorted(names(ranking).slice(first.length)), others);
    assert.equal(ranking.endsHere, endsHere);
  });
}

it('a pool goes by its order, or by turns, which differ from target to target and are the same everywhere', () => {
  const by = { preference: 'pool', preferredPool: 'pool', fallback: 'none' } as const;
  assert.deepEqual(names(rank(host('target', 'east', by), [pool(['w2', 'e1'])])), ['w2', 'e1']);
  const targets = ['t1', 't2', 't3', 't4'].map((name) => host(name, 'east', by));
  const turns = pool(['e1', 'w1', 'w2'], { mode: 'round-robin' });
  const orders = (servers: readonly ProberServer[]): string[] => {
    const all = rankProbers({ servers, pools: [turns] });
    return targets.map(({ name }) => names(all.get(name)!).join(' '));
  };
  const expected = ['e1 w1 w2', 'w1 w2 e1', 'w2 e1 w1', 'e1 w1 w2'];
  assert.deepEqual(orders([...PROBERS, ...targets]), expected);
  assert.deepEqual(orders([...targets].reverse().concat(PROBERS)), expected);
});

it('every prober of a datacenter has its share, and keeps it when another goes', () => {
  const targets = Array.from({ length: 400 }, (_, number) => host(`/Common/t${number}`, 'east'));
  const probers = ['a', 'b', 'c', 'd'].map((name) => server(`/Common/${name}`, 'east'));
  const first = (some: readonly ProberServer[]): string[] => {
    const all = rankProbers({ servers: [...some, ...targets], pools: [] });
    return targets.map(({ name }) => names(all.get(name)!)[0]!);
  };
  const before = first(probers);
  for (const { name } of probers) {
    const share = before.filter((each) => each === name).length;
    assert.ok(share > 60 && share < 140, `${name} probes ${share} of 400`);
  }
  const after = first(probers.slice(1));
  before.forEach((prober, at) => {
    if (prober !== '/Common/a') assert.equal(after[at], prober);
  });
});
