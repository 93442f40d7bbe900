// What is left out of a text that is meant for a BIG-IP, and the comment that says so.

import type { StoredObject } from './configuration.ts';
import { findObjectType } from './object-types.ts';
import type { PropertyMap } from './property.ts';
import { isRecords, isTable } from './value.ts';
import type { Properties } from './value.ts';

export class LeftOut {
  /** Type → properties that some object of it has. */
  readonly #properties = new Map<string, Set<string>>();
  readonly #secrets = new Map<string, Set<string>>();

  note({ type: path, own }: StoredObject): void {
    const type = findObjectType(path)!;
    for (const { name, isSecret } of leftOutOf(type.properties, own)) {
      const map = isSecret ? this.#secrets : this.#properties;
      map.set(path, (map.get(path) ?? new Set()).add(name));
    }
  }

  /** A comment line for each type; empty where nothing was left out. */
  comment(): string {
    const lines = (map: ReadonlyMap<string, ReadonlySet<string>>, why: string): string[] =>
      [...map].map(([type, names]) => `# Left out of ${type}, as ${why}: ${[...names].join(', ')}\n`);
    const secrets = lines(this.#secrets, 'it is masked with the master key of this machine');
    return [...lines(this.#properties, 'no BIG-IP has it'), ...secrets].join('');
  }
}

function* leftOutOf(map: PropertyMap, own: Properties): Generator<{ name: string; isSecret: boolean }, void> {
  for (const [name, value] of Object.entries(own)) {
    const { extension, secret, kind } = map[name]!;
    if (extension === true || secret === true) yield { name, isSecret: secret === true };
    else if (kind.shape === 'records') {
      const records = isTable(value) ? value.contents : isRecords(value) ? Object.values(value) : [];
      for (const record of records) yield* leftOutOf(kind.properties, record);
    }
  }
}
