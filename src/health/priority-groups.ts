// Priority groups of a pool: which are in use, and which members therefore get what comes.

import type { LtmMember } from './ltm-description.ts';
import { isUsable, type LtmStatus } from './ltm-status.ts';

export type ActiveMembers = {
  /** The lowest priority group that is in use; undefined: no member can be used. */
  readonly lowestGroup: number | undefined;
  /** Names of the members that are used. */
  readonly members: readonly string[];
};

type Judged = LtmStatus & { readonly member: LtmMember; readonly priorityGroup: number };

/**
 * Groups are in use from the highest down, until so many of their members can be used as `minActive` wants; 0: all are. When all
 * together have fewer, all are in use.
 */
export function activeMembers(members: readonly Judged[], minActive: number): ActiveMembers {
  const usable = members.filter(isUsable).toSorted((a, b) => b.priorityGroup - a.priorityGroup);
  if (usable.length === 0) return { lowestGroup: undefined, members: [] };
  const last = minActive === 0 ? usable.length : Math.min(minActive, usable.length);
  const lowestGroup = usable[last - 1]!.priorityGroup;
  const used = usable.filter(({ priorityGroup }) => priorityGroup >= lowestGroup);
  return { lowestGroup, members: used.map(({ member }) => member.name) };
}
