// The main thread of healthd: what the configuration wants watched is probed, judged and published.

import { applyChanges, type ConfigChange, type Generation, mapObjects, type ObjectMap } from '../../config/change.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import type { Log } from '../../core/log.ts';
import type { ApplyFailure } from '../../ipc/schema.ts';
import type { ConfigApplier } from '../config-subscriber.ts';

export type HealthdOptions = {
  /** The daemon's own directory, which exists. */
  readonly directory: string;
  readonly log: Log;
};

export class Healthd implements ConfigApplier {
  #objects: ObjectMap = new Map();

  constructor(_options: HealthdOptions) {}

  onSnapshot(_generation: Generation, objects: readonly AnyConfigObject[]): ApplyFailure[] {
    return this.#goOver(mapObjects(objects));
  }

  onDiff(_generation: Generation, changes: readonly ConfigChange[]): ApplyFailure[] {
    return this.#goOver(applyChanges(this.#objects, changes));
  }

  /** What it does, for the line at its start. */
  summary(): string {
    return 'nothing is watched yet';
  }

  async stop(): Promise<void> {}

  #goOver(objects: ObjectMap): ApplyFailure[] {
    this.#objects = objects;
    return [];
  }
}
