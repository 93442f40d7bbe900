// In which order topology records are looked at (docs/decisions/topology.md).

import type { TopologyKind, TopologyRecord, TopologyStatement } from './description.ts';
import { parsePrefix } from '../core/address.ts';

/** The more specific kinds first; kinds of one rank are as good as each other. */
const RANKS: Readonly<Record<TopologyKind, number>> = {
  subnet: 0,
  datacenter: 1,
  pool: 1,
  region: 2,
  isp: 3,
  'geoip-isp': 3,
  state: 4,
  country: 5,
  continent: 6,
};
const RANK_STEP = 256;

/** Which records are looked at before all others, whatever else they say. */
const Bucket = { plain: 0, serverNegated: 1, ldnsNegated: 2, wildcard: 3 } as const;

type Ranked = {
  readonly record: TopologyRecord;
  readonly position: number;
  readonly bucket: number;
  readonly ldns: number;
  readonly server: number;
};

/** Of a subnet as it is written; a mask may be written out. */
function bitsOf(value: string): number {
  const bits = Number(value.slice(value.indexOf('/') + 1));
  return Number.isInteger(bits) ? bits : (parsePrefix(value)?.length ?? 0);
}

/** The lower, the more specific: by kind, subnets by their masks. */
function rankOf({ kind, value }: TopologyStatement): number {
  return RANKS[kind] * RANK_STEP - (kind === 'subnet' ? bitsOf(value) : 0);
}

function isWildcard({ kind, value, isNegated }: TopologyStatement): boolean {
  return kind === 'subnet' && !isNegated && bitsOf(value) === 0;
}

function bucketOf({ ldns, server }: TopologyRecord): number {
  if (isWildcard(ldns) || isWildcard(server)) return Bucket.wildcard;
  if (ldns.isNegated) return Bucket.ldnsNegated;
  return server.isNegated ? Bucket.serverNegated : Bucket.plain;
}

function byLongestMatch(a: Ranked, b: Ranked): number {
  return (
    a.bucket - b.bucket || a.ldns - b.ldns || a.server - b.server || b.record.score - a.record.score || byOrder(a, b)
  );
}

function byOrder(a: Ranked, b: Ranked): number {
  return a.record.order - b.record.order || a.position - b.position;
}

/** Records as they are looked at: the first that matches counts. */
export function sortTopology(records: readonly TopologyRecord[], longestMatch: boolean): TopologyRecord[] {
  const ranked = records.map((record, position) => ({
    record,
    position,
    bucket: bucketOf(record),
    ldns: rankOf(record.ldns),
    server: rankOf(record.server),
  }));
  return ranked.sort(longestMatch ? byLongestMatch : byOrder).map(({ record }) => record);
}
