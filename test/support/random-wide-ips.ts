// Random wide IPs for property tests, small enough that names meet, chains close and nothing is often left.

import {
  type GtmPool,
  MEMBER_MODES,
  type MemberMode,
  POOL_MODES,
  type PoolMember,
  WIDE_IP_TYPES,
  type WideIp,
  type WideIpPool,
  type WideIpType,
} from '../../src/gtm/description.ts';
import type { Random } from '../fuzz/mutator.ts';
import { memberOf, poolOf, wideIpOf } from './wide-ips.ts';

const LABELS = ['a', 'b', 'www', 'w1', 'x'];
const SUFFIXES = ['test', 'b.test', 'example', 'a.example'];
const PATTERN_LABELS = ['*', '?', 'w*', '*w', 'w?', 'a*b', '*.b', '?.*'];
const POOLS_OF_A_TYPE = 3;

export type RandomWideIps = { readonly wideIps: readonly WideIp[]; readonly pools: readonly GtmPool[] };

/** Which modes a description may have. */
export type RandomModes = {
  readonly pool: readonly (typeof POOL_MODES)[number][];
  readonly preferred: readonly MemberMode[];
  readonly fallback: readonly MemberMode[];
};

export const ALL_MODES: RandomModes = {
  pool: POOL_MODES,
  preferred: MEMBER_MODES.filter((mode) => mode !== 'none'),
  fallback: MEMBER_MODES,
};

/** A name that wide IPs may have, or that is near one. */
export function randomName(random: Random): string {
  const labels = Array.from({ length: random.below(3) }, () => random.pick(LABELS));
  return [...labels, random.pick(SUFFIXES)].join('.');
}

function randomDomain(random: Random): string {
  if (random.chance(75)) return randomName(random);
  return `${random.pick(PATTERN_LABELS)}.${random.pick(SUFFIXES)}`;
}

export function randomWideIps(random: Random, modes: RandomModes): RandomWideIps {
  const pools = WIDE_IP_TYPES.flatMap((type) =>
    Array.from({ length: POOLS_OF_A_TYPE }, (_, number) => randomPool(random, type, `/Common/${type}${number}`, modes)),
  );
  const wideIps = new Map<string, WideIp>();
  for (let count = 0; count < 12; count++) {
    const type = random.pick(WIDE_IP_TYPES);
    const domain = randomDomain(random);
    wideIps.set(`${type} ${domain}`, randomWideIp(random, type, domain, modes));
  }
  return { wideIps: [...wideIps.values()], pools };
}

function randomWideIp(random: Random, type: WideIpType, domain: string, modes: RandomModes): WideIp {
  const references = (of: WideIpType): WideIpPool[] =>
    Array.from({ length: POOLS_OF_A_TYPE }, (_, number) => number)
      .filter(() => random.chance(50))
      .map((number) => ({ pool: `/Common/${of}${number}`, order: random.below(4), ratio: random.below(3) }))
      .sort((a, b) => a.order - b.order);
  const last = random.chance(25) ? 'cname' : type;
  return wideIpOf(type, domain, [], {
    aliases: Array.from({ length: random.below(3) }, () => randomDomain(random)),
    poolMode: random.pick(modes.pool),
    pools: references(type),
    cnamePools: type !== 'cname' && random.chance(40) ? references('cname') : [],
    lastResort: random.chance(40) ? { type: last, pool: `/Common/${last}${random.below(POOLS_OF_A_TYPE)}` } : undefined,
    failure: random.chance(40) ? { rcode: random.pick([0, 2, 3, 5]), ttl: random.pick([0, 60]) } : undefined,
  });
}

function randomPool(random: Random, type: WideIpType, name: string, modes: RandomModes): GtmPool {
  const count = random.below(4);
  const all = Array.from({ length: count }, (_, place) => randomMember(random, type, name, place));
  const members = all.filter((member, place) => all.findIndex((other) => other.name === member.name) === place);
  return poolOf(type, name, members, {
    preferred: random.pick(modes.preferred),
    alternate: random.pick(modes.fallback),
    fallback: random.pick(modes.fallback),
    fallbackIp: random.chance(50) ? Uint8Array.of(203, 0, 113, random.below(9)) : undefined,
    maxAnswersReturned: 1 + random.below(3),
    ttl: random.below(100),
    dynamicRatio: random.chance(30),
  });
}

function randomMember(random: Random, type: WideIpType, pool: string, order: number): PoolMember {
  const number = Number(pool.at(-1)) * 10 + order;
  if (type === 'a') return memberOf(`/Common/s:192.0.2.${number}`, order);
  if (type === 'aaaa') return memberOf(`/Common/s:2001:db8:1:1:1:1:1:${number}`, order);
  const name = `${random.chance(30) ? `n${number}.` : ''}${randomName(random)}`;
  return memberOf(order % 2 === 0 ? name : `${name}.`, order, { isStatic: random.chance(20), priority: number });
}
