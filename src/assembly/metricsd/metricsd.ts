// metricsd: serves what all daemons count to Prometheus, where the configuration says.

import { applyChanges, type ConfigChange, type Generation, mapObjects, type ObjectMap } from '../../config/change.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import type { Log } from '../../core/log.ts';
import type { ApplyFailure } from '../../ipc/schema.ts';
import type { ConfigApplier } from '../config-subscriber.ts';

export type MetricsdOptions = {
  /** State directory, where the sockets of the other daemons are. */
  readonly state: string;
  readonly log: Log;
};

export class Metricsd implements ConfigApplier {
  #objects: ObjectMap = new Map();

  /** Of whatever is to be said. */
  readonly log: Log;

  constructor({ log }: MetricsdOptions) {
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
    return 'metrics are served nowhere: modify sys db metricsd.listen value 127.0.0.1:9353';
  }

  async stop(): Promise<void> {
    await Promise.resolve();
  }

  #goOver(objects: ObjectMap): Promise<ApplyFailure[]> {
    this.#objects = objects;
    return Promise.resolve([]);
  }
}
