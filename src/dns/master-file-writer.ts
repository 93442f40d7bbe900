// Prints a zone as a master file that BIND takes and that reads back to the same zone: SOA, servers of the zone, then canonical
// order (RFC 4034, section 6.1), types by their numbers, records as their canonical form orders them (section 6.3).

import { compareNames, formatName, formatRelativeName, sameName } from './name.ts';
import { PackedSets } from './packed-sets.ts';
import { packSets } from './record-collector.ts';
import { TYPE, hasNames, lowerRdata, printRdata, typeName } from './record-types.ts';
import type { DomainName, RecordSet, Zone } from './record.ts';

const MAX_TTL = 0x7fff_ffff;

/** Line by line, each with its end. */
export function* printZone(zone: Zone): Generator<string, undefined> {
  yield `$ORIGIN ${formatName(zone.origin)}\n`;
  const sets = zone.sets instanceof PackedSets ? zone.sets : packSets(zone.sets);
  for (const index of orderOfSets(zone.origin, sets)) yield* printSet(sets.at(index)!, zone.origin);
  return undefined;
}

function* printSet(set: RecordSet, origin: DomainName): Generator<string> {
  const lead = `${formatRelativeName(set.owner, origin)} ${Math.min(set.ttl, MAX_TTL)} IN ${typeName(set.type)} `;
  for (const rdata of inCanonicalOrder(set)) yield `${lead}${printRdata(set.type, rdata)}\n`;
}

/** Indices of the sets as they are printed. */
function orderOfSets(origin: DomainName, sets: PackedSets): Uint32Array {
  const { octets, starts } = sets;
  const types = new Uint16Array(sets.length);
  // SOA and NS of the origin come before all.
  const ranks = new Uint8Array(sets.length).fill(2);
  for (let index = 0; index < sets.length; index++) {
    const type = sets.typeAt(sets.headerOf(index));
    types[index] = type;
    if ((type === TYPE.SOA || type === TYPE.NS) && sameName(octets, origin, starts[index])) {
      ranks[index] = type === TYPE.SOA ? 0 : 1;
    }
  }
  return new Uint32Array(types.keys()).sort(
    (a, b) => ranks[a]! - ranks[b]! || compareNames(octets, octets, starts[a], starts[b]) || types[a]! - types[b]!,
  );
}

function inCanonicalOrder({ type, data }: RecordSet): readonly Uint8Array[] {
  if (data.length === 1) return data;
  const keys = new Map(data.map((rdata) => [rdata, canonicalRdata(type, rdata)]));
  return [...data].sort((a, b) => compareOctets(keys.get(a)!, keys.get(b)!));
}

function canonicalRdata(type: number, rdata: Uint8Array): Uint8Array {
  if (!hasNames(type)) return rdata;
  const canonical = rdata.slice();
  lowerRdata(type, canonical, 0, canonical.length);
  return canonical;
}

function compareOctets(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
