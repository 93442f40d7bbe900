// iqueryd: one mesh, the features that use it, and what they get from the configuration.

import { applyChanges, type ConfigChange, type Generation, mapObjects, type ObjectMap } from '../../config/change.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import type { Log } from '../../core/log.ts';
import type { ApplyFailure } from '../../ipc/schema.ts';
import type { ConfigApplier } from '../config-subscriber.ts';

export type IquerydOptions = {
  /** The daemon's own directory, which exists. */
  readonly directory: string;
  readonly log: Log;
};

export class Iqueryd implements ConfigApplier {
  #objects: ObjectMap = new Map();

  /** Of whatever is to be said. */
  readonly log: Log;

  constructor({ log }: IquerydOptions) {
    this.log = log;
  }

  onSnapshot(_generation: Generation, objects: readonly AnyConfigObject[]): Promise<ApplyFailure[]> {
    return this.#goOver(mapObjects(objects));
  }

  onDiff(_generation: Generation, changes: readonly ConfigChange[]): Promise<ApplyFailure[]> {
    return this.#goOver(applyChanges(this.#objects, changes));
  }

  /** What it does, for the line at its start. */
  summary(): string {
    return 'no server of product bigip is configured';
  }

  async stop(): Promise<void> {
    await Promise.resolve();
  }

  #goOver(objects: ObjectMap): Promise<ApplyFailure[]> {
    this.#objects = objects;
    return Promise.resolve([]);
  }
}
