// A line in the log for each change of a status, in the words of a BIG-IP; when thousands change at once, some lines and their sum.

import { splitVirtualServerKey } from '../../config/gtm-kinds.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import type { Watch, WatchStatus, WatchVerdict } from '../../health/watch.ts';

/** Lines of one second. */
export const LINES_A_SECOND = 50;
const MS_PER_SECOND = 1000;

/** As the statuses are called in the logs of gtmd. */
const COLOURS: Readonly<Record<WatchStatus, string>> = {
  available: 'green',
  disabled: 'black',
  offline: 'red',
  unknown: 'blue',
};

/** And in those of mcpd, for nodes and members of LTM pools. */
const MONITOR_WORDS: Readonly<Record<WatchStatus, string>> = {
  available: 'up',
  disabled: 'up, disabled by monitor',
  offline: 'down',
  unknown: 'unchecked',
};

export type StatusChange = {
  readonly watch: Watch;
  readonly before: WatchVerdict;
  readonly verdict: WatchVerdict;
};

export class StatusLog {
  readonly #log: Log;
  #second = 0;
  #lines = 0;
  /** By status, how many came to it without a line. */
  #summed = new Map<WatchStatus, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  note(change: StatusChange): void {
    const second = Math.floor(change.verdict.since / MS_PER_SECOND);
    if (second !== this.#second) this.#lines = 0;
    this.#second = second;
    this.#lines += 1;
    if (this.#lines > LINES_A_SECOND) {
      const { status } = change.verdict;
      this.#summed.set(status, (this.#summed.get(status) ?? 0) + 1);
      this.#timer ??= setTimeout(() => this.#sumUp(), MS_PER_SECOND);
      return;
    }
    const { kind, key } = change.watch;
    logEvent(this.#log, 'monitor-status', statusLine(change), { kind, object: key, status: change.verdict.status });
  }

  close(): void {
    if (this.#timer !== undefined) this.#sumUp();
  }

  #sumUp(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const parts = [...this.#summed].map(([status, count]) => `${count} ${status}`);
    const total = [...this.#summed.values()].reduce((sum, count) => sum + count, 0);
    this.#summed = new Map();
    logEvent(this.#log, 'monitor-statuses-summed', `${total} more changed: ${parts.join(', ')}`);
  }
}

export function statusLine({ watch: { kind, key }, before, verdict }: StatusChange): string {
  const colours = `state change ${COLOURS[before.status]} --> ${COLOURS[verdict.status]} (${verdict.reason})`;
  switch (kind) {
    case 'server':
      return `Server ${key} ${colours}`;
    case 'virtual-server': {
      const { server, virtualServer } = splitVirtualServerKey(key);
      return `VS ${virtualServer} (Server ${server}) ${colours}`;
    }
    case 'member': {
      const [type, pool, ...member] = key.split(' ');
      return `Pool ${pool} (${type}) member ${member.join(' ')} ${colours}`;
    }
    case 'node':
      return `Node ${key} ${monitorPart(before, verdict)}`;
    case 'pool-member': {
      const [pool, ...member] = key.split(' ');
      return `Pool ${pool} member ${member.join(' ')} ${monitorPart(before, verdict)}`;
    }
    case 'virtual':
      return `Virtual ${key} ${colours}`;
  }
}

function monitorPart(before: WatchVerdict, { status, reason, since }: WatchVerdict): string {
  const seconds = Math.max(0, Math.floor((since - before.since) / MS_PER_SECOND));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const was = `was ${MONITOR_WORDS[before.status]} for ${hours}hr:${minutes}min:${seconds % 60}sec`;
  return `monitor status ${MONITOR_WORDS[status]}. [ ${reason} ] [ ${was} ]`;
}
