// Modes that look at one number that is measured of a virtual server. Who has none is no candidate.

import { VIRTUAL_SERVER_WORDS } from '../state-layout.ts';
import { MEMBER_NUMBERS, MemberField } from '../tables.ts';
import type { Candidates } from './candidates.ts';

/** The number (a VirtualServerWord) of a member's virtual server; UNKNOWN also for a member that is a name. */
export function serverMetric(members: Int32Array, state: Int32Array, member: number, word: number): number {
  const virtualServer = members[member * MEMBER_NUMBERS + MemberField.virtualServer]!;
  return virtualServer < 0 ? -1 : state[virtualServer * VIRTUAL_SERVER_WORDS + word]!;
}

/** Gives each member its number times `sign`, and drops those without one. */
export function rateByServerMetric(
  candidates: Candidates,
  members: Int32Array,
  state: Int32Array,
  word: number,
  sign: number,
): void {
  const { rows, values, count } = candidates;
  let kept = 0;
  for (let index = 0; index < count; index++) {
    const metric = serverMetric(members, state, rows[index]!, word);
    if (metric < 0) continue;
    rows[kept] = rows[index]!;
    values[kept++] = sign * metric;
  }
  candidates.count = kept;
}
