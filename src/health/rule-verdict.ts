// What a rule over monitors makes of what each of them says.

import type { MonitorStatus } from './monitor-state.ts';
import type { MonitorRule } from './monitor.ts';
import { CHECKING } from './monitor-state.ts';
import type { WatchStatus } from './watch.ts';

/** What one monitor of a rule says, over all its places. */
export type Said = {
  readonly status: MonitorStatus;
  readonly reason: string;
  /** Nothing has been decided yet. */
  readonly isChecking: boolean;
};

export type RuleVerdict = {
  readonly status: WatchStatus;
  readonly reason: string;
  /** It is unknown for as long as monitors are being checked for the first time. */
  readonly isChecking: boolean;
};

/** The longest reason, in characters. */
export const MAX_REASON = 400;

const RANK: Record<MonitorStatus, number> = { up: 3, disabled: 2, unknown: 1, down: 0 };

/** What a monitor says that is up where any of its places is. `places`: how a person knows them, in the same order. */
export function overPlaces(said: readonly Said[], places: readonly string[]): Said {
  if (said.length === 1) return said[0]!;
  const rank = Math.max(...said.map(({ status }) => RANK[status]));
  const best = said.filter(({ status }) => RANK[status] === rank);
  const isChecking = best.some((each) => each.isChecking);
  if (rank !== RANK.down) return { ...best[0]!, isChecking };
  const reason = said.map((each, index) => `at ${places[index]} ${each.reason}`).join(', ');
  return { status: 'down', reason, isChecking };
}

/** `said`: of the monitors of the rule, in their order. */
export function judgeRule({ atLeast, monitors }: MonitorRule, said: readonly Said[]): RuleVerdict {
  if (monitors.length === 0) return { status: 'unknown', reason: 'No monitor', isChecking: false };
  const count = (status: MonitorStatus): number => said.filter((each) => each.status === status).length;
  const [up, disabled, unknown] = [count('up'), count('disabled'), count('unknown')];
  const good = up + disabled;
  const status = statusOf(atLeast, up, disabled, unknown);
  const isChecking = status === 'unknown' && said.some((each) => each.isChecking);
  if (isChecking && said.every((each) => each.isChecking)) return { status, reason: CHECKING, isChecking };
  const text = (index: number): string => `${monitors[index]!.name}: ${said[index]!.reason}`;
  if (monitors.length === 1) return { status, reason: shorten(`Monitor ${text(0)}`), isChecking };
  const others = said.flatMap(({ status: its }, index) => (isBehind(status, its) ? [text(index)] : []));
  const needed = good >= monitors.length ? '' : `, and ${atLeast} must be`;
  const why = others.length === 0 ? '' : `: ${others.join(', ')}`;
  return { status, reason: shorten(`${good} of ${monitors.length} monitors up${needed}${why}`), isChecking };
}

function statusOf(atLeast: number, up: number, disabled: number, unknown: number): WatchStatus {
  if (up >= atLeast) return 'available';
  if (up + disabled >= atLeast) return 'disabled';
  return up + disabled + unknown < atLeast ? 'offline' : 'unknown';
}

/** Whether a monitor is worth a word for why the rule says so. */
function isBehind(status: WatchStatus, its: MonitorStatus): boolean {
  if (its === 'up') return false;
  if (its === 'disabled') return status === 'disabled';
  return its === 'down' || status === 'unknown';
}

function shorten(text: string): string {
  return text.length <= MAX_REASON ? text : `${text.slice(0, MAX_REASON - 1)}…`;
}
