// The numbers of objects, in the order in which `tables.ts` has them.

import type { TargetFinder } from './compile-targets.ts';
import {
  DECISIONS,
  type GtmPool,
  MEMBER_MODES,
  type MemberMode,
  POOL_MODES,
  type QosWeights,
  WIDE_IP_TYPES,
  type WideIp,
} from './description.ts';
import { ObjectKey } from './object-key.ts';
import { type OctetStore, sharedWords } from './octet-store.ts';
import { renderAddress, renderFailure, renderName } from './render-records.ts';
import {
  type GtmIndex,
  MEMBER_NUMBERS,
  MemberField,
  POOL_NUMBERS,
  type PoolEntry,
  PoolField,
  PoolFlag,
  REFERENCE_NUMBERS,
  ReferenceField,
  WIDE_IP_NUMBERS,
  type WideIpEntry,
  WideIpField,
  WideIpFlag,
  QUALITIES,
} from './tables.ts';
import type { TopologySubjects } from './topology-subjects.ts';

/** What tables are made from, and where records and subjects of topology go meanwhile. */
export type Parts = { readonly index: GtmIndex; readonly octets: OctetStore; readonly subjects: TopologySubjects };

const MODES = new Map<MemberMode, number>(MEMBER_MODES.map((mode, number) => [mode, number]));
const TYPES = new Map(WIDE_IP_TYPES.map((type, number) => [type, number]));
const key = new ObjectKey();

export function packWideIps({ index, octets }: Parts): Int32Array {
  const numbers = sharedWords(index.wideIps.length * WIDE_IP_NUMBERS);
  const nameserver = index.description.settings.wideIpZoneNameserver;
  let firstReference = 0;
  for (const [number, { wideIp, application, pools, lastResort }] of index.wideIps.entries()) {
    const base = number * WIDE_IP_NUMBERS;
    numbers[base + WideIpField.type] = TYPES.get(wideIp.type)!;
    numbers[base + WideIpField.poolMode] = POOL_MODES.indexOf(wideIp.poolMode);
    numbers[base + WideIpField.firstReference] = firstReference;
    numbers[base + WideIpField.references] = pools.length;
    firstReference += pools.length;
    numbers[base + WideIpField.lastResort] = lastResort;
    numbers[base + WideIpField.flags] = flagsOf(wideIp);
    // A wide IP's own persistence goes before that of its application.
    const persistence = wideIp.persistence ?? application?.persistence;
    numbers[base + WideIpField.persistIpv4Bits] = persistence?.ipv4Bits ?? 0;
    numbers[base + WideIpField.persistIpv6Bits] = persistence?.ipv6Bits ?? 0;
    numbers[base + WideIpField.persistTtl] = persistence?.ttl ?? 0;
    key.start(wideIp.type).add(wideIp.name);
    numbers[base + WideIpField.key] = key.first;
    numbers[base + WideIpField.keyMore] = key.second;
    numbers[base + WideIpField.logs] = wideIp.logs.reduce((bits, log) => bits | (1 << DECISIONS.indexOf(log)), 0);
    const { failure } = wideIp;
    if (failure === undefined) continue;
    numbers[base + WideIpField.failureRcode] = failure.rcode;
    numbers[base + WideIpField.failureTtl] = failure.ttl;
    if (failure.ttl === 0) continue;
    const record = renderFailure(failure, nameserver);
    numbers[base + WideIpField.failureAt] = octets.add(record);
    numbers[base + WideIpField.failureOctets] = record.length;
  }
  return numbers;
}

function flagsOf({ minimalResponse, prefersClientSubnet, failure }: WideIp): number {
  return (
    (minimalResponse ? WideIpFlag.minimalResponse : 0) |
    (prefersClientSubnet ? WideIpFlag.prefersClientSubnet : 0) |
    (failure === undefined ? 0 : WideIpFlag.repliesWithFailure)
  );
}

/** `ratios`: of each wide IP, beside its pools. */
export function packReferences({ index, subjects }: Parts, ratios: readonly (readonly number[])[]): Int32Array {
  let count = 0;
  for (const own of ratios) count += own.length;
  const numbers = sharedWords(count * REFERENCE_NUMBERS);
  let base = 0;
  for (const [number, { wideIp, pools }] of index.wideIps.entries()) {
    for (const [place, pool] of pools.entries()) {
      numbers[base + ReferenceField.pool] = pool;
      numbers[base + ReferenceField.ratio] = ratios[number]![place]!;
      numbers[base + ReferenceField.subject] = wideIp.poolMode === 'topology' ? subjects.ofPool(pool) : 0;
      base += REFERENCE_NUMBERS;
    }
  }
  return numbers;
}

