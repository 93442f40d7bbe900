// Whether a zone is sound: it can be served with no error, as named-checkzone of BIND 9.18 has it. What is questionable is a
// warning.
//
// Not looked at: names of hosts (RFC 952), names out of the zone, signatures.

import { formatName, isSubdomain, isWildcard, sameName } from './name.ts';
import { HAS, OwnerTree, type Lookup } from './owner-tree.ts';
import { PackedSets } from './packed-sets.ts';
import { packSets } from './record-collector.ts';
import { TYPE, recordType, targetOf, typeName } from './record-types.ts';
import type { DomainName, RecordSet, Zone } from './record.ts';
import type { ZoneProblem } from './zone-problem.ts';

export type SetProblem = Pick<ZoneProblem, 'severity' | 'text'> & {
  /** Index of the set in the zone; none where something is missing. */
  readonly set?: number;
};

/** Types whose records lead to a host. */
const LEADS_TO_HOST: readonly number[] = [TYPE.NS, TYPE.MX, TYPE.SRV];
/** RFC 7505, RFC 2782: there is no such service. */
const NO_HOST = 1;

/** What is wrong with a zone, one after the other; a large zone may have as many problems as sets. */
export function* checkZone(zone: Zone): Generator<SetProblem, undefined> {
  const sets = zone.sets instanceof PackedSets ? zone.sets : packSets(zone.sets);
  const { origin } = zone;
  const tree = new OwnerTree(origin, sets);
  let hasSoa = false;
  let hasServers = false;
  let hasDname = false;
  for (let index = 0; index < sets.length; index++) {
    const start = sets.starts[index]!;
    const header = sets.headerOf(index);
    const type = sets.typeAt(header);
    if (type === TYPE.DNAME) hasDname = true;
    if (type === TYPE.SOA || type === TYPE.NS) {
      const isApex = sameName(sets.octets, origin, start);
      if (isApex && type === TYPE.SOA) hasSoa = true;
      if (isApex && type === TYPE.NS) hasServers = true;
    }
    if (!isPlain(type, tree, sets, start)) {
      for (const problem of checkSet(sets.at(index)!, origin, tree)) yield { ...problem, set: index };
    }
  }
  if (!hasSoa) yield { severity: 'error', text: `${formatName(origin)} has no SOA` };
  if (!hasServers) yield { severity: 'error', text: `${formatName(origin)} has no NS` };
  if (hasDname) yield* checkBelowDname(sets, tree);
  return undefined;
}

/** Whether nothing can be wrong: addresses and texts of an owner without a CNAME. Most of a large zone. */
function isPlain(type: number, tree: OwnerTree, sets: PackedSets, start: number): boolean {
  if (type !== TYPE.A && type !== TYPE.AAAA && type !== TYPE.TXT && type !== TYPE.PTR) return false;
  return (tree.has(sets.octets, start) & HAS.cname) === 0;
}

function* checkSet(set: RecordSet, origin: DomainName, tree: OwnerTree): Generator<SetProblem> {
  const { owner, type, data } = set;
  const what = `${formatName(owner)} ${typeName(type)}`;
  const isApex = owner.length === origin.length;
  const known = recordType(type);
  if (!isSubdomain(owner, origin)) {
    yield { severity: 'error', text: `${what}: not in the zone ${formatName(origin)}` };
    return;
  }
  if (type === TYPE.SOA && !isApex) yield { severity: 'error', text: `${what}: an SOA stands at the origin alone` };
  if (type === TYPE.DS && isApex) yield { severity: 'error', text: `${what}: a DS stands in the zone above` };
  if (known?.isSingle === true && data.length > 1) yield { severity: 'error', text: `${what}: there can be one only` };
  if (type === TYPE.NS && isWildcard(owner))
    yield { severity: 'error', text: `${what}: a wildcard cannot have servers` };
  if (type === TYPE.CNAME && (tree.has(owner) & HAS.other) !== 0) {
    yield { severity: 'error', text: `${what}: other records of the name beside a CNAME` };
  }
  // Below a delegation it is another zone's affair.
  if (LEADS_TO_HOST.includes(type) && tree.cutAbove(owner) === undefined) {
    for (const rdata of data) yield* checkTarget(what, type, owner, isApex, targetOf(type, rdata), origin, tree);
  }
}

function* checkTarget(
  what: string,
  type: number,
  owner: DomainName,
  isApex: boolean,
  target: DomainName,
  origin: DomainName,
  tree: OwnerTree,
): Generator<SetProblem> {
  if (!isSubdomain(target, origin) || (target.length === NO_HOST && type !== TYPE.NS)) return;
  // Without these the zone itself cannot be found.
  const severity = type === TYPE.NS && isApex ? 'error' : 'warning';
  const wrong = complaint(tree.lookup(target));
  if (wrong !== undefined) yield { severity, text: `${what}: ${formatName(target)} ${wrong}` };
  const isGlue = type === TYPE.NS && !isApex && isSubdomain(target, owner);
  if (isGlue && (tree.has(target) & HAS.address) === 0) {
    yield { severity: 'warning', text: `${what}: ${formatName(target)} needs an address (glue) and has none` };
  }
}

function complaint(found: Lookup): string | undefined {
  if (found === 'nothing') return 'has no address';
  if (found === 'cname') return 'is a CNAME';
  return found === 'dname' ? 'is below a DNAME' : undefined;
}

/** RFC 6672, section 2.4: no names below; BIND serves such a zone, and never finds them. */
function* checkBelowDname(sets: PackedSets, tree: OwnerTree): Generator<SetProblem> {
  for (let index = 0; index < sets.length; index++) {
    const owner = sets.octets.subarray(sets.starts[index], sets.headerOf(index));
    if (tree.cutAbove(owner) === 'dname') {
      yield { severity: 'warning', text: `${formatName(owner)} is below a DNAME and never found`, set: index };
    }
  }
}
