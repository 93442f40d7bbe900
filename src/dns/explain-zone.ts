// Why a zone answers as it does, step by step as RFC 1034, section 4.3.2, has it: from the origin down to the name, alias after alias.
// It reads the same table as `zone-answer.ts` and shares none of its short cuts, so that one is a check on the other.

import { hashName } from './name-hash.ts';
import { formatName, MAX_LABELS, MAX_NAME_OCTETS, suffixOffsets } from './name.ts';
import { Rcode } from './query.ts';
import { TYPE, typeName } from './record-types.ts';
import type { DomainName } from './record.ts';
import { expandData } from './rendered-data.ts';
import { MAX_ALIASES } from './zone-answer.ts';
import { findName, findSet, NODE_NUMBERS, NodeField, SET_NUMBERS, SetField, type ZoneTable } from './zone-table.ts';

/** What the reply to a question has in its header. */
export type ZoneVerdict = { rcode: number; isAuthoritative: boolean; answers: number };

/** Where a name leads; `node`: the name's, the cut's, the DNAME's, or that of the closest encloser of a name that is absent. */
type Place = { readonly what: 'name' | 'referral' | 'dname' | 'absent'; readonly node: number };

/**
 * Says why the zone answers what it answers to a question of class IN about a name at or below its origin. `isStream`: whether it
 * came by TCP, which matters to ANY.
 */
export function explainZone(
  table: ZoneTable,
  question: { readonly name: DomainName; readonly type: number; readonly isStream: boolean },
  say: (step: string) => void,
): ZoneVerdict {
  const { type, isStream } = question;
  const verdict: ZoneVerdict = { rcode: Rcode.noError, isAuthoritative: true, answers: 0 };
  let { name } = question;
  for (let aliases = 0; ; aliases++) {
    const text = formatName(name);
    const place = locate(table, name, type);
    if (place.what === 'referral') {
      if (aliases === 0) verdict.isAuthoritative = false;
      const cut = nodeName(table, place.node);
      const servers = targets(table, place.node, findSet(table, place.node, TYPE.NS)).map((target) =>
        formatName(target),
      );
      say(`${cut} is delegated to ${servers.join(', ')}: a referral`);
      return verdict;
    }
    let next: DomainName | undefined;
    if (place.what === 'dname') {
      const set = findSet(table, place.node, TYPE.DNAME);
      const [target] = targets(table, place.node, set);
      verdict.answers++;
      say(`${nodeName(table, place.node)} has a DNAME to ${formatName(target!)}, which stands for all names below it`);
      const ownerOctets = table.nodes[place.node * NODE_NUMBERS + NodeField.nameOctets]!;
      next = Uint8Array.from([...name.subarray(0, name.length - ownerOctets), ...target!]);
      if (next.length > MAX_NAME_OCTETS) {
        say(`what ${text} becomes by that is longer than a name may be: YXDOMAIN`);
        verdict.rcode = Rcode.yxDomain;
        return verdict;
      }
      verdict.answers++;
      say(`${text} is an alias of ${formatName(next)}, made of the DNAME`);
      if (type === TYPE.CNAME) return verdict;
    } else {
      const node = place.what === 'name' ? place.node : explainAbsence(table, place.node, text, verdict, say);
      if (node < 0) return verdict;
      next = explainNode(table, node, text, type, isStream, verdict, say);
      if (next === undefined) return verdict;
    }
    if (aliases === MAX_ALIASES) {
      say(`${MAX_ALIASES + 1} aliases are enough: who asks may go on from here`);
      return verdict;
    }
    if (!isInside(table, next)) {
      say(`${formatName(next)} is not in this zone: who asks goes on from there`);
      return verdict;
    }
    name = next;
  }
}

