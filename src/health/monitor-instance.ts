// One monitor at one place, however many watches use it.

import type { Due } from './due-heap.ts';
import type { Monitor, Timing } from './monitor.ts';
import { isReported, MonitorState, type MonitorStatus } from './monitor-state.ts';
import { ProbeHistory } from './probe-history.ts';
import type { Cancel, ProbeOutcome, ProbePlace } from './probe.ts';

export type LastChange = {
  readonly from: MonitorStatus;
  readonly to: MonitorStatus;
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly at: number;
};

export class MonitorInstance implements Due {
  /** The same for what says the same of the same place. */
  readonly key: string;
  readonly monitor: Monitor;
  readonly place: ProbePlace;
  readonly state: MonitorState;
  readonly history = new ProbeHistory();
  /** Milliseconds since 1970 from which on the status has been so. */
  since: number;
  lastChange: LastChange | undefined;
  wakeAt = Infinity;
  heapAt = -1;
  /** `Clock.now` of the next probe. */
  nextProbe = Infinity;
  /** From 0 to 1: when in its interval. */
  phase = 0;
  startedAt = -Infinity;
  isRunning = false;
  /** What runs began later than it should have, which is our fault: that it has no answer yet says nothing. */
  isLate = false;
  /** The next probe was due while one was running. */
  isPending = false;
  isQueued = false;
  isGone = false;
  cancel: Cancel | undefined;
  /** The same function for every probe. */
  readonly done: (outcome: ProbeOutcome) => void;
  #status: MonitorStatus = 'unknown';

  constructor(
    key: string,
    monitor: Monitor,
    place: ProbePlace,
    now: number,
    wall: number,
    done: (instance: MonitorInstance, outcome: ProbeOutcome) => void,
  ) {
    this.key = key;
    this.monitor = monitor;
    this.place = place;
    this.state = new MonitorState(monitor, now);
    this.since = wall;
    this.done = (outcome) => done(this, outcome);
  }

  /** Kept over restarts for what is held. */
  get heldKey(): string {
    const { module, name } = this.monitor;
    return `${module} ${name} ${placeText(this.place)}`;
  }

  get isReported(): boolean {
    return isReported(this.monitor.type);
  }

  /** Milliseconds between two probes, as it is now. */
  get period(): number {
    const { interval, upInterval } = this.monitor.timing;
    return this.state.isUp && upInterval > 0 ? upInterval : interval;
  }

  /** Notes that the state may have changed; whether the status is another. */
  noteChange(wall: number): boolean {
    const { status, reason } = this.state;
    if (status === this.#status) return false;
    this.lastChange = { from: this.#status, to: status, reason, at: wall };
    this.#status = status;
    this.since = wall;
    return true;
  }

  /** Goes on where the same monitor was when it had other properties. */
  inherit(before: MonitorInstance): void {
    this.state.inherit(before.state);
    this.#status = before.#status;
    this.since = before.since;
    this.lastChange = before.lastChange;
  }
}

/** Where a monitor probes that is to say something of a target: it may have an address and port of its own. */
export function placeOf({ address, port, isTransparent }: Monitor, target: ProbePlace): ProbePlace {
  if (address === undefined && port === undefined) return target;
  const own = address ?? target.address;
  return {
    family: own.includes(':') ? 6 : 4,
    address: own,
    port: port ?? target.port,
    via: target.via ?? (isTransparent && own !== target.address ? target.address : undefined),
  };
}

/** The same for the same place. */
export function placeText({ address, port, via }: ProbePlace): string {
  return via === undefined ? `${address} ${port}` : `${address} ${port} ${via}`;
}

/** How long a whole probe may take before nobody waits for it any more. */
export function longestProbe({ probeTimeout, probeAttempts, probeInterval }: Timing): number {
  return probeTimeout + Math.max(0, probeAttempts - 1) * probeInterval;
}
