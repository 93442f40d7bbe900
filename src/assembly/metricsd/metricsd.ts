// metricsd: serves what all daemons count to Prometheus, where the configuration says.

import { applyChanges, type ConfigChange, type Generation, mapObjects, type ObjectMap } from '../../config/change.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import { METRICS_LISTEN_VARIABLE, parseListenPlace, sysDb } from '../../config/types/sys-db.ts';
import type { Log } from '../../core/log.ts';
import type { ApplyFailure } from '../../ipc/schema.ts';
import type { ConfigApplier } from '../config-subscriber.ts';
import { textOf } from '../healthd/describe-watches.ts';
import { MetricsServer } from './metrics-server.ts';
import { Scraper, type ScraperOptions } from './scraper.ts';

export type MetricsdOptions = ScraperOptions & { readonly log: Log };

export class Metricsd implements ConfigApplier {
  readonly #server: MetricsServer;
  #objects: ObjectMap = new Map();
  #value = 'none';

  constructor({ log, ...options }: MetricsdOptions) {
    const scraper = new Scraper(options);
    this.#server = new MetricsServer(() => scraper.scrape(), log);
  }

  onSnapshot(_generation: Generation, objects: readonly AnyConfigObject[]): Promise<ApplyFailure[]> {
    return this.#goOver(mapObjects(objects));
  }

  onDiff(_generation: Generation, changes: readonly ConfigChange[]): Promise<ApplyFailure[]> {
    return this.#goOver(applyChanges(this.#objects, changes));
  }

  /** What it does, for the line at its start. */
  summary(): string {
    if (this.#value !== 'none') return `metrics are served at ${this.#value}`;
    return `metrics are served nowhere: modify sys db ${METRICS_LISTEN_VARIABLE} value 127.0.0.1:9353`;
  }

  failures(): ApplyFailure[] {
    const { problem } = this.#server;
    return problem === undefined
      ? []
      : [{ object: `${sysDb.path} ${METRICS_LISTEN_VARIABLE}`, reason: `cannot listen at ${this.#value}: ${problem}` }];
  }

  stop(): Promise<void> {
    return this.#server.close();
  }

  async #goOver(objects: ObjectMap): Promise<ApplyFailure[]> {
    this.#objects = objects;
    const variable = [...objects.values()].find(
      ({ type, name }) => type === sysDb.path && name === METRICS_LISTEN_VARIABLE,
    );
    this.#value = textOf(variable?.properties.value) || 'none';
    await this.#server.want(parseListenPlace(this.#value));
    return this.failures();
  }
}
