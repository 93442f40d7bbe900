// What is watched: a thing of the configuration, where it is probed, and the rule by which it is judged.

import type { MonitorRule } from './monitor.ts';
import type { ProbePlace } from './probe.ts';

export const WATCH_KINDS = ['server', 'virtual-server', 'member', 'node', 'pool-member', 'virtual'] as const;
/** `member`: of a gtm pool. `pool-member`: of an ltm pool. */
export type WatchKind = (typeof WATCH_KINDS)[number];

export type Watch = {
  readonly kind: WatchKind;
  /** server: its name. virtual-server: `virtualServerKey`. member: `memberKey`. node, virtual: the name. pool-member: `POOL MEMBER`. */
  readonly key: string;
  /** A monitor is up here when it is at one of them; none: nothing can be probed, and `unprobed` says why. */
  readonly places: readonly ProbePlace[];
  readonly unprobed: string | undefined;
  readonly rule: MonitorRule;
  /** The `gtm server` whose verdict counts, told by `HealthEngine.take`: nothing is probed; undefined: what the monitors find here. */
  readonly prober?: string | undefined;
};

/** What a prober found. */
export type TakenVerdict = Pick<WatchVerdict, 'status' | 'reason'>;

/** What monitors say of it: `disabled` is up, and gets no new clients. */
export const WATCH_STATUSES = ['available', 'disabled', 'offline', 'unknown'] as const;
export type WatchStatus = (typeof WATCH_STATUSES)[number];

export type WatchVerdict = {
  readonly status: WatchStatus;
  /** For a person: which monitor says so, and why. */
  readonly reason: string;
  /** Milliseconds since 1970 from which on it has been so. */
  readonly since: number;
};
