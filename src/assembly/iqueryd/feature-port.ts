// The mesh as features see it, which are made before it.

import type { MeshPort } from '../../iquery/mesh-feature.ts';

export class FeaturePort implements MeshPort {
  #mesh: MeshPort | undefined;

  /** To be called once, before anything happens. */
  join(mesh: MeshPort): void {
    this.#mesh = mesh;
  }

  readonly publish: MeshPort['publish'] = (record) => this.#mesh?.publish(record);
  readonly forget: MeshPort['forget'] = (channel, key) => this.#mesh?.forget(channel, key);
  readonly publishAll: MeshPort['publishAll'] = (channel, records) => this.#mesh?.publishAll(channel, records);
  readonly request: MeshPort['request'] = (server, message) => this.#mesh?.request(server, message) ?? false;
  readonly reply: MeshPort['reply'] = (subscriber, message) => this.#mesh?.reply(subscriber, message) ?? false;
  readonly clockSkewOf = (server: string): number | undefined => this.#mesh?.clockSkewOf?.(server);

  get peers(): MeshPort['peers'] {
    return this.#mesh?.peers ?? [];
  }

  get subscribers(): MeshPort['subscribers'] {
    return this.#mesh?.subscribers ?? [];
  }
}
