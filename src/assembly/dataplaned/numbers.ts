// Numbers for objects that have names: small, and the same for as long as the object is there.

/** Gives out the smallest free number for a key and keeps it for as long as the key is used. */
export class Numbers {
  readonly #byKey = new Map<string, number>();
  readonly #taken: boolean[] = [];

  of(key: string): number {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const hole = this.#taken.indexOf(false);
    const number = hole === -1 ? this.#taken.length : hole;
    this.#taken[number] = true;
    this.#byKey.set(key, number);
    return number;
  }

  find(key: string): number | undefined {
    return this.#byKey.get(key);
  }

  keepOnly(keys: { has(key: string): boolean }): void {
    for (const [key, number] of this.#byKey) {
      if (keys.has(key)) continue;
      this.#byKey.delete(key);
      this.#taken[number] = false;
    }
  }

  /** How many keys have a number. */
  get size(): number {
    return this.#byKey.size;
  }

  entries(): Iterable<[string, number]> {
    return this.#byKey;
  }
}
