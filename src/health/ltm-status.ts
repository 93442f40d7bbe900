// Statuses of LTM objects, and what a pool makes of those of its members; words are those of a BIG-IP where they are public.

import { MAX_REASON } from './rule-verdict.ts';
import type { WatchVerdict } from './watch.ts';

export type LtmStatus = {
  /** `unavailable`: up, and over a limit. */
  readonly availability: 'available' | 'offline' | 'unavailable' | 'unknown';
  readonly enabled: 'enabled' | 'disabled' | 'disabled-by-parent';
  readonly reason: string;
};

export const NOT_CHECKED = 'Service check results are not available yet';

const CHILDREN_DOWN = 'The children pool member(s) are down';
const CHILDREN_FULL = "The children pool member(s)' connection limits have been reached";
const CHILDREN_DISABLED = 'The children pool member(s) are disabled';
const CHILDREN_NOT_CHECKED =
  "The children pool member(s) either don't have service checking enabled, or service check results are not available yet";

/** What is said, and by whom or why. */
export function withReason(text: string, reason: string | undefined): string {
  const whole = reason === undefined || reason === '' ? text : `${text}: ${reason}`;
  return whole.length <= MAX_REASON ? whole : `${whole.slice(0, MAX_REASON - 1)}…`;
}

export function downReason(what: string, { reason }: WatchVerdict): string {
  return withReason(`${what} has been marked down by a monitor`, reason);
}

/** Whether new connections may go there. */
export function isUsable({ availability, enabled }: LtmStatus): boolean {
  return enabled === 'enabled' && (availability === 'available' || availability === 'unknown');
}

/** A pool is as good as the best of its members that are enabled; where none is, as the best of all, and disabled. */
export function bestOf(members: readonly LtmStatus[]): LtmStatus {
  const enabledMembers = members.filter(({ enabled }) => enabled === 'enabled');
  const isDisabled = enabledMembers.length === 0 && members.length > 0;
  const enabled = isDisabled ? 'disabled' : 'enabled';
  const has = (list: readonly LtmStatus[], availability: LtmStatus['availability']): boolean =>
    list.some((each) => each.availability === availability);
  const among = isDisabled ? members : enabledMembers;
  if (has(among, 'available')) {
    return { availability: 'available', enabled, reason: isDisabled ? CHILDREN_DISABLED : 'The pool is available' };
  }
  if (members.length === 0 || has(among, 'unknown')) {
    return { availability: 'unknown', enabled, reason: isDisabled ? CHILDREN_DISABLED : CHILDREN_NOT_CHECKED };
  }
  if (has(among, 'unavailable')) {
    return { availability: 'unavailable', enabled, reason: isDisabled ? CHILDREN_DISABLED : CHILDREN_FULL };
  }
  const isAllDown = members.every(({ availability }) => availability === 'offline');
  return { availability: 'offline', enabled, reason: isAllDown ? CHILDREN_DOWN : 'No enabled pool members available' };
}
