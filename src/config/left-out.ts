// What is left out of a text that is meant for a BIG-IP, and the comment that says so.

import type { StoredObject } from './configuration.ts';
import { findObjectType } from './object-types.ts';
import type { PropertyMap } from './property.ts';
import { isRecords, isTable } from './value.ts';
import type { Properties } from './value.ts';

export class LeftOut {
  /** Type → properties that some object of it has. */
  readonly #properties = new Map<string, Set<string>>();

  note({ type: path, own }: StoredObject): void {
    const type = findObjectType(path)!;
    for (const name of extensionsOf(type.properties, own)) {
      const found = this.#properties.get(path) ?? new Set();
      this.#properties.set(path, found.add(name));
    }
  }

  /** A comment line for each type; empty where nothing was left out. */
  comment(): string {
    const lines = [...this.#properties].map(
      ([type, names]) => `# Left out of ${type}, as no BIG-IP has it: ${[...names].join(', ')}\n`,
    );
    return lines.join('');
  }
}

function* extensionsOf(map: PropertyMap, own: Properties): Generator<string, void> {
  for (const [name, value] of Object.entries(own)) {
    const { extension, kind } = map[name]!;
    if (extension === true) yield name;
    else if (kind.shape === 'records') {
      const records = isTable(value) ? value.contents : isRecords(value) ? Object.values(value) : [];
      for (const record of records) yield* extensionsOf(kind.properties, record);
    }
  }
}
