// Random wide IPs with random health: what is answered is what the rules say, written down a second time.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { GtmPool, PoolMember, WideIp } from '../../src/gtm/description.ts';
import { Random } from '../fuzz/mutator.ts';
import { randomName, randomWideIps, type RandomModes } from '../support/random-wide-ips.ts';
import { SlowWideIps, type SlowState } from '../support/slow-wide-ips.ts';
import { describeGtm, Health, WideIpRig } from '../support/wide-ips.ts';

const SEED = 20_261_130;
const ROUNDS = 400;
const QUESTIONS = 60;
const TYPES = ['A', 'AAAA', 'CNAME', 'MX', 'NAPTR', 'SRV', 'TXT', 'ANY'] as const;
const ENDS = ['return-to-dns', 'drop-packet', 'fallback-ip'] as const;
const MODES: RandomModes = {
  pool: ['global-availability'],
  // By what nobody has measured now and then: then the next mode has to do.
  preferred: [...Array.from({ length: 12 }, () => 'global-availability' as const), 'cpu', 'fewest-hops', ...ENDS],
  fallback: [...Array.from({ length: 4 }, () => 'global-availability' as const), 'none', 'packet-rate', ...ENDS],
};

function randomState(random: Random, wideIps: readonly WideIp[], pools: readonly GtmPool[]): SlowState {
  const up = random.pick([10, 50, 90]);
  const state = (): 'up' | 'down' | 'off' => (random.chance(up) ? 'up' : random.chance(60) ? 'down' : 'off');
  return {
    health: new Map(
      pools.map((pool) => [
        pool,
        new Map(pool.members.map((member): [PoolMember, ReturnType<typeof state>] => [member, state()])),
      ]),
    ),
    disabledPools: new Set(pools.filter(() => random.chance(10))),
    disabledWideIps: new Set(wideIps.filter(() => random.chance(10))),
  };
}

const BITS = { up: Health.up, down: Health.down, off: 0 } as const;

function apply({ health, disabledPools, disabledWideIps }: SlowState, rig: WideIpRig): void {
  for (const [pool, members] of health) {
    for (const [member, state] of members) rig.set(member.name, BITS[state], pool.name);
  }
  for (const { name } of disabledPools) rig.disablePool(name);
  for (const wideIp of disabledWideIps) rig.disableWideIp(wideIp);
}

it('a random wide IP answers as the rules say', () => {
  const random = new Random(SEED);
  const seen = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    const { wideIps, pools } = randomWideIps(random, MODES);
    const rig = new WideIpRig(describeGtm(wideIps, pools));
    const state = randomState(random, wideIps, pools);
    apply(state, rig);
    const slow = new SlowWideIps(wideIps, pools, state);
    for (let count = 0; count < QUESTIONS; count++) {
      const name = random.chance(50)
        ? random.pick(wideIps).domain.replace(/\*/g, 'b').replace(/\?/g, 'a')
        : randomName(random);
      const type = random.pick(TYPES);
      const expected = slow.answer(name, type);
      assert.deepEqual(rig.ask(name, type, 65_535), expected, `round ${round}: ${name} ${type}`);
      const kind = `${expected[0]!}${expected.length > 2 ? ' several' : ''}`;
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
    }
  }
  for (const kind of ['none', 'passed', 'dropped', 'NOERROR aa', 'NOERROR aa several', 'NXDOMAIN aa', 'REFUSED aa']) {
    assert.ok((seen.get(kind) ?? 0) > 100, `${kind}: ${seen.get(kind)}`);
  }
});
