// Stands in for the data plane where the addon cannot be loaded: no frame moves, and every object that needs an adapter is
// reported as failed with the reason, so that a user finds it where they look.

import { applyChanges, type ConfigChange, type Generation, mapObjects, type ObjectMap } from '../../config/change.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import type { ShowReply } from '../../ipc/schema.ts';
import type { ConfigApplier } from '../config-subscriber.ts';
import type { Failure } from './model.ts';

const NEEDS_ADAPTER = new Set(['net interface', 'net tunnels tunnel']);

export class AbsentDataplane implements ConfigApplier {
  readonly #reason: string;
  #objects: ObjectMap = new Map();

  constructor(reason: string) {
    this.#reason = reason;
  }

  onSnapshot(_generation: Generation, objects: readonly AnyConfigObject[]): Failure[] {
    this.#objects = mapObjects(objects);
    return this.#failures();
  }

  onDiff(_generation: Generation, changes: readonly ConfigChange[]): Failure[] {
    this.#objects = applyChanges(this.#objects, changes);
    return this.#failures();
  }

  show(type: string, names: readonly string[] | undefined): ShowReply {
    const rows = [...this.#objects.values()]
      .filter((object) => object.type === type && names?.includes(object.name) !== false)
      .map(({ name }) => ({ name, stats: { Status: `failed: ${this.#reason}` } }));
    return { rows };
  }

  #failures(): Failure[] {
    return [...this.#objects]
      .filter(([, { type }]) => NEEDS_ADAPTER.has(type))
      .map(([key]) => ({ object: key, reason: this.#reason }));
  }
}