/** From the origin down: what is delegated or renamed on the way hides what is below. */
function locate(table: ZoneTable, name: DomainName, type: number): Place {
  const starts = new Uint8Array(MAX_LABELS + 1);
  const labels = suffixOffsets(name, 0, starts) - 1;
  let encloser = 0;
  for (let label = labels - table.labels; label >= 0; label--) {
    const at = starts[label]!;
    const node = findName(table, name, at, name.length - at, hashName(name, at));
    if (node < 0) return { what: 'absent', node: encloser };
    const isDelegated = node !== 0 && findSet(table, node, TYPE.NS) >= 0;
    if (isDelegated && !(label === 0 && type === TYPE.DS)) return { what: 'referral', node };
    if (label > 0 && findSet(table, node, TYPE.DNAME) >= 0) return { what: 'dname', node };
    encloser = node;
  }
  return { what: 'name', node: encloser };
}

/** The node of the wildcard for a name that does not exist; -1: NXDOMAIN. */
function explainAbsence(
  table: ZoneTable,
  encloser: number,
  text: string,
  verdict: ZoneVerdict,
  say: (step: string) => void,
): number {
  const closest = `${text} does not exist; its closest encloser is ${nodeName(table, encloser)}`;
  const wildcard = table.nodes[encloser * NODE_NUMBERS + NodeField.wildcard]!;
  if (wildcard < 0) {
    verdict.rcode = Rcode.nxDomain;
    say(`${closest}, which has no wildcard: NXDOMAIN`);
  } else {
    say(`${closest}, whose wildcard ${nodeName(table, wildcard)} stands for it`);
  }
  return wildcard;
}

/** What a name has for the type; what it is an alias of, if that is what it has. */
function explainNode(
  table: ZoneTable,
  node: number,
  text: string,
  type: number,
  isStream: boolean,
  verdict: ZoneVerdict,
  say: (step: string) => void,
): DomainName | undefined {
  const base = node * NODE_NUMBERS;
  const first = table.nodes[base + NodeField.firstSet]!;
  const count = table.nodes[base + NodeField.sets]!;
  const sets = Array.from({ length: count }, (_, index) => first + index);
  if (count === 0) {
    say(`${text} has no records, but names below it have (an empty non-terminal): no data`);
    return undefined;
  }
  const has = sets.map((set) => typeName(number(table, set, 'type'))).join(', ');
  if (type === TYPE.ANY) {
    const given = isStream ? sets : sets.slice(0, 1);
    for (const set of given) verdict.answers += number(table, set, 'records');
    say(`${text} has ${has}; ANY over ${isStream ? 'TCP gets all' : 'UDP gets one'} of them (RFC 8482)`);
    return undefined;
  }
  const set = findSet(table, node, type);
  if (set >= 0) {
    const records = number(table, set, 'records');
    verdict.answers += records;
    say(
      `${text} has ${typeName(type)}: ${records} record${records === 1 ? '' : 's'}, TTL ${number(table, set, 'ttl')}`,
    );
    return undefined;
  }
  const alias = findSet(table, node, TYPE.CNAME);
  if (alias < 0) {
    say(`${text} exists, with ${has}, but without ${typeName(type)}: no data`);
    return undefined;
  }
  verdict.answers++;
  const [target] = targets(table, node, alias);
  say(`${text} is an alias of ${formatName(target!)} (CNAME)`);
  return target;
}

const number = (table: ZoneTable, set: number, field: keyof typeof SetField): number =>
  table.sets[set * SET_NUMBERS + SetField[field]]!;

function nodeName(table: ZoneTable, node: number): string {
  return formatName(table.octets, table.nodes[node * NODE_NUMBERS + NodeField.nameAt]);
}

/** The names that the records of a set consist of: NS, CNAME, DNAME. */
function targets(table: ZoneTable, node: number, set: number): DomainName[] {
  const data = new Uint8Array(MAX_NAME_OCTETS);
  return Array.from({ length: number(table, set, 'records') }, (_, index) =>
    data.slice(0, expandData(table, node, set, index, data)),
  );
}

function isInside(table: ZoneTable, name: DomainName): boolean {
  const at = name.length - table.nodes[NodeField.nameOctets]!;
  let label = 0;
  while (label < at) label += name[label]! + 1;
  return label === at && findName(table, name, at, name.length - at, hashName(name, at)) === 0;
}