export function packPools({ index, octets }: Parts): Int32Array {
  const numbers = sharedWords(index.pools.length * POOL_NUMBERS);
  for (const [number, { pool, firstMember, members }] of index.pools.entries()) {
    const base = number * POOL_NUMBERS;
    numbers[base + PoolField.type] = TYPES.get(pool.type)!;
    numbers[base + PoolField.preferred] = MODES.get(pool.preferred)!;
    numbers[base + PoolField.alternate] = MODES.get(pool.alternate)!;
    numbers[base + PoolField.fallback] = MODES.get(pool.fallback)!;
    numbers[base + PoolField.firstMember] = firstMember;
    numbers[base + PoolField.members] = members;
    numbers[base + PoolField.ttl] = pool.ttl;
    // An owner has one CNAME (RFC 2181, section 10.1).
    numbers[base + PoolField.maxAnswers] = pool.type === 'cname' ? 1 : Math.max(1, pool.maxAnswersReturned);
    numbers[base + PoolField.flags] = pool.dynamicRatio ? PoolFlag.dynamicRatio : 0;
    numbers[base + PoolField.qos] = QUALITIES.length * (number + 1);
    const record = fallbackRecord(pool);
    if (record === undefined) continue;
    numbers[base + PoolField.fallbackAt] = octets.add(record);
    numbers[base + PoolField.fallbackOctets] = record.length;
  }
  return numbers;
}

function fallbackRecord({ type, fallbackIp, ttl }: GtmPool): Uint8Array | undefined {
  const fits = fallbackIp?.length === (type === 'a' ? 4 : type === 'aaaa' ? 16 : 0);
  return fallbackIp !== undefined && fits ? renderAddress(fallbackIp, ttl) : undefined;
}

export function packMembers({ index, octets, subjects }: Parts, targets: TargetFinder): Int32Array {
  const numbers = sharedWords(index.members.length * MEMBER_NUMBERS);
  const datacenters = new Map(index.datacenters.map(({ name }, number) => [name, number]));
  for (const { pool, firstMember, members } of index.pools) {
    key.start(pool.type).add(pool.name);
    const { first, second } = key;
    for (let number = firstMember; number < firstMember + members; number++) {
      const { member, virtualServer } = index.members[number]!;
      const base = number * MEMBER_NUMBERS;
      const found = index.virtualServers[virtualServer];
      numbers[base + MemberField.virtualServer] = virtualServer;
      numbers[base + MemberField.ratio] = member.ratio;
      numbers[base + MemberField.datacenter] =
        found === undefined ? -1 : (datacenters.get(found.server.datacenter) ?? -1);
      numbers[base + MemberField.subject] = subjects.ofMember(number);
      numbers[base + MemberField.target] = targets.rowOf(pool.type, member);
      key.continue(first, second).add(member.name);
      numbers[base + MemberField.key] = key.first;
      numbers[base + MemberField.keyMore] = key.second;
      const record =
        found === undefined ? renderName(pool, member) : renderAddress(found.virtualServer.address, pool.ttl);
      if (record === undefined) continue;
      numbers[base + MemberField.recordAt] = octets.add(record);
      numbers[base + MemberField.recordOctets] = record.length;
    }
  }
  return numbers;
}

/** Open addressing by MemberField.key. */
export function packMemberSlots(members: Int32Array): Int32Array {
  const count = members.length / MEMBER_NUMBERS;
  let size = 2;
  while (size < 2 * count) size *= 2;
  const slots = sharedWords(size);
  for (let member = 0; member < count; member++) {
    let slot = members[member * MEMBER_NUMBERS + MemberField.key]! & (size - 1);
    while (slots[slot] !== 0) slot = (slot + 1) & (size - 1);
    slots[slot] = member + 1;
  }
  return slots;
}

/** The factors, and then the weights of each pool. */
export function packQos({ description, pools }: GtmIndex): Float64Array {
  const numbers = new Float64Array(new SharedArrayBuffer(8 * QUALITIES.length * (pools.length + 1)));
  let at = 0;
  const add = (weights: QosWeights): void => {
    for (const quality of QUALITIES) numbers[at++] = weights[quality];
  };
  add(description.settings.qosFactors);
  for (const { pool } of pools) add(pool.qos);
  return numbers;
}

/** For each entry the number that the one of the same name had, or -1. */
function carried<Entry>(
  entries: readonly Entry[],
  previous: readonly Entry[] | undefined,
  nameOf: (entry: Entry) => string,
): Int32Array {
  const numbers = sharedWords(entries.length).fill(-1);
  if (previous === undefined) return numbers;
  const before = new Map(previous.map((entry, number) => [nameOf(entry), number]));
  for (const [number, entry] of entries.entries()) numbers[number] = before.get(nameOf(entry)) ?? -1;
  return numbers;
}

export function carriedPools({ pools }: GtmIndex, previous: GtmIndex | undefined): Int32Array {
  const nameOf = ({ pool, application }: PoolEntry): string => `${pool.type} ${pool.name} ${application?.name ?? ''}`;
  return carried(pools, previous?.pools, nameOf);
}

export function carriedWideIps({ wideIps }: GtmIndex, previous: GtmIndex | undefined): Int32Array {
  return carried(wideIps, previous?.wideIps, ({ wideIp }: WideIpEntry) => `${wideIp.type} ${wideIp.name}`);
}
