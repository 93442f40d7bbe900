// The virtual servers of another machine, found as a `gtm server` means them: by where they are, or else by what they are called.

export type MachineVirtual = { readonly name: string; readonly address: string; readonly port: number };

/** How a virtual server of a `gtm server` may be found. */
export type VirtualSought = {
  /** Where it is, the likeliest first: behind its translation, and as it is answered. */
  readonly places: readonly { readonly address: string; readonly port: number }[];
  /** Full paths: its `ltm-name`, and its own name. */
  readonly names: readonly string[];
};

export class MachineVirtuals<V extends MachineVirtual> {
  readonly #byName = new Map<string, V>();
  readonly #byPlace = new Map<string, V>();

  get all(): IterableIterator<V> {
    return this.#byName.values();
  }

  set(virtual: V): void {
    this.delete(virtual.name);
    this.#byName.set(virtual.name, virtual);
    this.#byPlace.set(placeKey(virtual), virtual);
  }

  /** Whether it was there. */
  delete(name: string): boolean {
    const before = this.#byName.get(name);
    if (before === undefined) return false;
    this.#byName.delete(name);
    if (this.#byPlace.get(placeKey(before)) === before) this.#byPlace.delete(placeKey(before));
    return true;
  }

  find({ places, names }: VirtualSought): V | undefined {
    for (const place of places) {
      const found = this.#byPlace.get(placeKey(place));
      if (found !== undefined) return found;
    }
    for (const name of names) {
      const found = this.#byName.get(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

const placeKey = ({ address, port }: { readonly address: string; readonly port: number }): string =>
  `${address} ${port}`;
