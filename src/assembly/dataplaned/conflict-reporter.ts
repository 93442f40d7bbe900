// Says which of our addresses another station has: a line of the log for each, and what `show net self` tells.

import { formatMacNumbers } from '../../core/mac.ts';
import type { Log } from '../../core/log.ts';
import { logEvent } from '../../core/log-codes.ts';
import { readConflicts } from '../../route/address-conflicts.ts';
import type { Model } from './model.ts';
import type { Planner } from './planner.ts';

export type ConflictSources = {
  worker: { tables: { conflicts: SharedArrayBuffer }; second: number };
  planner: Pick<Planner, 'domain'>;
  model: Pick<Model, 'selfs'>;
};

const LOOK_MS = 1000;
/** A conflict that was last heard longer ago than this is over. */
const LASTING_SECONDS = 300;

/** MACs of other stations, by the name of the self IP that they have too. */
export function conflictsOf({ worker, planner, model }: ConflictSources): Map<string, string> {
  const found = new Map<string, string>();
  for (const { domain, address, macHigh, macLow, second } of readConflicts(worker.tables.conflicts)) {
    if (worker.second - second > LASTING_SECONDS) continue;
    for (const self of model.selfs.values()) {
      const isSame = planner.domain(self.domain) === domain && String(self.words) === String(address);
      if (isSame) found.set(self.name, formatMacNumbers(macHigh, macLow));
    }
  }
  return found;
}

export class ConflictReporter {
  readonly #sources: () => ConflictSources;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #reported = new Map<string, string>();

  constructor(sources: () => ConflictSources, log: Log) {
    this.#sources = sources;
    this.#log = log;
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Reports what has been found since the last look. */
  look(): void {
    const now = conflictsOf(this.#sources());
    for (const [self, mac] of now) {
      if (this.#reported.get(self) === mac) continue;
      const message = `self IP ${self}: station ${mac} has the same address; it stays ours, and traffic may go to either`;
      logEvent(this.#log, 'address-conflict', message, { self, mac });
    }
    this.#reported = now;
  }
}
